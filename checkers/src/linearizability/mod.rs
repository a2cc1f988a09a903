//! Linearizability of registers: every operation takes effect at one instant between its invocation
//! and its completion (Herlihy & Wing 1990).
//!
//! ```text
//! p0: w(x,1)--   w(x,2)--
//! p1:                       r(x)=1--      the read began after the write of 2 had ended
//! ```
//!
//! A key at a time, for a history is linearizable if and only if each object's part of it is
//! (locality). Each key's operations are reduced to those that matter (`register`), then searched
//! for an order that explains them (`search`): just-in-time linearization (Lowe, *Testing for
//! linearizability*, 2017) after Wing & Gong (1993). A search that takes long is left, and where
//! every value is written once, the zones of Gibbons & Korach (1997) decide instead (`zones`); else
//! the search goes on. If there is no order, the evidence is reduced by
//! steps that keep it one (`shrink`) and put into words (`explain`).
//!
//! A failed operation did not happen; one of unknown outcome may take effect at any time after its
//! invocation, or never. That a failed compare-and-set found another value is not believed.
//! Inspections are not clients' reads and do not count. Values may repeat.
//!
//! Cost: with at most `p` operations open at a time and `u` unknown ones whose values were
//! observed, up to `p * 2^(p + u)` configurations for every completion; in practice a handful, and
//! the whole near-linear. Deciding linearizability is NP-complete (Gibbons & Korach 1997).
//!
//! Incomplete: where a search reaches a bound of the [`Context`], the key is unknown. So is a key
//! that transactions of several micro-operations touch.
//!
//! A pass does not prove that the store is linearizable: only that this history is. Nor does it
//! speak of operations on several keys.

mod explain;
mod register;
mod search;
mod sequential;
mod shrink;
#[cfg(test)]
mod tests;
mod window;
mod zones;

use std::collections::BTreeMap;

use perjury_history::{History, Key, MicroOp, OperationId, Reading};

use self::explain::Contradiction;
use self::register::{Register, RegisterOperation};
use self::search::{Answer, Budget, Limit, search};
use self::sequential::{Call, SequentialModel, cut};
use self::zones::{Zones, zones};
use crate::wording::count;
use crate::{Anomaly, Checker, Context, Judgement, Model, Verdict};

/// Anomalies listed at most; the measures have the full count.
const LISTED_MAX: usize = 100;

/// Steps of a search before the zones are asked.
const FIRST_STEPS: u64 = 10_000;
const FIRST_STEPS_PER_OPERATION: u64 = 64;

/// Steps for making one witness smaller, beside some for each operation; and for all of them.
const SHRINK_STEPS: u64 = 1_000_000;
const SHRINK_STEPS_PER_OPERATION: u64 = 16;
const SHRINK_STEPS_ALL: u64 = 50_000_000;

/// Decides [`Model::Linearizable`] for registers; see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Linearizability;

impl Checker for Linearizability {
    fn name(&self) -> &'static str {
        "linearizability"
    }

    fn models(&self) -> &'static [Model] {
        &[Model::Linearizable]
    }

    fn check(&self, history: &History, context: &Context<'_>) -> Verdict {
        let mut check = Check {
            history,
            context,
            shrink_steps_left: SHRINK_STEPS_ALL,
            anomalies: Vec::new(),
            unknown: Vec::new(),
            measures: BTreeMap::new(),
        };
        for (key, operations) in history.by_key() {
            check.key(key, &operations);
        }
        check.finish()
    }
}

type Calls = Vec<Call<RegisterOperation>>;

/// Those of `calls` that are in `chosen`, as they were. Both are by order of invocation.
fn only(calls: &[Call<RegisterOperation>], chosen: &[Call<RegisterOperation>]) -> Calls {
    let is_chosen = |id| chosen.binary_search_by_key(&id, |call| call.id).is_ok();
    calls.iter().filter(|call| is_chosen(call.id)).copied().collect()
}

fn is_of_register(micro_op: &MicroOp) -> bool {
    use MicroOp::{Cas, Inspect, Read, Write};
    matches!(micro_op, Read { .. } | Write { .. } | Cas { .. } | Inspect { .. })
}

struct Check<'a> {
    history: &'a History,
    context: &'a Context<'a>,
    shrink_steps_left: u64,
    anomalies: Vec<Anomaly>,
    /// Why keys are not decided.
    unknown: Vec<String>,
    measures: BTreeMap<String, u64>,
}

impl Check<'_> {
    fn key(&mut self, key: Key, operations: &[OperationId]) {
        let all = || operations.iter().map(|id| self.history.get(*id));
        let is_inspection = |op: &MicroOp| matches!(op, MicroOp::Inspect { .. });
        if all().all(|it| it.micro_ops.iter().all(is_inspection)) {
            return;
        }
        if all().any(|it| it.single().is_none()) {
            self.unknown.push(format!(
                "key {key}: transactions of several micro-operations touch it, and they are not \
                 judged here"
            ));
            return;
        }
        if let Some(other) = all().find(|it| !it.micro_ops.iter().all(is_of_register)) {
            let function = other.micro_ops[0].function();
            self.unknown
                .push(format!("key {key}: only registers are judged here, not `{function}`"));
            return;
        }
        let calls: Vec<_> = all().filter_map(|it| register::call(&it)).collect();
        self.count("operations", calls.len());
        let (answer, evidence) = self.decide(&calls);
        match answer {
            Answer::Linearizable => {}
            Answer::Contradiction { position, states } => {
                self.contradiction(key, operations, &evidence, position, &states);
            }
            Answer::Exhausted { limit, proved, unknown } => {
                let completed = calls.iter().filter(|call| call.returned.is_some()).count();
                self.unknown.push(self.exhausted(key, limit, proved, completed, unknown));
                return;
            }
        }
        self.count("keys_decided", 1);
    }

    /// A short search, then the zones, then a long search; with the calls that the answer is of.
    fn decide(&mut self, calls: &[Call<RegisterOperation>]) -> (Answer<Reading>, Calls) {
        if (self.context.out_of_time)() {
            let answer = Answer::Exhausted { limit: Limit::Time, proved: 0, unknown: 0 };
            return (answer, Vec::new());
        }
        let reduced = Register.reduce(calls);
        let limit = self.context.step_limit;
        let first_steps = FIRST_STEPS + FIRST_STEPS_PER_OPERATION * reduced.len() as u64;
        let first = self.search(&reduced, first_steps.min(limit));
        if !matches!(first, Answer::Exhausted { limit: Limit::Steps | Limit::Memory, .. }) {
            return (first, calls.to_vec());
        }
        match zones(&reduced) {
            Zones::Linearizable => {
                self.count("keys_decided_by_zones", 1);
                (Answer::Linearizable, Vec::new())
            }
            Zones::Contradiction(blocks) => {
                self.count("keys_decided_by_zones", 1);
                let blocks: Calls = blocks.into_iter().map(|index| reduced[index]).collect();
                let answer = self.search(&blocks, limit);
                (answer, only(calls, &blocks))
            }
            Zones::Inapplicable if first_steps < limit => {
                (self.search(&reduced, limit), calls.to_vec())
            }
            Zones::Inapplicable => (first, Vec::new()),
        }
    }

    fn search(&mut self, calls: &[Call<RegisterOperation>], steps: u64) -> Answer<Reading> {
        let mut budget = self.budget(steps);
        let answer = search(&Register, calls, &mut budget);
        let steps_taken = steps - budget.steps_left;
        self.count("search_steps", steps_taken as usize);
        answer
    }

    fn contradiction(
        &mut self,
        key: Key,
        operations: &[OperationId],
        calls: &[Call<RegisterOperation>],
        position: u32,
        states: &[Reading],
    ) {
        self.count("nonlinearizable_keys", 1);
        let mut evidence = cut(calls, position);
        // Where the zones can tell, they leave little to shrink.
        let reduced = Register.reduce(&evidence);
        if let Zones::Contradiction(blocks) = zones(&reduced) {
            let blocks: Calls = blocks.into_iter().map(|index| reduced[index]).collect();
            let fewer = only(&evidence, &blocks);
            if fewer.iter().any(|call| call.returned == Some(position)) {
                evidence = fewer;
            }
        }
        let steps = SHRINK_STEPS + SHRINK_STEPS_PER_OPERATION * evidence.len() as u64;
        let steps = steps.min(self.shrink_steps_left);
        let mut budget = self.budget(steps);
        let core = shrink::shrink(&Register, evidence, position, &mut budget);
        self.shrink_steps_left -= steps - budget.steps_left;
        let failing = core.iter().find(|call| call.returned == Some(position));
        let failing = *failing.expect("what cannot be explained is part of every explanation");
        let contradiction =
            Contradiction { history: self.history, key, operations, core: &core, failing, states };
        self.anomalies.push(contradiction.anomaly());
    }

    fn budget(&self, steps_left: u64) -> Budget<'_> {
        Budget {
            steps_left,
            memory_limit_bytes: self.context.memory_limit_bytes,
            out_of_time: self.context.out_of_time,
        }
    }

    fn exhausted(
        &self,
        key: Key,
        limit: Limit,
        proved: usize,
        completed: usize,
        unknown: usize,
    ) -> String {
        let reached = match limit {
            Limit::Steps => format!("the limit of {} steps", self.context.step_limit),
            Limit::Memory => {
                format!("the limit of {} MiB", self.context.memory_limit_bytes >> 20)
            }
            Limit::Time => "the time limit".to_owned(),
        };
        format!(
            "key {key}: the search reached {reached}; the first {proved} of {} were proved \
             linearizable, {} of unknown outcome {} open there; use more keys with fewer operations \
             each, a lower concurrency or a higher limit",
            count(completed as u64, "completed operation"),
            count(unknown as u64, "operation"),
            if unknown == 1 { "was" } else { "were" },
        )
    }

    fn count(&mut self, measure: &str, number: usize) {
        *self.measures.entry(measure.to_owned()).or_default() += number as u64;
    }

    fn finish(mut self) -> Verdict {
        self.count("keys_unknown", self.unknown.len());
        for measure in [
            "keys_decided",
            "keys_decided_by_zones",
            "nonlinearizable_keys",
            "operations",
            "search_steps",
        ] {
            self.count(measure, 0);
        }
        self.anomalies.sort_by_key(|it| (it.witness.operations.len(), it.key));
        self.anomalies.truncate(LISTED_MAX);
        let judgement = match self.unknown.as_slice() {
            _ if !self.anomalies.is_empty() => Judgement::Invalid,
            [] if self.measures["operations"] == 0 => {
                Judgement::Unknown("no read, write or compare-and-set took effect".into())
            }
            [] => Judgement::Valid,
            [only] => Judgement::Unknown(only.clone()),
            [first, others @ ..] => {
                let others = count(others.len() as u64, "more key");
                Judgement::Unknown(format!("{first} (and {others})"))
            }
        };
        Verdict {
            models: BTreeMap::from([(Model::Linearizable, judgement)]),
            anomalies: self.anomalies,
            measures: self.measures,
        }
    }
}
