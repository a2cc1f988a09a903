//! What a node keeps on its disk, and what it makes of it after a restart.
//!
//! The disk is a sequence of [`Record`]s. A crash may lose any number of them from the end, but
//! none that was written before an answered [`Effect::Sync`](crate::Effect::Sync).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Entry, NodeId, Snapshot, log::Log};

/// One record on a node's disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// The node is in this epoch, and voted in it for this candidate, if any.
    Epoch {
        /// The epoch.
        epoch: u64,
        /// The vote.
        voted_for: Option<NodeId>,
    },
    /// The log from `position` on is this, whatever was there before.
    Append {
        /// The position of the first entry.
        position: u64,
        /// The entries.
        entries: Arc<[Entry]>,
    },
    /// The log up to the snapshot's position is this; nothing before this record matters to it.
    Snapshot(Arc<Snapshot>),
    /// The node has left the cluster (`rejoin = "refuse"`).
    Out,
}

/// What the records amount to.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) epoch: u64,
    pub(crate) voted_for: Option<NodeId>,
    pub(crate) log: Log,
    pub(crate) out: bool,
}

impl Recovered {
    /// Reads the disk from its beginning. Entries that do not join what is there already can only
    /// come from a damaged disk; they are left out.
    pub(crate) fn read(disk: Vec<Record>) -> Self {
        let mut recovered = Self::default();
        for record in disk {
            match record {
                Record::Epoch { epoch, voted_for } => {
                    recovered.epoch = epoch;
                    recovered.voted_for = voted_for;
                }
                Record::Append { position, entries } => {
                    let log = &mut recovered.log;
                    if position <= log.snapshot().position || position > log.last_position() + 1 {
                        continue;
                    }
                    log.truncate_from(position);
                    for entry in entries.iter() {
                        log.append(entry.clone());
                    }
                }
                Record::Snapshot(snapshot) => recovered.log.reset(snapshot),
                Record::Out => recovered.out = true,
            }
        }
        let last = recovered.log.last().epoch;
        if last > recovered.epoch {
            recovered.epoch = last;
            recovered.voted_for = None;
        }
        recovered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Operation, Version};

    fn append(position: u64, epochs: &[u64]) -> Record {
        let entry = |&epoch| Entry { epoch, operation: Operation::Begin };
        Record::Append { position, entries: epochs.iter().map(entry).collect() }
    }

    #[test]
    fn an_append_replaces_what_was_behind_it() {
        let disk = vec![
            Record::Epoch { epoch: 1, voted_for: Some(0) },
            append(1, &[1, 1, 1]),
            Record::Epoch { epoch: 2, voted_for: None },
            append(2, &[2]),
            append(9, &[2]),
        ];
        let recovered = Recovered::read(disk);
        assert_eq!(recovered.log.last(), Version { epoch: 2, position: 2 });
        assert_eq!((recovered.epoch, recovered.voted_for), (2, None));
    }
}
