//! A replicated store with every textbook mode, right and wrong, as a sans-IO state machine.

mod command;
mod disk;
mod leader_follower;
mod log;
mod message;
mod node;
mod settings;
mod state;

pub use command::{
    ClientId, Command, Doubt, Outcome, Refusal, Reply, Request, SessionToken, Version,
};
pub use disk::Record;
pub use log::{Entry, Operation, Snapshot};
pub use message::{
    Addressee, Forward, Message, Payload, Progress, Replicate, Replicated, Stamp, Vote, VoteRequest,
};
pub use node::{Effect, Input, Node, Now, Role, Status};
pub use settings::{
    Acknowledge, Failover, Fencing, Fsync, LeaderReads, Promote, ReadRoute, Rejoin, Replication,
    Settings, SettingsError,
};
pub use state::{Cell, State};

/// A node's number: 0, 1, ... below the number of nodes.
pub type NodeId = u32;
