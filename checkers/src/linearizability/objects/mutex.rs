//! The mutex: held by one at a time.

use perjury_history::{MicroOp, Names, Operation};

use crate::linearizability::object::{SequentialObject, Unfit};

/// What is done with a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockOperation {
    /// It was taken.
    Lock,
    /// It was given back.
    Unlock,
}

impl LockOperation {
    /// # Errors
    /// If it is nothing that a lock is asked.
    pub(super) fn of(asked: &Operation<'_>) -> Result<Self, Unfit> {
        match asked.single() {
            Some(MicroOp::Lock { .. }) => Ok(LockOperation::Lock),
            Some(MicroOp::Unlock { .. }) => Ok(LockOperation::Unlock),
            _ => Err(Unfit),
        }
    }
}

/// A mutex that anybody may give back who knows that it is held; free at first. It is a
/// [`Semaphore`](super::semaphore::Semaphore) of one permit.
///
/// A pass does not prove that two clients never *believed* to hold it: a client whose lock was taken
/// away does not stand in the history.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutex;

impl SequentialObject for Mutex {
    /// Whether it is held.
    type State = bool;
    type Operation = LockOperation;

    fn name(&self) -> &'static str {
        "mutex"
    }

    fn operation(&self, asked: &Operation<'_>) -> Result<Option<LockOperation>, Unfit> {
        LockOperation::of(asked).map(Some)
    }

    fn initial(&self) -> bool {
        false
    }

    fn step(&self, is_held: &bool, operation: &LockOperation) -> Option<bool> {
        let locks = *operation == LockOperation::Lock;
        (*is_held != locks).then_some(locks)
    }

    fn describe(&self, is_held: &bool, _names: &Names) -> String {
        if *is_held { "the lock of a client" } else { "no lock of anybody" }.to_owned()
    }
}
