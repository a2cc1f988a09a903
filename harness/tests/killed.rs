//! A run that ends before its time: killed, or interrupted by the user.
#![cfg(unix)]

#[allow(dead_code)]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::Place;

/// Starts a run that would take long and waits until its history has grown past `bytes`.
fn long_run(place: &Place, bytes: u64) -> (Child, PathBuf) {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("perjury"));
    command.args(["run", "--test", "consensus", "--time-limit", "10h"]);
    command.current_dir(place.path("")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the command starts");
    let history = || {
        let tests = std::fs::read_dir(place.path("runs/consensus")).ok()?;
        let run = tests.filter_map(Result::ok).next()?.path();
        let length = std::fs::metadata(run.join("history.arrow")).ok()?.len();
        (length > bytes).then_some(run)
    };
    // Not a matter of speed: only a run that hangs reaches this.
    let patience = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(run) = history() {
            return (child, run);
        }
        assert!(Instant::now() < patience, "the history does not grow");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn the_history_of_a_killed_run_can_be_read_and_judged() {
    let place = Place::new();
    let (mut child, run) = long_run(&place, 300_000);
    child.kill().expect("SIGKILL");
    child.wait().expect("it is dead");
    assert!(!run.join("results.json").exists(), "it was killed in the middle");

    let shown = place.perjury(&["show", path(&run)]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.lines().count() > 1_000);
    let checked = place.perjury(&["check", path(&run)]);
    assert!(checked.stderr.contains("ends before its time"), "{}", checked.stderr);
    assert!(checked.stdout.contains("valid"), "{}", checked.stdout);
    // No final phase: whether anything was lost cannot be said, and so it is not.
    assert_eq!(checked.code, 2, "{}{}", checked.stdout, checked.stderr);
    assert!(run.join("report.html").is_file());
}

#[test]
fn an_interrupted_run_is_healed_saved_and_judged() {
    let place = Place::new();
    let (child, run) = long_run(&place, 300_000);
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.expect("there is a kill command").success());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(run.join("report.html").is_file());
    let results = std::fs::read_to_string(run.join("results.json")).expect("results");
    assert!(results.contains("\"interrupted\": true"));
    let left = perjury_nemesis::Journal::left_behind(&run.join("faults.jsonl"));
    assert!(left.expect("a journal").is_empty(), "everything was healed");
}
