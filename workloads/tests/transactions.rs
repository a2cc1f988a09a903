//! The workloads of transactions on a perfect store: what they ask is what makes anomalies show.

use std::collections::{BTreeMap, BTreeSet};

use perjury_checkers::{Analysis, Context, Judgement, Model};
use perjury_history::{History, HistoryBuilder, Key, MicroOp, Operation, Outcome, Value};
use perjury_workloads::simulate::{Simulation, run_workload};
use perjury_workloads::{RunPlan, Workload, workload};
use serde_json::{Value as Json, json};

fn plan(seed: u64) -> RunPlan {
    RunPlan {
        seed,
        rate_hz: 1_000.0,
        time_limit_ns: 5_000_000_000,
        operation_limit: None,
        concurrency: 10,
        nodes: 5,
    }
}

fn crashing() -> Simulation {
    Simulation { info_share: 0.02, fail_share: 0.05, ..Simulation::default() }
}

fn made(name: &str, options: Json) -> Box<dyn Workload> {
    workload(name, options).unwrap_or_else(|error| panic!("{error}"))
}

fn history(name: &str, options: Json, simulation: Simulation) -> History {
    let workload = made(name, options);
    let entries = run_workload(&*workload, &plan(1), simulation).expect("it keeps the rules");
    let mut builder = HistoryBuilder::new();
    for entry in entries {
        builder.push(entry).expect("well formed");
    }
    builder.finish()
}

fn written(micro_op: &MicroOp) -> Option<(Key, Value)> {
    match *micro_op {
        MicroOp::Append { key, value } | MicroOp::Write { key, value } => Some((key, value)),
        _ => None,
    }
}

#[test]
fn transactions_have_their_lengths_shares_and_keys() {
    for name in ["append", "wr"] {
        let options = json!({ "keys": 4, "writes-per-key": 10, "length-min": 2, "length-max": 5,
            "read-share": 0.25, "key-distribution": "zipf" });
        let history = history(name, options, crashing());
        // The final phase only reads.
        let load: Vec<Operation<'_>> =
            history.iter().filter(|it| it.invoked_ns < 5_000_000_000).collect();
        let lengths: BTreeSet<usize> = load.iter().map(|it| it.micro_ops.len()).collect();
        assert_eq!(lengths, (2..=5).collect(), "{name}");
        let micro_ops = || load.iter().flat_map(|it| it.micro_ops);
        let all = micro_ops().count();
        let writes: Vec<(Key, Value)> = micro_ops().filter_map(written).collect();
        let share = writes.len() as f64 / all as f64;
        assert!((share - 0.75).abs() < 0.02, "{name}: {share}");
        let unique: BTreeSet<_> = writes.iter().collect();
        assert_eq!(unique.len(), writes.len(), "{name}: values of a key are unique");
        let mut per_key: BTreeMap<Key, u64> = BTreeMap::new();
        writes.iter().for_each(|(key, _)| *per_key.entry(*key).or_default() += 1);
        assert!(per_key.values().all(|count| *count <= 10), "{name}");
        assert!(per_key.values().filter(|count| **count < 10).count() <= 4, "{name}");
        // All that was used is read in the end.
        let used: BTreeSet<Key> = micro_ops().map(MicroOp::key).collect();
        let last = history.iter().filter(|it| it.invoked_ns >= 5_000_000_000);
        let read: BTreeSet<Key> = last.flat_map(|it| it.micro_ops).map(MicroOp::key).collect();
        assert!(read.is_superset(&used), "{name}");
    }
}

#[test]
fn hot_keys_are_written_more_often() {
    let busiest = |distribution: &str| {
        let options = json!({ "keys": 10, "writes-per-key": 1_000_000,
            "key-distribution": distribution });
        let history = history("append", options, Simulation::default());
        let mut per_key: BTreeMap<Key, u32> = BTreeMap::new();
        let writes = history.iter().flat_map(|it| it.micro_ops).filter_map(written);
        writes.for_each(|(key, _)| *per_key.entry(key).or_default() += 1);
        let all: u32 = per_key.values().sum();
        f64::from(per_key[&0]) / f64::from(all)
    };
    for (distribution, expected) in [("uniform", 0.1), ("zipf", 0.341), ("exponential", 0.5)] {
        let found = busiest(distribution);
        assert!((found - expected).abs() < 0.03, "{distribution}: {found}");
    }
}

#[test]
fn both_of_a_pair_look_at_the_same_groups_and_add_to_different_ones() {
    let history = history("g2", json!({}), crashing());
    let mut pairs: BTreeMap<[Key; 2], Vec<Key>> = BTreeMap::new();
    for operation in history.iter() {
        let [
            MicroOp::ReadSet { key: one, .. },
            MicroOp::ReadSet { key: other, .. },
            MicroOp::Add { key, .. },
        ] = *operation.micro_ops
        else {
            panic!("{:?}", operation.micro_ops)
        };
        pairs.entry([one, other]).or_default().push(key);
    }
    assert!(pairs.len() > 2_000);
    for (groups, added) in pairs.iter().rev().skip(1) {
        assert_eq!(added.iter().copied().collect::<BTreeSet<_>>(), (*groups).into());
        assert_eq!(added.len(), 2);
    }
}

/// Reads of a group are of all its keys, and each key is written once.
fn groups_are_read_whole(history: &History, keys_per_group: Key) {
    let mut keys: BTreeSet<Key> = BTreeSet::new();
    for operation in history.iter() {
        if let [MicroOp::Write { key, value: 1 }] = *operation.micro_ops {
            assert!(keys.insert(key), "{key} is written twice");
            continue;
        }
        let read: Vec<Key> = operation.micro_ops.iter().map(MicroOp::key).collect();
        let first = read[0] / keys_per_group * keys_per_group;
        assert_eq!(read, (first..first + keys_per_group).collect::<Vec<_>>());
        assert!(operation.micro_ops.iter().all(|it| !it.is_mutation()));
    }
    assert!(keys.len() > 100, "{}", keys.len());
}

#[test]
fn a_long_fork_could_be_seen() {
    let history = history("long-fork", json!({ "keys-per-group": 2 }), Simulation::default());
    groups_are_read_whole(&history, 2);
    // Some reads see a part of a group.
    let read = |it: &Operation<'_>| -> Vec<bool> {
        let found = |micro_op: &MicroOp| match micro_op {
            MicroOp::Read { result, .. } => result.is_some_and(|it| it.value().is_some()),
            _ => false,
        };
        it.micro_ops.iter().map(found).collect()
    };
    let parts = history.iter().filter(|it| read(it) == [true, false]).count();
    assert!(parts > 100, "{parts}");
}

#[test]
fn the_writes_of_a_group_are_made_one_after_the_other() {
    let history = history("causal-reverse", json!({}), crashing());
    groups_are_read_whole(&history, 4);
    let writes = history.iter().filter(|it| it.micro_ops[0].is_mutation());
    let by_key: BTreeMap<Key, Operation<'_>> =
        writes.map(|it| (it.micro_ops[0].key(), it)).collect();
    for (key, later) in by_key.iter().filter(|(key, _)| **key % 4 != 0) {
        let earlier = by_key[&(key - 1)];
        assert!(earlier.completed.is_some_and(|ended| ended < later.invoked), "{key}");
    }
}

#[test]
fn increments_are_read_at_once_and_readers_read_all_counters() {
    let options = json!({ "keys": 2, "operations-per-round": 50 });
    let history = history("monotonic", options, crashing());
    let mut operations: BTreeMap<Key, u64> = BTreeMap::new();
    let mut counted = BTreeSet::new();
    for operation in history.iter() {
        match *operation.micro_ops {
            [MicroOp::Append { key, value }, MicroOp::ReadList { key: read, .. }] => {
                assert!(key == read && counted.insert(value), "{operation:?}");
            }
            [MicroOp::ReadList { key: one, .. }, MicroOp::ReadList { key: other, .. }] => {
                assert!(one % 2 == 0 && other == one + 1, "{operation:?}");
            }
            ref other => panic!("{other:?}"),
        }
        *operations.entry(operation.micro_ops[0].key() / 2).or_default() += 1;
    }
    assert!(operations.len() > 50 && operations.values().rev().skip(1).all(|it| *it == 50));
}

#[test]
fn a_bank_opens_before_anything_else_is_done() {
    let options = json!({ "accounts": 3, "total": 50, "transfer-max": 9 });
    for simulation in [Simulation::default(), Simulation { fail_share: 0.9, ..crashing() }] {
        let history = history("bank", options.clone(), simulation);
        let opening = [50, 0, 0].into_iter().zip(0..);
        let opening: Vec<_> = opening.map(|(value, key)| MicroOp::Write { key, value }).collect();
        let opened = history.iter().find(|it| it.outcome == Outcome::Ok).expect("it opens");
        assert_eq!(opened.micro_ops, opening);
        let (before, after): (Vec<_>, Vec<_>) =
            history.iter().partition(|it| it.invoked <= opened.invoked);
        assert!(before.iter().all(|it| it.micro_ops == opening));
        for operation in after {
            match *operation.micro_ops {
                [MicroOp::Transfer { from, to, amount }] => {
                    assert!(from != to && (0..3).contains(&from) && (0..3).contains(&to));
                    assert!((1..=9).contains(&amount));
                }
                ref reads => {
                    assert_eq!(reads.iter().map(MicroOp::key).collect::<Vec<_>>(), [0, 1, 2]);
                    assert!(reads.iter().all(|it| !it.is_mutation()));
                }
            }
        }
        let analysis =
            Analysis::of(&history, &made("bank", options.clone()).checkers(), &Context::default());
        assert_eq!(analysis.model(Model::Integrity), Some(Judgement::Valid));
    }
}
