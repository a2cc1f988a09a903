//! Labs of real machines: namespaces on this one, or a cluster over SSH.
//!
//! Both are the same thing here: a list of [`Machine`]s, each with its addresses and a
//! [`Remote`](crate::remote::Remote) by which everything is done to it. What a machine holds of
//! ours lies in the folders of [`layout`]; a store runs as [`Daemon`]s, which are known by their
//! process ids and by nothing else.
//!
//! Invariants
//! - Nothing outside of [`layout`]'s folders is changed on a machine by this module.
//! - A process is signalled only if its id and its start time are those that were written down.

mod check;
mod daemon;
mod facts;
mod footprint;
pub mod layout;
mod lock;
mod machine;
mod machine_lab;
mod prepare;
mod volume;

pub use check::{Finding, Severity, check};
pub use daemon::{Daemon, DaemonState, Signal};
pub use facts::{Ability, ClockOffset, Facts};
pub use footprint::Footprint;
pub use lock::MachineLocks;
pub use machine::Machine;
pub use machine_lab::MachineLab;
pub use prepare::VOLUME_MIB;
pub use volume::VolumeState;
