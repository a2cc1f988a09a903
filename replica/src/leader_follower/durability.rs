//! What must not be said before the disk has it.
//!
//! Group commit: at most one sync is outstanding, and it covers everything written before it was
//! asked for. What depends on a write waits for the first sync that covers it, in order.
//!
//! A deferred message may go out after the node has moved on to another epoch. That is sound: it
//! says what was true when the entry was received or the vote was cast, exactly as if the network
//! had delayed it.

use std::collections::VecDeque;

use super::{NS_PER_MS, Replica};
use crate::{Effect, Fsync, Message, NodeId, Record};

/// Something that waits for the disk.
#[derive(Clone, Debug)]
pub(super) enum Deferred {
    /// A message to another node.
    Send { to: NodeId, message: Message },
    /// The leader's own copy of its log counts.
    OwnCopy { epoch: u64, position: u64 },
    /// The epoch to stand for is noted: ask for votes.
    Campaign { epoch: u64 },
    /// The epoch to lead without votes is noted: lead.
    Lead { epoch: u64 },
}

/// What kind of write something depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Log entries: with `fsync = "periodic"` nobody waits for those.
    Log,
    /// An epoch or a vote: always waited for.
    Promise,
}

/// Counts what was written and what is durable.
#[derive(Clone, Debug, Default)]
pub(super) struct Durability {
    written: u64,
    durable: u64,
    /// The sync that is outstanding covers this many writes.
    syncing: Option<u64>,
    deferred: VecDeque<(u64, Deferred)>,
    /// When the next periodic sync is due.
    periodic_ns: Option<u64>,
}

impl Durability {
    pub(super) fn deadline_ns(&self) -> u64 {
        self.periodic_ns.unwrap_or(u64::MAX)
    }
}

impl Replica {
    pub(super) fn write(&mut self, record: Record) {
        self.effects.push(Effect::Write(record));
        self.wrote();
    }

    /// Replaces the whole disk by what is in memory.
    pub(super) fn rewrite_disk(&mut self) {
        let snapshot = self.log.snapshot();
        let first = snapshot.position + 1;
        let mut records = vec![
            Record::Epoch { epoch: self.epoch, voted_for: self.voted_for },
            Record::Snapshot(snapshot.clone()),
        ];
        let entries = self.log.range(first, u64::MAX);
        if !entries.is_empty() {
            records.push(Record::Append { position: first, entries });
        }
        self.effects.push(Effect::Rewrite(records));
        self.wrote();
    }

    fn wrote(&mut self) {
        self.durability.written += 1;
        if self.settings.fsync == Fsync::Periodic && self.durability.periodic_ns.is_none() {
            let interval_ns = self.settings.fsync_interval_ms * NS_PER_MS;
            self.durability.periodic_ns = Some(self.now.monotonic_ns.saturating_add(interval_ns));
        }
    }

    /// Does something once everything written so far is on the disk, as far as it needs that.
    pub(super) fn after_disk(&mut self, needs: Needs, deferred: Deferred) {
        let nobody_waits = needs == Needs::Log && self.settings.fsync == Fsync::Periodic;
        if nobody_waits || self.durability.durable == self.durability.written {
            self.proceed(deferred);
        } else {
            self.durability.deferred.push_back((self.durability.written, deferred));
            self.sync();
        }
    }

    fn sync(&mut self) {
        if self.durability.syncing.is_none() {
            self.durability.syncing = Some(self.durability.written);
            self.effects.push(Effect::Sync);
        }
    }

    pub(super) fn on_synced(&mut self) {
        let Some(covered) = self.durability.syncing.take() else { return };
        self.durability.durable = covered;
        if covered == self.durability.written {
            self.durability.periodic_ns = None;
        }
        while let Some((_, deferred)) =
            self.durability.deferred.pop_front_if(|(written, _)| *written <= covered)
        {
            self.proceed(deferred);
        }
        if !self.durability.deferred.is_empty() {
            self.sync();
        }
    }

    pub(super) fn tick_durability(&mut self) {
        if self.durability.deadline_ns() <= self.now.monotonic_ns {
            let interval_ns = self.settings.fsync_interval_ms * NS_PER_MS;
            self.durability.periodic_ns = Some(self.now.monotonic_ns.saturating_add(interval_ns));
            self.sync();
        }
    }

    fn proceed(&mut self, deferred: Deferred) {
        match deferred {
            Deferred::Send { to, message } => self.send(to, message),
            Deferred::OwnCopy { epoch, position } if epoch == self.epoch => {
                self.on_own_copy(position);
            }
            Deferred::Campaign { epoch } if epoch == self.epoch => self.ask_for_votes(),
            Deferred::Lead { epoch } if epoch == self.epoch => self.lead(),
            // The node has moved on to a higher epoch.
            _ => {}
        }
    }
}
