//! The stays of values in a container that each was put into at most once.
//!
//! A value was *certainly* inside from the return of its put to the invocation of its take. A call
//! that found the container empty needs a moment outside all of these; whether that is enough is for
//! each kind of container to say.
//!
//! Who takes a value that no answered call took? An unknown take may have, or nobody. It is enough to
//! look at one choice: the values by when their puts returned, the unknown takes by when they began,
//! the first for the first and so on. In a queue and in a bag nothing asks for one of these values to
//! be gone without asking the same for all whose puts had returned before; so whatever moment asks
//! for `n` of them to be gone, it can be granted if and only if `n` unknown takes had begun, and
//! that is what this choice grants. A value may stay all the same: a take that never returned can
//! come after everything else, when it does not count.

use perjury_history::Value;
use rustc_hash::FxHashMap;

use crate::linearizability::object::{Call, Decision};
use crate::linearizability::objects::container::ContainerOperation;

use ContainerOperation::{Empty, Put, Take, TakeAny};

pub(super) type Calls<'a> = &'a [Call<ContainerOperation>];

/// After the end of what ends.
pub(super) const NEVER: u32 = u32::MAX;

/// When the takes begin of values that are taken by nobody.
pub(super) const IN_THE_END: u32 = NEVER - 1;

const NOBODY: u32 = u32::MAX;

/// Between which entries of the record an operation took effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) begin: u32,
    pub(super) end: u32,
}

/// One value in a container.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stay {
    pub(super) put_call: u32,
    take_call: u32,
    /// It ends with the take, if not before.
    pub(super) put: Span,
    /// It begins with the put, if not after.
    pub(super) take: Span,
}

impl Stay {
    pub(super) fn take_call(&self) -> Option<u32> {
        Some(self.take_call).filter(|call| *call != NOBODY)
    }

    /// From when to when the value was certainly inside.
    pub(super) fn certain(&self) -> Option<(u32, u32)> {
        Some((self.put.end, self.take.begin)).filter(|(from, to)| from < to)
    }
}

/// The moment just after an entry of the record.
pub(super) fn after(entry: u32) -> u64 {
    2 * u64::from(entry) + 1
}

/// The moment just before one.
pub(super) fn before(entry: u32) -> u64 {
    after(entry) - 2
}

/// All that happened to a container.
pub(super) struct Stays {
    pub(super) stays: Vec<Stay>,
    /// Calls that found it empty.
    empties: Vec<u32>,
    /// Unknown takes, by when they were invoked, and the stays that end with them: the first with the
    /// first.
    any: Vec<u32>,
    taken_by_any: Vec<u32>,
}

impl Stays {
    /// Of calls that the reduction has been through.
    ///
    /// # Errors
    /// The decision, where it is simple or not to be had.
    pub(super) fn of(calls: Calls<'_>) -> Result<Self, Decision> {
        let mut stays: Vec<Stay> = Vec::with_capacity(calls.len() / 2);
        let (mut empties, mut any) = (Vec::new(), Vec::new());
        let mut numbers: FxHashMap<Value, u32> = FxHashMap::default();
        for (index, call) in calls.iter().enumerate() {
            match call.operation {
                Put(value) => {
                    if numbers.insert(value, stays.len() as u32).is_some() {
                        return Err(Decision::Inapplicable);
                    }
                    let put = Span { begin: call.invoked, end: call.returned.unwrap_or(NEVER) };
                    let take = Span { begin: IN_THE_END, end: NEVER };
                    let (put_call, take_call) = (index as u32, NOBODY);
                    stays.push(Stay { put_call, take_call, put, take });
                }
                Empty if call.returned.is_some() => empties.push(index as u32),
                TakeAny if call.returned.is_some() => return Err(Decision::Inapplicable),
                TakeAny => any.push(index as u32),
                Take(_) | Empty => {}
            }
        }
        for (index, call) in calls.iter().enumerate() {
            let Take(value) = call.operation else { continue };
            let index = index as u32;
            let Some(&number) = numbers.get(&value) else {
                match call.returned {
                    Some(_) => return Err(Decision::Contradiction(vec![index])),
                    None => continue,
                }
            };
            let stay = &mut stays[number as usize];
            if let Some(other) = stay.take_call() {
                match (calls[other as usize].returned, call.returned) {
                    (Some(_), Some(_)) => return Err(contradiction([stay.put_call, other, index])),
                    // What can have happened is at most one of them.
                    (_, None) => continue,
                    (None, Some(_)) => {}
                }
            }
            stay.take_call = index;
            let end = call.returned.unwrap_or(NEVER);
            if end < stay.put.begin {
                return Err(contradiction([stay.put_call, index]));
            }
            stay.put.end = calls[stay.put_call as usize].returned.unwrap_or(NEVER).min(end);
            stay.take = Span { begin: call.invoked.max(stay.put.begin), end };
        }
        // Nobody knows that they were put in, so they need not have been.
        stays.retain(|stay| stay.put.end != NEVER);
        Ok(Self { stays, empties, any, taken_by_any: Vec::new() })
    }

    /// Whether an unknown take may have taken something.
    pub(super) fn any_matters(&self) -> bool {
        !self.any.is_empty() && self.stays.iter().any(|stay| stay.take.end == NEVER)
    }

    /// Gives the unknown takes something to take; `false` if that is not so simple, for others, too,
    /// may have taken these values or not.
    pub(super) fn choose(&mut self, calls: Calls<'_>) -> bool {
        if !self.any_matters() {
            return true;
        }
        let may_be_left = self.stays.iter().enumerate().filter(|(_, it)| it.take.end == NEVER);
        let mut left: Vec<u32> = may_be_left.map(|(index, _)| index as u32).collect();
        if left.iter().any(|index| self.stays[*index as usize].take_call().is_some()) {
            return false;
        }
        left.sort_unstable_by_key(|index| self.stays[*index as usize].put.end);
        self.any.sort_unstable_by_key(|call| calls[*call as usize].invoked);
        left.truncate(self.any.len());
        for (&index, &call) in left.iter().zip(&self.any) {
            let stay = &mut self.stays[index as usize];
            stay.take_call = call;
            stay.take.begin = calls[call as usize].invoked.max(stay.put.begin);
        }
        self.taken_by_any = left;
        true
    }

    /// For each call that found the container empty a moment at which it may have been, in order:
    /// the first after its invocation.
    ///
    /// # Errors
    /// A contradiction, if there is none for some call.
    pub(super) fn empty_moments(&self, calls: Calls<'_>) -> Result<Vec<(u64, u32)>, Decision> {
        let certain = self.certain();
        let runs = merged(&certain);
        let mut moments = Vec::with_capacity(self.empties.len());
        for &empty in &self.empties {
            let call = &calls[empty as usize];
            let returned = call.returned.expect("only of those that returned");
            let next = runs.partition_point(|(from, _)| *from <= call.invoked);
            let inside = next.checked_sub(1).map(|run| runs[run].1).filter(|to| *to > call.invoked);
            let moment = after(inside.unwrap_or(call.invoked));
            if moment > before(returned) {
                let chain = self.chain(call.invoked, returned, |_| true);
                return Err(self.contradiction(calls, &chain, &[empty]));
            }
            moments.push((moment, empty));
        }
        moments.sort_unstable();
        Ok(moments)
    }

    /// When values were certainly inside, by when that began, with their stays.
    fn certain(&self) -> Vec<(u32, u32, u32)> {
        let certain = self.stays.iter().enumerate();
        let certain = certain.filter_map(|(stay, it)| Some((it.certain()?, stay as u32)));
        let mut certain: Vec<_> = certain.map(|((from, to), stay)| (from, to, stay)).collect();
        certain.sort_unstable();
        certain
    }

    /// As few stays as can be, of some, one of which was certainly inside at any time between two
    /// entries. There must be enough.
    pub(super) fn chain(&self, from: u32, to: u32, some: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut chain = Vec::new();
        let (mut reached, mut furthest) = (from, (from, NOBODY));
        for (begin, end, stay) in self.certain().into_iter().filter(|(_, _, stay)| some(*stay)) {
            if begin > reached {
                chain.push(furthest.1);
                reached = furthest.0;
            }
            if reached >= to {
                return chain;
            }
            furthest = furthest.max((end, stay));
        }
        chain.push(furthest.1);
        chain
    }

    /// These stays and calls contradict each other; where unknown takes had a choice, with what was
    /// theirs to choose from.
    pub(super) fn contradiction(
        &self,
        calls: Calls<'_>,
        stays: &[u32],
        others: &[u32],
    ) -> Decision {
        let mut core = others.to_vec();
        for &stay in stays {
            let stay = &self.stays[stay as usize];
            core.push(stay.put_call);
            core.extend(stay.take_call().filter(|call| calls[*call as usize].operation != TakeAny));
        }
        if stays.iter().any(|stay| self.stays[*stay as usize].take.end == NEVER) {
            let end = core.iter().filter_map(|call| calls[*call as usize].returned).max();
            let begun = |call: &&u32| Some(calls[**call as usize].invoked) < end;
            let any: Vec<u32> = self.any.iter().filter(begun).copied().collect();
            let last = self.taken_by_any.iter().rposition(|stay| stays.contains(stay));
            let taken = last.map_or(any.len(), |last| last + 1).min(self.taken_by_any.len());
            let taken = self.taken_by_any[..taken].iter();
            core.extend(taken.map(|stay| self.stays[*stay as usize].put_call));
            core.extend(any);
        }
        contradiction(core)
    }
}

/// These calls contradict each other.
fn contradiction(calls: impl Into<Vec<u32>>) -> Decision {
    let mut calls = calls.into();
    calls.sort_unstable();
    calls.dedup();
    Decision::Contradiction(calls)
}

/// The times in which some value was certainly inside.
fn merged(certain: &[(u32, u32, u32)]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &(from, to, _) in certain {
        match runs.last_mut() {
            Some((_, end)) if from <= *end => *end = (*end).max(to),
            _ => runs.push((from, to)),
        }
    }
    runs
}
