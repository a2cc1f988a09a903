//! What the conformance suites need of a lab, and what they see there.
#![allow(dead_code, unused_imports, reason = "each suite uses a part of it")]

mod look;
mod machines;
mod scene;
mod simulated;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use perjury_history::NodeId;
use perjury_lab::Clock;
use perjury_nemesis::Injector;

pub(crate) use look::Look;
pub(crate) use machines::{MachinesBed, MachinesInUse, PORT, footprint};
pub(crate) use scene::{Idle, Scene, SlowLook, Stubborn, script};
pub(crate) use simulated::SimulatedBed;

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MS;

/// How often a witness pings each other one, by its own clock.
pub(crate) const PING_EVERY_NS: u64 = 5 * MS;

/// How often a witness syncs its disk, by its own clock.
pub(crate) const SYNC_EVERY_NS: u64 = 500 * MS;

/// A lab of five machines with a **witness** on each: a program that every
/// [`PING_EVERY_NS`] pings all others, reads its clocks and writes a record, and every
/// [`SYNC_EVERY_NS`] syncs its disk. It says what it saw when it is asked.
pub(crate) trait TestBed: Clone + Send + Sync + 'static {
    /// A fresh one, its witnesses running.
    fn new(seed: u64) -> Self;

    /// Runs a scenario to its end.
    fn run<F: Future>(&self, scenario: F) -> F::Output;

    /// The machines.
    fn nodes(&self) -> Vec<NodeId>;

    /// The controller's clock.
    fn clock(&self) -> Arc<dyn Clock>;

    /// What is under test.
    fn injector(&self) -> Box<dyn Injector>;

    /// Starts the witness again, on a machine that is switched on if need be.
    fn restart(&self, node: NodeId) -> impl Future<Output = ()> + Send;

    /// Asks a witness, as a client that no fault between nodes touches. `None` if it does not
    /// answer within a moment.
    fn testimony(&self, node: NodeId) -> impl Future<Output = Option<Testimony>> + Send;

    /// How well things can be measured.
    fn tolerances(&self) -> Tolerances {
        Tolerances::default()
    }
}

/// How well things can be measured on a lab.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerances {
    /// A round trip without a slow link stays below this, by any clock, in nanoseconds.
    pub(crate) round_trip_max_ns: u64,
    /// How well the controller's clock and a machine's can be compared by asking, in nanoseconds.
    pub(crate) asking_ns: i128,
    /// How well a machine's clocks can be compared with each other, in nanoseconds.
    pub(crate) jump_ns: i128,
    /// How well the speed of a machine's clock can be measured, in parts per million.
    pub(crate) speed_ppm: i128,
    /// Whether a drift is of the wall clock alone.
    pub(crate) monotonic_stays: bool,
}

impl Default for Tolerances {
    /// In virtual time.
    fn default() -> Self {
        Self {
            round_trip_max_ns: 10 * MS,
            asking_ns: 6 * MS as i128,
            jump_ns: 1_000,
            speed_ppm: 6_000,
            monotonic_stays: false,
        }
    }
}

/// What a witness says. Times are in nanoseconds by its own clocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Testimony {
    pub(crate) monotonic_ns: u64,
    pub(crate) wall_ns: u64,
    /// Records on its disk when it started, of which it has added one at each ping.
    pub(crate) found: u64,
    /// Records on its disk now.
    pub(crate) written: u64,
    /// Those that were written before the last sync that ended.
    pub(crate) synced: u64,
    /// By how much the wall clock was ahead of the monotonic one, at least and at most, since it
    /// was asked before.
    pub(crate) lead_min_ns: i128,
    pub(crate) lead_max_ns: i128,
    /// What it heard from each other node since it was asked before.
    pub(crate) heard: BTreeMap<NodeId, Heard>,
}

/// What one witness heard from another.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    /// Different pings.
    pub(crate) pings: u64,
    /// Pings that were missing between the first and the last.
    pub(crate) lost: u64,
    /// Pings that it had heard already.
    pub(crate) repeated: u64,
    /// Shortest time between a ping of its own and the answer to it.
    pub(crate) round_trip_min_ns: Option<u64>,
}
