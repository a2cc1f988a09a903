//! Sets that only grow, each element of which is added once: decided in O(n log n) of operations and
//! elements read.
//!
//! [`reads`] say why: if no read is stale, any two show one more than the other, and no element is
//! shown without one whose add had ended before its own began, then the reads stand in a row by how
//! much they show, and each element comes right before the first read that shows it.

use perjury_history::{OperationId, Value};
use rustc_hash::FxHashMap;

use crate::linearizability::object::{Call, Decision};
use crate::linearizability::objects::set::SetOperation::{self, Add, Read};
use crate::sets::one_set::{Element, Look};
use crate::sets::reads;

type Calls<'a> = &'a [Call<SetOperation>];

/// Decides calls that [`reduce`](crate::linearizability::SequentialObject::reduce) has been through.
pub(crate) fn decide(calls: Calls<'_>) -> Decision {
    let (elements, reads) = match seen(calls) {
        Ok(seen) => seen,
        Err(decision) => return decision,
    };
    let stale = reads::stale(&elements, &reads);
    if let Some(stale) = stale.first() {
        let known = stale.missing.known.expect("it is missing").by;
        return contradiction(calls, &[stale.read, stale.missing.add, known]);
    }
    match reads::contradiction(&elements, &reads, &stale) {
        Some(reads::Contradiction::Apart { one: (one, _), other: (other, _) }) => {
            contradiction(calls, &[one, other])
        }
        Some(reads::Contradiction::OutOfOrder { read, first, second }) => {
            contradiction(calls, &[read, first.add, second.add])
        }
        None => Decision::Linearizable(order(&elements, reads)),
    }
}

/// The elements and the reads. What they call operations are places in `calls`.
fn seen(calls: Calls<'_>) -> Result<(Vec<Element>, Vec<Look>), Decision> {
    let mut elements = Vec::new();
    let mut positions: FxHashMap<Value, u32> = FxHashMap::default();
    for (call, place) in calls.iter().zip(0..) {
        let Add(value) = call.operation else { continue };
        if positions.insert(value, elements.len() as u32).is_some() {
            return Err(Decision::Inapplicable);
        }
        let (add, invoked, acknowledged) = (OperationId(place), call.invoked, call.returned);
        elements.push(Element { value, add, invoked, acknowledged, known: None });
    }
    let mut looks = Vec::new();
    for (call, place) in calls.iter().zip(0..) {
        let (Read(found), Some(completed)) = (&call.operation, call.returned) else { continue };
        let mut shown = Vec::with_capacity(found.len());
        for value in found.iter() {
            match positions.get(value) {
                Some(&position) if elements[position as usize].invoked < completed => {
                    shown.push(position);
                }
                _ => return Err(contradiction(calls, &[OperationId(place)])),
            }
        }
        shown.sort_unstable();
        let (operation, invoked) = (OperationId(place), call.invoked);
        looks.push(Look { operation, invoked, completed, elements: shown });
    }
    reads::learn(&mut elements, &looks);
    Ok((elements, looks))
}

/// These contradict each other: adds, and reads with the adds of all that they show.
fn contradiction(calls: Calls<'_>, places: &[OperationId]) -> Decision {
    let mut core: Vec<u32> = places.iter().map(|place| place.0).collect();
    let found = core.iter().filter_map(|place| match &calls[*place as usize].operation {
        Read(found) => Some(found.iter().copied()),
        Add(_) => None,
    });
    let mut shown: Vec<Value> = found.flatten().collect();
    shown.sort_unstable();
    let is_shown = |call: &Call<SetOperation>| matches!(call.operation, Add(value) if shown.binary_search(&value).is_ok());
    core.extend((0..calls.len() as u32).filter(|place| is_shown(&calls[*place as usize])));
    core.sort_unstable();
    core.dedup();
    Decision::Contradiction(core)
}

/// The row of the reads, each after the elements that it is the first to show.
fn order(elements: &[Element], mut row: Vec<Look>) -> Vec<u32> {
    row.sort_by_key(|read| (read.elements.len(), read.operation));
    let mut is_placed = vec![false; elements.len()];
    let mut order = Vec::with_capacity(elements.len() + row.len());
    for read in &row {
        for &position in &read.elements {
            if !std::mem::replace(&mut is_placed[position as usize], true) {
                order.push(elements[position as usize].add.0);
            }
        }
        order.push(read.operation.0);
    }
    let unseen = elements.iter().zip(is_placed).filter(|(_, placed)| !placed);
    order.extend(unseen.filter(|(it, _)| it.acknowledged.is_some()).map(|(it, _)| it.add.0));
    order
}
