//! From a saved history to results and a report.

use std::sync::{Arc, Mutex, PoisonError};

use perjury_checkers::{Analysis, Checker, Context, Judgement, Model, Verdict};
use perjury_history::History;
use perjury_reports::{LogFacts, RunFacts, RunReport, SuspiciousFacts, run_page, summary_sentence};
use serde::{Deserialize, Serialize};

use crate::bounds::Bounds;
use crate::campaign::{Expectations, TestPlan};
use crate::error::Error;
use crate::exit_code;
use crate::expectation::{self, Outcome};
use crate::logs::{MERGED_LOG, NodeLog};
use crate::panics::caught;
use crate::run_folder::{FORMAT, RunFolder, TestFile};

/// What must be known of a run besides its history. It is found out once, when the run is made;
/// who judges the history again carries it on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Circumstances {
    /// What went wrong with the lab, the store or the recording.
    pub problems: Vec<String>,
    /// Whether the user ended the run before its time was up.
    pub interrupted: bool,
    /// How long the run took by the wall clock, in milliseconds, where it is known.
    #[serde(default)]
    pub wall_ms: Option<u64>,
    /// What the nodes themselves wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<NodeLog>,
}

impl Circumstances {
    /// What the course of the run alone would make of its exit code: one that was broken off
    /// vouches for nothing.
    fn exit_code(&self) -> u8 {
        match (self.problems.is_empty(), self.interrupted) {
            (false, _) => exit_code::FAILURE,
            (true, true) => exit_code::INCONCLUSIVE,
            (true, false) => exit_code::EXPECTED,
        }
    }

    /// Whether the run took its whole course, so that what was not found in it counts as absent.
    fn whole_course(&self) -> bool {
        self.problems.is_empty() && !self.interrupted
    }
}

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
    /// How the run went.
    #[serde(flatten)]
    pub circumstances: Circumstances,
    /// What went wrong while judging it, and while saving the judgement.
    #[serde(default)]
    analysis_failures: Vec<String>,
}

impl Results {
    /// Notes failures of the harness or the lab: they decide the exit code unless a violation does.
    pub fn add_failures(&mut self, failures: Vec<String>) {
        if !failures.is_empty() {
            self.outcome.exit_code = exit_code::merge(self.outcome.exit_code, exit_code::FAILURE);
        }
        self.analysis_failures.extend(failures);
    }

    /// Everything that failed in the harness, the lab or the store.
    pub fn failures(&self) -> impl Iterator<Item = &String> {
        self.circumstances.problems.iter().chain(&self.analysis_failures)
    }

    /// What did not come as expected, and everything that failed.
    pub fn unmet(&self) -> Vec<String> {
        let unmet = self.outcome.expectations.iter().filter(|expectation| !expectation.met);
        let unmet = unmet.map(|it| format!("{}: {}", it.text, it.detail));
        unmet.chain(self.notes()).collect()
    }

    /// What a reader of the report must know besides the verdict.
    pub fn notes(&self) -> Vec<String> {
        let interrupted = "the run was interrupted before its time was up".to_owned();
        let interrupted = self.circumstances.interrupted.then_some(interrupted);
        self.failures().cloned().chain(interrupted).collect()
    }
}

/// Judges a history.
///
/// # Errors
/// If the analysis itself panics; a checker that does costs only its own verdict.
pub fn analyse(
    history: &History,
    checkers: Vec<Box<dyn Checker>>,
    expect: &Expectations,
    circumstances: Circumstances,
    bounds: Bounds,
) -> Result<Results, Error> {
    let panics = Arc::new(Mutex::new(Vec::new()));
    let guarded = |checker| Box::new(Guarded { checker, panics: panics.clone() }) as _;
    let checkers: Vec<Box<dyn Checker>> = checkers.into_iter().map(guarded).collect();
    let analysis = caught("the analysis", || {
        bounds.within(|context| Analysis::of(history, &checkers, context))
    })?;
    let outcome = expectation::judge(expect, &analysis, circumstances.whole_course());
    let exit_code = exit_code::merge(outcome.exit_code, circumstances.exit_code());
    let mut results = Results {
        format: FORMAT,
        sentence: summary_sentence(&analysis),
        outcome: Outcome { exit_code, ..outcome },
        analysis,
        circumstances,
        analysis_failures: Vec::new(),
    };
    let panics = std::mem::take(&mut *panics.lock().unwrap_or_else(PoisonError::into_inner));
    results.add_failures(panics);
    Ok(results)
}

/// A checker whose panic costs its own verdict and not the others'.
struct Guarded {
    checker: Box<dyn Checker>,
    /// Said so far, by all checkers.
    panics: Arc<Mutex<Vec<String>>>,
}

impl Checker for Guarded {
    fn name(&self) -> &'static str {
        self.checker.name()
    }

    fn models(&self) -> &'static [Model] {
        self.checker.models()
    }

    fn check(&self, history: &History, context: &Context<'_>) -> Verdict {
        let what = format!("the checker `{}`", self.name());
        caught(&what, || self.checker.check(history, context)).unwrap_or_else(|error| {
            self.panics.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
            let unknown = Judgement::Unknown(error.message);
            let models = self.models().iter().map(|&model| (model, unknown.clone())).collect();
            Verdict { models, ..Verdict::default() }
        })
    }
}

/// Writes `results.json`, then `report.html`. Returns what went wrong: a verdict that cannot be
/// written down is still one.
pub fn save(
    folder: &RunFolder,
    test: &TestFile,
    plan: &TestPlan,
    history: &History,
    results: &Results,
) -> Vec<String> {
    let saved = [
        folder.write_json(&folder.results(), results),
        save_report(folder, test, plan, history, results),
    ];
    saved.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect()
}

/// Writes `report.html`.
///
/// # Errors
/// If it cannot be rendered or written.
pub fn save_report(
    folder: &RunFolder,
    test: &TestFile,
    plan: &TestPlan,
    history: &History,
    results: &Results,
) -> Result<(), Error> {
    let facts = facts(folder, test, plan, results);
    let title = format!("{} (seed {})", test.test.name, test.seed);
    folder.write(&folder.report(), render(&title, history, results, &facts)?.as_bytes())
}

/// The page of a history and what was found of it.
///
/// # Errors
/// If it cannot be rendered.
pub fn render(
    title: &str,
    history: &History,
    results: &Results,
    facts: &RunFacts,
) -> Result<String, Error> {
    let report = RunReport { title, history, analysis: &results.analysis, facts };
    let page = caught("the report", || run_page(&report))?;
    page.map_err(|error| Error::failure(format!("the report: {error}")))
}

fn facts(folder: &RunFolder, test: &TestFile, plan: &TestPlan, results: &Results) -> RunFacts {
    let settings = test.test.campaign_text();
    RunFacts {
        test: test.test.name.clone(),
        store: format!("{}: {}", plan.store.name(), plan.store.describe()),
        workload: plan.workload.name().to_owned(),
        lab: test.test.lab.name().to_owned(),
        nodes: test.test.nodes,
        concurrency: test.test.concurrency,
        seed: Some(test.seed),
        started_utc: test.started_utc.clone(),
        wall_ms: results.circumstances.wall_ms,
        perjury_version: test.perjury_version.clone(),
        reproduce: reproduce(folder, test),
        settings,
        expectations: results.outcome.expectations.clone(),
        notes: results.notes(),
        logs: results.circumstances.logs.iter().map(log_facts).collect(),
        merged_log: match results.circumstances.logs.is_empty() {
            true => String::new(),
            false => MERGED_LOG.to_owned(),
        },
        ..RunFacts::default()
    }
}

/// Commands that do the run again. Whoever has the page but not the folder saves the settings in it
/// as a campaign file; real machines do nothing twice in the same way.
fn reproduce(folder: &RunFolder, test: &TestFile) -> Vec<String> {
    let replay = format!("perjury replay {}", folder.path().display());
    let run = format!("perjury run {}.toml --seed {}", test.test.name, test.seed);
    if test.test.lab.is_simulated() { vec![replay, run] } else { vec![run] }
}

fn log_facts(log: &NodeLog) -> LogFacts {
    let suspicious = log.suspicious.iter().map(|found| SuspiciousFacts {
        line: found.line,
        time: found.time_ns.map_or_else(String::new, |ns| format!("{:.3} s", ns as f64 / 1e9)),
        what: found.what.clone(),
        text: found.text.clone(),
    });
    LogFacts {
        node: log.node.to_string(),
        name: log.name.clone(),
        href: log.path.clone(),
        lines: log.lines,
        suspicions: log.suspicions,
        suspicious: suspicious.collect(),
    }
}
