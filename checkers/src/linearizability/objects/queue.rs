//! The first-in-first-out queue: enqueue, dequeue.

use std::collections::VecDeque;

use perjury_history::{Names, Operation, Value};

use super::container::{self, ContainerOperation};
use crate::linearizability::deciders;
use crate::linearizability::object::{Call, Decision, SequentialObject, Unfit};
use crate::wording::elements;

use ContainerOperation::{Empty, Put, Take, TakeAny};

/// A queue: what was enqueued first is dequeued first. It is empty at first; a dequeue of nothing
/// says that it was empty.
///
/// ```text
/// p0: enq(q,1)-  enq(q,2)-
/// p1:                       deq(q)=2-      2 before 1
/// ```
///
/// Where every value is enqueued at most once it is decided in O(n log n), with dequeues of unknown
/// outcome, too (Henzinger, Sezgin & Vafeiadis, *Aspect-oriented linearizability proofs*, 2013, have
/// the rules; see the decider for dequeues of nothing and of unknown outcome); else by search.
///
/// A pass does not prove that nothing is lost: elements that nobody dequeued may be in the queue yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue;

impl SequentialObject for Queue {
    type State = VecDeque<Value>;
    type Operation = ContainerOperation;

    fn name(&self) -> &'static str {
        "queue"
    }

    fn operation(&self, asked: &Operation<'_>) -> Result<Option<ContainerOperation>, Unfit> {
        container::of_queue(asked)
    }

    fn initial(&self) -> VecDeque<Value> {
        VecDeque::new()
    }

    fn step(
        &self,
        state: &VecDeque<Value>,
        operation: &ContainerOperation,
    ) -> Option<VecDeque<Value>> {
        let is_possible = match *operation {
            Put(_) | TakeAny => true,
            Take(value) => state.front() == Some(&value),
            Empty => state.is_empty(),
        };
        is_possible.then(|| {
            let mut next = state.clone();
            self.apply(&mut next, operation);
            next
        })
    }

    fn apply(&self, state: &mut VecDeque<Value>, operation: &ContainerOperation) -> bool {
        match *operation {
            Put(value) => state.push_back(value),
            Take(value) if state.front() == Some(&value) => _ = state.pop_front(),
            Take(_) => return false,
            Empty => return state.is_empty(),
            TakeAny => _ = state.pop_front(),
        }
        true
    }

    fn describe(&self, state: &VecDeque<Value>, names: &Names) -> String {
        elements(names, &Vec::from(state.clone()), ["[", "]"])
    }

    fn observes_only(&self, operation: &ContainerOperation) -> bool {
        *operation == Empty
    }

    fn grows(&self) -> bool {
        true
    }

    fn reduce(&self, calls: Vec<Call<ContainerOperation>>) -> Vec<Call<ContainerOperation>> {
        container::reduce(calls)
    }

    fn close_removal(&self, calls: &[Call<ContainerOperation>], chosen: &mut [bool]) {
        container::close_removal(calls, chosen);
    }

    fn decide(&self, calls: &[Call<ContainerOperation>]) -> Decision {
        deciders::queue::decide(calls)
    }

    fn heap_bytes(&self, state: &VecDeque<Value>) -> usize {
        state.capacity() * size_of::<Value>()
    }
}
