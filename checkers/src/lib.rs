//! Was it allowed: pure functions from a history to a verdict.
//!
//! Every checker takes a [`History`](perjury_history::History) and a [`Context`] (its bounds) and
//! gives a [`Verdict`]: for each [`Model`] that it decides whether the history satisfies it, and for
//! each violation an [`Anomaly`] with the operations that prove it, in words that a person
//! understands.
//!
//! Invariants
//! - No files, no clock, no randomness, no async runtime: values in, values out.
//! - The same history and the same bounds give the same verdict on any machine. Time limits may
//!   only turn an answer into `unknown`, never into another answer.
//! - A found violation outweighs everything else: [`Judgement`]s merge as
//!   `Invalid > Unknown > Valid`.
//!
//! Start reading at [`Verdict`].

mod analysis;
mod anomaly;
mod context;
mod convergence;
mod final_state;
mod leaders;
mod linearizability;
mod lost_writes;
mod model;
mod origins;
mod progress;
mod session_guarantees;
mod statistics;
mod verdict;
mod wording;

pub use analysis::Analysis;
pub use anomaly::{Anomaly, AnomalyKind, Edge, Witness, WitnessOperation};
pub use context::{Checker, Context};
pub use convergence::Convergence;
pub use leaders::{Leaders, Leadership, leaderships};
pub use linearizability::Linearizability;
pub use lost_writes::LostWrites;
pub use model::Model;
pub use progress::Progress;
pub use session_guarantees::SessionGuarantees;
pub use statistics::{Counts, FunctionStatistics, Quantiles, Statistics, statistics};
pub use verdict::{Judgement, Verdict};
