//! Correct configurations are never accused, wrong ones are found: over many seeds.
//!
//! `PERJURY_SEEDS` says how many (CI: 200, in a release build).

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use perjury::campaign::{Campaign, FIRST_LOOK, Overrides, load};
use perjury::controller;
use perjury::exit_code;
use perjury::interrupt::Interrupt;

fn seeds(most: u64) -> u64 {
    let wanted = std::env::var("PERJURY_SEEDS").ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or(5).min(most)
}

fn campaign(text: &str, test: &str, seed: u64) -> Campaign {
    let seeds = toml::Value::Array(vec![toml::Value::Integer(seed as i64)]);
    let overrides =
        Overrides { settings: vec![("seeds".to_owned(), seeds)], tests: vec![test.to_owned()] };
    load("the campaign", text, &overrides).expect("a good campaign")
}

/// Runs a test with seeds 1 to `count`; the seeds that did not go as expected, with what was said.
fn unexpected(text: &str, test: &str, count: u64) -> BTreeMap<u64, String> {
    let runs = tempfile::tempdir().expect("a temporary folder");
    let (next, failed) = (AtomicU64::new(1), Mutex::new(BTreeMap::new()));
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > count {
                        return;
                    }
                    let campaign = campaign(text, test, seed);
                    let [plan] = campaign.plans.as_slice() else { panic!("one test named {test}") };
                    let run = controller::run(plan, runs.path(), &Interrupt::default());
                    let run = run.unwrap_or_else(|error| panic!("{test}, seed {seed}: {error}"));
                    if run.results.outcome.exit_code != exit_code::EXPECTED {
                        let said = run.results.unmet().join(", ");
                        failed.lock().expect("no worker panicked").insert(seed, said);
                    }
                    // Hundreds of runs would fill the disk.
                    std::fs::remove_dir_all(run.folder.path()).expect("our own folder");
                }
            });
        }
    });
    failed.into_inner().expect("no worker panicked")
}

#[test]
fn consensus_is_never_accused() {
    let failed = unexpected(FIRST_LOOK, "consensus", seeds(200));
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_leader_without_faults_is_never_accused() {
    let campaign = "
        [[test]]
        name = 'leader-only'
        store = { kind = 'replica', acknowledge = 'async', reads = 'leader' }
        nodes = 5
        concurrency = 20
        rate = 1000
        time-limit = '30s'
        expect.models = ['linearizable', 'read-your-writes', 'monotonic-reads', 'monotonic-writes',
            'writes-follow-reads', 'durable', 'single-leader', 'convergent']
    ";
    let failed = unexpected(campaign, "leader-only", seeds(200));
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn each_wrong_configuration_is_found() {
    let count = seeds(100);
    for test in ["async-failover", "any-follower", "session-token", "no-fencing"] {
        let failed = unexpected(FIRST_LOOK, test, count);
        let found = count - failed.len() as u64;
        println!("{test}: as expected with {found} of {count} seeds");
        assert!(found * 100 >= count * 95, "{test}: {found} of {count}: {failed:#?}");
    }
}

/// Sets, counters and locks: a store that is right by construction, and one for each way to be wrong.
const OBJECTS: &str = "
    [defaults]
    nodes = 5
    concurrency = 10
    rate = 300
    time-limit = '30s'
    nemesis = ['partition:primaries', 'kill@primaries', 'pause@primaries', 'clock']

    [[test]]
    name = 'correct-set'
    store = 'replica'
    workload = 'set'
    expect.models = ['linearizable', 'integrity', 'durable', 'convergent', 'single-leader']

    [[test]]
    name = 'correct-counter'
    store = 'replica'
    workload = 'counter'
    expect.models = ['linearizable', 'integrity', 'durable', 'convergent', 'single-leader']

    [[test]]
    name = 'correct-lock'
    store = 'replica'
    workload = 'lock'
    expect.models = ['mutual-exclusion', 'fencing', 'single-leader']

    [[test]]
    name = 'set-async'
    store = { kind = 'replica', acknowledge = 'async' }
    workload = 'set'
    nemesis = ['partition:primaries']
    expect.violations = ['lost-write', 'stale-read', 'two-leaders']
    expect.known = ['nonlinearizable']

    [[test]]
    name = 'counter-async'
    store = { kind = 'replica', acknowledge = 'async' }
    workload = 'counter'
    nemesis = ['partition:primaries']
    expect.violations = ['lost-write', 'stale-read', 'two-leaders']
    expect.known = ['nonlinearizable']

    [[test]]
    name = 'lock-async'
    store = { kind = 'replica', acknowledge = 'async' }
    workload = 'lock'
    nemesis = ['partition:primaries']
    expect.violations = ['fencing', 'mutual-exclusion', 'two-leaders']

    [[test]]
    name = 'set-any-follower'
    store = { kind = 'replica', reads = 'any-follower' }
    workload = { kind = 'set', read-share = 0.3 }
    rate = 1000
    expect = { models = ['integrity', 'durable', 'convergent'], violations = ['stale-read'], known = ['nonlinearizable'] }

    [[test]]
    name = 'set-keep'
    store = { kind = 'replica', acknowledge = 'async', rejoin = 'keep' }
    workload = 'set'
    nemesis = ['partition:primaries']
    expect = { violations = ['divergence'], known = ['lost-write', 'linearizable', 'two-leaders'] }
";

#[test]
fn correct_sets_counters_and_locks_are_never_accused() {
    for test in ["correct-set", "correct-counter", "correct-lock"] {
        let failed = unexpected(OBJECTS, test, seeds(50));
        assert!(failed.is_empty(), "{test}: {failed:#?}");
    }
}

#[test]
fn wrong_sets_counters_and_locks_are_found() {
    let count = seeds(50);
    for test in ["set-async", "counter-async", "lock-async", "set-any-follower", "set-keep"] {
        let failed = unexpected(OBJECTS, test, count);
        let found = count - failed.len() as u64;
        println!("{test}: as expected with {found} of {count} seeds");
        assert!(found * 100 >= count * 80, "{test}: {found} of {count}: {failed:#?}");
    }
}

const TRANSACTIONS: &str = include_str!("../../campaigns/transactions.toml");

#[test]
fn no_level_of_isolation_is_accused_of_what_it_forbids() {
    let tests = [
        "append-serializable",
        "wr-serializable",
        "g2-serializable",
        "long-fork-snapshot-isolation",
        "monotonic-snapshot-isolation",
        "bank-serializable",
        "bank-snapshot-isolation",
    ];
    for test in tests {
        let failed = unexpected(TRANSACTIONS, test, seeds(50));
        assert!(failed.is_empty(), "{test}: {failed:#?}");
    }
}

#[test]
fn each_level_of_isolation_shows_what_it_allows() {
    let count = seeds(20);
    let tests = [
        "append-snapshot-isolation",
        "append-read-committed",
        "append-read-uncommitted",
        "wr-snapshot-isolation",
        "g2-snapshot-isolation",
        "long-fork-read-committed",
        "causal-reverse-followers",
        "bank-read-committed",
        "bank-read-uncommitted",
    ];
    for test in tests {
        let failed = unexpected(TRANSACTIONS, test, count);
        let found = count - failed.len() as u64;
        println!("{test}: as expected with {found} of {count} seeds");
        assert!(found * 100 >= count * 80, "{test}: {found} of {count}: {failed:#?}");
    }
}
