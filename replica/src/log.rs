//! The replicated log: a snapshot of its beginning, then entries.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{State, Version};

/// What a log entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Nothing: the first entry of every leader. Committing it commits all before it, and it makes
    /// a diverged log collide with the leader's at once.
    Begin,
    /// Sets a register.
    Write {
        /// Which.
        key: i64,
        /// To what.
        value: i64,
    },
    /// Sets a register if it holds `old`.
    Cas {
        /// Which.
        key: i64,
        /// The value compared with.
        old: i64,
        /// The value set.
        new: i64,
    },
}

/// One entry of the log; its position is where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The epoch of the leader that wrote it.
    pub epoch: u64,
    /// What it does.
    pub operation: Operation,
}

/// The effect of the log up to a position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Up to where.
    pub position: u64,
    /// The epochs of the entries it stands for: (epoch, its first position), by position.
    pub lineage: Vec<(u64, u64)>,
    /// The registers.
    pub state: State,
}

/// Positions are from 1; `snapshot` stands for the first ones, `entries` for the rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    snapshot: Arc<Snapshot>,
    entries: VecDeque<Entry>,
    /// The epochs of the whole log, as in [`Snapshot::lineage`]: one run of positions per epoch.
    lineage: Vec<(u64, u64)>,
}

impl Log {
    pub(crate) fn last(&self) -> Version {
        let position = self.snapshot.position + self.entries.len() as u64;
        Version { epoch: self.lineage.last().map_or(0, |run| run.0), position }
    }
}
