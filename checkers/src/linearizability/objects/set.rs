//! The set that only grows: add, read.

use std::collections::BTreeSet;
use std::sync::Arc;

use perjury_history::{MicroOp, Names, Operation, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::linearizability::deciders;
use crate::linearizability::object::{Call, Decision, SequentialObject, Unfit};
use crate::wording::elements;

/// An operation on a set that took effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SetOperation {
    /// This was put in, if it was not there yet.
    Add(Value),
    /// It held these, in ascending order.
    Read(Arc<[Value]>),
}

use SetOperation::{Add, Read};

/// A set to which elements are added, and which is read as a whole. It is empty at first.
///
/// ```text
/// p0: add(s,1)-  add(s,2)-
/// p1:                       rs(s)={1}-      2 had been acknowledged
/// ```
///
/// Where every element is added at most once it is decided in O(n log n) of operations and elements
/// read, as the checker of [sets](crate::sets) does, whose `reads` say how; else by search.
/// Inspections are no clients' reads and tell nothing; that a read shows an element twice is not
/// minded.
///
/// A pass does not prove that elements survive: of a lost one that nobody read since it says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set;

impl SequentialObject for Set {
    type State = BTreeSet<Value>;
    type Operation = SetOperation;

    fn name(&self) -> &'static str {
        "set"
    }

    fn operation(&self, asked: &Operation<'_>) -> Result<Option<SetOperation>, Unfit> {
        Ok(match asked.single().ok_or(Unfit)? {
            MicroOp::Add { value, .. } => Some(Add(*value)),
            MicroOp::ReadSet { result, .. } => result.as_ref().map(|found| {
                if found.is_sorted_by(|one, other| one < other) {
                    return Read(found.clone());
                }
                let mut found = found.to_vec();
                found.sort_unstable();
                found.dedup();
                Read(found.into())
            }),
            MicroOp::InspectSet { .. } => None,
            _ => return Err(Unfit),
        })
    }

    fn initial(&self) -> BTreeSet<Value> {
        BTreeSet::new()
    }

    fn step(&self, state: &BTreeSet<Value>, operation: &SetOperation) -> Option<BTreeSet<Value>> {
        let mut next = state.clone();
        self.apply(&mut next, operation).then_some(next)
    }

    fn apply(&self, state: &mut BTreeSet<Value>, operation: &SetOperation) -> bool {
        match operation {
            Add(value) => {
                state.insert(*value);
                true
            }
            Read(found) => found.len() == state.len() && found.iter().eq(state.iter()),
        }
    }

    fn describe(&self, state: &BTreeSet<Value>, names: &Names) -> String {
        elements(names, &state.iter().copied().collect::<Vec<_>>(), ["{", "}"])
    }

    fn observes_only(&self, operation: &SetOperation) -> bool {
        matches!(operation, Read(_))
    }

    /// Unknown reads go, and unknown adds of what no read shows: in an order of the calls they come
    /// after all reads. An unknown add that alone put in what some read shows happened before the
    /// first such read ended.
    fn reduce(&self, mut calls: Vec<Call<SetOperation>>) -> Vec<Call<SetOperation>> {
        if calls.iter().all(|call| call.returned.is_some()) {
            return calls;
        }
        let mut adds: FxHashMap<Value, u32> = FxHashMap::default();
        // When each element was seen first.
        let mut seen: FxHashMap<Value, u32> = FxHashMap::default();
        for call in &calls {
            match (&call.operation, call.returned) {
                (Add(value), _) => *adds.entry(*value).or_default() += 1,
                (Read(found), Some(returned)) => {
                    for value in found.iter() {
                        let first = seen.entry(*value).or_insert(returned);
                        *first = returned.min(*first);
                    }
                }
                (Read(_), None) => {}
            }
        }
        calls.retain_mut(|call| match (&call.operation, call.returned) {
            (_, Some(_)) => true,
            (Read(_), None) => false,
            (Add(value), None) => {
                let seen = seen.get(value).copied();
                let alone = adds[value] == 1;
                call.returned = seen.filter(|end| alone && *end > call.invoked);
                seen.is_some()
            }
        });
        calls
    }

    /// An element goes with all that added it and all reads that show it.
    fn close_removal(&self, calls: &[Call<SetOperation>], chosen: &mut [bool]) {
        let chosen_calls = calls.iter().zip(chosen.iter()).filter(|(_, chosen)| **chosen);
        let gone: FxHashSet<Value> = chosen_calls
            .filter_map(|(call, _)| match call.operation {
                Add(value) => Some(value),
                Read(_) => None,
            })
            .collect();
        for (call, chosen) in calls.iter().zip(chosen) {
            *chosen |= match &call.operation {
                Add(value) => gone.contains(value),
                Read(found) => found.iter().any(|value| gone.contains(value)),
            };
        }
    }

    fn decide(&self, calls: &[Call<SetOperation>]) -> Decision {
        deciders::set::decide(calls)
    }

    fn heap_bytes(&self, state: &BTreeSet<Value>) -> usize {
        // Nodes of a tree are at least half full.
        2 * state.len() * size_of::<Value>()
    }
}
