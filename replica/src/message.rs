//! What nodes say to each other.
//!
//! Messages may be lost, duplicated, delayed and reordered; the protocol does not care. Large
//! contents are shared, so cloning a message is cheap.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Entry, NodeId, Reply, Request, Snapshot, Version};

/// A message of the leader-follower family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// Leader to follower: I lead this epoch, and here is what you lack.
    Replicate(Replicate),
    /// Follower to leader: what I have.
    Replicated(Replicated),
    /// Candidate to all: would you, or do you, vote for me?
    VoteRequest(VoteRequest),
    /// The answer.
    Vote(Vote),
    /// Gateway to the node that is to execute a request.
    Forward(Forward),
    /// Back to the gateway.
    Answer(Reply),
}

/// When the leader sent something, echoed by the follower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Numbers the leader's messages to one follower.
    pub sequence: u64,
    /// The newest round of read confirmations that had begun.
    pub round: u64,
    /// The leader's wall clock, for leases.
    pub wall_ns: u64,
    /// The leader's monotonic clock, to know who is in contact.
    pub monotonic_ns: u64,
}

/// A heartbeat, new entries or a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replicate {
    /// The sender's epoch.
    pub epoch: u64,
    /// When it was sent.
    pub stamp: Stamp,
    /// Up to where the leader's log is committed.
    pub commit: u64,
    /// What the follower lacks.
    pub payload: Payload,
}

/// The contents of a [`Replicate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// The entries (perhaps none) that follow `previous` in the leader's log.
    Entries {
        /// The entry before them.
        previous: Version,
        /// Themselves.
        entries: Arc<[Entry]>,
    },
    /// For a follower that lacks entries the leader no longer has.
    Snapshot(Arc<Snapshot>),
}

/// The answer to a [`Replicate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replicated {
    /// The follower's epoch: a leader that reads a higher one than its own was replaced.
    pub epoch: u64,
    /// That of the message answered.
    pub stamp: Stamp,
    /// The end of the follower's log.
    pub last: Version,
    /// What came of it.
    pub progress: Progress,
}

/// What a follower has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Its log is the leader's up to here (and, with `fsync = "always"`, on its disk).
    Matched {
        /// Up to where.
        position: u64,
    },
    /// It lacks the entry before, or has another one there: send from here on.
    Behind {
        /// Send from here on.
        next: u64,
    },
    /// Its log differs from the leader's in a part it has compacted: only a snapshot helps.
    Diverged,
    /// It follows another leader, of the epoch it gives.
    Elsewhere,
}

/// Asks for a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteRequest {
    /// The epoch the candidate would lead.
    pub epoch: u64,
    /// Only asks whether it would be elected, so that a node that cannot win disturbs nobody
    /// (pre-vote, section 9.6 of Ongaro's thesis).
    pub trial: bool,
    /// The end of the candidate's log.
    pub last: Version,
    /// An operator wants it, although the leader may be well.
    pub promoted: bool,
}

/// The answer to a [`VoteRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The voter's epoch.
    pub epoch: u64,
    /// The epoch that was asked for.
    pub requested: u64,
    /// Whether it was a trial.
    pub trial: bool,
    /// The answer.
    pub granted: bool,
}

/// A request on its way to the node that is to execute it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The node the client talks to: it gets the answer.
    pub gateway: NodeId,
    /// To whom the request is addressed.
    pub addressee: Addressee,
    /// The request.
    pub request: Request,
}

/// In which capacity a node is asked to execute a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Addressee {
    /// As the leader of this epoch.
    Leader {
        /// The epoch. A node that leads another one refuses writes, so that a late duplicate of a
        /// request it once refused can never be executed.
        epoch: u64,
    },
    /// As a replica, from what it has applied.
    Replica,
    /// As a replica, if it has what the client's session has seen; else as the way to the leader.
    FreshReplica,
}
