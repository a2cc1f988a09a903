//! Different things for different processes.

use std::collections::BTreeMap;

use perjury_history::Event;

use super::{Context, Generator, Next};

/// A generator of its own for every thread, made by `make` from the thread's number when the thread
/// is first free. Each sees only its own thread as free, so that it cannot reach for a busy one;
/// when a process is retired, its successor goes on with the same generator. Threads take turns.
pub fn per_process<F>(make: F) -> PerProcess<F>
where
    F: FnMut(u32) -> Box<dyn Generator> + Send,
{
    PerProcess { make, threads: BTreeMap::new(), last_thread: None }
}

/// See [`per_process`].
pub struct PerProcess<F> {
    make: F,
    /// `None` for those that are done.
    threads: BTreeMap<u32, Option<Box<dyn Generator>>>,
    last_thread: Option<u32>,
}

impl<F: FnMut(u32) -> Box<dyn Generator> + Send> Generator for PerProcess<F> {
    fn next(&mut self, context: &Context<'_>) -> Next {
        let mut earliest_ns: Option<u64> = None;
        for free in context.in_turn(self.last_thread) {
            let thread = free.thread;
            let slot = self.threads.entry(thread).or_insert_with(|| Some((self.make)(thread)));
            let Some(generator) = slot else { continue };
            let own = Context { free: std::slice::from_ref(free), concurrency: 1, ..*context };
            match generator.next(&own).settled(&own) {
                Next::Done => *slot = None,
                invoke @ Next::Invoke(_) => {
                    self.last_thread = Some(thread);
                    return invoke;
                }
                Next::Wait { until_ns } => {
                    let both = earliest_ns.into_iter().chain(until_ns);
                    earliest_ns = both.min();
                }
            }
        }
        let done = self.threads.values().filter(|generator| generator.is_none()).count();
        if done == context.concurrency as usize {
            return Next::Done;
        }
        Next::Wait { until_ns: earliest_ns }
    }

    fn observe(&mut self, event: &Event) {
        for generator in self.threads.values_mut().flatten() {
            generator.observe(event);
        }
    }
}
