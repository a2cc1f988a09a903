//! What follows from what is known of a polygraph; what is tried beyond (`assume`), and why there is
//! no order if there is none (`tell`).

mod assume;
mod tell;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::closure::Closure;
use super::pairs::{Pair, Version};
use super::shape::{Anti, Shape};
use crate::Isolation;
use crate::transactions::cycles::Link;
use crate::transactions::graph::{Graph, kind};
use crate::transactions::observations::{INITIAL, Observations};

/// A way between two states that made something certain, by the edges that were there then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    from: u32,
    to: u32,
    /// The edge that would have closed a cycle with it.
    closed_by: Link,
    /// How many edges had been added.
    added: u32,
}

/// An edge that was added.
#[derive(Clone, Copy, Debug)]
struct Added {
    to: u32,
    kind: u8,
    number: u32,
    /// Which way made it certain; none of what was assumed.
    because: Option<u32>,
}

/// A read of a value that several transactions wrote.
#[derive(Clone, Debug)]
struct Candidates {
    reader: u32,
    item: u32,
    versions: Vec<Version>,
}

/// Why there is no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contradiction {
    /// What is certain has a cycle.
    Cycle,
    /// An anti-dependency from the first to the second, which lead back to it.
    Closed(Link),
    /// Neither may come first.
    Pair(Pair),
    /// A read that can have been of nobody.
    Choice(u32),
}

/// What may be assumed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The first of the pair came first.
    Order(Pair),
    /// A read was of this version.
    Writer { choice: u32, version: Version },
}

/// How much was known at some moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    added: usize,
    pairs: usize,
    choices: usize,
    readers: usize,
    after: usize,
    closing: usize,
    ways: usize,
}

pub(super) struct Saturation<'a> {
    observations: &'a Observations,
    graph: &'a Graph,
    shape: Shape,
    /// Anti-dependencies that count, in the graph.
    anti_kinds: u8,
    closure: Closure,
    /// Edges beside those of the graph, by the state that they leave.
    added: Vec<Vec<Added>>,
    /// The states that edges were added to, in the order in which they were.
    added_log: Vec<u32>,
    ways: Vec<Way>,
    /// Those that are open come first.
    pairs: Vec<Pair>,
    open_pairs: usize,
    choices: Vec<Candidates>,
    /// Numbers of choices; those that are open come first.
    choice_order: Vec<u32>,
    open_choices: usize,
    /// Who read each version.
    readers: Vec<Vec<u32>>,
    readers_log: Vec<u32>,
    /// Which writers are known to come after each version.
    after: Vec<Vec<u32>>,
    after_log: Vec<u32>,
    /// Anti-dependencies that must not close a cycle, where they are no edges.
    closing: Vec<Link>,
    out_of_time: &'a (dyn Fn() -> bool + Sync),
}

impl<'a> Saturation<'a> {
    pub(super) fn new(
        observations: &'a Observations,
        graph: &'a Graph,
        level: Isolation,
        out_of_time: &'a (dyn Fn() -> bool + Sync),
    ) -> Self {
        let shape = Shape::of(level);
        let states = shape.states(graph);
        let slots = observations.tails.begin(observations.tails.len() as u32) as usize;
        let mut readers = vec![Vec::new(); slots];
        for reader in 0..observations.len() as u32 {
            for read in observations.reads.of(reader) {
                if read.writer == INITIAL {
                    continue;
                }
                if let Some(version) = Version::of(observations, read.item, read.writer) {
                    readers[version.slot as usize].push(reader);
                }
            }
        }
        let choices = observations.choices.iter().map(|choice| Candidates {
            reader: choice.reader,
            item: choice.item,
            versions: choice
                .writers
                .iter()
                .filter_map(|writer| Version::of(observations, choice.item, *writer))
                .collect(),
        });
        let choices: Vec<_> = choices.collect();
        let pairs = Pair::all(observations);
        let closing = match shape.anti {
            Anti::Closing => anti_dependencies(graph),
            _ => Vec::new(),
        };
        Self {
            observations,
            graph,
            shape,
            anti_kinds: match level {
                Isolation::RepeatableRead => kind::RW,
                _ => kind::ANY_RW,
            },
            closure: Closure::new(states),
            added: vec![Vec::new(); states],
            added_log: Vec::new(),
            ways: Vec::new(),
            open_pairs: pairs.len(),
            pairs,
            open_choices: choices.len(),
            choice_order: (0..choices.len() as u32).collect(),
            choices,
            readers,
            readers_log: Vec::new(),
            after: vec![Vec::new(); slots],
            after_log: Vec::new(),
            closing,
            out_of_time,
        }
    }

    /// How much is not known.
    pub(super) fn open(&self) -> usize {
        self.open_pairs + self.open_choices
    }

    /// Finds all that follows; the states in an order that keeps it, or why there is none.
    pub(super) fn saturate(&mut self, steps: &mut u64) -> Result<Vec<u32>, Option<Contradiction>> {
        loop {
            let order = self.order().ok_or(Some(Contradiction::Cycle))?;
            self.close(&order, steps);
            if let Some(closed) = self.closed() {
                return Err(Some(Contradiction::Closed(closed)));
            }
            if *steps == 0 || (self.out_of_time)() {
                return Ok(order);
            }
            let before = self.open();
            self.settle_pairs(steps)?;
            self.settle_choices(steps)?;
            if self.open() == before {
                return Ok(order);
            }
        }
    }

    fn settle_pairs(&mut self, steps: &mut u64) -> Result<(), Option<Contradiction>> {
        let mut index = 0;
        *steps = steps.saturating_sub(self.open_pairs as u64);
        while index < self.open_pairs {
            let pair = self.pairs[index];
            let forwards = self.prevented(pair);
            let backwards = self.prevented(pair.reversed());
            match (forwards, backwards) {
                (None, None) => index += 1,
                (Some(_), Some(_)) => return Err(Some(Contradiction::Pair(pair))),
                (None, Some(way)) => self.settle(index, pair, Some(way)),
                (Some(way), None) => self.settle(index, pair.reversed(), Some(way)),
            }
        }
        Ok(())
    }

    /// What prevents the first of a pair from coming first.
    fn prevented(&self, pair: Pair) -> Option<Way> {
        let (first, second) = (pair.one.writer, pair.other.writer);
        let back = self.shape.entry(first);
        let way = |from, to, closed_by| {
            let added = self.added_log.len() as u32;
            Some(Way { from, to, closed_by, added })
        };
        let ww = Link { from: first, to: second, kind: kind::WW };
        let entry = self.shape.entry(second);
        if self.closure.leads(entry, back) {
            return way(entry, back, ww);
        }
        if self.shape.ww_followed
            && let Some(followed) = self.shape.followed_entry(second)
            && self.closure.leads(followed, back)
        {
            return way(followed, back, ww);
        }
        if self.anti_kinds & self.anti_kind(pair.item) == 0 {
            return None;
        }
        let mut readers = self.readers[pair.one.slot as usize].iter();
        let reader = readers.find(|reader| {
            **reader != second && self.closure.leads(entry, self.shape.anti_exit(**reader))
        })?;
        let rw = Link { from: *reader, to: second, kind: self.anti_kind(pair.item) };
        way(entry, self.shape.anti_exit(*reader), rw)
    }

    fn anti_kind(&self, item: u32) -> u8 {
        if self.observations.is_predicate(item) { kind::RW_PREDICATE } else { kind::RW }
    }

    /// The pair of a number is known now.
    fn settle(&mut self, index: usize, pair: Pair, way: Option<Way>) {
        self.open_pairs -= 1;
        self.pairs.swap(index, self.open_pairs);
        self.pairs[self.open_pairs] = pair;
        let because = self.because(way);
        let (first, second) = (pair.one.writer, pair.other.writer);
        let (from, to) = (self.shape.entry(first), self.shape.entry(second));
        self.add(from, to, kind::WW, because);
        if self.shape.ww_followed
            && let Some(followed) = self.shape.followed_entry(second)
        {
            self.add(from, followed, kind::WW, because);
        }
        self.after[pair.one.slot as usize].push(second);
        self.after_log.push(pair.one.slot);
        for index in 0..self.readers[pair.one.slot as usize].len() {
            let reader = self.readers[pair.one.slot as usize][index];
            self.anti(reader, second, pair.item, because);
        }
    }

    /// A reader's version was overwritten.
    fn anti(&mut self, reader: u32, by: u32, item: u32, because: Option<u32>) {
        let kind = self.anti_kind(item);
        if reader == by || self.anti_kinds & kind == 0 {
            return;
        }
        match self.shape.anti {
            Anti::Closing => self.closing.push(Link { from: reader, to: by, kind }),
            _ => self.add(self.shape.anti_exit(reader), self.shape.entry(by), kind, because),
        }
    }

    fn settle_choices(&mut self, steps: &mut u64) -> Result<(), Option<Contradiction>> {
        let mut index = 0;
        while index < self.open_choices {
            let choice = self.choice_order[index];
            let mut possible = self.possible_writers(choice);
            *steps = steps.saturating_sub(self.choices[choice as usize].versions.len() as u64);
            match (possible.pop(), possible.is_empty()) {
                (None, _) => return Err(Some(Contradiction::Choice(choice))),
                (Some(only), true) => self.choose(index, only, None),
                (Some(_), false) => index += 1,
            }
        }
        Ok(())
    }

    fn possible_writers(&self, choice: u32) -> Vec<Version> {
        let versions = self.choices[choice as usize].versions.iter();
        versions.filter(|it| self.excluded(choice, **it).is_none()).copied().collect()
    }

    /// What excludes that a read was of a version.
    fn excluded(&self, choice: u32, version: Version) -> Option<Way> {
        let Candidates { reader, item, .. } = self.choices[choice as usize];
        let way = |from, to, closed_by| {
            Some(Way { from, to, closed_by, added: self.added_log.len() as u32 })
        };
        let writer = self.shape.entry(version.writer);
        let wr = Link { from: version.writer, to: reader, kind: kind::WR };
        let entries = [Some(self.shape.entry(reader)), self.shape.followed_entry(reader)];
        let mut entries = entries.into_iter().flatten();
        if let Some(entry) = entries.find(|entry| self.closure.leads(*entry, writer)) {
            return way(entry, writer, wr);
        }
        if self.anti_kinds & self.anti_kind(item) == 0 {
            return None;
        }
        let exit = self.shape.anti_exit(reader);
        let mut after = self.after[version.slot as usize].iter();
        let by =
            after.find(|by| **by != reader && self.closure.leads(self.shape.entry(**by), exit))?;
        way(self.shape.entry(*by), exit, Link { from: reader, to: *by, kind: self.anti_kind(item) })
    }

    fn choose(&mut self, index: usize, version: Version, way: Option<Way>) {
        self.open_choices -= 1;
        self.choice_order.swap(index, self.open_choices);
        let Candidates { reader, item, .. } =
            self.choices[self.choice_order[self.open_choices] as usize];
        let because = self.because(way);
        let from = self.shape.entry(version.writer);
        self.add(from, self.shape.entry(reader), kind::WR, because);
        if let Some(followed) = self.shape.followed_entry(reader) {
            self.add(from, followed, kind::WR, because);
        }
        self.readers[version.slot as usize].push(reader);
        self.readers_log.push(version.slot);
        for index in 0..self.after[version.slot as usize].len() {
            let by = self.after[version.slot as usize][index];
            self.anti(reader, by, item, because);
        }
    }

    fn because(&mut self, way: Option<Way>) -> Option<u32> {
        way.map(|way| {
            self.ways.push(way);
            self.ways.len() as u32 - 1
        })
    }

    fn add(&mut self, from: u32, to: u32, kind: u8, because: Option<u32>) {
        let number = self.added_log.len() as u32;
        self.added[from as usize].push(Added { to, kind, number, because });
        self.added_log.push(from);
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            added: self.added_log.len(),
            pairs: self.open_pairs,
            choices: self.open_choices,
            readers: self.readers_log.len(),
            after: self.after_log.len(),
            closing: self.closing.len(),
            ways: self.ways.len(),
        }
    }

    /// Forgets what was found since.
    pub(super) fn back_to(&mut self, mark: Mark) {
        for from in self.added_log.drain(mark.added..) {
            self.added[from as usize].pop();
        }
        for slot in self.readers_log.drain(mark.readers..) {
            self.readers[slot as usize].pop();
        }
        for slot in self.after_log.drain(mark.after..) {
            self.after[slot as usize].pop();
        }
        self.open_pairs = mark.pairs;
        self.open_choices = mark.choices;
        self.closing.truncate(mark.closing);
        self.ways.truncate(mark.ways);
    }

    fn successors(&self, state: u32, mut each: impl FnMut(u32, u8)) {
        self.shape.relation.successors(self.graph, state, &mut each);
        self.added[state as usize].iter().for_each(|added| each(added.to, added.kind));
    }

    /// All states in an order that keeps what is known, early ones in time first (Kahn 1962).
    fn order(&self) -> Option<Vec<u32>> {
        let states = self.added.len();
        let mut missing = vec![0_u32; states];
        for state in 0..states as u32 {
            self.successors(state, |to, _| missing[to as usize] += 1);
        }
        let urgency = |state: u32| {
            let vertex = self.shape.relation.vertex(state);
            let end = self.observations.completed.get(vertex as usize);
            Reverse((end.copied().unwrap_or(0), state))
        };
        let ready = (0..states as u32).filter(|state| missing[*state as usize] == 0);
        let mut ready: BinaryHeap<_> = ready.map(urgency).collect();
        let mut order = Vec::with_capacity(states);
        while let Some(Reverse((_, state))) = ready.pop() {
            order.push(state);
            self.successors(state, |to, _| {
                missing[to as usize] -= 1;
                if missing[to as usize] == 0 {
                    ready.push(urgency(to));
                }
            });
        }
        (order.len() == states).then_some(order)
    }

    fn close(&mut self, order: &[u32], steps: &mut u64) {
        let mut closure = std::mem::take(&mut self.closure);
        for &state in order.iter().rev() {
            closure.begin(state);
            self.successors(state, |to, _| {
                *steps = steps.saturating_sub(closure.add(state, to) / 8 + 1);
            });
        }
        self.closure = closure;
    }

    /// An anti-dependency that closes a cycle, where none may.
    fn closed(&self) -> Option<Link> {
        let entry = |vertex| self.shape.entry(vertex);
        let closed = |link: &&Link| self.closure.leads(entry(link.to), entry(link.from));
        self.closing.iter().find(closed).copied()
    }
}

/// All anti-dependencies of a graph.
fn anti_dependencies(graph: &Graph) -> Vec<Link> {
    let transactions = 0..graph.transactions;
    let all = transactions
        .flat_map(|from| graph.out(from).map(move |(to, kind)| Link { from, to, kind }));
    all.filter(|link| link.kind & kind::ANY_RW != 0).collect()
}
