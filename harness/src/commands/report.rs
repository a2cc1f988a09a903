//! `perjury report`: renders a run's report again.

use std::path::PathBuf;

use clap::Args;
use perjury_history::arrow;

use super::print;
use crate::analysis::{Results, save_report};
use crate::campaign::TestPlan;
use crate::error::Error;
use crate::exit_code;
use crate::run_folder::{RunFolder, read_json};

/// Render a run's report again, from its saved results
#[derive(Debug, Args)]
pub(super) struct Report {
    /// Run folder
    run: PathBuf,
}

impl Report {
    pub(super) fn execute(self) -> Result<u8, Error> {
        let folder = RunFolder::open(&self.run)?;
        let test = folder.read_test()?;
        let results: Results = read_json(&folder.results())
            .map_err(|error| error.hint("`perjury check RUN` judges the history again"))?;
        let plan = TestPlan::new(&test.test, test.seed)?;
        let recording = arrow::read(folder.history())?;
        save_report(&folder, &test, &plan, &recording.history, &results)?;
        print(&format!("{}\n", folder.report().display()))?;
        Ok(exit_code::EXPECTED)
    }
}
