//! What operations speak of: processes, nodes, keys, values and versions.

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
