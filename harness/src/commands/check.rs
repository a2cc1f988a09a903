//! `perjury check`: judges saved histories again.

use std::path::{Path, PathBuf};

use clap::Args;
use perjury_history::{History, arrow};
use serde::Serialize;

use super::{print, table};
use crate::analysis::{Results, analyse, save};
use crate::campaign::{Expectations, Named, TestPlan, TestSettings};
use crate::error::Error;
use crate::exit_code;
use crate::expectation;
use crate::run_folder::RunFolder;

/// Judge saved histories again: run folders, or `history.arrow` files of anybody
///
/// A run folder is judged against its test's expectations, and its results and report are written
/// anew. Of a bare history no violation is expected.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Run folders or history files
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Workload whose checkers judge bare histories
    #[arg(long, value_name = "WORKLOAD", default_value = "register")]
    workload: String,
    /// Print a summary for machines to standard output
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Checked {
    path: PathBuf,
    exit_code: u8,
    verdict: String,
    violations: Vec<&'static str>,
    sentence: String,
    operations: usize,
}

impl Check {
    pub(super) fn execute(self) -> Result<u8, Error> {
        let mut code = exit_code::EXPECTED;
        let mut checked = Vec::new();
        for path in &self.paths {
            match self.check(path) {
                Ok(one) => {
                    code = exit_code::merge(code, one.exit_code);
                    checked.push(one);
                }
                // One bad file does not keep the others from being judged.
                Err(error) => {
                    eprintln!("error: {error}");
                    code = exit_code::merge(code, error.exit_code());
                }
            }
        }
        if self.json {
            let json = serde_json::to_string_pretty(&checked).map_err(Error::failure)?;
            print(&format!("{json}\n"))?;
        } else if !checked.is_empty() {
            print(&text(&checked))?;
        }
        Ok(code)
    }

    fn check(&self, path: &Path) -> Result<Checked, Error> {
        // A bare file has no test beside it; everything else must be a run.
        let is_run = path.is_dir() || path.with_file_name("test.json").is_file();
        let (history, results) = if is_run { again(path)? } else { self.bare(path)? };
        Ok(Checked {
            path: path.to_owned(),
            exit_code: results.outcome.exit_code,
            verdict: results.analysis.judgement().name().to_owned(),
            violations: expectation::kinds(&results.analysis)
                .into_iter()
                .map(perjury_checkers::AnomalyKind::name)
                .collect(),
            sentence: results.sentence,
            operations: history.len(),
        })
    }

    fn bare(&self, path: &Path) -> Result<(History, Results), Error> {
        let recording = arrow::read(path)?;
        warn_if_cut(path, &recording);
        let mut settings: TestSettings =
            toml::from_str("name = \"check\"\nstore = \"replica\"").map_err(Error::failure)?;
        settings.workload = Named::plain(&self.workload);
        let plan = TestPlan::new(&settings, 0)?;
        let results = analyse(&recording.history, &plan, &Expectations::default());
        Ok((recording.history, results))
    }
}

/// Judges a run again and writes its results and report anew.
fn again(path: &Path) -> Result<(History, Results), Error> {
    let folder = RunFolder::open(path)?;
    let test = folder.read_test()?;
    let plan = TestPlan::new(&test.test, test.seed)?;
    let recording = arrow::read(folder.history())?;
    warn_if_cut(&folder.history(), &recording);
    let mut results = analyse(&recording.history, &plan, &test.test.expect);
    results.interrupted = !recording.complete;
    save(&folder, &test, &plan, &recording.history, &results, None)?;
    Ok((recording.history, results))
}

fn warn_if_cut(path: &Path, recording: &arrow::Recording) {
    if !recording.complete {
        eprintln!(
            "warning: {} ends before its time (the run was killed, or the file was cut): judging \
             the {} operations that it holds",
            path.display(),
            recording.history.len()
        );
    }
}

fn text(checked: &[Checked]) -> String {
    let header = ["history", "operations", "verdict", "violations"].map(str::to_owned).to_vec();
    let mut rows = vec![header];
    let mut sentences = String::new();
    for one in checked {
        let violations = match one.violations.as_slice() {
            [] => "none".to_owned(),
            violations => violations.join(", "),
        };
        let path = one.path.display().to_string();
        sentences += &format!("{path}: {}\n", one.sentence);
        rows.push(vec![path, one.operations.to_string(), one.verdict.clone(), violations]);
    }
    format!("{}\n{sentences}", table::render(&rows))
}
