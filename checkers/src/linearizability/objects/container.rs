//! What queues, bags and stacks have in common: values are put in, and taken out again.

use perjury_history::{MicroOp, Operation, Outcome, Reading, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::linearizability::object::{Call, Unfit};

/// An operation on a queue, a bag or a stack that took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContainerOperation {
    /// This was put in.
    Put(Value),
    /// This was taken out.
    Take(Value),
    /// There was nothing to take.
    Empty,
    /// Whatever was next was taken out, if anything: nobody knows what. Only of unknown outcome.
    TakeAny,
}

use ContainerOperation::{Empty, Put, Take, TakeAny};

impl ContainerOperation {
    /// The value that was put in or taken out.
    pub(crate) fn value(self) -> Option<Value> {
        match self {
            Put(value) | Take(value) => Some(value),
            Empty | TakeAny => None,
        }
    }
}

/// What an enqueue or a dequeue is.
pub(super) fn of_queue(asked: &Operation<'_>) -> Result<Option<ContainerOperation>, Unfit> {
    match *asked.single().ok_or(Unfit)? {
        MicroOp::Enqueue { value, .. } => Ok(Some(Put(value))),
        MicroOp::Dequeue { result, .. } => taken(asked, result),
        _ => Err(Unfit),
    }
}

/// What a push or a pop is.
pub(super) fn of_stack(asked: &Operation<'_>) -> Result<Option<ContainerOperation>, Unfit> {
    match *asked.single().ok_or(Unfit)? {
        MicroOp::Push { value, .. } => Ok(Some(Put(value))),
        MicroOp::Pop { result, .. } => taken(asked, result),
        _ => Err(Unfit),
    }
}

fn taken(
    asked: &Operation<'_>,
    result: Option<Reading>,
) -> Result<Option<ContainerOperation>, Unfit> {
    match (result, asked.outcome) {
        (Some(Reading::Value(value)), _) => Ok(Some(Take(value))),
        (Some(Reading::Nil), _) => Ok(Some(Empty)),
        (None, Outcome::Info) => Ok(Some(TakeAny)),
        // It took something, and its client does not say what: of that nothing can be told.
        (None, _) => Err(Unfit),
    }
}

/// How often a value was put in and taken out.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    puts: u32,
    /// Puts that returned.
    sure_puts: u32,
    /// Takes that returned.
    takes: u32,
    /// When the first of these did.
    first_taken: u32,
}

impl Tally {
    /// Of every value.
    fn all(calls: &[Call<ContainerOperation>]) -> FxHashMap<Value, Self> {
        let mut tallies: FxHashMap<Value, Self> = FxHashMap::default();
        for call in calls {
            let Some(value) = call.operation.value() else { continue };
            let tally = tallies.entry(value).or_default();
            match (call.operation, call.returned) {
                (Put(_), returned) => {
                    tally.puts += 1;
                    tally.sure_puts += u32::from(returned.is_some());
                }
                (_, Some(returned)) => {
                    tally.first_taken = match tally.takes {
                        0 => returned,
                        _ => tally.first_taken.min(returned),
                    };
                    tally.takes += 1;
                }
                (_, None) => {}
            }
        }
        tallies
    }

    /// Whether it may have been put in without being taken out by one who knows it.
    fn may_be_left(self) -> bool {
        self.puts > self.takes
    }
}

/// Drops unknown calls that do not matter, and ends those that certainly happened.
///
/// Take an order of the calls. An element that nobody who returned took out can go from it together
/// with its put and its take, if these are unknown: what is left of a queue, a bag or a stack is one
/// still. So unknown puts of values that nobody is known to have taken go, with the unknown takes of
/// them. An unknown put that alone put in a value that was taken out happened before that take ended.
///
/// (That an unknown take cannot have taken what somebody took later is not said here: where the calls
/// up to some moment are looked at, it can.)
pub(super) fn reduce(mut calls: Vec<Call<ContainerOperation>>) -> Vec<Call<ContainerOperation>> {
    if calls.iter().all(|call| call.returned.is_some()) {
        return calls;
    }
    let tallies = Tally::all(&calls);
    let was_inside = |value: Value| {
        let tally = tallies[&value];
        tally.puts > 0 && (tally.sure_puts > 0 || tally.takes > 0)
    };
    calls.retain(|call| {
        call.returned.is_some()
            || match call.operation {
                Put(value) | Take(value) => was_inside(value),
                Empty => false,
                TakeAny => true,
            }
    });
    for call in calls.iter_mut().filter(|call| call.returned.is_none()) {
        if let Put(value) = call.operation {
            let tally = tallies[&value];
            let is_seen = tally.puts == 1 && tally.takes > 0 && tally.first_taken > call.invoked;
            call.returned = is_seen.then_some(tally.first_taken);
        }
    }
    calls
}

/// A value goes with all that put it in or took it out; an unknown take of nobody knows what, with
/// all values that it may have taken. What found the container empty can go alone.
pub(super) fn close_removal(calls: &[Call<ContainerOperation>], chosen: &mut [bool]) {
    let mut gone: FxHashSet<Value> = FxHashSet::default();
    for (call, _) in calls.iter().zip(chosen.iter()).filter(|(_, chosen)| **chosen) {
        match call.operation {
            Put(value) | Take(value) => _ = gone.insert(value),
            TakeAny => {
                let tallies = Tally::all(calls).into_iter();
                gone.extend(tallies.filter(|(_, it)| it.may_be_left()).map(|(value, _)| value));
            }
            Empty => {}
        }
    }
    for (call, chosen) in calls.iter().zip(chosen) {
        *chosen |= call.operation.value().is_some_and(|value| gone.contains(&value));
    }
}
