//! `faults.jsonl`: what is broken, written down before it is broken.
//!
//! One JSON object per line; the first names the format, and says where the faults are: what is
//! needed to open the lab again, and the names of the store's daemons. A fault's first line (`applying`) holds all that is needed to undo it
//! and is on the disk before the fault acts, so a controller that is killed leaves behind what to
//! heal: every fault without an `undone` line. The other lines are not waited for: at worst a fault
//! is undone once more, which is harmless.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use perjury_lab::machines::Footprint;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::Fault;

/// What the file is.
const NAME: &str = "perjury.faults";

/// The version of its format that is written, and the oldest that is read.
const FORMAT: u32 = 2;
const FORMAT_MIN: u32 = 1;

/// How the first line begins, whatever the format.
const BEGINNING: &str = r#"{"journal":"perjury.faults","format":"#;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct FirstLine {
    journal: String,
    format: u32,
    #[serde(flatten)]
    place: JournalPlace,
}

/// Where the faults of a journal are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalPlace {
    /// Whatever the caller needs to open the lab again; null if it ends with the controller.
    #[serde(default)]
    pub lab: Value,
    /// The names of the store's daemons.
    #[serde(default)]
    pub daemons: Vec<String>,
}

impl JournalPlace {
    /// A lab, and a store on it.
    pub fn new(lab: Value, footprint: &Footprint) -> Self {
        let daemons = footprint.daemons.iter().map(|&name| name.to_owned()).collect();
        Self { lab, daemons }
    }

    /// As much of the store's footprint as undoing faults needs. The names live as long as the
    /// process does.
    pub fn footprint(&self) -> Footprint {
        let daemons = self.daemons.iter().map(|name| &*name.clone().leak()).collect();
        Footprint { daemons, ..Footprint::default() }
    }
}

/// What a journal says is still to be undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftBehind {
    /// Where.
    pub place: JournalPlace,
    /// What, by number.
    pub faults: BTreeMap<u32, Fault>,
    /// When the last line was written, in nanoseconds since the run's start.
    pub time_ns: u64,
}

/// How far a fault has come, as the journal knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "stage")]
pub enum JournalStage {
    /// It is about to act.
    Applying {
        /// What it is.
        fault: Fault,
    },
    /// It acted.
    Applied,
    /// It is undone.
    Undone,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Number of the fault within the run.
    pub number: u32,
    /// Nanoseconds since the run's start.
    pub time_ns: u64,
    /// How far it has come.
    #[serde(flatten)]
    pub stage: JournalStage,
}

/// The journal cannot be written or read.
#[derive(Debug, Error)]
#[error("the fault journal {path}: {problem}")]
pub struct JournalError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

/// The open journal of a run.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Whether to wait for the disk before a fault acts.
    durable: bool,
}

impl Journal {
    /// Begins a new journal, of faults in a certain place.
    ///
    /// # Errors
    /// If the file exists or cannot be written.
    pub fn create(path: &Path, place: &JournalPlace) -> Result<Self, JournalError> {
        let first = FirstLine { journal: NAME.to_owned(), format: FORMAT, place: place.clone() };
        let written = serde_json::to_string(&first).map_err(io::Error::from).and_then(|line| {
            let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
            // Held for as long as the run goes on, so that nobody heals it meanwhile. The kernel
            // releases it, however the run ends; a file system without locks goes without.
            let _ = file.try_lock();
            writeln!(file, "{line}")?;
            file.sync_all()?;
            // And its name in the folder.
            let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(file)
        });
        let file = written.map_err(|error| JournalError::new(path, &error))?;
        Ok(Self { path: path.to_owned(), file, durable: true })
    }

    /// Opens a journal that a controller left, to add that its faults are undone. A last line that
    /// was cut short is removed. A run that goes on is left alone: that is an error.
    pub(crate) fn reopen(path: &Path) -> Result<Self, JournalError> {
        let opened = std::fs::read(path).and_then(|content| {
            let whole = content.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let file = OpenOptions::new().append(true).open(path)?;
            if let Err(TryLockError::WouldBlock) = file.try_lock() {
                return Err(io::Error::other("the run goes on: it takes its faults back itself"));
            }
            file.set_len(whole as u64)?;
            Ok(file)
        });
        let file = opened.map_err(|error| JournalError::new(path, &error))?;
        Ok(Self { path: path.to_owned(), file, durable: true })
    }

    /// Does not wait for the disk: no fault outlives the controller.
    pub(crate) fn forget_power_loss(&mut self) {
        self.durable = false;
    }

    /// Appends a line. That a fault is about to act is on the disk when this returns.
    ///
    /// # Errors
    /// If it cannot be written: then the fault must not act.
    pub fn append(&mut self, entry: &JournalEntry) -> Result<(), JournalError> {
        let line = serde_json::to_string(entry).map_err(io::Error::from);
        line.and_then(|line| writeln!(self.file, "{line}"))
            .and_then(|()| match entry.stage {
                JournalStage::Applying { .. } if self.durable => self.file.sync_data(),
                _ => Ok(()),
            })
            .map_err(|error| JournalError::new(&self.path, &error))
    }

    /// What was not undone. A last line that was cut short is about a fault that never acted, or
    /// tells of an undo that may be repeated.
    ///
    /// # Errors
    /// If the file cannot be read or is not a journal.
    pub fn left_behind(path: &Path) -> Result<LeftBehind, JournalError> {
        let unreadable = |error: io::Error| JournalError::new(path, &error);
        let file = File::open(path).map_err(unreadable)?;
        let mut left = LeftBehind::default();
        let mut lines = BufReader::new(file).lines().enumerate().peekable();
        let first = lines.next().map(|(_, line)| line).transpose();
        let first = first.map_err(unreadable)?.unwrap_or_default();
        match serde_json::from_str::<FirstLine>(&first) {
            Ok(FirstLine { journal, format, place })
                if journal == NAME && (FORMAT_MIN..=FORMAT).contains(&format) =>
            {
                left.place = place;
            }
            // A journal that was cut within its first line is of a run that had broken nothing yet.
            Err(_) if lines.peek().is_none() && begins_alike(&first) => return Ok(left),
            _ => {
                let problem = format!(
                    "line 1: expected {BEGINNING}...}} of a format from {FORMAT_MIN} to {FORMAT}, \
                     found {first}"
                );
                return Err(JournalError { path: path.to_owned(), problem });
            }
        }
        while let Some((index, line)) = lines.next() {
            let line = line.map_err(unreadable)?;
            match serde_json::from_str::<JournalEntry>(&line) {
                Ok(JournalEntry { number, time_ns, stage }) => {
                    left.time_ns = time_ns;
                    match stage {
                        JournalStage::Applying { fault } => _ = left.faults.insert(number, fault),
                        JournalStage::Applied => {}
                        JournalStage::Undone => _ = left.faults.remove(&number),
                    }
                }
                Err(_) if lines.peek().is_none() => {}
                Err(error) => {
                    let problem = format!("line {}: expected a fault, found {error}", index + 1);
                    return Err(JournalError { path: path.to_owned(), problem });
                }
            }
        }
        Ok(left)
    }
}

/// Whether a line that was cut short may be a journal's first.
fn begins_alike(line: &str) -> bool {
    BEGINNING.starts_with(line) || line.starts_with(BEGINNING)
}

impl JournalError {
    fn new(path: &Path, error: &io::Error) -> Self {
        Self { path: path.to_owned(), problem: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use perjury_history::NodeId;

    use super::*;

    fn entry(number: u32, stage: JournalStage) -> JournalEntry {
        JournalEntry { number, time_ns: 7, stage }
    }

    fn fault(node: u32) -> Fault {
        Fault::Kill { nodes: vec![NodeId(node)] }
    }

    /// A journal of three faults, of which the first is undone, and a line that was cut short.
    fn cut_short(path: &Path, place: &JournalPlace) {
        let mut journal = Journal::create(path, place).expect("a new file");
        for number in 0..3 {
            let stage = JournalStage::Applying { fault: fault(number) };
            journal.append(&entry(number, stage)).expect("it can be written");
        }
        journal.append(&entry(0, JournalStage::Applied)).expect("it can be written");
        journal.append(&entry(0, JournalStage::Undone)).expect("it can be written");
        write!(journal.file, "{{\"number\":3,\"ti").expect("it can be written");
    }

    #[test]
    fn a_run_that_goes_on_is_not_healed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("faults.jsonl");
        let running = Journal::create(&path, &JournalPlace::default()).expect("a new file");
        let refused = Journal::reopen(&path).expect_err("it goes on").to_string();
        assert!(refused.contains("the run goes on"), "{refused}");
        drop(running);
        Journal::reopen(&path).expect("it is over");
    }

    #[test]
    fn what_was_not_undone_is_left_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("faults.jsonl");
        let footprint = Footprint { daemons: vec!["etcd"], ..Footprint::default() };
        let place = JournalPlace::new(serde_json::json!({ "kind": "ssh" }), &footprint);
        cut_short(&path, &place);
        let left = Journal::left_behind(&path).expect("it can be read");
        assert_eq!(left.faults, BTreeMap::from([(1, fault(1)), (2, fault(2))]));
        assert_eq!((left.place.footprint(), left.place), (footprint, place.clone()));
        assert!(Journal::create(&path, &place).is_err(), "a journal is never overwritten");
    }

    #[test]
    fn a_journal_that_was_cut_short_can_be_gone_on_with() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("faults.jsonl");
        cut_short(&path, &JournalPlace::default());
        let mut journal = Journal::reopen(&path).expect("it is there");
        journal.append(&entry(2, JournalStage::Undone)).expect("it can be written");
        let left = Journal::left_behind(&path).expect("it can be read");
        assert_eq!(left.faults, BTreeMap::from([(1, fault(1))]));
    }

    #[test]
    fn a_journal_of_the_first_format_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("faults.jsonl");
        let first = r#"{"journal":"perjury.faults","format":1}
{"number":0,"time_ns":5,"stage":"applying","fault":{"kind":"pause","nodes":["n2"]}}
{"number":0,"time_ns":6,"stage":"applied"}
"#;
        std::fs::write(&path, first).expect("it can be written");
        let left = Journal::left_behind(&path).expect("it can be read");
        assert_eq!(left.faults, BTreeMap::from([(0, Fault::Pause { nodes: vec![NodeId(1)] })]));
        assert_eq!((left.place, left.time_ns), (JournalPlace::default(), 6));
    }

    #[test]
    fn a_damaged_journal_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("faults.jsonl");
        let problem = |content: String| {
            std::fs::write(&path, content).expect("it can be written");
            Journal::left_behind(&path).map_err(|error| error.to_string())
        };
        let header = format!("{BEGINNING}2,\"lab\":null,\"daemons\":[]}}");
        let damaged = problem(format!("{header}\nrubbish\n{{}}\n")).expect_err("damaged");
        assert!(damaged.contains("line 2: expected a fault"), "{damaged}");
        let foreign = problem("rubbish\n{}\n".to_owned()).expect_err("no journal");
        assert!(foreign.contains("line 1: expected {\"journal\":"), "{foreign}");
        let newer = problem(header.replace('2', "3") + "\n").expect_err("another format");
        assert!(newer.contains("from 1 to 2, found") && newer.contains("\"format\":3"), "{newer}");
        for length in 0..header.len() {
            let cut = problem(header[..length].to_owned());
            assert_eq!(cut, Ok(LeftBehind::default()), "cut after {length}");
        }
    }
}
