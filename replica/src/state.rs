//! The registers: what applying the log makes.

use std::collections::BTreeMap;

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

/// All registers that were ever written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct State {
    cells: BTreeMap<i64, Cell>,
}

impl State {
    /// A register, if it was ever written.
    #[must_use]
    pub fn get(&self, key: i64) -> Option<Cell> {
        self.cells.get(&key).copied()
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
        }
    }
}
