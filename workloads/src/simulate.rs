//! Runs a generator without any store: a simulated clock, and perfect objects in memory.
//!
//! This is how generators and workloads are tested, and how the history of a flawless store is made
//! for testing checkers and reports. Every operation takes effect at one instant between invocation
//! and completion, so every history is linearizable by construction. An operation of unknown
//! outcome takes effect with probability one half, perhaps long after its client gave up.
//!
//! The interpreter here is also the referee of [the rules](crate::generator): a generator that
//! breaks one ends the simulation with a [`RuleBroken`].
//!
//! ```
//! use perjury_history::MicroOp;
//! use perjury_workloads::generator::{Generator, operations, rng};
//! use perjury_workloads::simulate::Simulation;
//!
//! let reads = operations(rng(1, "reads"), |_| vec![MicroOp::read(1)]);
//! let mut simulator = Simulation::default().start();
//! simulator.run(&mut reads.rate(100.0).time_limit(1_000_000_000))?;
//! assert_eq!(simulator.history().len(), 100);
//! # Ok::<(), perjury_workloads::simulate::RuleBroken>(())
//! ```

mod objects;

use std::collections::BTreeMap;
use std::ops::Range;

use perjury_history::{Entry, Event, EventKind, History, HistoryBuilder, NodeId, Process};
use rand::RngExt as _;
use rand_pcg::Pcg64;
use thiserror::Error;

use self::objects::Objects;
use crate::generator::rng;
use crate::{Context, FreeProcess, Generator, Invocation, Next, RunPlan, Workload};

/// How the simulated store behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation {
    /// Where latencies and failures come from.
    pub seed: u64,
    /// Number of threads.
    pub concurrency: u32,
    /// Number of nodes; a thread's own node is its number modulo this.
    pub nodes: u32,
    /// How long an operation takes at least.
    pub latency_ns_min: u64,
    /// How long an operation takes at most.
    pub latency_ns_max: u64,
    /// Share of operations whose outcome stays unknown.
    pub info_share: f64,
    /// Share of operations that fail.
    pub fail_share: f64,
    /// Operations begun in this span end after it.
    pub stall_ns: Option<Range<u64>>,
    /// A run that is not over then counts as endless.
    pub end_ns_max: u64,
}

impl Default for Simulation {
    /// 10 threads, 5 nodes, 1 to 5 ms, no failures, an hour at most.
    fn default() -> Self {
        Self {
            seed: 1,
            concurrency: 10,
            nodes: 5,
            latency_ns_min: 1_000_000,
            latency_ns_max: 5_000_000,
            info_share: 0.0,
            fail_share: 0.0,
            stall_ns: None,
            end_ns_max: 3_600_000_000_000,
        }
    }
}

/// A generator did what no generator may do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("at {now_ns} ns: {problem}")]
pub struct RuleBroken {
    /// When it was asked.
    pub now_ns: u64,
    /// What was expected and what was found.
    pub problem: String,
}

impl Simulation {
    /// An empty store at time 0.
    pub fn start(self) -> Simulator {
        let threads = (0..self.concurrency).map(|thread| (thread, Process(thread))).collect();
        Simulator {
            rng: rng(self.seed, "simulate"),
            simulation: self,
            free: threads,
            agenda: BTreeMap::new(),
            plans: 0,
            now_ns: 0,
            objects: Objects::default(),
            entries: Vec::new(),
        }
    }
}

/// What a workload does to a perfect store: its load, then its final phase.
///
/// # Errors
/// If one of the workload's generators breaks a rule.
pub fn run_workload(
    workload: &dyn Workload,
    plan: &RunPlan,
    simulation: Simulation,
) -> Result<Vec<Entry>, RuleBroken> {
    let mut simulator = simulation.start();
    simulator.run(&mut workload.generator(plan))?;
    let before = simulator.history();
    simulator.run(&mut workload.final_generator(plan, &before))?;
    Ok(simulator.entries)
}

/// A simulated store, its clients and its clock.
#[derive(Debug)]
pub struct Simulator {
    simulation: Simulation,
    rng: Pcg64,
    free: BTreeMap<u32, Process>,
    /// What happens when; at the same time, in the order in which it was planned.
    agenda: BTreeMap<(u64, u64), Planned>,
    plans: u64,
    now_ns: u64,
    objects: Objects,
    entries: Vec<Entry>,
}

#[derive(Debug)]
enum Planned {
    /// The operation takes effect; `completes_ns` is when its client learns of it, if it does.
    Effect { invocation: Invocation, completes_ns: Option<u64> },
    /// The client learns the outcome.
    Completion { thread: u32, event: Event },
}

/// Where the interpreter stands when there is nothing to invoke now.
enum Asked {
    Wait { until_ns: Option<u64> },
    Done,
}

/// Executes everything but inspections; the other nodes follow without delay.
const LEADER: NodeId = NodeId(0);

impl Simulator {
    /// Runs a generator to its end and waits for everything that it began.
    ///
    /// # Errors
    /// If the generator breaks a rule or does not end.
    pub fn run(&mut self, generator: &mut dyn Generator) -> Result<(), RuleBroken> {
        let mut done = false;
        loop {
            let mut wake_ns = None;
            if !done && (!self.free.is_empty() || self.agenda.is_empty()) {
                match self.ask(generator)? {
                    Asked::Done => done = true,
                    Asked::Wait { until_ns } => wake_ns = until_ns,
                }
            }
            let planned_ns = self.agenda.first_key_value().map(|(&(at_ns, _), _)| at_ns);
            let Some(next_ns) = wake_ns.into_iter().chain(planned_ns).min() else { break };
            if next_ns > self.simulation.end_ns_max {
                return Err(self.broken("expected the generator to end, found it still waiting"));
            }
            self.now_ns = next_ns;
            self.settle(generator);
        }
        self.check_done(generator)
    }

    /// The record so far.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The record so far as a history.
    ///
    /// # Panics
    /// Never: the record is well formed by construction.
    pub fn history(&self) -> History {
        let mut builder = HistoryBuilder::new();
        for entry in &self.entries {
            builder.push(entry.clone()).expect("the simulated record is well formed");
        }
        builder.finish()
    }

    /// Asks until there is nothing to invoke now.
    fn ask(&mut self, generator: &mut dyn Generator) -> Result<Asked, RuleBroken> {
        loop {
            let free = self.free_processes();
            let context = self.context(&free);
            match generator.next(&context).settled(&context) {
                Next::Done => return Ok(Asked::Done),
                Next::Wait { until_ns: Some(until_ns) } if until_ns <= self.now_ns => {
                    return Err(self.broken(format!(
                        "expected a wait for a later time, found one until {until_ns} ns"
                    )));
                }
                Next::Wait { until_ns } => return Ok(Asked::Wait { until_ns }),
                Next::Invoke(invocation) => {
                    self.check(&invocation)?;
                    self.invoke(invocation, generator);
                    if self.free.is_empty() {
                        return Ok(Asked::Wait { until_ns: None });
                    }
                }
            }
        }
    }

    fn free_processes(&self) -> Vec<FreeProcess> {
        let free = self.free.iter();
        free.map(|(&thread, &process)| FreeProcess { thread, process }).collect()
    }

    fn context<'a>(&self, free: &'a [FreeProcess]) -> Context<'a> {
        let Simulation { concurrency, nodes, .. } = self.simulation;
        Context { now_ns: self.now_ns, free, concurrency, nodes }
    }

    fn broken(&self, problem: impl Into<String>) -> RuleBroken {
        RuleBroken { now_ns: self.now_ns, problem: problem.into() }
    }

    fn check(&self, invocation: &Invocation) -> Result<(), RuleBroken> {
        let Invocation { at_ns, process, thread, ref micro_ops, node } = *invocation;
        if self.free.get(&thread) != Some(&process) {
            let problem = format!("expected a free process, found {process} on thread {thread}");
            return Err(self.broken(problem));
        }
        if at_ns > self.now_ns {
            let problem = format!("expected an operation that is due, found one due at {at_ns} ns");
            return Err(self.broken(problem));
        }
        if micro_ops.is_empty() {
            return Err(self.broken("expected at least one micro-operation, found none"));
        }
        match node {
            Some(node) if node.0 >= self.simulation.nodes => {
                Err(self.broken(format!("expected one of the run's nodes, found {node}")))
            }
            _ => Ok(()),
        }
    }

    /// Done is for ever, whatever the time and whoever is free.
    fn check_done(&self, generator: &mut dyn Generator) -> Result<(), RuleBroken> {
        let free = self.free_processes();
        for (later_ns, free) in [(0, &free[..]), (1, &free[..]), (1 << 50, &free[..])] {
            let context = Context { now_ns: self.now_ns + later_ns, ..self.context(free) };
            let next = generator.next(&context).settled(&context);
            if next != Next::Done {
                let problem = format!("expected done to be for ever, found {next:?} afterwards");
                return Err(self.broken(problem));
            }
        }
        Ok(())
    }

    fn plan(&mut self, at_ns: u64, planned: Planned) {
        self.plans += 1;
        self.agenda.insert((at_ns, self.plans), planned);
    }

    fn record(&mut self, event: Event, generator: &mut dyn Generator) {
        generator.observe(&event);
        self.entries.push(Entry::Operation(event));
    }

    fn invoke(&mut self, invocation: Invocation, generator: &mut dyn Generator) {
        let Invocation { process, thread, ref micro_ops, .. } = invocation;
        self.free.remove(&thread);
        let own_node = NodeId(thread % self.simulation.nodes.max(1));
        let event = Event {
            time_ns: self.now_ns,
            process,
            kind: EventKind::Invoke,
            micro_ops: micro_ops.clone(),
            node: Some(invocation.node.unwrap_or(own_node)),
            version: None,
            error: None,
        };
        self.record(event.clone(), generator);
        let Simulation { latency_ns_min, latency_ns_max, .. } = self.simulation;
        let latency_ns = self.rng.random_range(latency_ns_min..=latency_ns_max.max(latency_ns_min));
        let stall = self.simulation.stall_ns.clone().filter(|stall| stall.contains(&self.now_ns));
        let begin_ns = stall.map_or(self.now_ns, |stall| stall.end);
        let completes_ns = begin_ns.saturating_add(latency_ns);
        let lot: f64 = self.rng.random();
        if lot < self.simulation.info_share {
            if self.rng.random_bool(0.5) {
                let late_ns = self.rng.random_range(0..=latency_ns.saturating_mul(10));
                let effect_ns = begin_ns.saturating_add(late_ns);
                self.plan(effect_ns, Planned::Effect { invocation, completes_ns: None });
            }
            self.plan_failure(thread, event, EventKind::Info, completes_ns, "timeout");
        } else if lot < self.simulation.info_share + self.simulation.fail_share {
            self.plan_failure(thread, event, EventKind::Fail, completes_ns, "refused");
        } else {
            let effect_ns = self.rng.random_range(begin_ns..=completes_ns);
            let completes_ns = Some(completes_ns);
            self.plan(effect_ns, Planned::Effect { invocation, completes_ns });
        }
    }

    fn plan_failure(
        &mut self,
        thread: u32,
        mut event: Event,
        kind: EventKind,
        at_ns: u64,
        error: &str,
    ) {
        event.kind = kind;
        event.time_ns = at_ns;
        event.node = None;
        event.error = Some(error.to_owned());
        self.plan(at_ns, Planned::Completion { thread, event });
    }

    /// Does everything that is planned for now or earlier.
    fn settle(&mut self, generator: &mut dyn Generator) {
        while let Some(next) = self.agenda.first_entry() {
            if next.key().0 > self.now_ns {
                break;
            }
            match next.remove() {
                Planned::Effect { invocation, completes_ns } => {
                    self.take_effect(invocation, completes_ns);
                }
                Planned::Completion { thread, event } => {
                    let Process(number) = event.process;
                    let retired = event.kind == EventKind::Info;
                    let process =
                        if retired { number + self.simulation.concurrency } else { number };
                    self.record(event, generator);
                    self.free.insert(thread, Process(process));
                }
            }
        }
    }

    fn take_effect(&mut self, invocation: Invocation, completes_ns: Option<u64>) {
        let Invocation { process, thread, mut micro_ops, node, .. } = invocation;
        let applied = self.objects.apply(&mut micro_ops);
        let Some(time_ns) = completes_ns else { return };
        let node = node.unwrap_or(LEADER);
        let mut event = Event {
            time_ns,
            process,
            kind: EventKind::Ok,
            micro_ops,
            node: Some(node),
            version: None,
            error: None,
        };
        match applied {
            Ok(version) => event.version = version,
            Err(refused) => {
                event.kind = EventKind::Fail;
                event.error = Some(refused.to_owned());
            }
        }
        self.plan(time_ns, Planned::Completion { thread, event });
    }
}
