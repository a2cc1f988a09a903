//! The handle by which everybody else holds the simulated lab.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::task::AtomicWaker;
use perjury_history::NodeId;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::call::OpenCall;
use super::network::Network;
use super::probe::OpenProbe;
use super::world::{Happening, World};
use super::{
    Call, CallError, CallId, ClockFault, DiskSettings, Impairment, Latency, Link, LinkProbe,
    MachineState, NetworkSettings, NodeTime, Payload, Start,
};
use crate::Clock;

/// There is a link for each ordered pair of nodes.
const NODES_MAX: u32 = 1_000;

/// What the simulated lab is made of, as a campaign file says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// The links between the nodes and to the clients.
    pub network: NetworkSettings,
    /// The nodes' disks.
    pub disk: DiskSettings,
}

/// The run waits for something that will never happen: a defect of the controller or a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the simulation has nothing left to do at {at_ns} ns and the run is not over")]
pub struct Stalled {
    /// Virtual time at which nothing was left.
    pub at_ns: u64,
}

/// Machines, network and time, simulated. Clones are handles to the same lab.
#[derive(Clone)]
pub struct SimulatedLab {
    world: Arc<Mutex<World>>,
    next_id: Arc<Mutex<u64>>,
}

impl SimulatedLab {
    /// A lab of `nodes` machines, switched on and empty. The same seed gives the same events.
    ///
    /// # Errors
    /// If there are no nodes or too many, or the settings name links that do not exist or contain
    /// figures that make no sense.
    pub fn new(nodes: u32, settings: &Settings, seed: u64) -> Result<Self, String> {
        if !(1..=NODES_MAX).contains(&nodes) {
            return Err(format!("expected 1 to {NODES_MAX} nodes, found {nodes}"));
        }
        settings.network.check()?;
        settings.disk.check()?;
        let latencies = settings.network.link_latencies(nodes)?;
        let rng = Pcg64::new(u128::from(seed), 0x4E7);
        let network = Network::new(nodes, settings.network.clone(), &latencies, rng);
        let world = World::new(nodes, network, settings.disk, seed);
        Ok(Self { world: Arc::new(Mutex::new(world)), next_id: Arc::default() })
    }

    /// Runs `main` to its end in virtual time: while it can go on it does, otherwise the next event
    /// happens.
    ///
    /// # Errors
    /// If `main` waits for something that no event will bring.
    pub fn run<F: Future>(&self, main: F) -> Result<F::Output, Stalled> {
        struct Flag(AtomicBool);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(flag.clone());
        let mut context = Context::from_waker(&waker);
        let mut main = pin!(main);
        loop {
            if flag.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(output) = main.as_mut().poll(&mut context) {
                    return Ok(output);
                }
                continue;
            }
            let mut world = self.world();
            while !flag.0.load(Ordering::Relaxed) {
                if !world.advance() {
                    return Err(Stalled { at_ns: world.now_ns });
                }
            }
        }
    }

    /// The machines, in order.
    pub fn nodes(&self) -> Vec<NodeId> {
        (0..self.world().machines.len() as u32).map(NodeId).collect()
    }

    /// Says what the node's process is. It does not start yet.
    pub fn install(&self, node: NodeId, program: Start) {
        self.world().machine(node).start = Some(program);
    }

    /// Switches the machine on if need be and starts its process, if none runs.
    pub fn start(&self, node: NodeId) {
        self.world().start(node);
    }

    /// Ends the process at once. What it had written reaches the disk; its clients are told.
    pub fn kill(&self, node: NodeId) {
        self.world().end_process(node, false);
    }

    /// Takes the machine's power. What was not synced may be lost; nobody is told.
    pub fn crash(&self, node: NodeId) {
        self.world().end_process(node, true);
    }

    /// Stops the process in its tracks; [`SimulatedLab::resume`] lets it go on.
    pub fn pause(&self, node: NodeId) {
        let mut world = self.world();
        let machine = world.machine(node);
        machine.paused = machine.process.is_some();
    }

    /// Lets a paused process go on.
    pub fn resume(&self, node: NodeId) {
        self.world().resume(node);
    }

    /// Erases the disk of a node whose process does not run.
    pub fn wipe(&self, node: NodeId) {
        let mut world = self.world();
        let machine = world.machine(node);
        if machine.process.is_none() {
            machine.disk.wipe();
        }
    }

    /// What the node's process does now.
    pub fn state(&self, node: NodeId) -> MachineState {
        self.world().machine(node).state()
    }

    /// Asks a node, as a client.
    ///
    /// # Errors
    /// The call completes with an error if no process listens, it dies, or no answer comes within
    /// `timeout_ns`.
    pub fn call(&self, node: NodeId, payload: Payload, timeout_ns: u64) -> Call {
        let id = CallId(self.fresh_id());
        let mut world = self.world();
        let open = OpenCall { node, answer: None, waker: None };
        world.calls.insert(id, open);
        let now_ns = world.now_ns;
        let arrives_ns = world.network.client_arrival(now_ns);
        world.plan(arrives_ns, Happening::Ask { call: id, node, payload });
        let gives_up_ns = now_ns.saturating_add(timeout_ns);
        world.plan(gives_up_ns, Happening::Answer { call: id, answer: Err(CallError::Timeout) });
        Call { lab: self.clone(), id }
    }

    /// Impairs links until [`SimulatedLab::restore_links`] with the same id, which the caller
    /// chooses (so that an undo can be written down beforehand). Impairments of different ids add
    /// up.
    pub fn impair_links(&self, id: u64, links: BTreeSet<Link>, impairment: Impairment) {
        self.world().network.impair(id, links, impairment);
    }

    /// Ends an impairment; harmless if it has ended already.
    pub fn restore_links(&self, id: u64) {
        self.world().network.clear(id);
    }

    /// Makes a node's clocks wrong until [`SimulatedLab::restore_clock`] with the same id.
    pub fn disturb_clock(&self, node: NodeId, id: u64, fault: ClockFault) {
        let mut world = self.world();
        let now_ns = world.now_ns;
        world.machine(node).clock.disturb(id, fault, now_ns);
        world.replan_tick(node);
    }

    /// Ends a clock fault and puts the wall clock right; harmless if it has ended already.
    pub fn restore_clock(&self, node: NodeId, id: u64) {
        let mut world = self.world();
        let now_ns = world.now_ns;
        world.machine(node).clock.clear(id, now_ns);
        world.replan_tick(node);
    }

    /// What the node's clocks show.
    pub fn read_clock(&self, node: NodeId) -> NodeTime {
        let mut world = self.world();
        let now_ns = world.now_ns;
        world.machine(node).clock.read(now_ns)
    }

    /// How far a node's wall clock is ahead of one that is right, in nanoseconds.
    pub fn wall_clock_offset_ns(&self, node: NodeId) -> i64 {
        let right = super::machine_clock::MachineClock::default().read(self.now_ns());
        let shown = self.read_clock(node).wall_ns;
        i64::try_from(i128::from(shown) - i128::from(right.wall_ns)).unwrap_or(i64::MAX)
    }

    /// How fast a link is and what is wrong with it while no impairment is in force.
    pub fn link_at_best(&self, link: Link) -> (Latency, Impairment) {
        self.world().network.at_best(link)
    }

    /// Sends `packets` from one node's kernel to another's, a tenth of a millisecond apart, and
    /// says what arrived within `timeout_ns` of the last. Ends as soon as nothing more is under
    /// way. Processes take no part in it.
    pub async fn probe_link(&self, link: Link, packets: u32, timeout_ns: u64) -> LinkProbe {
        const APART_NS: u64 = 100_000;
        let probe = self.fresh_id();
        self.world().probes.insert(probe, OpenProbe::default());
        let mut last_arrival_ns = 0;
        for packet in 0..packets {
            {
                let mut world = self.world();
                let sent_ns = world.now_ns;
                if !world.machine(link.from).powered_off {
                    let arrivals = world.network.arrivals(link, sent_ns);
                    for at_ns in arrivals {
                        let to = link.to;
                        last_arrival_ns = last_arrival_ns.max(at_ns);
                        world.plan(at_ns, Happening::Probe { probe, packet, to, sent_ns });
                    }
                }
            }
            self.sleep_until(self.now_ns() + APART_NS).await;
        }
        let gives_up_ns = self.now_ns().saturating_add(timeout_ns);
        // One later than the last arrival, which may be planned behind this.
        self.sleep_until(gives_up_ns.min(last_arrival_ns.saturating_add(1))).await;
        let open = self.world().probes.remove(&probe);
        open.unwrap_or_default().result(packets)
    }

    /// A poisoned lock means that a program panicked; its panic is already on its way up.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh_id(&self) -> u64 {
        let mut next = self.next_id.lock().unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        *next
    }
}

impl Clock for SimulatedLab {
    fn now_ns(&self) -> u64 {
        self.world().now_ns
    }

    fn sleep_until(&self, time_ns: u64) -> BoxFuture<'static, ()> {
        Sleep { lab: self.clone(), time_ns, planned: None }.boxed()
    }
}

struct Sleep {
    lab: SimulatedLab,
    time_ns: u64,
    planned: Option<Arc<AtomicWaker>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let sleep = &mut *self;
        let mut world = sleep.lab.world();
        if world.now_ns >= sleep.time_ns {
            return Poll::Ready(());
        }
        let waker = sleep.planned.get_or_insert_with(|| {
            let waker = Arc::new(AtomicWaker::new());
            world.plan(sleep.time_ns, Happening::Wake(waker.clone()));
            waker
        });
        waker.register(context.waker());
        Poll::Pending
    }
}

impl Drop for Sleep {
    /// The event stays planned, but wakes nobody: most sleeps are alarms that something overtakes.
    fn drop(&mut self) {
        if let Some(waker) = &self.planned {
            waker.take();
        }
    }
}
