//! Has clients do what a generator says, and records what comes of it.
//!
//! The rules between interpreter and generator are those of [`perjury_workloads::generator`].

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, Either, FutureExt, select};
use futures::stream::{FuturesUnordered, StreamExt};
use perjury_history::{Event, EventKind, NodeId, Process};
use perjury_lab::{Clock, Lab};
use perjury_stores::{Answer, Client, Session, Store};
use perjury_workloads::{Context, FreeProcess, Generator, Invocation, Next};

use crate::interrupt::Interrupt;
use crate::recording::Recording;

/// How much later than its time-out a client may answer, connecting included, in nanoseconds.
/// Clients keep their own time-outs; one that does not must not hold up the run for ever.
const OVERDUE_NS: u64 = 10_000_000_000;

/// What is recorded then.
const OVERDUE: &str = "the client did not keep its time-out";

/// A longer wait of the generator is broken off now and then, to see whether the user has lost
/// patience. The generator is not asked then.
const LOOK_UP_NS: u64 = 1_000_000_000;

/// One logical thread of clients: a process, and its connections.
struct Thread {
    process: Process,
    /// The node it talks to unless it is told otherwise.
    home: NodeId,
    clients: BTreeMap<NodeId, Box<dyn Client>>,
}

/// An operation that has come to its end, with the connection it used.
struct Completed {
    thread: usize,
    node: NodeId,
    /// `None` if it is overdue.
    client: Option<Box<dyn Client>>,
    invocation: Invocation,
    answer: Answer,
}

/// The clients of a run.
pub struct Interpreter {
    lab: Lab,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    recording: Arc<Recording>,
    threads: Vec<Thread>,
    nodes: u32,
    timeout_ns: u64,
}

impl Interpreter {
    /// `concurrency` threads, spread evenly over the nodes. An operation waits `timeout_ns` for its
    /// answer.
    pub fn new(
        lab: &Lab,
        store: Arc<dyn Store>,
        recording: Arc<Recording>,
        concurrency: u32,
        timeout_ns: u64,
    ) -> Self {
        let nodes = lab.nodes();
        let thread = |number: u32| Thread {
            process: Process(number),
            home: nodes[number as usize % nodes.len()],
            clients: BTreeMap::new(),
        };
        Self {
            lab: lab.clone(),
            clock: lab.clock(),
            store,
            recording,
            threads: (0..concurrency).map(thread).collect(),
            nodes: nodes.len() as u32,
            timeout_ns,
        }
    }

    /// Runs a generator to its end, or until the user interrupts. Every operation that was begun
    /// is waited for.
    pub async fn run(&mut self, generator: &mut dyn Generator, interrupt: &Interrupt) {
        let mut free: Vec<FreeProcess> = (0..self.threads.len()).map(|it| self.free(it)).collect();
        let mut running: FuturesUnordered<BoxFuture<'static, Completed>> = FuturesUnordered::new();
        let mut done = false;
        // When the generator wants to be asked again, unless something completes before.
        let mut ask_again_ns = Some(0);
        loop {
            done |= interrupt.raised();
            let now_ns = self.recording.now_ns();
            let due = ask_again_ns.is_some_and(|at_ns| at_ns <= now_ns);
            if !done && due && !free.is_empty() {
                let context = Context {
                    now_ns,
                    free: &free,
                    concurrency: self.threads.len() as u32,
                    nodes: self.nodes,
                };
                match generator.next(&context) {
                    Next::Invoke(invocation) => {
                        free.retain(|it| it.thread != invocation.thread);
                        running.push(self.begin(invocation, generator));
                        continue;
                    }
                    // Nothing runs, so nothing can change the generator's mind.
                    Next::Wait { until_ns: None } if running.is_empty() => done = true,
                    Next::Wait { until_ns } => ask_again_ns = until_ns,
                    Next::Done => done = true,
                }
            }
            if done && running.is_empty() {
                return;
            }
            let look_up_ns = ask_again_ns.filter(|_| !done && !free.is_empty());
            let look_up_ns = look_up_ns.map(|at_ns| at_ns.min(now_ns + LOOK_UP_NS));
            if let Some(completed) = self.next_completion(&mut running, look_up_ns).await {
                ask_again_ns = Some(0);
                let thread = self.complete(completed, generator);
                let position = free.partition_point(|it| (it.thread as usize) < thread);
                free.insert(position, self.free(thread));
            }
        }
    }

    fn free(&self, thread: usize) -> FreeProcess {
        FreeProcess { thread: thread as u32, process: self.threads[thread].process }
    }

    /// Waits for a completion, or until it is time to look up.
    async fn next_completion(
        &self,
        running: &mut FuturesUnordered<BoxFuture<'static, Completed>>,
        look_up_ns: Option<u64>,
    ) -> Option<Completed> {
        let Some(look_up_ns) = look_up_ns else {
            return running.next().await;
        };
        // The record's clock began later than the lab's.
        let wait_ns = look_up_ns.saturating_sub(self.recording.now_ns());
        let alarm = self.clock.sleep_until(self.clock.now_ns() + wait_ns);
        if running.is_empty() {
            alarm.await;
            return None;
        }
        match select(running.next(), alarm).await {
            Either::Left((completed, _)) => completed,
            Either::Right(_) => None,
        }
    }

    /// Records the invocation and gives the operation to its client.
    fn begin(
        &mut self,
        invocation: Invocation,
        generator: &mut dyn Generator,
    ) -> BoxFuture<'static, Completed> {
        let thread = invocation.thread as usize;
        let node = invocation.node.unwrap_or(self.threads[thread].home);
        let event = self.recording.event(Event {
            time_ns: 0,
            process: invocation.process,
            kind: EventKind::Invoke,
            micro_ops: invocation.micro_ops.clone(),
            node: Some(node),
            version: None,
            error: None,
        });
        generator.observe(&event);
        let client = self.threads[thread].clients.remove(&node);
        let session = Session { process: invocation.process, timeout_ns: self.timeout_ns };
        let (lab, store) = (self.lab.clone(), self.store.clone());
        let overdue_ns = self.clock.now_ns().saturating_add(self.timeout_ns + OVERDUE_NS);
        let overdue = self.clock.sleep_until(overdue_ns);
        let operation = async move {
            let micro_ops = &invocation.micro_ops;
            let asked = async move {
                let mut client = match client {
                    Some(client) => client,
                    None => store.connect(&lab, node, session).await,
                };
                let answer = client.invoke(micro_ops).await;
                (answer, Some(client))
            };
            let (answer, client) = match select(asked.boxed(), overdue).await {
                Either::Left((answered, _)) => answered,
                Either::Right(_) => (Answer::Info(OVERDUE.to_owned()), None),
            };
            Completed { thread, node, client, invocation, answer }
        };
        operation.boxed()
    }

    /// Records the completion. After an unknown outcome the process is retired. Returns the thread.
    fn complete(&mut self, completed: Completed, generator: &mut dyn Generator) -> usize {
        let Completed { thread, node, client, invocation, answer } = completed;
        let concurrency = self.threads.len() as u32;
        let asked = invocation.micro_ops;
        let (kind, micro_ops, served_by, version, error) = match answer {
            Answer::Ok { micro_ops, node, version } => {
                (EventKind::Ok, micro_ops, node, version, None)
            }
            Answer::Fail(error) => (EventKind::Fail, asked, None, None, Some(error)),
            Answer::Info(error) => (EventKind::Info, asked, None, None, Some(error)),
        };
        let event = self.recording.event(Event {
            time_ns: 0,
            process: invocation.process,
            kind,
            micro_ops,
            node: served_by,
            version,
            error,
        });
        generator.observe(&event);
        let state = &mut self.threads[thread];
        if kind == EventKind::Info {
            state.process = Process(state.process.0 + concurrency);
            state.clients.clear();
        } else {
            state.clients.extend(client.map(|client| (node, client)));
        }
        thread
    }
}
