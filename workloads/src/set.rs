//! The set workload: elements are added, and must be there for ever.
//!
//! Nothing that comes later can excuse a missing element, as a later write excuses an overwritten
//! one. So no workload shows lost writes better, and none asks less of a store.
//!
//! - **Every element is added once**, over all sets, so that each found one names its add.
//! - **Reads are few**, because each brings the whole set.
//! - **Sets retire** after some operations and fresh ones take their place, so that reads stay cheap.
//!
//! When all faults are healed, every node is asked for every set that was used.

use std::collections::BTreeSet;

use perjury_checkers::{Checker, Convergence, Leaders, Progress, Sets};
use perjury_history::{History, Key, MicroOp, Value};
use rand::RngExt as _;
use rand_pcg::Pcg64;
use serde::Deserialize;

use crate::generator::{Keys, each_node, rng};
use crate::options::{FINAL_PATIENCE_NS, check_counts, check_read_share};
use crate::{Context, Generator, Next, RunPlan, Workload, WorkloadError};

pub(crate) const NAME: &str = "set";

/// What can be set in a campaign file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SetOptions {
    /// Sets in use at a time.
    pub keys: u32,
    /// Operations on a set before it retires. Reads bring all that was added until then.
    pub operations_per_key: u64,
    /// Sets in all, to bound the final phase. When they are used up, the last ones stay in use.
    pub keys_max: u64,
    /// The part of operations that are reads, below 1; the others are adds.
    pub read_share: f64,
    /// Whether the final phase inspects every node, past the store's read routes. Otherwise it has
    /// every node read every set: then convergence is not judged.
    pub inspect: bool,
}

impl Default for SetOptions {
    fn default() -> Self {
        Self {
            keys: 5,
            operations_per_key: 1_000,
            keys_max: 10_000,
            read_share: 0.05,
            inspect: true,
        }
    }
}

/// The workload, with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    options: SetOptions,
}

impl Set {
    /// With these options.
    ///
    /// # Errors
    /// If an option is out of range.
    pub fn new(options: SetOptions) -> Result<Self, WorkloadError> {
        check_counts(
            NAME,
            [
                ("keys", options.keys.into()),
                ("operations-per-key", options.operations_per_key),
                ("keys-max", options.keys_max),
            ],
        )?;
        check_read_share(NAME, options.read_share)?;
        Ok(Self { options })
    }
}

impl Workload for Set {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> &'static str {
        "adds to sets and reads of whole sets, then a look at what every node holds: durability, \
         stale reads, elements from nowhere, convergence, a single leader"
    }

    fn needs(&self) -> BTreeSet<&'static str> {
        let SetOptions { read_share, inspect, .. } = self.options;
        let used =
            [("add", true), ("read-set", read_share > 0.0 || !inspect), ("inspect-set", inspect)];
        used.into_iter().filter_map(|(function, used)| used.then_some(function)).collect()
    }

    fn generator(&self, run: &RunPlan) -> Box<dyn Generator> {
        Load::new(&self.options, rng(run.seed, NAME))
            .stagger(run.rate_hz, rng(run.seed, "stagger"))
            .operation_limit(run.operation_limit.unwrap_or(u64::MAX))
            .time_limit(run.time_limit_ns)
            .boxed()
    }

    fn final_generator(&self, run: &RunPlan, history: &History) -> Box<dyn Generator> {
        let micro_ops = history.iter().flat_map(|operation| operation.micro_ops);
        let keys: BTreeSet<Key> = micro_ops.map(MicroOp::key).collect();
        let look = if self.options.inspect { MicroOp::inspect_set } else { MicroOp::read_set };
        let looks: Vec<_> = keys.into_iter().map(|key| vec![look(key)]).collect();
        each_node(run.nodes, &looks, FINAL_PATIENCE_NS).boxed()
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        let mut checkers: Vec<Box<dyn Checker>> =
            vec![Box::new(Sets), Box::new(Leaders), Box::new(Progress)];
        if self.options.inspect {
            checkers.push(Box::new(Convergence));
        }
        checkers
    }
}

/// The endless stream of operations.
#[derive(Debug)]
struct Load {
    rng: Pcg64,
    read_share: f64,
    keys: Keys<()>,
    last_added: Value,
}

impl Load {
    fn new(options: &SetOptions, rng: Pcg64) -> Self {
        let keys = Keys::new(options.keys, options.operations_per_key, options.keys_max);
        Self { rng, read_share: options.read_share, keys, last_added: 0 }
    }
}

impl Generator for Load {
    fn next(&mut self, context: &Context<'_>) -> Next {
        let Some(free) = context.pick(&mut self.rng) else { return Next::WAIT };
        let key = self.keys.pick(&mut self.rng).key;
        let micro_op = match self.rng.random_bool(self.read_share) {
            true => MicroOp::read_set(key),
            false => {
                self.last_added += 1;
                MicroOp::Add { key, value: self.last_added }
            }
        };
        context.invoke(free, vec![micro_op])
    }
}
