//! A client's request to a node, and the wait for its answer.

use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll, Waker};

use perjury_history::NodeId;
use thiserror::Error;

use super::{Payload, SimulatedLab};

/// Names a request within its lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// No process listened: the request was certainly not executed.
    #[error("connection refused")]
    Refused,
    /// The process died after it had accepted the connection: the request may have been executed.
    #[error("connection reset")]
    Reset,
    /// No answer came in time: the request may have been executed, or may yet be.
    #[error("timeout")]
    Timeout,
}

/// One open request.
pub(super) struct OpenCall {
    pub(super) node: NodeId,
    pub(super) answer: Option<Result<Payload, CallError>>,
    pub(super) waker: Option<Waker>,
}

/// Completes with the node's answer. Dropping it forgets the request; the node may execute it.
pub struct Call {
    pub(super) lab: SimulatedLab,
    pub(super) id: CallId,
}

impl Future for Call {
    type Output = Result<Payload, CallError>;

    fn poll(self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Self::Output> {
        let mut world = self.lab.world();
        let call = world.calls.get_mut(&self.id).expect("a call is forgotten only when dropped");
        match call.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                call.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.lab.world().forget_call(self.id);
    }
}
