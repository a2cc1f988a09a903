//! What a node keeps on its disk, and what it makes of it after a restart.
//!
//! The disk is a sequence of [`Record`]s. A crash may lose any number of them from the end, but
//! none that was written before an answered [`Effect::Sync`](crate::Effect::Sync).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Entry, NodeId, Snapshot};

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
