//! The leader-follower family: one protocol, a replicated log with epochs, of which every mode
//! relaxes a rule. With the default settings it is Raft (Ongaro & Ousterhout 2014) with pre-vote,
//! leader stickiness and `ReadIndex` reads.
//!
//! # Where to start reading
//!
//! [`gateway`] is where requests come in; [`leading`] is what a leader does with writes and
//! followers, [`reading`] what replicas do with reads; [`following`] is the other end of
//! replication, with [`rejoin`] for logs that differ; [`transactions`] are those that take time; [`election`] changes the leader;
//! [`durability`] holds everything back that must not be said before the disk has it, and
//! [`compaction`] keeps the log short.
//!
//! # Invariants
//!
//! - Epochs are never led by two nodes: an epoch is either voted for by a majority whose votes
//!   were durable before they were sent, or (without votes) one that no other node may choose.
//! - Within an epoch a leader only appends. So what a message of the current epoch says about the
//!   leader's log holds for ever, however late it arrives, and every handler may trust it.
//! - A forwarded write is executed at most once, and never after it was refused: it is addressed to
//!   the leader of an epoch, who remembers per client which requests it has decided.

mod compaction;
mod durability;
mod election;
mod following;
mod gateway;
mod leading;
mod reading;
mod rejoin;
mod transactions;

use std::collections::BTreeSet;

use rand::RngExt;
use rand_pcg::Pcg64;

use self::{
    durability::{Deferred, Durability, Needs},
    gateway::Gateway,
    leading::Leadership,
    transactions::Transactions,
};
use crate::{
    Effect, Failover, Fencing, Input, Message, NodeId, Now, Outcome, Record, Role, Settings, State,
    Status, Version, disk::Recovered, log::Log,
};

/// What a node is doing about the log.
#[derive(Clone, Debug)]
enum Part {
    Follower,
    Candidate(Candidacy),
    Leader(Box<Leadership>),
    Out,
}

#[derive(Clone, Debug)]
struct Candidacy {
    /// Only asking whether it would win.
    trial: bool,
    /// An operator wants it.
    promoted: bool,
    votes: BTreeSet<NodeId>,
}

/// One node of a leader-follower store.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    id: NodeId,
    nodes: u32,
    settings: Settings,
    random: Pcg64,
    now: Now,
    /// What this step wants done.
    effects: Vec<Effect>,

    epoch: u64,
    voted_for: Option<NodeId>,
    part: Part,
    /// Whom it takes for the leader of its epoch.
    leader: Option<NodeId>,
    /// When it last heard from that leader (or started).
    heard_ns: u64,
    election_deadline_ns: u64,

    log: Log,
    state: State,
    /// Up to where `state` shows the log.
    applied: u64,
    commit: u64,
    /// The leader of this epoch has another entry than this node in the part that this node has
    /// compacted.
    diverged: bool,

    durability: Durability,
    gateway: Gateway,
    transactions: Transactions,
}

const NS_PER_MS: u64 = 1_000_000;

impl Replica {
    pub(crate) fn start(
        id: NodeId,
        nodes: u32,
        settings: &Settings,
        seed: u64,
        disk: Vec<Record>,
        now: Now,
    ) -> Self {
        let first = disk.is_empty();
        let recovered = Recovered::read(disk);
        let snapshot = recovered.log.snapshot();
        let mut replica = Self {
            id,
            nodes,
            settings: settings.clone(),
            random: Pcg64::new(u128::from(seed), u128::from(id)),
            now,
            effects: Vec::new(),
            epoch: recovered.epoch,
            voted_for: recovered.voted_for,
            part: if recovered.out { Part::Out } else { Part::Follower },
            leader: None,
            heard_ns: now.monotonic_ns,
            election_deadline_ns: u64::MAX,
            state: snapshot.state.clone(),
            applied: snapshot.position,
            commit: snapshot.position,
            diverged: false,
            durability: Durability::default(),
            gateway: Gateway::new(recovered.epoch),
            transactions: Transactions::default(),
            log: recovered.log,
        };
        if recovered.out {
            return replica;
        }
        if !settings.acknowledge.applies_when_committed() {
            replica.apply_to(replica.log.last_position());
        }
        replica.postpone_election();
        if first {
            // Everyone starts as if node 0 had just been elected.
            replica.leader = Some(0);
            replica.enter_epoch(1, Some(0));
            if id == 0 {
                replica.after_disk(Needs::Promise, Deferred::Lead { epoch: 1 });
            }
        } else if settings.failover == Failover::None && id == 0 {
            replica.lead_without_votes();
        }
        replica
    }

    pub(crate) fn step(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        self.now = now;
        match input {
            Input::Message { from, message } => {
                if from < self.nodes && from != self.id {
                    self.on_message(from, message);
                }
            }
            Input::Request(request) => self.on_request(request),
            Input::Tick => self.on_tick(),
            Input::Synced => self.on_synced(),
            Input::Promote => self.on_promote(),
        }
        effects.append(&mut self.effects);
    }

    fn on_message(&mut self, from: NodeId, message: Message) {
        match message {
            Message::Replicate(replicate) => self.on_replicate(from, &replicate),
            Message::Replicated(replicated) => self.on_replicated(from, &replicated),
            Message::VoteRequest(request) => self.on_vote_request(from, request),
            Message::Vote(vote) => self.on_vote(from, vote),
            Message::Forward(forward) => self.on_forward(forward),
            Message::Answer(reply) => self.deliver(reply),
        }
    }

    fn on_tick(&mut self) {
        let now_ns = self.now.monotonic_ns;
        self.tick_durability();
        self.tick_gateway();
        self.tick_transactions();
        if self.leadership().is_some() {
            self.tick_leader();
        } else if now_ns >= self.election_deadline_ns && !matches!(self.part, Part::Out) {
            self.on_silence();
        }
    }

    pub(crate) fn deadline_ns(&self) -> u64 {
        if !self.effects.is_empty() {
            // What starting up wants done.
            return 0;
        }
        let part = match &self.part {
            Part::Leader(leadership) => leadership.deadline_ns(),
            Part::Follower | Part::Candidate(_) => self.election_deadline_ns,
            Part::Out => u64::MAX,
        };
        part.min(self.durability.deadline_ns())
            .min(self.gateway.deadline_ns())
            .min(self.transactions.deadline_ns())
    }

    pub(crate) fn status(&self) -> Status {
        Status {
            role: match self.part {
                Part::Follower => Role::Follower,
                Part::Candidate(_) => Role::Candidate,
                Part::Leader(_) => Role::Leader,
                Part::Out => Role::Out,
            },
            epoch: self.epoch,
            leader: self.leader,
            last: self.log.last(),
            commit_position: self.commit,
            applied: self.log.version_at(self.applied),
        }
    }

    fn leadership(&mut self) -> Option<&mut Leadership> {
        match &mut self.part {
            Part::Leader(leadership) => Some(leadership),
            _ => None,
        }
    }

    /// Whether this node, if it leads, believes that it was replaced when told so.
    fn heeds_higher_epochs(&self) -> bool {
        match &self.part {
            Part::Leader(leadership) => {
                self.settings.fencing == Fencing::Epoch || !leadership.ready(self.commit)
            }
            _ => true,
        }
    }

    /// Notes an epoch, and the vote in it, on the disk.
    fn enter_epoch(&mut self, epoch: u64, voted_for: Option<NodeId>) {
        if (self.epoch, self.voted_for) == (epoch, voted_for) {
            return;
        }
        if self.epoch != epoch {
            self.diverged = false;
        }
        self.epoch = epoch;
        self.voted_for = voted_for;
        self.write(Record::Epoch { epoch, voted_for });
    }

    /// Becomes a follower of an epoch at least as high as its own.
    fn follow(&mut self, epoch: u64, leader: Option<NodeId>) {
        self.abdicate();
        if epoch > self.epoch {
            self.enter_epoch(epoch, None);
        }
        self.leader = leader;
    }

    /// Applies the log up to a position and gives what came of the entry there.
    fn apply_to(&mut self, position: u64) -> (Outcome, Option<Version>) {
        let mut result = (Outcome::Written, None);
        while self.applied < position {
            let Some(entry) = self.log.entry(self.applied + 1) else { break };
            self.applied += 1;
            let version = Version { epoch: entry.epoch, position: self.applied };
            result = self.state.apply(version, &entry.operation);
        }
        result
    }

    fn majority(&self) -> usize {
        self.nodes as usize / 2 + 1
    }

    fn others(&self) -> impl Iterator<Item = NodeId> + use<> {
        let id = self.id;
        (0..self.nodes).filter(move |node| *node != id)
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.effects.push(Effect::Send { to, message });
    }

    fn election_timeout_ns(&self) -> u64 {
        self.settings.election_timeout_ms * NS_PER_MS
    }

    fn heartbeat_ns(&self) -> u64 {
        self.settings.heartbeat_ms * NS_PER_MS
    }

    fn postpone_election(&mut self) {
        let timeout_ns = self.election_timeout_ns();
        let random_ns = self.random.random_range(timeout_ns..2 * timeout_ns);
        self.election_deadline_ns = self.now.monotonic_ns.saturating_add(random_ns);
    }
}
