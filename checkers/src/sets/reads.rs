//! Whether an order of adds and reads explains what the reads of one set returned.
//!
//! An element's add comes before the reads that show it and after those that do not; what ended
//! before another began comes before it. There is an order if and only if these have no cycle. Put
//! the reads in a row by how much they show. If of two neighbours the smaller is no part of the
//! larger, each shows something that the other lacks: a cycle. Otherwise give each element the place
//! of the first read that shows it, and every operation has its place in the row: adds, then the
//! reads that show them, then the next adds. The row is the order, unless something late in it ended
//! before something early in it began. The four cases:
//!
//! - an add late, a read early: the read is stale;
//! - a read late, a read early: the late one showed more, so what it showed was known, and the early
//!   one is stale;
//! - a read late, an add early: the read shows an element whose add had not begun (see `one_set`);
//! - an add late, an add early: some read shows the second element without the first.
//!
//! (Elements that no read shows come last if their add was acknowledged; others never happened.)

use perjury_history::OperationId;

use super::Known;
use super::one_set::{Element, Look};

/// Notes since when each element is known to be there.
pub(crate) fn learn(elements: &mut [Element], reads: &[Look]) {
    for element in elements.iter_mut() {
        element.known = element.acknowledged.map(|at| Known { at, by: element.add });
    }
    for read in reads {
        for &position in &read.elements {
            let known = &mut elements[position as usize].known;
            if known.is_none_or(|known| read.completed < known.at) {
                *known = Some(Known { at: read.completed, by: read.operation });
            }
        }
    }
}

/// A read that lacks something known.
pub(crate) struct Stale<'a> {
    pub(crate) read: OperationId,
    /// Of what it lacks, that which was known first.
    pub(crate) missing: &'a Element,
    /// How many more it lacks.
    pub(crate) more: usize,
}

/// Every read that lacks an element that was known before it began.
pub(crate) fn stale<'a>(elements: &'a [Element], reads: &[Look]) -> Vec<Stale<'a>> {
    let mut known: Vec<(u32, u32)> = elements
        .iter()
        .zip(0..)
        .filter_map(|(element, position)| element.known.map(|known| (known.at, position)))
        .collect();
    known.sort_unstable();
    let mut stale = Vec::new();
    for read in reads {
        let expected = &known[..known.partition_point(|(at, _)| *at < read.invoked)];
        let is_expected = |position: &&u32| {
            let known = elements[**position as usize].known;
            known.is_some_and(|known| known.at < read.invoked)
        };
        let missing = expected.len() - read.elements.iter().filter(is_expected).count();
        if missing == 0 {
            continue;
        }
        let lacks = |(_, position): &&(u32, u32)| read.elements.binary_search(position).is_err();
        let (_, first) = expected.iter().find(lacks).expect("so many are missing");
        let missing_first = &elements[*first as usize];
        stale.push(Stale { read: read.operation, missing: missing_first, more: missing - 1 });
    }
    stale
}

/// Why no order explains reads of which none is stale.
pub(crate) enum Contradiction<'a> {
    /// Each read shows an element that the other lacks.
    Apart { one: (OperationId, &'a Element), other: (OperationId, &'a Element) },
    /// The read shows `second` without `first`, whose add had ended before that of `second` began.
    OutOfOrder { read: OperationId, first: &'a Element, second: &'a Element },
}

/// The first contradiction between the reads that are not `stale`.
pub(crate) fn contradiction<'a>(
    elements: &'a [Element],
    reads: &[Look],
    stale: &[Stale<'_>],
) -> Option<Contradiction<'a>> {
    let is_stale = |read: &&Look| stale.binary_search_by_key(&read.operation, |it| it.read).is_ok();
    let mut row: Vec<&Look> = reads.iter().filter(|read| !is_stale(read)).collect();
    row.sort_by_key(|read| (read.elements.len(), read.operation));
    for pair in row.windows(2) {
        let (smaller, larger) = (pair[0], pair[1]);
        if let Some(own) = lacking(smaller, larger) {
            let others = lacking(larger, smaller).expect("it shows as much, but not the same");
            let element = |position: u32| &elements[position as usize];
            return Some(Contradiction::Apart {
                one: (smaller.operation, element(own)),
                other: (larger.operation, element(others)),
            });
        }
    }
    out_of_order(elements, &row)
}

/// The first element of `one` that `other` lacks.
fn lacking(one: &Look, other: &Look) -> Option<u32> {
    let mut rest = other.elements.iter().peekable();
    one.elements.iter().copied().find(|position| {
        while rest.next_if(|it| **it < *position).is_some() {}
        rest.peek() != Some(&position)
    })
}

/// Goes along the row and looks for an add that had ended before one with an earlier place began.
fn out_of_order<'a>(elements: &'a [Element], row: &[&Look]) -> Option<Contradiction<'a>> {
    let mut placed = vec![false; elements.len()];
    // The add that began last among those placed, and the first read that shows it.
    let mut latest: Option<(u32, u32, OperationId)> = None;
    let unseen = |placed: &[bool]| -> Vec<u32> {
        let positions = 0..placed.len() as u32;
        positions.filter(|position| !placed[*position as usize]).collect()
    };
    let mut step = |fresh: &[u32], read: Option<OperationId>| {
        let ended_before = |position: &&u32| {
            let acknowledged = elements[**position as usize].acknowledged;
            matches!((acknowledged, latest), (Some(at), Some((began, ..))) if at < began)
        };
        if let (Some(&first), Some((_, second, read))) = (fresh.iter().find(ended_before), latest) {
            let element = |position: u32| &elements[position as usize];
            let (first, second) = (element(first), element(second));
            return Some(Contradiction::OutOfOrder { read, first, second });
        }
        let began = |position: &u32| (elements[*position as usize].invoked, *position);
        if let (Some(read), Some((began, position))) = (read, fresh.iter().map(began).max())
            && latest.is_none_or(|(before, ..)| before < began)
        {
            latest = Some((began, position, read));
        }
        None
    };
    for read in row {
        let is_fresh = |position: &u32| !placed[*position as usize];
        let fresh: Vec<u32> = read.elements.iter().copied().filter(is_fresh).collect();
        if let Some(contradiction) = step(&fresh, Some(read.operation)) {
            return Some(contradiction);
        }
        fresh.iter().for_each(|position| placed[*position as usize] = true);
    }
    step(&unseen(&placed), None)
}
