//! The vocabulary: what one operation may ask of a store.
//!
//! Every operation is a short list of micro-operations; a register write is a transaction of one.
//! Workloads, clients, files and checkers all speak these words and no others. Functions that later
//! workloads need (append, add, increment, enqueue, ...) are further variants of [`MicroOp`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Names an object of the store.
pub type Key = i64;

/// What a register holds.
pub type Value = i64;

/// One logical client thread. A process whose operation has an unknown outcome is retired, and its
/// successor gets a number of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Process(pub u32);

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

/// A machine (or what stands for one) that runs the store. Counted from 0, shown from `n1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", u64::from(self.0) + 1)
    }
}

impl FromStr for NodeId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.strip_prefix('n')
            .filter(|digits| digits.starts_with(|first: char| ('1'..='9').contains(&first)))
            .and_then(|digits| digits.parse::<u64>().ok())
            .and_then(|number| u32::try_from(number - 1).ok())
            .map(NodeId)
            .ok_or_else(|| format!("expected a node like `n1`, found `{text}`"))
    }
}

impl Serialize for NodeId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a write stands in the order that the store itself reports: log sequence number, revision
/// or offset, within the epoch (term, timeline) in which it was assigned. Later epochs are later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Leadership period; 0 where the store has none.
    pub epoch: u64,
    /// Position within the store's log.
    pub position: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.position)
    }
}

/// What a read returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reading {
    /// The key held nothing.
    Nil,
    /// A register held this.
    Value(Value),
}

impl Reading {
    /// The value, if there was one.
    pub fn value(self) -> Option<Value> {
        match self {
            Reading::Nil => None,
            Reading::Value(value) => Some(value),
        }
    }
}

impl From<Option<Value>> for Reading {
    fn from(value: Option<Value>) -> Self {
        value.map_or(Reading::Nil, Reading::Value)
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reading::Nil => f.write_str("nil"),
            Reading::Value(value) => write!(f, "{value}"),
        }
    }
}

/// One step of an operation. Results are `None` until the completion brings them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MicroOp {
    /// Reads a register by the store's ordinary read route.
    Read {
        /// The register.
        key: Key,
        /// What it held.
        result: Option<Reading>,
    },
    /// Sets a register.
    Write {
        /// The register.
        key: Key,
        /// Its new value.
        value: Value,
    },
    /// Compare-and-set: sets a register to `new` if it holds `old`; otherwise the operation fails.
    Cas {
        /// The register.
        key: Key,
        /// The value it must hold.
        old: Value,
        /// The value it then gets.
        new: Value,
    },
    /// What the asked node itself holds, past every read route: an administrator's look, not a
    /// client's read. No consistency model speaks of it; durability and convergence do.
    Inspect {
        /// The register.
        key: Key,
        /// What the node held.
        result: Option<Reading>,
    },
}

impl MicroOp {
    /// A read that has not been answered yet.
    pub fn read(key: Key) -> Self {
        MicroOp::Read { key, result: None }
    }

    /// An inspection that has not been answered yet.
    pub fn inspect(key: Key) -> Self {
        MicroOp::Inspect { key, result: None }
    }

    /// The object that it touches.
    pub fn key(&self) -> Key {
        match *self {
            MicroOp::Read { key, .. }
            | MicroOp::Write { key, .. }
            | MicroOp::Cas { key, .. }
            | MicroOp::Inspect { key, .. } => key,
        }
    }

    /// The function's name in files, options and reports.
    pub fn function(&self) -> &'static str {
        match self {
            MicroOp::Read { .. } => "read",
            MicroOp::Write { .. } => "write",
            MicroOp::Cas { .. } => "cas",
            MicroOp::Inspect { .. } => "inspect",
        }
    }

    /// The value that it puts into the store, if it happens.
    pub fn written(&self) -> Option<Value> {
        match *self {
            MicroOp::Write { value, .. } | MicroOp::Cas { new: value, .. } => Some(value),
            MicroOp::Read { .. } | MicroOp::Inspect { .. } => None,
        }
    }

    /// The same question without its answer: what an invocation holds.
    pub fn without_result(self) -> Self {
        match self {
            MicroOp::Read { key, .. } => MicroOp::read(key),
            MicroOp::Inspect { key, .. } => MicroOp::inspect(key),
            mutation => mutation,
        }
    }
}

impl fmt::Display for MicroOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = match self {
            MicroOp::Read { key, result } => write!(f, "read {key}").map(|()| result),
            MicroOp::Inspect { key, result } => write!(f, "inspect {key}").map(|()| result),
            MicroOp::Write { key, value } => return write!(f, "write {key} {value}"),
            MicroOp::Cas { key, old, new } => return write!(f, "cas {key} {old} {new}"),
        }?;
        result.map_or(Ok(()), |reading| write!(f, " -> {reading}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_one_name() {
        for node in [NodeId(0), NodeId(8), NodeId(u32::MAX)] {
            assert_eq!(node.to_string().parse(), Ok(node));
        }
        for other in ["n0", "n01", "n+1", "n", "1", "n4294967297", "n-1"] {
            assert!(other.parse::<NodeId>().is_err(), "{other}");
        }
    }
}
