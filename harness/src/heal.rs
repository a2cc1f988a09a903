//! Takes back what runs that were killed left on real machines.
//!
//! The journal of such a run names its lab and has every fault that was not undone. A simulated lab
//! dies with its run, so its journals leave nothing.

use std::fs;
use std::path::{Path, PathBuf};

use perjury_nemesis::{Fault, HealReport, Journal, LeftBehind, LinuxInjector, heal_left_behind};
use serde_json::Value;

use crate::campaign::LabSettings;
use crate::error::Error;
use crate::open_lab::{agent, connect};

/// A journal with something to take back.
pub struct Broken {
    /// The run's `faults.jsonl`.
    pub journal: PathBuf,
    /// What it says.
    pub left: LeftBehind,
}

/// The journals of a folder of runs that have something left to take back, in order.
///
/// # Errors
/// If a journal cannot be read.
pub fn broken_runs(runs: &Path) -> Result<Vec<Broken>, Error> {
    let mut found = Vec::new();
    for test in folders(runs) {
        for run in folders(&test) {
            found.extend(broken(&run.join("faults.jsonl"))?);
        }
    }
    Ok(found)
}

/// A journal, if it has something left to take back on machines that outlive their run.
///
/// # Errors
/// If it is there and cannot be read.
pub fn broken(journal: &Path) -> Result<Option<Broken>, Error> {
    if !journal.is_file() {
        return Ok(None);
    }
    let left = Journal::left_behind(journal).map_err(Error::failure)?;
    if left.faults.is_empty() {
        return Ok(None);
    }
    match settings(&left.place.lab)? {
        LabSettings::Simulated(_) => Ok(None),
        _ => Ok(Some(Broken { journal: journal.to_owned(), left })),
    }
}

impl Broken {
    /// The lab that it is about.
    ///
    /// # Errors
    /// If the journal does not say it as this version does.
    pub fn lab(&self) -> Result<LabSettings, Error> {
        settings(&self.left.place.lab)
    }

    /// Takes everything back. Harmless if something of it is over already.
    ///
    /// # Errors
    /// If the lab cannot be reached, another controller uses it, or the journal cannot be written.
    pub fn heal(&self) -> Result<HealReport, Error> {
        let nodes = self.left.faults.values().flat_map(|fault| fault.nodes().to_vec());
        let links = self.left.faults.values().flat_map(Fault::links);
        let links = links.flat_map(|link| [link.from, link.to]);
        let nodes = nodes.chain(links).map(|node| node.0 + 1).max().unwrap_or(1);
        let lab = connect(&self.lab()?, nodes)?;
        let (footprint, agent) = (self.left.place.footprint(), agent()?);
        lab.run(async {
            // A run that is under way takes back its faults itself.
            let locks = lab.lock().await.map_err(Error::failure)?;
            let injector = LinuxInjector::open(lab.clone(), footprint, agent).await;
            let injector = injector.map_err(Error::failure)?;
            let report =
                heal_left_behind(&self.journal, &injector).await.map_err(Error::failure)?;
            // What was on its way to a machine when the run died may have come after its undo.
            let swept = lab.each(|machine| injector.sweep(machine)).await;
            // Whoever took a machine in between has swept it first.
            locks.release().await;
            swept.map_err(Error::failure).map(|_| report)
        })
    }
}

/// A journal without a lab is of one that ended with its run.
fn settings(lab: &Value) -> Result<LabSettings, Error> {
    match lab {
        Value::Null => Ok(LabSettings::default()),
        lab => serde_json::from_value(lab.clone())
            .map_err(|error| Error::failure(format!("a journal's lab: {error}"))),
    }
}

/// The folders in a folder, in order; none if it cannot be read. A link is none: `runs/latest` is
/// a run that is met elsewhere.
fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut folders: Vec<_> = folders.map(|entry| entry.path()).collect();
    folders.sort();
    folders
}
