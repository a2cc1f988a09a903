//! What to do next: pure descriptions of load, after Jepsen's generators.
//!
//! The interpreter (the part of the harness that owns clock and clients) and a generator talk by
//! these rules, which are all there is to know in order to write either:
//!
//! 1. The interpreter asks [`Generator::next`] whenever at least one process is free: at the start,
//!    after every completion, and at the time that the last [`Next::Wait`] named.
//! 2. [`Next::Invoke`] is performed **at once and exactly once**. The generator has moved on. The
//!    interpreter tells it of the invocation ([`Generator::observe`]) and asks again, as long as
//!    processes are free. Nothing is ever scheduled ahead, so nothing has to be taken back.
//! 3. [`Next::Wait`] means: nothing for these free processes now. The interpreter asks again at
//!    `until_ns`, or when an operation completes, whichever is first.
//! 4. [`Next::Done`] is for ever. Operations that are still open are waited for.
//! 5. A wait without a time while every process is free can never end: it counts as done.
//! 6. A completion is observed before its process is free again. After an unknown outcome the
//!    thread gets a process of a new number; its thread number stays.
//!
//! So a generator keeps no thread, sees time only as [`Context::now_ns`], and never gives an
//! operation to a process that is not in [`Context::free`]. The rules are checked on every step by
//! [`simulate`](crate::simulate).
//!
//! Sources of operations are functions ([`operations`], [`list`], [`on_nodes`], ...), combinations
//! of several generators too ([`mix`], [`phases`], [`per_process`], [`repeat`]); what changes one
//! generator is a method of [`Generator`]:
//!
//! ```
//! use perjury_history::MicroOp;
//! use perjury_workloads::generator::{Generator, mix, operations, rng};
//!
//! let seed = 1;
//! let reads = operations(rng(seed, "reads"), |_| vec![MicroOp::read(1)]);
//! let writes = operations(rng(seed, "writes"), |_| vec![MicroOp::Write { key: 1, value: 2 }]);
//! let load = mix(rng(seed, "mix"), [(0.9, reads.boxed()), (0.1, writes.boxed())])
//!     .stagger(1_000.0, rng(seed, "stagger"))
//!     .time_limit(60_000_000_000);
//! # drop(load);
//! ```

mod distribution;
mod keys;
mod limit;
mod mix;
mod nodes;
mod pace;
mod random;
mod sequence;
mod source;
mod threads;

use std::collections::BTreeSet;

use perjury_history::{Event, MicroOp, NodeId, Process};
use rand::RngExt as _;
use rand_pcg::Pcg64;

pub use distribution::KeyDistribution;
pub(crate) use distribution::Positions;
pub use keys::{ActiveKey, Keys};
pub use limit::{Delay, OperationLimit, TimeLimit, UntilOk, sleep};
pub use mix::{Mix, mix};
pub use nodes::{OnNodes, each_node, on_nodes};
pub use pace::{CATCH_UP_NS, Paced};
pub use random::rng;
pub(crate) use random::weighted;
pub use sequence::{Phases, Repeat, phases, repeat};
pub use source::{List, Operations, list, nothing, once, operations};
pub use threads::{PerProcess, per_process};

/// A process that has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeProcess {
    /// Position among the run's threads, from 0; it stays when a process is retired.
    pub thread: u32,
    /// The number of the process that the thread currently is.
    pub process: Process,
}

/// What the interpreter knows when it asks.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Nanoseconds since the run's start. Never goes back.
    pub now_ns: u64,
    /// The processes that are free now, by thread.
    pub free: &'a [FreeProcess],
    /// Number of threads that the asked generator may use; all of them are idle when as many are
    /// free.
    pub concurrency: u32,
    /// Number of nodes.
    pub nodes: u32,
}

impl<'a> Context<'a> {
    /// Whether nothing of what was invoked is still open.
    pub fn idle(&self) -> bool {
        self.free.len() == self.concurrency as usize
    }

    /// A random free process, so that a light load is spread over all of them.
    pub fn pick(&self, rng: &mut Pcg64) -> Option<FreeProcess> {
        let count = self.free.len() as u32;
        (count > 0).then(|| self.free[rng.random_range(0..count) as usize])
    }

    /// The free processes, beginning after the `last` thread.
    pub fn in_turn(&self, last: Option<u32>) -> impl Iterator<Item = &'a FreeProcess> + use<'a> {
        let passed = |free: &FreeProcess| last.is_some_and(|last| free.thread <= last);
        let (before, after) = self.free.split_at(self.free.partition_point(passed));
        after.iter().chain(before)
    }

    /// The next free process after the `last` thread.
    pub fn after(&self, last: Option<u32>) -> Option<FreeProcess> {
        self.in_turn(last).next().copied()
    }

    /// `free` does this now, on its own node.
    pub fn invoke(&self, free: FreeProcess, micro_ops: Vec<MicroOp>) -> Next {
        let FreeProcess { thread, process } = free;
        Next::Invoke(Invocation { at_ns: self.now_ns, process, thread, micro_ops, node: None })
    }
}

/// One operation for one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// When it was due, in nanoseconds since the run's start: now, or up to [`CATCH_UP_NS`] earlier
    /// if every process was busy then. Never in the future.
    pub at_ns: u64,
    /// Who asks; one of [`Context::free`].
    pub process: Process,
    /// The thread of that process.
    pub thread: u32,
    /// What is asked.
    pub micro_ops: Vec<MicroOp>,
    /// The node that must be asked; `None` for the process's own.
    pub node: Option<NodeId>,
}

/// A generator's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Do this now.
    Invoke(Invocation),
    /// Nothing for the free processes now.
    Wait {
        /// When to ask again (later than now); `None` to wait for a completion.
        until_ns: Option<u64>,
    },
    /// Nothing any more.
    Done,
}

impl Next {
    /// Nothing until a completion.
    pub const WAIT: Next = Next::Wait { until_ns: None };

    /// Applies rule 5: a wait that can never end is done.
    #[must_use]
    pub fn settled(self, context: &Context<'_>) -> Next {
        if self == Next::WAIT && context.idle() { Next::Done } else { self }
    }
}

/// What clients do, one operation at a time. See the [module](self) for the rules.
pub trait Generator: Send {
    /// What to do next.
    fn next(&mut self, context: &Context<'_>) -> Next;

    /// Learns what happened: every invocation and every completion of the run, in order, also those
    /// of other generators.
    fn observe(&mut self, _event: &Event) {}

    /// The same behind a pointer.
    fn boxed(self) -> Box<dyn Generator>
    where
        Self: Sized + 'static,
    {
        Box::new(self)
    }

    /// One operation every `1 / rate_hz` seconds, all processes together, the first at once. An
    /// infinite rate gives operations as fast as processes become free; a rate that is not
    /// positive gives none, ever. See [`Paced`] for what happens to late operations.
    fn rate(self, rate_hz: f64) -> Paced<Self>
    where
        Self: Sized,
    {
        Paced::fixed(self, rate_hz)
    }

    /// Like [`Generator::rate`] with random, exponentially distributed intervals: a Poisson
    /// process, as independent clients together are. Operations come at any distance from each
    /// other, which finds more interleavings than a beat does.
    fn stagger(self, rate_hz: f64, rng: Pcg64) -> Paced<Self>
    where
        Self: Sized,
    {
        Paced::random(self, rate_hz, rng)
    }

    /// Is done `limit_ns` after it was first asked. Nothing begins at or after that time; what is
    /// open then is waited for.
    fn time_limit(self, limit_ns: u64) -> TimeLimit<Self>
    where
        Self: Sized,
    {
        TimeLimit { inner: self, limit_ns, end_ns: None }
    }

    /// Is done after so many operations.
    fn operation_limit(self, operations: u64) -> OperationLimit<Self>
    where
        Self: Sized,
    {
        OperationLimit { inner: self, left: operations }
    }

    /// Begins `delay_ns` after it was first asked.
    fn delay(self, delay_ns: u64) -> Delay<Self>
    where
        Self: Sized,
    {
        Delay { inner: self, delay_ns, begin_ns: None }
    }

    /// Is done when one of its operations has succeeded.
    fn until_ok(self) -> UntilOk<Self>
    where
        Self: Sized,
    {
        UntilOk { inner: self, open: BTreeSet::new(), succeeded: false }
    }
}

impl Generator for Box<dyn Generator> {
    fn next(&mut self, context: &Context<'_>) -> Next {
        (**self).next(context)
    }

    fn observe(&mut self, event: &Event) {
        (**self).observe(event);
    }
}
