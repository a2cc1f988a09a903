//! Histories of databases that keep a level of isolation and no more: never accused of what their
//! level forbids, and found to violate what it allows.
//!
//! `PERJURY_SEEDS` sets how many seeds of each there are.

use std::collections::BTreeSet;

use perjury_checkers::transactions::Transactions;
use perjury_checkers::{Checker as _, Context, Isolation, Judgement, Model, Order};
use perjury_history::History;
use perjury_simulator::{Level, Settings, Workload, simulate};

/// What a database at each level keeps, and what it must be seen not to keep.
const LEVELS: [(Level, Option<Model>, Option<Model>); 11] = {
    use Isolation::*;
    const fn model(level: Isolation, order: Order) -> Option<Model> {
        Some(Model::Isolation(level, order))
    }
    [
        (Level::StrictSerializable, model(Serializable, Order::RealTime), None),
        (
            Level::StrongSessionSerializable,
            model(Serializable, Order::Session),
            model(Serializable, Order::RealTime),
        ),
        (Level::Serializable, model(Serializable, Order::Free), model(Causal, Order::Session)),
        (
            Level::SnapshotIsolation,
            model(SnapshotIsolation, Order::RealTime),
            model(Serializable, Order::Free),
        ),
        (
            Level::ParallelSnapshotIsolation,
            model(ParallelSnapshotIsolation, Order::Session),
            model(Prefix, Order::Free),
        ),
        (Level::Prefix, model(Prefix, Order::Free), model(SnapshotIsolation, Order::Free)),
        (Level::Causal, model(Causal, Order::Session), model(Prefix, Order::Free)),
        (Level::ReadAtomic, model(ReadAtomic, Order::Session), model(Causal, Order::Session)),
        (Level::ReadCommitted, model(ReadCommitted, Order::Free), model(ReadAtomic, Order::Free)),
        (
            Level::ReadUncommitted,
            model(ReadUncommitted, Order::Free),
            model(ReadCommitted, Order::Free),
        ),
        (Level::NoIsolation, None, model(ReadCommitted, Order::Free)),
    ]
};

fn seeds() -> u64 {
    let told = std::env::var("PERJURY_SEEDS").map(|told| told.parse().expect("a number of seeds"));
    told.unwrap_or(40)
}

fn judge(history: &History, model: Model) -> Judgement {
    let mut verdict = Transactions::of(BTreeSet::from([model])).check(history, &Context::default());
    verdict.models.remove(&model).expect("what was asked for")
}

fn each_level_is_kept_and_no_more(workload: Workload) {
    for (level, keeps, violates) in LEVELS {
        let (mut unknown, mut caught) = (0, 0);
        for seed in 0..seeds() {
            let settings = Settings {
                level,
                seed,
                workload,
                processes: 6,
                transactions: 150,
                keys: 4,
                operations_max: 4,
                writes_per_key: 20,
                unknown_share: 0.02,
                ..Settings::default()
            };
            let history = simulate(&settings).expect("settings that make sense");
            match keeps.map(|model| judge(&history, model)) {
                Some(Judgement::Invalid) => {
                    panic!("{level} is said to be violated: seed {seed} of {settings:?}");
                }
                Some(Judgement::Unknown(_)) => unknown += 1,
                Some(Judgement::Valid) | None => {}
            }
            let found = violates.map(|model| judge(&history, model));
            caught += u64::from(found == Some(Judgement::Invalid));
        }
        println!("{level}, {workload:?}: {unknown} unknown, {caught} of {} caught", seeds());
        assert!(unknown * 10 <= seeds(), "{level}: {unknown} unknown");
        if let Some(model) = violates {
            // Whether it happens is chance; that it happens often enough shows that it is seen.
            assert!(caught * 5 > seeds(), "{level}: {model} violated with {caught} seeds");
        }
    }
}

#[test]
fn lists_keep_each_level_and_no_more() {
    each_level_is_kept_and_no_more(Workload::Append);
}

#[test]
fn registers_keep_each_level_and_no_more() {
    each_level_is_kept_and_no_more(Workload::Register);
}

/// One strongly connected component of very many transactions: each kind of cycle that is claimed is
/// shown, and the search ends.
#[test]
fn a_component_of_all_transactions_is_explained() {
    let settings = Settings {
        level: Level::ReadCommitted,
        seed: 1,
        transactions: 100_000,
        processes: 20,
        ..Settings::default()
    };
    let history = simulate(&settings).expect("settings that make sense");
    let verdict = Transactions::default().check(&history, &Context::default());
    let invalid = verdict.models.iter().filter(|it| *it.1 == Judgement::Invalid);
    let invalid: BTreeSet<Model> = invalid.map(|(model, _)| *model).collect();
    assert!(!invalid.is_empty());
    for model in Model::weakest(&invalid) {
        let shown = verdict.anomalies.iter().find(|it| it.kind.rules_out() == model);
        let Model::Isolation(level, _) = model else { continue };
        // Repeatable read is beside the levels that reads are named after.
        assert!(shown.is_some() || level == Isolation::RepeatableRead, "nothing shows {model}");
    }
    for anomaly in &verdict.anomalies {
        assert!(anomaly.witness.operations.len() <= 4, "{}: {}", anomaly.kind, anomaly.explanation);
    }
}
