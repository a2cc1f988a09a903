//! What is visible to a transaction through sessions and reads, and what follows from it.
//!
//! Transactions are divided into chains in which each happens before the next: the sessions. How much
//! of a chain happens before a transaction is then one number, and a column of such numbers, one for
//! each transaction, is made in one pass over the edges. Some columns are made at a time.

use std::ops::Range;

use super::graph::{kind, real_time, sessions};
use super::observations::{INITIAL, Observations};
use super::weak::{Added, Forced, Stop, Writers};
use crate::{Context, Order};

/// Bytes of columns at a time, at most; and no more than a quarter of the memory.
const COLUMN_BYTES: usize = 256 << 20;

/// Numbers of a column that are as much work as a step of a search, which the limit is meant for.
const NUMBERS_PER_STEP: u64 = 50;

/// What causal consistency adds to the order.
///
/// # Errors
/// If what was read goes round in a circle, or a bound is reached.
pub(crate) fn causal<'a>(
    observations: &Observations,
    order: Order,
    context: &'a Context<'a>,
) -> Result<Added<'a>, Stop> {
    let before = Before::of(observations, order).ok_or(Stop::Cycle)?;
    let chains = match order {
        Order::Free => Chains::greedy(observations, &before),
        Order::Session | Order::RealTime => Chains::of_sessions(observations),
    };
    let rows = before.order.len();
    let numbers = rows as u64 * u64::from(chains.count);
    if order == Order::Free && numbers > context.step_limit.saturating_mul(NUMBERS_PER_STEP) {
        return Err(Stop::TooLarge);
    }
    let writers = ByChain::of(observations, &chains);
    let bytes = COLUMN_BYTES.min(context.memory_limit_bytes / 4);
    let width = (bytes / 4 / rows.max(1)).clamp(1, chains.count.max(1) as usize);
    let mut added = Added::new(context);
    let mut columns = vec![0_u32; rows * width];
    for first in (0..chains.count).step_by(width) {
        let width = width.min((chains.count - first) as usize);
        let columns = &mut columns[..rows * width];
        fill(columns, width, first, &before, &chains);
        look(observations, &writers, &before, &Columns { columns, width, first }, &mut added)?;
        added.tidy();
    }
    Ok(added)
}

/// What happens directly before each vertex, with vertices in an order that keeps it.
#[derive(Debug)]
struct Before {
    /// The vertices; those that are no transactions are of time.
    order: Vec<u32>,
    /// The row of each vertex.
    rows: Vec<u32>,
    offsets: Vec<u32>,
    /// The rows before each.
    all: Vec<u32>,
}

impl Before {
    fn of(observations: &Observations, order: Order) -> Option<Self> {
        let transactions = observations.len() as u32;
        let vertices = transactions * if order == Order::RealTime { 2 } else { 1 };
        let graph = super::graph::Graph::from_edges(transactions, vertices, |emit| {
            for reader in 0..transactions {
                let reads = observations.reads.of(reader);
                let mut last = INITIAL;
                for read in reads {
                    if read.writer != INITIAL && read.writer != last {
                        emit(read.writer, reader, kind::WR);
                    }
                    last = read.writer;
                }
            }
            match order {
                Order::Free => {}
                Order::Session => sessions(observations, emit),
                Order::RealTime => real_time(observations, transactions, emit),
            }
        });
        let order = kahn(&graph)?;
        let mut rows = vec![0; vertices as usize];
        for (row, vertex) in order.iter().enumerate() {
            rows[*vertex as usize] = row as u32;
        }
        let mut offsets = vec![0_u32; order.len() + 1];
        for vertex in 0..vertices {
            graph.out(vertex).for_each(|(to, _)| offsets[rows[to as usize] as usize + 1] += 1);
        }
        for row in 0..order.len() {
            offsets[row + 1] += offsets[row];
        }
        let mut all = vec![0; graph.edges()];
        let mut next = offsets.clone();
        for (row, vertex) in order.iter().enumerate() {
            for (to, _) in graph.out(*vertex) {
                let place = &mut next[rows[to as usize] as usize];
                all[*place as usize] = row as u32;
                *place += 1;
            }
        }
        Some(Self { order, rows, offsets, all })
    }

    fn of_row(&self, row: usize) -> &[u32] {
        &self.all[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }
}

fn kahn(graph: &super::graph::Graph) -> Option<Vec<u32>> {
    let mut missing = vec![0_u32; graph.vertices() as usize];
    for vertex in 0..graph.vertices() {
        graph.out(vertex).for_each(|(to, _)| missing[to as usize] += 1);
    }
    let mut order: Vec<u32> =
        (0..graph.vertices()).filter(|it| missing[*it as usize] == 0).collect();
    let mut next = 0;
    while next < order.len() {
        for (to, _) in graph.out(order[next]) {
            missing[to as usize] -= 1;
            if missing[to as usize] == 0 {
                order.push(to);
            }
        }
        next += 1;
    }
    (order.len() == missing.len()).then_some(order)
}

/// Transactions in chains in which each happens before the next.
#[derive(Debug)]
struct Chains {
    count: u32,
    /// Of each transaction.
    chain: Vec<u32>,
    /// Its place in its chain.
    index: Vec<u32>,
}

impl Chains {
    fn of_sessions(observations: &Observations) -> Self {
        let count = observations.session_count() as u32;
        let mut next = vec![0; count as usize];
        let index = observations.sessions.iter().map(|session| {
            next[*session as usize] += 1;
            next[*session as usize] - 1
        });
        let index = index.collect();
        Self { count, chain: observations.sessions.clone(), index }
    }

    /// Chains along what was read: each transaction goes on with one that it read from, if nobody
    /// else has.
    fn greedy(observations: &Observations, before: &Before) -> Self {
        let transactions = observations.len();
        let (mut chain, mut index) = (vec![0; transactions], vec![0; transactions]);
        let mut has_next = vec![false; transactions];
        let mut count = 0;
        for (row, vertex) in before.order.iter().enumerate() {
            let vertex = *vertex as usize;
            let mut last = before.of_row(row).iter().map(|it| before.order[*it as usize] as usize);
            match last.find(|it| !has_next[*it]) {
                Some(last) => {
                    has_next[last] = true;
                    chain[vertex] = chain[last];
                    index[vertex] = index[last] + 1;
                }
                None => {
                    chain[vertex] = count;
                    count += 1;
                }
            }
        }
        Self { count, chain, index }
    }
}

/// For every row and some chains, from the one of number `first` on, how many of the chain happen
/// before.
struct Columns<'a> {
    columns: &'a [u32],
    width: usize,
    first: u32,
}

impl Columns<'_> {
    /// Of all chains that are here.
    fn of_row(&self, row: u32) -> &[u32] {
        &self.columns[row as usize * self.width..(row as usize + 1) * self.width]
    }
}

fn fill(columns: &mut [u32], width: usize, first: u32, before: &Before, chains: &Chains) {
    columns.fill(0);
    for row in 0..before.order.len() {
        let (done, rest) = columns.split_at_mut(row * width);
        let mine = &mut rest[..width];
        for &earlier in before.of_row(row) {
            let its = &done[earlier as usize * width..(earlier as usize + 1) * width];
            mine.iter_mut().zip(its).for_each(|(mine, its)| *mine = (*mine).max(*its));
            let Some(chain) = chains.chain.get(before.order[earlier as usize] as usize) else {
                continue;
            };
            if let Some(mine) = mine.get_mut(chain.wrapping_sub(first) as usize) {
                *mine = (*mine).max(chains.index[before.order[earlier as usize] as usize] + 1);
            }
        }
    }
}

/// The writers of each item, by chain, and there by place.
#[derive(Debug)]
struct ByChain {
    /// Where the chains of each item begin in `chains`.
    items: Vec<u32>,
    /// Chains that wrote the item, each with where its writers begin in the next two.
    chains: Vec<(u32, u32)>,
    writers: Vec<u32>,
    /// Their places in their chains.
    places: Vec<u32>,
}

impl ByChain {
    fn of(observations: &Observations, chains: &Chains) -> Self {
        let place = |it: u32| (chains.chain[it as usize], chains.index[it as usize]);
        let all = Writers::by(observations, place);
        let mut found =
            Self { items: vec![0], chains: Vec::new(), writers: Vec::new(), places: Vec::new() };
        for item in 0..observations.items.len() as u32 {
            let mut last = None;
            for &writer in all.of(item) {
                let (chain, index) = place(writer);
                if last != Some(chain) {
                    found.chains.push((chain, found.writers.len() as u32));
                    last = Some(chain);
                }
                found.writers.push(writer);
                found.places.push(index);
            }
            found.items.push(found.chains.len() as u32);
        }
        // Where the last chain ends.
        found.chains.push((u32::MAX, found.writers.len() as u32));
        found
    }

    /// The chains that wrote an item, as far as they are among these, with the range of their writers.
    fn of_item(&self, item: u32, among: Range<u32>) -> impl Iterator<Item = (u32, Range<usize>)> {
        let range = self.items[item as usize] as usize..self.items[item as usize + 1] as usize;
        let all = &self.chains[range.clone()];
        let first = range.start + all.partition_point(|it| it.0 < among.start);
        let end = range.start + all.partition_point(|it| it.0 < among.end);
        let range = |at: usize| self.chains[at].1 as usize..self.chains[at + 1].1 as usize;
        (first..end).map(move |at| (self.chains[at].0, range(at)))
    }
}

/// Finds, for each read and each chain, the last writer of the item that happens before the reader.
fn look(
    observations: &Observations,
    writers: &ByChain,
    before: &Before,
    columns: &Columns<'_>,
    added: &mut Added<'_>,
) -> Result<(), Stop> {
    let among = columns.first..columns.first + columns.width as u32;
    for reader in 0..observations.len() as u32 {
        added.look(reader)?;
        let visible = columns.of_row(before.rows[reader as usize]);
        for read in observations.reads.of(reader) {
            let of_writer = match read.writer {
                INITIAL => None,
                writer => Some(columns.of_row(before.rows[writer as usize])),
            };
            for (chain, range) in writers.of_item(read.item, among.clone()) {
                let column = (chain - columns.first) as usize;
                let places = &writers.places[range.clone()];
                let seen = places.partition_point(|place| *place < visible[column]);
                let Some(last) = seen.checked_sub(1) else { continue };
                // What happens before what was read comes before it anyhow.
                if of_writer.is_some_and(|its| its[column] > places[last]) {
                    continue;
                }
                let from = writers.writers[range.start + last];
                if from != read.writer {
                    added.push(Forced { from, to: read.writer, reader, item: read.item });
                }
            }
        }
    }
    Ok(())
}
