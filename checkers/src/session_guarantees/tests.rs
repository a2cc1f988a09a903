//! The running maxima against the definition, pair by pair.

use std::collections::BTreeMap;

use perjury_history::{Entry, Event, EventKind, HistoryBuilder, Value};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::*;

/// The definition: whether `one` was certainly in place before `other`, by the store's versions where
/// both are known, else by the real-time order of their writes. A key is empty only at first.
fn is_older(history: &History, one: &Origin, other: &Origin) -> bool {
    match (one.held, other.held) {
        (_, Reading::Nil) => false,
        (Reading::Nil, Reading::Value(_)) => true,
        _ => match ((one.version, other.version), (one.writer, other.writer)) {
            ((Some(one), Some(other)), _) => one < other,
            (_, (Some(one), Some(other))) => history.get(one).precedes(&history.get(other)),
            _ => false,
        },
    }
}

/// The definition: every later operation of a session for which some earlier one is newer.
fn by_definition(history: &History) -> Vec<(AnomalyKind, OperationId)> {
    let mut found = Vec::new();
    for (_, operations) in history.by_key() {
        let origins = Origins::of(history, &operations);
        let done = |id: &OperationId| {
            let operation = history.get(*id);
            let only = operation.single().filter(|_| operation.outcome == Outcome::Ok)?;
            let (is_write, held) = match *only {
                MicroOp::Read { result, .. } => (false, result?),
                _ => (true, Reading::Value(only.written()?)),
            };
            Some((operation, is_write, origins.origin(held)))
        };
        let done: Vec<_> = operations.iter().filter_map(done).collect();
        for (later, later_writes, old) in &done {
            for (earlier, earlier_writes, new) in &done {
                let same_session = earlier.process == later.process && earlier.id < later.id;
                if same_session && is_older(history, old, new) {
                    let kind = match (earlier_writes, later_writes) {
                        (true, false) => AnomalyKind::ReadYourWrites,
                        (false, false) => AnomalyKind::MonotonicReads,
                        (true, true) => AnomalyKind::MonotonicWrites,
                        (false, true) => AnomalyKind::WritesFollowReads,
                    };
                    found.push((kind, later.id));
                }
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// A random history of one key: what is read and which versions are told is arbitrary.
fn random(seed: u64) -> History {
    let mut random = Pcg64Mcg::new(u128::from(seed) << 1 | 1);
    let mut builder = HistoryBuilder::new();
    let mut open: Vec<Option<MicroOp>> = vec![None; random.random_range(1..=4)];
    let told: u32 = random.random_range(0..=3);
    let mut next: Value = 1;
    let events = random.random_range(4..=30);
    for time_ns in 0..events {
        let process = random.random_range(0..open.len());
        let (kind, micro_op) = match open[process].take() {
            None => {
                let micro_op = match random.random_range(0..5) {
                    0..2 => MicroOp::Write { key: 1, value: next },
                    2 => MicroOp::Cas { key: 1, old: 0, new: next },
                    _ => MicroOp::read(1),
                };
                next += i64::from(micro_op.written().is_some());
                open[process] = Some(micro_op.clone());
                (EventKind::Invoke, micro_op)
            }
            Some(MicroOp::Read { key, .. }) => {
                let seen = random.random_range(0..next + 1);
                let result = Some(Some(seen).filter(|seen| *seen > 0).into());
                (EventKind::Ok, MicroOp::Read { key, result })
            }
            Some(mutation) => match random.random_range(0..8) {
                0 => (EventKind::Info, mutation),
                1 => (EventKind::Fail, mutation),
                _ => (EventKind::Ok, mutation),
            },
        };
        let tells = kind == EventKind::Ok && random.random_range(0..3) < told;
        let version = tells.then(|| Version {
            epoch: random.random_range(1..=2),
            position: random.random_range(1..=6),
        });
        let event = Event {
            time_ns,
            process: Process(process as u32),
            kind,
            micro_ops: vec![micro_op],
            node: None,
            version,
            error: None,
        };
        builder.push(Entry::Operation(event)).expect("well formed");
    }
    builder.finish()
}

#[test]
fn agrees_with_the_definition_on_random_histories() {
    let mut broken: BTreeMap<AnomalyKind, u64> = BTreeMap::new();
    for seed in 0..50_000 {
        let history = random(seed);
        let verdict = SessionGuarantees.check(&history, &Context::default());
        let found: Vec<_> =
            verdict.anomalies.iter().map(|it| (it.kind, it.witness.edges[0].to)).collect();
        let expected = by_definition(&history);
        assert_eq!(found, expected, "seed {seed}:\n{}", history.to_notation());
        for (kind, _) in expected {
            *broken.entry(kind).or_default() += 1;
        }
    }
    assert!(KINDS.iter().all(|kind| broken[kind] > 1000), "{broken:?}");
}
