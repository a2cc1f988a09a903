//! One run, from an empty folder to a verdict. The only place that knows the whole order.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::future::{Either, join_all, select};
use jiff::Timestamp;
use perjury_history::{History, NodeId};
use perjury_lab::Lab;
use perjury_nemesis::{Cluster, Nemesis, Record};
use perjury_stores::{Store, StoreError};
use tracing::{error, info, warn};

use crate::analysis::{self, Circumstances, Results};
use crate::bounds::Bounds;
use crate::campaign::TestPlan;
use crate::error::Error;
use crate::interpreter::Interpreter;
use crate::interrupt::Interrupt;
use crate::open_lab::OpenLab;
use crate::panics::caught;
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
/// anything to judge. Whatever goes wrong later is told in the results, beside the verdict.
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
        let told = |error: Error| {
            error!("{error}");
            error.hint(format!("see {}", folder.log().display()))
        };
        let lab = OpenLab::open(plan, runs).map_err(told)?;
        let executed = execute(plan, &lab, &folder, interrupt);
        // From here on nothing can lose the verdict.
        let results = executed.map_err(told).and_then(|(history, mut circumstances)| {
            info!(operations = history.len(), "checking");
            circumstances.wall_ms = Some(began.elapsed().as_millis() as u64);
            let (workload, expect) = (plan.workload.as_ref(), &plan.settings.expect);
            let mut results = analysis::analyse(
                &history,
                workload.checkers(),
                expect,
                circumstances,
                Bounds::default(),
            )?;
            results.add_failures(analysis::save(&folder, &test, plan, &history, &results));
            folder.link_latest(runs);
            Ok((results, history.len()))
        });
        // Only now: whatever goes wrong with the lab's end, the verdict is on the disk.
        let left = lab.close();
        left.iter().for_each(|failure| warn!("{failure}"));
        let (mut results, operations) = results?;
        results.add_failures(left);
        results.failures().for_each(|failure| warn!("{failure}"));
        info!(verdict = results.sentence, "done");
        let wall_ms = began.elapsed().as_millis() as u64;
        Ok(Run { folder, results, operations, wall_ms })
    })
}

/// Puts the store on the lab, drives it through load and faults, and returns the saved history with
/// what must be known besides. Once the record has begun it is returned whatever happens.
fn execute(
    plan: &TestPlan,
    opened: &OpenLab,
    folder: &RunFolder,
    interrupt: &Interrupt,
) -> Result<(History, Circumstances), Error> {
    let lab = opened.lab();
    let store = plan.store.as_ref();
    let footprint = store.footprint();
    let injector = opened.injector();
    for fault in plan.schedule.faults() {
        let refused = |reason| Error::usage(format!("`{fault}`: {reason}"));
        injector.can(fault).map_err(refused)?;
    }
    let started = to_the_end(lab, start(store, lab, interrupt)).flatten();
    if let Err(error) = started {
        // What the nodes say tells most of why it did not come up.
        let began = Timestamp::now();
        to_the_end(lab, opened.collect_logs(&footprint, began, folder))?;
        return Err(error);
    }

    let recording = Arc::new(Recording::create(&folder.history(), lab.clock())?);
    let began = Timestamp::now();
    let journal = opened.journal(&folder.faults(), &footprint)?;
    let mut circumstances = Circumstances::default();
    let cluster = StoreOnLab { store: plan.store.clone(), lab: lab.clone() };
    let nemesis = Nemesis::new(
        lab.clock(),
        lab.nodes(),
        Box::new(injector),
        Arc::new(cluster),
        recording.clone() as Arc<dyn Record>,
        journal,
        plan.seed,
    );
    let drive = drive(plan, lab, nemesis, &recording, interrupt, &mut circumstances);
    let drive = async {
        select(std::pin::pin!(drive), std::pin::pin!(flush(lab, &recording))).await;
    };
    if let Err(error) = to_the_end(lab, drive) {
        circumstances.problems.push(error.to_string());
    }
    let (history, problem) = recording.finish();
    circumstances
        .problems
        .extend(problem.map(|problem| format!("the history could not be saved whole: {problem}")));
    // The record is saved: what the nodes wrote is only an aid to read it.
    match to_the_end(lab, opened.collect_logs(&footprint, began, folder)) {
        Ok((logs, problems)) => {
            circumstances.logs = logs;
            circumstances.problems.extend(problems);
        }
        Err(error) => circumstances.problems.push(error.to_string()),
    }
    Ok((history, circumstances))
}

/// Never completes. In real time entries must not wait for the next one to get to the disk; in
/// virtual time they go by their own times.
async fn flush(lab: &Lab, recording: &Recording) {
    match lab {
        Lab::Machines(_) => recording.flush_regularly().await,
        _ => std::future::pending().await,
    }
}

/// Has the lab run a future to its end. That it stalls or panics is a defect of a store or of the
/// harness.
fn to_the_end<F: Future>(lab: &Lab, future: F) -> Result<F::Output, Error> {
    caught("the run", || lab.run(future))?.map_err(Error::failure)
}

/// The run from the first operation to the last. What goes wrong is noted in `circumstances`.
async fn drive(
    plan: &TestPlan,
    lab: &Lab,
    mut nemesis: Nemesis,
    recording: &Arc<Recording>,
    interrupt: &Interrupt,
    circumstances: &mut Circumstances,
) {
    let clock = lab.clock();
    let store = plan.store.clone();
    let settings = &plan.settings;
    let mut interpreter = Interpreter::new(
        lab,
        store.clone(),
        recording.clone(),
        settings.concurrency,
        settings.operation_timeout.ns,
    );

    info!(workload = plan.workload.name(), "the load begins");
    let run_plan = plan.run_plan();
    let problems = &mut circumstances.problems;
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
    circumstances.interrupted = interrupt.raised();

    info!("healing");
    problems.extend(nemesis.heal().await.err().map(|error| error.to_string()));
    let left = nemesis.in_force().values();
    problems.extend(left.map(|fault| format!("this could not be taken back: {fault}")));
    problems.extend(store.recover(lab).await.err().map(|error| error.to_string()));
    if let Err(error) = store.await_ready(lab, settings.recovery_limit.ns).await {
        problems.push(format!("after healing: {error}"));
    }
    clock.sleep_until(clock.now_ns() + settings.quiet_period.ns).await;

    info!("the final phase begins");
    let so_far = recording.so_far();
    let mut last = plan.workload.final_generator(&run_plan, &so_far);
    interpreter.run(last.as_mut(), &Interrupt::default()).await;
}

/// Installs and starts the store on all nodes at once, unless the user loses patience.
async fn start(store: &dyn Store, lab: &Lab, interrupt: &Interrupt) -> Result<(), Error> {
    let steps = async {
        info!("installing");
        on_all(lab, |node| store.install(lab, node)).await?;
        info!("starting");
        on_all(lab, |node| store.start(lab, node)).await?;
        let ready = store.await_ready(lab, START_LIMIT_NS);
        match select(std::pin::pin!(ready), std::pin::pin!(daemon_ended(store, lab))).await {
            Either::Left((outcome, _)) => outcome.map_err(Error::failure),
            Either::Right((error, _)) => Err(error),
        }
    };
    match select(std::pin::pin!(steps), std::pin::pin!(interrupted(lab, interrupt))).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err(Error::failure("interrupted before the load began")),
    }
}

/// Does the same to the store on every node; the first error in the order of nodes, once all are
/// done.
async fn on_all<F: Future<Output = Result<(), StoreError>>>(
    lab: &Lab,
    work: impl Fn(NodeId) -> F,
) -> Result<(), Error> {
    let done = join_all(lab.nodes().into_iter().map(work)).await;
    done.into_iter().collect::<Result<(), _>>().map_err(Error::failure)
}

/// Completes when a daemon of the store has ended although nothing was done to it yet. What it said
/// tells more than that its node does not answer.
async fn daemon_ended(store: &dyn Store, lab: &Lab) -> Error {
    const LOOK_UP_NS: u64 = 1_000_000_000;
    let clock = lab.clock();
    let Lab::Machines(lab) = lab else { return std::future::pending().await };
    let daemons = store.footprint().daemons;
    loop {
        clock.sleep_until(clock.now_ns() + LOOK_UP_NS).await;
        for machine in lab.machines() {
            for daemon in &daemons {
                // A machine that cannot be asked is for others to complain about.
                if let Ok(Some(said)) = machine.last_words(daemon).await {
                    let said = said.replace('\n', "; ");
                    let node = machine.remote().name();
                    return Error::failure(format!("{node}: {daemon} has ended: {said}"));
                }
            }
        }
    }
}

/// Completes when the user has asked to stop. In virtual time that is never: nobody can.
async fn interrupted(lab: &Lab, interrupt: &Interrupt) {
    const LOOK_UP_NS: u64 = 100_000_000;
    if matches!(lab, Lab::Simulated(_)) {
        return std::future::pending().await;
    }
    let clock = lab.clock();
    while !interrupt.raised() {
        clock.sleep_until(clock.now_ns() + LOOK_UP_NS).await;
    }
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

    async fn members(&self) -> Option<Vec<NodeId>> {
        self.store.members(&self.lab).await
    }

    async fn remove_member(&self, node: NodeId) -> Result<(), String> {
        self.store.remove_member(&self.lab, node).await.map_err(|error| error.to_string())
    }

    async fn add_member(&self, node: NodeId) -> Result<(), String> {
        self.store.add_member(&self.lab, node).await.map_err(|error| error.to_string())
    }
}
