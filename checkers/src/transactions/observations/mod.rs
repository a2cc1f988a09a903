//! What the committed transactions of a history read and wrote, as numbers.
//!
//! An *item* is what can be read and written by itself: a register, a list, or whether an element is
//! in a set. Each item has versions. Of a list the reads tell in which order they were made, and an
//! element of a set is there or not; of a register nothing tells. So an item has a *chain*, its
//! first versions in their order, and a *tail*, writers whose versions come after the chain in an
//! order that nobody saw.
//!
//! A transaction is committed if it succeeded, or if it is of unknown outcome and a committed one
//! read from it. What else is of unknown outcome may as well not have happened. What failed did not.
//!
//! On the way the oddities are found that no order of transactions could explain.
//!
//! Cost: O(n log w) for n micro-operations and w writes of an item at most, and all elements that
//! reads of lists returned.

mod gather;
mod items;
mod reads;
mod writes;

use perjury_history::{History, OperationId, Outcome, Value};

pub(crate) use self::items::{Item, ItemKind};
use crate::transactions::oddity::Oddities;

/// In place of a writer: nobody, what was there at first.
pub(crate) const INITIAL: u32 = u32::MAX;

/// In place of a position in the record: never.
pub(crate) const NEVER: u32 = u32::MAX;

/// What a transaction found of an item, before it wrote it itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) item: u32,
    /// The transaction that wrote what was read, or [`INITIAL`].
    pub(crate) writer: u32,
    /// How many versions of the chain had been made; of what is of the tail, more than there are.
    pub(crate) place: u32,
}

/// A read of a value that several transactions wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) reader: u32,
    pub(crate) item: u32,
    /// Committed or of unknown outcome; none was seen otherwise. By number.
    pub(crate) writers: Vec<u32>,
}

/// Several lists, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lists<T> {
    /// Where each begins; one more than there are lists.
    offsets: Vec<u32>,
    all: Vec<T>,
}

impl<T> Lists<T> {
    pub(crate) fn new() -> Self {
        Self { offsets: vec![0], all: Vec::new() }
    }

    /// Ends a list, which has what was added since the last one.
    fn close(&mut self) {
        self.offsets.push(self.all.len() as u32);
    }

    pub(crate) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Where a list begins among all elements.
    pub(crate) fn begin(&self, index: u32) -> u32 {
        self.offsets[index as usize]
    }

    pub(crate) fn of(&self, index: u32) -> &[T] {
        let index = index as usize;
        &self.all[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }
}

/// See the [module](self). Transactions are numbered by order of invocation.
#[derive(Debug)]
pub(crate) struct Observations {
    /// The operation that each transaction is.
    pub(crate) operations: Vec<OperationId>,
    /// The session of each, from 0.
    pub(crate) sessions: Vec<u32>,
    /// Position of each one's invocation in the record.
    pub(crate) invoked: Vec<u32>,
    /// Position of each one's completion in the record; [`NEVER`] if its outcome is unknown.
    pub(crate) completed: Vec<u32>,
    /// Whether the record tells which ended before others began.
    pub(crate) real_time: bool,
    /// What each read, in its order.
    pub(crate) reads: Lists<Read>,
    /// The items that each wrote, by number.
    pub(crate) writes: Lists<u32>,
    pub(crate) items: Vec<Item>,
    /// The writers of each item's first versions, in their order.
    pub(crate) chains: Lists<u32>,
    /// The writers of each item's other versions, which come after.
    pub(crate) tails: Lists<u32>,
    /// Reads whose writers are not certain.
    pub(crate) choices: Vec<Choice>,
    /// An element of a list or set that several transactions put there, if there is one: then not
    /// all is known.
    pub(crate) ambiguous: Option<(u32, Value)>,
    /// What no order could explain.
    pub(crate) oddities: Oddities,
}

impl Observations {
    pub(crate) fn of(history: &History) -> Self {
        gather::gather(history)
    }

    /// Number of transactions.
    pub(crate) fn len(&self) -> usize {
        self.operations.len()
    }

    pub(crate) fn session_count(&self) -> usize {
        self.sessions.iter().max().map_or(0, |last| *last as usize + 1)
    }

    /// Whether `one` ended before `other` began.
    pub(crate) fn precedes(&self, one: u32, other: u32) -> bool {
        self.completed[one as usize] < self.invoked[other as usize]
    }

    pub(crate) fn is_predicate(&self, item: u32) -> bool {
        matches!(self.items[item as usize].kind, ItemKind::Element(_))
    }

    /// Whether the order of all versions is known that were read.
    pub(crate) fn is_ordered(&self) -> bool {
        let of_tail = |read: &Read| read.place as usize > self.chains.of(read.item).len();
        self.choices.is_empty() && !self.reads.all.iter().any(of_tail)
    }

    /// Whether the order of the others is known, too.
    pub(crate) fn is_totally_ordered(&self) -> bool {
        (0..self.items.len() as u32).all(|item| self.tails.of(item).len() <= 1)
    }
}

/// Whether it may have happened.
fn may_have_happened(outcome: Outcome) -> bool {
    outcome != Outcome::Fail
}
