//! Faults on real machines, seen by witnesses on them and from outside.
//!
//! What takes virtual time to watch is in `conformance.rs`; here nothing is expected at a certain
//! time, only in the end. The machines are namespaces of this host.

mod support;

use perjury_history::NodeId;
use perjury_lab::machines::MachineLab;
use perjury_lab::namespaces::{self, NamespaceSettings};
use perjury_lab::remote::Command;
use perjury_lab::simulated::Link;
use perjury_nemesis::Fault;

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
];

const NODES: u32 = 5;

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
    let only = std::env::var("PERJURY_FAULT").ok();
    let wanted = |spec: &&str| only.as_ref().is_none_or(|it| spec.contains(it.as_str()));
    for (seed, spec) in (1..).zip(FAULTS.iter().filter(|spec| wanted(spec))) {
        let scene = Scene::on(MachinesBed::new(seed));
        let mut nemesis = scene.nemesis(seed);
        scene.bed.run(async {
            let usual = usual(&scene.bed).await;
            let end_ns = scene.bed.clock().now_ns() + 60 * SECOND;
            let schedule = script([(0, 120_000, *spec)]);
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
    let connects = async |link: Link| {
        const CONNECT: &str = r#"timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/22"' "$1""#;
        let to = lab.machine(link.to).address().to_string();
        let output = lab.machine(link.from).output(&Command::script(CONNECT).argument(to)).await;
        output.expect("it can be reached").status == 0
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
                !connects(link).await && !connects(Link { from: link.to, to: link.from }).await
            );
        }
        assert!(connects(Link { from: uncut[0], to: uncut[1] }).await);
        nemesis.heal().await.expect("the journal can be written");
        assert_eq!(scene.stages(0), ["applied", "observed", "undone"]);
        for &link in fault.links() {
            assert!(connects(link).await);
        }
    });
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
    let _in_use = MachinesInUse::new(lab);
    a_partition_by_port_leaves_other_ports();
    every_fault_has_its_effect_and_an_end();
}
