//! A violation and its evidence.

use std::fmt;

use perjury_history::{Key, OperationId};
use serde::{Deserialize, Serialize};

use crate::Model;

/// What went wrong, by the field's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnomalyKind {
    /// No order of the operations explains what the clients saw.
    Nonlinearizable,
    /// A session missed its own write.
    ReadYourWrites,
    /// A session's reads went back to an older version.
    MonotonicReads,
    /// A session's writes took effect in another order than it issued them.
    MonotonicWrites,
    /// A session's write was ordered before a write that it had read.
    WritesFollowReads,
    /// A write was acknowledged and is gone.
    LostWrite,
    /// Two nodes accepted writes at once.
    TwoLeaders,
    /// Replicas hold different values after a quiet period.
    Divergence,
    /// A read missed what was certainly there before it began.
    StaleRead,
    /// Something was found that nobody had written, or whose write had failed.
    UnexpectedValue,
    /// An element was found twice in one set.
    DuplicateElement,
    /// Two clients held a lock at once.
    TwoHolders,
    /// Two acquisitions of a lock brought the same token.
    RepeatedToken,
    /// A later acquisition of a lock brought a smaller token.
    TokenOrder,
}

impl AnomalyKind {
    /// Every kind.
    pub const ALL: [AnomalyKind; 14] = [
        AnomalyKind::Nonlinearizable,
        AnomalyKind::ReadYourWrites,
        AnomalyKind::MonotonicReads,
        AnomalyKind::MonotonicWrites,
        AnomalyKind::WritesFollowReads,
        AnomalyKind::LostWrite,
        AnomalyKind::TwoLeaders,
        AnomalyKind::Divergence,
        AnomalyKind::StaleRead,
        AnomalyKind::UnexpectedValue,
        AnomalyKind::DuplicateElement,
        AnomalyKind::TwoHolders,
        AnomalyKind::RepeatedToken,
        AnomalyKind::TokenOrder,
    ];

    /// The name in campaign files, results and reports.
    pub fn name(self) -> &'static str {
        match self {
            AnomalyKind::Nonlinearizable => "nonlinearizable",
            AnomalyKind::ReadYourWrites => "read-your-writes",
            AnomalyKind::MonotonicReads => "monotonic-reads",
            AnomalyKind::MonotonicWrites => "monotonic-writes",
            AnomalyKind::WritesFollowReads => "writes-follow-reads",
            AnomalyKind::LostWrite => "lost-write",
            AnomalyKind::TwoLeaders => "two-leaders",
            AnomalyKind::Divergence => "divergence",
            AnomalyKind::StaleRead => "stale-read",
            AnomalyKind::UnexpectedValue => "unexpected-value",
            AnomalyKind::DuplicateElement => "duplicate-element",
            AnomalyKind::TwoHolders => "two-holders",
            AnomalyKind::RepeatedToken => "repeated-token",
            AnomalyKind::TokenOrder => "token-order",
        }
    }

    /// The model that it rules out.
    pub fn rules_out(self) -> Model {
        match self {
            AnomalyKind::Nonlinearizable | AnomalyKind::StaleRead => Model::Linearizable,
            AnomalyKind::ReadYourWrites => Model::ReadYourWrites,
            AnomalyKind::MonotonicReads => Model::MonotonicReads,
            AnomalyKind::MonotonicWrites => Model::MonotonicWrites,
            AnomalyKind::WritesFollowReads => Model::WritesFollowReads,
            AnomalyKind::LostWrite => Model::Durable,
            AnomalyKind::TwoLeaders => Model::SingleLeader,
            AnomalyKind::Divergence => Model::Convergent,
            AnomalyKind::UnexpectedValue | AnomalyKind::DuplicateElement => Model::Integrity,
            AnomalyKind::TwoHolders => Model::MutualExclusion,
            AnomalyKind::RepeatedToken | AnomalyKind::TokenOrder => Model::Fencing,
        }
    }
}

impl fmt::Display for AnomalyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One violation, with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// What went wrong.
    pub kind: AnomalyKind,
    /// The object it happened to, if it is one.
    pub key: Option<Key>,
    /// What happened, in a sentence or two for people: names the operations, nodes and times.
    pub explanation: String,
    /// The operations that prove it.
    pub witness: Witness,
}

/// The operations that prove an anomaly: enough of them, and as few as the checker could find.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// In order of invocation.
    pub operations: Vec<WitnessOperation>,
    /// What must come before what, and why, where that is the proof.
    pub edges: Vec<Edge>,
    /// What else might have been, each with why it was not, where that is the proof.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub possibilities: Vec<String>,
}

impl Witness {
    /// These operations, in the order that matters.
    pub(crate) fn of(operations: Vec<WitnessOperation>, edges: Vec<Edge>) -> Self {
        Self { operations, edges, possibilities: Vec::new() }
    }
}

/// An operation's part in a witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessOperation {
    /// The operation.
    pub operation: OperationId,
    /// Its part in the story, in a few words: `the acknowledged write`, `read an older value`.
    pub role: String,
}

/// `from` comes before `to`, and why that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The earlier operation.
    pub from: OperationId,
    /// The later operation.
    pub to: OperationId,
    /// The observation that shows it.
    pub reason: String,
}
