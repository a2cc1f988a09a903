//! What is done to machines before, during and after runs: volumes, checks, clearing.

use perjury_lab::machines::{Daemon, Severity, Signal, VOLUME_MIB, VolumeState, check, layout};
use perjury_lab::namespaces::{open, status};
use perjury_lab::remote::Command;

use crate::fixture::{Lab, host, say, sleeper};

#[test]
fn a_volume_loses_what_was_not_synced_and_keeps_what_was() {
    let Some(lab) = Lab::new("volume") else { return };
    let machines = lab.up(1);
    machines.run(async {
        let machine = &machines.machines()[0];
        assert_eq!(machine.volume_state().await, Ok(VolumeState::Absent));
        machines.prepare(64).await.expect("it has loop devices");
        assert_eq!(machine.volume_state().await, Ok(VolumeState::Mounted));
        say(
            machine,
            "cd /var/lib/perjury/data && echo kept >kept && sync kept . && echo lost >lost",
        )
        .await;
        machine.shut_down_volume().await.expect("it can be shut down");
        machine.shut_down_volume().await.expect("again");
        assert_eq!(machine.volume_state().await, Ok(VolumeState::ShutDown));
        let read = machine.run(&Command::new("cat").argument("/var/lib/perjury/data/kept")).await;
        assert!(read.expect_err("it fails").to_string().contains("Input/output error"));
        machine.remount_volume().await.expect("nobody uses it");
        machine.remount_volume().await.expect("again");
        assert_eq!(machine.volume_state().await, Ok(VolumeState::Mounted));
        let left = "cd /var/lib/perjury/data && cat kept && ls";
        assert_eq!(say(machine, left).await, "kept\nkept\nlost+found");

        // It is kept by the next run, and replaced if that wants another size.
        machines.prepare(64).await.expect("as before");
        assert_eq!(say(machine, left).await, "kept\nkept\nlost+found");
        machines.prepare(96).await.expect("another size");
        assert_eq!(say(machine, "ls /var/lib/perjury/data").await, "lost+found");

        machine.remove_volume().await.expect("nobody uses it");
        machine.remove_volume().await.expect("again");
        assert_eq!(machine.volume_state().await, Ok(VolumeState::Absent));
    });
}

#[test]
fn a_machine_that_can_have_no_volume_works_and_keeps_the_reason() {
    let Some(lab) = Lab::new("no-volume") else { return };
    let machines = lab.up(1);
    machines.run(async {
        let machine = &machines.machines()[0];
        say(machine, "rm /dev/loop*").await;
        let facts = machines.prepare(64).await.expect("it works all the same");
        assert!(facts[0].loop_devices.is_err(), "{facts:?}");
        for state in [machine.make_volume(64).await, machine.volume_state().await] {
            let Ok(VolumeState::Impossible(reason)) = state else { panic!("{state:?}") };
            assert!(reason.contains("loop"), "{reason}");
        }
        machine.write(&format!("{}/x", layout::DATA), "x").await.expect("there is a folder");
        // Which is part of the node's own file system, and that must never be shut down.
        let refused = machine.shut_down_volume().await.expect_err("there is none").to_string();
        assert!(refused.contains("no volume is mounted"), "{refused}");
        machine.remount_volume().await.expect("nothing to do");
        assert_eq!(say(machine, "cat /var/lib/perjury/data/x").await, "x");
        machines.clear().await.expect("as ever");
        assert_eq!(machine.volume_state().await, Ok(VolumeState::Absent));

        // Nor what somebody else has mounted there.
        say(machine, "mkdir -p /var/lib/perjury/data && mount -t tmpfs x /var/lib/perjury/data")
            .await;
        let state = machine.make_volume(64).await;
        let Ok(VolumeState::Impossible(reason)) = state else { panic!("{state:?}") };
        assert_eq!(reason, "x is mounted at /var/lib/perjury/data");
        machine.shut_down_volume().await.expect_err("it is not ours");
        machine.remove_volume().await.expect("there is none");
        say(machine, "mountpoint /var/lib/perjury/data").await;
    });
}

#[test]
fn a_crash_with_a_daemon_on_the_volume_is_undone_by_a_remount() {
    let Some(lab) = Lab::new("crash") else { return };
    let machines = lab.up(1);
    machines.run(async {
        const WRITER: &str =
            "cd /var/lib/perjury/data; exec >>log; while sleep 0.01; do echo line; done";
        let machine = &machines.machines()[0];
        machines.prepare(VOLUME_MIB).await.expect("it has loop devices");
        let writer = Daemon {
            name: "writer",
            arguments: ["/bin/sh", "-c", WRITER].map(str::to_owned).to_vec(),
            user: None,
            environment: Default::default(),
        };
        machine.start_daemon(&writer).await.expect("it starts");
        machine.shut_down_volume().await.expect("it can be shut down");
        let busy = machine.remount_volume().await.expect_err("the writer uses it").to_string();
        assert!(busy.contains("n1") && busy.contains("busy"), "{busy}");
        machine.signal_daemon("writer", Signal::Kill).await.expect("it ends");
        machine.remount_volume().await.expect("nobody uses it now");
        assert_eq!(machine.volume_state().await, Ok(VolumeState::Mounted));
    });
}

#[test]
fn clearing_leaves_a_machine_as_it_was() {
    let Some(lab) = Lab::new("clear") else { return };
    let machines = lab.up(2);
    machines.run(async {
        const LISTING: &str =
            "ls -A /var/lib/perjury; cat /proc/self/mountinfo; ps -C sleep -o args=; true";
        let listing = async || {
            let mut all = Vec::new();
            for machine in machines.machines() {
                all.push(sorted(&say(machine, LISTING).await));
            }
            all
        };
        machines.clear().await.expect("there is nothing");
        let before = listing().await;
        let facts = machines.prepare(64).await.expect("they can be used");
        assert!(facts.iter().all(|it| it.shares_kernel_with.as_deref() == Some("this machine")));
        for clock in facts.iter().map(|it| it.clock_offset.expect("GNU date knows nanoseconds")) {
            // It is one clock, and the answer came between two looks at it.
            assert!(clock.offset_ns.unsigned_abs() <= clock.uncertainty_ns, "{clock:?}");
        }
        for machine in machines.machines() {
            machine.start_daemon(&sleeper(Some("nobody"))).await.expect("it starts");
            machine.write(&format!("{}/x", layout::DATA), "x").await.expect("it can be written");
        }
        // One of them is stuck on a frozen disk.
        say(&machines.machines()[1], "fsfreeze -f /var/lib/perjury/data").await;
        assert_ne!(listing().await, before);
        machines.clear().await.expect("it can be cleared");
        machines.clear().await.expect("again");
        assert_eq!(listing().await, before);
    });
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn a_check_says_what_is_missing_and_does_not_stop_at_a_dead_node() {
    let Some(lab) = Lab::new("check") else { return };
    let machines = lab.up(2);
    let second = status(&lab.settings.name).expect("it is up").nodes[1].pid.expect("it runs");
    machines.run(async {
        say(
            &machines.machines()[0],
            "mkdir -p /usr/local/none && mv /usr/sbin/nft /usr/local/none",
        )
        .await;
        host("kill", &["-9", &second.to_string()]);
        let findings = check(&machines, 64).await;
        let said: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|it| it.contains("n1: it has one kernel with this machine")));
        // iptables does in its place.
        assert!(!said.iter().any(|it| it.contains("no partitions")), "{said:?}");
        let dead: Vec<_> = findings.iter().filter(|it| it.node.0 == 1).collect();
        assert!(matches!(dead[..], [it] if it.severity == Severity::Fatal), "{said:?}");

        let findings = check(&machines, 1 << 20).await;
        let first = findings.first().expect("such a volume has no room");
        assert_eq!(first.severity, Severity::Fatal);
        assert!(first.to_string().contains("make room"), "{first}");
    });
    let refused = open(&lab.settings, 2).err().expect("a node is dead");
    assert!(refused.to_string().starts_with("n2 of the lab"), "{refused}");
}
