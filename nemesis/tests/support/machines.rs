//! Witnesses on real machines.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use perjury_history::NodeId;
use perjury_lab::Clock;
use perjury_lab::machines::{Footprint, Machine, MachineLab, Signal, layout};
use perjury_lab::remote::Command;
use perjury_nemesis::agent::{Witness, ask_witness};
use perjury_nemesis::{AgentBinary, Injector, LinuxInjector};

use super::{Heard, MS, TestBed, Testimony, Tolerances};

/// The port of witnesses.
pub(crate) const PORT: u16 = 47_078;

const WITNESS: &str = "witness";

/// How long a witness may take to answer, on a busy machine.
const PATIENCE: Duration = Duration::from_millis(700);

/// The lab that beds are made of, while there is one.
static LAB: Mutex<Option<MachineLab>> = Mutex::new(None);

/// What the injector is told of the witnesses.
pub(crate) fn footprint() -> Footprint {
    Footprint {
        daemons: vec![WITNESS],
        peer_ports: vec![PORT],
        data: WITNESS.to_owned(),
        data_files: vec!["records"],
        logs: Vec::new(),
    }
}

pub(crate) fn agent() -> AgentBinary {
    let path = Path::new(env!("CARGO_BIN_EXE_perjury-agent"));
    AgentBinary::new(path, Vec::<String>::new()).expect("it was built")
}

/// Beds of these machines, as long as the value lives.
pub(crate) struct MachinesInUse;

impl MachinesInUse {
    pub(crate) fn new(lab: MachineLab) -> Self {
        *LAB.lock().unwrap_or_else(PoisonError::into_inner) = Some(lab);
        Self
    }
}

impl Drop for MachinesInUse {
    fn drop(&mut self) {
        *LAB.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[derive(Clone)]
pub(crate) struct MachinesBed {
    pub(crate) lab: MachineLab,
}

impl MachinesBed {
    /// Witnesses of a lab, those that run or new ones.
    pub(crate) fn of(lab: MachineLab) -> Self {
        Self { lab }
    }

    pub(crate) fn linux_injector(&self) -> LinuxInjector {
        self.injector_of(footprint())
    }

    /// An injector for another store.
    pub(crate) fn injector_of(&self, footprint: Footprint) -> LinuxInjector {
        let opened = LinuxInjector::open(self.lab.clone(), footprint, agent());
        self.lab.run(opened).expect("the machines can be reached")
    }

    async fn start(&self, machine: &Machine) {
        let node = machine.node();
        let others = self.lab.machines().iter().filter(|other| other.node() != node);
        let peers: BTreeMap<u32, IpAddr> =
            others.map(|other| (other.node().0, other.address())).collect();
        let file = format!("{}/{WITNESS}/records", layout::DATA).into();
        let order = Witness { node: node.0, port: PORT, peers, file };
        let folder = Command::script(r#"mkdir -p "$1""#).as_root();
        let folder = folder.argument(format!("{}/{WITNESS}", layout::DATA));
        machine.run(&folder).await.expect("a folder");
        let daemon = agent().daemon(WITNESS, "witness", &order);
        machine.start_daemon(&daemon).await.expect("the witness starts");
    }

    async fn begin_anew(&self, machine: &Machine) {
        agent().install(machine).await.expect("it is copied");
        self.remove(machine).await;
        self.start(machine).await;
    }

    async fn remove(&self, machine: &Machine) {
        machine.signal_daemon(WITNESS, Signal::Kill).await.expect("it is told");
        let remove = Command::script(r#"rm -rf "$1""#).as_root();
        let remove = remove.argument(format!("{}/{WITNESS}", layout::DATA));
        machine.run(&remove).await.expect("it is removed");
    }

    /// Ends a daemon, of which nothing is known afterwards.
    pub(crate) async fn forget(&self, machine: &Machine, daemon: &str) {
        machine.signal_daemon(daemon, Signal::Kill).await.expect("it ends");
        let remove = Command::new("rm").argument(layout::process_file(daemon)).as_root();
        machine.run(&remove).await.expect("it was started");
    }

    /// Takes the witness off a machine.
    pub(crate) fn end(&self, machine: &Machine) {
        self.run(self.remove(machine));
    }
}

impl TestBed for MachinesBed {
    fn new(_seed: u64) -> Self {
        let lab = LAB.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bed = Self { lab: lab.expect("there are machines") };
        bed.run(futures::future::join_all(bed.lab.machines().iter().map(|it| bed.begin_anew(it))));
        bed
    }

    fn run<F: Future>(&self, scenario: F) -> F::Output {
        self.lab.run(scenario)
    }

    fn nodes(&self) -> Vec<NodeId> {
        self.lab.nodes()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.lab.clone())
    }

    fn injector(&self) -> Box<dyn Injector> {
        Box::new(self.linux_injector())
    }

    async fn restart(&self, node: NodeId) {
        self.start(self.lab.machine(node)).await;
    }

    async fn testimony(&self, node: NodeId) -> Option<Testimony> {
        let address = self.lab.machine(node).address();
        let asked = tokio::task::spawn_blocking(move || ask_witness(address, PORT, PATIENCE));
        let said = asked.await.expect("asking does not panic")?;
        let heard = said.heard.into_iter().map(|(node, it)| {
            let perjury_nemesis::agent::HeardPeer { pings, lost, repeated, round_trip_min_ns } = it;
            (NodeId(node), Heard { pings, lost, repeated, round_trip_min_ns })
        });
        Some(Testimony {
            monotonic_ns: said.monotonic_ns,
            wall_ns: said.wall_ns,
            found: said.found,
            written: said.written,
            synced: said.synced,
            lead_min_ns: said.lead_min_ns,
            lead_max_ns: said.lead_max_ns,
            heard: heard.collect(),
        })
    }

    fn tolerances(&self) -> Tolerances {
        Tolerances {
            round_trip_max_ns: 9 * MS,
            asking_ns: 9 * MS as i128,
            jump_ns: MS as i128,
            speed_ppm: 20_000,
            monotonic_stays: true,
        }
    }
}
