//! A run under faults, and one that is killed in the middle of them.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use perjury_history::{Entry, FaultStage, arrow};

use crate::lab::Lab;

const ETCD: &str = r#"
[[test]]
name = "etcd"
store = "etcd"
nodes = 3
rate = 100
time-limit = "10s"
script = [
    { at = "1s", fault = "partition:primaries", lasts = "3s" },
    { at = "5s", fault = "kill@primaries", lasts = "2s" },
    { at = "8s", fault = "pause@n2", lasts = "1s" },
]
expect = { models = ["linearizable", "durable", "convergent"] }
"#;

#[test]
fn a_real_store_is_tested_under_faults_and_nothing_is_left() {
    let Some(lab) = Lab::up(3, &["/usr/bin/etcd"]) else { return };
    for over_ssh in [false, true] {
        let run = if over_ssh { lab.run_over_ssh(ETCD, &[]) } else { lab.run(ETCD, &[]) };
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        let folder = lab.place.path("runs/latest");
        let history = folder.join("history.arrow");
        let entries: Vec<Entry> =
            arrow::entries(&history).expect("a history").collect::<Result<_, _>>().expect("whole");
        let stages = |wanted: FaultStage| {
            let faults = entries.iter().filter(|entry| match entry {
                Entry::Fault(fault) => fault.stage == wanted,
                Entry::Operation(_) => false,
            });
            faults.count()
        };
        assert_eq!((stages(FaultStage::Applied), stages(FaultStage::Undone)), (3, 3), "{over_ssh}");
        assert_eq!(stages(FaultStage::Failed), 0, "{over_ssh}");
        for node in ["n1", "n2", "n3"] {
            let log = std::fs::read_to_string(folder.join(format!("logs/{node}/etcd.log")));
            assert!(log.expect("a log").contains("etcd"), "{node}");
            lab.is_clean(node);
        }
        let page = std::fs::read_to_string(folder.join("report.html")).expect("a report");
        assert!(page.contains("./logs/n2/etcd.log"), "the logs are linked");
    }
}

#[test]
fn what_a_killed_run_left_is_healed_by_the_command_and_by_the_next_run() {
    let Some(lab) = Lab::up(3, &["/usr/bin/etcd"]) else { return };
    let script = r#"script=[{at="0s",fault="partition:one",lasts="1h"},{at="0s",fault="pause@n3",lasts="1h"}]"#;
    for by_command in [true, false] {
        lab.place.write("campaign.toml", ETCD);
        let settings = format!("lab={{ kind = \"namespaces\", name = \"{}\" }}", lab.name);
        let mut run = Command::new(assert_cmd::cargo::cargo_bin!("perjury"))
            .args(["run", "campaign.toml", "--set", &settings, "--set", script])
            .args(["--time-limit", "2h"])
            .current_dir(lab.place.path(""))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command starts");
        // Not a matter of speed: only a run that hangs reaches this.
        let patience = Instant::now() + Duration::from_secs(120);
        let paused = || lab.on("n3", "ps -C etcd -o stat= || true").starts_with('T');
        let cut = || lab.on("n1", "nft list tables").contains("perjury_");
        while !(paused() && cut()) {
            assert!(Instant::now() < patience, "the faults do not act");
            std::thread::sleep(Duration::from_millis(100));
        }
        run.kill().expect("SIGKILL");
        run.wait().expect("it is dead");
        if by_command {
            let heal = lab.place.perjury(&["heal"]);
            assert_eq!(heal.code, 0, "{}{}", heal.stdout, heal.stderr);
            assert!(heal.stdout.contains("undone: paused the process on n3"), "{}", heal.stdout);
            assert!(heal.stdout.contains("undone: isolated"), "{}", heal.stdout);
            assert!(!paused() && !cut(), "it says so and it is not so");
            let again = lab.place.perjury(&["heal"]);
            assert_eq!((again.code, again.stdout.as_str()), (0, ""), "{}", again.stderr);
        }
        let next = lab.run(ETCD, &["--time-limit", "2s", "--set", "script=[]"]);
        assert_eq!(next.code, 0, "{}{}", next.stdout, next.stderr);
        let nothing = lab.place.perjury(&["heal"]);
        assert!(nothing.stderr.contains("nothing is left to undo"), "{}", nothing.stderr);
        ["n1", "n2", "n3"].iter().for_each(|node| lab.is_clean(node));
    }
}

#[test]
fn two_controllers_never_share_a_machine() {
    let Some(lab) = Lab::up(3, &["/usr/bin/etcd"]) else { return };
    lab.place.write("long.toml", ETCD);
    let script = r#"script=[{at="0s",fault="pause@n3",lasts="1h"}]"#;
    let long = ["--runs", "long", "--time-limit", "2h", "--set", script];
    let mut first = Command::new(assert_cmd::cargo::cargo_bin!("perjury"))
        .args(lab.over_ssh(&["run", "long.toml"], &long))
        .current_dir(lab.place.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    // Not a matter of speed: only a run that hangs reaches this.
    let patience = Instant::now() + Duration::from_secs(120);
    let paused = || lab.on("n3", "ps -C etcd -o stat= || true").starts_with('T');
    while !paused() {
        assert!(Instant::now() < patience, "the fault does not act");
        std::thread::sleep(Duration::from_millis(100));
    }
    let owner = format!("(process {})", first.id());
    let short = ["--time-limit", "2s", "--set", "script=[]"];
    let heal = ["heal", "--runs", "long"];
    for refused in [lab.run(ETCD, &short), lab.run_over_ssh(ETCD, &short), lab.place.perjury(&heal)]
    {
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert_eq!(refused.code, 3, "{said}");
        for part in ["n1", "is in use by another run of Perjury", &owner, "wait for its end"] {
            assert!(said.contains(part), "expected `{part}` in: {said}");
        }
    }
    assert!(paused(), "nobody heals it while its run goes on");

    first.kill().expect("SIGKILL");
    first.wait().expect("it is dead");
    let healed = lab.place.perjury(&heal);
    assert_eq!(healed.code, 0, "{}{}", healed.stdout, healed.stderr);
    let next = lab.run_over_ssh(ETCD, &short);
    assert_eq!(next.code, 0, "{}{}", next.stdout, next.stderr);
    for node in ["n1", "n2", "n3"] {
        lab.is_clean(node);
        assert_eq!(lab.on(node, "ls /run/perjury.lock 2>/dev/null || echo free"), "free");
    }
}
