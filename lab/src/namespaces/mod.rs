//! Machines made of namespaces on this host.
//!
//! ```text
//!   this host                 10.77.K.254 --+
//!   n1: own network, mounts, host name,     |
//!       processes, root, disk; sshd  .1 ----+-- a bridge in a network namespace of its own
//!   n2:                          .2 --------+
//! ```
//!
//! A node has all that a machine has but a kernel: `kill -9 -1` on one harms no other, its disk can
//! be full while others are not, it has a firewall and addresses (IPv4 and IPv6) of its own, and it
//! is reached over SSH like any other machine. What it shares with the host is the kernel, and with
//! it the clock, and the installed programs, which it sees through an overlay over the host's root.
//!
//! [`up`] makes a lab, [`open`] gives it to a run, [`down`] takes it away; between them it lives in
//! the kernel and in a folder, so that any of them may be killed at any time: what they made is
//! written down before it is made, and `down` removes it.
//!
//! Invariants
//! - The host's firewall, routes, mounts and clock are never changed; a host gets one link per lab.
//! - Only what belongs to the lab is ended or removed: processes by id and start time or because
//!   they are in a network namespace of the lab; names begin with `perjury`.
//! - Nodes have no way out of their lab.
//!
//! Start reading at [`up`], then `node.sh`, which becomes a node's first process.

mod down;
mod error;
mod keys;
mod lock;
mod network;
mod open;
mod parallel;
mod possible;
mod process;
mod record;
mod settings;
mod status;
mod tool;
mod up;

pub use down::down;
pub use error::NamespaceError;
pub use lock::{LabLock, lock};
pub use open::{open, unopened};
pub use possible::possible;
pub use settings::NamespaceSettings;
pub use status::{LabStatus, NodeStatus, names, status};
pub use up::up;
