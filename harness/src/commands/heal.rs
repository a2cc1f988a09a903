//! `perjury heal`: takes back what killed runs left on real machines.

use std::path::PathBuf;

use clap::Args;

use super::{complain, print};
use crate::error::Error;
use crate::exit_code;
use crate::heal::{Broken, broken, broken_runs};
use crate::progress::say;
use crate::run_folder::RunFolder;

/// Undo every fault that killed runs left on real machines
///
/// A run takes back its faults itself, also after Ctrl-C. This is for runs that were killed, and for
/// what a run could not undo. Healing twice is harmless.
#[derive(Debug, Args)]
pub(super) struct Heal {
    /// Run folders [default: all under `runs`]
    run: Vec<PathBuf>,
    /// Folder for runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
}

impl Heal {
    pub(super) fn execute(self) -> Result<u8, Error> {
        let mut code = exit_code::EXPECTED;
        let found = self.find()?;
        if found.is_empty() {
            say("nothing is left to undo");
        }
        // One lab that cannot be reached does not keep the others broken.
        for broken in found {
            if let Err(error) = heal(&broken) {
                complain(&error);
                code = exit_code::merge(code, error.exit_code());
            }
        }
        Ok(code)
    }

    fn find(&self) -> Result<Vec<Broken>, Error> {
        if self.run.is_empty() {
            return broken_runs(&self.runs);
        }
        let mut found = Vec::new();
        for run in &self.run {
            let folder = RunFolder::open(run)?;
            found.extend(broken(&folder.faults())?);
        }
        Ok(found)
    }
}

fn heal(broken: &Broken) -> Result<(), Error> {
    let report = broken.heal()?;
    let journal = broken.journal.display();
    for (_, fault) in &report.undone {
        print(&format!("{journal}: undone: {fault}\n"))?;
    }
    let failed: Vec<String> = report
        .failed
        .iter()
        .map(|(_, fault, problem)| format!("`{fault}` could not be undone: {problem}"))
        .collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Error::failure(format!("{journal}: {}", failed.join("; ")))
            .hint("`perjury heal` may be tried again; `perjury lab down` takes a lab away")),
    }
}
