//! Defects of stores and checkers cost what they are about, and no verdict.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use perjury::campaign::{FIRST_LOOK, Overrides, TestPlan, load};
use perjury::controller::{self, Run};
use perjury::exit_code;
use perjury::interrupt::Interrupt;
use perjury_checkers::{Checker, Context, Model, Verdict};
use perjury_history::{History, MicroOp, NodeId, arrow};
use perjury_lab::Lab;
use perjury_stores::{Answer, Capabilities, Client, Session, Store, StoreError};
use perjury_workloads::{Generator, RunPlan, Workload};

/// A short run in which two of the first look's violations are found.
fn plan() -> TestPlan {
    let settings = vec![("time-limit".to_owned(), "8s".into())];
    let overrides = Overrides { settings, tests: vec!["any-follower".to_owned()] };
    let campaign = load("first-look.toml", FIRST_LOOK, &overrides).expect("a good campaign");
    campaign.plans.into_iter().next().expect("it has one test")
}

fn run(plan: &TestPlan, runs: &Path) -> Run {
    controller::run(plan, runs, &Interrupt::default()).expect("something was recorded")
}

/// What a client does once it has worked for a while.
#[derive(Clone, Copy)]
enum Defect {
    Panics,
    NeverAnswers,
}

struct Defective {
    store: Arc<dyn Store>,
    defect: Defect,
    sound_connections: AtomicU32,
}

impl Defective {
    fn plan(defect: Defect) -> TestPlan {
        let mut plan = plan();
        let sound_connections = AtomicU32::new(18);
        plan.store = Arc::new(Self { store: plan.store, defect, sound_connections });
        plan
    }
}

#[async_trait]
impl Store for Defective {
    fn name(&self) -> &'static str {
        "defective"
    }

    fn describe(&self) -> String {
        self.store.describe()
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn install(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        self.store.install(lab, node).await
    }

    async fn start(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        self.store.start(lab, node).await
    }

    async fn trouble(&self, lab: &Lab) -> Result<Option<String>, StoreError> {
        self.store.trouble(lab).await
    }

    async fn primaries(&self, lab: &Lab) -> Vec<NodeId> {
        self.store.primaries(lab).await
    }

    async fn promote(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        self.store.promote(lab, node).await
    }

    async fn connect(&self, lab: &Lab, node: NodeId, session: Session) -> Box<dyn Client> {
        let left = self.sound_connections.load(Ordering::Relaxed);
        self.sound_connections.store(left.saturating_sub(1), Ordering::Relaxed);
        match left {
            0 => Box::new(DefectiveClient(self.defect)),
            _ => self.store.connect(lab, node, session).await,
        }
    }
}

struct DefectiveClient(Defect);

#[async_trait]
impl Client for DefectiveClient {
    async fn invoke(&mut self, _: &[MicroOp]) -> Answer {
        match self.0 {
            Defect::Panics => panic!("the client lost its mind"),
            Defect::NeverAnswers => futures::future::pending().await,
        }
    }
}

#[test]
fn what_was_recorded_before_a_store_panicked_is_saved_and_judged() {
    let runs = tempfile::tempdir().expect("a temporary folder");
    let run = run(&Defective::plan(Defect::Panics), runs.path());
    let failures: Vec<_> = run.results.failures().collect();
    assert!(failures[0].contains("the client lost its mind"), "{failures:?}");
    assert_eq!(run.results.outcome.exit_code, exit_code::FAILURE);
    let saved = arrow::read(run.folder.history()).expect("a history");
    assert!(saved.complete && saved.history.len() == run.operations && run.operations > 0);
    assert!(run.folder.results().is_file() && run.folder.report().is_file());
}

#[test]
fn a_client_that_never_answers_does_not_hold_up_the_run() {
    let runs = tempfile::tempdir().expect("a temporary folder");
    let mut plan = Defective::plan(Defect::NeverAnswers);
    plan.settings.expect.violations.clear();
    let run = run(&plan, runs.path());
    assert_eq!(run.results.outcome.exit_code, exit_code::VIOLATION);
    let history = arrow::read(run.folder.history()).expect("a history").history;
    let overdue = |error: &str| error == "the client did not keep its time-out";
    assert!(history.iter().any(|operation| operation.error.is_some_and(overdue)));
}

/// A workload with one checker too many.
struct Judged {
    workload: Arc<dyn Workload>,
}

impl Workload for Judged {
    fn name(&self) -> &'static str {
        self.workload.name()
    }

    fn describe(&self) -> &'static str {
        self.workload.describe()
    }

    fn needs(&self) -> BTreeSet<&'static str> {
        self.workload.needs()
    }

    fn generator(&self, run: &RunPlan) -> Box<dyn Generator> {
        self.workload.generator(run)
    }

    fn final_generator(&self, run: &RunPlan, history: &History) -> Box<dyn Generator> {
        self.workload.final_generator(run, history)
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        let mut checkers = self.workload.checkers();
        checkers.insert(0, Box::new(PanickingChecker));
        checkers
    }
}

struct PanickingChecker;

impl Checker for PanickingChecker {
    fn name(&self) -> &'static str {
        "panicking"
    }

    fn models(&self) -> &'static [Model] {
        &[Model::Durable]
    }

    fn check(&self, _: &History, _: &Context<'_>) -> Verdict {
        panic!("an index out of bounds")
    }
}

#[test]
fn a_checker_that_panics_does_not_cost_the_verdict_of_the_others() {
    let runs = tempfile::tempdir().expect("a temporary folder");
    let mut plan = plan();
    plan.workload = Arc::new(Judged { workload: plan.workload });
    let as_expected = run(&plan, runs.path());
    assert_eq!(as_expected.results.outcome.exit_code, exit_code::FAILURE);
    let failures: Vec<_> = as_expected.results.failures().collect();
    assert!(failures[0].contains("the checker `panicking` panicked: an index"), "{failures:?}");

    plan.settings.expect.violations.clear();
    let violated = run(&plan, runs.path());
    assert_eq!(violated.results.outcome.exit_code, exit_code::VIOLATION);
    assert!(violated.folder.report().is_file());
}
