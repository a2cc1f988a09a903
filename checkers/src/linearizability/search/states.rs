//! What an object may hold, each state once: a configuration then carries a number.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// States by number. Numbers are given anew when [`keep`](Self::keep) drops states.
#[derive(Debug)]
pub(super) struct States<S> {
    states: Vec<S>,
    numbers: FxHashMap<S, u32>,
    /// Bytes that the states hold beside themselves, twice: once here, once as a key.
    heap_bytes: usize,
}

impl<S: Clone + Eq + Hash> States<S> {
    pub(super) fn new() -> Self {
        Self { states: Vec::new(), numbers: FxHashMap::default(), heap_bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    pub(super) fn get(&self, number: u32) -> &S {
        &self.states[number as usize]
    }

    pub(super) fn number(&mut self, state: S, heap_bytes: impl Fn(&S) -> usize) -> u32 {
        if let Some(&number) = self.numbers.get(&state) {
            return number;
        }
        let number = self.states.len() as u32;
        self.heap_bytes += 2 * heap_bytes(&state);
        self.states.push(state.clone());
        self.numbers.insert(state, number);
        number
    }

    /// Drops all but those that are `live`, and gives these the numbers that stand in `live` then.
    pub(super) fn keep<'a>(
        &mut self,
        live: impl Iterator<Item = &'a mut u32>,
        heap_bytes: impl Fn(&S) -> usize,
    ) {
        let mut kept = States::new();
        for number in live {
            *number = kept.number(self.get(*number).clone(), &heap_bytes);
        }
        *self = kept;
    }

    pub(super) fn bytes(&self) -> usize {
        let entry = size_of::<(S, u32)>() + 1;
        self.states.capacity() * size_of::<S>()
            + self.numbers.capacity() * 8 / 7 * entry
            + self.heap_bytes
    }
}
