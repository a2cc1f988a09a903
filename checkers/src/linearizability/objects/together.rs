//! All keys of a history as one object, for whoever wants to know what splitting by key saves.

use std::collections::BTreeMap;

use perjury_history::{Key, Names, Operation};

use crate::linearizability::object::{SequentialObject, Unfit};

/// An object for each key, all of them decided together. The verdict is the same as key by key
/// (locality), only later.
#[derive(Clone, Copy, Debug, Default)]
pub struct Together<M>(pub M);

impl<M: SequentialObject> SequentialObject for Together<M> {
    /// What those objects hold that were changed.
    type State = BTreeMap<Key, M::State>;
    type Operation = (Key, M::Operation);

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn operation(&self, asked: &Operation<'_>) -> Result<Option<Self::Operation>, Unfit> {
        let key = asked.single().ok_or(Unfit)?.key();
        Ok(self.0.operation(asked)?.map(|operation| (key, operation)))
    }

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(&self, state: &Self::State, operation: &Self::Operation) -> Option<Self::State> {
        let (key, operation) = operation;
        let next = match state.get(key) {
            Some(held) => self.0.step(held, operation),
            None => self.0.step(&self.0.initial(), operation),
        };
        next.map(|next| {
            let mut state = state.clone();
            state.insert(*key, next);
            state
        })
    }

    fn apply(&self, state: &mut Self::State, (key, operation): &Self::Operation) -> bool {
        if let Some(held) = state.get_mut(key) {
            return self.0.apply(held, operation);
        }
        let mut held = self.0.initial();
        let is_possible = self.0.apply(&mut held, operation);
        if is_possible {
            state.insert(*key, held);
        }
        is_possible
    }

    fn unknown_steps(
        &self,
        state: &Self::State,
        operation: &Self::Operation,
        each: &mut dyn FnMut(Self::State),
    ) {
        let (key, operation) = operation;
        let held = state.get(key).cloned().unwrap_or_else(|| self.0.initial());
        self.0.unknown_steps(&held, operation, &mut |next| {
            let mut state = state.clone();
            state.insert(*key, next);
            each(state);
        });
    }

    fn describe(&self, state: &Self::State, names: &Names) -> String {
        let held = |(key, held): (&Key, &M::State)| {
            format!("{}: {}", names.show(*key), self.0.describe(held, names))
        };
        state.iter().map(held).collect::<Vec<_>>().join(", ")
    }

    fn spans_keys(&self) -> bool {
        true
    }

    fn part(&self, (key, _): &Self::Operation) -> Key {
        *key
    }

    fn observes_only(&self, (_, operation): &Self::Operation) -> bool {
        self.0.observes_only(operation)
    }

    fn is_as_able(&self, one: &Self::Operation, other: &Self::Operation) -> bool {
        one.0 == other.0 && self.0.is_as_able(&one.1, &other.1)
    }

    fn grows(&self) -> bool {
        self.0.grows()
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.values().map(|held| 48 + size_of::<M::State>() + self.0.heap_bytes(held)).sum()
    }
}
