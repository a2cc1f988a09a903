//! What clients do: generators, and which checkers judge them.
//!
//! A [`Workload`] is a kind of load together with the checkers that can judge it. Its load is a
//! [`Generator`]: a deterministic machine that is asked what to do next whenever a process is free,
//! and is told of everything that happens.
//!
//! ```
//! use perjury_workloads::simulate::{Simulation, run_workload};
//! use perjury_workloads::{RunPlan, no_options, workload};
//!
//! let register = workload("register", no_options())?;
//! let plan = RunPlan {
//!     seed: 1,
//!     rate_hz: 1_000.0,
//!     time_limit_ns: 1_000_000_000,
//!     operation_limit: None,
//!     concurrency: 10,
//!     nodes: 5,
//! };
//! // No store at hand: a perfect one in memory.
//! let entries = run_workload(&*register, &plan, Simulation::default())?;
//! assert!(entries.len() > 1_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariants
//! - No clock, no thread, no async runtime: time is handed in, and waiting is a value that is
//!   handed out.
//! - The same seed and the same events give the same operations, on any machine.
//! - A workload knows no store. It says which functions it [needs](Workload::needs); any store that
//!   offers them will do.
//!
//! Start reading at [`Generator`], then [`Workload`].

pub mod append;
pub mod bank;
pub mod causal_reverse;
pub mod counter;
pub mod g2;
pub mod generator;
pub mod lock;
pub mod long_fork;
pub mod monotonic;
mod options;
pub mod register;
mod registry;
pub mod set;
pub mod simulate;
mod transactions;
mod workload;
pub mod wr;

pub use generator::{Context, FreeProcess, Generator, Invocation, Next};
pub use registry::{WorkloadError, names, no_options, workload};
pub use transactions::TransactionOptions;
pub use workload::{RunPlan, Workload};
