//! A small deterministic cluster: virtual time, a network that loses, duplicates, delays and
//! reorders, disks that forget what was not synced, and nodes that crash, pause and have clocks of
//! their own.
#![allow(dead_code, unreachable_pub, missing_docs)]

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use perjury_replica::{
    ClientId, Command, Effect, Input, Message, Node, NodeId, Now, Outcome, Record, Reply, Request,
    Role, SessionToken, Settings, Status,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

pub const MS: u64 = 1_000_000;
/// Node clocks do not begin at 0, and may be set back.
const EPOCH_NS: u64 = 1_000_000_000_000;

#[derive(Clone, Debug)]
enum Event {
    Input { node: NodeId, life: u64, input: Input },
    Deliver { from: NodeId, to: NodeId, message: Message },
    Tick { node: NodeId, life: u64, generation: u64 },
}

pub struct Host {
    node: Option<Node>,
    /// Counts restarts: what was meant for an earlier life is lost.
    life: u64,
    generation: u64,
    paused: bool,
    held: Vec<Event>,
    durable: Vec<Record>,
    /// Not yet durable: `Err` is a rewrite.
    tail: Vec<Result<Record, Vec<Record>>>,
    /// How much of the tail the outstanding sync covers.
    syncing: usize,
    pub wall_offset_ns: i64,
    /// How fast its monotonic clock runs, in parts per million of real time.
    pub rate_ppm: u64,
}

/// What a test may want to look at after every step.
pub trait Observer {
    fn effect(&mut self, _node: NodeId, _effect: &Effect) {}
    fn stepped(&mut self, _node: NodeId, _status: &Status) {}
    fn crashed(&mut self, _node: NodeId, _disk: &[Record]) {}
}

impl Observer for () {}

pub struct Cluster<O = ()> {
    pub settings: Settings,
    pub hosts: Vec<Host>,
    pub now_ns: u64,
    pub random: Pcg64,
    pub observer: O,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    sequence: u64,
    /// Cut one-way links.
    pub cut: BTreeSet<(NodeId, NodeId)>,
    /// Probabilities, in percent.
    pub loss: u32,
    pub duplication: u32,
    pub latency_ns: std::ops::Range<u64>,
    pub disk_ns: std::ops::Range<u64>,
    pub replies: BTreeMap<(ClientId, u64), Reply>,
    pub invoked: u64,
    /// Messages sent, for tests of cost.
    pub sent: u64,
}

impl Cluster {
    pub fn new(nodes: u32, settings: Settings, seed: u64) -> Self {
        Self::observed(nodes, settings, seed, ())
    }
}

impl<O: Observer> Cluster<O> {
    pub fn observed(nodes: u32, settings: Settings, seed: u64, observer: O) -> Self {
        let host = |_| Host {
            node: None,
            life: 0,
            generation: 0,
            paused: false,
            held: Vec::new(),
            durable: Vec::new(),
            tail: Vec::new(),
            syncing: 0,
            wall_offset_ns: 0,
            rate_ppm: 1_000_000,
        };
        let mut cluster = Self {
            settings,
            hosts: (0..nodes).map(host).collect(),
            now_ns: 0,
            random: Pcg64::seed_from_u64(seed),
            observer,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            cut: BTreeSet::new(),
            loss: 0,
            duplication: 0,
            latency_ns: MS / 2..2 * MS,
            disk_ns: MS / 10..MS,
            replies: BTreeMap::new(),
            invoked: 0,
            sent: 0,
        };
        for id in 0..nodes {
            cluster.start(id);
        }
        cluster
    }

    pub fn nodes(&self) -> u32 {
        self.hosts.len() as u32
    }

    fn clock(&self, id: NodeId) -> Now {
        let host = &self.hosts[id as usize];
        let monotonic_ns =
            (u128::from(self.now_ns) * u128::from(host.rate_ppm) / 1_000_000) as u64 + EPOCH_NS;
        let wall_ns = monotonic_ns.saturating_add_signed(host.wall_offset_ns);
        Now { monotonic_ns, wall_ns }
    }

    fn schedule(&mut self, at_ns: u64, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse((at_ns, self.sequence)));
        self.events.insert(self.sequence, event);
    }

    pub fn start(&mut self, id: NodeId) {
        let (nodes, now) = (self.nodes(), self.clock(id));
        let host = &mut self.hosts[id as usize];
        assert!(host.node.is_none(), "node {id} runs already");
        host.life += 1;
        let disk = host.durable.clone();
        let seed = host.life;
        host.node = Some(Node::start(id, nodes, &self.settings, seed, disk, now));
        self.arm(id);
    }

    /// Kills a node. Of what was not synced, its disk keeps some.
    pub fn crash(&mut self, id: NodeId) {
        let host = &mut self.hosts[id as usize];
        host.node = None;
        host.paused = false;
        host.held.clear();
        let kept = self.random.random_range(0..=host.tail.len());
        host.flush(kept);
        host.tail.clear();
        host.syncing = 0;
        self.observer.crashed(id, &self.hosts[id as usize].durable);
    }

    /// Kills a node, and loses all that was not synced.
    pub fn power_off(&mut self, id: NodeId) {
        self.hosts[id as usize].tail.clear();
        self.crash(id);
    }

    pub fn wipe(&mut self, id: NodeId) {
        self.hosts[id as usize].durable.clear();
    }

    pub fn pause(&mut self, id: NodeId) {
        self.hosts[id as usize].paused = true;
    }

    pub fn resume(&mut self, id: NodeId) {
        let host = &mut self.hosts[id as usize];
        host.paused = false;
        for event in std::mem::take(&mut host.held) {
            self.schedule(self.now_ns, event);
        }
    }

    pub fn is_up(&self, id: NodeId) -> bool {
        self.hosts[id as usize].node.is_some()
    }

    pub fn status(&self, id: NodeId) -> Status {
        self.hosts[id as usize].node.as_ref().expect("the node runs").status()
    }

    pub fn leaders(&self) -> Vec<NodeId> {
        let leads = |id: &NodeId| self.is_up(*id) && self.status(*id).role == Role::Leader;
        (0..self.nodes()).filter(leads).collect()
    }

    pub fn leader(&self) -> NodeId {
        let newest = self.leaders().into_iter().max_by_key(|id| self.status(*id).epoch);
        newest.expect("there is a leader")
    }

    /// Nodes talk only within their group; nodes in no group talk to nobody.
    pub fn partition(&mut self, groups: &[&[NodeId]]) {
        self.cut.clear();
        for a in 0..self.nodes() {
            for b in 0..self.nodes() {
                if !groups.iter().any(|group| group.contains(&a) && group.contains(&b)) {
                    self.cut.insert((a, b));
                }
            }
        }
    }

    pub fn isolate(&mut self, id: NodeId) {
        let rest: Vec<_> = (0..self.nodes()).filter(|node| *node != id).collect();
        self.partition(&[&[id], &rest]);
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    pub fn step(&mut self, id: NodeId, input: Input) {
        let now = self.clock(id);
        let Some(node) = &mut self.hosts[id as usize].node else { return };
        let mut effects = Vec::new();
        node.step(now, input, &mut effects);
        for effect in effects {
            self.observer.effect(id, &effect);
            self.perform(id, effect);
        }
        let status = self.status(id);
        self.observer.stepped(id, &status);
        self.arm(id);
    }

    fn perform(&mut self, id: NodeId, effect: Effect) {
        let host = &mut self.hosts[id as usize];
        match effect {
            Effect::Send { to, message } => {
                self.sent += 1;
                if self.random.random_range(0..100) < self.loss {
                    return;
                }
                let copies = 1 + u32::from(self.random.random_range(0..100) < self.duplication);
                for copy in 0..copies {
                    let mut delay_ns = self.random.random_range(self.latency_ns.clone());
                    if copy > 0 || self.random.random_range(0..100) < self.duplication {
                        // Stragglers arrive when the world has moved on.
                        delay_ns *= self.random.random_range(1..400);
                    }
                    let message = message.clone();
                    self.schedule(self.now_ns + delay_ns, Event::Deliver { from: id, to, message });
                }
            }
            Effect::Reply(reply) => {
                let before = self.replies.insert((reply.client, reply.number), reply);
                assert_eq!(before, None, "two replies to one request");
            }
            Effect::Write(record) => host.tail.push(Ok(record)),
            Effect::Rewrite(records) => host.tail.push(Err(records)),
            Effect::Sync => {
                assert_eq!(host.syncing, 0, "two syncs at once");
                host.syncing = host.tail.len();
                let event = Event::Input { node: id, life: host.life, input: Input::Synced };
                let delay_ns = self.random.random_range(self.disk_ns.clone());
                self.schedule(self.now_ns + delay_ns, event);
            }
        }
    }

    fn arm(&mut self, id: NodeId) {
        let clock_ns = self.clock(id).monotonic_ns;
        let host = &mut self.hosts[id as usize];
        let Some(node) = &host.node else { return };
        let deadline_ns = node.deadline_ns();
        host.generation += 1;
        if deadline_ns < u64::MAX {
            let wait_ns = deadline_ns.saturating_sub(clock_ns);
            let wait_ns = u128::from(wait_ns) * 1_000_000 / u128::from(host.rate_ppm);
            // Rounded up, or a clock that is a nanosecond short would tick for ever.
            let at_ns = self.now_ns + wait_ns as u64 + u64::from(deadline_ns > clock_ns);
            let event = Event::Tick { node: id, life: host.life, generation: host.generation };
            self.schedule(at_ns, event);
        }
    }

    /// Lets the next thing happen, unless it is later than `until_ns`.
    fn next(&mut self, until_ns: u64) -> bool {
        let Some(&Reverse((at_ns, sequence))) = self.queue.peek() else { return false };
        if at_ns > until_ns {
            return false;
        }
        self.queue.pop();
        self.now_ns = self.now_ns.max(at_ns);
        let event = self.events.remove(&sequence).expect("every entry has its event");
        let (id, life) = match &event {
            Event::Input { node, life, .. } | Event::Tick { node, life, .. } => (*node, *life),
            Event::Deliver { from, to, .. } => {
                if self.cut.contains(&(*from, *to)) {
                    return true;
                }
                (*to, self.hosts[*to as usize].life)
            }
        };
        let host = &mut self.hosts[id as usize];
        if host.node.is_none() || host.life != life {
            return true;
        }
        if host.paused {
            host.held.push(event);
            return true;
        }
        let input = match event {
            Event::Tick { generation, .. } if generation != host.generation => return true,
            Event::Tick { .. } => Input::Tick,
            Event::Deliver { from, message, .. } => Input::Message { from, message },
            Event::Input { input, .. } => {
                if input == Input::Synced {
                    let covered = std::mem::take(&mut host.syncing);
                    host.flush(covered);
                }
                input
            }
        };
        self.step(id, input);
        true
    }

    pub fn run_for(&mut self, duration_ns: u64) {
        let until_ns = self.now_ns + duration_ns;
        while self.next(until_ns) {}
        self.now_ns = until_ns;
    }

    /// Sends a request and does not wait.
    pub fn ask(
        &mut self,
        id: NodeId,
        client: u64,
        command: Command,
        session: SessionToken,
    ) -> (ClientId, u64) {
        self.invoked += 1;
        let request = Request { client: ClientId(client), number: self.invoked, command, session };
        let life = self.hosts[id as usize].life;
        let asked = (request.client, request.number);
        let event = Event::Input { node: id, life, input: Input::Request(request) };
        self.schedule(self.now_ns, event);
        asked
    }

    /// Sends a request and waits for up to a second.
    pub fn call(&mut self, id: NodeId, command: Command) -> Option<Reply> {
        self.call_as(id, u64::from(id), command, SessionToken::default())
    }

    pub fn call_as(
        &mut self,
        id: NodeId,
        client: u64,
        command: Command,
        session: SessionToken,
    ) -> Option<Reply> {
        let key = self.ask(id, client, command, session);
        let until_ns = self.now_ns + 1_000 * MS;
        while !self.replies.contains_key(&key) && self.next(until_ns) {}
        let reply = self.replies.get(&key).cloned();
        if reply.is_none() {
            self.now_ns = until_ns;
        }
        reply
    }

    pub fn write(&mut self, id: NodeId, key: i64, value: i64) -> Option<Outcome> {
        self.call(id, Command::Write { key, value }).map(|reply| reply.outcome)
    }

    pub fn read(&mut self, id: NodeId, key: i64) -> Option<Outcome> {
        self.call(id, Command::Read { key }).map(|reply| reply.outcome)
    }

    /// What each running node holds.
    pub fn inspect(&mut self, key: i64) -> Vec<Option<i64>> {
        let up: Vec<_> = (0..self.nodes()).filter(|id| self.is_up(*id)).collect();
        up.into_iter()
            .map(|id| match self.call(id, Command::Inspect { key }).map(|reply| reply.outcome) {
                Some(Outcome::Read(value)) => value,
                other => panic!("node {id} answered {other:?} to an inspection"),
            })
            .collect()
    }
}

impl Host {
    fn flush(&mut self, count: usize) {
        for write in self.tail.drain(..count) {
            match write {
                Ok(record) => self.durable.push(record),
                Err(records) => self.durable = records,
            }
        }
    }
}
