//! What the workloads of transactions have in common: random reads and writes of a few keys, as
//! Elle's generators make them (Kingsbury & Alvaro 2020), and who judges them.

use perjury_checkers::{Checker, Leaders, Progress, transactions::Transactions};
use perjury_history::{History, Key, MicroOp, Value};
use rand::RngExt as _;
use rand_pcg::Pcg64;
use serde::Deserialize;

use crate::generator::{KeyDistribution, Keys, list, rng};
use crate::options::{check_counts, check_read_share, out_of_range};
use crate::{Context, Generator, Next, RunPlan, WorkloadError};

/// Longer ones no store takes.
const LENGTH_MAX: u64 = 100;

/// What can be set in a campaign file about workloads of random transactions.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct TransactionOptions {
    /// Keys in use at a time. Fewer keys mean more contention.
    pub keys: u32,
    /// How often each of them is chosen.
    pub key_distribution: KeyDistribution,
    /// Writes to a key before it retires.
    pub writes_per_key: u64,
    /// Micro-operations of a transaction at least.
    pub length_min: u64,
    /// Micro-operations of a transaction at most.
    pub length_max: u64,
    /// The part of micro-operations that are reads, below 1.
    pub read_share: f64,
}

impl Default for TransactionOptions {
    fn default() -> Self {
        Self {
            keys: 8,
            key_distribution: KeyDistribution::Exponential,
            writes_per_key: 32,
            length_min: 1,
            length_max: 4,
            read_share: 0.5,
        }
    }
}

impl TransactionOptions {
    pub(crate) fn validate(&self, workload: &'static str) -> Result<(), WorkloadError> {
        check_counts(
            workload,
            [
                ("keys", self.keys.into()),
                ("writes-per-key", self.writes_per_key),
                ("length-min", self.length_min),
            ],
        )?;
        if !(self.length_min..=LENGTH_MAX).contains(&self.length_max) {
            let expected = format!("from `length-min` ({}) to {LENGTH_MAX}", self.length_min);
            let advice = "a transaction has as many micro-operations at most";
            return out_of_range(workload, "length-max", expected, &self.length_max, advice);
        }
        check_read_share(workload, self.read_share)
    }
}

/// How the keys of a workload are read and written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    pub(crate) read: fn(Key) -> MicroOp,
    pub(crate) write: fn(Key, Value) -> MicroOp,
}

/// The load of a workload of random transactions.
pub(crate) fn load(
    name: &str,
    options: &TransactionOptions,
    words: Words,
    run: &RunPlan,
) -> Box<dyn Generator> {
    let options = options.clone();
    let keys = Keys::distributed(options.keys, options.writes_per_key, options.key_distribution);
    paced(Load { rng: rng(run.seed, name), options, keys, words }, run)
}

/// Paced and limited as the plan says.
pub(crate) fn paced(load: impl Generator + 'static, run: &RunPlan) -> Box<dyn Generator> {
    load.stagger(run.rate_hz, rng(run.seed, "stagger"))
        .operation_limit(run.operation_limit.unwrap_or(u64::MAX))
        .time_limit(run.time_limit_ns)
        .boxed()
}

/// Reads all keys that were used once more, several in a transaction: what was acknowledged and is
/// gone shows now at the latest.
pub(crate) fn read_all(
    options: &TransactionOptions,
    read: fn(Key) -> MicroOp,
    history: &History,
) -> Box<dyn Generator> {
    let keys: Vec<Key> = history.by_key().into_keys().collect();
    let several = keys.chunks(options.length_max.max(1) as usize);
    let reads = several.map(|keys| keys.iter().copied().map(read).collect());
    list(reads.collect::<Vec<_>>()).boxed()
}

/// Who judges transactions.
pub(crate) fn checkers() -> Vec<Box<dyn Checker>> {
    vec![Box::new(Transactions::default()), Box::new(Leaders), Box::new(Progress)]
}

/// The endless stream of transactions.
#[derive(Debug)]
struct Load {
    rng: Pcg64,
    options: TransactionOptions,
    /// Each with the value that was written last: values of a key are unique.
    keys: Keys<Value>,
    words: Words,
}

impl Load {
    fn micro_op(&mut self) -> MicroOp {
        if self.rng.random_bool(self.options.read_share) {
            return (self.words.read)(self.keys.peek(&mut self.rng));
        }
        let active = self.keys.pick(&mut self.rng);
        active.notes += 1;
        (self.words.write)(active.key, active.notes)
    }
}

impl Generator for Load {
    fn next(&mut self, context: &Context<'_>) -> Next {
        let Some(free) = context.pick(&mut self.rng) else { return Next::WAIT };
        let TransactionOptions { length_min, length_max, .. } = self.options;
        let length = self.rng.random_range(length_min..=length_max);
        context.invoke(free, (0..length).map(|_| self.micro_op()).collect())
    }
}
