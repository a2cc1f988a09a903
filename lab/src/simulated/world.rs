//! The queue of events, and what each one does.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use futures::task::AtomicWaker;
use perjury_history::NodeId;
use rand::RngExt;
use rand_pcg::Pcg64;

use super::call::OpenCall;
use super::machine::Machine;
use super::network::Network;
use super::probe::OpenProbe;
use super::{Boot, CallError, CallId, DiskSettings, Effect, Input, Link, MachineState, Payload};

/// Something that will happen.
pub(super) enum Happening {
    /// A message reaches a node.
    Arrive { link: Link, payload: Payload },
    /// A client's request reaches a node.
    Ask { call: CallId, node: NodeId, payload: Payload },
    /// An answer, or the news that there is none, reaches the client.
    Answer { call: CallId, answer: Result<Payload, CallError> },
    /// A process wanted to be woken by now.
    Tick { node: NodeId, generation: u64 },
    /// A sync ends.
    Synced { node: NodeId, generation: u64 },
    /// A probe packet reaches the other kernel.
    Probe { probe: u64, packet: u32, to: NodeId, sent_ns: u64 },
    /// A sleep ends.
    Wake(Arc<AtomicWaker>),
}

struct Event {
    at_ns: u64,
    /// Events of the same instant happen in the order in which they were planned.
    number: u64,
    happening: Happening,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ns, self.number).cmp(&(other.at_ns, other.number))
    }
}

pub(super) struct World {
    pub(super) now_ns: u64,
    pub(super) machines: Vec<Machine>,
    pub(super) network: Network,
    pub(super) calls: BTreeMap<CallId, OpenCall>,
    pub(super) probes: BTreeMap<u64, OpenProbe>,
    events: BinaryHeap<Reverse<Event>>,
    events_planned: u64,
    disk: DiskSettings,
    seed: u64,
    disk_rng: Pcg64,
    /// Reused between steps.
    effects: Vec<Effect>,
}

impl World {
    pub(super) fn new(nodes: u32, network: Network, disk: DiskSettings, seed: u64) -> Self {
        Self {
            now_ns: 0,
            machines: (0..nodes).map(|_| Machine::default()).collect(),
            network,
            calls: BTreeMap::new(),
            probes: BTreeMap::new(),
            events: BinaryHeap::new(),
            events_planned: 0,
            disk,
            seed,
            disk_rng: Pcg64::new(u128::from(seed), 0xD15C),
            effects: Vec::new(),
        }
    }

    pub(super) fn machine(&mut self, node: NodeId) -> &mut Machine {
        &mut self.machines[node.0 as usize]
    }

    pub(super) fn plan(&mut self, at_ns: u64, happening: Happening) {
        let number = self.events_planned;
        self.events_planned += 1;
        let at_ns = at_ns.max(self.now_ns);
        self.events.push(Reverse(Event { at_ns, number, happening }));
    }

    /// Lets the next thing happen. False if nothing is left to happen.
    pub(super) fn advance(&mut self) -> bool {
        let Some(Reverse(event)) = self.events.pop() else {
            return false;
        };
        self.now_ns = event.at_ns;
        match event.happening {
            Happening::Arrive { link, payload } => {
                self.input(link.to, Input::Message { from: link.from, payload });
            }
            Happening::Ask { call, node, payload } => self.ask(call, node, payload),
            Happening::Answer { call, answer } => self.answer(call, answer),
            Happening::Tick { node, generation } => self.tick(node, generation),
            Happening::Synced { node, generation } => {
                let machine = self.machine(node);
                if machine.generation == generation {
                    machine.disk.synced();
                    self.input(node, Input::Synced);
                }
            }
            Happening::Probe { probe, packet, to, sent_ns } => {
                let (off, under_way_ns) = (self.machine(to).powered_off, self.now_ns - sent_ns);
                if let Some(probe) = self.probes.get_mut(&probe).filter(|_| !off) {
                    probe.arrivals.push((packet, under_way_ns));
                }
            }
            Happening::Wake(waker) => waker.wake(),
        }
        true
    }

    /// Starts the installed program, if no process runs yet.
    pub(super) fn start(&mut self, node: NodeId) {
        let (now_ns, seed) = (self.now_ns, self.seed);
        let machine = self.machine(node);
        let Some(start) = machine.start.clone().filter(|_| machine.process.is_none()) else {
            return;
        };
        machine.powered_off = false;
        machine.generation += 1;
        // Each start of each node has randomness of its own.
        let mut rng = Pcg64::new(
            u128::from(seed),
            (u128::from(node.0) << 64) | u128::from(machine.generation),
        );
        let boot = Boot {
            node,
            disk: machine.disk.records(),
            now: machine.clock.read(now_ns),
            seed: rng.random(),
        };
        machine.process = Some(start(boot));
        self.input(node, Input::Tick);
    }

    /// Ends a node's process. Its clients are told, unless the machine loses power with it.
    pub(super) fn end_process(&mut self, node: NodeId, power_lost: bool) {
        let machine = &mut self.machines[node.0 as usize];
        let unanswered = machine.end_process();
        machine.powered_off |= power_lost;
        match power_lost {
            true => {
                machine.disk.power_lost(&mut self.disk_rng);
            }
            false => {
                machine.disk.process_died();
                for call in unanswered {
                    self.plan_answer(call, Err(CallError::Reset));
                }
            }
        }
    }

    /// Lets a paused process go on with what has waited for it.
    pub(super) fn resume(&mut self, node: NodeId) {
        let machine = self.machine(node);
        machine.paused = false;
        for input in std::mem::take(&mut machine.waiting) {
            self.input(node, input);
        }
        // A clock that changed during the pause made the tick on its way void.
        self.plan_tick(node);
    }

    /// Nobody waits for the answer any more. The process may give it all the same.
    pub(super) fn forget_call(&mut self, call: CallId) {
        if let Some(open) = self.calls.remove(&call) {
            self.machine(open.node).accepted.remove(&call);
        }
    }

    /// After a clock changed its rate, the tick on its way may come too late.
    pub(super) fn replan_tick(&mut self, node: NodeId) {
        let machine = self.machine(node);
        machine.tick_due_ns = None;
        if machine.state() == MachineState::Running {
            self.plan_tick(node);
        }
    }

    fn ask(&mut self, call: CallId, node: NodeId, payload: Payload) {
        let machine = self.machine(node);
        match machine.state() {
            // Nothing answers; the client's time-out will.
            MachineState::Off => {}
            MachineState::Stopped => self.plan_answer(call, Err(CallError::Refused)),
            // It is the kernel that accepts: a paused process does not keep a client from connecting.
            MachineState::Paused | MachineState::Running => {
                if self.calls.contains_key(&call) {
                    self.machine(node).accepted.insert(call);
                }
                self.input(node, Input::Call { call, payload });
            }
        }
    }

    fn plan_answer(&mut self, call: CallId, answer: Result<Payload, CallError>) {
        let at_ns = self.network.client_arrival(self.now_ns);
        self.plan(at_ns, Happening::Answer { call, answer });
    }

    /// The first answer counts; later ones (the time-out, above all) are void.
    fn answer(&mut self, call: CallId, answer: Result<Payload, CallError>) {
        let Some(open) = self.calls.get_mut(&call) else {
            return;
        };
        if matches!(answer, Err(CallError::Timeout)) {
            self.machines[open.node.0 as usize].accepted.remove(&call);
        }
        if open.answer.is_none() {
            open.answer = Some(answer);
            if let Some(waker) = open.waker.take() {
                waker.wake();
            }
        }
    }

    fn tick(&mut self, node: NodeId, generation: u64) {
        let now_ns = self.now_ns;
        let machine = self.machine(node);
        // A tick that was replaced by an earlier one, or belongs to an earlier process.
        if machine.generation != generation || machine.tick_due_ns != Some(now_ns) {
            return;
        }
        machine.tick_due_ns = None;
        let Some(deadline_ns) = machine.process.as_ref().and_then(|it| it.deadline_ns()) else {
            return;
        };
        // Deadlines mostly move back while a tick is on its way, so it comes early: go on waiting.
        match machine.clock.read(now_ns).monotonic_ns >= deadline_ns {
            true => self.input(node, Input::Tick),
            false => self.plan_tick(node),
        }
    }

    fn plan_tick(&mut self, node: NodeId) {
        let now_ns = self.now_ns;
        let machine = self.machine(node);
        let Some(deadline_ns) = machine.process.as_ref().and_then(|it| it.deadline_ns()) else {
            return;
        };
        let due_ns = machine.clock.true_time(deadline_ns).max(now_ns + 1);
        if machine.tick_due_ns.is_some_and(|planned| planned <= due_ns) {
            return;
        }
        machine.tick_due_ns = Some(due_ns);
        let generation = machine.generation;
        self.plan(due_ns, Happening::Tick { node, generation });
    }

    /// Gives an input to a node's process, or keeps it while the process is paused.
    fn input(&mut self, node: NodeId, input: Input) {
        let now_ns = self.now_ns;
        let mut effects = std::mem::take(&mut self.effects);
        let machine = self.machine(node);
        if machine.paused {
            machine.waiting.push(input);
        } else if let Some(process) = &mut machine.process {
            process.step(machine.clock.read(now_ns), input, &mut effects);
            for effect in effects.drain(..) {
                self.perform(node, effect);
            }
            self.plan_tick(node);
        }
        self.effects = effects;
    }

    fn perform(&mut self, node: NodeId, effect: Effect) {
        match effect {
            Effect::Send { to, payload } => {
                let link = Link { from: node, to };
                for at_ns in self.network.arrivals(link, self.now_ns) {
                    let payload = payload.clone();
                    self.plan(at_ns, Happening::Arrive { link, payload });
                }
            }
            Effect::Reply { call, payload } => {
                self.machine(node).accepted.remove(&call);
                self.plan_answer(call, Ok(payload));
            }
            Effect::Write(record) => self.machine(node).disk.append(record),
            Effect::Rewrite(records) => self.machine(node).disk.replace(records),
            Effect::Sync => {
                let (min_us, max_us) = (self.disk.sync_min_us, self.disk.sync_max_us);
                let takes_us = self.disk_rng.random_range(min_us..=max_us);
                let at_ns = self.now_ns + takes_us * 1_000;
                let machine = self.machine(node);
                machine.disk.sync();
                let generation = machine.generation;
                self.plan(at_ns, Happening::Synced { node, generation });
            }
        }
    }
}
