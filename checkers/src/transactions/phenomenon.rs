//! What a cycle is called.

use super::cycles::Link;
use super::graph::kind;
use super::observations::{INITIAL, Observations};
use crate::{Order, Phenomenon};

/// The item that an edge is about; `None` of those of sessions and time.
pub(crate) fn item_of(observations: &Observations, link: Link) -> Option<u32> {
    let Link { from, to, kind } = link;
    match kind {
        kind::SESSION | kind::REAL_TIME => None,
        kind::WR | kind::WR_PREDICATE => {
            let reads = observations.reads.of(to).iter();
            let mut reads = reads.filter(|read| {
                observations.is_predicate(read.item) == (kind == kind::WR_PREDICATE)
            });
            reads.find(|read| read.writer == from).map(|read| read.item)
        }
        kind::RW | kind::RW_PREDICATE => {
            let reads = observations.reads.of(from).iter();
            let overwritten = |read: &&super::observations::Read| {
                let chain = observations.chains.of(read.item);
                observations.is_predicate(read.item) == (kind == kind::RW_PREDICATE)
                    && match chain.get(read.place as usize) {
                        Some(next) => *next == to,
                        None => {
                            (read.place as usize == chain.len() || read.writer != INITIAL)
                                && observations.tails.of(read.item).binary_search(&to).is_ok()
                        }
                    }
            };
            let mut reads = reads.filter(overwritten);
            reads.next().map(|read| read.item)
        }
        _ => {
            let follows = |item: &&u32| {
                let chain = observations.chains.of(**item);
                let tail = observations.tails.of(**item);
                chain.windows(2).any(|pair| pair == [from, to])
                    || tail.binary_search(&to).is_ok()
                        && (chain.last() == Some(&from) || tail.binary_search(&from).is_ok())
            };
            observations.writes.of(from).iter().find(follows).copied()
        }
    }
}

/// The name of a cycle, and the order that it is seen in.
pub(crate) fn classify(observations: &Observations, cycle: &[Link]) -> (Phenomenon, Order) {
    let has = |kinds: u8| cycle.iter().any(|link| link.kind & kinds != 0);
    let order = match (has(kind::REAL_TIME), has(kind::SESSION)) {
        (true, _) => Order::RealTime,
        (false, true) => Order::Session,
        (false, false) => Order::Free,
    };
    (phenomenon(observations, cycle), order)
}

fn phenomenon(observations: &Observations, cycle: &[Link]) -> Phenomenon {
    let is_anti = |link: &Link| link.kind & kind::ANY_RW != 0;
    let anti = cycle.iter().filter(|link| is_anti(link)).count();
    let of_predicates = cycle.iter().any(|link| link.kind == kind::RW_PREDICATE);
    let item = |phenomenon, of_predicate| if of_predicates { of_predicate } else { phenomenon };
    let adjacent =
        (0..cycle.len()).any(|at| is_anti(&cycle[at]) && is_anti(&cycle[(at + 1) % cycle.len()]));
    let kinds: Vec<u8> = cycle.iter().map(|link| link.kind).collect();
    let begin = kinds.iter().position(|it| it & kind::ANY_RW != 0).unwrap_or(0);
    let turned: Vec<Link> = (0..cycle.len()).map(|at| cycle[(begin + at) % cycle.len()]).collect();
    match (anti, &turned[..]) {
        (0, _) if cycle.iter().any(|link| link.kind & kind::ANY_WR != 0) => Phenomenon::G1c,
        (0, _) => Phenomenon::G0,
        (1, [rw, ww]) if ww.kind == kind::WW && same_item(observations, *rw, *ww) => {
            Phenomenon::LostUpdate
        }
        (1, [rw, wr]) if wr.kind & kind::ANY_WR != 0 => skew(observations, *rw, *wr),
        (1, _) => item(Phenomenon::GSingleItem, Phenomenon::GSingle),
        (2, [_, _]) if !of_predicates => match same_item(observations, turned[0], turned[1]) {
            // Both read the same version and wrote the item.
            true => Phenomenon::LostUpdate,
            false => Phenomenon::WriteSkew,
        },
        (2, [_, first, _, second]) if !adjacent && first.kind & second.kind & kind::ANY_WR != 0 => {
            Phenomenon::LongFork
        }
        (_, _) if !adjacent => item(Phenomenon::GNonadjacentItem, Phenomenon::GNonadjacent),
        _ => item(Phenomenon::G2Item, Phenomenon::G2),
    }
}

fn same_item(observations: &Observations, one: Link, other: Link) -> bool {
    let item = item_of(observations, one);
    item.is_some() && item == item_of(observations, other)
}

/// A transaction that read something of another and missed something of it: which came first?
fn skew(observations: &Observations, rw: Link, wr: Link) -> Phenomenon {
    let reads = observations.reads.of(rw.from);
    let missed = item_of(observations, rw);
    let last_missing = reads.iter().rposition(|it| Some(it.item) == missed && it.writer != wr.from);
    let first_seeing = reads.iter().position(|it| it.writer == wr.from);
    match last_missing < first_seeing {
        true => Phenomenon::ReadSkew,
        false => Phenomenon::ObservedTransactionVanishes,
    }
}
