//! Registers whose values are written once: decided in O(n log n).
//!
//! Then every value has one time in the register, which begins with its write, holds all its reads
//! and ends with the one compare-and-set that replaces it, if any. So a write with its reads and all
//! that follows from it by compare-and-set is a *block* that no other write can come into. What the
//! register held at first has a block, too, which begins before everything.
//!
//! Within a block the order is given: no operation may have ended before one of an earlier stage
//! began. Between blocks, with `first_end` the earliest end of a block's operations and `last_begin`
//! their latest beginning, A must come before B if and only if A's `first_end` is before B's
//! `last_begin`. If these demands form a cycle, two of them do. A block's *zone* lies between the
//! two: *forward* if it ended before it last began (some operation precedes another: the value was
//! certainly there in between), else *backward*. Two blocks demand to be before each other if and
//! only if both zones are forward and overlap, or one is forward and the other lies inside it. If no
//! two do, the blocks by where their zones begin are an order.
//!
//! Gibbons & Korach, *Testing shared memories*, 1997; compare-and-set makes clusters into chains.

use std::ops::Range;

use perjury_history::Reading;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::linearizability::object::{Call, Decision};
use crate::linearizability::objects::register::RegisterOperation;

type Calls<'a> = &'a [Call<RegisterOperation>];

const UNWRITTEN: i64 = -1;
const NEVER: i64 = i64::MAX;
const NONE: u32 = u32::MAX;

/// All that comes from one write (or from the first value) by compare-and-set.
#[derive(Clone, Debug)]
struct Block {
    /// Of [`Values::order`].
    calls: Range<usize>,
    first_end: i64,
    last_begin: i64,
}

impl Block {
    fn is_forward(&self) -> bool {
        self.first_end < self.last_begin
    }

    /// Where the zone begins.
    fn begin(&self) -> i64 {
        self.first_end.min(self.last_begin)
    }
}

/// What happened to each value: value 0 is what the register held at first.
struct Values {
    /// The compare-and-set that replaced it.
    next: Vec<u32>,
    /// Its reads, by order of invocation: `reads[starts[value]..starts[value + 1]]`.
    starts: Vec<u32>,
    reads: Vec<u32>,
    /// What each call wrote.
    written: Vec<u32>,
}

/// Decides calls that [`reduce`](crate::linearizability::SequentialObject::reduce) has been through,
/// of a register that holds `initial` at first.
pub(crate) fn decide(calls: Calls<'_>, initial: Reading) -> Decision {
    let values = match Values::of(calls, initial) {
        Ok(values) => values,
        Err(decision) => return decision,
    };
    let mut order = Vec::with_capacity(calls.len());
    let mut blocks = Vec::new();
    let roots = calls.iter().enumerate();
    let roots = roots.filter(|(_, call)| matches!(call.operation, RegisterOperation::Write(_)));
    let roots = roots.map(|(index, _)| (index as u32, values.written[index]));
    for (write, value) in std::iter::once((NONE, 0)).chain(roots) {
        match values.block(calls, write, value, &mut order) {
            (block, true) => blocks.push(block),
            (block, false) => return contradiction(&[&order[block.calls]]),
        }
    }
    // Compare-and-sets in a circle come from no write.
    if order.len() < calls.len() {
        return Decision::Inapplicable;
    }
    if let Some([one, other]) = conflict(&blocks) {
        return contradiction(&[&order[one.calls.clone()], &order[other.calls.clone()]]);
    }
    blocks.sort_by_key(Block::begin);
    Decision::Linearizable(blocks.into_iter().flat_map(|it| order[it.calls].to_vec()).collect())
}

fn contradiction(parts: &[&[u32]]) -> Decision {
    let mut calls = parts.concat();
    calls.sort_unstable();
    Decision::Contradiction(calls)
}

impl Values {
    fn of(calls: Calls<'_>, initial: Reading) -> Result<Self, Decision> {
        let mut numbers: FxHashMap<Reading, u32> = FxHashMap::default();
        numbers.insert(initial, 0);
        let mut written = vec![NONE; calls.len()];
        let mut writer = vec![NONE];
        let mut is_repeated = false;
        for (index, call) in calls.iter().enumerate() {
            let Some(value) = call.operation.written() else { continue };
            let number = writer.len() as u32;
            is_repeated |= numbers.insert(Reading::Value(value), number).is_some();
            writer.push(index as u32);
            written[index] = number;
        }
        if is_repeated {
            // What nobody wrote cannot have been seen all the same.
            let is_unwritten = |call: &Call<RegisterOperation>| {
                let observed = call.operation.observed();
                call.returned.is_some() && observed.is_some_and(|it| !numbers.contains_key(&it))
            };
            let unwritten = calls.iter().position(is_unwritten);
            let alone = |index| Decision::Contradiction(vec![index as u32]);
            return Err(unwritten.map_or(Decision::Inapplicable, alone));
        }
        let mut next = vec![NONE; writer.len()];
        let mut starts = vec![0; writer.len() + 1];
        let mut observed = vec![NONE; calls.len()];
        for (index, call) in calls.iter().enumerate() {
            let Some(reading) = call.operation.observed() else { continue };
            // What nobody wrote cannot have been seen, if it was.
            let Some(&number) = numbers.get(&reading) else {
                let happened = call.returned.is_some();
                let alone = Decision::Contradiction(vec![index as u32]);
                return Err(if happened { alone } else { Decision::Inapplicable });
            };
            if let RegisterOperation::Cas(..) = call.operation {
                let other = std::mem::replace(&mut next[number as usize], index as u32);
                if other != NONE {
                    return Err(replaced_twice(calls, [other, index as u32], &writer, &numbers));
                }
            } else {
                observed[index] = number;
                starts[number as usize + 1] += 1;
            }
        }
        for value in 1..starts.len() {
            starts[value] += starts[value - 1];
        }
        let mut place = starts.clone();
        let mut reads = vec![0; starts[starts.len() - 1] as usize];
        for (index, value) in observed.iter().enumerate().filter(|(_, value)| **value != NONE) {
            let place = &mut place[*value as usize];
            reads[*place as usize] = index as u32;
            *place += 1;
        }
        Ok(Self { next, starts, reads, written })
    }

    fn reads(&self, value: u32) -> &[u32] {
        let bound = |value: u32| self.starts[value as usize] as usize;
        &self.reads[bound(value)..bound(value + 1)]
    }

    /// The block that begins with a write of `value`, and whether its operations can come in their
    /// order. Its calls go to the end of `order`.
    fn block(
        &self,
        calls: Calls<'_>,
        write: u32,
        mut value: u32,
        order: &mut Vec<u32>,
    ) -> (Block, bool) {
        let begin = order.len();
        let first_end = if write == NONE { UNWRITTEN } else { NEVER };
        let mut block = Block { calls: begin..begin, first_end, last_begin: UNWRITTEN };
        let mut is_ordered = true;
        let mut stage = |block: &mut Block, stage: &[u32]| {
            let begun = block.last_begin;
            for &index in stage {
                let call = &calls[index as usize];
                let end = call.returned.map_or(NEVER, i64::from);
                is_ordered &= end > begun;
                block.first_end = block.first_end.min(end);
                block.last_begin = block.last_begin.max(i64::from(call.invoked));
            }
            order.extend_from_slice(stage);
        };
        let mut writer = write;
        loop {
            if writer != NONE {
                stage(&mut block, &[writer]);
            }
            stage(&mut block, self.reads(value));
            writer = self.next[value as usize];
            if writer == NONE {
                break;
            }
            value = self.written[writer as usize];
        }
        block.calls.end = order.len();
        (block, is_ordered)
    }
}

/// Two compare-and-sets replaced one value: with all that comes from the same write they contradict
/// each other, if both happened.
fn replaced_twice(
    calls: Calls<'_>,
    both: [u32; 2],
    writer: &[u32],
    numbers: &FxHashMap<Reading, u32>,
) -> Decision {
    let happened = both.iter().all(|index| calls[*index as usize].returned.is_some());
    match origin(calls, both[0], writer, numbers).filter(|_| happened) {
        Some(origin) => Decision::Contradiction(all_from(calls, origin)),
        None => Decision::Inapplicable,
    }
}

/// What was written, or there at first, that a compare-and-set comes from by others. Those in a
/// circle come from nothing.
fn origin(
    calls: Calls<'_>,
    mut call: u32,
    writer: &[u32],
    numbers: &FxHashMap<Reading, u32>,
) -> Option<Reading> {
    for _ in 0..calls.len() {
        let observed = calls[call as usize].operation.observed()?;
        call = writer[*numbers.get(&observed)? as usize];
        if call == NONE || calls[call as usize].operation.observed().is_none() {
            return Some(observed);
        }
    }
    None
}

/// The calls on a value and on all that comes from it by compare-and-set.
fn all_from(calls: Calls<'_>, origin: Reading) -> Vec<u32> {
    let mut reached = FxHashSet::from_iter([origin]);
    let mut before = 0;
    while reached.len() > before {
        before = reached.len();
        for call in calls {
            if let RegisterOperation::Cas(old, new) = call.operation
                && reached.contains(&Reading::Value(old))
            {
                reached.insert(Reading::Value(new));
            }
        }
    }
    let touches = |call: &Call<RegisterOperation>| {
        let written = call.operation.written().map(Reading::Value);
        [written, call.operation.observed()].into_iter().flatten().any(|it| reached.contains(&it))
    };
    (0..calls.len() as u32).filter(|index| touches(&calls[*index as usize])).collect()
}

/// Two blocks each of which must come before the other, if there are any.
fn conflict(blocks: &[Block]) -> Option<[&Block; 2]> {
    let (mut forward, backward): (Vec<&Block>, Vec<&Block>) =
        blocks.iter().partition(|block| block.is_forward());
    forward.sort_by_key(|block| block.first_end);
    let overlap = |pair: &&[&Block]| pair[1].first_end < pair[0].last_begin;
    if let Some(pair) = forward.windows(2).find(overlap) {
        return Some([pair[0], pair[1]]);
    }
    // Forward zones do not overlap, so the last that began before is the only one to lie in.
    backward.into_iter().find_map(|inner| {
        let before = forward.partition_point(|outer| outer.first_end < inner.last_begin);
        let outer = forward[before.checked_sub(1)?];
        (inner.first_end < outer.last_begin).then_some([outer, inner])
    })
}
