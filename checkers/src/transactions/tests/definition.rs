//! The definitions of the levels, tried in every way.

use std::collections::{BTreeMap, BTreeSet};

use perjury_history::{Key, MicroOp, Outcome, Reading, Value};

use super::small::Small;
use crate::{Isolation, Order};

/// What can be written by itself: a register, a list, an element of a set.
type Item = (u8, Key, Value);

const REGISTER: u8 = 0;
const LIST: u8 = 1;
const ELEMENT: u8 = 2;

fn written(micro_op: &MicroOp) -> Option<(Item, Value)> {
    match *micro_op {
        MicroOp::Write { key, value } => Some(((REGISTER, key, 0), value)),
        MicroOp::Append { key, value } => Some(((LIST, key, 0), value)),
        MicroOp::Add { key, value } => Some(((ELEMENT, key, value), value)),
        _ => None,
    }
}

/// A read from another transaction: of whom (none: what was there at first), and where.
#[derive(Clone, Debug)]
struct External {
    item: Item,
    /// One of these; `None` is nobody.
    from: Vec<Option<usize>>,
    place: usize,
}

/// A history with what it means.
pub(super) struct Definition {
    all: Vec<Small>,
    committed: Vec<usize>,
    externals: Vec<Vec<External>>,
    /// Lists as they were read: the writers in order, and what must not be between.
    pub(super) is_odd: bool,
    pub(super) impossible: bool,
    /// Reads of lists that are no prefixes of each other.
    pub(super) incompatible: bool,
    longest: BTreeMap<Key, Vec<Value>>,
}

impl Definition {
    pub(super) fn of(all: &[Small]) -> Self {
        let mut it = Self {
            all: all.to_vec(),
            committed: Vec::new(),
            externals: vec![Vec::new(); all.len()],
            is_odd: false,
            impossible: false,
            incompatible: false,
            longest: BTreeMap::new(),
        };
        let mut observed = BTreeSet::new();
        let happened = all.iter().enumerate().filter(|(_, it)| it.outcome == Outcome::Ok);
        happened.for_each(|(reader, _)| it.read(reader, &mut observed));
        it.committed = (0..all.len())
            .filter(|at| {
                all[*at].outcome == Outcome::Ok
                    || all[*at].outcome == Outcome::Info && observed.contains(at)
            })
            .collect();
        it
    }

    /// Who wrote a value of an item: all, and those whose last write of it that was.
    fn writers(&self, item: Item, value: Value) -> (Vec<usize>, Vec<usize>) {
        let mut any = Vec::new();
        let mut last = Vec::new();
        for (at, small) in self.all.iter().enumerate() {
            let writes = small.micro_ops.iter().filter_map(written);
            let mine: Vec<Value> =
                writes.filter(|(of, _)| *of == item).map(|(_, value)| value).collect();
            if mine.contains(&value) {
                any.push(at);
            }
            if mine.last() == Some(&value) {
                last.push(at);
            }
        }
        (any, last)
    }

    fn read(&mut self, reader: usize, observed: &mut BTreeSet<usize>) {
        let micro_ops = self.all[reader].micro_ops.clone();
        let own = |item: Item, before: usize| -> Vec<Value> {
            let writes = micro_ops[..before].iter().filter_map(written);
            writes.filter(|(of, _)| *of == item).map(|(_, value)| value).collect()
        };
        for (place, micro_op) in micro_ops.iter().enumerate() {
            match micro_op {
                MicroOp::Read { key, result: Some(reading) } => {
                    let item = (REGISTER, *key, 0);
                    let value = match reading {
                        Reading::Nil => None,
                        Reading::Value(value) => Some(*value),
                    };
                    match own(item, place).last() {
                        Some(mine) => self.is_odd |= value != Some(*mine),
                        None => self.external(reader, item, value, place, observed),
                    }
                }
                MicroOp::ReadList { key, result: Some(held) } => {
                    let item = (LIST, *key, 0);
                    let longest = self.longest.entry(*key).or_default();
                    let common = held.iter().zip(longest.iter()).all(|(one, other)| one == other);
                    self.incompatible |= !common;
                    if held.len() > longest.len() {
                        *longest = held.to_vec();
                    }
                    let unique: BTreeSet<Value> = held.iter().copied().collect();
                    self.impossible |= unique.len() < held.len();
                    let mine = own(item, place);
                    if !held.ends_with(&mine) {
                        self.is_odd = true;
                        continue;
                    }
                    let others = &held[..held.len() - mine.len()];
                    for element in others {
                        self.element(reader, item, *element, observed);
                    }
                    self.external(reader, item, others.last().copied(), place, observed);
                }
                MicroOp::ReadSet { key, result: Some(held) } => {
                    let all = self.all.clone();
                    let added = all.iter().flat_map(|it| it.micro_ops.iter().filter_map(written));
                    let of_set: BTreeSet<Item> = added
                        .map(|(item, _)| item)
                        .filter(|item| item.0 == ELEMENT && item.1 == *key)
                        .collect();
                    for element in held.iter() {
                        self.impossible |= !of_set.contains(&(ELEMENT, *key, *element));
                    }
                    for item in of_set {
                        let is_there = held.contains(&item.2);
                        match own(item, place).is_empty() {
                            false => self.is_odd |= !is_there,
                            true => {
                                let value = is_there.then_some(item.2);
                                self.external(reader, item, value, place, observed);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// An element of a list that was read, but is not its last one.
    fn element(&mut self, reader: usize, item: Item, value: Value, observed: &mut BTreeSet<usize>) {
        let (any, _) = self.writers(item, value);
        self.impossible |= any.is_empty();
        let happened: Vec<usize> =
            any.into_iter().filter(|it| self.all[*it].outcome != Outcome::Fail).collect();
        // Of what failed, or of what it only wrote later itself.
        self.is_odd |= happened.is_empty() || happened == [reader];
        observed.extend(happened);
    }

    fn external(
        &mut self,
        reader: usize,
        item: Item,
        value: Option<Value>,
        place: usize,
        observed: &mut BTreeSet<usize>,
    ) {
        let Some(value) = value else {
            self.externals[reader].push(External { item, from: vec![None], place });
            return;
        };
        let (any, last) = self.writers(item, value);
        self.impossible |= any.is_empty();
        let possible: Vec<usize> = last
            .into_iter()
            .filter(|it| *it != reader && self.all[*it].outcome != Outcome::Fail)
            .collect();
        self.is_odd |= possible.is_empty();
        observed.extend(possible.iter().copied());
        let from = possible.into_iter().map(Some).collect();
        self.externals[reader].push(External { item, from, place });
    }

    fn writes(&self, transaction: usize, item: Item) -> bool {
        self.all[transaction].micro_ops.iter().filter_map(written).any(|(of, _)| of == item)
    }

    fn comes_before(&self, order: Order, one: usize, other: usize) -> bool {
        let (one, other) = (&self.all[one], &self.all[other]);
        match order {
            Order::Free => false,
            Order::Session => one.process == other.process && one.invoked < other.invoked,
            Order::RealTime => one.outcome == Outcome::Ok && one.completed < other.invoked,
        }
    }

    /// Whether the history satisfies a level.
    pub(super) fn holds(&self, level: Isolation, order: Order) -> bool {
        if self.impossible || self.is_odd && level != Isolation::ReadUncommitted {
            return false;
        }
        if self.incompatible && level != Isolation::ReadUncommitted {
            return false;
        }
        if level == Isolation::ReadUncommitted {
            // A read does not show that what it read is committed.
            let certain = |it: &usize| self.all[*it].outcome == Outcome::Ok;
            let committed = self.committed.iter().copied().filter(certain).collect();
            let nothing = vec![Vec::new(); self.all.len()];
            let certain = Self {
                all: self.all.clone(),
                committed,
                externals: nothing,
                longest: self.longest.clone(),
                ..*self
            };
            return certain.has_order(level, order, &vec![Vec::new(); self.all.len()]);
        }
        let mut found = false;
        self.each_assignment(&mut |from| {
            found = found
                || match level {
                    Isolation::ParallelSnapshotIsolation => self.is_parallel(order, from),
                    _ => self.has_order(level, order, from),
                };
        });
        found
    }

    /// Calls `each` with a writer for each external read.
    fn each_assignment(&self, each: &mut dyn FnMut(&Assignment)) {
        fn extend(
            all: &Definition,
            reader: usize,
            index: usize,
            from: &mut Assignment,
            each: &mut dyn FnMut(&Assignment),
        ) {
            if reader == all.externals.len() {
                return each(from);
            }
            let Some(external) = all.externals[reader].get(index) else {
                return extend(all, reader + 1, 0, from, each);
            };
            if external.from.is_empty() {
                // Of nobody who committed; only read uncommitted may still hold.
                return extend(all, reader, index + 1, from, each);
            }
            for writer in &external.from {
                from[reader].push((external.item, *writer, external.place));
                extend(all, reader, index + 1, from, each);
                from[reader].pop();
            }
        }
        extend(self, 0, 0, &mut vec![Vec::new(); self.all.len()], each);
    }

    /// Whether an order of an item's writers is what reads of the list show.
    fn agrees(&self, item: Item, writers: &[usize]) -> bool {
        let Some(longest) = self.longest.get(&item.1).filter(|_| item.0 == LIST) else {
            return true;
        };
        let shown: Vec<usize> = longest
            .iter()
            .filter_map(|element| {
                let (any, _) = self.writers(item, *element);
                any.into_iter().find(|it| self.committed.contains(it))
            })
            .collect();
        // Each writer's elements are together, and the writers that are shown come first.
        let mut blocks = shown;
        blocks.dedup();
        writers.starts_with(&blocks)
    }

    fn items(&self) -> BTreeSet<Item> {
        let committed = self.committed.iter();
        let all = committed.flat_map(|it| self.all[*it].micro_ops.iter().filter_map(written));
        all.map(|(item, _)| item).collect()
    }

    fn has_order(&self, level: Isolation, order: Order, from: &Assignment) -> bool {
        let mut found = false;
        permutations(&self.committed, &mut |co| {
            found = found || self.is_order(level, order, from, co);
        });
        found
    }

    fn is_order(&self, level: Isolation, order: Order, from: &Assignment, co: &[usize]) -> bool {
        let place = |transaction: usize| co.iter().position(|it| *it == transaction);
        let before = |one: usize, other: usize| place(one) < place(other);
        for &one in co {
            for &other in co {
                if self.comes_before(order, one, other) && !before(one, other) {
                    return false;
                }
            }
        }
        for item in self.items() {
            let writers: Vec<usize> =
                co.iter().copied().filter(|it| self.writes(*it, item)).collect();
            if !self.agrees(item, &writers) {
                return false;
            }
        }
        if level == Isolation::ReadUncommitted {
            return true;
        }
        let reads_from =
            |reader: usize, writer: usize| from[reader].iter().any(|it| it.1 == Some(writer));
        let step = |one: usize, other: usize| {
            self.comes_before(order, one, other) || reads_from(other, one)
        };
        let closure = closure(&self.committed, &step);
        for &reader in co {
            for &(item, writer, at) in &from[reader] {
                if writer.is_some_and(|it| !before(it, reader)) {
                    return false;
                }
                for &other in co {
                    if Some(other) == writer || other == reader || !self.writes(other, item) {
                        continue;
                    }
                    // Whether it comes before one that is visible to the reader at once.
                    let prefix = || {
                        co.iter()
                            .any(|it| (*it == other || before(other, *it)) && step(*it, reader))
                    };
                    let visible = match level {
                        Isolation::ReadUncommitted | Isolation::ReadCommitted => false,
                        Isolation::MonotonicAtomicView => {
                            from[reader].iter().any(|it| it.1 == Some(other) && it.2 < at)
                        }
                        Isolation::ReadAtomic => step(other, reader),
                        Isolation::Causal => closure.contains(&(other, reader)),
                        Isolation::Prefix => prefix(),
                        Isolation::SnapshotIsolation => {
                            prefix()
                                || co.iter().any(|it| {
                                    (*it == other || before(other, *it))
                                        && before(*it, reader)
                                        && self.conflict(*it, reader)
                                })
                        }
                        Isolation::RepeatableRead => item.0 != ELEMENT && before(other, reader),
                        Isolation::Serializable => before(other, reader),
                        Isolation::ParallelSnapshotIsolation => unreachable!(),
                    };
                    if visible && writer.is_none_or(|writer| !before(other, writer)) {
                        return false;
                    }
                }
            }
        }
        true
    }

    fn conflict(&self, one: usize, other: usize) -> bool {
        let mut items = self.items().into_iter();
        items.any(|item| self.writes(one, item) && self.writes(other, item))
    }

    /// Whether there are orders of versions so that no cycle has one anti-dependency or none.
    fn is_parallel(&self, order: Order, from: &Assignment) -> bool {
        let items: Vec<Item> = self.items().into_iter().collect();
        let mut found = false;
        self.each_versions(&items, &mut Vec::new(), &mut |versions| {
            found = found || self.is_parallel_with(order, from, versions);
        });
        found
    }

    fn each_versions(
        &self,
        items: &[Item],
        versions: &mut Vec<Versions>,
        each: &mut dyn FnMut(&[Versions]),
    ) {
        let Some(&item) = items.get(versions.len()) else { return each(versions) };
        let writers: Vec<usize> =
            self.committed.iter().copied().filter(|it| self.writes(*it, item)).collect();
        permutations(&writers, &mut |writers| {
            if self.agrees(item, writers) {
                versions.push((item, writers.to_vec()));
                self.each_versions(items, versions, each);
                versions.pop();
            }
        });
    }

    fn is_parallel_with(&self, order: Order, from: &Assignment, versions: &[Versions]) -> bool {
        let reads_from =
            |reader: usize, writer: usize| from[reader].iter().any(|it| it.1 == Some(writer));
        let overwrites = |one: usize, other: usize| {
            versions.iter().any(|(_, writers)| {
                let place = |it| writers.iter().position(|writer| *writer == it);
                matches!((place(one), place(other)), (Some(one), Some(other)) if one < other)
            })
        };
        let dependency = |one: usize, other: usize| {
            self.comes_before(order, one, other) || reads_from(other, one) || overwrites(one, other)
        };
        let closure = closure(&self.committed, &dependency);
        let anti = |reader: usize, other: usize| {
            reader != other
                && from[reader].iter().any(|(item, writer, _)| {
                    let Some((_, writers)) = versions.iter().find(|it| it.0 == *item) else {
                        return false;
                    };
                    let place = |it| writers.iter().position(|writer| *writer == it);
                    match (writer.map(place), place(other)) {
                        (None, Some(_)) => true,
                        (Some(Some(writer)), Some(other)) => writer < other,
                        _ => false,
                    }
                })
        };
        let all = &self.committed;
        !all.iter().any(|one| {
            closure.contains(&(*one, *one))
                || all.iter().any(|other| closure.contains(&(*one, *other)) && anti(*other, *one))
        })
    }
}

/// The writers of an item in an order.
type Versions = (Item, Vec<usize>);

/// What each transaction read of whom, and where.
type Assignment = Vec<Vec<(Item, Option<usize>, usize)>>;

fn closure(all: &[usize], step: &dyn Fn(usize, usize) -> bool) -> BTreeSet<(usize, usize)> {
    let mut found = BTreeSet::new();
    for &one in all {
        found.extend(all.iter().filter(|other| step(one, **other)).map(|other| (one, *other)));
    }
    for &middle in all {
        for &one in all {
            for &other in all {
                if found.contains(&(one, middle)) && found.contains(&(middle, other)) {
                    found.insert((one, other));
                }
            }
        }
    }
    found
}

fn permutations(of: &[usize], each: &mut dyn FnMut(&[usize])) {
    fn extend(left: &mut Vec<usize>, done: &mut Vec<usize>, each: &mut dyn FnMut(&[usize])) {
        if left.is_empty() {
            return each(done);
        }
        for index in 0..left.len() {
            let next = left.remove(index);
            done.push(next);
            extend(left, done, each);
            done.pop();
            left.insert(index, next);
        }
    }
    extend(&mut of.to_vec(), &mut Vec::new(), each);
}
