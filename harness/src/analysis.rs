//! From a saved history to results and a report.

use std::time::{Duration, Instant};

use perjury_checkers::{Analysis, Context};
use perjury_history::History;
use perjury_reports::{RunFacts, RunReport, run_page, summary_sentence};
use serde::{Deserialize, Serialize};

use crate::campaign::{Expectations, TestPlan};
use crate::error::Error;
use crate::exit_code;
use crate::expectation::{self, Outcome};
use crate::run_folder::{FORMAT, RunFolder, TestFile};

/// How long the checkers of one run may take, by the wall clock.
pub const ANALYSIS_LIMIT: Duration = Duration::from_secs(300);

/// What `results.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// Version of the file's format.
    pub format: u32,
    /// The verdict as a sentence.
    pub sentence: String,
    /// Against what was expected.
    pub outcome: Outcome,
    /// What the checkers say.
    pub analysis: Analysis,
    /// What went wrong with the lab, the store or the recording.
    pub problems: Vec<String>,
    /// Whether the user ended the run before its time was up.
    pub interrupted: bool,
}

impl Results {
    /// Notes failures of the harness or the lab: they decide the exit code unless a violation does.
    pub fn add_problems(&mut self, problems: Vec<String>) {
        if !problems.is_empty() {
            self.outcome.exit_code = exit_code::merge(self.outcome.exit_code, exit_code::FAILURE);
        }
        self.problems.extend(problems);
    }

    /// What a reader of the report must know besides the verdict.
    fn notes(&self) -> Vec<String> {
        let interrupted = "the run was interrupted before its time was up".to_owned();
        self.problems.iter().cloned().chain(self.interrupted.then_some(interrupted)).collect()
    }
}

/// Judges a history.
pub fn analyse(history: &History, plan: &TestPlan, expect: &Expectations) -> Results {
    let deadline = Instant::now() + ANALYSIS_LIMIT;
    let context = Context { out_of_time: &|| Instant::now() >= deadline, ..Context::default() };
    let analysis = Analysis::of(history, &plan.workload.checkers(), &context);
    let outcome = expectation::judge(expect, &analysis);
    let sentence = summary_sentence(&analysis);
    Results {
        format: FORMAT,
        sentence,
        outcome,
        analysis,
        problems: Vec::new(),
        interrupted: false,
    }
}

/// Writes `results.json`, then `report.html`.
///
/// # Errors
/// If one of them cannot be written; the results are written first.
pub fn save(
    folder: &RunFolder,
    test: &TestFile,
    plan: &TestPlan,
    history: &History,
    results: &Results,
    wall_ms: Option<u64>,
) -> Result<(), Error> {
    folder.write_json(&folder.results(), results)?;
    let facts = facts(folder, test, plan, results, wall_ms);
    let title = format!("{} (seed {})", test.test.name, test.seed);
    let report = RunReport { title: &title, history, analysis: &results.analysis, facts: &facts };
    let page = run_page(&report).map_err(|error| Error::failure(format!("the report: {error}")))?;
    folder.write(&folder.report(), page.as_bytes())
}

fn facts(
    folder: &RunFolder,
    test: &TestFile,
    plan: &TestPlan,
    results: &Results,
    wall_ms: Option<u64>,
) -> RunFacts {
    let settings = toml::to_string_pretty(&test.test).unwrap_or_else(|error| error.to_string());
    RunFacts {
        test: test.test.name.clone(),
        store: format!("{}: {}", plan.store.name(), plan.store.describe()),
        workload: plan.workload.name().to_owned(),
        lab: "simulated".to_owned(),
        nodes: test.test.nodes,
        concurrency: test.test.concurrency,
        seed: test.seed,
        started_utc: test.started_utc.clone(),
        wall_ms,
        perjury_version: test.perjury_version.clone(),
        reproduce: vec![format!("perjury replay {}", folder.path().display())],
        settings,
        expectations: results.outcome.expectations.clone(),
        notes: results.notes(),
    }
}
