//! What a leader does: accept writes, copy its log to the followers, acknowledge.
//!
//! Each follower has at most one message with entries outstanding, with all that it lacks when it
//! is sent, so busy times make bigger batches, not more messages. Heartbeats go beside it. What is
//! lost is sent again two heartbeats later.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{
    NS_PER_MS, Part, Replica,
    durability::{Deferred, Needs},
    reading::WaitingRead,
};
use crate::{
    Acknowledge, Command, Doubt, Entry, Found, Message, NodeId, Now, Operation, Outcome, Payload,
    Progress, Record, Refusal, Replicate, Replicated, Reply, Request, Stamp, Version,
};

/// The most entries in one message.
const BATCH_MAX: u64 = 1024;

/// After this a write that still lacks acknowledgements, or a read that still lacks its
/// confirmation, is given up.
const PATIENCE_NS: u64 = 3_000 * NS_PER_MS;

/// What a leader knows of a node (of itself, too).
#[derive(Clone, Debug)]
struct Copy {
    /// Send from here on; 0 asks for a snapshot.
    next: u64,
    /// It has the log up to here.
    matched: u64,
    /// The message with entries that is not yet answered: its number and when it was sent.
    outstanding: Option<(u64, u64)>,
    sequence: u64,
    /// It confirmed the leader in this round.
    round: u64,
    /// When the newest message that it answered was sent, on the leader's clocks.
    contact: Now,
}

/// A write in the log whose client waits.
#[derive(Clone, Debug)]
struct WaitingWrite {
    position: u64,
    gateway: NodeId,
    request: Request,
    since_ns: u64,
    /// What came of it, if it has been applied.
    result: Option<(Outcome, Option<Version>)>,
    /// What the steps of a transaction found before it was committed.
    found: Option<Arc<[Found]>>,
}

/// What a leader knows.
#[derive(Clone, Debug)]
pub(super) struct Leadership {
    id: NodeId,
    /// The position of the first entry of the epoch.
    pub(super) start: u64,
    /// Leads the very first epoch: it may be a node that lost its disk and does not know.
    bootstrap: bool,
    copies: Vec<Copy>,
    writes: VecDeque<WaitingWrite>,
    pub(super) reads: VecDeque<WaitingRead>,
    /// The newest round of read confirmations.
    pub(super) round: u64,
    /// Whether some message already carries it.
    pub(super) round_sent: bool,
    /// Followers may have the log up to here (`replication-interval-ms`).
    released: u64,
    heartbeat_ns: u64,
    release_ns: u64,
    scratch: Vec<u64>,
}

impl Leadership {
    pub(super) fn new(id: NodeId, nodes: u32, start: u64, bootstrap: bool, now: Now) -> Self {
        let copy = Copy {
            next: start,
            matched: 0,
            outstanding: None,
            sequence: 0,
            round: 0,
            // Nobody was in contact by the wall clock yet: there is no lease.
            contact: Now { wall_ns: 0, ..now },
        };
        Self {
            id,
            start,
            bootstrap,
            copies: vec![copy; nodes as usize],
            writes: VecDeque::new(),
            reads: VecDeque::new(),
            round: 0,
            round_sent: true,
            released: 0,
            heartbeat_ns: 0,
            release_ns: u64::MAX,
            scratch: Vec::new(),
        }
    }

    pub(super) fn deadline_ns(&self) -> u64 {
        let write_ns = self.writes.front().map(|write| write.since_ns);
        let read_ns = self.reads.front().map(|read| read.since_ns);
        let oldest_ns = write_ns.into_iter().chain(read_ns).min();
        let expiry_ns = oldest_ns.map_or(u64::MAX, |since| since.saturating_add(PATIENCE_NS));
        self.heartbeat_ns.min(self.release_ns).min(expiry_ns)
    }

    /// Whether it may serve clients. The first leader waits for a majority, so that a node whose
    /// disk was wiped finds out before it writes a second history of the first epoch.
    pub(super) fn ready(&self, commit: u64) -> bool {
        !self.bootstrap || commit >= self.start
    }

    /// How many nodes, with itself, answered something it sent within a time-out.
    pub(super) fn contacts(&self, now_ns: u64, timeout_ns: u64) -> usize {
        let others = self.copies.iter().zip(0..).filter(|(copy, node)| {
            *node != self.id && now_ns < copy.contact.monotonic_ns.saturating_add(timeout_ns)
        });
        1 + others.count()
    }

    /// The wall clock at which a majority was in contact; itself is so always.
    pub(super) fn contact_wall_ns(&mut self, wall_ns: u64) -> u64 {
        self.largest(self.copies.len() / 2, wall_ns, |copy| copy.contact.wall_ns)
    }

    /// The newest round that a majority confirmed.
    pub(super) fn confirmed_round(&mut self) -> u64 {
        self.largest(self.copies.len() / 2, self.round, |copy| copy.round)
    }

    /// The `rank`th largest (from 0) of something over all nodes, given its own.
    fn largest(&mut self, rank: usize, own: u64, of: impl Fn(&Copy) -> u64) -> u64 {
        self.scratch.clear();
        self.scratch.extend(self.copies.iter().map(of));
        self.scratch[self.id as usize] = own;
        self.scratch.sort_unstable_by(|a, b| b.cmp(a));
        self.scratch[rank]
    }

    /// Up to where a majority has the log.
    fn majority_position(&mut self) -> u64 {
        let own = self.copies[self.id as usize].matched;
        self.largest(self.copies.len() / 2, own, |copy| copy.matched)
    }

    /// Up to where writes may be acknowledged.
    fn acknowledged(&mut self, rule: Acknowledge, commit: u64) -> u64 {
        let own = self.copies[self.id as usize].matched;
        match rule {
            Acknowledge::Async => own,
            // Taken as the largest, the leader itself fills rank 0.
            Acknowledge::SemiSync(followers) => {
                let rank = (followers as usize).min(self.copies.len() - 1);
                own.min(self.largest(rank, u64::MAX, |copy| copy.matched))
            }
            Acknowledge::Sync => self.largest(self.copies.len() - 1, own, |copy| copy.matched),
            Acknowledge::Quorum => commit,
        }
    }
}

impl Replica {
    /// The first thing a leader does.
    pub(super) fn begin_epoch(&mut self) {
        self.append(Operation::Begin);
        let Part::Leader(leadership) = &mut self.part else { return };
        leadership.released = self.log.last_position();
        if self.settings.replication_interval_ms > 0 {
            leadership.release_ns = self.now.monotonic_ns;
        }
        self.tick_leader();
    }

    pub(super) fn tick_leader(&mut self) {
        let now_ns = self.now.monotonic_ns;
        let heartbeat_ns = self.heartbeat_ns();
        let interval_ns = self.settings.replication_interval_ms * NS_PER_MS;
        let last = self.log.last_position();
        let Some(leadership) = self.leadership() else { return };
        let release = now_ns >= leadership.release_ns;
        if release {
            leadership.released = last;
            leadership.release_ns = now_ns.saturating_add(interval_ns);
        }
        if now_ns >= leadership.heartbeat_ns {
            leadership.heartbeat_ns = now_ns.saturating_add(heartbeat_ns);
            for to in self.others() {
                self.heartbeat(to);
            }
        } else if release {
            self.pump_all();
        }
        self.give_up_waiting();
    }

    /// Accepts a write: it is in the log now.
    pub(super) fn accept(&mut self, gateway: NodeId, request: Request) {
        let operation = match request.command {
            Command::Write { key, value } => Operation::Write { key, value },
            Command::Cas { key, old, new } => Operation::Cas { key, old, new },
            Command::Increment { key, delta } => Operation::Increment { key, delta },
            Command::Add { key, element } => Operation::Add { key, element },
            Command::Acquire { key } => Operation::Acquire { key },
            Command::Release { key, token } => Operation::Release { key, token },
            Command::Transaction(ref steps) => Operation::Transaction(steps.clone()),
            Command::Read { .. }
            | Command::Inspect { .. }
            | Command::ReadSet { .. }
            | Command::InspectSet { .. } => return,
        };
        self.propose(gateway, request, operation, None);
    }

    /// Puts into the log what a client waits for; of a transaction with what it found before.
    pub(super) fn propose(
        &mut self,
        gateway: NodeId,
        request: Request,
        operation: Operation,
        found: Option<Arc<[Found]>>,
    ) {
        let (position, result) = self.append(operation);
        let since_ns = self.now.monotonic_ns;
        if let Some(leadership) = self.leadership() {
            let write = WaitingWrite { position, gateway, request, since_ns, result, found };
            leadership.writes.push_back(write);
        }
        let epoch = self.epoch;
        self.after_disk(Needs::Log, Deferred::OwnCopy { epoch, position });
        self.pump_all();
        self.compact();
    }

    /// Appends to the leader's own log; applies it at once unless it has to be committed first.
    fn append(&mut self, operation: Operation) -> (u64, Option<(Outcome, Option<Version>)>) {
        let begins = operation == Operation::Begin;
        let entry = Entry { epoch: self.epoch, operation };
        let position = self.log.append(entry.clone());
        self.write(Record::Append { position, entries: [entry].into() });
        let at_once = !self.settings.acknowledge.applies_when_committed();
        let result = at_once.then(|| self.apply_to(position));
        if begins {
            let epoch = self.epoch;
            self.after_disk(Needs::Log, Deferred::OwnCopy { epoch, position });
        }
        (position, result)
    }

    pub(super) fn on_own_copy(&mut self, position: u64) {
        let id = self.id as usize;
        if let Some(leadership) = self.leadership() {
            let own = &mut leadership.copies[id];
            own.matched = own.matched.max(position);
            self.advance();
        }
    }

    pub(super) fn pump_all(&mut self) {
        for to in self.others() {
            self.pump(to);
        }
    }

    /// Sends a follower what it lacks, unless it has yet to answer.
    fn pump(&mut self, to: NodeId) {
        let at_once = self.settings.replication_interval_ms == 0;
        let last = self.log.last_position();
        let Some(leadership) = self.leadership() else { return };
        if at_once {
            leadership.released = last;
        }
        let copy = &leadership.copies[to as usize];
        let lacks = copy.next <= leadership.released || copy.round < leadership.round;
        if copy.outstanding.is_none() && lacks {
            self.replicate(to, true);
        }
    }

    fn heartbeat(&mut self, to: NodeId) {
        let now_ns = self.now.monotonic_ns;
        let patience_ns = 2 * self.heartbeat_ns();
        let Some(leadership) = self.leadership() else { return };
        let outstanding = leadership.copies[to as usize].outstanding;
        let fresh = outstanding.is_some_and(|(_, sent)| now_ns < sent.saturating_add(patience_ns));
        self.replicate(to, !fresh);
    }

    /// Sends a follower what it lacks, or only a sign of life.
    fn replicate(&mut self, to: NodeId, full: bool) {
        let Part::Leader(leadership) = &mut self.part else { return };
        let copy = &mut leadership.copies[to as usize];
        copy.sequence += 1;
        let payload = if !full {
            let previous = self.log.version_at(copy.matched);
            Payload::Entries { previous, entries: [].into() }
        } else if copy.next <= self.log.snapshot().position {
            Payload::Snapshot(self.log.snapshot().clone())
        } else {
            let previous = self.log.version_at(copy.next - 1);
            let last = leadership.released.min(copy.next + BATCH_MAX - 1);
            Payload::Entries { previous, entries: self.log.range(copy.next, last) }
        };
        if full {
            copy.outstanding = Some((copy.sequence, self.now.monotonic_ns));
        }
        leadership.round_sent = true;
        let stamp = Stamp {
            sequence: copy.sequence,
            round: leadership.round,
            wall_ns: self.now.wall_ns,
            monotonic_ns: self.now.monotonic_ns,
        };
        let replicate = Replicate { epoch: self.epoch, stamp, commit: self.commit, payload };
        self.send(to, Message::Replicate(replicate));
    }

    pub(super) fn on_replicated(&mut self, from: NodeId, replicated: &Replicated) {
        if replicated.epoch > self.epoch {
            if self.heeds_higher_epochs() && !matches!(self.part, Part::Out) {
                self.follow(replicated.epoch, None);
            }
            return;
        }
        let last = self.log.last();
        let epoch = self.epoch;
        let Part::Leader(leadership) = &mut self.part else { return };
        if replicated.epoch < epoch || replicated.progress == Progress::Elsewhere {
            // It answers what an earlier leadership of this node sent.
            return;
        }
        if replicated.last.epoch == epoch && replicated.last.position > last.position {
            // Only this node writes in its epoch: it has forgotten what it wrote.
            self.follow(epoch, None);
            return;
        }
        let copy = &mut leadership.copies[from as usize];
        let stamp = replicated.stamp;
        if stamp.monotonic_ns >= copy.contact.monotonic_ns {
            copy.contact = Now { monotonic_ns: stamp.monotonic_ns, wall_ns: stamp.wall_ns };
        }
        copy.round = copy.round.max(stamp.round);
        copy.outstanding.take_if(|(sequence, _)| *sequence == stamp.sequence);
        match replicated.progress {
            Progress::Matched { position } => {
                copy.matched = copy.matched.max(position.min(last.position));
                copy.next = copy.next.max(copy.matched + 1);
            }
            Progress::Behind { next } => {
                let next = next.clamp(1, last.position + 1);
                copy.next = copy.next.min(next);
                copy.matched = copy.matched.min(next - 1);
            }
            Progress::Diverged => {
                copy.next = 0;
                copy.matched = 0;
            }
            Progress::Elsewhere => return,
        }
        self.advance();
        self.pump(from);
    }

    /// Commits, applies, acknowledges and answers reads, as far as the copies go.
    fn advance(&mut self) {
        let rule = self.settings.acknowledge;
        let Part::Leader(leadership) = &mut self.part else { return };
        let majority = leadership.majority_position();
        // Entries of earlier epochs are committed only by one of this epoch behind them (section
        // 5.4.2 of the Raft paper).
        if majority >= leadership.start && majority > self.commit {
            self.commit = majority;
        }
        let acknowledged = leadership.acknowledged(rule, self.commit);
        if rule.applies_when_committed() {
            while self.applied < acknowledged {
                let position = self.applied + 1;
                let result = self.apply_to(position);
                self.acknowledge(position, Some(&result));
            }
        } else {
            self.acknowledge(acknowledged, None);
        }
        self.transactions.settle(self.applied);
        self.serve_waiting_reads();
        self.compact();
    }

    /// Answers the writes up to a position; `result` is for the one exactly there.
    fn acknowledge(&mut self, position: u64, result: Option<&(Outcome, Option<Version>)>) {
        while let Some(write) = self
            .leadership()
            .and_then(|leadership| leadership.writes.pop_front_if(|w| w.position <= position))
        {
            if let Some((outcome, version)) = write.result.or_else(|| result.cloned()) {
                let outcome = match (outcome, write.found) {
                    (Outcome::Written, Some(found)) => Outcome::Committed(found),
                    (outcome, _) => outcome,
                };
                let applied = self.log.version_at(write.position);
                let reply = Reply { applied, version, ..self.reply(&write.request, outcome) };
                self.answer(write.gateway, reply);
            }
        }
    }

    /// Tells the clients of a leadership that ends.
    pub(super) fn disappoint(&mut self, leadership: Leadership) {
        for write in leadership.writes {
            let reply = self.reply(&write.request, Outcome::Unknown(Doubt::LeadershipLost));
            self.answer(write.gateway, reply);
        }
        for read in leadership.reads {
            let reply = self.reply(&read.request, Outcome::Refused(Refusal::NotLeader));
            self.answer(read.gateway, reply);
        }
    }

    fn give_up_waiting(&mut self) {
        let now_ns = self.now.monotonic_ns;
        let late = |since_ns: u64| now_ns >= since_ns.saturating_add(PATIENCE_NS);
        while let Some(write) = self
            .leadership()
            .and_then(|leadership| leadership.writes.pop_front_if(|write| late(write.since_ns)))
        {
            let reply = self.reply(&write.request, Outcome::Unknown(Doubt::TimedOut));
            self.answer(write.gateway, reply);
        }
        while let Some(read) = self
            .leadership()
            .and_then(|leadership| leadership.reads.pop_front_if(|read| late(read.since_ns)))
        {
            let reply = self.reply(&read.request, Outcome::Refused(Refusal::NotLeader));
            self.answer(read.gateway, reply);
        }
    }
}
