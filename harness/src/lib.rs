//! The controller, campaigns and the `perjury` command.
//!
//! ```text
//! campaign file + flags -> campaign::Plan -> one TestPlan per test and seed
//!                                               |
//!                         controller::run: lab, store, nemesis, interpreter, final phase
//!                                               |
//!                          run folder: test.json, history.arrow, faults.jsonl
//!                                               |
//!                       analysis: checkers, expectations -> results.json, report.html
//! ```
//!
//! Invariants
//! - [`controller`] is the only place that knows the whole order of a run.
//! - A run folder is the only state; any folder can be analysed again.
//! - Once a history is saved nothing can lose the verdict, and a found violation outweighs every
//!   other failure in the exit code.
//!
//! Start reading at [`controller`].

pub mod analysis;
pub mod any_history;
pub mod bounds;
pub mod campaign;
pub mod certificate_file;
pub mod commands;
pub mod controller;
pub mod error;
pub mod exit_code;
pub mod expectation;
pub mod heal;
pub mod interpreter;
pub mod interrupt;
pub mod logs;
pub mod open_lab;
pub mod panics;
pub mod progress;
pub mod recording;
pub mod run_folder;
