//! From a contradiction to a small one.
//!
//! Leaving out arbitrary calls would be unsound: without a write, the reads of its value are a
//! contradiction of their own. So only what `SequentialObject::close_removal` allows goes, and each
//! time the search must say that what is left is still a contradiction. What stays is therefore
//! impossible by itself, and follows from the history.

use super::object::{Call, SequentialObject};
use super::search::{Answer, Budget, find};

/// The fewest calls it can find, within the budget, that contradict each other as `calls` do, all of
/// which return at `position` or before, or are open. First halves go, then quarters, ... then
/// single ones (after Zeller's delta debugging, 2002).
pub(crate) fn shrink<M: SequentialObject>(
    object: &M,
    mut calls: Vec<Call<M::Operation>>,
    position: u32,
    budget: &mut Budget<'_>,
) -> Vec<Call<M::Operation>> {
    // What is about other parts of the object has nothing to do with it.
    let part = calls.iter().find(|call| call.returned == Some(position));
    if let Some(part) = part.map(|failing| object.part(&failing.operation)) {
        calls.retain(|call| object.part(&call.operation) == part);
    }
    loop {
        let before = calls.len();
        // Mutations go with their readers, so they come first; then observers one by one.
        for observers in [false, true] {
            let of_kind = |call: &Call<_>| object.observes_only(&call.operation) == observers;
            let mut size = calls.len().next_power_of_two();
            while size > 0 {
                calls = remove_chunks(object, calls, &of_kind, size, position, budget);
                size /= 2;
            }
        }
        if calls.len() == before || budget.steps_left == 0 {
            calls.retain(|call| call.returned.is_some() || !object.observes_only(&call.operation));
            return calls;
        }
    }
}

/// Tries to leave out every run of `size` calls of a kind.
fn remove_chunks<M: SequentialObject>(
    object: &M,
    mut calls: Vec<Call<M::Operation>>,
    of_kind: &dyn Fn(&Call<M::Operation>) -> bool,
    size: usize,
    position: u32,
    budget: &mut Budget<'_>,
) -> Vec<Call<M::Operation>> {
    let mut start = 0;
    loop {
        let kind: Vec<usize> = (0..calls.len()).filter(|index| of_kind(&calls[*index])).collect();
        let chunk = &kind[start.min(kind.len())..(start + size).min(kind.len())];
        if chunk.is_empty() || budget.steps_left == 0 {
            return calls;
        }
        let mut chosen = vec![false; calls.len()];
        chunk.iter().for_each(|index| chosen[*index] = true);
        object.close_removal(&calls, &mut chosen);
        let all = calls.iter().zip(&chosen);
        let rest: Vec<_> = all.filter(|(_, gone)| !**gone).map(|(call, _)| call.clone()).collect();
        // The steps of a trial are mostly those of going through its calls.
        budget.steps_left = budget.steps_left.saturating_sub(calls.len() as u64);
        let still = rest.iter().any(|call| call.returned == Some(position))
            && matches!(
                find(object, &object.reduce(rest.clone()), budget),
                Answer::Contradiction { .. }
            );
        match still {
            true => calls = rest,
            false => start += size,
        }
    }
}
