//! The registers, sets, lists and locks: what applying the log makes.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::transaction::View;
use crate::{Outcome, Version, Writes, log::Operation};

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

/// A list's elements and the log entry that appended the last of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCell {
    /// The elements, in order.
    pub elements: Vec<i64>,
    /// The entry that changed it last.
    pub version: Version,
}

/// All registers that were ever written, all sets and lists, and the locks that are held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    cells: BTreeMap<i64, Cell>,
    sets: BTreeMap<i64, SetCell>,
    lists: BTreeMap<i64, ListCell>,
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

    /// A list, if it was ever appended to.
    #[must_use]
    pub fn list(&self, key: i64) -> Option<&ListCell> {
        self.lists.get(&key)
    }

    /// Applies one log entry: what its client is told, and the version that goes with it.
    pub(crate) fn apply(
        &mut self,
        version: Version,
        operation: &Operation,
    ) -> (Outcome, Option<Version>) {
        match *operation {
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
            Operation::Transaction(ref steps) => {
                let view = View { state: self, dirty: Vec::new() };
                let Some((writes, found)) = view.run(steps) else {
                    return (Outcome::Mismatch, None);
                };
                self.install(version, &writes);
                (Outcome::Committed(found), Some(version))
            }
            Operation::Commit { snapshot: Some(snapshot), ref writes }
                if self.changed_since(snapshot, writes) =>
            {
                (Outcome::Conflict, None)
            }
            Operation::Commit { ref writes, .. } => {
                self.install(version, writes);
                (Outcome::Written, Some(version))
            }
        }
    }

    /// Whether a register or list that a transaction writes has changed since its snapshot.
    fn changed_since(&self, snapshot: u64, writes: &Writes) -> bool {
        let registers = writes.registers.keys().filter_map(|key| self.cells.get(key));
        let lists = writes.appended.keys().filter_map(|key| self.lists.get(key));
        let versions = registers.map(|it| it.version).chain(lists.map(|it| it.version));
        versions.map(|version| version.position).any(|position| position > snapshot)
    }

    fn install(&mut self, version: Version, writes: &Writes) {
        for (&key, &value) in &writes.registers {
            self.cells.insert(key, Cell { value, version });
        }
        for (&key, elements) in &writes.appended {
            let list = self.lists.entry(key).or_default();
            list.elements.extend(elements);
            list.version = version;
        }
        for (&key, elements) in &writes.added {
            let set = self.sets.entry(key).or_default();
            set.elements.extend(elements);
            set.version = version;
        }
    }
}
