//! What clients ask and what they are told.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Found, NodeId, Step};

/// One client: a logical thread of control with at most one request outstanding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub u64);

/// A place in the replicated log: which epoch's leader wrote the entry, and where.
///
/// Two logs that hold the same version hold the same entries up to it (unless
/// `rejoin = "keep"`). Versions of one lineage are ordered by position, and of several lineages
/// the later epoch is the newer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Version {
    /// The epoch in which the entry was written.
    pub epoch: u64,
    /// Its position in the log, from 1; 0 is before the first.
    pub position: u64,
}

/// What a client wants done to a register, a set or a lock, or in a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// The value, by the read route of the settings.
    Read {
        /// Which register.
        key: i64,
    },
    /// Sets the value.
    Write {
        /// Which register.
        key: i64,
        /// Its new value.
        value: i64,
    },
    /// Sets the value if it is what the client expects.
    Cas {
        /// Which register.
        key: i64,
        /// What it must hold (a register never written holds nothing, and no comparison holds).
        old: i64,
        /// What it then holds.
        new: i64,
    },
    /// The value that this very node holds, whatever the read route and the node's role: for
    /// final reads that compare replicas.
    Inspect {
        /// Which register.
        key: i64,
    },
    /// Adds to the value; a register never written counts as 0. So a register is a counter.
    Increment {
        /// Which register.
        key: i64,
        /// By how much.
        delta: i64,
    },
    /// Adds an element to a set. Sets and registers of the same key are different things.
    Add {
        /// Which set.
        key: i64,
        /// The element.
        element: i64,
    },
    /// A set's elements, by the read route of the settings.
    ReadSet {
        /// Which set.
        key: i64,
    },
    /// The elements that this very node holds.
    InspectSet {
        /// Which set.
        key: i64,
    },
    /// Takes a lock, if it is free. There are no leases: it is held until it is released.
    Acquire {
        /// Which lock.
        key: i64,
    },
    /// Frees a lock, if it is held with this token.
    Release {
        /// Which lock.
        key: i64,
        /// What the acquisition brought.
        token: i64,
    },
    /// Several steps, as the isolation level of the settings has it. One that only reads goes by
    /// the read route.
    Transaction(Arc<[Step]>),
}

impl Command {
    /// Whether it goes into the log.
    #[must_use]
    pub fn is_mutation(&self) -> bool {
        match self {
            Command::Write { .. }
            | Command::Cas { .. }
            | Command::Increment { .. }
            | Command::Add { .. }
            | Command::Acquire { .. }
            | Command::Release { .. } => true,
            Command::Read { .. }
            | Command::Inspect { .. }
            | Command::ReadSet { .. }
            | Command::InspectSet { .. } => false,
            Command::Transaction(steps) => steps.iter().any(Step::is_mutation),
        }
    }

    /// Whether it asks for what this very node holds.
    #[must_use]
    pub fn is_inspection(&self) -> bool {
        matches!(self, Command::Inspect { .. } | Command::InspectSet { .. })
    }
}

/// What a client has seen so far; it carries this along from request to request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionToken {
    /// The newest place in the log that the client has seen the effect of, by write or by read.
    pub seen: Version,
    /// The age of its last acknowledged write.
    pub since_write_ns: Option<u64>,
}

impl SessionToken {
    /// Takes note of a reply. (The age of the last write is the caller's: it has the clock.)
    pub fn observe(&mut self, reply: &Reply) {
        if !matches!(reply.outcome, Outcome::Refused(_) | Outcome::Unknown(_)) {
            self.seen = self.seen.max(reply.applied);
        }
    }
}

/// A client's request to the node it talks to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who asks.
    pub client: ClientId,
    /// Grows with every request of this client; never used twice, not even after an unknown
    /// outcome. A duplicate made by the network is recognised by it.
    pub number: u64,
    /// What is asked.
    pub command: Command,
    /// What the client has seen.
    pub session: SessionToken,
}

/// The one answer to a request. There may be none: clients have time-outs of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Who asked.
    pub client: ClientId,
    /// Which of its requests.
    pub number: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// The node that executed it (or refused to), not the one that passed it on.
    pub served_by: NodeId,
    /// The epoch that node was in; for a write, that of the leader that accepted it.
    pub epoch: u64,
    /// How far that node had applied the log (a cached answer: the version that was cached).
    pub applied: Version,
    /// Of a write or cas that happened: its own version. Of a read or a failed cas: the version of
    /// the register's last write, if there was one.
    pub version: Option<Version>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The register's value.
    Read(Option<i64>),
    /// The set's elements, ascending.
    Elements(Arc<[i64]>),
    /// The write, or the compare-and-set, was done.
    Written,
    /// The lock was free; now it is held with this token.
    Acquired(i64),
    /// The transaction was done; what each of its steps found.
    Committed(Arc<[Found]>),
    /// The comparison of a compare-and-set was false, the lock was not free, or not held with that
    /// token, an account held too little: nothing changed.
    Mismatch,
    /// The transaction was to write what another one has written since its snapshot: nothing
    /// changed.
    Conflict,
    /// It certainly did not happen.
    Refused(Refusal),
    /// It may have happened, or may yet.
    Unknown(Doubt),
}

/// Why a request certainly did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The node knows no leader.
    NoLeader,
    /// The node that was taken for the leader is not, or no longer.
    NotLeader,
    /// The node's log has diverged and it has left the cluster (`rejoin = "refuse"`).
    Out,
    /// The transaction waited too long for another one that had written the same; perhaps each
    /// waited for the other.
    Locked,
}

/// Why the outcome of a request is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// The leader stepped down with the entry in its log.
    LeadershipLost,
    /// The node restarted and cannot tell whether it had accepted the request before.
    Restarted,
    /// The leader waited too long for the acknowledgements that the settings ask for.
    TimedOut,
}
