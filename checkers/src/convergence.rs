//! Convergence: after a quiet period all replicas hold the same (Terry et al. 1995, Vogels 2009).
//!
//! ```text
//! p0: w(x,1)-  w(x,2)-
//! p1:                     i(x)=2@n1-  i(x)=2@n2-  i(x)=1@n3-     n3 never caught up
//! ```
//!
//! For each key the final inspections of all nodes are compared: the last successful one of each
//! node, asked after every acknowledged write of the key had completed.
//!
//! Cost: linear.
//!
//! Incomplete: a key that some inspected node did not answer for is unknown, unless the others differ
//! already. Writes of unknown outcome may still have been under way; the workload's quiet period
//! should be longer than the store's replication lag.
//!
//! A pass does not prove that the replicas hold the *right* value, nor that they stay together.

use std::collections::BTreeMap;

use perjury_history::{History, Key, NodeId};

use crate::final_state::{FinalState, Held, by_value, describe};
use crate::origins::Origins;
use crate::wording::nodes;
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
        let state = FinalState::of(history);
        let diverged: Vec<_> = state.keys().filter(|(_, held)| by_value(held).len() > 1).collect();
        let compared = state.keys().filter(|(_, held)| held.len() > 1).count();
        let by_key = if diverged.is_empty() { BTreeMap::new() } else { history.by_key() };
        let anomalies = diverged
            .iter()
            .take(LISTED_MAX)
            .map(|(key, held)| anomaly(*key, held, &Origins::of(history, &by_key[key])));
        Verdict {
            anomalies: anomalies.collect(),
            models: BTreeMap::from([(Model::Convergent, judge(&state, diverged.len()))]),
            measures: BTreeMap::from([
                ("keys_compared".into(), compared as u64),
                ("diverged_keys".into(), diverged.len() as u64),
            ]),
        }
    }
}

fn judge(state: &FinalState, diverged: usize) -> Judgement {
    if diverged > 0 {
        return Judgement::Invalid;
    }
    if state.keys().next().is_none() {
        return Judgement::Unknown(
            "no node was inspected after the last acknowledged write: let the workload's final \
             phase inspect every key on every node"
                .into(),
        );
    }
    let mut silent = state.keys().map(|(key, held)| (key, state.silent(held)));
    match silent.find(|(_, silent)| !silent.is_empty()) {
        Some((key, silent)) => Judgement::Unknown(format!(
            "{} did not answer for key {key} in the end",
            nodes(&silent)
        )),
        None => Judgement::Valid,
    }
}

fn anomaly(key: Key, held: &BTreeMap<NodeId, Held>, origins: &Origins<'_>) -> Anomaly {
    let mut operations: Vec<WitnessOperation> = held
        .iter()
        .map(|(node, it)| WitnessOperation {
            operation: it.operation,
            role: format!("{node} held {}", it.held),
        })
        .collect();
    for (value, _) in by_value(held) {
        let writer = origins.origin(value).writer;
        operations.extend(
            writer.map(|operation| WitnessOperation { operation, role: format!("wrote {value}") }),
        );
    }
    operations.sort_by_key(|it| it.operation);
    Anomaly {
        kind: AnomalyKind::Divergence,
        key: Some(key),
        explanation: format!("In the end the nodes disagree on key {key}: {}.", describe(held)),
        witness: Witness { operations, edges: Vec::new() },
    }
}
