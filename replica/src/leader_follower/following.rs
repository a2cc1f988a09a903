//! What a follower does with what the leader sends.

use std::sync::Arc;

use super::{
    Part, Replica,
    durability::{Deferred, Needs},
};
use crate::{
    Entry, Message, NodeId, Payload, Progress, Record, Rejoin, Replicate, Replicated, Stamp,
    Version,
};

impl Replica {
    pub(super) fn on_replicate(&mut self, from: NodeId, replicate: &Replicate) {
        let stamp = replicate.stamp;
        if matches!(self.part, Part::Out) {
            return;
        }
        if replicate.epoch < self.epoch {
            self.report(from, stamp, Progress::Elsewhere);
            return;
        }
        if matches!(self.part, Part::Leader(_))
            && (replicate.epoch == self.epoch || !self.heeds_higher_epochs())
        {
            return;
        }
        self.follow(replicate.epoch, Some(from));
        self.heard_ns = self.now.monotonic_ns;
        self.postpone_election();
        let progress = match &replicate.payload {
            Payload::Entries { previous, entries } => self.receive(*previous, entries),
            Payload::Snapshot(snapshot) => self.receive_snapshot(snapshot),
        };
        // None: it is out.
        let Some(progress) = progress else { return };
        if let Progress::Matched { position } = progress {
            self.commit = self.commit.max(replicate.commit.min(position));
            let visible = if self.settings.acknowledge.applies_when_committed() {
                self.commit
            } else {
                self.log.last_position()
            };
            self.apply_to(visible);
            self.compact();
        }
        self.report(from, stamp, progress);
    }

    /// Answers the leader: what it has, as soon as it has it durably.
    fn report(&mut self, to: NodeId, stamp: Stamp, progress: Progress) {
        let message = Message::Replicated(Replicated {
            epoch: self.epoch,
            stamp,
            last: self.log.last(),
            progress,
        });
        if matches!(progress, Progress::Matched { .. }) {
            self.after_disk(Needs::Log, Deferred::Send { to, message });
        } else {
            self.send(to, message);
        }
    }

    /// Takes entries that follow `previous` in the leader's log.
    fn receive(&mut self, previous: Version, entries: &Arc<[Entry]>) -> Option<Progress> {
        let last = self.log.last_position();
        if previous.position > last {
            return Some(Progress::Behind { next: last + 1 });
        }
        let by_position = self.settings.rejoin == Rejoin::Keep;
        if !by_position && !self.log.contains(previous) {
            return self.on_conflict(previous.position);
        }
        let mut position = previous.position;
        let mut known = 0;
        for entry in entries.iter() {
            if position == last {
                break;
            }
            position += 1;
            if !by_position && self.log.version_at(position).epoch != entry.epoch {
                if let Some(progress) = self.on_conflicting_entry(position)? {
                    return Some(progress);
                }
                break;
            }
            known += 1;
        }
        if known < entries.len() {
            self.append_all(entries, known);
        }
        Some(Progress::Matched { position: previous.position + entries.len() as u64 })
    }

    /// Appends the entries but the first `known`.
    fn append_all(&mut self, entries: &Arc<[Entry]>, known: usize) {
        let position = self.log.last_position() + 1;
        for entry in &entries[known..] {
            self.log.append(entry.clone());
        }
        let entries = if known == 0 { entries.clone() } else { entries[known..].into() };
        self.write(Record::Append { position, entries });
    }
}
