//! The monotonic workload: counters only grow, for everybody in the same order.
//!
//! ```text
//! p0: app(x,1);rl(x)={1}-     p2: rl(x)={1};rl(y)={}--
//! p1: app(y,2);rl(y)={2}-     p3: rl(x)={};rl(y)={2}--      each saw the other's counter behind
//! ```
//!
//! A transaction increments a counter and reads it; others read several counters. If one found the
//! first counter further on and another the second, neither can have come before the other. A counter
//! is a list here: its length is the count, and it says who counted. So nothing about the order of
//! increments has to be guessed.

use std::collections::BTreeSet;

use perjury_checkers::Checker;
use perjury_history::{History, Key, MicroOp, Value};
use rand::RngExt as _;
use rand_pcg::Pcg64;
use serde::Deserialize;

use crate::generator::{nothing, rng};
use crate::options::{check_counts, check_read_share};
use crate::transactions::{checkers, paced};
use crate::{Context, Generator, Next, RunPlan, Workload, WorkloadError};

pub(crate) const NAME: &str = "monotonic";

/// What can be set in a campaign file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct MonotonicOptions {
    /// Counters in use at a time. Who reads, reads all of them.
    pub keys: u32,
    /// Operations before fresh counters take their place.
    pub operations_per_round: u64,
    /// The part of operations that only read, below 1.
    pub read_share: f64,
}

impl Default for MonotonicOptions {
    fn default() -> Self {
        Self { keys: 3, operations_per_round: 100, read_share: 0.5 }
    }
}

/// The workload, with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Monotonic {
    options: MonotonicOptions,
}

impl Monotonic {
    /// With these options.
    ///
    /// # Errors
    /// If an option is out of range.
    pub fn new(options: MonotonicOptions) -> Result<Self, WorkloadError> {
        check_counts(
            NAME,
            [("keys", options.keys.into()), ("operations-per-round", options.operations_per_round)],
        )?;
        check_read_share(NAME, options.read_share)?;
        Ok(Self { options })
    }
}

impl Workload for Monotonic {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> &'static str {
        "increments of a counter with a read in one transaction, and reads of several: whether all \
         see them grow in the same order"
    }

    fn needs(&self) -> BTreeSet<&'static str> {
        ["append", "read-list", MicroOp::TRANSACTION].into()
    }

    fn generator(&self, run: &RunPlan) -> Box<dyn Generator> {
        let options = self.options.clone();
        paced(Load { rng: rng(run.seed, NAME), options, done: 0 }, run)
    }

    fn final_generator(&self, _run: &RunPlan, _history: &History) -> Box<dyn Generator> {
        nothing().boxed()
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        checkers()
    }
}

/// The endless stream of transactions.
#[derive(Debug)]
struct Load {
    rng: Pcg64,
    options: MonotonicOptions,
    done: u64,
}

impl Generator for Load {
    fn next(&mut self, context: &Context<'_>) -> Next {
        let Some(free) = context.pick(&mut self.rng) else { return Next::WAIT };
        let MonotonicOptions { keys, operations_per_round, read_share } = self.options;
        let keys = Key::from(keys);
        let first = (self.done / operations_per_round) as Key * keys;
        self.done += 1;
        if self.rng.random_bool(read_share) {
            return context.invoke(free, (first..first + keys).map(MicroOp::read_list).collect());
        }
        let key = first + self.rng.random_range(0..keys);
        let increment = MicroOp::Append { key, value: self.done as Value };
        context.invoke(free, vec![increment, MicroOp::read_list(key)])
    }
}
