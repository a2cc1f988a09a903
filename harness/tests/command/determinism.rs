//! The same seed gives the same bytes.

use std::path::Path;

use crate::support::Place;
use perjury::campaign::{FIRST_LOOK, Overrides, load};
use perjury::controller;
use perjury::interrupt::Interrupt;

/// The history's bytes of every test of the first look with one seed, in a world of its own.
fn histories(runs: &Path, seed: u64) -> Vec<Vec<u8>> {
    let settings = vec![
        ("time-limit".to_owned(), "10s".into()),
        ("seeds".to_owned(), toml::Value::Array(vec![toml::Value::Integer(seed as i64)])),
        // Whatever the tests expect, some of it does not happen in so short a time.
        ("expect".to_owned(), toml::Value::Table(toml::Table::new())),
    ];
    let overrides = Overrides { settings, tests: Vec::new() };
    let campaign = load("first-look.toml", FIRST_LOOK, &overrides).expect("a good campaign");
    let run = |plan| {
        let run = controller::run(plan, runs, &Interrupt::default());
        let run = run.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        std::fs::read(run.folder.history()).expect("a history")
    };
    campaign.plans.iter().map(run).collect()
}

#[test]
fn two_runs_of_one_seed_are_identical_to_the_byte() {
    let place = Place::new();
    let mut previous = Vec::new();
    for seed in 1..=20 {
        let once = histories(&place.path("once"), seed);
        let again = histories(&place.path("again"), seed);
        assert!(once == again, "seed {seed}: the two histories differ");
        assert!(once != previous, "seed {seed}: a different seed gave the same history");
        previous = once;
    }
}

#[test]
fn replay_compares_by_itself() {
    let place = Place::new();
    let run = place.short_run();
    let called = place.perjury(&["replay", "runs/latest"]);
    assert_eq!(called.code, 0, "{}{}", called.stdout, called.stderr);
    assert!(called.stdout.ends_with("identical\n"), "{}", called.stdout);

    // Another seed in the test's file stands for another binary.
    let test = std::fs::read_to_string(run.join("test.json")).expect("test.json");
    let changed = test.replace("\"seed\": 1", "\"seed\": 2");
    assert_ne!(test, changed);
    std::fs::write(run.join("test.json"), changed).expect("it can be written");
    place.refuses(
        &["replay", run.to_str().expect("UTF-8")],
        3,
        "the histories differ: entry 0 was",
    );
}

#[test]
fn a_link_is_followed_before_replay_moves_it() {
    let place = Place::new();
    let run = place.short_run();
    let other = place.perjury(&["run", "--test", "consensus", "--time-limit", "2s"]);
    assert_eq!(other.code, 0, "{}{}", other.stdout, other.stderr);
    // `runs/latest` leads to a run whose history another made.
    std::fs::copy(run.join("history.arrow"), place.path("runs/latest/history.arrow"))
        .expect("it can be written");
    place.refuses(&["replay", "runs/latest"], 3, "the histories differ");
}

#[test]
fn a_copied_or_killed_run_is_replayed_where_the_user_is() {
    let place = Place::new();
    let run = place.short_run();
    let copy = place.path("copy");
    std::fs::create_dir(&copy).expect("it can be made");
    std::fs::copy(run.join("test.json"), copy.join("test.json")).expect("it can be copied");
    let history = std::fs::read(run.join("history.arrow")).expect("a history");
    std::fs::write(copy.join("history.arrow"), &history[..history.len() / 2]).expect("it can be");
    let called = place.perjury(&["replay", "copy"]);
    assert_eq!(called.code, 0, "{}{}", called.stdout, called.stderr);
    assert!(called.stdout.contains("  runs/consensus/"), "{}", called.stdout);
    assert!(called.stdout.contains("identical as far as it goes"), "{}", called.stdout);
}
