//! The stack: push, pop.

use perjury_history::{Names, Operation, Value};

use super::container::{self, ContainerOperation};
use crate::linearizability::deciders;
use crate::linearizability::object::{Call, Decision, SequentialObject, Unfit};
use crate::wording::elements;

use ContainerOperation::{Empty, Put, Take, TakeAny};

/// A stack: what was pushed last is popped first. It is empty at first; a pop of nothing says that
/// it was empty.
///
/// ```text
/// p0: push(s,1)-  push(s,2)-
/// p1:                         pop(s)=1-      2 lay on top of 1
/// ```
///
/// Where every value is pushed at most once, and no pop of unknown outcome may have taken one, it is
/// decided in O(n log n) for a bounded concurrency (by decrease and conquer, as Lee & Mathur,
/// *Efficient decrease-and-conquer linearizability monitoring*, 2025); else by search.
///
/// A pass does not prove that nothing is lost: elements that nobody popped may lie there yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stack;

impl SequentialObject for Stack {
    type State = Vec<Value>;
    type Operation = ContainerOperation;

    fn name(&self) -> &'static str {
        "stack"
    }

    fn operation(&self, asked: &Operation<'_>) -> Result<Option<ContainerOperation>, Unfit> {
        container::of_stack(asked)
    }

    fn initial(&self) -> Vec<Value> {
        Vec::new()
    }

    fn step(&self, state: &Vec<Value>, operation: &ContainerOperation) -> Option<Vec<Value>> {
        let is_possible = match *operation {
            Put(_) | TakeAny => true,
            Take(value) => state.last() == Some(&value),
            Empty => state.is_empty(),
        };
        is_possible.then(|| {
            let mut next = state.clone();
            self.apply(&mut next, operation);
            next
        })
    }

    fn apply(&self, state: &mut Vec<Value>, operation: &ContainerOperation) -> bool {
        match *operation {
            Put(value) => state.push(value),
            Take(value) if state.last() == Some(&value) => _ = state.pop(),
            Take(_) => return false,
            Empty => return state.is_empty(),
            TakeAny => _ = state.pop(),
        }
        true
    }

    fn describe(&self, state: &Vec<Value>, names: &Names) -> String {
        elements(names, state, ["[", "]"])
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
        deciders::stack::decide(calls)
    }

    fn heap_bytes(&self, state: &Vec<Value>) -> usize {
        state.capacity() * size_of::<Value>()
    }
}
