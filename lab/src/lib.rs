//! Where nodes live.
//!
//! A **lab** gives a store its nodes: somewhere to run, a network between them, disks and clocks,
//! and handles by which a nemesis can break each of these and put it back. In the
//! [simulated lab](simulated) all machines are in a single thread, in virtual time: a minute takes
//! about a second, and the same seed gives the same run to the byte. [Real machines](machines) are
//! made of [namespaces] on this one, or are a cluster that is reached over [SSH](ssh).
//!
//! Whoever drives a run sees time only through a [`Clock`], so the same controller works in virtual
//! and in real time.
//!
//! Invariants
//! - Nothing here knows what a store, a workload or a checker is.
//! - The simulated lab uses no operating-system clock, thread or randomness, and no floating point:
//!   a seed means the same on every machine.
//!
//! Start reading at [`SimulatedLab`], then [`MachineLab`].

mod clock;
pub mod machines;
pub mod namespaces;
pub mod remote;
pub mod simulated;
pub mod ssh;

use std::sync::Arc;

use perjury_history::NodeId;

pub use clock::Clock;
pub use machines::MachineLab;
pub use simulated::{SimulatedLab, Stalled};

/// Where the nodes of a run live.
#[derive(Clone)]
#[non_exhaustive]
pub enum Lab {
    /// In this process, in virtual time.
    Simulated(SimulatedLab),
    /// On real machines, in real time.
    Machines(MachineLab),
}

impl Lab {
    /// The name in options, files and reports.
    pub fn name(&self) -> &'static str {
        match self {
            Lab::Simulated(_) => "simulated",
            Lab::Machines(lab) => lab.name(),
        }
    }

    /// The nodes, in order.
    pub fn nodes(&self) -> Vec<NodeId> {
        match self {
            Lab::Simulated(lab) => lab.nodes(),
            Lab::Machines(lab) => lab.nodes(),
        }
    }

    /// The controller's clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        match self {
            Lab::Simulated(lab) => Arc::new(lab.clone()),
            Lab::Machines(lab) => Arc::new(lab.clone()),
        }
    }

    /// Runs `main` to its end in the lab's time. Not to be called from within another such call.
    ///
    /// # Errors
    /// If a simulated lab has nothing left to do while `main` still waits.
    pub fn run<F: Future>(&self, main: F) -> Result<F::Output, Stalled> {
        match self {
            Lab::Simulated(lab) => lab.run(main),
            Lab::Machines(lab) => Ok(lab.run(main)),
        }
    }
}
