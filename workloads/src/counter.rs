//! The counter workload: increments by one, and reads.
//!
//! Increments need no reading before, so stores take them where they take nothing else: as soon as
//! one node has them. All are by one, which lets the [checker](perjury_checkers::counters) decide
//! exactly what reads may have found; counters retire so that it stays small.
//!
//! When all faults are healed, every node is asked for every counter that was used.

use std::collections::BTreeSet;

use perjury_checkers::{Checker, Convergence, Counters, Leaders, Progress};
use perjury_history::{History, Key, MicroOp};
use rand::RngExt as _;
use rand_pcg::Pcg64;
use serde::Deserialize;

use crate::generator::{Keys, each_node, rng};
use crate::options::{FINAL_PATIENCE_NS, check_counts, check_read_share};
use crate::{Context, Generator, Next, RunPlan, Workload, WorkloadError};

pub(crate) const NAME: &str = "counter";

/// What can be set in a campaign file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CounterOptions {
    /// Counters in use at a time.
    pub keys: u32,
    /// Operations on a counter before it retires.
    pub operations_per_key: u64,
    /// Counters in all, to bound the final phase. When they are used up, the last ones stay in use.
    pub keys_max: u64,
    /// The part of operations that are reads, below 1; the others are increments.
    pub read_share: f64,
    /// Whether the final phase inspects every node, past the store's read routes. Otherwise it has
    /// every node read every counter: then convergence is not judged.
    pub inspect: bool,
}

impl Default for CounterOptions {
    fn default() -> Self {
        Self { keys: 5, operations_per_key: 200, keys_max: 10_000, read_share: 0.3, inspect: true }
    }
}

/// The workload, with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Counter {
    options: CounterOptions,
}

impl Counter {
    /// With these options.
    ///
    /// # Errors
    /// If an option is out of range.
    pub fn new(options: CounterOptions) -> Result<Self, WorkloadError> {
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

impl Workload for Counter {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> &'static str {
        "increments and reads of counters, then a look at where every node has them: lost and \
         repeated increments, stale reads, convergence, a single leader"
    }

    fn needs(&self) -> BTreeSet<&'static str> {
        let CounterOptions { read_share, inspect, .. } = self.options;
        let used = [
            ("increment", true),
            ("read-counter", read_share > 0.0 || !inspect),
            ("inspect-counter", inspect),
        ];
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
        let look = match self.options.inspect {
            true => MicroOp::inspect_counter,
            false => MicroOp::read_counter,
        };
        let looks: Vec<_> = keys.into_iter().map(|key| vec![look(key)]).collect();
        each_node(run.nodes, &looks, FINAL_PATIENCE_NS).boxed()
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        let mut checkers: Vec<Box<dyn Checker>> =
            vec![Box::new(Counters), Box::new(Leaders), Box::new(Progress)];
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
}

impl Load {
    fn new(options: &CounterOptions, rng: Pcg64) -> Self {
        let keys = Keys::new(options.keys, options.operations_per_key, options.keys_max);
        Self { rng, read_share: options.read_share, keys }
    }
}

impl Generator for Load {
    fn next(&mut self, context: &Context<'_>) -> Next {
        let Some(free) = context.pick(&mut self.rng) else { return Next::WAIT };
        let key = self.keys.pick(&mut self.rng).key;
        let micro_op = match self.rng.random_bool(self.read_share) {
            true => MicroOp::read_counter(key),
            false => MicroOp::Increment { key, delta: 1 },
        };
        context.invoke(free, vec![micro_op])
    }
}
