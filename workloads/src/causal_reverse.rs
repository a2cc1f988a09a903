//! The causal-reverse workload: is the later of two writes ever seen without the earlier?
//!
//! ```text
//! p0: w(x,1)-  w(y,1)-
//! p1:   r(x)=nil;r(y)=1--      the second, and not the first
//! ```
//!
//! Each process writes the keys of a group of its own, one after the other, each once; others read
//! all keys of a group in one transaction. A serializable store may show what is drawn here, for
//! single writes of one process are transactions that nothing orders but time; a strictly serializable
//! one may not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use perjury_checkers::Checker;
use perjury_history::{History, Key, MicroOp};
use rand::RngExt as _;
use rand_pcg::Pcg64;
use serde::Deserialize;

use crate::generator::{nothing, rng};
use crate::options::{check_counts, check_read_share};
use crate::transactions::{checkers, paced};
use crate::{Context, Generator, Next, RunPlan, Workload, WorkloadError};

pub(crate) const NAME: &str = "causal-reverse";

/// What can be set in a campaign file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CausalReverseOptions {
    /// Keys of a group: all are read at once.
    pub keys_per_group: u64,
    /// The part of operations that are reads, below 1.
    pub read_share: f64,
}

impl Default for CausalReverseOptions {
    fn default() -> Self {
        Self { keys_per_group: 4, read_share: 0.6 }
    }
}

/// The workload, with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct CausalReverse {
    options: CausalReverseOptions,
}

impl CausalReverse {
    /// With these options.
    ///
    /// # Errors
    /// If an option is out of range.
    pub fn new(options: CausalReverseOptions) -> Result<Self, WorkloadError> {
        check_counts(NAME, [("keys-per-group", options.keys_per_group)])?;
        check_read_share(NAME, options.read_share)?;
        Ok(Self { options })
    }
}

impl Workload for CausalReverse {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> &'static str {
        "single writes of a process one after the other, and reads of all of them: whether the later \
         one is ever seen without the earlier"
    }

    fn needs(&self) -> BTreeSet<&'static str> {
        ["read", "write", MicroOp::TRANSACTION].into()
    }

    fn generator(&self, run: &RunPlan) -> Box<dyn Generator> {
        let load = Load {
            rng: rng(run.seed, NAME),
            options: self.options.clone(),
            given: 0,
            own: BTreeMap::new(),
            recent: VecDeque::new(),
        };
        paced(load, run)
    }

    fn final_generator(&self, _run: &RunPlan, _history: &History) -> Box<dyn Generator> {
        nothing().boxed()
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        checkers()
    }
}

/// The endless stream of operations.
#[derive(Debug)]
struct Load {
    rng: Pcg64,
    options: CausalReverseOptions,
    /// Keys that belong to a group so far.
    given: Key,
    /// The keys of each thread's group that are still to be written.
    own: BTreeMap<u32, VecDeque<Key>>,
    /// The first keys of as many groups as there are threads, the newest last.
    recent: VecDeque<Key>,
}

impl Load {
    fn write(&mut self, thread: u32, concurrency: u32) -> Vec<MicroOp> {
        let left = self.own.entry(thread).or_default();
        let key = left.pop_front().unwrap_or_else(|| {
            let first = self.given;
            self.given += self.options.keys_per_group as Key;
            left.extend(first + 1..self.given);
            self.recent.push_back(first);
            if self.recent.len() > concurrency as usize {
                self.recent.pop_front();
            }
            first
        });
        vec![MicroOp::Write { key, value: 1 }]
    }
}

impl Generator for Load {
    fn next(&mut self, context: &Context<'_>) -> Next {
        let Some(free) = context.pick(&mut self.rng) else { return Next::WAIT };
        let reads = self.rng.random_bool(self.options.read_share);
        let count = self.recent.len() as u32;
        if !reads || count == 0 {
            return context.invoke(free, self.write(free.thread, context.concurrency));
        }
        let first = self.recent[self.rng.random_range(0..count) as usize];
        let keys = first..first + self.options.keys_per_group as Key;
        context.invoke(free, keys.map(MicroOp::read).collect())
    }
}
