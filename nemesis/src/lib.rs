//! What goes wrong: faults, schedules, injectors, the undo journal.
//!
//! ```text
//! "partition:ring"  ->  FaultSpec  --targets, sizes drawn-->  Fault  -->  Injector  -->  the lab
//!                          ^                                    |
//!                       Schedule: when                       Journal: written before it acts
//! ```
//!
//! A [`FaultSpec`] is what a person writes, a [`Fault`] the value with its nodes and links chosen.
//! An [`Injector`] has it act on one kind of lab, says beforehand what it cannot do there, and
//! looks from outside whether the effect is really there and really gone. The [`Nemesis`] runs a
//! [`Schedule`] of them and records every fault as applied, observed and undone.
//!
//! Invariants
//! - Nothing acts before its undo is in the [`Journal`].
//! - Undoing is idempotent.
//! - A fault that had no effect is recorded as failed, never as done.
//! - Nothing here knows what a store is; what it needs of one is the trait [`Cluster`].
//!
//! Start reading at [`Fault`], then [`Nemesis`].

pub mod agent;
mod cluster;
mod draw;
mod fault;
mod heal;
mod injector;
mod journal;
mod kind;
mod linux;
mod nemesis;
mod operations;
mod partition;
mod schedule;
mod simulated;
mod spec;
mod target;

pub use cluster::Cluster;
pub use fault::{DiskHarm, Fault};
pub use heal::{HealReport, heal_left_behind};
pub use injector::{Injector, Observation};
pub use journal::{Journal, JournalEntry, JournalError, JournalPlace, JournalStage, LeftBehind};
pub use kind::{ClockKind, DiskKind, FaultKind};
pub use linux::{AgentBinary, LinuxInjector};
pub use nemesis::{Nemesis, Record};
pub use partition::Shape;
pub use schedule::{Moment, Pace, Schedule, ScriptedFault};
pub use simulated::SimulatedInjector;
pub use spec::{FaultSpec, SpecError};
pub use target::Targets;
