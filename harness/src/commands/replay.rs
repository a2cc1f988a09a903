//! `perjury replay`: does a simulated run again and compares.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use perjury_history::{Entry, arrow, show};
use sha2::{Digest, Sha256};

use super::print;
use crate::analysis::Results;
use crate::campaign::TestPlan;
use crate::controller;
use crate::error::Error;
use crate::exit_code;
use crate::interrupt::Interrupt;
use crate::run_folder::{RunFolder, read_json};

/// Do a simulated run again: same seed, byte-identical history
///
/// Exits 0 if the two histories are identical (as far as the old one goes, if the run was killed), 3
/// with the first difference if they are not.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// Run folder
    run: PathBuf,
    /// Folder for the new run [default: beside the old one, or `runs`]
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
}

impl Replay {
    pub(super) fn execute(self) -> Result<u8, Error> {
        let named = RunFolder::open(&self.run)?;
        // A link like `runs/latest` leads to the new run once there is one.
        let real = named.path().canonicalize().unwrap_or_else(|_| named.path().to_owned());
        let folder = RunFolder::open(&real)?;
        let test = folder.read_test()?;
        if !test.test.lab.is_simulated() {
            return Err(Error::usage(format!(
                "expected a run of the simulated lab, found one of the lab `{}`: real machines do \
                 nothing twice in the same way",
                test.test.lab.name()
            ))
            .hint("`perjury run` with the settings of its report runs the test again"));
        }
        let plan = TestPlan::new(&test.test, test.seed)?;
        let runs = self.runs.unwrap_or_else(|| runs_beside(&folder, &test.test.name));
        let before: Option<Results> = read_json(&folder.results()).ok();
        let again = controller::run(&plan, &runs, &Interrupt::from_signals())?;
        let (old, new) = (folder.history(), again.folder.history());
        let (old_sum, new_sum) = (sha256(&old)?, sha256(&new)?);
        print(&format!("{old_sum}  {}\n{new_sum}  {}\n", old.display(), new.display()))?;
        if old_sum == new_sum {
            print("identical\n")?;
            return Ok(exit_code::EXPECTED);
        }
        let difference = first_difference(&old, &new)?;
        if again.results.circumstances.interrupted {
            return Err(Error::failure("the replay was interrupted: nothing can be said"));
        }
        if let Difference::OldWasCut(entries) = difference {
            print(&format!(
                "identical as far as it goes: the run broke off after {entries} entries\n"
            ))?;
            return Ok(exit_code::EXPECTED);
        }
        if before.is_some_and(|it| it.circumstances.interrupted) {
            return Err(Error::failure(format!(
                "the run was interrupted by hand, which no replay does at the same moment: \
                 {difference}"
            ))
            .hint("`perjury check RUN` judges what was recorded"));
        }
        let mut message = format!("the histories differ: {difference}");
        let version = env!("CARGO_PKG_VERSION");
        if test.perjury_version != version {
            message += &format!(
                "; the run was made by perjury {}, this is {version}",
                test.perjury_version
            );
        }
        Err(Error::failure(message)
            .hint("the same seed gives the same history with the same binary only"))
    }
}

fn sha256(path: &Path) -> Result<String, Error> {
    let content = std::fs::read(path)
        .map_err(|error| Error::failure(format!("failed to read {}: {error}", path.display())))?;
    let digest = Sha256::digest(&content);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The folder of all runs that a run is in, if it still is where it was made.
fn runs_beside(folder: &RunFolder, test: &str) -> PathBuf {
    // A link like `runs/latest` leads there.
    let real = folder.path().canonicalize().unwrap_or_else(|_| folder.path().to_owned());
    let of_test = real.parent().filter(|it| it.file_name().is_some_and(|name| name == test));
    of_test.and_then(Path::parent).unwrap_or(Path::new("runs")).to_owned()
}

enum Difference {
    /// At this entry: how the old one is shown, and the new one.
    Entry(usize, String, String),
    /// None in the old one's entries, after which it breaks off as a killed run's does.
    OldWasCut(usize),
    /// None in the entries.
    Bytes,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Entry(index, old, new) => {
                write!(f, "entry {index} was\n  {old}\nand is\n  {new}")
            }
            Difference::OldWasCut(entries) => write!(f, "the old one ends after {entries} entries"),
            Difference::Bytes => f.write_str("the entries are the same, the files' bytes are not"),
        }
    }
}

fn first_difference(old: &Path, new: &Path) -> Result<Difference, Error> {
    let (mut olds, mut news) = (arrow::entries(old)?, arrow::entries(new)?);
    for index in 0.. {
        let (old, new) = (olds.next().transpose()?, news.next().transpose()?);
        match (&old, &new) {
            (None, None) => break,
            (None, Some(_)) if !olds.complete() => return Ok(Difference::OldWasCut(index)),
            _ if old == new => {}
            _ => {
                let shown = |entry: Option<Entry>| {
                    entry.map_or("the end".to_owned(), |it| show::line(&it).to_string())
                };
                return Ok(Difference::Entry(index, shown(old), shown(new)));
            }
        }
    }
    Ok(Difference::Bytes)
}
