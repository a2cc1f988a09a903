//! Which transaction comes before which, and why.
//!
//! The vertices are the transactions, and *junctions* beside them that stand for many edges at once:
//! a reader of the last known version comes before all writers of later ones, and all that ended
//! before all that began afterwards. Through junctions both take linear space.

use super::observations::{INITIAL, NEVER, Observations};
use super::weak::Forced;
use crate::Order;

/// Why one transaction comes before another. An edge out of a junction goes on with what led into it.
pub(crate) mod kind {
    /// Its version of an item is the earlier one.
    pub(crate) const WW: u8 = 1;
    /// The other read what it wrote.
    pub(crate) const WR: u8 = 2;
    /// The other overwrote what it read: an anti-dependency.
    pub(crate) const RW: u8 = 4;
    /// `WR` of a predicate.
    pub(crate) const WR_PREDICATE: u8 = 8;
    /// `RW` of a predicate.
    pub(crate) const RW_PREDICATE: u8 = 16;
    /// It came before in their session.
    pub(crate) const SESSION: u8 = 32;
    /// It had ended when the other began.
    pub(crate) const REAL_TIME: u8 = 64;
    /// Out of a junction of versions.
    pub(crate) const ONWARD: u8 = 128;

    /// Its version must be the earlier one by the definition of a level (see `weak`).
    pub(crate) const FORCED: u8 = WW | RW;

    pub(crate) const ANY_RW: u8 = RW | RW_PREDICATE;
    pub(crate) const ANY_WR: u8 = WR | WR_PREDICATE;
}

/// Vertices, and what each comes before.
#[derive(Debug)]
pub(crate) struct Graph {
    /// Vertices below this number are transactions.
    pub(crate) transactions: u32,
    offsets: Vec<u32>,
    targets: Vec<u32>,
    kinds: Vec<u8>,
}

impl Graph {
    /// All that is known of the order of transactions. Edges of time stand for those of sessions.
    pub(crate) fn of(observations: &Observations, order: Order) -> Self {
        let mut vertices = observations.len() as u32;
        let tails = Junctions::of(observations, &mut vertices);
        let times = vertices;
        if order == Order::RealTime {
            vertices += observations.len() as u32;
        }
        Self::from_edges(observations.len() as u32, vertices, |emit| {
            reads(observations, &tails, emit);
            versions(observations, &tails, emit);
            match order {
                Order::Free => {}
                Order::Session => sessions(observations, emit),
                Order::RealTime => real_time(observations, times, emit),
            }
        })
    }

    /// The order of versions alone, of those that certainly happened: a read may have been of what is
    /// not committed and never will be, so that it does not show that a transaction of unknown
    /// outcome happened.
    pub(crate) fn of_writes(observations: &Observations, order: Order) -> Self {
        let transactions = observations.len() as u32;
        let vertices = transactions * if order == Order::RealTime { 2 } else { 1 };
        let happened = |it: &&u32| observations.completed[**it as usize] != NEVER;
        Self::from_edges(transactions, vertices, |emit| {
            for item in 0..observations.items.len() as u32 {
                let mut last = None;
                for &writer in observations.chains.of(item).iter().filter(happened) {
                    if let Some(last) = last.filter(|it| *it != writer) {
                        emit(last, writer, kind::WW);
                    }
                    last = Some(writer);
                }
                let tail = observations.tails.of(item).iter().filter(happened);
                if let Some(last) = last {
                    tail.filter(|it| **it != last).for_each(|it| emit(last, *it, kind::WW));
                }
            }
            match order {
                Order::Free => {}
                Order::Session => sessions(observations, emit),
                Order::RealTime => real_time(observations, transactions, emit),
            }
        })
    }

    /// The edges that `each` emits, which it must do twice in the same way.
    pub(crate) fn from_edges(
        transactions: u32,
        vertices: u32,
        mut each: impl FnMut(&mut dyn FnMut(u32, u32, u8)),
    ) -> Self {
        let mut offsets = vec![0_u32; vertices as usize + 1];
        each(&mut |from, _, _| offsets[from as usize + 1] += 1);
        for vertex in 0..vertices as usize {
            offsets[vertex + 1] += offsets[vertex];
        }
        let edges = offsets[vertices as usize] as usize;
        let (mut targets, mut kinds) = (vec![0; edges], vec![0; edges]);
        let mut next = offsets.clone();
        each(&mut |from, to, kind| {
            let place = &mut next[from as usize];
            targets[*place as usize] = to;
            kinds[*place as usize] = kind;
            *place += 1;
        });
        Self { transactions, offsets, targets, kinds }
    }

    /// With more edges, which the levels add that are weaker than snapshots.
    pub(crate) fn with_forced(&self, forced: &[Forced]) -> Self {
        Self::from_edges(self.transactions, self.vertices(), |emit| {
            for vertex in 0..self.vertices() {
                self.out(vertex).for_each(|(to, kind)| emit(vertex, to, kind));
            }
            forced.iter().for_each(|it| emit(it.from, it.to, kind::FORCED));
        })
    }

    pub(crate) fn vertices(&self) -> u32 {
        self.offsets.len() as u32 - 1
    }

    pub(crate) fn edges(&self) -> usize {
        self.targets.len()
    }

    /// What `vertex` comes before, with why.
    pub(crate) fn out(&self, vertex: u32) -> impl Iterator<Item = (u32, u8)> + '_ {
        let range =
            self.offsets[vertex as usize] as usize..self.offsets[vertex as usize + 1] as usize;
        self.targets[range.clone()].iter().copied().zip(self.kinds[range].iter().copied())
    }

    /// The edge out of `vertex` of a number, from 0.
    pub(crate) fn edge(&self, vertex: u32, number: u32) -> Option<(u32, u8)> {
        let at = self.offsets[vertex as usize] + number;
        (at < self.offsets[vertex as usize + 1])
            .then(|| (self.targets[at as usize], self.kinds[at as usize]))
    }

    pub(crate) fn is_junction(&self, vertex: u32) -> bool {
        vertex >= self.transactions
    }
}

type Emit<'a> = &'a mut dyn FnMut(u32, u32, u8);

/// Junctions before all writers of each tail. Two for every writer: one leads to it and all before
/// it in the tail, one to it and all after, so that a writer that read the last known version can
/// be left out of those that come after itself.
struct Junctions {
    begins: Vec<u32>,
}

/// Of fewer writers each gets an edge of its own.
const WRITERS_MIN: usize = 3;

impl Junctions {
    fn of(observations: &Observations, vertices: &mut u32) -> Self {
        let begins = (0..observations.items.len() as u32).map(|item| {
            let begin = *vertices;
            let writers = observations.tails.of(item).len();
            if writers >= WRITERS_MIN {
                *vertices += 2 * writers as u32;
            }
            begin
        });
        Self { begins: begins.collect() }
    }

    /// From `from` to all writers of the tail but itself.
    fn to_tail(&self, observations: &Observations, item: u32, from: u32, kind: u8, emit: Emit<'_>) {
        let tail = observations.tails.of(item);
        if tail.len() < WRITERS_MIN {
            tail.iter().filter(|to| **to != from).for_each(|to| emit(from, *to, kind));
            return;
        }
        let begin = self.begins[item as usize];
        let last = tail.len() as u32 - 1;
        match tail.binary_search(&from) {
            Err(_) => emit(from, begin + 2 * last, kind),
            Ok(own) => {
                let own = own as u32;
                if own > 0 {
                    emit(from, begin + 2 * (own - 1), kind);
                }
                if own < last {
                    emit(from, begin + 2 * (own + 1) + 1, kind);
                }
            }
        }
    }

    fn onward(&self, observations: &Observations, item: u32, emit: Emit<'_>) {
        let tail = observations.tails.of(item);
        if tail.len() < WRITERS_MIN {
            return;
        }
        let begin = self.begins[item as usize];
        for (index, writer) in tail.iter().enumerate() {
            let (before, after) = (begin + 2 * index as u32, begin + 2 * index as u32 + 1);
            emit(before, *writer, kind::ONWARD);
            emit(after, *writer, kind::ONWARD);
            if index > 0 {
                emit(before, before - 2, kind::ONWARD);
            }
            if index + 1 < tail.len() {
                emit(after, after + 2, kind::ONWARD);
            }
        }
    }
}

/// From each writer to its readers, and from each reader to the next writer.
fn reads(observations: &Observations, tails: &Junctions, emit: Emit<'_>) {
    for reader in 0..observations.len() as u32 {
        for read in observations.reads.of(reader) {
            let (wr, rw) = match observations.is_predicate(read.item) {
                true => (kind::WR_PREDICATE, kind::RW_PREDICATE),
                false => (kind::WR, kind::RW),
            };
            if read.writer != INITIAL {
                emit(read.writer, reader, wr);
            }
            let chain = observations.chains.of(read.item);
            match chain.get(read.place as usize) {
                Some(next) if *next == reader => {
                    // What follows its own version follows what it read, too.
                }
                Some(next) => emit(reader, *next, rw),
                None if read.place as usize == chain.len() => {
                    tails.to_tail(observations, read.item, reader, rw, emit);
                }
                // Of the tail, where no order is known.
                None => {}
            }
        }
    }
}

/// From the writer of each version to that of the next.
fn versions(observations: &Observations, tails: &Junctions, emit: Emit<'_>) {
    for item in 0..observations.items.len() as u32 {
        let chain = observations.chains.of(item);
        chain.windows(2).for_each(|pair| emit(pair[0], pair[1], kind::WW));
        if let Some(last) = chain.last() {
            tails.to_tail(observations, item, *last, kind::WW, emit);
        }
        tails.onward(observations, item, emit);
    }
}

/// From each transaction to the next of its session.
pub(crate) fn sessions(observations: &Observations, emit: Emit<'_>) {
    let mut last = vec![u32::MAX; observations.session_count()];
    for transaction in 0..observations.len() as u32 {
        let session = observations.sessions[transaction as usize] as usize;
        let before = std::mem::replace(&mut last[session], transaction);
        if before != u32::MAX {
            emit(before, transaction, kind::SESSION);
        }
    }
}

/// From each transaction to all that began after it had ended: a chain of junctions, one for each
/// end, by time; into it where a transaction ends, out of it where one begins.
pub(crate) fn real_time(observations: &Observations, junctions: u32, emit: Emit<'_>) {
    let mut ends: Vec<(u32, u32)> = (0..observations.len() as u32)
        .map(|transaction| (observations.completed[transaction as usize], transaction))
        .filter(|(completed, _)| *completed != NEVER)
        .collect();
    ends.sort_unstable();
    for (index, &(_, transaction)) in ends.iter().enumerate() {
        let junction = junctions + index as u32;
        emit(transaction, junction, kind::REAL_TIME);
        if index > 0 {
            emit(junction - 1, junction, kind::REAL_TIME);
        }
    }
    let mut ended = 0;
    for transaction in 0..observations.len() as u32 {
        while ends.get(ended).is_some_and(|end| end.0 < observations.invoked[transaction as usize])
        {
            ended += 1;
        }
        if ended > 0 {
            emit(junctions + ended as u32 - 1, transaction, kind::REAL_TIME);
        }
    }
}
