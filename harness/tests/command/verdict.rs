//! Nothing that goes wrong afterwards loses a verdict.

use std::os::unix::fs::symlink;

use crate::support::Place;

const VIOLATED: [&str; 6] =
    ["run", "--test", "any-follower", "--time-limit", "5s", "--set=expect.violations=[]"];

#[test]
fn a_campaign_page_that_cannot_be_written_does_not_cost_the_verdict() {
    let place = Place::new();
    std::fs::create_dir(place.path("runs")).expect("it can be made");
    place.write("runs/campaigns", "a file where the folder should be");
    let called = place.perjury(&VIOLATED);
    assert_eq!(called.code, 1, "{}{}", called.stdout, called.stderr);
    assert!(called.stdout.contains("no nonlinearizable beyond the expected"), "{}", called.stdout);
    assert!(called.stderr.contains("failed to write runs/campaigns"), "{}", called.stderr);
    let as_expected = place.perjury(&["run", "--test", "any-follower", "--time-limit", "5s"]);
    assert_eq!(as_expected.code, 3, "{}{}", as_expected.stdout, as_expected.stderr);
}

#[test]
fn results_that_cannot_be_written_do_not_cost_the_verdict() {
    let place = Place::new();
    assert_eq!(place.perjury(&VIOLATED).code, 1);
    let run = place.path("runs/latest").canonicalize().expect("a run");
    for file in ["results.json", "report.html"] {
        std::fs::remove_file(run.join(file)).expect("it is there");
        std::fs::create_dir(run.join(file)).expect("it can be made");
    }
    let called = place.perjury(&["check", "runs/latest"]);
    assert_eq!(called.code, 1, "{}{}", called.stdout, called.stderr);
    assert!(called.stdout.contains("nonlinearizable"), "{}", called.stdout);
    assert!(called.stdout.contains("unexpected: failed to write"), "{}", called.stdout);
}

#[test]
fn a_full_standard_output_does_not_cost_the_verdict() {
    let place = Place::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("it is there");
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("perjury"));
    let ended = command.args(VIOLATED).current_dir(place.path("")).stdout(full).output();
    let ended = ended.expect("it starts");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("no nonlinearizable beyond the expected"), "{said}");
}

#[test]
fn a_reader_of_messages_that_has_gone_away_does_not_cost_the_verdict() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    place.write("runs", "a file where the folder should be");
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("perjury"));
    let ended = command.args(VIOLATED).current_dir(place.path("")).stderr(writer).output();
    assert_eq!(ended.expect("it starts").status.code(), Some(3));
}

#[test]
fn what_only_the_run_could_know_outlives_another_check() {
    let place = Place::new();
    let run = place.short_run();
    let path = run.join("results.json");
    let text = std::fs::read_to_string(&path).expect("results");
    let mut results: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert!(results["wall_ms"].is_u64(), "{results}");
    results["interrupted"] = true.into();
    results["problems"] = vec!["the disk was full"].into();
    results["wall_ms"] = 12_345.into();
    std::fs::write(&path, results.to_string()).expect("it can be written");
    // As the run itself would have ended.
    place.refuses(&["check", "runs/latest"], 3, "the disk was full");
    let text = std::fs::read_to_string(&path).expect("results");
    let again: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for kept in ["interrupted", "problems", "wall_ms"] {
        assert_eq!(again[kept], results[kept], "{kept}");
    }
}

#[test]
fn another_history_in_a_run_folder_is_judged_itself() {
    let place = Place::new();
    let run = place.short_run();
    std::fs::write(run.join("other.arrow"), "no history").expect("it can be written");
    place.refuses(&["check", "runs/latest/other.arrow"], 64, "other.arrow");
    assert_eq!(place.perjury(&["check", "runs/latest/results.json"]).code, 0);
}

#[test]
fn what_a_user_has_called_latest_is_left_alone() {
    let place = Place::new();
    std::fs::create_dir(place.path("runs")).expect("it can be made");
    place.write("runs/latest", "mine");
    let called = place.perjury(&["run", "--test", "consensus", "--time-limit", "1s"]);
    assert_eq!(called.code, 0, "{}", called.stderr);
    assert_eq!(std::fs::read_to_string(place.path("runs/latest")).expect("it is there"), "mine");

    std::fs::remove_file(place.path("runs/latest")).expect("it is there");
    symlink("nowhere", place.path("runs/latest")).expect("it can be made");
    assert!(place.short_run().join("test.json").is_file(), "a link is replaced");
    let hidden = std::fs::read_dir(place.path("runs")).expect("a folder");
    let hidden = hidden.filter(|it| it.as_ref().is_ok_and(|it| it.file_name() == *".latest"));
    assert_eq!(hidden.count(), 0);
}
