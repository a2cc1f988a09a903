//! How replicas answer reads.

use super::{NS_PER_MS, Part, Replica};
use crate::transaction::View;
use crate::{Command, LeaderReads, NodeId, Outcome, Refusal, Reply, Request, Version};

/// A read that waits for a majority to confirm the leader.
#[derive(Clone, Debug)]
pub(super) struct WaitingRead {
    /// The round of confirmations that began after it arrived.
    round: u64,
    /// What must be applied first.
    position: u64,
    pub(super) gateway: NodeId,
    pub(super) request: Request,
    pub(super) since_ns: u64,
}

impl Replica {
    /// Reads as the leader, in the way the settings say.
    pub(super) fn read_as_leader(&mut self, gateway: NodeId, request: Request) {
        let confirmed = match self.settings.leader_reads() {
            LeaderReads::Local => true,
            LeaderReads::Lease => self.holds_lease(),
            LeaderReads::Confirmed => false,
        };
        let serves = match &self.part {
            Part::Leader(leadership) => leadership.ready(self.commit),
            _ => false,
        };
        if !serves {
            let reply = self.reply(&request, Outcome::Refused(Refusal::NotLeader));
            self.answer(gateway, reply);
        } else if confirmed {
            self.read_here(gateway, request);
        } else {
            self.confirm_then_read(gateway, request);
        }
    }

    /// Whether nobody else can have been elected, judging by the wall clock. A tenth of the
    /// election time-out is left for clocks that drift apart.
    fn holds_lease(&mut self) -> bool {
        let wall_ns = self.now.wall_ns;
        let lease_ns = self.election_timeout_ns() / 10 * 9;
        let applied = self.applied;
        let Some(leadership) = self.leadership() else { return false };
        let contact_ns = leadership.contact_wall_ns(wall_ns);
        applied >= leadership.start && wall_ns < contact_ns.saturating_add(lease_ns)
    }

    /// `ReadIndex`: what is committed now, or by the leader's first entry, is what the read must
    /// see, and a majority must confirm the leader after now.
    fn confirm_then_read(&mut self, gateway: NodeId, request: Request) {
        let commit = self.commit;
        let since_ns = self.now.monotonic_ns;
        let Some(leadership) = self.leadership() else { return };
        if leadership.round_sent {
            leadership.round += 1;
            leadership.round_sent = false;
        }
        let (round, position) = (leadership.round, commit.max(leadership.start));
        leadership.reads.push_back(WaitingRead { round, position, gateway, request, since_ns });
        self.pump_all();
        self.serve_waiting_reads();
    }

    pub(super) fn serve_waiting_reads(&mut self) {
        let applied = self.applied;
        let Some(leadership) = self.leadership() else { return };
        if leadership.reads.is_empty() {
            return;
        }
        let confirmed = leadership.confirmed_round();
        while let Some(read) = self.leadership().and_then(|leadership| {
            leadership
                .reads
                .pop_front_if(|read| read.round <= confirmed && read.position <= applied)
        }) {
            self.read_here(read.gateway, read.request);
        }
    }

    /// Reads what this node has applied.
    pub(super) fn read_here(&mut self, gateway: NodeId, request: Request) {
        if self.takes_steps(&request.command) {
            self.begin_transaction(gateway, request);
            return;
        }
        let reply = self.local_read(&request);
        self.answer(gateway, reply);
    }

    pub(super) fn local_read(&self, request: &Request) -> Reply {
        let (outcome, version) = match request.command {
            Command::Transaction(ref steps) => {
                let view = View { state: &self.state, dirty: Vec::new() };
                let found = view.run(steps).map(|(_, found)| found);
                (found.map_or(Outcome::Mismatch, Outcome::Committed), None)
            }
            Command::Read { key } | Command::Inspect { key } => {
                let cell = self.state.get(key);
                (Outcome::Read(cell.map(|cell| cell.value)), cell.map(|cell| cell.version))
            }
            Command::ReadSet { key } | Command::InspectSet { key } => {
                let set = self.state.set(key);
                let elements = set.into_iter().flat_map(|set| &set.elements).copied().collect();
                (Outcome::Elements(elements), set.map(|set| set.version))
            }
            Command::Write { .. }
            | Command::Cas { .. }
            | Command::Increment { .. }
            | Command::Add { .. }
            | Command::Acquire { .. }
            | Command::Release { .. } => (Outcome::Read(None), None),
        };
        Reply { version, ..self.reply(request, outcome) }
    }

    /// Whether it has applied everything that a session has seen, and not merely as much of
    /// another lineage.
    pub(super) fn has_seen(&self, seen: Version) -> bool {
        seen.position <= self.applied && self.log.contains(seen)
    }

    /// A reply from this node as it is now.
    pub(super) fn reply(&self, request: &Request, outcome: Outcome) -> Reply {
        Reply {
            client: request.client,
            number: request.number,
            outcome,
            served_by: self.id,
            epoch: self.epoch,
            applied: self.log.version_at(self.applied),
            version: None,
        }
    }

    /// How long cached values and windows last, from now.
    pub(super) fn in_ms(&self, ms: u64) -> u64 {
        self.now.monotonic_ns.saturating_add(ms * NS_PER_MS)
    }
}
