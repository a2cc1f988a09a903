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
//! operation to a process that is not in [`Context::free`].

use perjury_history::{Event, MicroOp, NodeId, Process};

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

impl Context<'_> {
    /// Whether nothing of what was invoked is still open.
    pub fn idle(&self) -> bool {
        self.free.len() == self.concurrency as usize
    }
}

/// One operation for one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// When it was due, in nanoseconds since the run's start: now, or earlier if every process was
    /// busy then. Never in the future. For measuring how far a store fell behind the asked rate.
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

/// What clients do, one operation at a time. See the [module](self) for the rules.
pub trait Generator: Send {
    /// What to do next.
    fn next(&mut self, context: &Context<'_>) -> Next;

    /// Learns what happened: every invocation and every completion of the run, in order, also those
    /// of other generators.
    fn observe(&mut self, _event: &Event) {}
}

impl Generator for Box<dyn Generator> {
    fn next(&mut self, context: &Context<'_>) -> Next {
        (**self).next(context)
    }

    fn observe(&mut self, event: &Event) {
        (**self).observe(event);
    }
}
