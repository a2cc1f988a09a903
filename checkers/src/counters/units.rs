//! Whether an order explains the reads of a counter whose increments are all of one size.
//!
//! Put the reads in groups by what they found. An increment falls into one of the gaps: before the
//! first group, between two, or behind the last. What ended before it began must lie before it, so
//! there is a first gap that it may fall into; what began after it was acknowledged lies behind it,
//! so there is a last one; an increment of unknown outcome may also fall nowhere. Each gap needs as
//! many increments as its groups are apart. Increments are interchangeable, so nothing else counts,
//! and handing out those first that must be counted soonest is as good as any way (earliest deadline
//! first, Jackson 1955).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use perjury_history::Value;

use super::one_counter::{OneCounter, Read};

/// The fewest of these reads that no order explains, if it does not explain them all. By when they
/// ended.
pub(super) fn contradiction(
    counter: &OneCounter,
    unit: Value,
    reads: &[Read],
) -> Option<Vec<Read>> {
    let mut left = reads.to_vec();
    left.sort_by_key(|read| read.completed);
    if is_explained(counter, unit, &left) {
        return None;
    }
    // The last of the shortest beginning that cannot be explained is needed; then the same again with
    // that one given (QuickXplain, Junker 2004).
    let mut needed: Vec<Read> = Vec::new();
    while is_explained(counter, unit, &needed) {
        let (mut enough, mut too_few) = (left.len(), 0);
        while too_few + 1 < enough {
            let middle = usize::midpoint(too_few, enough);
            let some = [&left[..middle], &needed].concat();
            match is_explained(counter, unit, &some) {
                true => too_few = middle,
                false => enough = middle,
            }
        }
        left.truncate(enough);
        needed.extend(left.pop());
    }
    needed.sort_by_key(|read| read.completed);
    Some(needed)
}

fn is_explained(counter: &OneCounter, unit: Value, reads: &[Read]) -> bool {
    // Reads within their bounds are multiples of the unit, and not below zero of them.
    let counted = |read: &Read| (i128::from(read.value) / i128::from(unit)).max(0) as usize;
    let mut groups: Vec<usize> = reads.iter().map(counted).collect();
    groups.sort_unstable();
    groups.dedup();
    let group = |read: &Read| groups.partition_point(|it| *it < counted(read));
    // The last group of those reads that are over at some entry, and the first of those to come.
    let mut over: Vec<(u32, usize)> = reads.iter().map(|it| (it.completed, group(it))).collect();
    over.sort_unstable();
    for index in 1..over.len() {
        over[index].1 = over[index].1.max(over[index - 1].1);
    }
    let mut coming: Vec<(u32, usize)> = reads.iter().map(|it| (it.invoked, group(it))).collect();
    coming.sort_unstable();
    for index in (1..coming.len()).rev() {
        coming[index - 1].1 = coming[index - 1].1.min(coming[index].1);
    }
    let last_over = |at: u32| over[..over.partition_point(|it| it.0 < at)].last().map(|it| it.1);
    let first_coming = |at: u32| coming.get(coming.partition_point(|it| it.0 < at)).map(|it| it.1);
    if reads.iter().any(|read| last_over(read.invoked).is_some_and(|last| last > group(read))) {
        return false;
    }
    let mut by_first_gap: Vec<Vec<usize>> = vec![Vec::new(); groups.len() + 1];
    for it in &counter.increments {
        let first_gap = last_over(it.invoked).map_or(0, |last| last + 1);
        let last_gap = it.acknowledged.and_then(first_coming).unwrap_or(usize::MAX);
        if first_gap > last_gap {
            return false;
        }
        by_first_gap[first_gap].push(last_gap);
    }
    let mut waiting: BinaryHeap<Reverse<usize>> = BinaryHeap::new();
    let mut before = 0;
    for (gap, counted) in groups.iter().enumerate() {
        waiting.extend(by_first_gap[gap].iter().map(|last_gap| Reverse(*last_gap)));
        for _ in before..*counted {
            if waiting.pop().is_none_or(|Reverse(last_gap)| last_gap < gap) {
                return false;
            }
        }
        if waiting.peek().is_some_and(|Reverse(last_gap)| *last_gap <= gap) {
            return false;
        }
        before = *counted;
    }
    true
}
