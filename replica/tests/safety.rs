//! The correct settings are correct: random faults, and after every step the Raft paper's safety
//! properties (figure 3); at the end every client's history is checked against the committed log.
//!
//! `REPLICA_SEEDS=1000` (or `12345..12346` for one seed) runs others than the default seeds.

mod cluster;

use std::collections::BTreeMap;

use cluster::{Cluster, MS, Observer};
use perjury_replica::{
    Acknowledge, ClientId, Command, Effect, Entry, Fsync, Input, LeaderReads, Message, Node,
    NodeId, Now, Operation, Outcome, Progress, Promote, ReadRoute, Record, Refusal, Rejoin,
    Replicated, Request, Role, SessionToken, Settings, Stamp, State, Status, Version,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// What a node's log is, by what it wrote to its disk, compacted or not.
#[derive(Clone, Default)]
struct Shadow {
    entries: Vec<Entry>,
    /// Up to where its entries were compared with the committed ones, by commit position.
    checked: u64,
}

/// Watches all nodes.
#[derive(Default)]
struct Judge {
    shadows: BTreeMap<NodeId, Shadow>,
    /// Who led which epoch.
    leaders: BTreeMap<u64, NodeId>,
    committed: Vec<Entry>,
}

impl Judge {
    fn write(&mut self, node: NodeId, record: &Record) {
        let entries = &mut self.shadows.entry(node).or_default().entries;
        match record {
            Record::Append { position, entries: new } => {
                let keep = *position as usize - 1;
                assert!(keep <= entries.len(), "node {node} leaves a gap in its log");
                assert!(keep >= self.committed_at(node), "node {node} drops committed entries");
                let entries = &mut self.shadows.entry(node).or_default().entries;
                entries.truncate(keep);
                entries.extend(new.iter().cloned());
            }
            Record::Snapshot(snapshot) => {
                let position = snapshot.position as usize;
                let last = Version {
                    epoch: snapshot.lineage.last().map_or(0, |run| run.0),
                    position: snapshot.position,
                };
                let same = position == 0
                    || entries.get(position - 1).is_some_and(|entry| entry.epoch == last.epoch);
                if same {
                    return;
                }
                // Installed: it must be the effect of committed entries.
                assert!(position <= self.committed.len(), "a snapshot of uncommitted entries");
                assert_eq!(snapshot.state, replay(&self.committed[..position]).0);
                let committed = self.committed[..position].to_vec();
                self.shadows.entry(node).or_default().entries = committed;
            }
            Record::Epoch { .. } | Record::Out => {}
        }
    }

    fn committed_at(&self, node: NodeId) -> usize {
        self.shadows.get(&node).map_or(0, |shadow| shadow.checked as usize)
    }

    fn rewrite(&mut self, node: NodeId, records: &[Record]) {
        for record in records {
            match record {
                // What follows the snapshot is the same as before or nothing.
                Record::Append { position, entries } => {
                    let shadow = &self.shadows[&node].entries;
                    let first = *position as usize - 1;
                    assert_eq!(&shadow[first..], &entries[..], "compaction changes the log");
                }
                Record::Snapshot(snapshot) => {
                    self.write(node, record);
                    let entries = &self.shadows[&node].entries;
                    let state = replay(&entries[..snapshot.position as usize]).0;
                    assert_eq!(snapshot.state, state, "the snapshot is not what the log says");
                }
                other => self.write(node, other),
            }
        }
    }
}

impl Observer for Judge {
    fn effect(&mut self, node: NodeId, effect: &Effect) {
        match effect {
            Effect::Write(record) => self.write(node, record),
            Effect::Rewrite(records) => self.rewrite(node, records),
            _ => {}
        }
    }

    fn crashed(&mut self, node: NodeId, disk: &[Record]) {
        let old = std::mem::take(self.shadows.entry(node).or_default());
        for record in disk {
            if let Record::Snapshot(snapshot) = record {
                let position = snapshot.position as usize;
                // Not necessarily of this node's last log, but certainly committed.
                assert!(position <= self.committed.len());
                let committed = self.committed[..position].to_vec();
                self.shadows.entry(node).or_default().entries = committed;
            } else {
                self.write(node, record);
            }
        }
        drop(old);
    }

    fn stepped(&mut self, node: NodeId, status: &Status) {
        if status.role == Role::Leader {
            let leader = *self.leaders.entry(status.epoch).or_insert(node);
            assert_eq!(leader, node, "two leaders of epoch {}", status.epoch);
        }
        let shadow = self.shadows.entry(node).or_default();
        assert_eq!(shadow.entries.len() as u64, status.last.position, "node {node}'s log");
        // State-machine safety, and with it leader completeness: nobody ever commits anything else.
        for position in shadow.checked..status.commit_position {
            let entry = &shadow.entries[position as usize];
            match self.committed.get(position as usize) {
                Some(committed) => {
                    assert_eq!(entry, committed, "node {node} commits something else");
                }
                None => self.committed.push(entry.clone()),
            }
        }
        shadow.checked = shadow.checked.max(status.commit_position);
    }
}

impl Judge {
    /// Log matching: where two logs have the same epoch, they are the same up to there.
    fn match_logs(&self) {
        for (a, left) in &self.shadows {
            for (b, right) in self.shadows.range(a + 1..) {
                let pairs = || left.entries.iter().zip(&right.entries);
                let common = pairs().rposition(|(left, right)| left.epoch == right.epoch);
                if let Some(common) = common {
                    let same = left.entries[..=common] == right.entries[..=common];
                    assert!(same, "nodes {a} and {b} differ before position {}", common + 1);
                }
            }
        }
    }
}

/// The state after some entries, and what became of each: whether it took effect, and the version
/// it found.
fn replay(entries: &[Entry]) -> (State, Vec<(bool, Option<Version>)>) {
    let mut cells = BTreeMap::<i64, (i64, Version)>::new();
    let mut results = Vec::new();
    for (entry, position) in entries.iter().zip(1..) {
        let version = Version { epoch: entry.epoch, position };
        let (key, value, done) = match &entry.operation {
            Operation::Begin => {
                results.push((true, None));
                continue;
            }
            &Operation::Write { key, value } => (key, value, true),
            &Operation::Cas { key, old, new } => {
                (key, new, cells.get(&key).is_some_and(|cell| cell.0 == old))
            }
            other => panic!("nobody asked for {other:?}"),
        };
        results.push((done, cells.get(&key).map(|cell| cell.1)));
        if done {
            cells.insert(key, (value, version));
        }
    }
    let cells: BTreeMap<_, _> = cells
        .into_iter()
        .map(|(key, (value, version))| {
            (key, serde_json::json!({ "value": value, "version": version }))
        })
        .collect();
    let state = serde_json::json!({ "cells": cells, "sets": {}, "lists": {}, "locks": {} });
    let state = serde_json::from_value(state).expect("it is a state");
    (state, results)
}

/// One client's request and what it was told.
struct Operated {
    command: Command,
    invoked_ns: u64,
    /// `None`: nothing.
    completed: Option<(u64, Outcome, Option<Version>)>,
}

/// A client that asks one thing after the other.
struct Client {
    id: u64,
    pending: Option<(ClientId, u64)>,
}

struct Fuzz {
    cluster: Cluster<Judge>,
    random: Pcg64,
    clients: Vec<Client>,
    operated: BTreeMap<(ClientId, u64), Operated>,
    clocks_jump: bool,
}

const KEYS: i64 = 3;

impl Fuzz {
    fn new(seed: u64, settings: Settings) -> Self {
        let mut random = Pcg64::seed_from_u64(seed ^ 0x5eed);
        let nodes = [3, 5][random.random_range(0..2)];
        let mut cluster = Cluster::observed(nodes, settings, seed, Judge::default());
        cluster.loss = random.random_range(0..10);
        cluster.duplication = random.random_range(0..10);
        if random.random_bool(0.3) {
            // Slower than the heartbeats.
            cluster.latency_ns = MS..100 * MS;
        }
        if random.random_bool(0.3) {
            cluster.disk_ns = MS..60 * MS;
        }
        for host in &mut cluster.hosts {
            host.rate_ppm = random.random_range(990_000..1_010_000);
        }
        let clients = (0..4).map(|id| Client { id, pending: None }).collect();
        Self { cluster, random, clients, operated: BTreeMap::new(), clocks_jump: true }
    }

    fn any_node(&mut self) -> NodeId {
        self.random.random_range(0..self.cluster.nodes())
    }

    /// What a client asks next: every value is written once.
    fn ask(&mut self, client: usize) {
        let key = self.random.random_range(0..KEYS);
        let fresh = self.cluster.invoked as i64 + 1;
        let command = match self.random.random_range(0..10) {
            0..5 => Command::Read { key },
            5..8 => Command::Write { key, value: fresh },
            _ => Command::Cas { key, old: fresh - self.random.random_range(1..20), new: fresh },
        };
        let id = self.any_node();
        if !self.cluster.is_up(id) {
            return;
        }
        let session = SessionToken::default();
        let pending = self.cluster.ask(id, self.clients[client].id, command.clone(), session);
        self.clients[client].pending = Some(pending);
        let invoked_ns = self.cluster.now_ns;
        self.operated.insert(pending, Operated { command, invoked_ns, completed: None });
    }

    fn serve_clients(&mut self) {
        for client in 0..self.clients.len() {
            if let Some(pending) = self.clients[client].pending {
                let operated = self.operated.get_mut(&pending).expect("it was asked");
                let now_ns = self.cluster.now_ns;
                if let Some(reply) = self.cluster.replies.get(&pending) {
                    operated.completed = Some((now_ns, reply.outcome.clone(), reply.version));
                } else if now_ns < operated.invoked_ns + 300 * MS {
                    continue;
                } else {
                    // It will never know; a new client takes its place.
                    self.clients[client].id += 1_000;
                }
                self.clients[client].pending = None;
            }
            if self.random.random_bool(0.5) {
                self.ask(client);
            }
        }
    }

    fn fault(&mut self) {
        let nodes = self.cluster.nodes();
        let id = self.any_node();
        match self.random.random_range(0..12) {
            0 | 1 if self.cluster.is_up(id) => self.cluster.crash(id),
            2 if self.cluster.is_up(id) => self.cluster.power_off(id),
            0..5 => {
                let down: Vec<_> = (0..nodes).filter(|id| !self.cluster.is_up(*id)).collect();
                for id in down {
                    self.cluster.start(id);
                }
            }
            5 => {
                let leader = self.cluster.leaders().first().copied().unwrap_or(id);
                self.cluster.isolate(leader);
            }
            6 => {
                let (left, right): (Vec<_>, Vec<_>) =
                    (0..nodes).partition(|_| self.random.random_bool(0.5));
                self.cluster.partition(&[&left, &right]);
            }
            7 => {
                let other = self.any_node();
                self.cluster.cut.insert((id, other));
            }
            8 => self.cluster.pause(id),
            9 => {
                for id in 0..nodes {
                    self.cluster.resume(id);
                }
            }
            10 => self.cluster.step(id, Input::Promote),
            _ => self.cluster.heal(),
        }
        if self.clocks_jump {
            let jump_ms = self.random.random_range(-10_000..10_000);
            self.cluster.hosts[id as usize].wall_offset_ns = jump_ms * MS as i64;
        }
    }

    fn run(&mut self, virtual_ms: u64) {
        for ms in 0..virtual_ms {
            self.cluster.run_for(MS);
            self.serve_clients();
            if ms % 100 == 0 && self.random.random_bool(0.3) {
                self.fault();
                self.cluster.observer.match_logs();
            }
            if ms % 2_000 == 1_999 {
                // Now and then everything works again.
                self.mend();
            }
        }
    }

    fn mend(&mut self) {
        self.cluster.heal();
        for id in 0..self.cluster.nodes() {
            self.cluster.resume(id);
            if !self.cluster.is_up(id) {
                self.cluster.start(id);
            }
        }
    }

    /// After everything is mended, everyone agrees and serves.
    fn recover(&mut self) {
        self.mend();
        self.cluster.loss = 0;
        self.cluster.duplication = 0;
        self.cluster.latency_ns = MS / 2..2 * MS;
        self.cluster.disk_ns = MS / 10..MS;
        self.cluster.run_for(6_000 * MS);
        let leader = self.cluster.leader();
        for key in 0..KEYS {
            let reply = self.cluster.call(leader, Command::Read { key }).expect("a leader");
            assert!(matches!(reply.outcome, Outcome::Read(_)), "{reply:?}");
        }
        self.cluster.run_for(1_000 * MS);
        let commit = self.cluster.status(leader).commit_position;
        for id in 0..self.cluster.nodes() {
            let status = self.cluster.status(id);
            assert!(status.role == Role::Out || status.commit_position == commit, "{status:?}");
        }
        self.cluster.observer.match_logs();
    }

    /// The clients' histories against the committed log, which gives the order of all writes: what
    /// was answered must be what the log says, in an order that agrees with real time.
    fn judge(&self) {
        let committed = &self.cluster.observer.committed;
        let (_, results) = replay(committed);
        // Per key: (when it was invoked, when completed, position, whether it read).
        let mut order = BTreeMap::<i64, Vec<(u64, u64, u64, bool)>>::new();
        for operated in self.operated.values() {
            let Some((completed_ns, outcome, version)) = operated.completed.clone() else {
                continue;
            };
            let entry = version.map(|version| {
                let entry = committed.get(version.position as usize - 1);
                let entry = entry.expect("an acknowledged write is committed");
                assert_eq!(entry.epoch, version.epoch, "an acknowledged write is lost");
                &entry.operation
            });
            let position = version.map_or(0, |version| version.position);
            let done = position > 0 && results[position as usize - 1].0;
            let (key, wrote) = match (operated.command.clone(), outcome) {
                (_, Outcome::Refused(_)) => {
                    self.never_happened(&operated.command);
                    continue;
                }
                (_, Outcome::Unknown(_)) => continue,
                (Command::Write { key, value }, Outcome::Written) => {
                    assert_eq!(entry, Some(&Operation::Write { key, value }));
                    (key, true)
                }
                (Command::Cas { key, old, new }, Outcome::Written) => {
                    assert_eq!(entry, Some(&Operation::Cas { key, old, new }));
                    assert!(done);
                    (key, true)
                }
                (Command::Cas { key, .. }, Outcome::Mismatch) => (key, false),
                (Command::Read { key }, Outcome::Read(value)) => {
                    let read = entry.map(|operation| match operation {
                        &Operation::Write { key: k, value } => (k, value),
                        &Operation::Cas { key: k, new, .. } => (k, new),
                        other => panic!("{other:?} did not write what was read"),
                    });
                    assert_eq!(read, value.map(|value| (key, value)));
                    (key, false)
                }
                other => panic!("{other:?}"),
            };
            assert!(done || position == 0 && !wrote);
            let invoked_ns = operated.invoked_ns;
            order.entry(key).or_default().push((invoked_ns, completed_ns, position, wrote));
        }
        for (key, mut operations) in order {
            operations.sort_unstable();
            for (index, later) in operations.iter().enumerate() {
                for earlier in &operations[..index] {
                    let before = earlier.1 < later.0;
                    let fits = if later.3 { earlier.2 < later.2 } else { earlier.2 <= later.2 };
                    assert!(!before || fits, "key {key}: {earlier:?} before {later:?}");
                }
            }
        }
    }

    /// Writes have unique values, so one that was refused can be looked for.
    fn never_happened(&self, command: &Command) {
        let refused = match *command {
            Command::Write { key, value } => Operation::Write { key, value },
            Command::Cas { key, old, new } => Operation::Cas { key, old, new },
            _ => return,
        };
        let happened =
            self.cluster.observer.committed.iter().any(|entry| entry.operation == refused);
        assert!(!happened, "{command:?} was refused, and happened");
    }
}

fn seeds() -> std::ops::Range<u64> {
    let seeds = std::env::var("REPLICA_SEEDS").unwrap_or_else(|_| "150".into());
    let number = |text: &str| text.parse().expect("REPLICA_SEEDS is a number or a range");
    match seeds.split_once("..") {
        Some((first, last)) => number(first)..number(last),
        None => 0..number(&seeds),
    }
}

/// Runs many seeds; the one that fails is named.
fn fuzz(settings: impl Fn(u64) -> Settings + std::panic::RefUnwindSafe) {
    let mut answered = 0;
    for seed in seeds() {
        let settings = settings(seed);
        let result = std::panic::catch_unwind(|| {
            let mut fuzz = Fuzz::new(seed, settings.clone());
            fuzz.run(8_000);
            fuzz.recover();
            fuzz.judge();
            let done = |operated: &&Operated| {
                operated.completed.as_ref().is_some_and(|(_, outcome, _)| {
                    !matches!(outcome, Outcome::Refused(_) | Outcome::Unknown(_))
                })
            };
            fuzz.operated.values().filter(done).count()
        });
        match result {
            Ok(count) => answered += count,
            Err(panic) => {
                eprintln!("seed {seed} with {settings:?}: REPLICA_SEEDS={seed}..{}", seed + 1);
                std::panic::resume_unwind(panic);
            }
        }
    }
    let runs = (seeds().end - seeds().start) as usize;
    assert!(answered > 100 * runs, "only {answered} requests were answered in {runs} runs");
}

#[test]
fn consensus_is_safe() {
    fuzz(|_| Settings::default());
}

#[test]
fn consensus_is_safe_with_snapshots_and_batches() {
    fuzz(|seed| Settings {
        snapshot_after: 1 + seed % 50,
        replication_interval_ms: seed % 3 * 10,
        ..Settings::default()
    });
}

#[test]
fn session_fallback_keeps_consensus_writes_safe() {
    // Reads that give no token promise nothing, so only writes are asked to be in order.
    fuzz_writes(&Settings { reads: ReadRoute::SessionToken, ..Settings::default() });
}

#[test]
fn refusing_to_rejoin_is_safe() {
    let settings = Settings { rejoin: Rejoin::Refuse, snapshot_after: 30, ..Settings::default() };
    fuzz_seeds(&settings, |fuzz| {
        fuzz.run(5_000);
        fuzz.judge();
    });
}

#[test]
fn leases_are_safe_while_wall_clocks_only_drift() {
    let settings = Settings { leader_reads: Some(LeaderReads::Lease), ..Settings::default() };
    fuzz_seeds(&settings, |fuzz| {
        fuzz.clocks_jump = false;
        fuzz.run(8_000);
        fuzz.recover();
        fuzz.judge();
    });
}

fn fuzz_writes(settings: &Settings) {
    fuzz_seeds(settings, |fuzz| {
        fuzz.run(3_000);
        fuzz.recover();
        fuzz.operated.retain(|_, operated| !matches!(operated.command, Command::Read { .. }));
        fuzz.judge();
    });
}

fn fuzz_seeds(settings: &Settings, test: impl Fn(&mut Fuzz) + std::panic::RefUnwindSafe) {
    for seed in seeds() {
        let settings = settings.clone();
        let result = std::panic::catch_unwind(|| test(&mut Fuzz::new(seed, settings)));
        if let Err(panic) = result {
            eprintln!("REPLICA_SEEDS={seed}..{}", seed + 1);
            std::panic::resume_unwind(panic);
        }
    }
}

/// Found by seed 241: a leader that led before took the refusal of a message from that time, which
/// carries the numbers of that time, for a confirmation, and answered with an old value.
#[test]
fn a_late_answer_to_an_earlier_leadership_confirms_nothing() {
    let now = Now { monotonic_ns: MS, wall_ns: MS };
    let mut node = Node::start(0, 3, &Settings::default(), 0, vec![], now);
    let mut effects = Vec::new();
    for input in [Input::Tick, Input::Synced, Input::Synced] {
        node.step(now, input, &mut effects);
    }
    let answer = |round, progress| {
        let stamp = Stamp { round, ..Stamp::default() };
        let last = Version { epoch: 1, position: 1 };
        let message = Message::Replicated(Replicated { epoch: 1, stamp, last, progress });
        Input::Message { from: 1, message }
    };
    node.step(now, answer(0, Progress::Matched { position: 1 }), &mut effects);
    node.step(now, answer(99, Progress::Elsewhere), &mut effects);
    let request = Request {
        client: ClientId(1),
        number: 1,
        command: Command::Read { key: 1 },
        session: SessionToken::default(),
    };
    node.step(now, Input::Request(request), &mut effects);
    let answered = |effects: &[Effect]| effects.iter().any(|e| matches!(e, Effect::Reply(_)));
    assert!(!answered(&effects));
    node.step(now, answer(1, Progress::Matched { position: 1 }), &mut effects);
    assert!(answered(&effects));
}

/// Whether some seed shows the fuzz that a mistake is one: it would be no use otherwise.
fn is_caught(settings: &Settings) -> bool {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let caught = (0..200).any(|seed| {
        let settings = settings.clone();
        let run = || {
            let mut fuzz = Fuzz::new(seed, settings);
            fuzz.run(8_000);
            fuzz.judge();
        };
        std::panic::catch_unwind(run).is_err()
    });
    std::panic::set_hook(hook);
    caught
}

#[test]
fn every_mistake_is_caught() {
    let settings = Settings::default;
    assert!(!is_caught(&settings()));
    for mistake in [
        Settings { leader_reads: Some(LeaderReads::Local), ..settings() },
        Settings { leader_reads: Some(LeaderReads::Lease), ..settings() },
        Settings { fsync: Fsync::Periodic, ..settings() },
        Settings { promote: Promote::Any, ..settings() },
        Settings { rejoin: Rejoin::Keep, ..settings() },
        Settings { reads: ReadRoute::AnyFollower, ..settings() },
        Settings { acknowledge: Acknowledge::Async, ..settings() },
        Settings { acknowledge: Acknowledge::SemiSync(1), ..settings() },
    ] {
        assert!(is_caught(&mistake), "{mistake:?}");
    }
}

#[test]
fn refusals_are_only_for_what_they_say() {
    let mut fuzz = Fuzz::new(7, Settings::default());
    fuzz.run(5_000);
    let out = fuzz
        .operated
        .values()
        .any(|operated| matches!(operated.completed, Some((_, Outcome::Refused(Refusal::Out), _))));
    assert!(!out);
}
