//! `perjury replay`: does a simulated run again and compares.

use std::path::{Path, PathBuf};

use clap::Args;
use perjury_history::{arrow, show};
use sha2::{Digest, Sha256};

use super::print;
use crate::campaign::TestPlan;
use crate::controller;
use crate::error::Error;
use crate::exit_code;
use crate::interrupt::Interrupt;
use crate::run_folder::RunFolder;

/// Do a simulated run again: same seed, byte-identical history
///
/// Exits 0 if the two histories are identical, 3 with the first difference if they are not.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// Run folder
    run: PathBuf,
    /// Folder for the new run [default: beside the old one]
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
        let plan = TestPlan::new(&test.test, test.seed)?;
        // runs/<test>/<time>
        let beside = || real.ancestors().nth(2).unwrap_or(Path::new("runs")).to_owned();
        let runs = self.runs.unwrap_or_else(beside);
        let again = controller::run(&plan, &runs, &Interrupt::from_signals())?;
        let (old, new) = (folder.history(), again.folder.history());
        let (old_sum, new_sum) = (sha256(&old)?, sha256(&new)?);
        print(&format!("{old_sum}  {}\n{new_sum}  {}\n", old.display(), new.display()))?;
        if old_sum == new_sum {
            print("identical\n")?;
            return Ok(exit_code::EXPECTED);
        }
        let mut message = format!("the histories differ: {}", first_difference(&old, &new)?);
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

fn first_difference(old: &Path, new: &Path) -> Result<String, Error> {
    let (mut old, mut new) = (arrow::entries(old)?, arrow::entries(new)?);
    for index in 0_u64.. {
        let (old, new) = (old.next().transpose()?, new.next().transpose()?);
        if old == new && old.is_none() {
            break;
        }
        if old != new {
            let shown = |entry: Option<perjury_history::Entry>| {
                entry.map_or("the end".to_owned(), |it| show::line(&it).to_string())
            };
            return Ok(format!("entry {index} was\n  {}\nand is\n  {}", shown(old), shown(new)));
        }
    }
    Ok("the entries are the same, the files' bytes are not".to_owned())
}
