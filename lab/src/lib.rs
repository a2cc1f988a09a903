//! Where nodes live.
//!
//! A **lab** gives a store its nodes: somewhere to run, a network between them, disks and clocks,
//! and handles by which a nemesis can break each of these and put it back. Today there is one, the
//! [simulated lab](simulated): all machines in a single thread, in virtual time, where a minute
//! takes about a second and the same seed gives the same run to the byte. Namespaces on this
//! machine and SSH to a cluster become further variants of [`Lab`].
//!
//! Whoever drives a run sees time only through a [`Clock`], so the same controller works in virtual
//! and in real time.
//!
//! Invariants
//! - Nothing here knows what a store, a workload or a checker is.
//! - The simulated lab uses no operating-system clock, thread or randomness, and no floating point:
//!   a seed means the same on every machine.
//!
//! Start reading at [`SimulatedLab`].

mod clock;
pub mod simulated;

use std::sync::Arc;

use perjury_history::NodeId;

pub use clock::Clock;
pub use simulated::SimulatedLab;

/// Where the nodes of a run live.
#[derive(Clone)]
#[non_exhaustive]
pub enum Lab {
    /// In this process, in virtual time.
    Simulated(SimulatedLab),
}

impl Lab {
    /// The name in options, files and reports.
    pub fn name(&self) -> &'static str {
        match self {
            Lab::Simulated(_) => "simulated",
        }
    }

    /// The nodes, in order.
    pub fn nodes(&self) -> Vec<NodeId> {
        match self {
            Lab::Simulated(lab) => lab.nodes(),
        }
    }

    /// The controller's clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        match self {
            Lab::Simulated(lab) => Arc::new(lab.clone()),
        }
    }
}
