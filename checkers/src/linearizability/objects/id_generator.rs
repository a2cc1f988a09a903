//! The generator of ids: generate.

use std::collections::BTreeSet;

use perjury_history::{MicroOp, Names, Operation, Outcome, Value};
use rustc_hash::FxHashMap;

use crate::linearizability::object::{Call, Decision, SequentialObject, Unfit};
use crate::wording::elements;

/// A generator of ids: it gives out no id twice. An operation is the id that was given.
///
/// ```text
/// p0: gen(g)=7-
/// p1:    gen(g)=7-      the same again
/// ```
///
/// It is decided in O(n): two operations that brought the same id are a contradiction, and if there
/// are none every order will do. An unanswered request may have used up an id that nobody else was
/// given, so it tells nothing.
///
/// A pass does not prove that ids grow, nor that they stay distinct.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdGenerator;

impl SequentialObject for IdGenerator {
    type State = BTreeSet<Value>;
    type Operation = Value;

    fn name(&self) -> &'static str {
        "id-generator"
    }

    fn operation(&self, asked: &Operation<'_>) -> Result<Option<Value>, Unfit> {
        match *asked.single().ok_or(Unfit)? {
            MicroOp::Generate { result, .. } => Ok(result.filter(|_| asked.outcome == Outcome::Ok)),
            _ => Err(Unfit),
        }
    }

    fn initial(&self) -> BTreeSet<Value> {
        BTreeSet::new()
    }

    fn step(&self, state: &BTreeSet<Value>, given: &Value) -> Option<BTreeSet<Value>> {
        let mut next = state.clone();
        self.apply(&mut next, given).then_some(next)
    }

    fn apply(&self, state: &mut BTreeSet<Value>, given: &Value) -> bool {
        state.insert(*given)
    }

    fn describe(&self, state: &BTreeSet<Value>, names: &Names) -> String {
        elements(names, &state.iter().copied().collect::<Vec<_>>(), ["{", "}"])
    }

    /// What may not have happened can only have used up an id.
    fn reduce(&self, mut calls: Vec<Call<Value>>) -> Vec<Call<Value>> {
        calls.retain(|call| call.returned.is_some());
        calls
    }

    /// Anything may go.
    fn close_removal(&self, _: &[Call<Value>], _: &mut [bool]) {}

    fn decide(&self, calls: &[Call<Value>]) -> Decision {
        let mut given: FxHashMap<Value, u32> = FxHashMap::default();
        for (call, place) in calls.iter().zip(0..) {
            if let Some(before) = given.insert(call.operation, place) {
                return Decision::Contradiction(vec![before, place]);
            }
        }
        Decision::Linearizable((0..calls.len() as u32).collect())
    }

    fn heap_bytes(&self, state: &BTreeSet<Value>) -> usize {
        // Nodes of a tree are at least half full.
        2 * state.len() * size_of::<Value>()
    }
}
