//! The bag, also called an unordered queue: enqueue, dequeue.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use perjury_history::{Names, Operation, Value};

use super::container::{self, ContainerOperation};
use crate::linearizability::deciders;
use crate::linearizability::object::{Call, Decision, SequentialObject, Unfit};
use crate::wording::{count, elements};

use ContainerOperation::{Empty, Put, Take, TakeAny};

/// A bag: a dequeue takes any element, each element once. It is empty at first; a dequeue of nothing
/// says that it was empty.
///
/// ```text
/// p0: enq(b,1)-
/// p1:            deq(b)=1-  deq(b)=1-      once is enough
/// ```
///
/// Where every value is enqueued at most once it is decided in O(n log n); else by search.
///
/// A pass does not prove that nothing is lost: elements that nobody dequeued may be in the bag yet.
/// Nor does it speak of any order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bag;

/// What a bag holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BagContents {
    /// How many there are of each.
    elements: BTreeMap<Value, u32>,
    /// How many dequeues of unknown outcome have still to choose. A dequeue that never returns can
    /// take its element at any later time as well, so it need not choose before somebody finds the
    /// bag empty. (So that changes what the bag holds, and is more than an observation.)
    owed: u32,
}

impl BagContents {
    fn size(&self) -> u64 {
        self.elements.values().map(|count| u64::from(*count)).sum()
    }
}

impl SequentialObject for Bag {
    type State = BagContents;
    type Operation = ContainerOperation;

    fn name(&self) -> &'static str {
        "bag"
    }

    fn operation(&self, asked: &Operation<'_>) -> Result<Option<ContainerOperation>, Unfit> {
        container::of_queue(asked)
    }

    fn initial(&self) -> BagContents {
        BagContents::default()
    }

    fn step(&self, state: &BagContents, operation: &ContainerOperation) -> Option<BagContents> {
        let is_possible = match *operation {
            Put(_) | TakeAny => true,
            Take(value) => state.elements.contains_key(&value),
            Empty => state.size() <= u64::from(state.owed),
        };
        is_possible.then(|| {
            let mut next = state.clone();
            self.apply(&mut next, operation);
            next
        })
    }

    fn apply(&self, state: &mut BagContents, operation: &ContainerOperation) -> bool {
        match *operation {
            Put(value) => *state.elements.entry(value).or_default() += 1,
            Take(value) => {
                let Entry::Occupied(mut there) = state.elements.entry(value) else { return false };
                *there.get_mut() -= 1;
                if *there.get() == 0 {
                    there.remove();
                }
            }
            Empty => {
                let Some(owed) = u64::from(state.owed).checked_sub(state.size()) else {
                    return false;
                };
                state.owed = owed as u32;
                state.elements.clear();
            }
            TakeAny => state.owed += 1,
        }
        true
    }

    fn describe(&self, state: &BagContents, names: &Names) -> String {
        let all = state.elements.iter();
        let all = all.flat_map(|(value, count)| std::iter::repeat_n(*value, *count as usize));
        let shown = elements(names, &all.collect::<Vec<_>>(), ["{", "}"]);
        match u64::from(state.owed).min(state.size()) {
            0 => shown,
            owed => format!("{shown} or up to {} fewer", count(owed, "element")),
        }
    }

    fn grows(&self) -> bool {
        true
    }

    /// Without anyone who found the bag empty it is no matter what unknown dequeues took.
    fn reduce(&self, mut calls: Vec<Call<ContainerOperation>>) -> Vec<Call<ContainerOperation>> {
        if !calls.iter().any(|call| call.operation == Empty && call.returned.is_some()) {
            calls.retain(|call| matches!(call.operation, Put(_)) || call.returned.is_some());
        }
        container::reduce(calls)
    }

    fn close_removal(&self, calls: &[Call<ContainerOperation>], chosen: &mut [bool]) {
        container::close_removal(calls, chosen);
    }

    fn decide(&self, calls: &[Call<ContainerOperation>]) -> Decision {
        deciders::bag::decide(calls)
    }

    fn heap_bytes(&self, state: &BagContents) -> usize {
        // Nodes of a tree are at least half full.
        2 * state.elements.len() * size_of::<(Value, u32)>()
    }
}
