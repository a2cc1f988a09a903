//! The replicated log: a snapshot of its beginning, then entries.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{State, Step, Version, Writes};

/// What a log entry does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Adds to a register.
    Increment {
        /// Which.
        key: i64,
        /// By how much.
        delta: i64,
    },
    /// Adds an element to a set.
    Add {
        /// Which.
        key: i64,
        /// The element.
        element: i64,
    },
    /// Takes a lock that is free.
    Acquire {
        /// Which.
        key: i64,
    },
    /// Frees a lock that is held with this token.
    Release {
        /// Which.
        key: i64,
        /// The token.
        token: i64,
    },
    /// A whole transaction: it reads and writes where it stands in the log.
    Transaction(Arc<[Step]>),
    /// What a transaction writes that has read before.
    Commit {
        /// If what it writes must not have changed since this position.
        snapshot: Option<u64>,
        /// What it writes.
        writes: Arc<Writes>,
    },
}

/// One entry of the log; its position is where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The registers, sets, lists and locks.
    pub state: State,
}

/// The log of one node. Positions are from 1; `snapshot` stands for the first ones, `entries` for the rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    snapshot: Arc<Snapshot>,
    entries: VecDeque<Entry>,
    /// The epochs of the whole log, as in [`Snapshot::lineage`]: one run of positions per epoch.
    lineage: Vec<(u64, u64)>,
}

impl Snapshot {
    /// The epoch of the entry at a position it stands for; 0 for position 0.
    pub(crate) fn epoch_at(&self, position: u64) -> u64 {
        epoch_at(&self.lineage, position)
    }
}

impl Log {
    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// How many entries are not in the snapshot.
    pub(crate) fn kept(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The end; the default version if the log is empty.
    pub(crate) fn last(&self) -> Version {
        let position = self.last_position();
        Version { epoch: self.lineage.last().map_or(0, |run| run.0), position }
    }

    pub(crate) fn last_position(&self) -> u64 {
        self.snapshot.position + self.kept()
    }

    /// The version at a position that is at most the last; position 0 has the default version.
    pub(crate) fn version_at(&self, position: u64) -> Version {
        debug_assert!(position <= self.last_position(), "position {position} is past the end");
        Version { epoch: epoch_at(&self.lineage, position), position }
    }

    /// Whether the log has exactly this entry, compacted or not.
    pub(crate) fn contains(&self, version: Version) -> bool {
        version.position <= self.last_position() && self.version_at(version.position) == version
    }

    /// The first position of the stretch of entries of one epoch that `position` is in.
    pub(crate) fn run_start(&self, position: u64) -> u64 {
        self.lineage[..run_count(&self.lineage, position)].last().map_or(1, |run| run.1)
    }

    /// The entry at a position behind the snapshot.
    pub(crate) fn entry(&self, position: u64) -> Option<&Entry> {
        let index = position.checked_sub(self.snapshot.position + 1)?;
        self.entries.get(usize::try_from(index).ok()?)
    }

    /// The entries from `first` (behind the snapshot) up to and including `last`.
    pub(crate) fn range(&self, first: u64, last: u64) -> Arc<[Entry]> {
        let skipped = self.snapshot.position + 1;
        debug_assert!(first >= skipped, "position {first} is compacted");
        let last = last.min(self.last_position());
        if first > last {
            return Arc::default();
        }
        let range = (first - skipped) as usize..(last + 1 - skipped) as usize;
        self.entries.range(range).cloned().collect()
    }

    /// Appends an entry and gives its position.
    pub(crate) fn append(&mut self, entry: Entry) -> u64 {
        let position = self.last_position() + 1;
        if self.lineage.last().is_none_or(|run| run.0 != entry.epoch) {
            self.lineage.push((entry.epoch, position));
        }
        self.entries.push_back(entry);
        position
    }

    /// Drops the entries from `position` (behind the snapshot) on.
    pub(crate) fn truncate_from(&mut self, position: u64) {
        debug_assert!(position > self.snapshot.position, "position {position} is compacted");
        self.entries.truncate((position - self.snapshot.position - 1) as usize);
        self.lineage.truncate(run_count(&self.lineage, position - 1));
    }

    /// Moves the entries up to `position` into the snapshot.
    pub(crate) fn compact(&mut self, position: u64) {
        let count = position.saturating_sub(self.snapshot.position).min(self.kept());
        let snapshot = Arc::make_mut(&mut self.snapshot);
        for entry in self.entries.drain(..count as usize) {
            snapshot.position += 1;
            let version = Version { epoch: entry.epoch, position: snapshot.position };
            snapshot.state.apply(version, &entry.operation);
        }
        snapshot.lineage = self.lineage[..run_count(&self.lineage, snapshot.position)].to_vec();
    }

    /// Replaces everything.
    pub(crate) fn reset(&mut self, snapshot: Arc<Snapshot>) {
        self.entries.clear();
        self.lineage.clone_from(&snapshot.lineage);
        self.snapshot = snapshot;
    }
}

/// How many stretches begin at or before a position.
fn run_count(lineage: &[(u64, u64)], position: u64) -> usize {
    // Nearly always it is the newest.
    if lineage.last().is_some_and(|run| run.1 <= position) {
        return lineage.len();
    }
    lineage.partition_point(|run| run.1 <= position)
}

fn epoch_at(lineage: &[(u64, u64)], position: u64) -> u64 {
    lineage[..run_count(lineage, position)].last().map_or(0, |run| run.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(epochs: &[u64]) -> Log {
        let mut log = Log::default();
        for (value, &epoch) in (0..).zip(epochs) {
            log.append(Entry { epoch, operation: Operation::Write { key: 0, value } });
        }
        log
    }

    #[test]
    fn versions_survive_compaction_and_truncation() {
        let mut log = log(&[1, 1, 1, 3, 3, 4]);
        log.compact(4);
        assert_eq!(log.kept(), 2);
        let epochs: Vec<_> = (0..=6).map(|position| log.version_at(position).epoch).collect();
        assert_eq!(epochs, [0, 1, 1, 1, 3, 3, 4]);
        assert_eq!(log.run_start(5), 4);
        assert_eq!(log.snapshot().state.get(0).map(|cell| cell.value), Some(3));
        log.truncate_from(5);
        assert_eq!(log.last(), Version { epoch: 3, position: 4 });
        assert!(log.contains(Version { epoch: 1, position: 2 }));
        assert!(!log.contains(Version { epoch: 4, position: 6 }));
        assert_eq!(log.range(5, 9).len(), 0);
    }

    #[test]
    fn the_range_is_clipped_to_the_end() {
        let log = log(&[1, 2, 2]);
        assert_eq!(log.range(2, 100).len(), 2);
        assert_eq!(log.range(4, 100).len(), 0);
        assert_eq!(log.entry(0), None);
        assert_eq!(log.entry(3).map(|entry| entry.epoch), Some(2));
        assert_eq!(log.entry(4), None);
    }
}
