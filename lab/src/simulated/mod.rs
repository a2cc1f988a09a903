//! The simulated lab: discrete events in virtual time, on one thread.
//!
//! ```text
//!              SimulatedLab            what controllers, stores and injectors hold
//!                   |
//!                 World                the queue of events: pop the earliest, advance the clock
//!           ________|_________
//!          |        |         |
//!       Network   Machine   calls      links and impairments | processes | clients' open requests
//!                   |
//!        Program, Disk, MachineClock   the store's code, what survives a crash, what time it sees
//! ```
//!
//! DESIGN proposes tokio's paused clock. That clock moves in steps of a millisecond, so at 1,000
//! operations per second most operations would begin and end "at once", and whether two operations
//! overlap is exactly what a checker must know. Here a step is a nanosecond, and the event loop is
//! twenty lines ([`SimulatedLab::run`]).
//!
//! Clients stand outside of the nodes' network, as a test controller does in a real lab: partitions
//! between nodes do not cut them off.

mod call;
mod disk;
mod machine;
mod machine_clock;
mod network;
mod probe;
mod program;
mod simulation;
mod world;

pub use call::{Call, CallError, CallId};
pub use disk::DiskSettings;
pub use machine::MachineState;
pub use machine_clock::{ClockFault, NodeTime};
pub use network::{Impairment, Latency, Link, NetworkSettings};
pub use probe::LinkProbe;
pub use program::{Boot, Effect, Input, Payload, Program, Start};
pub use simulation::{Settings, SimulatedLab, Stalled};
