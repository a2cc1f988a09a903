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
//! ```
//! use perjury_checkers::{Checker, Context, Judgement, Linearizability, Model};
//! use perjury_history::History;
//!
//! let history = History::parse_notation("
//!     p0: w(x,1)-   w(x,2)-
//!     p1:                     r(x)=1-
//! ")?;
//! let verdict = Linearizability::of_registers().check(&history, &Context::default());
//! assert_eq!(verdict.models[&Model::Linearizable], Judgement::Invalid);
//! assert!(verdict.anomalies[0].explanation.starts_with("p1 read 1 from key 23 at "));
//! # Ok::<(), perjury_history::NotationError>(())
//! ```
//!
//! Start reading at [`Verdict`], then at a checker's module: each says what it decides, by which
//! paper, at what cost, where it is incomplete and what a pass does not prove.

mod analysis;
mod anomaly;
pub mod bank;
mod context;
pub mod convergence;
pub mod counters;
mod final_state;
pub mod leaders;
pub mod linearizability;
pub mod locks;
pub mod lost_writes;
mod model;
mod origins;
pub mod progress;
pub mod session_guarantees;
pub mod sets;
#[cfg(test)]
mod small_histories;
pub mod statistics;
pub mod transactions;
mod verdict;
mod wording;

pub use analysis::Analysis;
pub use anomaly::{Anomaly, AnomalyKind, Edge, Phenomenon, Witness, WitnessOperation};
pub use bank::Bank;
pub use context::{Checker, Context};
pub use convergence::Convergence;
pub use counters::Counters;
pub use leaders::{Leaders, Leadership, leaderships};
pub use linearizability::Linearizability;
pub use locks::Locks;
pub use lost_writes::LostWrites;
pub use model::{Isolation, Model, Order};
pub use progress::Progress;
pub use session_guarantees::SessionGuarantees;
pub use sets::Sets;
pub use statistics::{Counts, FunctionStatistics, Quantiles, Statistics, statistics};
pub use verdict::{Judgement, Verdict};
