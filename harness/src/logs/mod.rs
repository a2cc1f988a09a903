//! What the nodes themselves said: fetched, searched, and put in one order.
//!
//! ```text
//! logs/n1/etcd.log     as it was on the node
//! logs/n2/etcd.log
//! logs/merged.log      all lines of all nodes, by the run's time, as `perjury show` counts it
//! ```
//!
//! A node's clock need not agree with the controller's. How far it is off is asked when the logs are
//! fetched, after everything is healed, and taken from its lines' times. Lines that a node wrote
//! while a fault had its clock wrong stand where that clock put them.

mod collect;
mod merge;
mod suspicion;
mod time_stamp;

use perjury_history::NodeId;
use serde::{Deserialize, Serialize};

pub use collect::collect;

/// The file with all lines of all nodes, relative to the run's folder.
pub const MERGED_LOG: &str = "logs/merged.log";

/// One log of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeLog {
    /// Whose.
    pub node: NodeId,
    /// Its file's name on the node.
    pub name: String,
    /// Where it is now, relative to the run's folder.
    pub path: String,
    /// How many lines it has.
    pub lines: u64,
    /// The first of the lines that look like a crash; [`NodeLog::suspicions`] counts all.
    pub suspicious: Vec<SuspiciousLine>,
    /// How many such lines there are.
    pub suspicions: u64,
}

/// A line that tells of a panic, a failed assertion or a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspiciousLine {
    /// Its number, from 1.
    pub line: u64,
    /// When it was written, in nanoseconds since the run's start; negative before it. None if the
    /// log does not say.
    pub time_ns: Option<i64>,
    /// What it tells of.
    pub what: String,
    /// The line, cut short.
    pub text: String,
}
