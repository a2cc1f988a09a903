//! Monotonic atomic view, read atomic and causal consistency.
//!
//! Each is an axiom about a total order of all transactions that keeps their sessions (or time) and
//! what they read (Biswas & Enea, *On the complexity of checking transactional consistency*, 2019):
//! if a transaction read an item from `t1`, and `t2` wrote it too and is *visible* to the read, then
//! `t2` came before `t1`. What is visible does not depend on the order:
//!
//! | level | visible to a read |
//! |---|---|
//! | monotonic atomic view | what an earlier read of the transaction read from |
//! | read atomic | what any of its reads read from, and what came before it in its session |
//! | causal | all that leads to it by sessions and reads |
//!
//! So these are all the edges that there are to be added, and the level holds if and only if there
//! is no cycle then. (Sessions are the order kept here; time, where that is, and nothing, where none
//! is.)
//!
//! Cost: for the first two O(n * s) with `s` operations in the smaller one of a transaction and what
//! it read from, at most n^1.5 (which is optimal: Møldrup & Pavlogiannis, *AWDIT*, 2025). Causal:
//! O(n * k) with k sessions, in a column for each session, of which two are held at a time.

use super::observations::{INITIAL, Observations};
use crate::{Context, Order};

/// `from` must come before `to`, since the other wrote `item` too, is visible to `reader`, and
/// `reader` read it from `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Forced {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) reader: u32,
    pub(crate) item: u32,
}

/// A read that missed what was visible to it: `to` is [`INITIAL`], which nothing comes before.
pub(crate) type Missed = Forced;

/// What a level adds to the order; and of reads that missed something while they saw what was there
/// at first, one.
pub(crate) struct Added<'a> {
    pub(crate) forced: Vec<Forced>,
    pub(crate) missed: Option<Missed>,
    /// So many are looked at for repetitions.
    tidy_at: usize,
    context: &'a Context<'a>,
}

/// Between two looks at the bounds.
const READERS_PER_LOOK: u32 = 1 << 14;

/// Edges that are kept before repetitions are removed for the first time.
const TIDY_FIRST: usize = 1 << 20;

impl<'a> Added<'a> {
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { forced: Vec::new(), missed: None, tidy_at: TIDY_FIRST, context }
    }

    pub(super) fn push(&mut self, forced: Forced) {
        match forced.to {
            INITIAL => self.missed = self.missed.or(Some(forced)),
            _ => self.forced.push(forced),
        }
    }

    pub(super) fn tidy(&mut self) {
        self.forced.sort_unstable();
        self.forced.dedup_by_key(|it| (it.from, it.to));
        self.tidy_at = (2 * self.forced.len()).max(TIDY_FIRST);
    }

    /// Keeps the bounds of a pass over all readers, which calls this with each.
    ///
    /// # Errors
    /// If the time is up or the memory.
    pub(super) fn look(&mut self, reader: u32) -> Result<(), Stop> {
        if self.forced.len() >= self.tidy_at {
            self.tidy();
        }
        if !reader.is_multiple_of(READERS_PER_LOOK) {
            return Ok(());
        }
        // The edges are kept once more in a graph.
        if self.forced.len() * 2 * size_of::<Forced>() > self.context.memory_limit_bytes {
            return Err(Stop::Memory);
        }
        if (self.context.out_of_time)() { Err(Stop::Time) } else { Ok(()) }
    }
}

/// Why there is no answer yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Sessions and reads alone go round in a circle.
    Cycle,
    /// There are too many transactions for a level without sessions.
    TooLarge,
    /// The level adds more than there is memory for.
    Memory,
    Time,
}

/// What monotonic atomic view adds.
///
/// # Errors
/// If a bound is reached.
pub(crate) fn monotonic_atomic_view<'a>(
    observations: &Observations,
    context: &'a Context<'a>,
) -> Result<Added<'a>, Stop> {
    let mut added = Added::new(context);
    let mut later = Vec::new();
    for reader in 0..observations.len() as u32 {
        added.look(reader)?;
        let reads = observations.reads.of(reader);
        // The reads by item, with their places among all.
        later.clear();
        later.extend(reads.iter().enumerate().map(|(place, read)| (read.item, place)));
        later.sort_unstable();
        for (place, visible) in first_of_each_writer(reads) {
            common(
                observations.writes.of(visible),
                &later,
                |it| it.0,
                |(item, at)| {
                    let writer = reads[at].writer;
                    if at > place && writer != visible {
                        added.push(Forced { from: visible, to: writer, reader, item });
                    }
                },
            );
        }
    }
    added.tidy();
    Ok(added)
}

/// What read atomic adds.
///
/// # Errors
/// If a bound is reached.
pub(crate) fn read_atomic<'a>(
    observations: &Observations,
    order: Order,
    context: &'a Context<'a>,
) -> Result<Added<'a>, Stop> {
    let mut added = Added::new(context);
    let mut by_item = Vec::new();
    for reader in 0..observations.len() as u32 {
        added.look(reader)?;
        let reads = observations.reads.of(reader);
        by_item.clear();
        by_item.extend(reads.iter().map(|read| (read.item, read.writer)));
        by_item.sort_unstable();
        for (_, visible) in first_of_each_writer(reads) {
            common(
                observations.writes.of(visible),
                &by_item,
                |it| it.0,
                |(item, writer)| {
                    if writer != visible {
                        added.push(Forced { from: visible, to: writer, reader, item });
                    }
                },
            );
        }
    }
    match order {
        Order::Free => {}
        Order::Session => own_session(observations, &mut added)?,
        Order::RealTime => ended_before(observations, &mut added)?,
    }
    added.tidy();
    Ok(added)
}

/// What came before in the session of a reader is visible to it; the last writer is enough.
fn own_session(observations: &Observations, added: &mut Added<'_>) -> Result<(), Stop> {
    let mut by_session: Vec<u32> = (0..observations.len() as u32).collect();
    by_session.sort_by_key(|it| observations.sessions[*it as usize]);
    let nobody = (u32::MAX, 0);
    let mut last = vec![nobody; observations.items.len()];
    for reader in by_session {
        added.look(reader)?;
        let session = observations.sessions[reader as usize];
        for read in observations.reads.of(reader) {
            let (written_in, from) = last[read.item as usize];
            if written_in == session && from != read.writer {
                added.push(Forced { from, to: read.writer, reader, item: read.item });
            }
        }
        for item in observations.writes.of(reader) {
            last[*item as usize] = (session, reader);
        }
    }
    Ok(())
}

/// What had ended before a reader began is visible to it.
fn ended_before(observations: &Observations, added: &mut Added<'_>) -> Result<(), Stop> {
    let writers = Writers::by(observations, |writer| observations.completed[writer as usize]);
    for reader in 0..observations.len() as u32 {
        added.look(reader)?;
        let begin = observations.invoked[reader as usize];
        for read in observations.reads.of(reader) {
            let all = writers.of(read.item);
            let ended =
                |by: u32| all.partition_point(|it| observations.completed[*it as usize] < by);
            // What had ended before what was read began came before it anyhow.
            let first = match read.writer {
                INITIAL => 0,
                writer => ended(observations.invoked[writer as usize]),
            };
            let between = &all[first.min(ended(begin))..ended(begin)];
            let others = between.iter().filter(|it| **it != read.writer);
            let forced =
                |from: &u32| Forced { from: *from, to: read.writer, reader, item: read.item };
            let newer =
                |it: &&u32| read.writer != INITIAL && observations.precedes(read.writer, **it);
            // One that is certainly newer is contradiction enough.
            match others.clone().find(newer) {
                Some(newer) => added.push(forced(newer)),
                None => others.for_each(|it| added.push(forced(it))),
            }
        }
    }
    Ok(())
}

/// The transactions that some reads are from, each with the place of the first.
fn first_of_each_writer(
    reads: &[super::observations::Read],
) -> impl Iterator<Item = (usize, u32)> + '_ {
    let seen_before =
        |place: usize| reads[..place].iter().any(|before| before.writer == reads[place].writer);
    (0..reads.len())
        .filter(move |place| reads[*place].writer != INITIAL && !seen_before(*place))
        .map(|place| (place, reads[place].writer))
}

/// Calls `each` with all of `some` that are of the `items`; both are by item. Goes through the
/// shorter one.
fn common<T: Copy>(items: &[u32], some: &[T], item: impl Fn(&T) -> u32, mut each: impl FnMut(T)) {
    if items.len() <= some.len() {
        for wanted in items {
            let begin = some.partition_point(|it| item(it) < *wanted);
            some[begin..].iter().take_while(|it| item(it) == *wanted).for_each(|it| each(*it));
        }
    } else {
        let of_items = some.iter().filter(|it| items.binary_search(&item(it)).is_ok());
        of_items.for_each(|it| each(*it));
    }
}

/// The transactions that wrote each item, in an order.
#[derive(Debug)]
pub(super) struct Writers {
    offsets: Vec<u32>,
    all: Vec<u32>,
}

impl Writers {
    pub(super) fn by<K: Ord>(observations: &Observations, key: impl Fn(u32) -> K) -> Self {
        let mut offsets = vec![0_u32; observations.items.len() + 1];
        let transactions = 0..observations.len() as u32;
        for item in transactions.clone().flat_map(|it| observations.writes.of(it)) {
            offsets[*item as usize + 1] += 1;
        }
        for item in 0..observations.items.len() {
            offsets[item + 1] += offsets[item];
        }
        let mut all = vec![0; offsets[observations.items.len()] as usize];
        let mut next = offsets.clone();
        for writer in transactions {
            for item in observations.writes.of(writer) {
                all[next[*item as usize] as usize] = writer;
                next[*item as usize] += 1;
            }
        }
        for pair in offsets.windows(2) {
            all[pair[0] as usize..pair[1] as usize].sort_unstable_by_key(|writer| key(*writer));
        }
        Self { offsets, all }
    }

    pub(super) fn of(&self, item: u32) -> &[u32] {
        &self.all[self.offsets[item as usize] as usize..self.offsets[item as usize + 1] as usize]
    }
}
