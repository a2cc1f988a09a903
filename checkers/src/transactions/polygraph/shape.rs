//! Which edges of a polygraph count at a level, and between which states (see `relation`).

use crate::Isolation;
use crate::transactions::graph::Graph;
use crate::transactions::relation::Relation;

/// How a level is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) relation: Relation,
    pub(super) anti: Anti,
    /// Whether an anti-dependency may follow a `ww`.
    pub(super) ww_followed: bool,
}

/// What anti-dependencies are to a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anti {
    /// Edges like others.
    Edges,
    /// Edges that may only follow others.
    Following,
    /// No edges; but none may be closed to a cycle.
    Closing,
}

impl Shape {
    pub(super) fn of(level: Isolation) -> Self {
        let (relation, anti) = match level {
            Isolation::Prefix | Isolation::SnapshotIsolation => (level, Anti::Following),
            Isolation::ParallelSnapshotIsolation => (Isolation::ReadCommitted, Anti::Closing),
            _ => (level, Anti::Edges),
        };
        let relation = Relation::of(relation).expect("a level of cycles");
        Self { relation, anti, ww_followed: level == Isolation::SnapshotIsolation }
    }

    pub(super) fn states(self, graph: &Graph) -> usize {
        self.relation.states(graph)
    }

    /// The state that a `ww` or `wr` out of a transaction leaves from, and any edge arrives at.
    pub(super) fn entry(self, transaction: u32) -> u32 {
        self.relation.entry(transaction)
    }

    /// The state that an anti-dependency leaves from.
    pub(super) fn anti_exit(self, transaction: u32) -> u32 {
        self.relation.exit(transaction, self.anti == Anti::Following)
    }

    /// The second state that a dependency arrives at, if an anti-dependency may follow.
    pub(super) fn followed_entry(self, transaction: u32) -> Option<u32> {
        let entry = self.relation.exit(transaction, true);
        (entry != self.entry(transaction)).then_some(entry)
    }
}
