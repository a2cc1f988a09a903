//! One run, from an empty folder to a verdict. The only place that knows the whole order.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::future::{Either, select};
use jiff::Timestamp;
use perjury_history::{History, NodeId};
use perjury_lab::{Lab, SimulatedLab};
use perjury_nemesis::{Cluster, Injector, Journal, Nemesis, Record, SimulatedInjector};
use perjury_stores::Store;
use tracing::info;

use crate::analysis::{self, Results};
use crate::campaign::{LabSettings, TestPlan};
use crate::error::Error;
use crate::interpreter::Interpreter;
use crate::interrupt::Interrupt;
use crate::recording::Recording;
use crate::run_folder::{FORMAT, RunFolder, TestFile};

/// How long a store has to come up at first, in nanoseconds.
const START_LIMIT_NS: u64 = 60_000_000_000;

/// A finished run.
pub struct Run {
    /// Where everything about it is.
    pub folder: RunFolder,
    /// What came of it.
    pub results: Results,
    /// Operations in its history.
    pub operations: usize,
    /// How long it took by the wall clock, in milliseconds.
    pub wall_ms: u64,
}

/// Runs a test. Everything that is found is in the run's folder when this returns.
///
/// # Errors
/// If the run could not begin, or the harness, the lab or the store failed before there was
/// anything to judge.
pub fn run(plan: &TestPlan, runs: &Path, interrupt: &Interrupt) -> Result<Run, Error> {
    let began = Instant::now();
    let started = Timestamp::now();
    let folder = RunFolder::create(runs, &plan.settings.name, started)?;
    let log = std::fs::File::create(folder.log());
    let log = log.map_err(|error| Error::write(&folder.log(), &error))?;
    let to_log = tracing_subscriber::fmt().with_ansi(false).with_writer(log).finish();
    tracing::subscriber::with_default(to_log, || {
        let test = TestFile {
            format: FORMAT,
            perjury_version: env!("CARGO_PKG_VERSION").to_owned(),
            started_utc: started.to_string(),
            seed: plan.seed,
            test: plan.settings.clone(),
        };
        folder.write_json(&folder.test(), &test)?;
        let (history, problems) = execute(plan, &folder, interrupt)?;
        // From here on nothing can lose the verdict.
        info!(operations = history.len(), "checking");
        let mut results = analysis::analyse(&history, plan, &plan.settings.expect);
        results.interrupted = interrupt.raised();
        results.add_problems(problems);
        let wall_ms = began.elapsed().as_millis() as u64;
        analysis::save(&folder, &test, plan, &history, &results, Some(wall_ms))?;
        folder.link_latest(runs);
        info!(verdict = results.sentence, "done");
        let wall_ms = began.elapsed().as_millis() as u64;
        Ok(Run { folder, results, operations: history.len(), wall_ms })
    })
}

/// Sets up the lab, drives the store through load and faults, and returns the saved history with
/// what went wrong besides.
fn execute(
    plan: &TestPlan,
    folder: &RunFolder,
    interrupt: &Interrupt,
) -> Result<(History, Vec<String>), Error> {
    let LabSettings::Simulated(settings) = &plan.settings.lab;
    let lab = SimulatedLab::new(plan.settings.nodes, settings, plan.seed)
        .map_err(|problem| Error::usage(format!("test `{}`: {problem}", plan.settings.name)))?;
    let run = drive(plan, Lab::Simulated(lab.clone()), &lab, folder, interrupt);
    lab.run(run).map_err(Error::failure)?
}

async fn drive(
    plan: &TestPlan,
    lab: Lab,
    simulated: &SimulatedLab,
    folder: &RunFolder,
    interrupt: &Interrupt,
) -> Result<(History, Vec<String>), Error> {
    let clock = lab.clock();
    let store = plan.store.clone();
    start(store.as_ref(), &lab).await?;

    let recording = Arc::new(Recording::create(&folder.history(), clock.clone())?);
    let settings = &plan.settings;
    let mut interpreter = Interpreter::new(
        &lab,
        store.clone(),
        recording.clone(),
        settings.concurrency,
        settings.operation_timeout.ns,
    );
    let injector = SimulatedInjector::new(simulated.clone());
    for fault in plan.schedule.faults() {
        injector
            .can(fault.kind())
            .map_err(|reason| Error::usage(format!("`{fault}`: {reason}")))?;
    }
    let mut nemesis = Nemesis::new(
        clock.clone(),
        lab.nodes(),
        Box::new(injector),
        Arc::new(StoreOnLab { store: store.clone(), lab: lab.clone() }),
        recording.clone() as Arc<dyn Record>,
        Journal::create(&folder.faults()).map_err(Error::failure)?,
        plan.seed,
    );

    info!(workload = plan.workload.name(), "the load begins");
    let run_plan = plan.run_plan();
    let mut problems = Vec::new();
    let mut load = plan.workload.generator(&run_plan);
    let end_ns = clock.now_ns() + settings.time_limit.ns;
    {
        let clients = interpreter.run(load.as_mut(), interrupt);
        let faults = nemesis.run(&plan.schedule, end_ns);
        // The load decides when it is over; faults that are still to come then never happen.
        match select(std::pin::pin!(clients), std::pin::pin!(faults)).await {
            Either::Left(((), _)) => {}
            Either::Right((outcome, clients)) => {
                problems.extend(outcome.err().map(|error| error.to_string()));
                clients.await;
            }
        }
    }

    info!("healing");
    problems.extend(nemesis.heal().await.err().map(|error| error.to_string()));
    let left = nemesis.in_force().values();
    problems.extend(left.map(|fault| format!("this could not be taken back: {fault}")));
    problems.extend(store.recover(&lab).await.err().map(|error| error.to_string()));
    if let Err(error) = store.await_ready(&lab, settings.recovery_limit.ns).await {
        problems.push(format!("after healing: {error}"));
    }
    clock.sleep_until(clock.now_ns() + settings.quiet_period.ns).await;

    info!("the final phase begins");
    let so_far = recording.so_far();
    let mut last = plan.workload.final_generator(&run_plan, &so_far);
    interpreter.run(last.as_mut(), &Interrupt::default()).await;

    let (history, problem) = recording.finish();
    problems
        .extend(problem.map(|problem| format!("the history could not be saved whole: {problem}")));
    Ok((history, problems))
}

async fn start(store: &dyn Store, lab: &Lab) -> Result<(), Error> {
    for node in lab.nodes() {
        store.install(lab, node).await.map_err(Error::failure)?;
    }
    for node in lab.nodes() {
        store.start(lab, node).await.map_err(Error::failure)?;
    }
    store.await_ready(lab, START_LIMIT_NS).await.map_err(Error::failure)
}

/// The store as the nemesis sees it.
struct StoreOnLab {
    store: Arc<dyn Store>,
    lab: Lab,
}

#[async_trait]
impl Cluster for StoreOnLab {
    async fn primaries(&self) -> Vec<NodeId> {
        self.store.primaries(&self.lab).await
    }

    async fn restart(&self, node: NodeId) -> Result<(), String> {
        self.store.start(&self.lab, node).await.map_err(|error| error.to_string())
    }

    async fn promote(&self, node: NodeId) -> Result<(), String> {
        self.store.promote(&self.lab, node).await.map_err(|error| error.to_string())
    }
}
