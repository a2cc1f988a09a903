//! A fault as a value: what exactly goes wrong, and where.

use std::collections::BTreeSet;
use std::fmt;

use perjury_history::NodeId;
use perjury_lab::simulated::{ClockFault, Link};
use serde::{Deserialize, Serialize};

use crate::Shape;

/// Something that goes wrong for a while. Everything random about it has been drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "kind")]
pub enum Fault {
    /// Links carry nothing.
    Partition {
        /// How it was drawn, for people.
        shape: Shape,
        /// The nodes it was drawn around.
        nodes: Vec<NodeId>,
        /// The links that are cut, each direction by itself.
        links: BTreeSet<Link>,
    },
    /// Processes die; their machines stay up, so what they wrote stays. Undone by a restart.
    Kill {
        /// Where.
        nodes: Vec<NodeId>,
    },
    /// Machines lose power and what was not synced with it. Undone by switching on and starting.
    Crash {
        /// Where.
        nodes: Vec<NodeId>,
    },
    /// Processes are stopped in their tracks. Undone by letting them go on.
    Pause {
        /// Where.
        nodes: Vec<NodeId>,
    },
    /// An operator has one node take over as leader. A moment's work: nothing is to be undone.
    Promote {
        /// Which node; the only one.
        nodes: Vec<NodeId>,
    },
    /// Clocks are wrong.
    Clock {
        /// Where.
        nodes: Vec<NodeId>,
        /// In which way.
        error: ClockFault,
    },
    /// Links are slow.
    Slow {
        /// The nodes at one end of them.
        nodes: Vec<NodeId>,
        /// Which.
        links: BTreeSet<Link>,
        /// How much later everything arrives, in microseconds.
        delay_us: u64,
        /// And up to how much later still.
        jitter_us: u64,
    },
    /// Links lose, double and reorder what they carry.
    Lossy {
        /// The nodes at one end of them.
        nodes: Vec<NodeId>,
        /// Which.
        links: BTreeSet<Link>,
        /// Messages lost, in parts per million.
        loss_ppm: u32,
        /// Messages doubled, in parts per million.
        duplicate_ppm: u32,
        /// Messages that may overtake others, in parts per million.
        reorder_ppm: u32,
    },
}

impl Fault {
    /// The kind's name.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Partition { .. } => "partition",
            Fault::Kill { .. } => "kill",
            Fault::Crash { .. } => "crash",
            Fault::Pause { .. } => "pause",
            Fault::Promote { .. } => "promote",
            Fault::Clock { .. } => "clock",
            Fault::Slow { .. } => "slow",
            Fault::Lossy { .. } => "lossy",
        }
    }

    /// The nodes it is aimed at.
    pub fn nodes(&self) -> &[NodeId] {
        match self {
            Fault::Partition { nodes, .. }
            | Fault::Kill { nodes }
            | Fault::Crash { nodes }
            | Fault::Pause { nodes }
            | Fault::Promote { nodes }
            | Fault::Clock { nodes, .. }
            | Fault::Slow { nodes, .. }
            | Fault::Lossy { nodes, .. } => nodes,
        }
    }

    /// Whether it stops processes, so that a second such fault on the same node would do nothing.
    pub fn stops_processes(&self) -> bool {
        matches!(self, Fault::Kill { .. } | Fault::Crash { .. } | Fault::Pause { .. })
    }
}

/// Node names with commas.
pub(crate) fn list(nodes: &[NodeId]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Fault {
    /// What was done, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = list(self.nodes());
        match self {
            Fault::Partition { shape, links, .. } => {
                write!(f, "{} ({} links cut)", shape.describe(&nodes), links.len())
            }
            Fault::Kill { .. } => write!(f, "killed the process on {nodes}"),
            Fault::Crash { .. } => write!(f, "took the power of {nodes}"),
            Fault::Pause { .. } => write!(f, "paused the process on {nodes}"),
            Fault::Promote { .. } => write!(f, "had {nodes} take over as leader"),
            Fault::Clock { error, .. } => match *error {
                ClockFault::Bump { offset_ns } => {
                    write!(f, "set the wall clock of {nodes} {} ms off", offset_ns / 1_000_000)
                }
                ClockFault::Strobe { offset_ns, period_ns } => write!(
                    f,
                    "let the wall clock of {nodes} jump by {} ms every {} ms",
                    offset_ns / 1_000_000,
                    period_ns / 1_000_000
                ),
                ClockFault::Drift { ppm } => {
                    let way = if ppm >= 0 { "fast" } else { "slow" };
                    write!(f, "let the clocks of {nodes} run {} % {way}", ppm.abs() / 10_000)
                }
            },
            Fault::Slow { delay_us, jitter_us, .. } => write!(
                f,
                "slowed all links of {nodes} by {} to {} ms",
                delay_us / 1_000,
                (delay_us + jitter_us) / 1_000
            ),
            Fault::Lossy { loss_ppm, duplicate_ppm, reorder_ppm, .. } => write!(
                f,
                "let all links of {nodes} lose {} %, double {} % and reorder {} %",
                loss_ppm / 10_000,
                duplicate_ppm / 10_000,
                reorder_ppm / 10_000
            ),
        }
    }
}
