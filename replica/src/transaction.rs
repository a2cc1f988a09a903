//! Transactions: what their steps do to what they see.
//!
//! A transaction is known in full when it begins. Its writes are gathered in [`Writes`] and change
//! nothing until they are applied, all at once; its own reads see them. What else its reads see,
//! and when, is the isolation level's to decide ([`Isolation`](crate::Isolation)).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::State;

/// One step of a transaction. Registers, lists and sets of the same key are different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// A register's value.
    Read {
        /// Which register.
        key: i64,
    },
    /// Sets a register.
    Write {
        /// Which register.
        key: i64,
        /// Its new value.
        value: i64,
    },
    /// Adds to a register; one never written counts as 0.
    Increment {
        /// Which register.
        key: i64,
        /// By how much.
        delta: i64,
    },
    /// A list's elements, in order.
    ReadList {
        /// Which list.
        key: i64,
    },
    /// Puts an element at the end of a list.
    Append {
        /// Which list.
        key: i64,
        /// The element.
        element: i64,
    },
    /// A set's elements.
    ReadSet {
        /// Which set.
        key: i64,
    },
    /// Adds an element to a set. Elements are rows of their own: two adds never conflict.
    Add {
        /// Which set.
        key: i64,
        /// The element.
        element: i64,
    },
    /// Takes from one register and adds to another, if both were written and the first holds
    /// enough; else the transaction fails.
    Transfer {
        /// The register it takes from.
        from: i64,
        /// The register it adds to.
        to: i64,
        /// How much.
        amount: i64,
    },
}

impl Step {
    /// Whether it changes anything.
    #[must_use]
    pub fn is_mutation(&self) -> bool {
        !matches!(self, Step::Read { .. } | Step::ReadList { .. } | Step::ReadSet { .. })
    }

    /// The registers that it writes.
    pub(crate) fn registers_written(&self) -> impl Iterator<Item = i64> + use<> {
        let [one, other] = match *self {
            Step::Write { key, .. } | Step::Increment { key, .. } => [Some(key), None],
            Step::Transfer { from, to, .. } => [Some(from), Some(to)],
            _ => [None, None],
        };
        one.into_iter().chain(other)
    }

    /// Whether what it writes depends on what it reads.
    pub(crate) fn reads_and_writes(&self) -> bool {
        matches!(self, Step::Increment { .. } | Step::Transfer { .. })
    }
}

/// What a step brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// It only wrote.
    Nothing,
    /// A register's value.
    Register(Option<i64>),
    /// A list's elements, in order.
    List(Arc<[i64]>),
    /// A set's elements, ascending.
    Set(Arc<[i64]>),
}

/// What a transaction writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writes {
    /// The new values of registers.
    pub registers: BTreeMap<i64, i64>,
    /// What is put at the end of lists.
    pub appended: BTreeMap<i64, Vec<i64>>,
    /// What is added to sets.
    pub added: BTreeMap<i64, BTreeSet<i64>>,
}

impl Writes {
    /// Whether nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.registers.is_empty() && self.appended.is_empty() && self.added.is_empty()
    }

    /// Whether both write the same register or list.
    pub(crate) fn overlaps(&self, other: &Writes) -> bool {
        self.registers.keys().any(|key| other.registers.contains_key(key))
            || self.appended.keys().any(|key| other.appended.contains_key(key))
    }
}

/// What the steps of a transaction see, but for its own writes.
pub(crate) struct View<'a> {
    pub(crate) state: &'a State,
    /// What others have written and not yet committed; empty but for dirty reads.
    pub(crate) dirty: Vec<&'a Writes>,
}

impl View<'_> {
    /// Does a step; `None` if a transfer must fail.
    pub(crate) fn step(&self, writes: &mut Writes, step: Step) -> Option<Found> {
        match step {
            Step::Read { key } => return Some(Found::Register(self.register(writes, key))),
            Step::ReadList { key } => return Some(Found::List(self.list(writes, key))),
            Step::ReadSet { key } => return Some(Found::Set(self.set(writes, key))),
            Step::Write { key, value } => {
                writes.registers.insert(key, value);
            }
            Step::Increment { key, delta } => {
                let before = self.register(writes, key).unwrap_or(0);
                writes.registers.insert(key, before.wrapping_add(delta));
            }
            Step::Append { key, element } => {
                writes.appended.entry(key).or_default().push(element);
            }
            Step::Add { key, element } => {
                writes.added.entry(key).or_default().insert(element);
            }
            Step::Transfer { from, to, amount } => {
                let held = self.register(writes, from).filter(|held| *held >= amount)?;
                writes.registers.insert(from, held.wrapping_sub(amount));
                let held = self.register(writes, to)?;
                writes.registers.insert(to, held.wrapping_add(amount));
            }
        }
        Some(Found::Nothing)
    }

    /// Does all steps at once; `None` if a transfer must fail.
    pub(crate) fn run(&self, steps: &[Step]) -> Option<(Writes, Arc<[Found]>)> {
        let mut writes = Writes::default();
        let found: Option<_> = steps.iter().map(|step| self.step(&mut writes, *step)).collect();
        Some((writes, found?))
    }

    fn register(&self, own: &Writes, key: i64) -> Option<i64> {
        let dirty = || self.dirty.iter().find_map(|it| it.registers.get(&key));
        let written = own.registers.get(&key).or_else(dirty).copied();
        written.or_else(|| self.state.get(key).map(|cell| cell.value))
    }

    fn list(&self, own: &Writes, key: i64) -> Arc<[i64]> {
        let held = self.state.list(key).into_iter().flat_map(|list| &list.elements);
        let all = self.dirty.iter().copied().chain([own]);
        held.chain(all.filter_map(|it| it.appended.get(&key)).flatten()).copied().collect()
    }

    fn set(&self, own: &Writes, key: i64) -> Arc<[i64]> {
        let held = self.state.set(key).into_iter().flat_map(|set| &set.elements);
        let all = self.dirty.iter().copied().chain([own]);
        let elements: BTreeSet<i64> =
            held.chain(all.filter_map(|it| it.added.get(&key)).flatten()).copied().collect();
        elements.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_sees_its_own_writes_and_a_transfer_needs_two_accounts() {
        let state = State::default();
        let view = View { state: &state, dirty: vec![] };
        let steps = [
            Step::Write { key: 1, value: 5 },
            Step::Transfer { from: 1, to: 1, amount: 5 },
            Step::Increment { key: 1, delta: 2 },
            Step::Read { key: 1 },
            Step::Append { key: 1, element: 8 },
            Step::ReadList { key: 1 },
            Step::Add { key: 1, element: 9 },
            Step::ReadSet { key: 1 },
        ];
        let (writes, found) = view.run(&steps).expect("nothing fails");
        assert_eq!(writes.registers[&1], 7, "money that goes nowhere stays");
        assert_eq!(found[3], Found::Register(Some(7)));
        assert_eq!(found[5], Found::List([8].into()));
        assert_eq!(found[7], Found::Set([9].into()));
        let overdraft = [steps[0], Step::Transfer { from: 1, to: 1, amount: 6 }];
        assert_eq!(view.run(&overdraft), None);
        let nobody = [steps[0], Step::Transfer { from: 1, to: 2, amount: 1 }];
        assert_eq!(view.run(&nobody), None);
    }
}
