//! The fenced lock: held by one at a time, each time with a larger token (Kleppmann 2016).

use perjury_history::{MicroOp, Names, Operation, Value};

use crate::linearizability::object::{SequentialObject, Unfit};

/// What is done with a fenced lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FencedLockOperation {
    /// It was taken and brought this token, if it is known.
    Acquire(Option<Value>),
    /// It was given back by who had this token.
    Release(Value),
}

/// What a fenced lock holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fence {
    /// The largest token that is known to have been given.
    pub last: Option<Value>,
    /// Whether it is held by somebody, and by whom it can be given back: who took it without
    /// learning the token cannot.
    pub holder: Option<Option<Value>>,
}

/// A lock without leases: only who has its token gives it back. Each acquisition brings a larger
/// token than all before it; free at first. (Where leases expire, use the
/// [`Locks`](crate::Locks) checker: there a new holder is no contradiction.)
#[derive(Clone, Copy, Debug, Default)]
pub struct FencedLock;

impl SequentialObject for FencedLock {
    type State = Fence;
    type Operation = FencedLockOperation;

    fn name(&self) -> &'static str {
        "fenced-lock"
    }

    fn operation(&self, asked: &Operation<'_>) -> Result<Option<FencedLockOperation>, Unfit> {
        match asked.single() {
            Some(&MicroOp::Acquire { token, .. }) => Ok(Some(FencedLockOperation::Acquire(token))),
            Some(&MicroOp::Release { token, .. }) => Ok(Some(FencedLockOperation::Release(token))),
            _ => Err(Unfit),
        }
    }

    fn initial(&self) -> Fence {
        Fence::default()
    }

    fn step(&self, state: &Fence, operation: &FencedLockOperation) -> Option<Fence> {
        let Fence { last, holder } = *state;
        match (*operation, holder) {
            (FencedLockOperation::Acquire(None), None) => Some(Fence { last, holder: Some(None) }),
            (FencedLockOperation::Acquire(token), None) => {
                (token > last).then_some(Fence { last: token, holder: Some(token) })
            }
            (FencedLockOperation::Release(token), Some(Some(held))) => {
                (token == held).then_some(Fence { last, holder: None })
            }
            _ => None,
        }
    }

    fn describe(&self, state: &Fence, _names: &Names) -> String {
        let last = match state.last {
            None => "no token had been given".to_owned(),
            Some(last) => format!("the last token was {last}"),
        };
        match state.holder {
            None => format!("no lock of anybody; {last}"),
            Some(None) => format!("the lock of a client that never learnt its token; {last}"),
            Some(Some(token)) => format!("the lock with token {token}"),
        }
    }
}
