//! The re-entrant mutex: held by one process at a time, as often as it likes.

use perjury_history::{Names, Operation, Process};

use super::mutex::LockOperation;
use crate::linearizability::object::{SequentialObject, Unfit};

/// A mutex that knows its holder, who may take it again and must give it back as often; free at
/// first. A holder is a process of the history.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReentrantMutex {
    /// How often it can be taken at once; as often as one likes if `None`.
    limit: Option<u32>,
}

impl ReentrantMutex {
    /// One that can be taken at most so often at once.
    pub fn with_limit(limit: u32) -> Self {
        Self { limit: Some(limit) }
    }
}

/// Who has it, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// The holder.
    pub by: Process,
    /// How often it must be given back.
    pub times: u32,
}

impl SequentialObject for ReentrantMutex {
    type State = Option<Held>;
    type Operation = (Process, LockOperation);

    fn name(&self) -> &'static str {
        "reentrant-mutex"
    }

    fn operation(&self, asked: &Operation<'_>) -> Result<Option<Self::Operation>, Unfit> {
        LockOperation::of(asked).map(|operation| Some((asked.process, operation)))
    }

    fn initial(&self) -> Option<Held> {
        None
    }

    fn step(&self, state: &Option<Held>, operation: &Self::Operation) -> Option<Option<Held>> {
        let (process, operation) = *operation;
        let times = match state {
            None => 0,
            Some(held) if held.by == process => held.times,
            Some(_) => return None,
        };
        let times = match operation {
            LockOperation::Lock => times + 1,
            LockOperation::Unlock => times.checked_sub(1)?,
        };
        let held = (times > 0).then_some(Held { by: process, times });
        self.limit.is_none_or(|limit| times <= limit).then_some(held)
    }

    fn grows(&self) -> bool {
        self.limit.is_none()
    }

    fn describe(&self, state: &Option<Held>, _names: &Names) -> String {
        match state {
            None => "no lock of anybody".to_owned(),
            Some(Held { by, times: 1 }) => format!("the lock of {by}"),
            Some(Held { by, times }) => format!("the lock of {by}, taken {times} times"),
        }
    }
}
