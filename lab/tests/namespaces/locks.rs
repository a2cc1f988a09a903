//! Two controllers on the same machines.

use std::process::{Command as Program, Stdio};
use std::time::Duration;

use perjury_lab::namespaces::{NamespaceSettings, open};
use perjury_lab::remote::{Command, RemoteError};

use crate::fixture::{Lab, say, wait_until};

/// What is on a machine where nobody has it.
const LOCK: &str = "cat /run/perjury.lock 2>/dev/null || echo free";

#[test]
fn machines_are_for_one_controller_at_a_time() {
    let Some(lab) = Lab::new("locks") else { return };
    let (ours, theirs) = (lab.up(2), lab.open(2));
    ours.run(async {
        let locks = ours.lock().await.expect("nobody has them");
        let process = format!("(process {})", std::process::id());
        let held = say(&ours.machines()[1], LOCK).await;
        assert!(held.contains(&process) && held.ends_with("UTC"), "{held}");

        let refused = theirs.lock().await.expect_err("they are taken");
        assert!(matches!(refused, RemoteError::InUse { .. }), "{refused}");
        let refused = refused.to_string();
        assert!(refused.starts_with("n1 is in use by another run of Perjury"), "{refused}");
        assert!(refused.contains(&process) && refused.contains("wait for its end"), "{refused}");

        assert_eq!(locks.release().await, []);
        let locks = theirs.lock().await.expect("they are free");
        drop(locks);
        // Whoever comes next waits for what was not waited for.
        let locks = ours.lock().await.expect("they are free again");
        assert_eq!(locks.release().await, []);
        for machine in ours.machines() {
            assert_eq!(say(machine, LOCK).await, "free");
        }
    });
}

#[test]
fn one_machine_that_is_taken_keeps_a_controller_off_all() {
    let Some(lab) = Lab::new("locks-one") else { return };
    let machines = lab.up(2);
    // Nobody that says who he is.
    const TAKE: &str = "setsid flock /run/perjury.lock sleep 1000 </dev/null >/dev/null 2>&1 &";
    machines.run(async {
        say(&machines.machines()[1], TAKE).await;
        while say(&machines.machines()[1], "pgrep -xc sleep || true").await == "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let refused = machines.lock().await.expect_err("n2 is taken").to_string();
        assert!(refused.starts_with("n2 is in use"), "{refused}");
        assert!(refused.contains("of somebody who does not say so"), "{refused}");
        assert_eq!(say(&machines.machines()[0], LOCK).await, "free");
    });
}

#[test]
fn a_lock_that_was_lost_is_taken_again_and_it_is_told_if_another_was_faster() {
    let Some(lab) = Lab::new("locks-lost") else { return };
    let (ours, theirs) = (lab.up(1), lab.open(1));
    let machine = &ours.machines()[0];
    let holders = async || say(machine, "fuser /run/perjury.lock 2>/dev/null || true").await;
    // As the end of its connection would.
    let lose = async |pids: &str| {
        let kill = Command::script("kill -9 $1").argument(pids);
        machine.run(&kill).await.expect("it runs");
    };
    ours.run(async {
        let locks = ours.lock().await.expect("nobody has it");
        let first = holders().await;
        lose(&first).await;
        while [first.as_str(), ""].contains(&holders().await.as_str()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(locks.release().await, []);

        let locks = ours.lock().await.expect("nobody has it");
        let first = holders().await;
        let waits = async {
            while say(machine, "pgrep -xc flock || true").await == "0" {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            lose(&first).await;
        };
        let (other, ()) = tokio::join!(theirs.lock(), waits);
        let other = other.expect("it was waiting for it");
        let lost = locks.release().await;
        assert!(matches!(lost[..], [RemoteError::InUse { .. }]), "{lost:?}");
        assert_eq!(other.release().await, []);
    });
}

#[test]
fn a_controller_that_is_killed_leaves_no_lock() {
    let Some(lab) = Lab::new("locks-killed") else { return };
    let machines = lab.up(2);
    let this = std::env::current_exe().expect("a test knows itself");
    let mut other = Program::new(this)
        .args(["--exact", "locks::lock_for_another_process", "--nocapture"])
        .env("PERJURY_TEST_LOCK", &lab.settings.name)
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let held = || machines.run(say(&machines.machines()[1], LOCK));
    wait_until("the lock", || held().contains("process"));
    let refused = machines.run(machines.lock()).expect_err("it is held").to_string();
    assert!(refused.contains(&format!("(process {})", other.id())), "{refused}");
    other.kill().expect("it runs");
    other.wait().expect("it ends");
    let locks = machines.run(machines.lock()).expect("it is gone");
    assert_eq!(machines.run(locks.release()), []);
}

/// Keeps a lab locked until it is killed, when the test above starts it for that.
#[test]
fn lock_for_another_process() {
    let Ok(name) = std::env::var("PERJURY_TEST_LOCK") else { return };
    let settings = NamespaceSettings { name, ..NamespaceSettings::default() };
    let machines = open(&settings, 2).expect("it is up");
    machines.run(async {
        let _locks = machines.lock().await.expect("nobody has them");
        std::future::pending::<()>().await;
    });
}
