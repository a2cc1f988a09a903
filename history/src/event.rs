//! One line of the record: a client's event or a fault's.

use serde::{Deserialize, Serialize};

use crate::{MicroOp, NodeId, Process, Version};

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The client asked.
    Invoke,
    /// It happened.
    Ok,
    /// It certainly did not happen.
    Fail,
    /// It may or may not have happened, now or later.
    Info,
}

impl EventKind {
    /// The name in files and on screens.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Invoke => "invoke",
            EventKind::Ok => "ok",
            EventKind::Fail => "fail",
            EventKind::Info => "info",
        }
    }
}

/// An invocation or a completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Nanoseconds since the run's start, on the controller's monotonic clock.
    pub time_ns: u64,
    /// Who asked.
    pub process: Process,
    /// Invocation, or which kind of completion.
    pub kind: EventKind,
    /// What was asked; in an `ok` completion with the answers.
    pub micro_ops: Vec<MicroOp>,
    /// In an invocation the node that was asked; in a completion the node that executed it, where
    /// the store tells (a follower may pass a write on to its leader).
    pub node: Option<NodeId>,
    /// The version of what was written, or of the value that was read, where the store tells.
    pub version: Option<Version>,
    /// Why it is not `ok`, in a few words that are the same for the same cause.
    pub error: Option<String>,
}

impl Event {
    /// The same, borrowed.
    pub fn as_ref(&self) -> EventRef<'_> {
        EventRef {
            time_ns: self.time_ns,
            process: self.process,
            kind: self.kind,
            micro_ops: &self.micro_ops,
            node: self.node,
            version: self.version,
            error: self.error.as_deref(),
        }
    }
}

/// An [`Event`] that somebody else owns, for readers that keep none.
#[derive(Clone, Copy, Debug)]
pub struct EventRef<'a> {
    /// See [`Event::time_ns`].
    pub time_ns: u64,
    /// See [`Event::process`].
    pub process: Process,
    /// See [`Event::kind`].
    pub kind: EventKind,
    /// See [`Event::micro_ops`].
    pub micro_ops: &'a [MicroOp],
    /// See [`Event::node`].
    pub node: Option<NodeId>,
    /// See [`Event::version`].
    pub version: Option<Version>,
    /// See [`Event::error`].
    pub error: Option<&'a str>,
}

/// How far a fault has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultStage {
    /// The injector has acted.
    Applied,
    /// A probe saw the effect.
    Observed,
    /// A probe looked for the effect and did not see it, or applying or undoing failed.
    Failed,
    /// The injector has taken it back.
    Undone,
}

impl FaultStage {
    /// The name in files and on screens.
    pub fn name(self) -> &'static str {
        match self {
            FaultStage::Applied => "applied",
            FaultStage::Observed => "observed",
            FaultStage::Failed => "failed",
            FaultStage::Undone => "undone",
        }
    }
}

/// What the nemesis did or saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultEvent {
    /// Nanoseconds since the run's start.
    pub time_ns: u64,
    /// Number of the fault within the run; the same at every stage.
    pub fault: u32,
    /// How far it has come.
    pub stage: FaultStage,
    /// The fault's kind: `partition`, `kill`, ...
    pub name: String,
    /// The nodes it was aimed at.
    pub nodes: Vec<NodeId>,
    /// What was done or seen, for people.
    pub detail: String,
}

/// One line of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A client's.
    Operation(Event),
    /// The nemesis's.
    Fault(FaultEvent),
}

impl Entry {
    /// Nanoseconds since the run's start.
    pub fn time_ns(&self) -> u64 {
        match self {
            Entry::Operation(event) => event.time_ns,
            Entry::Fault(event) => event.time_ns,
        }
    }
}
