//! A replicated store with every textbook mode, right and wrong, as a sans-IO state machine.
//!
//! A store that can be told to make each famous mistake is what a consistency checker is tried on:
//! the truth is known beforehand. [`Settings`] has a switch per mode; the default is the correct
//! combination, which is Raft, and every other value relaxes one rule of it. The registers are
//! integers, because nothing about consistency needs more.
//!
//! Transactions run on the same log; what they see of each other is a setting, too ([`Isolation`]).
//!
//! A [`Node`] does no input or output of its own. Its host (a simulator, a TCP server, a Maelstrom
//! node) tells it what happened ([`Input`]) and does what it wants done ([`Effect`]):
//!
//! ```
//! use perjury_replica::{
//!     ClientId, Command, Effect, Input, Node, Now, Outcome, Request, SessionToken, Settings,
//! };
//!
//! /// One step of a cluster of one, with a disk that is never slow and never fails.
//! fn step(node: &mut Node, input: Input) -> Vec<Outcome> {
//!     let (now, mut inputs, mut outcomes) = (Now::default(), vec![input], vec![]);
//!     while let Some(input) = inputs.pop() {
//!         let mut effects = vec![];
//!         node.step(now, input, &mut effects);
//!         for effect in effects {
//!             match effect {
//!                 Effect::Reply(reply) => outcomes.push(reply.outcome),
//!                 Effect::Sync => inputs.push(Input::Synced),
//!                 Effect::Write(_) | Effect::Rewrite(_) => {} // to the disk
//!                 Effect::Send { .. } => unreachable!("there is nobody else"),
//!             }
//!         }
//!     }
//!     outcomes
//! }
//!
//! let mut node = Node::start(0, 1, &Settings::default(), 42, vec![], Now::default());
//! step(&mut node, Input::Tick); // starting up: `node.deadline_ns()` is in the past
//! let mut number = 0;
//! let mut ask = |command| {
//!     number += 1;
//!     let session = SessionToken::default();
//!     step(&mut node, Input::Request(Request { client: ClientId(1), number, command, session }))
//! };
//! assert_eq!(ask(Command::Write { key: 7, value: 1 }), [Outcome::Written]);
//! assert_eq!(ask(Command::Cas { key: 7, old: 5, new: 6 }), [Outcome::Mismatch]);
//! assert_eq!(ask(Command::Read { key: 7 }), [Outcome::Read(Some(1))]);
//! ```
//!
//! # What a host must keep to
//!
//! - Call [`Node::step`] with [`Input::Tick`] when [`Node::deadline_ns`] has come. Late is safe.
//! - Do the effects in order. Messages may be lost, duplicated, delayed and reordered, but not
//!   invented. A crash keeps a beginning of what was written to the disk, which includes all that
//!   was written before the last sync that was answered.
//! - Answer every [`Effect::Sync`] once, with [`Input::Synced`].
//! - Give each client of a cluster one [`ClientId`], and its requests growing numbers.
//!
//! # Invariants
//!
//! - No clock, files, threads, async or hidden randomness: the same inputs give the same effects.
//! - A request is answered at most once. [`Outcome::Refused`] is only said of what certainly did
//!   not and will not happen, in every mode, whatever the network does.
//! - With the default settings all histories are linearizable. `tests/safety.rs` hunts for
//!   counterexamples, and shows that it finds them in the other modes.
//!
//! A wiped disk is the one fault that Raft does not survive: a node forgets its votes and what it
//! acknowledged. The store copes as long as the others have all that matters.
//!
//! # Where to start reading
//!
//! [`Settings`] for what there is; `leader_follower/mod.rs` for how it works. Other families of
//! replication will be its siblings, each a variant of [`Replication`] and inside [`Node`].

mod command;
mod disk;
mod leader_follower;
mod log;
mod message;
mod node;
mod settings;
mod state;
mod transaction;

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
    Acknowledge, Failover, Fencing, Fsync, Isolation, LeaderReads, Promote, ReadRoute, Rejoin,
    Replication, Settings, SettingsError,
};
pub use state::{Cell, ListCell, SetCell, State};
pub use transaction::{Found, Step, Writes};

/// A node's number: 0, 1, ... below the number of nodes.
pub type NodeId = u32;
