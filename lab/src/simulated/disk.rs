//! A disk that keeps what was synced and may lose the rest.

use std::collections::VecDeque;

use rand::RngExt;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::Payload;

/// How fast disks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DiskSettings {
    /// Shortest time that a sync takes, in microseconds.
    pub sync_min_us: u64,
    /// Longest time that a sync takes, in microseconds.
    pub sync_max_us: u64,
}

impl Default for DiskSettings {
    /// A solid-state disk: 100 to 400 microseconds.
    fn default() -> Self {
        Self { sync_min_us: 100, sync_max_us: 400 }
    }
}

impl DiskSettings {
    /// Whether the figures make sense.
    ///
    /// # Errors
    /// If the times are turned round or over a minute.
    pub fn check(&self) -> Result<(), String> {
        const MINUTE_US: u64 = 60_000_000;
        let Self { sync_min_us, sync_max_us } = *self;
        if sync_min_us > sync_max_us || sync_max_us > MINUTE_US {
            return Err(format!(
                "expected a disk with sync-min-us <= sync-max-us <= {MINUTE_US}, found \
                 {sync_min_us} and {sync_max_us}"
            ));
        }
        Ok(())
    }
}

enum Change {
    Append(Payload),
    Replace(Vec<Payload>),
}

/// One machine's disk.
#[derive(Default)]
pub(super) struct Disk {
    durable: Vec<Payload>,
    /// Not yet durable, oldest first.
    pending: VecDeque<Change>,
    /// How many of `pending` the sync under way makes durable.
    syncing: Option<usize>,
}

impl Disk {
    pub(super) fn append(&mut self, record: Payload) {
        self.pending.push_back(Change::Append(record));
    }

    pub(super) fn replace(&mut self, records: Vec<Payload>) {
        self.pending.push_back(Change::Replace(records));
    }

    /// Begins a sync; its end is [`Disk::synced`].
    ///
    /// # Panics
    /// If one is under way already: programs wait for its end.
    pub(super) fn sync(&mut self) {
        assert!(self.syncing.is_none(), "a program has at most one sync under way");
        self.syncing = Some(self.pending.len());
    }

    pub(super) fn synced(&mut self) {
        let count = self.syncing.take().unwrap_or(0);
        self.settle(count);
    }

    /// The process is gone, the machine is not: what was written will reach the disk.
    pub(super) fn process_died(&mut self) {
        self.syncing = None;
        self.settle(self.pending.len());
    }

    /// Power is lost. Of what was not synced, a random number of the oldest changes had reached
    /// the disk all the same. Returns how many changes were lost.
    pub(super) fn power_lost(&mut self, rng: &mut Pcg64) -> usize {
        self.syncing = None;
        self.settle(rng.random_range(0..=self.pending.len()));
        let lost = self.pending.len();
        self.pending.clear();
        lost
    }

    pub(super) fn wipe(&mut self) {
        *self = Self::default();
    }

    /// What a process finds there when it starts. It was not running, so nothing is pending.
    pub(super) fn records(&self) -> Vec<Payload> {
        self.durable.clone()
    }

    fn settle(&mut self, count: usize) {
        for change in self.pending.drain(..count) {
            match change {
                Change::Append(record) => self.durable.push(record),
                Change::Replace(records) => self.durable = records,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn records(disk: &Disk) -> Vec<i32> {
        let values = disk.records().into_iter().map(|it| *it.downcast::<i32>().expect("an i32"));
        values.collect()
    }

    #[test]
    fn power_loss_keeps_what_was_synced_and_a_prefix_of_the_rest() {
        for seed in 0..100 {
            let mut disk = Disk::default();
            disk.append(Arc::new(1));
            disk.append(Arc::new(2));
            disk.sync();
            disk.append(Arc::new(3));
            disk.synced();
            disk.append(Arc::new(4));
            let lost = disk.power_lost(&mut Pcg64::new(seed, 0));
            assert_eq!(records(&disk), (1..=4 - lost as i32).collect::<Vec<_>>(), "seed {seed}");
            assert!(lost <= 2, "seed {seed}");
        }
    }

    #[test]
    fn an_unfinished_sync_promises_nothing() {
        let everything_lost = (0..100).any(|seed| {
            let mut disk = Disk::default();
            disk.append(Arc::new(1));
            disk.sync();
            disk.power_lost(&mut Pcg64::new(seed, 0)) == 1
        });
        assert!(everything_lost);
    }

    #[test]
    fn a_replacement_is_all_or_nothing() {
        for seed in 0..20 {
            let mut disk = Disk::default();
            disk.append(Arc::new(1));
            disk.sync();
            disk.synced();
            disk.replace(vec![Arc::new(7), Arc::new(8)]);
            let expected = match disk.power_lost(&mut Pcg64::new(seed, 0)) {
                0 => vec![7, 8],
                _ => vec![1],
            };
            assert_eq!(records(&disk), expected, "seed {seed}");
        }
    }

    #[test]
    fn a_killed_process_loses_nothing_it_had_written() {
        let mut disk = Disk::default();
        disk.append(Arc::new(1));
        disk.process_died();
        assert_eq!(records(&disk), [1]);
    }
}
