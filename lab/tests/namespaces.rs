//! Labs of namespaces, for real: they need root and what `scripts/install-lab` installs. Where that
//! is not given, each test says so and proves nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command as Program, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use perjury_lab::MachineLab;
use perjury_lab::machines::{
    Daemon, DaemonState, Machine, Severity, VOLUME_MIB, VolumeState, check, layout,
};
use perjury_lab::namespaces::{
    NamespaceError, NamespaceSettings, down, lock, names, open, possible, status, up,
};
use perjury_lab::remote::Command;

/// One test at a time: they compare what the host has before and after.
static HOST: Mutex<()> = Mutex::new(());

/// A lab's name that no other process uses; what it holds is gone when the test ends.
struct Lab {
    settings: NamespaceSettings,
    _host: Option<MutexGuard<'static, ()>>,
}

impl Lab {
    /// None, and a line that says why, where there can be no labs.
    fn new(test: &str) -> Option<Self> {
        if let Err(reason) = possible() {
            println!("skipped: {reason}");
            return None;
        }
        let host = HOST.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lab = Self::beside(test);
        lab._host = Some(host);
        Some(lab)
    }

    /// Another one in the same test.
    fn beside(test: &str) -> Self {
        let name = format!("test-{test}-{}", std::process::id());
        let settings = NamespaceSettings { name, disk_mib: 1024 };
        Self { settings, _host: None }
    }

    fn up(&self, nodes: u32) -> MachineLab {
        up(&self.settings, nodes).expect("it comes up");
        self.open(nodes)
    }

    fn open(&self, nodes: u32) -> MachineLab {
        open(&self.settings, nodes).expect("it is up")
    }

    fn down(&self) {
        down(&self.settings.name).expect("it goes down");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Err(error) = down(&self.settings.name) {
            println!("{error}");
        }
    }
}

/// What a machine says to a constant script.
async fn say(machine: &Machine, script: &'static str) -> String {
    machine.run(&Command::script(script)).await.unwrap_or_else(|error| panic!("{error}"))
}

fn host(program: &str, arguments: &[&str]) -> String {
    let output = Program::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What of a lab could be left on the host, as the host lists it; other labs come and go meanwhile.
fn traces(lab: &str, link: &str) -> Vec<String> {
    let mut traces = Vec::new();
    for (program, arguments) in [
        ("ip", vec!["netns", "list"]),
        ("ip", vec!["-oneline", "address", "show"]),
        ("ip", vec!["route", "show", "table", "all"]),
        ("losetup", vec!["--all"]),
        ("nft", vec!["list", "ruleset"]),
        ("ps", vec!["-eo", "args"]),
        ("cat", vec!["/proc/self/mountinfo"]),
        ("ls", vec!["/var/lib/perjury/labs"]),
    ] {
        let said = host(program, &arguments);
        let is_ours = |line: &&str| {
            line.contains(&format!("{lab}/"))
                || line.contains(&format!("{lab}-"))
                || line.contains(&format!("{link}@"))
                || line.split_whitespace().any(|word| word == link || word.starts_with(lab))
        };
        traces.extend(said.lines().filter(is_ours).map(|line| format!("{program}: {line}")));
    }
    traces
}

/// Waits until nothing is left of a lab. Programs that had begun to make it may take a moment to see
/// that it is gone.
fn expect_no_traces(lab: &str, link: &str) {
    let mut left = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        left = traces(lab, link);
        if left.is_empty() {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("left: {left:#?}");
}

/// The host's link to a lab.
fn link(lab: &str) -> String {
    let control = status(lab).expect("it is up").control[0].to_string();
    format!("perjury{}", control.split('.').nth(2).expect("an IPv4 address"))
}

/// Waits until something holds; a minute is far more than anything takes.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what} never came");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn nodes_are_machines_of_their_own() {
    let Some(lab) = Lab::new("machines") else { return };
    let machines = lab.up(3);
    machines.run(async {
        let mut inits = BTreeSet::new();
        for machine in machines.machines() {
            assert_eq!(say(machine, "cat /proc/sys/kernel/hostname").await, machine.to_string());
            assert_eq!(say(machine, "cat /etc/hostname").await, machine.to_string());
            // The first process is the node's sshd, and none of the host's is seen.
            assert_eq!(say(machine, "cat /proc/1/comm").await, "sshd");
            assert!(
                say(machine, "ps -e -o comm=").await.lines().count() < 12,
                "own processes only"
            );
            for kind in ["mnt", "uts", "ipc", "pid", "net"] {
                let read = Command::new("readlink").argument(format!("/proc/self/ns/{kind}"));
                inits.insert(machine.run(&read).await.expect("it has namespaces"));
            }
            // Not even its root may set the clock that all share (capability 25), ...
            let bound = say(machine, "awk '/^CapBnd/ { print $2 }' /proc/self/status").await;
            let bound = u64::from_str_radix(&bound, 16).expect("a hexadecimal number");
            assert_eq!(bound & (1 << 25), 0, "{machine} could set the clock");
            // ... and there is no way out.
            assert_eq!(say(machine, "ip route show default; ip -6 route show default").await, "");
            assert_eq!(say(machine, "ls -A /tmp /root | grep -v ':$' | grep .; true").await, "");
            assert_eq!(say(machine, "ls -A /var/lib/perjury").await, "");
        }
        assert_eq!(inits.len(), 3 * 5, "no two nodes share a namespace");

        // What one writes, others and the host do not see.
        let first = &machines.machines()[0];
        say(first, "echo 1 >/etc/perjury-was-here").await;
        for other in &machines.machines()[1..] {
            assert_eq!(say(other, "ls /etc | grep was-here; true").await, "");
        }
        assert!(!Path::new("/etc/perjury-was-here").exists());
    });
}

#[test]
fn nodes_reach_each_other_and_this_host_by_both_families() {
    let Some(lab) = Lab::new("network") else { return };
    let machines = lab.up(3);
    machines.run(async {
        // An SSH server greets whoever connects: bash can do that without further programs.
        const GREETS: &str = r#"exec 3<>"/dev/tcp/$1/22" && head -c 4 <&3"#;
        for from in machines.machines() {
            for to in machines.machines() {
                assert_eq!(to.addresses().len(), 2, "IPv4 and IPv6");
                for address in to.addresses() {
                    let greet = Command::new("bash").arguments(["-c", GREETS, "bash"]);
                    let said = from.run(&greet.argument(address.to_string())).await;
                    assert_eq!(said.as_deref(), Ok("SSH-"), "{from} to {address}");
                }
            }
            let named = say(from, "getent hosts n1 n2 n3 | awk '{ print $2 }'").await;
            assert_eq!(named, "n1\nn2\nn3");
        }
    });
    for machine in machines.machines() {
        for address in machine.addresses() {
            std::net::TcpStream::connect((*address, 22)).expect("this host reaches it");
        }
    }
}

#[test]
fn killing_everything_on_a_node_harms_no_other_and_it_still_answers() {
    let Some(lab) = Lab::new("kill") else { return };
    let machines = lab.up(3);
    machines.run(async {
        let sleeper = Daemon {
            name: "sleeper",
            arguments: vec!["/bin/sleep".to_owned(), "1000".to_owned()],
            user: None,
            environment: Default::default(),
        };
        for machine in machines.machines() {
            machine.start_daemon(&sleeper).await.expect("it starts");
        }
        let daemons = || status(&lab.settings.name).expect("it is up").nodes.into_iter();
        assert!(daemons().all(|node| node.daemons == ["sleeper"]));

        // Its own session is among the dead, so whatever comes of it is right.
        let second = &machines.machines()[1];
        let _ = second.output(&Command::script("kill -9 -1")).await;
        wait_until("its end", || daemons().nth(1).is_some_and(|node| node.daemons.is_empty()));
        assert_eq!(say(second, "cat /proc/sys/kernel/hostname").await, "n2");
        let state = async |node: usize| machines.machines()[node].daemon_state("sleeper").await;
        assert_eq!(state(0).await, Ok(DaemonState::Running));
        assert_eq!(state(1).await, Ok(DaemonState::Stopped));
        assert_eq!(state(2).await, Ok(DaemonState::Running));
        assert!(daemons().all(|node| node.pid.is_some()));
    });
}

#[test]
fn a_full_disk_is_one_nodes_own() {
    let Some(lab) = Lab::new("disk") else { return };
    let machines = lab.up(2);
    machines.run(async {
        const FILL: &str = "! fallocate -l 2G /var/tmp/fill && ! echo x >/var/tmp/more";
        let [first, second] = machines.machines() else { panic!("two machines") };
        say(first, FILL).await;
        let error = first.run(&Command::script("head -c 1M /dev/zero >/etc/big")).await;
        let error = error.expect_err("it is full").to_string();
        assert!(error.contains("No space left on device"), "{error}");
        say(second, "head -c 1M /dev/zero >/etc/big").await;
        say(first, "rm -f /var/tmp/fill && head -c 1M /dev/zero >/etc/big").await;
    });
}

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
        machine
            .signal_daemon("writer", perjury_lab::machines::Signal::Kill)
            .await
            .expect("it ends");
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
        for machine in machines.machines() {
            let sleeper = Daemon {
                name: "sleeper",
                arguments: vec!["/bin/sleep".to_owned(), "1000".to_owned()],
                user: Some("nobody"),
                environment: Default::default(),
            };
            machine.start_daemon(&sleeper).await.expect("it starts");
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
            .args(["--exact", "up_for_another_process", "--nocapture"])
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
fn fifty_nodes_and_a_frozen_one_that_delays_nobody() {
    const NODES: u32 = 50;
    const FROZEN: usize = 6;
    let Some(lab) = Lab::new("fifty") else { return };
    let began = Instant::now();
    let machines = lab.up(NODES);
    println!("{NODES} nodes were up and logged in to after {:?}", began.elapsed());
    // All that runs on it, the sshd that serves us included.
    let frozen = format!("perjury-{}-n{}", lab.settings.name, FROZEN + 1);
    let frozen = host("ip", &["netns", "pids", &frozen]);
    let frozen: Vec<_> = frozen.split_whitespace().collect();
    host("kill", &[&["-STOP"], &frozen[..]].concat());
    let order = Mutex::new(Vec::new());
    machines
        .run(async {
            // Longer than fifty commands take, however busy the host is.
            let command = Command::new("true").timeout(Duration::from_secs(20));
            let work = machines.each(async |machine| {
                let result = machine.run(&command).await;
                order
                    .lock()
                    .expect("nobody panics")
                    .push((machine.node().0 as usize, result.is_ok()));
                Ok::<_, ()>(())
            });
            work.await
        })
        .expect("errors are noted");
    host("kill", &[&["-CONT"], &frozen[..]].concat());
    let order = order.into_inner().expect("nobody panicked");
    assert_eq!(order.last(), Some(&(FROZEN, false)), "the frozen one comes last: {order:?}");
    assert!(order.iter().all(|(node, answered)| *answered == (*node != FROZEN)), "{order:?}");
    machines.run(async { say(&machines.machines()[FROZEN], "true").await });
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
    assert!(matches!(open(&lab.settings, 1), Err(NamespaceError::Node { .. })));
    lab.down();
    expect_no_traces(name, &link);
}
