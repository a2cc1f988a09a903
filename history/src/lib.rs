//! What happened: operations, histories, their files and formats.
//!
//! A **history** is the ordered record of what clients asked of a store and what they were told.
//! Each **operation** is an invocation and, if its outcome was ever learnt, a completion: `ok` (it
//! happened), `fail` (it certainly did not happen) or `info` (it may or may not have happened).
//! Faults that the nemesis injected stand in the same record, so that one file tells the whole run.
//!
//! ```
//! use perjury_history::{History, Outcome};
//!
//! // One line per process, time runs to the right: the read overlaps the write.
//! let history = History::parse_notation("
//!     p0: w(x,1)-------
//!     p1:     r(x)=1--
//! ")?;
//! assert_eq!(history.len(), 2);
//! assert!(history.iter().all(|operation| operation.outcome == Outcome::Ok));
//! # Ok::<(), perjury_history::NotationError>(())
//! ```
//!
//! Invariants
//! - The order of events in the record is the order that counts; times are for people and measures.
//! - A process has at most one open operation. [`HistoryBuilder`] refuses anything else, so every
//!   [`History`] is well formed and checkers need not look again.
//! - Invocations are paired with completions once, here.
//! - This crate uses no other crate of Perjury, no clock and no randomness.
//!
//! Start reading at [`MicroOp`], then [`Event`], then [`History`]; for files at `arrow`, [`foreign`]
//! and [`export`], for the screen at [`show`].

#[cfg(feature = "arrow")]
pub mod arrow;
mod builder;
mod event;
pub mod export;
pub mod foreign;
mod history;
mod micro_op;
mod names;
mod notation;
mod operation;
mod rows;
pub mod show;

pub use builder::{HistoryBuilder, HistoryError};
pub use event::{Entry, Event, EventKind, EventRef, FaultEvent, FaultStage};
pub use history::{History, Operation, OperationId, Outcome};
pub use micro_op::{Elements, Found, MicroOp};
pub use names::{Names, Shown};
pub use notation::{NotationError, key_name};
pub use operation::{Key, NodeId, Process, Reading, Value, Version};
