//! What each transaction read, and from whom.

use perjury_history::{Found, History, Key, MicroOp, Operation, OperationId, Outcome, Value};

use super::items::{ItemKind, Items};
use super::writes::{Source, Write, Writes};
use super::{INITIAL, Read, may_have_happened};
use crate::Phenomenon;
use crate::transactions::oddity::{Oddities, Oddity};

/// In place of a place in the chain: after it.
const AFTER: u32 = u32::MAX;

/// A choice whose transactions have no numbers yet.
#[derive(Debug)]
pub(super) struct Undecided {
    pub(super) reader: OperationId,
    pub(super) item: u32,
    pub(super) writers: Vec<OperationId>,
}

/// What a transaction knows of an item by what it did before.
#[derive(Clone, Copy, Debug)]
struct Local {
    operation: OperationId,
    /// How often it wrote it.
    own: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It only wrote it.
    Unread,
    Register(Option<Value>),
    /// So many elements, its own not counted.
    List(u32),
    Element(bool),
}

#[derive(Debug)]
pub(super) struct Reader<'a> {
    history: &'a History,
    items: &'a Items,
    writes: &'a Writes,
    locals: Vec<Local>,
    orders: ListOrders<'a>,
    /// Of each operation that was read, where its reads begin; the writers are operations.
    begins: Vec<u32>,
    ends: Vec<u32>,
    reads: Vec<Read>,
    pub(super) choices: Vec<Undecided>,
    /// Operations of unknown outcome that something was read of.
    pub(super) observed: Vec<bool>,
    /// An element that several transactions put there, so that it is not known whose it is.
    pub(super) ambiguous: Option<(u32, Value)>,
    pub(super) oddities: Oddities,
}

/// The order of the versions of each list, as its longest read shows it.
#[derive(Debug)]
struct ListOrders<'a> {
    longest: Vec<&'a [Value]>,
    /// The elements of each longest read, by value.
    seen: Vec<Vec<Value>>,
    /// Of each list the committed writers in its longest read, without repetition in a row.
    chains: Vec<Vec<OperationId>>,
    /// How many versions of the chain there are among so many elements.
    places: Vec<Vec<u32>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(history: &'a History, items: &'a Items, writes: &'a Writes) -> Self {
        let nobody = Local { operation: OperationId(u32::MAX), own: 0, state: State::Unread };
        let mut reader = Self {
            history,
            items,
            writes,
            locals: vec![nobody; items.all.len()],
            orders: ListOrders {
                longest: vec![&[]; items.all.len()],
                seen: vec![Vec::new(); items.all.len()],
                chains: vec![Vec::new(); items.all.len()],
                places: vec![Vec::new(); items.all.len()],
            },
            begins: vec![0; history.len()],
            ends: vec![0; history.len()],
            reads: Vec::new(),
            choices: Vec::new(),
            observed: vec![false; history.len()],
            ambiguous: None,
            oddities: Oddities::default(),
        };
        reader.order_lists();
        reader
    }

    /// What an operation read; writers are numbers of operations.
    pub(super) fn reads_of(&self, operation: OperationId) -> &[Read] {
        let operation = operation.0 as usize;
        &self.reads[self.begins[operation] as usize..self.ends[operation] as usize]
    }

    /// The writers of a list's versions that were seen.
    pub(super) fn chain(&self, item: u32) -> &[OperationId] {
        &self.orders.chains[item as usize]
    }

    /// Whether what was written was seen in a list, so that it is not of the tail.
    pub(super) fn is_placed(&self, item: u32, write: &Write) -> bool {
        self.orders.seen[item as usize].binary_search(&write.value).is_ok()
    }

    pub(super) fn read(&mut self, operation: &Operation<'a>) {
        let id = operation.id.0 as usize;
        self.begins[id] = self.reads.len() as u32;
        for (index, micro_op) in operation.micro_ops.iter().enumerate() {
            let at = At { operation: *operation, micro_op: index as u32 };
            match micro_op {
                MicroOp::Write { key, value } => {
                    let local = self.local(at, self.items.register(*key));
                    local.own += 1;
                    local.state = State::Register(Some(*value));
                }
                MicroOp::Append { key, .. } => self.local(at, self.items.list(*key)).own += 1,
                MicroOp::Add { key, value } => {
                    let local = self.local(at, self.items.element_of(*key, *value));
                    local.own += 1;
                    local.state = State::Element(true);
                }
                MicroOp::Read { key, .. } => {
                    if let Some(Found::Reading(reading)) = micro_op.answer() {
                        self.read_register(at, self.items.register(*key), reading.value());
                    }
                }
                MicroOp::ReadList { key, result: Some(held) } => {
                    self.read_list(at, *key, held);
                }
                MicroOp::ReadSet { key, result: Some(held) } => self.read_set(at, *key, held),
                _ => {}
            }
        }
        self.ends[id] = self.reads.len() as u32;
    }

    /// What the operation knows of the item.
    fn local(&mut self, at: At<'_>, item: u32) -> &mut Local {
        let local = &mut self.locals[item as usize];
        if local.operation != at.operation.id {
            *local = Local { operation: at.operation.id, own: 0, state: State::Unread };
        }
        local
    }

    fn read_register(&mut self, at: At<'_>, item: u32, value: Option<Value>) {
        let local = self.local(at, item);
        let (before, own) = (local.state, local.own);
        if own > 0 {
            if before != State::Register(value) {
                self.odd(at, Phenomenon::Internal, value, None);
            }
            return;
        }
        local.state = State::Register(value);
        if before != State::Unread && before != State::Register(value) {
            self.odd(at, Phenomenon::NonRepeatableRead, value, None);
        }
        let Some(value) = value else {
            self.reads.push(Read { item, writer: INITIAL, place: 0 });
            return;
        };
        match self.writes.source(self.history, item, value) {
            Source::Nowhere => self.odd(at, Phenomenon::GarbageRead, Some(value), None),
            Source::Aborted(write) => self.odd(at, Phenomenon::G1a, Some(value), Some(write)),
            Source::One(write) => self.read_of(at, item, write, AFTER),
            Source::Several(writes) => self.read_of_several(at, item, writes),
        }
    }

    /// A read of what a certain write made.
    fn read_of(&mut self, at: At<'_>, item: u32, write: Write, place: u32) {
        if write.operation == at.operation.id {
            self.odd(at, Phenomenon::FutureRead, Some(write.value), None);
        } else if write.is_intermediate {
            self.odd(at, Phenomenon::G1b, Some(write.value), Some(write));
        } else {
            self.observe(write.operation);
            self.reads.push(Read { item, writer: write.operation.0, place });
        }
    }

    fn read_of_several(&mut self, at: At<'_>, item: u32, writes: &[Write]) {
        let possible = |write: &&Write| {
            let outcome = self.history.get(write.operation).outcome;
            may_have_happened(outcome)
                && !write.is_intermediate
                && write.operation != at.operation.id
        };
        let mut writers: Vec<Write> = writes.iter().filter(possible).copied().collect();
        writers.dedup_by_key(|write| write.operation);
        match writers[..] {
            [] => self.read_of(at, item, writes[0], AFTER),
            [only] => self.read_of(at, item, only, AFTER),
            _ => {
                let writers: Vec<OperationId> = writers.iter().map(|it| it.operation).collect();
                writers.iter().for_each(|it| self.observe(*it));
                self.choices.push(Undecided { reader: at.operation.id, item, writers });
            }
        }
    }

    fn read_list(&mut self, at: At<'_>, key: Key, held: &[Value]) {
        let item = self.items.list(key);
        let local = *self.local(at, item);
        let longest = self.orders.longest[item as usize];
        let common = held.iter().zip(longest).take_while(|(one, other)| one == other).count();
        if common < held.len().min(longest.len()) || held.len() > longest.len() {
            return self.odd(at, Phenomenon::IncompatibleOrder, held.get(common).copied(), None);
        }
        let own = local.own as usize;
        if own > 0 && !ends_with_own(at, key, held, own) {
            return self.odd(at, Phenomenon::Internal, held.last().copied(), None);
        }
        let others = &held[..held.len() - own];
        let length = others.len() as u32;
        if matches!(local.state, State::List(before) if before != length) {
            self.odd(at, Phenomenon::NonRepeatableRead, others.last().copied(), None);
            if own > 0 {
                return;
            }
        }
        self.local(at, item).state = State::List(length);
        self.odd_elements(at, item, others);
        let place = self.orders.places[item as usize].get(others.len()).copied().unwrap_or(0);
        let Some(&last) = others.last() else {
            self.reads.push(Read { item, writer: INITIAL, place: 0 });
            return;
        };
        match self.writes.source(self.history, item, last) {
            Source::One(write) => self.read_of(at, item, write, place),
            // Told of above.
            Source::Nowhere | Source::Aborted(_) => {}
            // The order of the versions is known, but not whose they are.
            Source::Several(_) => {}
        }
    }

    /// Elements of a read that should not be there.
    fn odd_elements(&mut self, at: At<'_>, item: u32, elements: &[Value]) {
        let places = &self.orders.places[item as usize];
        // Each element made a version, of what wrote nobody else.
        if places.get(elements.len()).is_some_and(|place| *place as usize == elements.len()) {
            return;
        }
        let mut aborted = None;
        for &element in elements {
            match self.writes.source(self.history, item, element) {
                Source::Nowhere => {
                    self.odd(at, Phenomenon::GarbageRead, Some(element), None);
                }
                Source::Aborted(write) => {
                    self.odd(at, Phenomenon::G1a, Some(element), Some(write));
                    aborted = Some(write);
                }
                Source::One(write) if write.operation == at.operation.id => {
                    self.odd(at, Phenomenon::FutureRead, Some(element), None);
                }
                Source::One(_) | Source::Several(_) => {
                    if let Some(failed) = aborted.take() {
                        self.odd(at, Phenomenon::DirtyUpdate, Some(element), Some(failed));
                    }
                }
            }
        }
    }

    fn read_set(&mut self, at: At<'_>, key: Key, held: &[Value]) {
        let items = self.items;
        let mut present: Vec<u32> = held.iter().map(|it| items.element_of(key, *it)).collect();
        present.sort_unstable();
        if let Some(twice) = present.windows(2).find(|pair| pair[0] == pair[1]) {
            let ItemKind::Element(value) = items.all[twice[0] as usize].kind else { return };
            self.odd(at, Phenomenon::DuplicateElements, Some(value), None);
        }
        for &item in items.of_set.get(&key).into_iter().flatten() {
            self.read_element(at, item, present.binary_search(&item).is_ok());
        }
    }

    fn read_element(&mut self, at: At<'_>, item: u32, is_present: bool) {
        let ItemKind::Element(value) = self.items.all[item as usize].kind else { return };
        let local = self.local(at, item);
        let (before, own) = (local.state, local.own);
        if own > 0 {
            if before != State::Element(is_present) {
                self.odd(at, Phenomenon::Internal, Some(value), None);
            }
            return;
        }
        local.state = State::Element(is_present);
        if before != State::Unread && before != State::Element(is_present) {
            self.odd(at, Phenomenon::NonRepeatableRead, Some(value), None);
        }
        if !is_present {
            self.reads.push(Read { item, writer: INITIAL, place: 0 });
            return;
        }
        match self.writes.source(self.history, item, value) {
            Source::Nowhere => self.odd(at, Phenomenon::GarbageRead, Some(value), None),
            Source::Aborted(write) => self.odd(at, Phenomenon::G1a, Some(value), Some(write)),
            Source::One(write) => self.read_of(at, item, write, 1),
            // Any of them, which tells nothing but that one happened.
            Source::Several(_) => self.ambiguous = Some((item, value)),
        }
    }

    fn observe(&mut self, operation: OperationId) {
        self.observed[operation.0 as usize] = true;
    }

    fn odd(
        &mut self,
        at: At<'_>,
        phenomenon: Phenomenon,
        value: Option<Value>,
        other: Option<Write>,
    ) {
        self.oddities.push(Oddity {
            phenomenon,
            operation: at.operation.id,
            micro_op: at.micro_op,
            value,
            other: other.map(|write| write.operation),
        });
    }

    /// Finds the longest read of each list, and what order it shows.
    fn order_lists(&mut self) {
        let mut seen_in: Vec<Option<At<'a>>> = vec![None; self.items.all.len()];
        for operation in self.history.iter().filter(|it| it.outcome == Outcome::Ok) {
            for (index, micro_op) in operation.micro_ops.iter().enumerate() {
                let MicroOp::ReadList { key, result: Some(held) } = micro_op else { continue };
                let item = self.items.list(*key) as usize;
                if held.len() > self.orders.longest[item].len() {
                    self.orders.longest[item] = held;
                    seen_in[item] = Some(At { operation, micro_op: index as u32 });
                }
            }
        }
        for (item, at) in seen_in.into_iter().enumerate() {
            if let Some(at) = at {
                self.order_list(item, at);
            }
        }
    }

    fn order_list(&mut self, item: usize, at: At<'_>) {
        let longest = self.orders.longest[item];
        let mut sorted = longest.to_vec();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            self.odd(at, Phenomenon::DuplicateElements, Some(twice[0]), None);
        }
        let mut chain: Vec<OperationId> = Vec::new();
        let mut places = Vec::with_capacity(longest.len() + 1);
        places.push(0);
        for &element in longest {
            match self.writes.source(self.history, item as u32, element) {
                Source::One(write) => {
                    self.observe(write.operation);
                    if chain.last() != Some(&write.operation) {
                        chain.push(write.operation);
                    }
                }
                Source::Several(_) => self.ambiguous = Some((item as u32, element)),
                Source::Nowhere | Source::Aborted(_) => {}
            }
            places.push(chain.len() as u32);
        }
        self.orders.seen[item] = sorted;
        self.orders.chains[item] = chain;
        self.orders.places[item] = places;
    }
}

/// Whether the last elements of a read are what the operation has appended so far.
fn ends_with_own(at: At<'_>, key: Key, held: &[Value], own: usize) -> bool {
    let before = at.operation.micro_ops[..at.micro_op as usize].iter();
    let appended = before.filter_map(|micro_op| match micro_op {
        MicroOp::Append { key: appended_to, value } if *appended_to == key => Some(value),
        _ => None,
    });
    held.len() >= own && held[held.len() - own..].iter().eq(appended)
}

/// A micro-operation of an operation.
#[derive(Clone, Copy, Debug)]
struct At<'a> {
    operation: Operation<'a>,
    micro_op: u32,
}
