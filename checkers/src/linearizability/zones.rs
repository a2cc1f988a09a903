//! Registers whose values are written once: decided in O(n log n), for when the search gets lost.
//!
//! Then every value has one time in the register, which begins with its write, holds all its reads
//! and ends with the one compare-and-set that replaces it, if any. So a write with its reads and all
//! that follows from it by compare-and-set is a *block* that no other write can come into.
//!
//! Within a block the order is given: no operation may have ended before one of an earlier stage
//! began. Between blocks, with `first_end` the earliest end of a block's operations and `last_begin`
//! their latest beginning, A must come before B if and only if A's `first_end` is before B's
//! `last_begin`. If these demands form a cycle, two of them do. A block's *zone* lies between the
//! two: *forward* if it ended before it last began (some operation precedes another: the value was
//! certainly there in between), else *backward*. Two blocks demand to be before each other if and
//! only if both zones are forward and overlap, or one is forward and the other lies inside it.
//!
//! Gibbons & Korach, *Testing shared memories*, 1997; compare-and-set makes clusters into chains.

use perjury_history::{Reading, Value};
use rustc_hash::FxHashMap;

use super::register::{Register, RegisterOperation};
use super::sequential::{Call, SequentialModel as _};

/// What the zones say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Zones {
    /// Values repeat: they say nothing.
    Inapplicable,
    /// There is an order.
    Linearizable,
    /// There is none, even for these calls alone: one, or all those of one or two blocks.
    Contradiction(Vec<usize>),
}

const UNWRITTEN: i64 = -1;
const NEVER: i64 = i64::MAX;

/// All that comes from one write (or from the empty register) by compare-and-set.
#[derive(Clone, Debug, Default)]
struct Block {
    calls: Vec<usize>,
    first_end: i64,
    last_begin: i64,
}

/// Decides calls that [`reduce`](super::sequential::SequentialModel::reduce) has been through.
pub(crate) fn zones(calls: &[Call<RegisterOperation>]) -> Zones {
    let mut writer: FxHashMap<Value, usize> = FxHashMap::default();
    for (index, call) in calls.iter().enumerate() {
        if let Some(value) = call.operation.written()
            && writer.insert(value, index).is_some()
        {
            return Zones::Inapplicable;
        }
    }
    let mut reads: FxHashMap<Reading, Vec<usize>> = FxHashMap::default();
    let mut next: FxHashMap<Value, usize> = FxHashMap::default();
    for (index, call) in calls.iter().enumerate() {
        let Some(observed) = call.operation.observed() else { continue };
        let value = observed.value();
        if value.is_some_and(|value| !writer.contains_key(&value)) {
            // Nobody wrote it, so it cannot have been seen, if it was.
            match call.returned {
                Some(_) => return Zones::Contradiction(vec![index]),
                None => return Zones::Inapplicable,
            }
        }
        match (call.operation, value) {
            (RegisterOperation::Cas(..), Some(old)) => {
                if let Some(other) = next.insert(old, index) {
                    return replaced_twice(calls, [index, other], &writer);
                }
            }
            _ => reads.entry(observed).or_default().push(index),
        }
    }
    let mut blocks = vec![empty_block(calls, reads.get(&Reading::Nil))];
    for (index, call) in calls.iter().enumerate() {
        let RegisterOperation::Write(value) = call.operation else { continue };
        match block(calls, index, value, &reads, &next) {
            (block, true) => blocks.push(block),
            (mut block, false) => {
                block.calls.sort_unstable();
                return Zones::Contradiction(block.calls);
            }
        }
    }
    // Compare-and-sets in a circle come from no write.
    if blocks.iter().map(|block| block.calls.len()).sum::<usize>() < calls.len() {
        return Zones::Inapplicable;
    }
    conflict(blocks)
}

/// Two compare-and-sets replaced one value: with all that comes from the same write they contradict
/// each other, if both happened.
fn replaced_twice(
    calls: &[Call<RegisterOperation>],
    both: [usize; 2],
    writer: &FxHashMap<Value, usize>,
) -> Zones {
    let mut root = both[0];
    // Compare-and-sets in a circle have no first.
    for _ in 0..calls.len() {
        let before = calls[root].operation.observed().and_then(Reading::value);
        let Some(before) = before.and_then(|value| writer.get(&value)) else { break };
        root = *before;
    }
    let is_write = matches!(calls[root].operation, RegisterOperation::Write(_));
    if !is_write || both.iter().any(|index| calls[*index].returned.is_none()) {
        return Zones::Inapplicable;
    }
    let mut chosen = vec![false; calls.len()];
    chosen[root] = true;
    Register.close_removal(calls, &mut chosen);
    Zones::Contradiction((0..calls.len()).filter(|index| chosen[*index]).collect())
}

/// The time before the first write, which ended before everything.
fn empty_block(calls: &[Call<RegisterOperation>], reads: Option<&Vec<usize>>) -> Block {
    let calls_of = reads.cloned().unwrap_or_default();
    let last_begin = calls_of.iter().map(|read| i64::from(calls[*read].invoked)).max();
    Block { calls: calls_of, first_end: UNWRITTEN, last_begin: last_begin.unwrap_or(UNWRITTEN) }
}

/// The block that begins with a write, and whether its operations can come in their order.
fn block(
    calls: &[Call<RegisterOperation>],
    write: usize,
    mut value: Value,
    reads: &FxHashMap<Reading, Vec<usize>>,
    next: &FxHashMap<Value, usize>,
) -> (Block, bool) {
    let mut block = Block { calls: Vec::new(), first_end: NEVER, last_begin: UNWRITTEN };
    let mut is_ordered = true;
    let mut stage = vec![write];
    loop {
        let begun = block.last_begin;
        for &index in &stage {
            let end = calls[index].returned.map_or(NEVER, i64::from);
            is_ordered &= end > begun;
            block.first_end = block.first_end.min(end);
            block.last_begin = block.last_begin.max(i64::from(calls[index].invoked));
        }
        let is_mutation = stage.first().is_none_or(|it| calls[*it].operation.written().is_some());
        block.calls.append(&mut stage);
        if is_mutation && let Some(reads) = reads.get(&Reading::Value(value)) {
            stage.clone_from(reads);
            continue;
        }
        let Some(&replacing) = next.get(&value) else { return (block, is_ordered) };
        stage.push(replacing);
        value = calls[replacing].operation.written().expect("a compare-and-set writes");
    }
}

/// Two blocks each of which must come before the other, if there are any.
fn conflict(blocks: Vec<Block>) -> Zones {
    let (mut forward, backward): (Vec<Block>, Vec<Block>) =
        blocks.into_iter().partition(|block| block.first_end < block.last_begin);
    forward.sort_by_key(|block| block.first_end);
    let contradiction = |one: &Block, other: &Block| {
        let mut calls = [&one.calls[..], &other.calls[..]].concat();
        calls.sort_unstable();
        Zones::Contradiction(calls)
    };
    for pair in forward.windows(2) {
        if pair[1].first_end < pair[0].last_begin {
            return contradiction(&pair[0], &pair[1]);
        }
    }
    // Forward zones do not overlap, so the last that began before is the only one to lie in.
    for inner in &backward {
        let before = forward.partition_point(|outer| outer.first_end < inner.last_begin);
        let outer = before.checked_sub(1).map(|index| &forward[index]);
        if let Some(outer) = outer.filter(|outer| inner.first_end < outer.last_begin) {
            return contradiction(outer, inner);
        }
    }
    Zones::Linearizable
}
