//! Convergence: after a quiet period all replicas hold the same (Terry et al. 1995, Vogels 2009).
//!
//! ```text
//! p0: w(x,1)-  w(x,2)-
//! p1:                     i(x)=2@n1-  i(x)=2@n2-  i(x)=1@n3-     n3 never caught up
//! ```
//!
//! For each register, set and counter the final inspections of all nodes are compared: the last
//! successful one of each node, asked after every acknowledged write of the key had completed.
//!
//! Cost: linear.
//!
//! Incomplete: a key that some inspected node did not answer for is unknown, unless the others differ
//! already. Writes of unknown outcome may still have been under way; the workload's quiet period
//! should be longer than the store's replication lag.
//!
//! A pass does not prove that the replicas hold the *right* value, nor that they stay together.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use perjury_history::{History, Key, MicroOp, NodeId, OperationId, Value};

use crate::final_state::{FinalState, Held, by_value, describe};
use crate::origins::Origins;
use crate::wording::{count, list, nodes};
use crate::{
    Anomaly, AnomalyKind, Checker, Context, Judgement, Model, Verdict, Witness, WitnessOperation,
};

/// Anomalies listed at most; the measures have the full count.
const LISTED_MAX: usize = 100;

/// Decides [`Model::Convergent`]; see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Convergence;

impl Checker for Convergence {
    fn name(&self) -> &'static str {
        "convergence"
    }

    fn models(&self) -> &'static [Model] {
        &[Model::Convergent]
    }

    fn check(&self, history: &History, _: &Context<'_>) -> Verdict {
        let mut found = Found::default();
        found.registers(history);
        found.sets(history);
        found.counters(history);
        found.verdict()
    }
}

#[derive(Default)]
struct Found {
    compared: u64,
    diverged: u64,
    /// Whether any node was looked at in the end.
    inspected: bool,
    silent: Option<String>,
    anomalies: Vec<Anomaly>,
}

impl Found {
    fn registers(&mut self, history: &History) {
        let state = FinalState::of(history);
        let by_key = OnceCell::new();
        self.compare(&state, |key, held| {
            let by_key = by_key.get_or_init(|| history.by_key());
            let origins = Origins::of(history, &by_key[&key]);
            let values = by_value(held);
            let writers = values.into_iter().filter_map(|(value, _)| {
                Some((origins.origin(value).writer?, format!("wrote {value}")))
            });
            let shown = held.iter().map(|(node, it)| (*node, it.held.to_string()));
            (describe(held), shown.collect(), writers.collect())
        });
    }

    fn sets(&mut self, history: &History) {
        let look = |micro_op: &MicroOp| match micro_op {
            // Sorted: a set has no order. (A repeated element is for `sets` to tell.)
            MicroOp::InspectSet { result, .. } => Some(
                result
                    .as_ref()
                    .map(|elements| elements.iter().copied().collect::<BTreeSet<Value>>()),
            ),
            _ => None,
        };
        let writes = |micro_op: &MicroOp| matches!(micro_op, MicroOp::Add { .. });
        let state = FinalState::looked(history, look, writes);
        self.compare(&state, |_, held| {
            let all: BTreeSet<Value> = held.values().flat_map(|it| &it.held).copied().collect();
            let shown = held.iter().map(|(node, it)| (*node, elements(&it.held, &all)));
            let groups = by_value(held);
            let groups = groups.iter().map(|(set, on)| (elements(set, &all), nodes(on)));
            let groups = groups.map(|(set, on)| format!("{on} held {set}"));
            (groups.collect::<Vec<_>>().join(", "), shown.collect(), Vec::new())
        });
    }

    fn counters(&mut self, history: &History) {
        let look = |micro_op: &MicroOp| match *micro_op {
            MicroOp::InspectCounter { result, .. } => Some(result),
            _ => None,
        };
        let writes = |micro_op: &MicroOp| matches!(micro_op, MicroOp::Increment { .. });
        let state = FinalState::looked(history, look, writes);
        self.compare(&state, |_, held| {
            let groups = by_value(held);
            let groups = groups.iter().map(|(value, on)| format!("{} held {value}", nodes(on)));
            let shown = held.iter().map(|(node, it)| (*node, it.held.to_string()));
            (groups.collect::<Vec<_>>().join(", "), shown.collect(), Vec::new())
        });
    }

    /// `describe` gives for a key the sentence's end, what each node held, and who wrote it.
    fn compare<T: Clone + PartialEq>(
        &mut self,
        state: &FinalState<T>,
        describe: impl Fn(Key, &BTreeMap<NodeId, Held<T>>) -> Description,
    ) {
        for (key, held) in state.keys() {
            self.inspected = true;
            self.compared += u64::from(held.len() > 1);
            let silent = state.silent(held);
            if !silent.is_empty() {
                self.silent.get_or_insert_with(|| {
                    format!("{} did not answer for key {key} in the end", nodes(&silent))
                });
            }
            let mut values = held.values().map(|it| &it.held);
            let first = values.next();
            if values.all(|value| Some(value) == first) {
                continue;
            }
            self.diverged += 1;
            if self.anomalies.len() < LISTED_MAX {
                self.anomalies.push(anomaly(key, held, describe(key, held)));
            }
        }
    }

    fn verdict(self) -> Verdict {
        let judgement = match self.silent {
            _ if self.diverged > 0 => Judgement::Invalid,
            _ if !self.inspected => Judgement::Unknown(
                "no node was inspected after the last acknowledged write: let the workload's final \
                 phase inspect every key on every node"
                    .into(),
            ),
            Some(reason) => Judgement::Unknown(reason),
            None => Judgement::Valid,
        };
        Verdict {
            anomalies: self.anomalies,
            models: BTreeMap::from([(Model::Convergent, judgement)]),
            measures: BTreeMap::from([
                ("keys_compared".into(), self.compared),
                ("diverged_keys".into(), self.diverged),
            ]),
        }
    }
}

/// What the nodes held in one sentence, what each held, and who wrote it.
type Description = (String, Vec<(NodeId, String)>, Vec<(OperationId, String)>);

/// `57 elements without 3, 9 and 2 others`, compared with all that some node holds.
fn elements(set: &BTreeSet<Value>, all: &BTreeSet<Value>) -> String {
    const NAMED_MAX: usize = 3;
    let lacking: Vec<String> = all.difference(set).map(ToString::to_string).collect();
    let held = count(set.len() as u64, "element");
    match lacking.len() {
        0 => held,
        1..=NAMED_MAX => format!("{held} without {}", list(&lacking, "and")),
        more => {
            let others = count((more - NAMED_MAX) as u64, "other");
            format!("{held} without {} and {others}", lacking[..NAMED_MAX].join(", "))
        }
    }
}

fn anomaly<T>(
    key: Key,
    held: &BTreeMap<NodeId, Held<T>>,
    (sentence, shown, writers): Description,
) -> Anomaly {
    let mut operations: Vec<WitnessOperation> = held
        .values()
        .zip(shown)
        .map(|(it, (node, shown))| WitnessOperation {
            operation: it.operation,
            role: format!("{node} held {shown}"),
        })
        .collect();
    operations
        .extend(writers.into_iter().map(|(operation, role)| WitnessOperation { operation, role }));
    operations.sort_by_key(|it| it.operation);
    Anomaly {
        kind: AnomalyKind::Divergence,
        key: Some(key),
        explanation: format!("In the end the nodes disagree on key {key}: {sentence}."),
        witness: Witness::of(operations, Vec::new()),
    }
}
