//! The registers, sets and locks: what applying the log makes.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Outcome, Version, log::Operation};

/// A register's value and the log entry that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The value.
    pub value: i64,
    /// The entry that wrote it.
    pub version: Version,
}

/// A set's elements and the log entry that added the last of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetCell {
    /// The elements.
    pub elements: BTreeSet<i64>,
    /// The entry that changed it last.
    pub version: Version,
}

/// All registers that were ever written, all sets, and the locks that are held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    cells: BTreeMap<i64, Cell>,
    sets: BTreeMap<i64, SetCell>,
    /// The token of each holder: the position of the entry that gave it the lock. Along one log
    /// positions grow, which is all that fencing asks for.
    locks: BTreeMap<i64, i64>,
}

impl State {
    /// A register, if it was ever written.
    #[must_use]
    pub fn get(&self, key: i64) -> Option<Cell> {
        self.cells.get(&key).copied()
    }

    /// A set, if it was ever added to.
    #[must_use]
    pub fn set(&self, key: i64) -> Option<&SetCell> {
        self.sets.get(&key)
    }

    /// Applies one log entry: what its client is told, and the version that goes with it.
    pub(crate) fn apply(
        &mut self,
        version: Version,
        operation: Operation,
    ) -> (Outcome, Option<Version>) {
        match operation {
            Operation::Begin => (Outcome::Written, None),
            Operation::Write { key, value } => {
                self.cells.insert(key, Cell { value, version });
                (Outcome::Written, Some(version))
            }
            Operation::Cas { key, old, new } => match self.cells.get_mut(&key) {
                Some(cell) if cell.value == old => {
                    *cell = Cell { value: new, version };
                    (Outcome::Written, Some(version))
                }
                cell => (Outcome::Mismatch, cell.map(|cell| cell.version)),
            },
            Operation::Increment { key, delta } => {
                let before = self.get(key).map_or(0, |cell| cell.value);
                self.cells.insert(key, Cell { value: before.wrapping_add(delta), version });
                (Outcome::Written, Some(version))
            }
            Operation::Add { key, element } => {
                let set = self.sets.entry(key).or_default();
                set.elements.insert(element);
                set.version = version;
                (Outcome::Written, Some(version))
            }
            Operation::Acquire { key } => match self.locks.entry(key) {
                Entry::Occupied(_) => (Outcome::Mismatch, None),
                Entry::Vacant(free) => {
                    let token = *free.insert(version.position as i64);
                    (Outcome::Acquired(token), Some(version))
                }
            },
            Operation::Release { key, token } => match self.locks.entry(key) {
                Entry::Occupied(held) if *held.get() == token => {
                    held.remove();
                    (Outcome::Written, Some(version))
                }
                _ => (Outcome::Mismatch, None),
            },
        }
    }
}
