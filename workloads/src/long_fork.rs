//! The long-fork workload: do all see single writes in the same order?
//!
//! ```text
//! p0: w(x,1)-            p2: r(x)=1;r(y)=nil--
//! p1: w(y,1)-            p3: r(x)=nil;r(y)=1--      each saw the other's first
//! ```
//!
//! Each key of a group is written once, by whoever is free, and all of them are read in one
//! transaction. Parallel snapshot isolation allows what is drawn here; snapshot isolation does not
//! (Sovran et al. 2011).

use std::collections::BTreeSet;

use perjury_checkers::Checker;
use perjury_history::{History, Key, MicroOp};
use rand::RngExt as _;
use rand_pcg::Pcg64;
use serde::Deserialize;

use crate::generator::{Keys, nothing, rng};
use crate::options::{check_counts, check_read_share};
use crate::transactions::{checkers, paced};
use crate::{Context, Generator, Next, RunPlan, Workload, WorkloadError};

pub(crate) const NAME: &str = "long-fork";

/// What can be set in a campaign file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LongForkOptions {
    /// Groups in use at a time.
    pub groups: u32,
    /// Keys of a group: all are read at once.
    pub keys_per_group: u64,
    /// Operations on a group before a fresh one takes its place.
    pub operations_per_group: u64,
    /// The part of operations that are reads while there are keys to be written, below 1.
    pub read_share: f64,
}

impl Default for LongForkOptions {
    fn default() -> Self {
        Self { groups: 3, keys_per_group: 3, operations_per_group: 20, read_share: 0.7 }
    }
}

/// The workload, with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct LongFork {
    options: LongForkOptions,
}

impl LongFork {
    /// With these options.
    ///
    /// # Errors
    /// If an option is out of range.
    pub fn new(options: LongForkOptions) -> Result<Self, WorkloadError> {
        check_counts(
            NAME,
            [
                ("groups", options.groups.into()),
                ("keys-per-group", options.keys_per_group),
                ("operations-per-group", options.operations_per_group),
            ],
        )?;
        check_read_share(NAME, options.read_share)?;
        Ok(Self { options })
    }
}

impl Workload for LongFork {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> &'static str {
        "single writes of the keys of a group, and reads of all of them: whether two readers see two \
         writes in different orders"
    }

    fn needs(&self) -> BTreeSet<&'static str> {
        ["read", "write", MicroOp::TRANSACTION].into()
    }

    fn generator(&self, run: &RunPlan) -> Box<dyn Generator> {
        let LongForkOptions { groups, operations_per_group, .. } = self.options;
        let groups = Keys::new(groups, operations_per_group, u64::MAX);
        paced(Load { rng: rng(run.seed, NAME), options: self.options.clone(), groups }, run)
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
    options: LongForkOptions,
    /// By number, each with how many of its keys are written.
    groups: Keys<u64>,
}

impl Generator for Load {
    fn next(&mut self, context: &Context<'_>) -> Next {
        let Some(free) = context.pick(&mut self.rng) else { return Next::WAIT };
        let LongForkOptions { keys_per_group, read_share, .. } = self.options;
        let reads = self.rng.random_bool(read_share);
        let group = self.groups.pick(&mut self.rng);
        let first = group.key * keys_per_group as Key;
        if reads || group.notes == keys_per_group {
            let keys = first..first + keys_per_group as Key;
            return context.invoke(free, keys.map(MicroOp::read).collect());
        }
        let key = first + group.notes as Key;
        group.notes += 1;
        context.invoke(free, vec![MicroOp::Write { key, value: 1 }])
    }
}
