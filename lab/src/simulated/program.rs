//! What a simulated machine runs: a sans-IO program.

use std::any::Any;
use std::sync::Arc;

use perjury_history::NodeId;

use super::{CallId, NodeTime};

/// A message or a disk record. The lab carries it and never looks inside; sharing makes duplicated
/// messages and re-read disks free.
pub type Payload = Arc<dyn Any + Send + Sync>;

/// What happens to a program.
#[derive(Clone)]
pub enum Input {
    /// Another node's message arrived.
    Message {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        payload: Payload,
    },
    /// A client asks; the program may answer with [`Effect::Reply`], now or later.
    Call {
        /// Names the request in the reply.
        call: CallId,
        /// What it asks.
        payload: Payload,
    },
    /// The program's deadline has passed, or it is its first step.
    Tick,
    /// Everything that was written before the last [`Effect::Sync`] is durable.
    Synced,
}

/// What a program does.
pub enum Effect {
    /// Sends a message to another node, by the network and its faults.
    Send {
        /// To whom.
        to: NodeId,
        /// What it says.
        payload: Payload,
    },
    /// Answers a client.
    Reply {
        /// The client's request.
        call: CallId,
        /// The answer.
        payload: Payload,
    },
    /// Appends a record to the disk; it may be lost in a crash until it is synced.
    Write(Payload),
    /// Replaces all records on the disk, atomically; undone by a crash until it is synced.
    Rewrite(Vec<Payload>),
    /// Makes everything written so far durable; [`Input::Synced`] follows when it is. A program has
    /// at most one sync under way.
    Sync,
}

/// A process on a simulated machine: inputs in, effects out.
pub trait Program: Send {
    /// Reacts to an input. `now` is what the machine's clocks show.
    fn step(&mut self, now: NodeTime, input: Input, effects: &mut Vec<Effect>);

    /// When [`Input::Tick`] is wanted, by the machine's monotonic clock.
    fn deadline_ns(&self) -> Option<u64>;
}

/// What a starting program is given.
pub struct Boot {
    /// The machine it runs on.
    pub node: NodeId,
    /// The records that its disk holds, oldest first.
    pub disk: Vec<Payload>,
    /// What the machine's clocks show.
    pub now: NodeTime,
    /// Seed of the program's own randomness, different at every start.
    pub seed: u64,
}

/// Starts a program, on first start and after each restart.
pub type Start = Arc<dyn Fn(Boot) -> Box<dyn Program> + Send + Sync>;
