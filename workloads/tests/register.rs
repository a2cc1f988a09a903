//! The register workload on a perfect store.

use std::collections::{BTreeMap, BTreeSet};

use perjury_checkers::{Analysis, Context, Judgement, Model};
use perjury_history::{Entry, History, HistoryBuilder, Key, MicroOp, NodeId, Outcome, Value};
use perjury_workloads::register::{Register, RegisterOptions};
use perjury_workloads::simulate::{Simulation, run_workload};
use perjury_workloads::{RunPlan, Workload};

const SECOND_NS: u64 = 1_000_000_000;

fn plan(seed: u64) -> RunPlan {
    RunPlan {
        seed,
        rate_hz: 1_000.0,
        time_limit_ns: 10 * SECOND_NS,
        operation_limit: None,
        concurrency: 10,
        nodes: 5,
    }
}

fn record(options: RegisterOptions, plan: &RunPlan, simulation: Simulation) -> Vec<Entry> {
    let workload = Register::new(options).expect("good options");
    run_workload(&workload, plan, simulation).expect("the workload keeps the rules")
}

fn history(entries: Vec<Entry>) -> History {
    let mut builder = HistoryBuilder::new();
    for entry in entries {
        builder.push(entry).expect("well formed");
    }
    builder.finish()
}

fn default_history() -> History {
    history(record(RegisterOptions::default(), &plan(1), Simulation::default()))
}

fn crashing() -> Simulation {
    Simulation { info_share: 0.02, fail_share: 0.05, ..Simulation::default() }
}

fn is_inspection(micro_op: &MicroOp) -> bool {
    matches!(micro_op, MicroOp::Inspect { .. })
}

/// How many operations of the load have the function, and how many of these succeeded.
fn counts(history: &History, function: &str) -> (usize, usize) {
    let of = history.iter().filter(|operation| operation.micro_ops[0].function() == function);
    let outcomes: Vec<Outcome> = of.map(|operation| operation.outcome).collect();
    (outcomes.len(), outcomes.iter().filter(|&&outcome| outcome == Outcome::Ok).count())
}

#[test]
fn the_load_has_its_rate_and_shares() {
    let history = default_history();
    let count = |function| counts(&history, function).0;
    let (reads, writes, cas) = (count("read"), count("write"), count("cas"));
    let all = reads + writes + cas;
    assert!((9_600..10_400).contains(&all), "{all} in 10 s at 1000 Hz");
    assert!((reads as f64 / all as f64 - 0.5).abs() < 0.03, "{reads} reads of {all}");
    assert!((cas as f64 / all as f64 - 0.25).abs() < 0.03, "{cas} compare-and-sets of {all}");
}

#[test]
fn a_fair_share_of_compare_and_sets_succeeds_and_some_fail() {
    for simulation in [
        Simulation::default(),
        crashing(),
        Simulation { latency_ns_min: 100_000, latency_ns_max: 200_000, ..Simulation::default() },
        Simulation { latency_ns_max: 30_000_000, ..Simulation::default() },
    ] {
        let history = history(record(RegisterOptions::default(), &plan(1), simulation.clone()));
        let (all, ok) = counts(&history, "cas");
        let share = ok as f64 / all as f64;
        assert!((0.2..0.95).contains(&share), "{share} with {simulation:?}");
    }
}

#[test]
fn some_compare_and_sets_fail_even_without_concurrency() {
    let simulation = Simulation { concurrency: 1, ..Simulation::default() };
    let alone = RunPlan { concurrency: 1, ..plan(1) };
    let history = history(record(RegisterOptions::default(), &alone, simulation));
    let (all, ok) = counts(&history, "cas");
    let share = ok as f64 / all as f64;
    assert!((0.85..0.95).contains(&share), "{share}");
}

#[test]
fn keys_retire_and_values_are_unique_within_a_key() {
    let history = history(record(RegisterOptions::default(), &plan(1), crashing()));
    let mut operations: BTreeMap<Key, usize> = BTreeMap::new();
    let mut values: BTreeSet<(Key, Value)> = BTreeSet::new();
    for micro_op in history.iter().flat_map(|operation| operation.micro_ops) {
        if is_inspection(micro_op) {
            continue;
        }
        *operations.entry(micro_op.key()).or_default() += 1;
        if let Some(value) = micro_op.written() {
            assert!(values.insert((micro_op.key(), value)), "written twice: {micro_op}");
        }
    }
    assert!(operations.values().all(|&count| count <= 200), "{operations:?}");
    let unfinished = operations.values().filter(|&&count| count < 200).count();
    assert!(unfinished <= 5, "only active keys have room: {operations:?}");
    let numbers: Vec<Key> = operations.keys().copied().collect();
    assert_eq!(numbers, (0..numbers.len() as Key).collect::<Vec<_>>());
}

#[test]
fn keys_can_be_bounded() {
    let options =
        RegisterOptions { keys: 3, operations_per_key: 10, keys_max: 7, ..Default::default() };
    let history = history(record(options, &plan(1), Simulation::default()));
    assert_eq!(history.by_key().into_keys().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    assert!(counts(&history, "read").0 > 4_000, "the load goes on");
}

#[test]
fn the_final_phase_looks_at_every_key_on_every_node() {
    for simulation in [Simulation::default(), crashing()] {
        let history = history(record(RegisterOptions::default(), &plan(1), simulation));
        let (inspections, load): (Vec<_>, Vec<_>) =
            history.iter().partition(|operation| is_inspection(&operation.micro_ops[0]));
        let seen: BTreeSet<(Key, NodeId)> = inspections
            .iter()
            .filter(|operation| operation.outcome == Outcome::Ok)
            .map(|operation| (operation.micro_ops[0].key(), operation.node.expect("asked")))
            .collect();
        let keys: BTreeSet<Key> = load.iter().map(|one| one.micro_ops[0].key()).collect();
        let all = keys.iter().flat_map(|&key| (0..5).map(move |node| (key, NodeId(node))));
        assert_eq!(seen, all.collect());
        let load_end = load.iter().filter_map(|operation| operation.completed).max();
        assert!(inspections.iter().all(|operation| Some(operation.invoked) > load_end));
    }
}

#[test]
fn without_inspections_every_key_is_read_once_more() {
    let options = RegisterOptions { inspect: false, ..Default::default() };
    let workload = Register::new(options.clone()).expect("good options");
    assert_eq!(workload.needs(), BTreeSet::from(["read", "write", "cas"]));
    let history = history(record(options, &plan(1), Simulation::default()));
    assert_eq!(counts(&history, "inspect").0, 0);
    let keys = history.by_key();
    let last = history.iter().skip(history.len() - keys.len());
    let read: BTreeSet<Key> = last.map(|operation| operation.micro_ops[0].key()).collect();
    assert_eq!(read, keys.into_keys().collect());
    let analysis = Analysis::of(&history, &workload.checkers(), &Context::default());
    assert_eq!(analysis.model(Model::Linearizable), Some(Judgement::Valid));
    assert_eq!(analysis.model(Model::Convergent), None);
}

#[test]
fn needs_follow_the_options() {
    let needs = |options| Register::new(options).expect("good options").needs();
    let default = RegisterOptions::default();
    assert_eq!(needs(default.clone()), BTreeSet::from(["read", "write", "cas", "inspect"]));
    let no_cas = RegisterOptions { cas_share: 0.0, ..default.clone() };
    assert_eq!(needs(no_cas.clone()), BTreeSet::from(["read", "write", "inspect"]));
    let blind = RegisterOptions { read_share: 0.0, ..no_cas.clone() };
    assert_eq!(needs(blind), BTreeSet::from(["write", "inspect"]));
    let history = history(record(no_cas, &plan(1), Simulation::default()));
    assert_eq!(counts(&history, "cas").0, 0);
}

#[test]
fn limits_hold() {
    let limited = RunPlan { operation_limit: Some(123), ..plan(1) };
    let history = history(record(RegisterOptions::default(), &limited, Simulation::default()));
    let load = history.iter().filter(|operation| !is_inspection(&operation.micro_ops[0])).count();
    assert_eq!(load, 123);
    let none = RunPlan { rate_hz: 0.0, ..plan(1) };
    assert_eq!(record(RegisterOptions::default(), &none, Simulation::default()), []);
}

#[test]
fn the_same_seed_gives_the_same_history_and_another_one_another() {
    let record = |seed| record(RegisterOptions::default(), &plan(seed), crashing());
    assert!(record(1) == record(1), "seed 1 differs from itself");
    assert!(record(1) != record(2), "seeds 1 and 2 are the same");
}

#[test]
fn its_checkers_find_nothing_wrong_with_a_perfect_store() {
    for seed in 1..=3 {
        for simulation in [Simulation::default(), crashing()] {
            let simulation = Simulation { seed, ..simulation };
            let history = history(record(RegisterOptions::default(), &plan(seed), simulation));
            let checkers = Register::new(RegisterOptions::default()).expect("good").checkers();
            let analysis = Analysis::of(&history, &checkers, &Context::default());
            let anomalies: Vec<_> = analysis.anomalies().collect();
            assert!(anomalies.is_empty(), "seed {seed}: {anomalies:#?}");
            assert_eq!(analysis.judgement(), Judgement::Valid, "seed {seed}");
        }
    }
}
