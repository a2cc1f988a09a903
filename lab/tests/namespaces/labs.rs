//! How labs come and go.

use std::fs;
use std::path::Path;
use std::process::{Command as Program, Stdio};

use perjury_lab::namespaces::{
    NamespaceError, NamespaceSettings, down, lock, names, open, status, up,
};
use perjury_lab::remote::{Command, RemoteError};

use crate::fixture::{Lab, expect_no_traces, host, link, say, traces, wait_until};

#[test]
fn nothing_is_left_of_a_lab() {
    let Some(lab) = Lab::new("traces") else { return };
    let name = lab.settings.name.clone();
    let machines = lab.up(3);
    machines.run(async { machines.prepare(64).await.map(|_| ()) }).expect("they can be used");
    machines.run(async {
        say(
            &machines.machines()[0],
            "nft add table inet perjury_1 && mkdir /mnt/x && mount -t tmpfs x /mnt/x",
        )
        .await;
    });
    let link = link(&name);
    assert!(traces(&name, &link).len() > 12, "the test would see traces");
    assert!(names().expect("root reads them").contains(&name));
    lab.down();
    expect_no_traces(&name, &link);
    lab.down();
    assert!(matches!(status(&name), Err(NamespaceError::Absent(_))));
    assert!(matches!(open(&lab.settings, 1), Err(NamespaceError::Absent(_))));
}

#[test]
fn a_killed_up_is_cleared_by_down() {
    let Some(lab) = Lab::new("killed") else { return };
    let name = lab.settings.name.clone();
    let folder = Path::new("/var/lib/perjury/labs").join(&name);
    // Killed at several stages: when the record is there, when the keys are, when nodes are.
    for stage in ["lab.json", "key.pub", "n1/disk.img", "n1/init", "n2/log"] {
        let this = std::env::current_exe().expect("a test knows itself");
        let mut child = Program::new(this)
            .args(["--exact", "labs::up_for_another_process", "--nocapture"])
            .env("PERJURY_TEST_UP", &name)
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        wait_until(stage, || folder.join(stage).exists());
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        let link = link(&name);
        assert!(matches!(up(&lab.settings, 1), Err(NamespaceError::Exists(_))), "{stage}");
        lab.down();
        expect_no_traces(&name, &link);
    }
}

/// Makes a lab when the test above starts it for that.
#[test]
fn up_for_another_process() {
    if let Ok(name) = std::env::var("PERJURY_TEST_UP") {
        up(&NamespaceSettings { name, disk_mib: 256 }, 3).expect("it is killed before");
    }
}

#[test]
fn an_up_that_fails_undoes_what_it_made() {
    let Some(lab) = Lab::new("fails") else { return };
    let name = &lab.settings.name;
    let long = NamespaceSettings { name: "x".repeat(33), ..lab.settings.clone() };
    assert!(matches!(up(&long, 1), Err(NamespaceError::Settings(_))));
    assert!(matches!(up(&lab.settings, 0), Err(NamespaceError::Settings(_))));
    assert!(matches!(up(&lab.settings, 251), Err(NamespaceError::Settings(_))));

    // What the second node needs is there already.
    host("ip", &["netns", "add", &format!("perjury-{name}-n2")]);
    let error = up(&lab.settings, 3).expect_err("the second node fails").to_string();
    assert!(error.contains("netns add") && error.contains("exists"), "{error}");
    expect_no_traces(name, "perjury-no-link");
}

#[test]
fn two_labs_are_up_at_once_and_do_not_reach_each_other() {
    let Some(lab) = Lab::new("one") else { return };
    let other = Lab::beside("other");
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| lab.up(2));
        let two = scope.spawn(|| other.up(2));
        (one.join().expect("it comes up"), two.join().expect("it comes up"))
    });
    assert_ne!(one.machines()[0].address(), two.machines()[0].address());
    one.run(async {
        for address in two.machines()[0].addresses() {
            let route =
                Command::new("ip").arguments(["route", "get"]).argument(address.to_string());
            let error = one.machines()[0].run(&route).await.expect_err("no route").to_string();
            assert!(error.contains("unreachable"), "{error}");
        }
    });
    other.down();
    one.run(async { assert_eq!(say(&one.machines()[1], "cat /etc/hostname").await, "n2") });
}

#[test]
fn a_busy_lab_is_refused() {
    let Some(lab) = Lab::new("busy") else { return };
    let name = lab.settings.name.as_str();
    lab.up(1);
    assert!(matches!(up(&lab.settings, 1), Err(NamespaceError::Exists(_))));
    assert!(matches!(
        open(&lab.settings, 2),
        Err(NamespaceError::TooSmall { found: 1, expected: 2, .. })
    ));
    let held = lock(name).expect("nobody has it");
    assert!(matches!(lock(name), Err(NamespaceError::Busy(_))));
    assert!(matches!(down(name), Err(NamespaceError::Busy(_))));
    lab.open(1);
    held.down().expect("who has it can remove it");
    let held = up(&lab.settings, 1).expect("it comes up again");
    assert!(matches!(lock(name), Err(NamespaceError::Busy(_))), "{} is held", held.name());
    drop(held);
    lab.down();
}

#[test]
fn a_lab_of_another_boot_is_cleared_by_down() {
    let Some(lab) = Lab::new("boot") else { return };
    let name = lab.settings.name.as_str();
    lab.up(1);
    let link = link(name);
    // As after a reboot: the files are there, and their process ids mean nothing.
    let record = Path::new("/var/lib/perjury/labs").join(name).join("lab.json");
    let text = fs::read_to_string(&record).expect("it is there");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("Linux has it");
    fs::write(&record, text.replace(boot.trim(), "another")).expect("root may");
    assert_eq!(status(name).expect("it is there").nodes[0].pid, None);
    assert!(matches!(
        open(&lab.settings, 1),
        Err(NamespaceError::Remote(RemoteError::Down { .. }))
    ));
    lab.down();
    expect_no_traces(name, &link);
}
