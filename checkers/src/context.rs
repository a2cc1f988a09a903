//! What every checker is, and the bounds that it keeps.

use std::num::NonZero;

use perjury_history::History;

use crate::{Model, Verdict};

/// The bounds of one check. A checker that reaches one answers `unknown` and says how far it came.
pub struct Context<'a> {
    /// Steps that one search may take (one key's, for linearizability). Steps, unlike seconds, are
    /// the same on every machine, so verdicts are too.
    pub step_limit: u64,
    /// Memory that searches may hold beside the history, in bytes, all threads together.
    pub memory_limit_bytes: usize,
    /// Searches that may run at the same time. Verdicts do not depend on it.
    pub threads: usize,
    /// Whether the caller's time is up; asked now and then.
    pub out_of_time: &'a (dyn Fn() -> bool + Sync),
}

impl Default for Context<'_> {
    /// 50 million steps a search, 1 GiB, as many threads as there are processors, no time limit.
    fn default() -> Self {
        Self {
            step_limit: 50_000_000,
            memory_limit_bytes: 1 << 30,
            threads: std::thread::available_parallelism().map_or(1, NonZero::get),
            out_of_time: &|| false,
        }
    }
}

/// Decides one or several models.
pub trait Checker: Send + Sync {
    /// The name in results and reports.
    fn name(&self) -> &'static str;

    /// The models that its verdicts speak of.
    fn models(&self) -> &'static [Model];

    /// Judges a history.
    fn check(&self, history: &History, context: &Context<'_>) -> Verdict;
}
