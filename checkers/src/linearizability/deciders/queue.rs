//! First-in-first-out queues whose values are enqueued once: decided in O(n log n).
//!
//! Of two values, A must come before B if A's enqueue ended before B's began, or A's dequeue before
//! B's. If these demands form a cycle, two of them do: of the values that are left let A be the one
//! whose enqueue ended first and B the one whose dequeue did. If no dequeue had ended before A's
//! began, A can be next; if no enqueue had ended before B's began, B can; and else A's enqueue ended
//! before B's began and B's dequeue before A's. So two sorted rows give the order of the values, or a
//! contradiction of four operations. In such an order every operation comes as soon as it can.
//!
//! Whoever found the queue empty needs a moment outside all times in which some value was certainly
//! inside. Such moments cut time into gaps as in a [bag](super::bag). No demand goes from a later gap
//! to an earlier one, so within each gap the order is the same as without the moments, and that is
//! all: no more rules are needed.
//!
//! A value that nobody dequeued comes last of all, unless one of the dequeues of unknown outcome took
//! it (see `stays`).
//!
//! The rules are those of Henzinger, Sezgin & Vafeiadis, *Aspect-oriented linearizability proofs*,
//! 2013.

use super::bag::{gap, prepared};
use super::stays::{Calls, IN_THE_END, Stay, Stays, after};
use crate::linearizability::object::Decision;

/// Decides calls that [`reduce`](crate::linearizability::SequentialObject::reduce) has been through.
pub(crate) fn decide(calls: Calls<'_>) -> Decision {
    let (stays, moments) = match prepared(calls) {
        Ok(prepared) => prepared,
        Err(decision) => return decision,
    };
    let mut row = match row(&stays) {
        Ok(row) => row,
        Err(pair) => return stays.contradiction(calls, &pair, &[]),
    };
    let gap = |stay: u32| {
        let stay = &stays.stays[stay as usize];
        gap(&moments, stay.put.begin.max(stay.take.begin))
    };
    if !moments.is_empty() {
        row.sort_by_cached_key(|stay| gap(*stay));
    }
    let mut order = Vec::with_capacity(calls.len());
    let mut rest = &row[..];
    for (number, (_, empty)) in moments.iter().enumerate() {
        let (here, later) = rest.split_at(rest.partition_point(|it| gap(*it) <= number as u32));
        emit(&stays, here, &mut order);
        order.push(*empty);
        rest = later;
    }
    emit(&stays, rest, &mut order);
    Decision::Linearizable(order)
}

/// The values in an order that keeps all demands, or two that demand to be before each other.
fn row(stays: &Stays) -> Result<Vec<u32>, [u32; 2]> {
    let stays = &stays.stays;
    let by = |end: fn(&Stay) -> u32| {
        let mut row: Vec<u32> = (0..stays.len() as u32).collect();
        row.sort_by_key(|stay| end(&stays[*stay as usize]));
        row
    };
    let (by_put, by_take) = (by(|stay| stay.put.end), by(|stay| stay.take.end));
    let mut is_placed = vec![false; stays.len()];
    let (mut next_put, mut next_take) = (0, 0);
    let mut row = Vec::with_capacity(stays.len());
    while row.len() < stays.len() {
        while is_placed[by_put[next_put] as usize] {
            next_put += 1;
        }
        while is_placed[by_take[next_take] as usize] {
            next_take += 1;
        }
        let (a, b) = (by_put[next_put], by_take[next_take]);
        let (first_put, first_take) = (&stays[a as usize], &stays[b as usize]);
        let next = if first_put.take.begin < first_take.take.end {
            a
        } else if first_take.put.begin < first_put.put.end {
            b
        } else {
            return Err([a, b]);
        };
        is_placed[next as usize] = true;
        row.push(next);
    }
    Ok(row)
}

/// The operations on values in a row, each as soon as it can be.
fn emit(stays: &Stays, row: &[u32], order: &mut Vec<u32>) {
    let (mut put, mut take, mut taken) = (0, 0, 0);
    let mut takes: Vec<(u64, Option<u32>)> = Vec::with_capacity(row.len());
    for &stay in row {
        let stay = &stays.stays[stay as usize];
        put = after(stay.put.begin).max(put);
        take = after(stay.take.begin).max(put).max(take);
        takes.push((take, stay.take_call()));
        while let Some((_, call)) = takes.get(taken).filter(|(take, _)| *take < put) {
            order.extend(*call);
            taken += 1;
        }
        order.push(stay.put_call);
    }
    let in_time = takes[taken..].iter().filter(|(take, _)| *take < after(IN_THE_END));
    order.extend(in_time.filter_map(|(_, call)| *call));
}
