//! Who leads: time-outs, votes, and operators.
//!
//! Elections are Raft's, with a trial round first (pre-vote), and voters that still hear from a
//! leader do not vote (leader stickiness, section 4.2.3 of Ongaro's thesis), on which leases rely.
//! An operator's promotion with automatic failover is an election that stickiness does not stop,
//! except where leases rely on it.

use std::{collections::BTreeSet, mem};

use super::{
    Candidacy, Part, Replica,
    durability::{Deferred, Needs},
    leading::Leadership,
};
use crate::{Failover, LeaderReads, Message, NodeId, Promote, Vote, VoteRequest};

impl Replica {
    /// The election time-out passed without a word from the leader.
    pub(super) fn on_silence(&mut self) {
        self.leader = None;
        if self.settings.failover == Failover::Automatic {
            self.postpone_election();
            self.stand(true, false);
        } else {
            self.election_deadline_ns = u64::MAX;
        }
    }

    pub(super) fn on_promote(&mut self) {
        if matches!(self.part, Part::Leader(_) | Part::Out) {
            return;
        }
        match self.settings.failover {
            // There is no failover, by an operator or otherwise.
            Failover::None => {}
            Failover::Manual => self.lead_without_votes(),
            Failover::Automatic => {
                self.postpone_election();
                self.stand(false, true);
            }
        }
    }

    /// Notes the next epoch that no other node may choose, then leads it.
    pub(super) fn lead_without_votes(&mut self) {
        let nodes = u64::from(self.nodes);
        let next = self.epoch + 1;
        let epoch = next + (u64::from(self.id) + nodes - next % nodes) % nodes;
        self.leader = None;
        self.enter_epoch(epoch, Some(self.id));
        self.after_disk(Needs::Promise, Deferred::Lead { epoch });
    }

    /// Stands for election, for the next epoch.
    fn stand(&mut self, trial: bool, promoted: bool) {
        self.leader = None;
        let mut candidacy = Candidacy { trial, promoted, votes: BTreeSet::new() };
        if trial {
            candidacy.votes.insert(self.id);
            self.part = Part::Candidate(candidacy);
            self.request_votes(self.epoch + 1);
            self.count_votes();
        } else {
            self.part = Part::Candidate(candidacy);
            self.enter_epoch(self.epoch + 1, Some(self.id));
            self.after_disk(Needs::Promise, Deferred::Campaign { epoch: self.epoch });
        }
    }

    /// The candidate's own vote is on its disk.
    pub(super) fn ask_for_votes(&mut self) {
        if let Part::Candidate(candidacy) = &mut self.part
            && !candidacy.trial
        {
            candidacy.votes.insert(self.id);
            self.request_votes(self.epoch);
            self.count_votes();
        }
    }

    fn request_votes(&mut self, epoch: u64) {
        let Part::Candidate(Candidacy { trial, promoted, .. }) = self.part else { return };
        let request = VoteRequest { epoch, trial, promoted, last: self.log.last() };
        for to in self.others() {
            self.send(to, Message::VoteRequest(request));
        }
    }

    pub(super) fn on_vote_request(&mut self, from: NodeId, request: VoteRequest) {
        let lease = self.settings.leader_reads() == LeaderReads::Lease;
        if self.settings.failover != Failover::Automatic
            || matches!(self.part, Part::Out)
            || !self.heeds_higher_epochs()
            || self.in_contact() && (lease || !request.promoted)
        {
            return;
        }
        if !request.trial && request.epoch > self.epoch {
            self.follow(request.epoch, None);
        }
        let up_to_date = self.settings.promote == Promote::Any || request.last >= self.log.last();
        let free = if request.trial {
            request.epoch > self.epoch
        } else {
            request.epoch == self.epoch && self.voted_for.is_none_or(|voted| voted == from)
        };
        let granted = up_to_date && free;
        let vote = Message::Vote(Vote {
            epoch: self.epoch,
            requested: request.epoch,
            trial: request.trial,
            granted,
        });
        if granted && !request.trial {
            self.enter_epoch(request.epoch, Some(from));
            self.postpone_election();
            self.after_disk(Needs::Promise, Deferred::Send { to: from, message: vote });
        } else {
            self.send(from, vote);
        }
    }

    /// Whether there is a leader that does its work: then nobody else gets a vote.
    fn in_contact(&self) -> bool {
        let now_ns = self.now.monotonic_ns;
        let timeout_ns = self.election_timeout_ns();
        match &self.part {
            Part::Leader(leadership) => leadership.contacts(now_ns, timeout_ns) >= self.majority(),
            // A node that has just started may have promised contact before.
            _ => now_ns < self.heard_ns.saturating_add(timeout_ns),
        }
    }

    pub(super) fn on_vote(&mut self, from: NodeId, vote: Vote) {
        if vote.epoch > self.epoch {
            if self.heeds_higher_epochs() && !matches!(self.part, Part::Out) {
                self.follow(vote.epoch, None);
            }
            return;
        }
        let Part::Candidate(candidacy) = &mut self.part else { return };
        let asked = if candidacy.trial { self.epoch + 1 } else { self.epoch };
        if vote.granted && vote.trial == candidacy.trial && vote.requested == asked {
            candidacy.votes.insert(from);
            self.count_votes();
        }
    }

    fn count_votes(&mut self) {
        let Part::Candidate(candidacy) = &self.part else { return };
        if candidacy.votes.len() < self.majority() {
            return;
        }
        if candidacy.trial {
            let promoted = candidacy.promoted;
            self.stand(false, promoted);
        } else {
            self.lead();
        }
    }

    /// Begins to lead the current epoch.
    pub(super) fn lead(&mut self) {
        if matches!(self.part, Part::Out | Part::Leader(_)) {
            return;
        }
        self.leader = Some(self.id);
        self.part = Part::Leader(Box::new(Leadership::new(
            self.id,
            self.nodes,
            self.log.last_position() + 1,
            self.epoch == 1,
            self.now,
        )));
        self.begin_epoch();
    }

    /// Stops leading or standing, if it does.
    pub(super) fn abdicate(&mut self) {
        if matches!(self.part, Part::Follower) {
            return;
        }
        if let Part::Leader(leadership) = mem::replace(&mut self.part, Part::Follower) {
            self.leader = None;
            self.disappoint(*leadership);
            self.abandon_transactions();
        }
        self.postpone_election();
    }
}
