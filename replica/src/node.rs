//! One node: inputs in, effects out.

use serde::{Deserialize, Serialize};

use crate::{
    Message, NodeId, Record, Replication, Reply, Request, Settings, Version,
    leader_follower::Replica,
};

/// What a node's own clocks show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Since an arbitrary instant; never jumps, may drift.
    pub monotonic_ns: u64,
    /// Since an arbitrary instant before all of the host's clock faults; may be skewed and jump.
    pub wall_ns: u64,
}

/// Something that happens to a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A message arrived.
    Message {
        /// From whom.
        from: NodeId,
        /// What it says.
        message: Message,
    },
    /// A client that talks to this node asks something.
    Request(Request),
    /// [`Node::deadline_ns`] has come.
    Tick,
    /// The [`Effect::Sync`] is done: everything written before it is durable.
    Synced,
    /// An operator's failover: this node is to take over.
    Promote,
}

/// Something a node wants done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a message. It may be lost.
    Send {
        /// To whom; never the node itself.
        to: NodeId,
        /// What to say.
        message: Message,
    },
    /// Answer a client that talks to this node.
    Reply(Reply),
    /// Append a record to the disk; it may be lost in a crash until synced.
    Write(Record),
    /// Replace everything on the disk, atomically; it may be undone by a crash until synced.
    Rewrite(Vec<Record>),
    /// Make everything written so far durable, then answer [`Input::Synced`]. There is never more
    /// than one to be answered.
    Sync,
}

/// What a node takes itself for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Accepts writes.
    Leader,
    /// Copies the leader's log.
    Follower,
    /// Stands for election.
    Candidate,
    /// Has left the cluster because its log diverged (`rejoin = "refuse"`).
    Out,
}

/// How a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// What it takes itself for.
    pub role: Role,
    /// The epoch it is in.
    pub epoch: u64,
    /// Whom it takes for the leader.
    pub leader: Option<NodeId>,
    /// The end of its log.
    pub last: Version,
    /// Up to where it knows the log to be committed (on a majority).
    pub commit_position: u64,
    /// Up to where its registers show the log.
    pub applied: Version,
}

/// One node of the store.
#[derive(Clone, Debug)]
pub struct Node {
    family: Family,
}

/// One variant per [`Replication`].
#[derive(Clone, Debug)]
enum Family {
    LeaderFollower(Box<Replica>),
}

impl Node {
    /// Starts a node.
    ///
    /// `nodes` is how many there are, `seed` drives its random choices, and `disk` holds the
    /// records that survived (none on the very first start). A disk that lost synced records makes
    /// the node forget promises, as it does in Raft.
    ///
    /// # Panics
    ///
    /// If the settings do not pass [`Settings::check`], or `id` is not below `nodes`.
    #[must_use]
    pub fn start(
        id: NodeId,
        nodes: u32,
        settings: &Settings,
        seed: u64,
        disk: Vec<Record>,
        now: Now,
    ) -> Self {
        if let Err(error) = settings.check(nodes) {
            panic!("settings must be checked before nodes are started: {error}");
        }
        assert!(id < nodes, "expected a node below {nodes}, found {id}");
        let family = match settings.replication {
            Replication::LeaderFollower => Family::LeaderFollower(Box::new(Replica::start(
                id, nodes, settings, seed, disk, now,
            ))),
        };
        Self { family }
    }

    /// Lets something happen; what is to be done about it is appended to `effects`.
    pub fn step(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        match &mut self.family {
            Family::LeaderFollower(replica) => replica.step(now, input, effects),
        }
    }

    /// When to [`step`](Self::step) with [`Input::Tick`], on the node's monotonic clock;
    /// `u64::MAX` for never. Changes with every step. A node that has just started wants one at
    /// once.
    #[must_use]
    pub fn deadline_ns(&self) -> u64 {
        match &self.family {
            Family::LeaderFollower(replica) => replica.deadline_ns(),
        }
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.family {
            Family::LeaderFollower(replica) => replica.status(),
        }
    }
}
