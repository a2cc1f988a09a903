//! Systems under test.
//!
//! A [`Store`] says what it can do, puts itself on a lab and opens [`Client`]s; a client turns the
//! vocabulary of [`MicroOp`](perjury_history::MicroOp)s into requests of its own and answers back
//! into ok, fail or info. Stores speak the vocabulary once and workloads speak it once, so any
//! workload runs on any store with the capabilities.
//!
//! Invariants
//! - A client never retries. Whatever happened to a request is in the history.
//! - `fail` is said only of what certainly did not happen. The commonest false alarm of
//!   consistency tests is a client that reports a time-out as a failure.
//! - A store does not know which workload, nemesis or checker it is under.
//!
//! Start reading at [`Store`], then [`replica`].

mod etcd;
mod machines;
mod postgres;
mod redis;
mod registry;
pub mod replica;
mod store;

pub use registry::{names, store};
pub use store::{Answer, Capabilities, Client, Session, Store, StoreError};
