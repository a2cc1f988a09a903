//! Databases that keep a chosen isolation level and no more, and what their clients saw.
//!
//! Checkers need histories whose truth is known: none may be accused of more than its database gave
//! up, and the anomalies that a level allows should be found by whoever promises more. Here clients in
//! virtual time run transactions on a model of a database, and what they asked and were told is a
//! [`History`](perjury_history::History). The same [`Settings`] give the same history on every
//! machine.
//!
//! ```
//! use perjury_simulator::{Level, Settings, simulate};
//!
//! let settings = Settings { level: Level::SnapshotIsolation, transactions: 100, ..Settings::default() };
//! let history = simulate(&settings)?;
//! assert_eq!(history.len(), 100);
//! assert_eq!(simulate(&settings)?, history);
//! # Ok::<(), perjury_simulator::SettingsError>(())
//! ```
//!
//! What each level does is said at [`Level`]. Every one is right by construction: there is an order
//! of commits, versions of a key stand in it, and a level is a rule of which versions a transaction
//! sees and when it may commit.
//!
//! - `settings.rs`: what can be chosen.
//! - `keys.rs`: which keys transactions touch, and with which values.
//! - `store.rs`: the versions of every key, and which of them a view sees.
//! - `database.rs`: the levels.
//! - `clients.rs`: the clients and their clock.
//!
//! Invariants: no clock, no files; one generator, seeded; no floating point whose result machines
//! could disagree on. It uses `perjury-history` alone, so that every other crate can use it in tests.
//!
//! Cost: a transaction takes about a microsecond, and memory for the versions that it wrote.

mod clients;
mod database;
mod keys;
mod settings;
mod store;

pub use clients::simulate;
pub use settings::{Distribution, Level, Settings, SettingsError, Workload};
