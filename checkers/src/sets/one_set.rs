//! The operations on one set, with elements as small numbers.

use perjury_history::{History, Key, MicroOp, OperationId, Outcome, Value};
use rustc_hash::FxHashMap;

use super::{Known, reads};

/// An element that may be in the set: some add of it did not fail.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) value: Value,
    /// The add, or the first acknowledged of several.
    pub(crate) add: OperationId,
    /// When the first add of it began.
    pub(crate) invoked: u32,
    /// When the first add of it was acknowledged.
    pub(crate) acknowledged: Option<u32>,
    /// Since when it must be there.
    pub(crate) known: Option<Known>,
}

/// A successful look at the set.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) operation: OperationId,
    pub(crate) invoked: u32,
    pub(crate) completed: u32,
    /// Positions in [`OneSet::elements`], ascending: what may rightly be there.
    pub(crate) elements: Vec<u32>,
}

/// An element that must not be where it was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unexpected {
    pub(super) value: Value,
    pub(super) look: OperationId,
    /// Whether the look was an ordinary read, not an inspection.
    pub(super) by_read: bool,
    pub(super) why: Why,
}

/// Why an element must not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    NobodyAdded,
    /// This add of it certainly did not happen.
    AddFailed(OperationId),
    /// This add of it began only after the look had ended.
    AddedLater(OperationId),
}

pub(super) struct OneSet<'a> {
    pub(super) key: Key,
    pub(super) elements: Vec<Element>,
    positions: FxHashMap<Value, u32>,
    /// Ordinary reads, by order of invocation.
    pub(super) reads: Vec<Look>,
    inspections: Vec<Look>,
    /// Each once per look.
    pub(super) unexpected: Vec<Unexpected>,
    /// Elements that a look showed more than once.
    pub(super) duplicates: Vec<(Value, OperationId)>,
    failed: FxHashMap<Value, OperationId>,
    history: &'a History,
}

impl<'a> OneSet<'a> {
    /// Of these operations on `key`; nothing if it is no set, or why it cannot be judged.
    pub(super) fn of(
        history: &'a History,
        key: Key,
        operations: &[OperationId],
    ) -> Result<Option<Self>, String> {
        use MicroOp::{Add, InspectSet, ReadSet};
        let is_of_set =
            |it: &MicroOp| matches!(it, Add { .. } | ReadSet { .. } | InspectSet { .. });
        let of_set = operations.iter().map(|id| history.get(*id));
        let of_set = of_set.filter(|it| it.micro_ops.iter().any(is_of_set));
        let mut set = Self {
            key,
            elements: Vec::new(),
            positions: FxHashMap::default(),
            reads: Vec::new(),
            inspections: Vec::new(),
            unexpected: Vec::new(),
            duplicates: Vec::new(),
            failed: FxHashMap::default(),
            history,
        };
        for operation in of_set.clone() {
            match operation.single() {
                Some(&Add { value, .. }) => set.add(value, operation.id),
                Some(_) => {}
                None => {
                    return Err(format!(
                        "set {key}: transactions of several micro-operations touch it, and they \
                         are not judged here"
                    ));
                }
            }
        }
        for operation in of_set.clone().filter(|it| it.outcome == Outcome::Ok) {
            match operation.single() {
                Some(ReadSet { result: Some(elements), .. }) => {
                    let look = set.look(operation.id, elements, true);
                    set.reads.push(look);
                }
                Some(InspectSet { result: Some(elements), .. }) => {
                    let look = set.look(operation.id, elements, false);
                    set.inspections.push(look);
                }
                _ => {}
            }
        }
        reads::learn(&mut set.elements, &set.reads);
        Ok((of_set.count() > 0).then_some(set))
    }

    fn add(&mut self, value: Value, id: OperationId) {
        let operation = self.history.get(id);
        if operation.outcome == Outcome::Fail {
            self.failed.entry(value).or_insert(id);
            return;
        }
        let acknowledged = operation.completed.filter(|_| operation.outcome == Outcome::Ok);
        let next = self.elements.len() as u32;
        let position = *self.positions.entry(value).or_insert(next);
        if position == next {
            let invoked = operation.invoked;
            self.elements.push(Element { value, add: id, invoked, acknowledged, known: None });
            return;
        }
        // Added again: there from the first effect on, so both ends are the first of their kind.
        let element = &mut self.elements[position as usize];
        element.invoked = element.invoked.min(operation.invoked);
        if acknowledged.is_some_and(|at| element.acknowledged.is_none_or(|before| at < before)) {
            element.acknowledged = acknowledged;
            element.add = id;
        }
    }

    fn look(&mut self, id: OperationId, found: &[Value], by_read: bool) -> Look {
        let operation = self.history.get(id);
        let completed = operation.completed.unwrap_or(u32::MAX);
        let mut values = found.to_vec();
        values.sort_unstable();
        let mut repeated: Vec<Value> =
            values.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        repeated.dedup();
        self.duplicates.extend(repeated.into_iter().map(|value| (value, id)));
        values.dedup();
        let mut elements = Vec::with_capacity(values.len());
        for value in values {
            let why = match self.positions.get(&value) {
                Some(&position) => {
                    let element = &self.elements[position as usize];
                    if element.invoked < completed {
                        elements.push(position);
                        continue;
                    }
                    Why::AddedLater(element.add)
                }
                None => match self.failed.get(&value) {
                    Some(&failed) => Why::AddFailed(failed),
                    None => Why::NobodyAdded,
                },
            };
            self.unexpected.push(Unexpected { value, look: id, by_read, why });
        }
        elements.sort_unstable();
        Look { operation: id, invoked: operation.invoked, completed, elements }
    }

    /// Reads and inspections.
    pub(super) fn looks(&self) -> impl Iterator<Item = &Look> {
        self.reads.iter().chain(&self.inspections)
    }

    /// The elements whose add was acknowledged.
    pub(super) fn acknowledged(&self) -> impl Iterator<Item = &Element> {
        self.elements.iter().filter(|element| element.acknowledged.is_some())
    }

    /// The acknowledged elements that are in none of these.
    pub(super) fn missing<'b>(&self, held: impl Iterator<Item = &'b [Value]>) -> Vec<&Element> {
        let mut there = vec![false; self.elements.len()];
        for value in held.flatten() {
            if let Some(&position) = self.positions.get(value) {
                there[position as usize] = true;
            }
        }
        let missing = self.elements.iter().zip(there).filter(|(_, there)| !there);
        missing.map(|(element, _)| element).filter(|it| it.acknowledged.is_some()).collect()
    }
}
