//! One generator after another.

use std::collections::VecDeque;

use perjury_history::Event;

use super::{Context, Generator, Next};

/// One generator after another; each begins when the former is done *and* all of its operations
/// have completed. A phase that can never give anything more (rule 5) is done.
pub fn phases(phases: impl IntoIterator<Item = Box<dyn Generator>>) -> Phases {
    Phases { left: phases.into_iter().collect(), draining: false }
}

/// See [`phases`].
pub struct Phases {
    left: VecDeque<Box<dyn Generator>>,
    draining: bool,
}

impl Generator for Phases {
    fn next(&mut self, context: &Context<'_>) -> Next {
        while let Some(phase) = self.left.front_mut() {
            if !self.draining {
                match phase.next(context).settled(context) {
                    Next::Done => self.draining = true,
                    next => return next,
                }
            }
            if self.left.len() > 1 && !context.idle() {
                return Next::WAIT;
            }
            self.left.pop_front();
            self.draining = false;
        }
        Next::Done
    }

    fn observe(&mut self, event: &Event) {
        for phase in &mut self.left {
            phase.observe(event);
        }
    }
}

/// What `make` returns, and when that is done again, up to `times` times or for ever. `make` gets
/// the number of the round, from 0. Ends early if a round gives no operation and takes no time,
/// because then all further ones would.
pub fn repeat<G, F>(times: Option<u64>, make: F) -> Repeat<G, F>
where
    G: Generator,
    F: FnMut(u64) -> G + Send,
{
    Repeat { make, round: 0, times, current: None, fresh: true }
}

/// See [`repeat`].
#[derive(Debug)]
pub struct Repeat<G, F> {
    make: F,
    round: u64,
    times: Option<u64>,
    current: Option<G>,
    /// Whether the current round has done nothing yet.
    fresh: bool,
}

impl<G: Generator, F: FnMut(u64) -> G + Send> Generator for Repeat<G, F> {
    fn next(&mut self, context: &Context<'_>) -> Next {
        while self.times.is_none_or(|times| self.round < times) {
            let round = self.round;
            let current = self.current.get_or_insert_with(|| (self.make)(round));
            match current.next(context) {
                Next::Done => {
                    self.current = None;
                    self.round += 1;
                    if self.fresh {
                        self.times = Some(0);
                    }
                    self.fresh = true;
                }
                next => {
                    self.fresh = false;
                    return next;
                }
            }
        }
        Next::Done
    }

    fn observe(&mut self, event: &Event) {
        if let Some(current) = &mut self.current {
            current.observe(event);
        }
    }
}
