//! Certificates of linearizability, and the small program that believes none of them.
//!
//! Whatever decided a history, here it is replayed: an order by doing one operation after the other,
//! a contradiction by trying every order of the few operations that it consists of. Nothing is shared
//! with the deciders but the object itself.

use std::collections::BTreeSet;
use std::hash::Hash;

use rustc_hash::FxHashSet;

use super::object::{Call, SequentialObject};

/// Steps for replaying a contradiction for whoever asks for it.
pub(crate) const STEPS_MAX: u64 = 20_000_000;

/// Why a contradiction is not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unconfirmed {
    /// It is none: there is an order.
    Refuted,
    /// It takes more steps to tell, which says nothing against it.
    TooLong,
}

/// Replays an order of `calls`, given by their places: every call that returned is in it and no call
/// twice, none that ended before another began comes after it, and the object answers as they say.
/// O(n).
///
/// # Errors
/// What is wrong with it.
pub(crate) fn order<M: SequentialObject>(
    object: &M,
    calls: &[Call<M::Operation>],
    order: &[u32],
) -> Result<(), String> {
    let mut is_placed = vec![false; calls.len()];
    let mut latest_invocation = 0;
    let mut states = vec![object.initial()];
    for &place in order {
        let call = calls.get(place as usize).ok_or("a call that is not among them")?;
        if std::mem::replace(&mut is_placed[place as usize], true) {
            return Err(format!("operation {} stands twice", call.id));
        }
        latest_invocation = latest_invocation.max(call.invoked);
        if call.returned.is_some_and(|returned| returned < latest_invocation) {
            return Err(format!(
                "operation {} had ended before one that stands before it",
                call.id
            ));
        }
        if let ([state], Some(_)) = (&mut states[..], call.returned) {
            if !object.apply(state, &call.operation) {
                return Err(format!("operation {} is impossible after {state:?}", call.id));
            }
            continue;
        }
        // An unknown call may do one of several things, so there may be several states.
        let mut next = Vec::new();
        for state in &states {
            match call.returned {
                Some(_) => next.extend(object.step(state, &call.operation)),
                None => object.unknown_steps(state, &call.operation, &mut |it| next.push(it)),
            }
        }
        if next.len() > 1 {
            let mut seen = FxHashSet::default();
            next.retain(|it| seen.insert(it.clone()));
        }
        if next.is_empty() {
            let held = states.first().map(|it| format!("{it:?}")).unwrap_or_default();
            return Err(format!("operation {} is impossible after {held}", call.id));
        }
        states = next;
    }
    let missing =
        calls.iter().zip(&is_placed).find(|(it, placed)| it.returned.is_some() && !**placed);
    match missing {
        Some((call, _)) => Err(format!("operation {} is missing", call.id)),
        None => Ok(()),
    }
}

/// Tries every order of `calls`, after the definition alone: breadth first over what was done and
/// what the object then holds.
///
/// # Errors
/// If there is an order, or it takes too many steps to tell.
pub(crate) fn contradiction<M: SequentialObject>(
    object: &M,
    calls: &[Call<M::Operation>],
    steps_max: u64,
) -> Result<(), Unconfirmed> {
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Reached<S> {
        done: BTreeSet<u32>,
        state: S,
    }
    let start = Reached { done: BTreeSet::new(), state: object.initial() };
    let (mut seen, mut waiting) = (FxHashSet::from_iter([start.clone()]), vec![start]);
    let mut steps = 0;
    while let Some(Reached { done, state }) = waiting.pop() {
        let left = (0..calls.len() as u32).filter(|index| !done.contains(index));
        let left: Vec<u32> = left.collect();
        let returns = left.iter().filter_map(|index| calls[*index as usize].returned);
        let Some(first_return) = returns.min() else {
            return Err(Unconfirmed::Refuted);
        };
        for &index in &left {
            let call = &calls[index as usize];
            // One that ended before this one began must come first.
            if call.invoked > first_return {
                continue;
            }
            let mut reach = |state: M::State| {
                let mut done = done.clone();
                done.insert(index);
                let next = Reached { done, state };
                if seen.insert(next.clone()) {
                    waiting.push(next);
                }
            };
            match call.returned {
                Some(_) => object.step(&state, &call.operation).into_iter().for_each(reach),
                None => object.unknown_steps(&state, &call.operation, &mut reach),
            }
            steps += done.len() as u64 + 1;
        }
        if steps > steps_max {
            return Err(Unconfirmed::TooLong);
        }
    }
    Ok(())
}
