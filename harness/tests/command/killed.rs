//! A run that ends before its time: killed, or interrupted by the user.
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::Place;

/// A run that would take hours.
struct LongRun {
    child: Child,
    folder: PathBuf,
}

impl LongRun {
    /// Starts one and waits until it has recorded something.
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("perjury"));
        command.arg("run").args(arguments);
        command.current_dir(place.path("")).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("the command starts");
        let mut run = Self { child, folder: PathBuf::new() };
        // Not a matter of speed: only a run that hangs reaches this.
        let patience = Instant::now() + Duration::from_secs(120);
        while run.folder.as_os_str().is_empty() {
            assert!(Instant::now() < patience, "the history does not grow");
            std::thread::sleep(Duration::from_millis(5));
            run.folder = grown(place).unwrap_or_default();
        }
        run
    }
}

impl Drop for LongRun {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The run's folder, once its history holds some thousand events.
fn grown(place: &Place) -> Option<PathBuf> {
    let mut runs = std::fs::read_dir(place.path("runs/consensus")).ok()?;
    let run = runs.next()?.ok()?.path();
    let length = std::fs::metadata(run.join("history.arrow")).ok()?.len();
    (length > 300_000).then_some(run)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn the_history_of_a_killed_run_can_be_read_and_judged() {
    let place = Place::new();
    let mut run = LongRun::start(&place, &["--test", "consensus", "--time-limit", "5h"]);
    run.child.kill().expect("SIGKILL");
    run.child.wait().expect("it is dead");
    assert!(!run.folder.join("results.json").exists(), "it was killed in the middle");

    let shown = place.perjury(&["show", path(&run.folder)]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.lines().count() > 1_000);
    let checked = place.perjury(&["check", path(&run.folder)]);
    assert!(checked.stderr.contains("ends before its time"), "{}", checked.stderr);
    // No final phase: whether replicas converged cannot be said, and so it is not.
    assert_eq!(checked.code, 2, "{}{}", checked.stdout, checked.stderr);
    assert!(checked.stdout.contains("convergent was not decided"), "{}", checked.stdout);
    assert!(run.folder.join("report.html").is_file());
}

#[test]
fn an_interrupted_run_is_healed_saved_and_judged() {
    let place = Place::new();
    let mut run = LongRun::start(&place, &["--test", "consensus", "--time-limit", "5h"]);
    let interrupted = Command::new("kill").args(["-INT", &run.child.id().to_string()]).status();
    assert!(interrupted.expect("there is a kill command").success());
    let ended = run.child.wait().expect("it ends");
    assert_eq!(ended.code(), Some(2), "a run that was cut short vouches for nothing");
    assert!(run.folder.join("report.html").is_file());
    let results = std::fs::read_to_string(run.folder.join("results.json")).expect("results");
    assert!(results.contains("\"interrupted\": true"));
    let left = perjury_nemesis::Journal::left_behind(&run.folder.join("faults.jsonl"));
    assert!(left.expect("a journal").faults.is_empty(), "everything was healed");
}

#[test]
fn a_campaign_that_was_interrupted_is_not_as_expected() {
    let place = Place::new();
    let campaign = "
        [defaults]
        store = 'replica'
        time-limit = '5h'
        rate = 1000
        [[test]]
        name = 'consensus'
        seeds = [1, 2, 3]
        expect.models = ['linearizable']
    ";
    place.write("long.toml", campaign);
    let mut run = LongRun::start(&place, &["long.toml", "--jobs", "1"]);
    let interrupted = Command::new("kill").args(["-INT", &run.child.id().to_string()]).status();
    assert!(interrupted.expect("there is a kill command").success());
    assert_eq!(run.child.wait().expect("it ends").code(), Some(2), "two runs were not begun");
}

#[test]
fn a_run_that_waits_for_its_next_operation_can_be_interrupted() {
    let place = Place::new();
    let long = ["--store", "replica", "--time-limit", "8000h", "--rate", "1e-9"];
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("perjury"));
    command.arg("run").args(long).current_dir(place.path(""));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let patience = Instant::now() + Duration::from_secs(120);
    while !place.path("runs/replica").exists() {
        assert!(Instant::now() < patience, "the run does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    // It is a matter of hours until the first operation, simulated as they are.
    std::thread::sleep(Duration::from_millis(300));
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.expect("there is a kill command").success());
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() >= patience {
            let _ = child.kill();
            panic!("the interrupt was not heard");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(child.wait().expect("it ended").code(), Some(2), "there was nothing to judge");
}
