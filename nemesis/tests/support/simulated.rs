//! Witnesses in the simulated lab.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use perjury_history::NodeId;
use perjury_lab::simulated::{Boot, Effect, Input, NodeTime, Program, Settings};
use perjury_lab::{Clock, SimulatedLab};
use perjury_nemesis::{Injector, SimulatedInjector};

use super::{Heard, MS, PING_EVERY_NS, SYNC_EVERY_NS, TestBed, Testimony};

const NODES: u32 = 5;

#[derive(Clone)]
pub(crate) struct SimulatedBed {
    lab: SimulatedLab,
}

impl SimulatedBed {
    pub(crate) fn with_settings(settings: &Settings, seed: u64) -> Self {
        let lab = SimulatedLab::new(NODES, settings, seed).expect("good settings");
        for node in lab.nodes() {
            lab.install(node, Arc::new(|boot| Box::new(Witness::start(&boot))));
            lab.start(node);
        }
        Self { lab }
    }
}

impl TestBed for SimulatedBed {
    fn new(seed: u64) -> Self {
        Self::with_settings(&Settings::default(), seed)
    }

    fn run<F: Future>(&self, scenario: F) -> F::Output {
        self.lab.run(scenario).expect("witnesses never rest")
    }

    fn nodes(&self) -> Vec<NodeId> {
        self.lab.nodes()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.lab.clone())
    }

    fn injector(&self) -> Box<dyn Injector> {
        Box::new(SimulatedInjector::new(self.lab.clone()))
    }

    async fn restart(&self, node: NodeId) {
        self.lab.start(node);
    }

    async fn testimony(&self, node: NodeId) -> Option<Testimony> {
        let answer = self.lab.call(node, Arc::new(()), 50 * MS).await.ok()?;
        Some(answer.downcast_ref::<Testimony>().expect("a testimony").clone())
    }
}

#[derive(Clone, Copy)]
enum Said {
    Ping { number: u64, sent_ns: u64 },
    Pong { sent_ns: u64 },
}

#[derive(Default)]
struct Ear {
    numbers: BTreeSet<u64>,
    repeated: u64,
    round_trip_min_ns: Option<u64>,
}

impl Ear {
    fn tell(&self) -> Heard {
        let pings = self.numbers.len() as u64;
        let span = match (self.numbers.first(), self.numbers.last()) {
            (Some(first), Some(last)) => last - first + 1,
            _ => 0,
        };
        let Ear { repeated, round_trip_min_ns, .. } = *self;
        Heard { pings, lost: span - pings, repeated, round_trip_min_ns }
    }
}

struct Witness {
    node: NodeId,
    found: u64,
    written: u64,
    syncing: u64,
    synced: u64,
    next_ping_ns: u64,
    next_sync_ns: u64,
    pings: u64,
    leads_ns: Option<(i128, i128)>,
    ears: BTreeMap<NodeId, Ear>,
}

impl Witness {
    fn start(boot: &Boot) -> Self {
        let found = boot.disk.len() as u64;
        Self {
            node: boot.node,
            found,
            written: found,
            syncing: found,
            synced: found,
            next_ping_ns: boot.now.monotonic_ns,
            next_sync_ns: boot.now.monotonic_ns + SYNC_EVERY_NS,
            pings: 0,
            leads_ns: None,
            ears: BTreeMap::new(),
        }
    }

    fn tick(&mut self, now_ns: u64, effects: &mut Vec<Effect>) {
        if now_ns < self.next_ping_ns {
            return;
        }
        self.next_ping_ns = now_ns + PING_EVERY_NS;
        self.pings += 1;
        for to in (0..NODES).map(NodeId).filter(|&to| to != self.node) {
            let ping = Said::Ping { number: self.pings, sent_ns: now_ns };
            effects.push(Effect::Send { to, payload: Arc::new(ping) });
        }
        self.written += 1;
        effects.push(Effect::Write(Arc::new(self.written)));
        if now_ns >= self.next_sync_ns {
            self.next_sync_ns = now_ns + SYNC_EVERY_NS;
            self.syncing = self.written;
            effects.push(Effect::Sync);
        }
    }

    fn hear(&mut self, now_ns: u64, from: NodeId, said: Said, effects: &mut Vec<Effect>) {
        let ear = self.ears.entry(from).or_default();
        match said {
            Said::Ping { number, sent_ns } => {
                ear.repeated += u64::from(!ear.numbers.insert(number));
                effects.push(Effect::Send { to: from, payload: Arc::new(Said::Pong { sent_ns }) });
            }
            // One of an earlier life of this process may come after it has been restarted.
            Said::Pong { sent_ns } => {
                let took_ns = now_ns.saturating_sub(sent_ns);
                let shortest_ns = ear.round_trip_min_ns.unwrap_or(u64::MAX);
                ear.round_trip_min_ns = Some(shortest_ns.min(took_ns));
            }
        }
    }

    fn testify(&mut self, now: NodeTime) -> Testimony {
        let (lead_min_ns, lead_max_ns) = self.leads_ns.take().unwrap_or_default();
        let ears = std::mem::take(&mut self.ears);
        Testimony {
            monotonic_ns: now.monotonic_ns,
            wall_ns: now.wall_ns,
            found: self.found,
            written: self.written,
            synced: self.synced,
            lead_min_ns,
            lead_max_ns,
            heard: ears.into_iter().map(|(from, ear)| (from, ear.tell())).collect(),
        }
    }
}

impl Program for Witness {
    fn step(&mut self, now: NodeTime, input: Input, effects: &mut Vec<Effect>) {
        let lead_ns = i128::from(now.wall_ns) - i128::from(now.monotonic_ns);
        let (least_ns, most_ns) = self.leads_ns.unwrap_or((lead_ns, lead_ns));
        self.leads_ns = Some((least_ns.min(lead_ns), most_ns.max(lead_ns)));
        match input {
            Input::Tick => self.tick(now.monotonic_ns, effects),
            Input::Synced => self.synced = self.syncing,
            Input::Message { from, payload } => {
                let said = *payload.downcast_ref::<Said>().expect("witnesses say nothing else");
                self.hear(now.monotonic_ns, from, said, effects);
            }
            Input::Call { call, .. } => {
                effects.push(Effect::Reply { call, payload: Arc::new(self.testify(now)) });
            }
        }
    }

    fn deadline_ns(&self) -> Option<u64> {
        Some(self.next_ping_ns)
    }
}
