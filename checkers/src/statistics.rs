//! How many operations succeeded, how fast, and why the others did not.

use std::collections::BTreeMap;

use perjury_history::{History, NodeId, Operation, Outcome};
use serde::{Deserialize, Serialize};

/// Counts and latencies of a whole history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// By the operation's function: `read`, `write`, ...; `txn` for one of several micro-operations.
    pub functions: BTreeMap<String, FunctionStatistics>,
    /// By the node that was asked. Operations that name no node are not in here.
    pub nodes: BTreeMap<NodeId, Counts>,
    /// How often each error was given, for failed and unknown operations.
    pub errors: BTreeMap<String, u64>,
    /// Time of the last entry of the record.
    pub duration_ns: u64,
}

/// Counts and latencies of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionStatistics {
    /// Its outcomes.
    pub counts: Counts,
    /// From invocation to completion of its `ok` operations; `None` if there is none.
    pub latency: Option<Quantiles>,
}

/// Numbers of operations by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Happened.
    pub ok: u64,
    /// Certainly did not happen.
    pub fail: u64,
    /// May or may not have happened; those that never completed among them.
    pub info: u64,
}

impl Counts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.ok + self.fail + self.info
    }

    fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::Fail => &mut self.fail,
            Outcome::Info => &mut self.info,
        } += 1;
    }
}

/// Latencies that half, 95 %, 99 % and all of the operations stayed within (nearest rank).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Median.
    pub p50_ns: u64,
    /// 95th percentile.
    pub p95_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// The slowest.
    pub max_ns: u64,
}

impl Quantiles {
    /// Of these latencies, in any order; `None` if there are none.
    pub fn of(mut latencies_ns: Vec<u64>) -> Option<Self> {
        latencies_ns.sort_unstable();
        let max_ns = *latencies_ns.last()?;
        let rank = |percent: usize| {
            let index = (latencies_ns.len() * percent).div_ceil(100).saturating_sub(1);
            latencies_ns[index]
        };
        Some(Self { p50_ns: rank(50), p95_ns: rank(95), p99_ns: rank(99), max_ns })
    }
}

/// Counts a history. O(n log n) time.
pub fn statistics(history: &History) -> Statistics {
    let mut statistics = Statistics { duration_ns: history.end_ns(), ..Statistics::default() };
    let mut functions: BTreeMap<&'static str, (Counts, Vec<u64>)> = BTreeMap::new();
    for operation in history.iter() {
        let (counts, latencies_ns) = functions.entry(function(&operation)).or_default();
        counts.add(operation.outcome);
        if let (Outcome::Ok, Some(completed_ns)) = (operation.outcome, operation.completed_ns) {
            latencies_ns.push(completed_ns - operation.invoked_ns);
        }
        if let Some(node) = operation.node {
            statistics.nodes.entry(node).or_default().add(operation.outcome);
        }
        if let Some(error) = operation.error {
            match statistics.errors.get_mut(error) {
                Some(count) => *count += 1,
                None => drop(statistics.errors.insert(error.to_owned(), 1)),
            }
        }
    }
    for (name, (counts, latencies_ns)) in functions {
        let latency = Quantiles::of(latencies_ns);
        statistics.functions.insert(name.to_owned(), FunctionStatistics { counts, latency });
    }
    statistics
}

impl Statistics {
    /// The functions that were tried and never once succeeded, by name: whatever such a history
    /// seems to show about them, it shows nothing.
    pub fn never_succeeded(&self) -> Vec<String> {
        let tried_in_vain = |it: &FunctionStatistics| it.counts.ok == 0 && it.counts.total() > 0;
        let names = self.functions.iter().filter(|(_, it)| tried_in_vain(it));
        names.map(|(name, _)| name.clone()).collect()
    }
}

fn function(operation: &Operation<'_>) -> &'static str {
    operation.single().map_or("txn", |only| only.function())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_function_and_outcome() {
        let history = History::parse_notation(
            "
            p0: w(x,1)-   r(x)=1-
            p1: w(x,2)?   r(x)-!
            p2: cas(x,1,2)!
            ",
        )
        .expect("a good drawing");
        let found = statistics(&history);
        assert_eq!(found.functions["write"].counts, Counts { ok: 1, fail: 0, info: 1 });
        assert_eq!(found.functions["read"].counts, Counts { ok: 1, fail: 1, info: 0 });
        assert_eq!(found.functions["cas"].latency, None);
        assert_eq!(found.never_succeeded(), ["cas"]);
        let latency = found.functions["write"].latency.expect("one write succeeded");
        assert_eq!((latency.p50_ns, latency.max_ns), (6_000_000, 6_000_000));
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        assert_eq!(Quantiles::of(vec![]), None);
        let hundred = Quantiles::of((1..=100).rev().collect()).expect("there are some");
        assert_eq!(hundred, Quantiles { p50_ns: 50, p95_ns: 95, p99_ns: 99, max_ns: 100 });
        let two = Quantiles::of(vec![7, 3]).expect("there are some");
        assert_eq!(two, Quantiles { p50_ns: 3, p95_ns: 7, p99_ns: 7, max_ns: 7 });
    }
}
