//! How long, how many, how late.

use std::collections::BTreeSet;

use perjury_history::{Event, EventKind, Process};

use super::{Context, Generator, List, Next, nothing};

/// See [`Generator::time_limit`].
#[derive(Debug)]
pub struct TimeLimit<G> {
    pub(super) inner: G,
    pub(super) limit_ns: u64,
    pub(super) end_ns: Option<u64>,
}

impl<G: Generator> Generator for TimeLimit<G> {
    fn next(&mut self, context: &Context<'_>) -> Next {
        let from_now_ns = context.now_ns.saturating_add(self.limit_ns);
        let end_ns = *self.end_ns.get_or_insert(from_now_ns);
        if context.now_ns >= end_ns {
            return Next::Done;
        }
        match self.inner.next(context) {
            Next::Wait { until_ns } => {
                Next::Wait { until_ns: Some(until_ns.map_or(end_ns, |until| until.min(end_ns))) }
            }
            next => next,
        }
    }

    fn observe(&mut self, event: &Event) {
        self.inner.observe(event);
    }
}

/// See [`Generator::operation_limit`].
#[derive(Debug)]
pub struct OperationLimit<G> {
    pub(super) inner: G,
    pub(super) left: u64,
}

impl<G: Generator> Generator for OperationLimit<G> {
    fn next(&mut self, context: &Context<'_>) -> Next {
        if self.left == 0 {
            return Next::Done;
        }
        let next = self.inner.next(context);
        self.left -= u64::from(matches!(next, Next::Invoke(_)));
        next
    }

    fn observe(&mut self, event: &Event) {
        self.inner.observe(event);
    }
}

/// See [`Generator::delay`].
#[derive(Debug)]
pub struct Delay<G> {
    pub(super) inner: G,
    pub(super) delay_ns: u64,
    pub(super) begin_ns: Option<u64>,
}

impl<G: Generator> Generator for Delay<G> {
    fn next(&mut self, context: &Context<'_>) -> Next {
        let from_now_ns = context.now_ns.saturating_add(self.delay_ns);
        let begin_ns = *self.begin_ns.get_or_insert(from_now_ns);
        if context.now_ns < begin_ns {
            return Next::Wait { until_ns: Some(begin_ns) };
        }
        self.inner.next(context)
    }

    fn observe(&mut self, event: &Event) {
        self.inner.observe(event);
    }
}

/// No operation for `delay_ns` from the first time it is asked. A pause between
/// [`phases`](super::phases).
pub fn sleep(delay_ns: u64) -> Delay<List> {
    nothing().delay(delay_ns)
}

/// See [`Generator::until_ok`].
#[derive(Debug)]
pub struct UntilOk<G> {
    pub(super) inner: G,
    pub(super) open: BTreeSet<Process>,
    pub(super) succeeded: bool,
}

impl<G: Generator> Generator for UntilOk<G> {
    fn next(&mut self, context: &Context<'_>) -> Next {
        if self.succeeded {
            return Next::Done;
        }
        let next = self.inner.next(context);
        if let Next::Invoke(invocation) = &next {
            self.open.insert(invocation.process);
        }
        next
    }

    fn observe(&mut self, event: &Event) {
        self.inner.observe(event);
        if event.kind != EventKind::Invoke && self.open.remove(&event.process) {
            self.succeeded |= event.kind == EventKind::Ok;
        }
    }
}
