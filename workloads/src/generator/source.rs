//! Where operations come from: the leaves of a generator.

use std::collections::VecDeque;

use perjury_history::MicroOp;
use rand_pcg::Pcg64;

use super::{Context, Generator, Next};

/// Endlessly what `make` returns, each for a random free process.
pub fn operations<F>(rng: Pcg64, make: F) -> Operations<F>
where
    F: FnMut(&mut Pcg64) -> Vec<MicroOp> + Send,
{
    Operations { rng, make }
}

/// See [`operations`].
#[derive(Debug)]
pub struct Operations<F> {
    rng: Pcg64,
    make: F,
}

impl<F: FnMut(&mut Pcg64) -> Vec<MicroOp> + Send> Generator for Operations<F> {
    fn next(&mut self, context: &Context<'_>) -> Next {
        match context.pick(&mut self.rng) {
            None => Next::WAIT,
            Some(free) => context.invoke(free, (self.make)(&mut self.rng)),
        }
    }
}

/// Each of `operations` once, in order, as processes become free.
pub fn list(operations: impl IntoIterator<Item = Vec<MicroOp>>) -> List {
    List { left: operations.into_iter().collect(), last_thread: None }
}

/// One operation, once.
pub fn once(micro_ops: Vec<MicroOp>) -> List {
    list([micro_ops])
}

/// Nothing at all.
pub fn nothing() -> List {
    list([])
}

/// See [`list`].
#[derive(Debug)]
pub struct List {
    left: VecDeque<Vec<MicroOp>>,
    last_thread: Option<u32>,
}

impl Generator for List {
    fn next(&mut self, context: &Context<'_>) -> Next {
        if self.left.is_empty() {
            return Next::Done;
        }
        let Some(free) = context.after(self.last_thread) else { return Next::WAIT };
        self.last_thread = Some(free.thread);
        self.left.pop_front().map_or(Next::Done, |micro_ops| context.invoke(free, micro_ops))
    }
}
