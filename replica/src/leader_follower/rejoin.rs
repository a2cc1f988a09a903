//! When a node's log is not a prefix of the leader's.
//!
//! That is how an old leader comes back, and in the weak acknowledge modes what it must drop may
//! have been acknowledged. A log differs if it has an entry of another epoch than the leader's at
//! some position; since every leader begins its epoch with an entry of its own, a longer log
//! differs, too.
//!
//! `truncate` drops the entries from the first difference on, and the registers are built anew
//! from the snapshot. Where the difference is in the part that was compacted, the node takes the
//! leader's snapshot instead of all it has. (With the default settings only uncommitted entries
//! can differ, and only committed ones are compacted.)
//!
//! `keep` compares positions only: it skips entries at positions it has, whatever they are, and
//! appends the others. Only a node so far behind that it is sent a snapshot loses its own.
//!
//! `refuse` takes the node out, durably. With `acknowledge = "quorum"` an ordinary leader crash
//! can leave entries that nobody was promised; that takes the node out as well: safe, at a price.

use std::sync::Arc;

use super::{Part, Replica};
use crate::{Progress, Record, Rejoin, Snapshot};

impl Replica {
    /// The leader has another entry than this node at a position before the ones it sent. `None`
    /// if the node is out.
    pub(super) fn on_conflict(&mut self, position: u64) -> Option<Progress> {
        if self.settings.rejoin == Rejoin::Refuse {
            self.leave();
            return None;
        }
        let compacted = self.log.snapshot().position;
        if position <= compacted {
            self.diverged = true;
            return Some(Progress::Diverged);
        }
        // None of this epoch's entries are likely to be the leader's.
        let next = self.log.run_start(position).max(compacted + 1);
        Some(Progress::Behind { next })
    }

    /// The leader's entry for a position is another one than this node's. `None` if the node is
    /// out, an answer if it cannot take the entry, else it has made room for it.
    pub(super) fn on_conflicting_entry(&mut self, position: u64) -> Option<Option<Progress>> {
        if self.settings.rejoin == Rejoin::Refuse || position <= self.log.snapshot().position {
            return self.on_conflict(position).map(Some);
        }
        self.truncate_from(position);
        Some(None)
    }

    fn truncate_from(&mut self, position: u64) {
        self.log.truncate_from(position);
        self.commit = self.commit.min(position - 1);
        if self.applied >= position {
            self.state = self.log.snapshot().state.clone();
            self.applied = self.log.snapshot().position;
            self.apply_to(position - 1);
        }
    }

    /// Takes a snapshot if it is news. `None` if the node is out.
    pub(super) fn receive_snapshot(&mut self, snapshot: &Arc<Snapshot>) -> Option<Progress> {
        let last = self.log.last_position();
        let matched = Progress::Matched { position: snapshot.position };
        let common = last.min(snapshot.position);
        let differs = self.settings.rejoin != Rejoin::Keep
            && (self.diverged || self.log.version_at(common).epoch != snapshot.epoch_at(common));
        if differs && self.settings.rejoin == Rejoin::Refuse {
            self.leave();
            return None;
        }
        if differs || snapshot.position > last {
            self.log.reset(snapshot.clone());
            self.state = snapshot.state.clone();
            self.applied = snapshot.position;
            self.commit = snapshot.position;
            self.diverged = false;
            self.rewrite_disk();
        }
        Some(matched)
    }

    fn leave(&mut self) {
        self.part = Part::Out;
        self.leader = None;
        self.election_deadline_ns = u64::MAX;
        self.write(Record::Out);
    }
}
