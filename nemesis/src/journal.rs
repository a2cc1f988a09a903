//! `faults.jsonl`: what is broken, written down before it is broken.
//!
//! One JSON object per line. A fault's first line (`applying`) holds all that is needed to undo it
//! and is on the disk before the fault acts, so a controller that is killed leaves behind what to
//! heal: every fault without an `undone` line. The other lines are not waited for: at worst a fault
//! is undone once more, which is harmless.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Fault;

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
    /// Begins a new journal.
    ///
    /// # Errors
    /// If the file exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        let file = file.map_err(|error| JournalError::new(path, &error))?;
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

    /// The faults of a journal that were not undone, by number. A last line that was cut short is
    /// about a fault that never acted, or tells of an undo that may be repeated.
    ///
    /// # Errors
    /// If the file cannot be read or is not a journal.
    pub fn left_behind(path: &Path) -> Result<BTreeMap<u32, Fault>, JournalError> {
        let file = File::open(path).map_err(|error| JournalError::new(path, &error))?;
        let mut left = BTreeMap::new();
        let mut lines = BufReader::new(file).lines().enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            let line = line.map_err(|error| JournalError::new(path, &error))?;
            match serde_json::from_str::<JournalEntry>(&line) {
                Ok(JournalEntry { number, stage: JournalStage::Applying { fault }, .. }) => {
                    left.insert(number, fault);
                }
                Ok(JournalEntry { number, stage: JournalStage::Undone, .. }) => {
                    left.remove(&number);
                }
                Ok(JournalEntry { stage: JournalStage::Applied, .. }) => {}
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

    #[test]
    fn what_was_not_undone_is_left_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("faults.jsonl");
        let mut journal = Journal::create(&path).expect("a new file");
        let fault = |node| Fault::Kill { nodes: vec![NodeId(node)] };
        for number in 0..3 {
            let stage = JournalStage::Applying { fault: fault(number) };
            journal.append(&entry(number, stage)).expect("it can be written");
        }
        journal.append(&entry(0, JournalStage::Applied)).expect("it can be written");
        journal.append(&entry(0, JournalStage::Undone)).expect("it can be written");
        write!(journal.file, "{{\"number\":3,\"ti").expect("it can be written");
        let left = Journal::left_behind(&path).expect("it can be read");
        assert_eq!(left, BTreeMap::from([(1, fault(1)), (2, fault(2))]));
        assert!(Journal::create(&path).is_err(), "a journal is never overwritten");
    }

    #[test]
    fn a_damaged_journal_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("faults.jsonl");
        std::fs::write(&path, "rubbish\n{}\n").expect("it can be written");
        let problem = Journal::left_behind(&path).expect_err("damaged").to_string();
        assert!(problem.contains("line 1: expected a fault"), "{problem}");
    }
}
