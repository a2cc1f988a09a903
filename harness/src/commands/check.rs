//! `perjury check`: judges saved histories again.

use std::path::{Path, PathBuf};

use clap::Args;
use perjury_checkers::{AnomalyKind, Model};
use perjury_history::{History, arrow};
use perjury_workloads::{no_options, workload};
use serde::Serialize;

use super::colors::Colors;
use super::{complain, print_verdict, table};
use crate::analysis::{Circumstances, Results, analyse, save};
use crate::campaign::{Expectations, TestPlan, Violation};
use crate::error::Error;
use crate::exit_code;
use crate::expectation;
use crate::panics::caught;
use crate::progress::say;
use crate::run_folder::{RunFolder, read_json};

/// Judge saved histories again: run folders, or `history.arrow` files of anybody
///
/// A run folder is judged against its test's expectations, and its results and report are written
/// anew. Of a bare history no violation is expected. With `--model` only these models count, and
/// nothing is written.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Run folders or history files
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Workload whose checkers judge bare histories
    #[arg(long, value_name = "WORKLOAD", default_value = "register")]
    workload: String,
    /// Judge only this model (may be repeated; see `perjury list models`)
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<Model>,
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
    unmet: Vec<String>,
    sentence: String,
    operations: usize,
}

impl Check {
    pub(super) fn execute(self) -> Result<u8, Error> {
        let mut code = exit_code::EXPECTED;
        let mut checked = Vec::new();
        for path in &self.paths {
            match caught("checking", || self.check(path)).flatten() {
                Ok(one) => {
                    code = exit_code::merge(code, one.exit_code);
                    checked.push(one);
                }
                // One bad file does not keep the others from being judged.
                Err(error) => {
                    complain(&error);
                    code = exit_code::merge(code, error.exit_code());
                }
            }
        }
        let text = match self.json {
            true => serde_json::to_string_pretty(&checked).map_err(Error::failure)? + "\n",
            false if checked.is_empty() => String::new(),
            false => text(&checked),
        };
        Ok(print_verdict(&text, code))
    }

    fn check(&self, path: &Path) -> Result<Checked, Error> {
        let (history, results) = if is_run(path) { self.again(path)? } else { self.bare(path)? };
        Ok(Checked {
            path: path.to_owned(),
            exit_code: results.outcome.exit_code,
            verdict: results.analysis.judgement().name().to_owned(),
            violations: expectation::kinds(&results.analysis)
                .into_iter()
                .map(AnomalyKind::name)
                .collect(),
            unmet: results.unmet(),
            sentence: results.sentence,
            operations: history.len(),
        })
    }

    fn bare(&self, path: &Path) -> Result<(History, Results), Error> {
        let recording = arrow::read(path)?;
        warn_if_cut(path, &recording);
        let workload = workload(&self.workload, no_options()).map_err(Error::usage)?;
        let (expect, circumstances) = (self.wanted().unwrap_or_default(), Circumstances::default());
        let results = analyse(&recording.history, workload.as_ref(), &expect, circumstances)?;
        Ok((recording.history, results))
    }

    /// What `--model` asks for, if anything.
    fn wanted(&self) -> Option<Expectations> {
        let models = self.models.clone();
        let others = Model::ALL.into_iter().filter(|model| !models.contains(model));
        let known = others.map(Violation::of).collect();
        (!models.is_empty()).then_some(Expectations { models, known, ..Expectations::default() })
    }

    /// Judges a run again and writes its results and report anew. What only the run itself could know
    /// is kept.
    fn again(&self, path: &Path) -> Result<(History, Results), Error> {
        let folder = RunFolder::open(path)?;
        let test = folder.read_test()?;
        let plan = TestPlan::new(&test.test, test.seed)?;
        let workload = plan.workload.as_ref();
        let recording = arrow::read(folder.history())?;
        warn_if_cut(&folder.history(), &recording);
        // Of a killed run, or where they are damaged, there are none.
        let before: Option<Results> = read_json(&folder.results()).ok();
        let mut circumstances = before.map(|it| it.circumstances).unwrap_or_default();
        circumstances.interrupted |= !recording.complete;
        if let Some(expect) = self.wanted() {
            let results = analyse(&recording.history, workload, &expect, circumstances)?;
            return Ok((recording.history, results));
        }
        let mut results = analyse(&recording.history, workload, &test.test.expect, circumstances)?;
        results.add_failures(save(&folder, &test, &plan, &recording.history, &results));
        Ok((recording.history, results))
    }
}

/// A folder must be a run, and so must a file of a run. Any other file is a bare history, wherever
/// it lies.
fn is_run(path: &Path) -> bool {
    let other_history = path.extension().is_some_and(|it| it == "arrow")
        && path.file_name().is_some_and(|name| name != "history.arrow");
    path.is_dir() || !other_history && path.with_file_name("test.json").is_file()
}

fn warn_if_cut(path: &Path, recording: &arrow::Recording) {
    if !recording.complete {
        say(&format!(
            "warning: {} ends before its time (the run was killed, or the file was cut): judging \
             the {} operations that it holds",
            path.display(),
            recording.history.len()
        ));
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
        for unmet in &one.unmet {
            sentences += &format!("    unexpected: {unmet}\n");
        }
        rows.push(vec![path, one.operations.to_string(), one.verdict.clone(), violations]);
    }
    format!("{}\n{sentences}", table::render(&rows, Colors::of_stdout()))
}
