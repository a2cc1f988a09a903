//! The semaphore: held by so many at a time (Dijkstra 1965).

use perjury_history::{Names, Operation};

use super::mutex::LockOperation;
use crate::linearizability::object::{SequentialObject, Unfit};

/// A semaphore with a number of permits, all of them free at first. Permits are alike: who gives one
/// back need not have taken it.
#[derive(Clone, Copy, Debug)]
pub struct Semaphore {
    permits: u32,
}

impl Semaphore {
    /// With so many permits.
    pub fn new(permits: u32) -> Self {
        Self { permits }
    }
}

impl SequentialObject for Semaphore {
    /// How many permits are taken.
    type State = u32;
    type Operation = LockOperation;

    fn name(&self) -> &'static str {
        "semaphore"
    }

    fn operation(&self, asked: &Operation<'_>) -> Result<Option<LockOperation>, Unfit> {
        LockOperation::of(asked).map(Some)
    }

    fn initial(&self) -> u32 {
        0
    }

    fn step(&self, taken: &u32, operation: &LockOperation) -> Option<u32> {
        match operation {
            LockOperation::Lock => (*taken < self.permits).then(|| taken + 1),
            LockOperation::Unlock => taken.checked_sub(1),
        }
    }

    fn describe(&self, taken: &u32, _names: &Names) -> String {
        format!("{} of {} permits", self.permits - taken, self.permits)
    }
}
