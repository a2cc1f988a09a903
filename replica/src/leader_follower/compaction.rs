//! Keeping the log short.

use super::Replica;

impl Replica {
    /// Moves the older entries into the snapshot once there are more than `snapshot-after`.
    ///
    /// The newer half stays, for followers that are a little behind. Only committed entries go,
    /// because what is in the snapshot cannot be truncated. In the modes that apply entries before
    /// they are committed, a node that is cut off from a majority would then keep its whole log;
    /// after four times `snapshot-after` it compacts what is not committed, too, and will need
    /// another node's snapshot if that turns out to differ.
    pub(super) fn compact(&mut self) {
        let limit = self.settings.snapshot_after;
        let kept = self.log.kept();
        if kept <= limit {
            return;
        }
        let last = self.log.last_position();
        let half = (limit / 2).max(1);
        let target = if kept > limit.saturating_mul(4) {
            self.applied.min(last - limit)
        } else {
            self.applied.min(self.commit).min(last - limit / 2)
        };
        if target >= self.log.snapshot().position + half {
            self.log.compact(target);
            self.rewrite_disk();
        }
    }
}
