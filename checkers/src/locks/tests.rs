//! Random histories against the plain definitions.

use std::collections::BTreeSet;

use perjury_history::{Entry, Event, EventKind, HistoryBuilder, NodeId, Process};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::*;

/// Clients that acquire and release two locks, with arbitrary tokens.
fn random(seed: u64) -> History {
    let mut random = Pcg64Mcg::new(u128::from(seed) << 1 | 1);
    let mut builder = HistoryBuilder::new();
    let mut open: [Option<MicroOp>; 3] = [const { None }; 3];
    let mut token = 0;
    for time_ns in 0..random.random_range(1..24) {
        let which = random.random_range(0..open.len());
        let (kind, micro_op) = match open[which].take() {
            None => {
                let key = random.random_range(0..2);
                let asked = match random.random_bool(0.6) {
                    true => MicroOp::acquire(key),
                    false => {
                        let token = token - random.random_range(0..3);
                        MicroOp::Release { key, token }
                    }
                };
                open[which] = Some(asked.clone());
                (EventKind::Invoke, asked)
            }
            Some(MicroOp::Acquire { key, .. }) if random.random_bool(0.8) => {
                token += random.random_range(-1..3);
                (EventKind::Ok, MicroOp::Acquire { key, token: Some(token) })
            }
            Some(asked @ MicroOp::Acquire { .. }) => (EventKind::Fail, asked),
            Some(asked) if random.random_bool(0.2) => (EventKind::Info, asked),
            Some(asked) => (EventKind::Ok, asked),
        };
        let event = Event {
            time_ns,
            process: Process(which as u32),
            kind,
            micro_ops: vec![micro_op],
            node: Some(NodeId(0)),
            version: None,
            error: None,
        };
        builder.push(Entry::Operation(event)).expect("well formed");
    }
    builder.finish()
}

/// Whether the client of `acquire` certainly holds the lock just after entry `at`.
fn holds_at(history: &History, acquire: &Operation<'_>, key: Key, token: Value, at: u32) -> bool {
    let given_back = history.iter().any(|it| {
        let release = it.single() == Some(&MicroOp::Release { key, token });
        release
            && it.process == acquire.process
            && it.invoked <= at
            && acquire.completed.is_some_and(|completed| it.invoked > completed)
    });
    acquire.completed.is_some_and(|completed| completed <= at) && !given_back
}

#[test]
fn agrees_with_the_definitions_on_random_histories() {
    let mut found = BTreeSet::new();
    for seed in 0..20_000 {
        let history = random(seed);
        let acquired: Vec<(Operation<'_>, Key, Value)> = history
            .iter()
            .filter(|it| it.outcome == Outcome::Ok)
            .filter_map(|it| match *it.single()? {
                MicroOp::Acquire { key, token: Some(token) } => Some((it, key, token)),
                _ => None,
            })
            .collect();
        let (mut expected, mut later) = (BTreeSet::new(), BTreeSet::new());
        for (one, key, token) in &acquired {
            for (other, of, smaller) in acquired.iter().filter(|it| it.0.id != one.id) {
                if key != of {
                    continue;
                }
                let together = (0..history.entries() as u32).any(|at| {
                    holds_at(&history, one, *key, *token, at)
                        && holds_at(&history, other, *key, *smaller, at)
                });
                if together {
                    expected.insert(AnomalyKind::TwoHolders);
                }
                if token == smaller {
                    expected.insert(AnomalyKind::RepeatedToken);
                }
                if one.precedes(other) && smaller < token {
                    expected.insert(AnomalyKind::TokenOrder);
                    later.insert(other.id);
                }
            }
        }
        let verdict = Locks.check(&history, &Context::default());
        let drawing = history.to_notation();
        let kinds: BTreeSet<_> = verdict.anomalies.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, expected, "seed {seed}:\n{drawing}");
        let disorder = verdict.measures["token_order_violations"];
        assert_eq!(disorder, later.len() as u64, "seed {seed}:\n{drawing}");
        for kind in expected {
            assert_eq!(verdict.models[&kind.rules_out()], Judgement::Invalid);
        }
        for anomaly in &verdict.anomalies {
            // The operations of the witness alone are a violation of the same kind.
            let ids: Vec<_> = anomaly.witness.operations.iter().map(|it| it.operation).collect();
            let key = anomaly.key.expect("it is of a lock");
            let mut alone = Found::new(&history);
            let holds = holds(&history, key, &ids);
            alone.overlaps(key, &holds);
            alone.repeated(key, &holds);
            alone.order(key, &holds);
            assert!(alone.counts.contains_key(&anomaly.kind), "seed {seed}:\n{drawing}");
        }
        found.extend(kinds);
    }
    assert_eq!(found.len(), 3, "{found:?}");
}
