//! Faults on real machines, seen by witnesses on them and from outside.
//!
//! What takes virtual time to watch is in `conformance.rs`; here nothing is expected at a certain
//! time, only in the end. The machines are namespaces of this host.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use perjury_history::NodeId;
use perjury_lab::machines::{Daemon, DaemonState, Footprint, Machine, MachineLab, Signal};
use perjury_lab::namespaces::{self, NamespaceSettings};
use perjury_lab::remote::Command;
use perjury_lab::simulated::{ClockFault, Link};
use perjury_nemesis::{Fault, Injector, Journal, Shape, heal_left_behind};

use support::{Look, MS, MachinesBed, MachinesInUse, SECOND, Scene, TestBed, script};

/// Faults and targets.
const FAULTS: &[&str] = &[
    "partition:halves",
    "partition:ring",
    "partition:bridge",
    "partition:one-way",
    "partition:primaries",
    "kill@minority",
    "terminate@n2",
    "pause@minority",
    "clock:bump@minority",
    "clock:strobe@minority",
    "clock:drift@minority",
    "slow@n2",
    "lossy@minority",
    "corrupt@n3",
    "bandwidth@n1",
    "crash@minority",
    "disk:full@n2",
    "disk:slow@n4",
    "disk:read-only@minority",
    "disk:error@n5",
    "disk:bit-flip@n1",
    "disk:truncate@n3",
    "cpu@n2",
    "memory@minority",
];

const NODES: u32 = 5;

/// Those in the middle of which a controller is killed.
const KILLED: &[&str] = &[
    "partition:halves",
    "kill@n1",
    "pause@minority",
    "clock:strobe@minority",
    "lossy@minority",
    "crash@n3",
    "disk:full@n2",
    "disk:slow@n4",
    "disk:error@n5",
];

/// Small, so that filling it takes no time.
const VOLUME_MIB: u32 = 32;

/// All, or those that have `PERJURY_FAULT` of the environment in their text.
fn wanted(specs: &[&'static str]) -> Vec<&'static str> {
    let only = std::env::var("PERJURY_FAULT").unwrap_or_default();
    specs.iter().copied().filter(|spec| spec.contains(&only)).collect()
}

/// Until the witnesses show just these faults, and no others.
async fn shows(bed: &MachinesBed, faults: &[&Fault], usual: &Look) -> Result<(), String> {
    let mut seen = Ok(());
    for _ in 0..15 {
        let look = Look::take(bed, 400 * MS).await;
        seen = look.shows(faults.iter().copied(), usual);
        if seen.is_ok() {
            break;
        }
    }
    seen
}

/// What the witnesses show while nothing is in force.
async fn usual(bed: &MachinesBed) -> Look {
    let mut look = Look::take(bed, 400 * MS).await;
    for _ in 0..15 {
        if look.shows([], &look).is_ok() {
            break;
        }
        look = Look::take(bed, 400 * MS).await;
    }
    look.shows([], &look).unwrap_or_else(|it| panic!("before any fault: {it}"));
    look
}

/// The fault's effect is there while it is in force and gone after its end, and so is its entry in
/// the journal.
fn every_fault_has_its_effect_and_an_end() {
    for (seed, spec) in (1..).zip(wanted(FAULTS)) {
        let scene = Scene::on(MachinesBed::new(seed));
        let mut nemesis = scene.nemesis(seed);
        scene.bed.run(async {
            let usual = usual(&scene.bed).await;
            let end_ns = scene.bed.clock().now_ns() + 60 * SECOND;
            let schedule = script([(0, 120_000, spec)]);
            nemesis.run(&schedule, end_ns).await.expect("the journal can be written");
            let in_force = scene.left_behind();
            assert_eq!(scene.stages(0), ["applied", "observed"], "{spec}: {:?}", scene.events());
            let faults: Vec<_> = in_force.values().collect();
            let seen = shows(&scene.bed, &faults, &usual).await;
            seen.unwrap_or_else(|it| panic!("{spec}: {in_force:?}: {it}"));
            nemesis.heal().await.expect("the journal can be written");
            let shown = format!("{spec}: {:?}", scene.events());
            assert_eq!(scene.stages(0), ["applied", "observed", "undone"], "{shown}");
            assert!(scene.left_behind().is_empty(), "{spec}");
            let seen = shows(&scene.bed, &[], &usual).await;
            seen.unwrap_or_else(|it| panic!("{spec}, after: {it}"));
        });
    }
}

/// Only the port of a partition by port is cut, in both roles, and not for us: sshd's.
fn a_partition_by_port_leaves_other_ports() {
    let scene = Scene::on(MachinesBed::new(1));
    let mut nemesis = scene.nemesis(1);
    let lab = &scene.bed.lab;
    let connects_within = async |link: Link, seconds: u32| {
        const CONNECT: &str = r#"timeout "$2" bash -c 'exec 3<>"/dev/tcp/$0/22"' "$1""#;
        let to = lab.machine(link.to).address().to_string();
        let connect = Command::script(CONNECT).argument(to).argument(seconds.to_string());
        lab.machine(link.from).output(&connect).await.expect("it can be reached").status == 0
    };
    scene.bed.run(async {
        let usual = usual(&scene.bed).await;
        let end_ns = scene.bed.clock().now_ns() + 60 * SECOND;
        nemesis
            .run(&script([(0, 120_000, "partition:one-way/22")]), end_ns)
            .await
            .expect("journal");
        let fault = scene.left_behind().remove(&0).expect("it is in force");
        assert_eq!(scene.stages(0), ["applied", "observed"], "{:?}", scene.events());
        shows(&scene.bed, &[&fault], &usual).await.unwrap_or_else(|it| panic!("{fault}: {it}"));
        let uncut = (0..NODES).map(NodeId).filter(|node| !fault.nodes().contains(node));
        let uncut: Vec<NodeId> = uncut.collect();
        for &link in fault.links() {
            // What the deaf ones ask gets no answer either.
            assert!(
                !connects_within(link, 1).await
                    && !connects_within(Link { from: link.to, to: link.from }, 1).await
            );
        }
        assert!(connects_within(Link { from: uncut[0], to: uncut[1] }, 10).await);
        nemesis.heal().await.expect("the journal can be written");
        assert_eq!(scene.stages(0), ["applied", "observed", "undone"]);
        for &link in fault.links() {
            assert!(connects_within(link, 10).await);
        }
    });
}

/// Each of two faults that overlap lasts until its own end, which an injector makes that knows
/// nothing of the beginning; to end one twice is harmless.
fn faults_overlap_and_are_undone_by_other_injectors() {
    let node = NodeId;
    let all: Vec<NodeId> = (0..NODES).map(NodeId).collect();
    let around = |middle: NodeId| -> BTreeSet<Link> {
        let others = all.iter().filter(|&&other| other != middle);
        let both = |&other| [Link { from: middle, to: other }, Link { from: other, to: middle }];
        others.flat_map(both).collect()
    };
    let slow = |middle| Fault::Slow {
        nodes: vec![middle],
        links: around(middle),
        delay_us: 30_000,
        jitter_us: 5_000,
    };
    let lossy = |middle| Fault::Lossy {
        nodes: vec![middle],
        links: around(middle),
        loss_ppm: 300_000,
        duplicate_ppm: 100_000,
        reorder_ppm: 100_000,
    };
    let cut = |middle| Fault::Partition {
        shape: Shape::One,
        nodes: vec![middle],
        links: around(middle),
        ports: Vec::new(),
    };
    let bump = |middle| Fault::Clock {
        nodes: vec![middle],
        error: ClockFault::Bump { offset_ns: -40 * SECOND as i64 },
    };
    let pairs = [
        (cut(node(0)), cut(node(2))),
        (slow(node(1)), slow(node(1))),
        (slow(node(0)), lossy(node(3))),
        (lossy(node(2)), cut(node(2))),
        (bump(node(4)), Fault::Pause { nodes: vec![node(4)] }),
        (Fault::Pause { nodes: vec![node(4)] }, bump(node(4))),
        (Fault::Crash { nodes: vec![node(3)] }, cut(node(3))),
        (Fault::Kill { nodes: vec![node(1)] }, bump(node(1))),
    ];
    for (first, second) in &pairs {
        let bed = MachinesBed::new(1);
        let [one, other] = [bed.linux_injector(), bed.linux_injector()];
        bed.run(async {
            let usual = usual(&bed).await;
            let expect = async |faults: &[&Fault]| {
                let seen = shows(&bed, faults, &usual).await;
                seen.unwrap_or_else(|it| panic!("{first}; {second}: {faults:?}: {it}"));
            };
            let undo = async |number, fault: &Fault| {
                for _ in 0..2 {
                    other.undo(number, fault).await.expect("it can be undone");
                }
                if fault.ends_processes() {
                    bed.restart(fault.nodes()[0]).await;
                }
            };
            other.undo(1, first).await.expect("it is not there");
            one.apply(1, first).await.expect("it can be applied");
            one.apply(2, second).await.expect("it can be applied");
            expect(&[first, second]).await;
            undo(1, first).await;
            expect(&[second]).await;
            undo(2, second).await;
            expect(&[]).await;
        });
    }
}

/// A crash loses what was not synced and nothing else; a kill loses nothing.
fn only_a_crash_loses_records_and_only_those_not_synced() {
    let node = NodeId(2);
    let lost = |spec: &str| {
        let scene = Scene::on(MachinesBed::new(1));
        let mut nemesis = scene.nemesis(1);
        scene.bed.run(async {
            let mut before = scene.bed.testimony(node).await.expect("it runs");
            while before.synced == 0 || before.written < before.synced + 5 {
                scene.sleep_until(scene.bed.clock().now_ns() + 20 * MS).await;
                before = scene.bed.testimony(node).await.expect("it runs");
            }
            nemesis.run(&script([(0, 100, spec)]), 3_600 * SECOND).await.expect("the journal");
            assert_eq!(scene.stages(0).last(), Some(&"undone"), "{:?}", scene.events());
            let after = scene.bed.testimony(node).await.expect("it runs again");
            assert!(after.found >= before.synced, "{spec}: {} of {}", after.found, before.synced);
            before.written.saturating_sub(after.found)
        })
    };
    assert_eq!(lost("kill@n3"), 0);
    // By chance all may have been synced just before.
    assert!((0..5).any(|_| lost("crash@n3") > 0), "no crash lost anything");
}

/// A daemon by a script of the POSIX shell or another interpreter.
fn scripted(name: &'static str, interpreter: &str, script: &str) -> Daemon {
    let arguments = [interpreter, "-c", script].map(str::to_owned).to_vec();
    Daemon { name, arguments, user: None, environment: [].into() }
}

/// Little processor time is little for a process that wants all of one, also if it was started later.
fn a_busy_process_gets_its_share_and_no_more() {
    const PERCENT: u32 = 5;
    /// Its processor time in hundredths of a second, and the time that has passed, in seconds.
    const TIMES: &str = r#"cut -d' ' -f14,15 "/proc/$1/stat"; cut -d' ' -f1 /proc/uptime"#;
    let bed = MachinesBed::new(1);
    let (node, machine) = (NodeId(1), bed.lab.machine(NodeId(1)));
    let busy = scripted("busy", "/bin/sh", "while :; do :; done");
    let footprint = Footprint { daemons: vec!["busy"], ..support::footprint() };
    let injector = bed.injector_of(footprint);
    let times = async || {
        let pid = machine.daemon_processes("busy").await.expect("it can be asked")[0];
        let command = Command::script(TIMES).argument(pid.to_string());
        let said = machine.run(&command).await.expect("it runs");
        let numbers: Vec<f64> =
            said.split_whitespace().map(|it| it.parse().expect("a number")).collect();
        (numbers[0] + numbers[1], numbers[2])
    };
    let percent = async || {
        let (had, at) = times().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (later_had, later) = times().await;
        (later_had - had) / (later - at)
    };
    // Busy neighbours can take from it what it should have, and not give it what it should not.
    let is_free = async || {
        let mut had = Vec::new();
        while had.len() < 20 && had.last().is_none_or(|it| *it < f64::from(3 * PERCENT)) {
            had.push(percent().await);
        }
        let last = had.last().expect("it was looked at");
        assert!(*last >= f64::from(3 * PERCENT), "expected much, found {had:?} %");
    };
    let fault = Fault::Cpu { nodes: vec![node], percent: PERCENT };
    bed.run(async {
        machine.start_daemon(&busy).await.expect("it starts");
        is_free().await;
        injector.apply(1, &fault).await.expect("there are control groups");
        for start in ["before", "after"] {
            let had = percent().await;
            assert!(had < f64::from(2 * PERCENT), "started {start}: it has {had} %");
            let seen = injector.observe(&fault, false, &[]).await.expect("it is there");
            assert!(seen.as_expected && seen.detail.contains("held back"), "{}", seen.detail);
            machine.signal_daemon("busy", Signal::Kill).await.expect("it ends");
            machine.start_daemon(&busy).await.expect("it starts");
        }
        injector.undo(1, &fault).await.expect("it can be undone");
        is_free().await;
        let seen = injector.observe(&fault, true, &[]).await.expect("it is over");
        assert!(seen.as_expected, "{}", seen.detail);
        bed.forget(machine, "busy").await;
    });
}

/// Little memory ends a process that wants more, also if it was started later.
fn a_process_that_wants_more_memory_than_there_is_ends() {
    /// Waits to be told, takes 64 MiB, and says so.
    const HOARD: &str = r#"my $mib = 64; sleep(0.05) until -e "/tmp/go"; my $all = "x" x ($mib << 20);
        open(my $file, ">", "/tmp/has"); close($file); sleep(1000);"#;
    let bed = MachinesBed::new(1);
    let (node, machine) = (NodeId(1), bed.lab.machine(NodeId(1)));
    let arguments = ["/usr/bin/perl", "-MTime::HiRes=sleep", "-e", HOARD].map(str::to_owned);
    let hoard = Daemon { arguments: arguments.to_vec(), ..scripted("hoard", "", "") };
    let footprint = Footprint { daemons: vec!["hoard"], ..support::footprint() };
    let injector = bed.injector_of(footprint);
    let fault = Fault::Memory { nodes: vec![node], mib: 32 };
    let said = async |script| machine.run(&Command::script(script)).await.expect("it runs");
    let ends = async || {
        let began = Instant::now();
        while machine.daemon_state("hoard").await.expect("it is asked") != DaemonState::Stopped {
            assert!(began.elapsed() < Duration::from_secs(60), "it has what it must not have");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(said("ls /tmp/has 2>/dev/null || echo none").await, "none");
    };
    bed.run(async {
        machine.start_daemon(&hoard).await.expect("it starts");
        injector.apply(1, &fault).await.expect("there are control groups");
        let seen = injector.observe(&fault, false, &[]).await.expect("it is there");
        assert!(seen.as_expected && seen.detail.contains("held back"), "{}", seen.detail);
        let state = machine.daemon_state("hoard").await.expect("it is asked");
        assert_eq!(state, DaemonState::Running, "a look harms nobody");
        said("touch /tmp/go").await;
        ends().await;
        said("rm /tmp/go").await;
        machine.start_daemon(&hoard).await.expect("it starts");
        said("touch /tmp/go").await;
        ends().await;
        injector.undo(1, &fault).await.expect("it can be undone");
        machine.start_daemon(&hoard).await.expect("it starts");
        said("until [ -e /tmp/has ]; do sleep 0.05; done; rm /tmp/go /tmp/has").await;
        let seen = injector.observe(&fault, true, &[]).await.expect("it is over");
        assert!(seen.as_expected, "{}", seen.detail);
        bed.forget(machine, "hoard").await;
    });
}

/// A controller that is killed leaves its faults in force, and another one heals them by the journal.
fn a_killed_controller_is_healed_from_its_journal(host: &Namespaces) {
    for (seed, spec) in (1..).zip(wanted(KILLED)) {
        let bed = MachinesBed::new(seed);
        let injector = bed.linux_injector();
        let folder = tempfile::tempdir().expect("a folder");
        let journal = folder.path().join("faults.jsonl");
        let usual = bed.run(usual(&bed));
        let mut controller = host.controller(spec, &journal);
        let ready = folder.path().join("faults.ready");
        let began = Instant::now();
        while !ready.exists() {
            assert!(began.elapsed() < Duration::from_secs(60), "{spec}: no fault in time");
            let ended = controller.try_wait().expect("it is ours");
            assert!(ended.is_none(), "{spec}: the controller ended: {ended:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        controller.kill().expect("it runs");
        controller.wait().expect("it is ours");
        let left = Journal::left_behind(&journal).expect("a journal").faults;
        bed.run(async {
            let faults: Vec<&Fault> = left.values().collect();
            assert_eq!(faults.len(), 1, "{spec}");
            let seen = shows(&bed, &faults, &usual).await;
            seen.unwrap_or_else(|it| panic!("{spec}: the fault ended with the controller: {it}"));
            let report = heal_left_behind(&journal, &injector).await.expect("a journal");
            assert_eq!(report.failed, [], "{spec}");
            assert_eq!(report.undone.iter().map(|it| &it.1).collect::<Vec<_>>(), faults, "{spec}");
            for &node in faults[0].nodes().iter().filter(|_| faults[0].ends_processes()) {
                bed.restart(node).await;
            }
            shows(&bed, &[], &usual).await.unwrap_or_else(|it| panic!("{spec}, healed: {it}"));
            let again = heal_left_behind(&journal, &injector).await.expect("a journal");
            assert_eq!(again.undone, [], "{spec}: once is enough");
        });
    }
}

/// The controller that is killed: this program once more.
#[test]
fn controller() {
    let Ok(order) = std::env::var("PERJURY_TEST_CONTROLLER") else { return };
    let (name, rest) = order.split_once(' ').expect("the lab's name");
    let (spec, journal) = rest.split_once(' ').expect("a fault and a file");
    let settings = NamespaceSettings { name: name.to_owned(), ..NamespaceSettings::default() };
    let lab = namespaces::open(&settings, NODES).expect("it is up");
    let scene = Scene::with_journal(MachinesBed::of(lab), journal.into());
    let mut nemesis = scene.nemesis(1);
    scene.bed.run(async {
        nemesis.run(&script([(0, 3_600_000, spec)]), 1_800 * SECOND).await.expect("the journal");
        assert_eq!(scene.stages(0), ["applied", "observed"], "{:?}", scene.events());
        std::fs::write(PathBuf::from(journal).with_extension("ready"), "").expect("a file");
        // It ends by being killed.
        std::future::pending::<()>().await;
    });
}

/// Has iptables make the empty tables that it makes at its first use, and never takes away again.
const TABLES: &str = r#"
for tool in iptables ip6tables; do
    for chain in INPUT OUTPUT; do
        $tool -w -A $chain -j ACCEPT && $tool -w -D $chain -j ACCEPT
    done
done
"#;

/// Everything that a fault could leave on a machine.
fn state_of(machine: &Machine, lab: &MachineLab) -> Vec<String> {
    const STATE: &str = r#"
iptables -S
ip6tables -S
nft list ruleset
tc qdisc show
sed 's/loop[0-9]*/loop/' /proc/mounts | sort
ps -e -o args= | grep -v -e '^ps ' -e '^sh ' -e '^grep ' -e '^sort' -e '^timeout ' | sort
ls /var/lib/perjury /var/lib/perjury/run /var/lib/perjury/data
"#;
    let state = lab.run(machine.run(&Command::script(STATE).as_root()));
    state.expect("it can be reached").lines().map(str::to_owned).collect()
}

/// Sweeping takes everything off a machine, whatever made it; nothing of it is left.
fn nothing_is_left_after_sweeping(before: &[Vec<String>]) {
    let bed = MachinesBed::new(1);
    let injector = bed.linux_injector();
    let faults =
        ["partition:halves", "lossy@all", "clock:bump@all", "disk:full@n1", "pause@n2", "cpu@n3"];
    let scene = Scene::on(bed.clone());
    let mut nemesis = scene.nemesis(1);
    let schedule = script(faults.map(|spec| (0, 3_600_000, spec)));
    bed.run(async {
        nemesis.run(&schedule, 1_800 * SECOND).await.expect("the journal works");
        assert_eq!(nemesis.in_force().len(), faults.len());
        bed.lab.each(|machine| injector.sweep(machine)).await.expect("they can be reached");
        bed.lab.each(|machine| injector.sweep(machine)).await.expect("twice is harmless");
    });
    for (machine, before) in bed.lab.machines().iter().zip(before) {
        bed.end(machine);
        let after = state_of(machine, &bed.lab);
        let new: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
        let missing: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
        assert!(new.is_empty() && missing.is_empty(), "{machine}: {new:#?}, not {missing:#?}");
    }
}

/// Machines of this host, taken away when dropped.
struct Namespaces {
    settings: NamespaceSettings,
}

impl Namespaces {
    /// `None`, with the reason told, if this host cannot have them.
    fn up() -> Option<Self> {
        if let Err(reason) = namespaces::possible() {
            println!("skipped: {reason}");
            return None;
        }
        let name = format!("nemesis-{}", std::process::id());
        let settings = NamespaceSettings { name, ..NamespaceSettings::default() };
        namespaces::up(&settings, NODES).expect("machines");
        Some(Self { settings })
    }

    fn open(&self) -> MachineLab {
        namespaces::open(&self.settings, NODES).expect("they are up")
    }

    /// A controller that makes a fault and waits to be killed.
    fn controller(&self, spec: &str, journal: &Path) -> Child {
        let order = format!("{} {spec} {}", self.settings.name, journal.display());
        let mut program = std::process::Command::new(std::env::current_exe().expect("it runs"));
        program.args(["controller", "--exact", "--nocapture"]);
        program.env("PERJURY_TEST_CONTROLLER", order);
        program.stdout(Stdio::null()).spawn().expect("it can be started")
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        if let Err(error) = namespaces::down(&self.settings.name) {
            eprintln!("{error}");
        }
    }
}

#[test]
fn namespaces() {
    let Some(host) = Namespaces::up() else { return };
    let lab = host.open();
    lab.run(lab.prepare(VOLUME_MIB)).expect("the machines are good");
    let _in_use = MachinesInUse::new(lab.clone());
    let bed = MachinesBed::new(1);
    bed.linux_injector();
    lab.machines().iter().for_each(|machine| bed.end(machine));
    let tables = Command::script(TABLES).as_root();
    lab.run(lab.each(|machine| machine.run(&tables))).expect("there is iptables");
    let before: Vec<_> = lab.machines().iter().map(|it| state_of(it, &lab)).collect();

    every_fault_has_its_effect_and_an_end();
    a_partition_by_port_leaves_other_ports();
    faults_overlap_and_are_undone_by_other_injectors();
    only_a_crash_loses_records_and_only_those_not_synced();
    a_busy_process_gets_its_share_and_no_more();
    a_process_that_wants_more_memory_than_there_is_ends();
    a_killed_controller_is_healed_from_its_journal(&host);
    nothing_is_left_after_sweeping(&before);
}
