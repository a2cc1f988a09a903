//! Linearizability by its definition, as slow as it is short.

use super::super::object::{Call, SequentialObject};

/// Whether some order of all calls that returned and some of the unknown ones respects real time and
/// is one that the object could have had. Orders that lead to the same calls in the same state go on
/// alike and are tried once.
pub(super) fn is_linearizable<M: SequentialObject>(
    object: &M,
    calls: &[Call<M::Operation>],
) -> bool {
    assert!(calls.len() <= 64, "a set of calls is a word");
    try_from(object, calls, 0, &object.initial(), &mut Vec::new())
}

fn try_from<M: SequentialObject>(
    object: &M,
    calls: &[Call<M::Operation>],
    done: u64,
    state: &M::State,
    tried: &mut Vec<(u64, M::State)>,
) -> bool {
    let is_done = |index: usize| done >> index & 1 == 1;
    let waiting = |index: &usize| !is_done(*index) && calls[*index].returned.is_some();
    if !(0..calls.len()).any(|index| waiting(&index)) {
        return true;
    }
    if tried.contains(&(done, state.clone())) {
        return false;
    }
    tried.push((done, state.clone()));
    let first_end = (0..calls.len()).filter(waiting).filter_map(|it| calls[it].returned).min();
    (0..calls.len()).any(|index| {
        let call = &calls[index];
        if is_done(index) || first_end.is_some_and(|end| end < call.invoked) {
            return false;
        }
        let mut next = Vec::new();
        match call.returned {
            Some(_) => next.extend(object.step(state, &call.operation)),
            None => object.unknown_steps(state, &call.operation, &mut |it| next.push(it)),
        }
        next.iter().any(|state| try_from(object, calls, done | 1 << index, state, tried))
    })
}
