//! The main job: `perjury run` without arguments.

use crate::support::Place;

#[test]
fn the_first_look_goes_as_expected_and_ends_with_the_path_of_its_report() {
    let place = Place::new();
    let called = place.perjury(&["run"]);
    assert_eq!(called.code, 0, "{}{}", called.stdout, called.stderr);
    for test in ["async-failover", "any-follower", "session-token", "no-fencing", "consensus"] {
        assert!(called.stdout.contains(test), "{test} in {}", called.stdout);
    }
    assert!(called.stdout.contains("as expected: 5 of 5 runs"), "{}", called.stdout);
    assert!(!called.stdout.contains('\u{1b}'), "no colours in a pipe: {}", called.stdout);
    let report = place.path(called.stdout.lines().last().expect("it printed something"));
    let page = std::fs::read_to_string(&report).expect("the report is where it says");
    assert!(page.contains("async-failover"), "the campaign's page names its tests");
    let run = place.path("runs/latest");
    for file in
        ["test.json", "history.arrow", "faults.jsonl", "results.json", "report.html", "perjury.log"]
    {
        assert!(run.join(file).is_file(), "{file} in the run's folder");
    }
}

#[test]
fn a_single_untrue_expectation_fails_the_campaign() {
    let place = Place::new();
    let cases = [
        ("consensus", "expect.violations=['lost-write']", "lost-write is violated: not found"),
        ("any-follower", "expect.models=['read-your-writes']", "read-your-writes holds: it is"),
        ("session-token", "expect.violations=[]", "no nonlinearizable beyond the expected"),
        ("async-failover", "expect.max-lost-writes=0", "at most 0 acknowledged writes are lost"),
        ("no-fencing", "expect.models=['single-leader']", "single-leader holds: it is violated"),
    ];
    for (test, untrue, said) in cases {
        let called = place.perjury(&["run", "--test", test, "--set", untrue]);
        assert_eq!(called.code, 1, "{test} {untrue}: {}", called.stdout);
        assert!(called.stdout.contains(said), "`{said}` in {}", called.stdout);
    }
}

#[test]
fn the_summary_for_machines_is_json() {
    let place = Place::new();
    let called = place.perjury(&["run", "--test", "any-follower", "--time-limit", "5s", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&called.stdout).expect("it is JSON");
    assert_eq!(summary["exit_code"], 0, "{summary}");
    assert_eq!(summary["runs"][0]["verdict"], "invalid");
    assert_eq!(summary["runs"][0]["models"]["read-your-writes"], "invalid");
}

#[test]
fn a_setting_of_a_default_needs_no_kind() {
    let place = Place::new();
    place.write("plain.toml", "[[test]]\nname = 'x'\nstore = 'replica'\ntime-limit = '2s'");
    for setting in ["workload.keys=1", "lab.network.loss-ppm=1000"] {
        let called = place.perjury(&["run", "plain.toml", "--set", setting]);
        assert_eq!(called.code, 0, "{setting}: {}{}", called.stdout, called.stderr);
    }
}

#[test]
fn a_test_can_be_made_of_flags_and_a_matrix() {
    let place = Place::new();
    let flags = ["run", "--store", "replica", "--nemesis", "kill,pause@minority", "--nodes", "3"];
    let more = ["--rate", "200", "--time-limit", "5s", "--seed", "4..5", "--concurrency", "4"];
    let called = place.perjury(&[&flags[..], &more[..]].concat());
    assert_eq!(called.code, 0, "{}{}", called.stdout, called.stderr);
    assert!(called.stdout.contains("2 of 2 runs"), "{}", called.stdout);

    let campaign = "
        [defaults]
        time-limit = '3s'
        [[test]]
        name = 'each'
        matrix.nemesis = [[], ['kill'], ['partition:ring', 'clock']]
        matrix.nodes = [3, 5]
        store = 'replica'
        expect = { models = ['linearizable'] }
    ";
    place.write("matrix.toml", campaign);
    let called = place.perjury(&["run", "matrix.toml"]);
    assert_eq!(called.code, 0, "{}{}", called.stdout, called.stderr);
    assert!(called.stdout.contains("each-partition-ring-clock-5"), "{}", called.stdout);
    assert!(called.stdout.contains("6 of 6 runs"), "{}", called.stdout);
    // The command line has the last word.
    let called = place.perjury(&["run", "matrix.toml", "--nodes", "1", "--nemesis", "kill"]);
    assert!(called.stdout.contains("1 of 1 runs"), "{}{}", called.stdout, called.stderr);
}

#[test]
fn only_the_models_that_are_asked_for_count() {
    let place = Place::new();
    assert_eq!(place.perjury(&["run", "--test", "any-follower", "--time-limit", "5s"]).code, 0);
    let history = place.path("runs/latest/history.arrow");
    std::fs::copy(&history, place.path("bare.arrow")).expect("it can be copied");
    let results = std::fs::read(place.path("runs/latest/results.json")).expect("results");
    for path in ["bare.arrow", "runs/latest"] {
        let check = |model: &str| place.perjury(&["check", path, "--model", model]).code;
        assert_eq!((check("linearizable"), check("durable"), check("nonsense")), (1, 0, 64));
    }
    let after = std::fs::read(place.path("runs/latest/results.json")).expect("results");
    assert!(after == results, "nothing was written");
}

#[test]
fn a_span_of_a_history_can_be_shown() {
    let place = Place::new();
    place.short_run();
    let shown = place.perjury(&["show", "runs/latest", "--from", "1s", "--until", "1500ms"]).stdout;
    let times: Vec<f64> =
        shown.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    assert!(times.len() > 100 && times.iter().all(|time| (1.0..1.5).contains(time)), "{times:?}");
}
