//! A fault as a value: what exactly goes wrong, and where.

use std::collections::BTreeSet;
use std::fmt;

use perjury_history::NodeId;
use perjury_lab::simulated::{ClockFault, Link};
use serde::{Deserialize, Serialize};

use crate::{FaultKind, Shape};

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
        /// The ports, at either end, whose traffic is cut; all of it if there are none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ports: Vec<u16>,
    },
    /// Processes die; their machines stay up, so what they wrote stays. Undone by a restart.
    Kill {
        /// Where.
        nodes: Vec<NodeId>,
    },
    /// Processes are told to end, and do so in their own time. Undone by a restart.
    Terminate {
        /// Where.
        nodes: Vec<NodeId>,
    },
    /// Processes die and are started again at once: nothing is to be undone but a restart that
    /// failed.
    Restart {
        /// Where.
        nodes: Vec<NodeId>,
        /// Whether one node waits for the other.
        rolling: bool,
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
    /// An operator removes nodes from the cluster. Undone by adding them again.
    Membership {
        /// Which.
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
    /// Links damage what they carry.
    Corrupt {
        /// The nodes at one end of them.
        nodes: Vec<NodeId>,
        /// Which.
        links: BTreeSet<Link>,
        /// Messages with a wrong bit, in parts per million.
        corrupt_ppm: u32,
    },
    /// Links carry little.
    Bandwidth {
        /// The nodes at one end of them.
        nodes: Vec<NodeId>,
        /// Which.
        links: BTreeSet<Link>,
        /// What each carries, in thousands of bits per second.
        rate_kbit: u32,
    },
    /// Disks fail.
    Disk {
        /// Where.
        nodes: Vec<NodeId>,
        /// In which way.
        harm: DiskHarm,
    },
    /// Processes get little processor time.
    Cpu {
        /// Where.
        nodes: Vec<NodeId>,
        /// What the processes of a node get together, in percent of one processor.
        percent: u32,
    },
    /// Processes get little memory.
    Memory {
        /// Where.
        nodes: Vec<NodeId>,
        /// What the processes of a node may take from now on, in MiB; what they have they keep.
        mib: u32,
    },
}

/// How a disk fails. Files and places in them are chosen on the machine by `choice`, a random
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "kind")]
pub enum DiskHarm {
    /// No space is left.
    Full,
    /// Writes wait, again and again.
    Slow {
        /// How long at a time, in milliseconds.
        stall_ms: u64,
        /// Between the beginnings of two waits, in milliseconds.
        every_ms: u64,
    },
    /// Nothing can be written any more; what was written can be read. Undone by a restart.
    ReadOnly,
    /// Nothing can be read or written any more. Undone by a restart.
    Error,
    /// One bit of what a stopped process had written changes. Undone by a restart, which finds it.
    BitFlip {
        /// Chooses it.
        choice: u64,
    },
    /// The end of what a stopped process had written is gone. Undone by a restart, which misses it.
    Truncate {
        /// Chooses the file.
        choice: u64,
        /// How much is gone.
        bytes: u64,
    },
}

impl Fault {
    /// Its kind.
    pub fn kind(&self) -> FaultKind {
        match self {
            Fault::Partition { .. } => FaultKind::Partition,
            Fault::Kill { .. } => FaultKind::Kill,
            Fault::Terminate { .. } => FaultKind::Terminate,
            Fault::Restart { .. } => FaultKind::Restart,
            Fault::Crash { .. } => FaultKind::Crash,
            Fault::Pause { .. } => FaultKind::Pause,
            Fault::Promote { .. } => FaultKind::Promote,
            Fault::Membership { .. } => FaultKind::Membership,
            Fault::Clock { .. } => FaultKind::Clock,
            Fault::Slow { .. } => FaultKind::Slow,
            Fault::Lossy { .. } => FaultKind::Lossy,
            Fault::Corrupt { .. } => FaultKind::Corrupt,
            Fault::Bandwidth { .. } => FaultKind::Bandwidth,
            Fault::Disk { .. } => FaultKind::Disk,
            Fault::Cpu { .. } => FaultKind::Cpu,
            Fault::Memory { .. } => FaultKind::Memory,
        }
    }

    /// The kind's name.
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// The nodes it is aimed at.
    pub fn nodes(&self) -> &[NodeId] {
        match self {
            Fault::Partition { nodes, .. }
            | Fault::Kill { nodes }
            | Fault::Terminate { nodes }
            | Fault::Restart { nodes, .. }
            | Fault::Crash { nodes }
            | Fault::Pause { nodes }
            | Fault::Promote { nodes }
            | Fault::Membership { nodes }
            | Fault::Clock { nodes, .. }
            | Fault::Slow { nodes, .. }
            | Fault::Lossy { nodes, .. }
            | Fault::Corrupt { nodes, .. }
            | Fault::Bandwidth { nodes, .. }
            | Fault::Disk { nodes, .. }
            | Fault::Cpu { nodes, .. }
            | Fault::Memory { nodes, .. } => nodes,
        }
    }

    /// The links that it impairs; none if it is about something else.
    pub fn links(&self) -> &BTreeSet<Link> {
        static NONE: BTreeSet<Link> = BTreeSet::new();
        match self {
            Fault::Partition { links, .. }
            | Fault::Slow { links, .. }
            | Fault::Lossy { links, .. }
            | Fault::Corrupt { links, .. }
            | Fault::Bandwidth { links, .. } => links,
            _ => &NONE,
        }
    }

    /// Whether processes stand still or are gone as long as it is in force.
    pub fn stops_processes(&self) -> bool {
        match self {
            Fault::Kill { .. }
            | Fault::Terminate { .. }
            | Fault::Restart { .. }
            | Fault::Crash { .. }
            | Fault::Pause { .. } => true,
            Fault::Disk { harm, .. } => {
                matches!(harm, DiskHarm::BitFlip { .. } | DiskHarm::Truncate { .. })
            }
            _ => false,
        }
    }

    /// Whether processes may have ended by it or by its undoing, and must be started again.
    pub fn ends_processes(&self) -> bool {
        match self {
            Fault::Kill { .. }
            | Fault::Terminate { .. }
            | Fault::Restart { .. }
            | Fault::Crash { .. }
            // A store may give up where its disk or its memory does not suffice.
            | Fault::Disk { .. }
            | Fault::Memory { .. } => true,
            _ => false,
        }
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
            Fault::Partition { shape, links, ports, .. } => {
                write!(f, "{} ({} links cut", shape.describe(&nodes), links.len())?;
                let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
                match ports.as_slice() {
                    [] => write!(f, ")"),
                    ports => write!(f, " at port {})", ports.join(", ")),
                }
            }
            Fault::Kill { .. } => write!(f, "killed the process on {nodes}"),
            Fault::Terminate { .. } => write!(f, "had the process on {nodes} end"),
            Fault::Restart { rolling: false, .. } => {
                write!(f, "killed the process on {nodes} and started it again")
            }
            Fault::Restart { rolling: true, .. } => {
                write!(f, "killed the process on {nodes} and started it again, one by one")
            }
            Fault::Crash { .. } => write!(f, "took the power of {nodes}"),
            Fault::Pause { .. } => write!(f, "paused the process on {nodes}"),
            Fault::Promote { .. } => write!(f, "had {nodes} take over as leader"),
            Fault::Membership { .. } => write!(f, "removed {nodes} from the cluster"),
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
            Fault::Corrupt { corrupt_ppm, .. } => {
                write!(f, "let all links of {nodes} damage {} %", corrupt_ppm / 10_000)
            }
            Fault::Bandwidth { rate_kbit, .. } => {
                write!(f, "let each link of {nodes} carry no more than {rate_kbit} kbit/s")
            }
            Fault::Disk { harm, .. } => match harm {
                DiskHarm::Full => write!(f, "filled the disk of {nodes}"),
                DiskHarm::Slow { stall_ms, every_ms } => {
                    write!(f, "had the disk of {nodes} hang for {stall_ms} ms every {every_ms} ms")
                }
                DiskHarm::ReadOnly => write!(f, "made the disk of {nodes} read-only"),
                DiskHarm::Error => write!(f, "made the disk of {nodes} fail"),
                DiskHarm::BitFlip { .. } => {
                    write!(f, "killed the process on {nodes} and flipped a bit of its data")
                }
                DiskHarm::Truncate { bytes, .. } => {
                    write!(f, "killed the process on {nodes} and cut {bytes} bytes off its data")
                }
            },
            Fault::Cpu { percent, .. } => {
                write!(f, "let the process on {nodes} have {percent} % of a processor")
            }
            Fault::Memory { mib, .. } => {
                write!(f, "let the process on {nodes} take no more than {mib} MiB")
            }
        }
    }
}
