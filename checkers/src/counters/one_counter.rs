//! The operations on one counter, and the bounds that they set.

use perjury_history::{History, Key, MicroOp, OperationId, Outcome, Value};

/// An increment that did not fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Increment {
    pub(super) operation: OperationId,
    pub(super) delta: Value,
    pub(super) invoked: u32,
    pub(super) acknowledged: Option<u32>,
}

/// A successful look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) operation: OperationId,
    pub(super) invoked: u32,
    pub(super) completed: u32,
    pub(super) value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
    Mixed,
}

/// Sums of increments by when they began or were acknowledged; upward and downward ones apart.
#[derive(Clone, Debug, Default)]
struct Sums {
    /// The entry, and the sums up to it.
    steps: Vec<(u32, i128, i128)>,
}

impl Sums {
    fn of(mut steps: Vec<(u32, Value)>) -> Self {
        steps.sort_unstable();
        let (mut up, mut down) = (0, 0);
        let sum = |(at, delta): (u32, Value)| {
            up += i128::from(delta.max(0));
            down += i128::from(delta.min(0));
            (at, up, down)
        };
        Self { steps: steps.into_iter().map(sum).collect() }
    }

    fn before(&self, at: u32) -> (i128, i128) {
        let count = self.steps.partition_point(|step| step.0 < at);
        count.checked_sub(1).map_or((0, 0), |last| (self.steps[last].1, self.steps[last].2))
    }
}

#[derive(Debug)]
pub(super) struct OneCounter {
    pub(super) key: Key,
    pub(super) direction: Direction,
    /// Those that change anything.
    pub(super) increments: Vec<Increment>,
    /// By order of invocation.
    pub(super) reads: Vec<Read>,
    pub(super) inspections: Vec<Read>,
    asked: Sums,
    acknowledged: Sums,
}

impl OneCounter {
    /// Of these operations on `key`; nothing if it is no counter, or why it cannot be judged.
    pub(super) fn of(
        history: &History,
        key: Key,
        operations: &[OperationId],
    ) -> Result<Option<Self>, String> {
        use MicroOp::{Increment as Inc, InspectCounter, ReadCounter};
        let (mut increments, mut reads, mut inspections) = (Vec::new(), Vec::new(), Vec::new());
        let mut is_counter = false;
        for operation in operations.iter().map(|id| history.get(*id)) {
            let mut of_counter = operation
                .micro_ops
                .iter()
                .filter(|it| matches!(it, Inc { .. } | ReadCounter { .. } | InspectCounter { .. }));
            let Some(only) = of_counter.next() else { continue };
            is_counter = true;
            if operation.single().is_none() {
                return Err(format!(
                    "counter {key}: transactions of several micro-operations touch it, and they are \
                     not judged here"
                ));
            }
            let (id, invoked) = (operation.id, operation.invoked);
            let ok = operation.completed.filter(|_| operation.outcome == Outcome::Ok);
            let read =
                |value| ok.map(|completed| Read { operation: id, invoked, completed, value });
            match *only {
                Inc { delta, .. } if operation.outcome != Outcome::Fail && delta != 0 => {
                    increments.push(Increment { operation: id, delta, invoked, acknowledged: ok });
                }
                ReadCounter { result: Some(value), .. } => reads.extend(read(value)),
                InspectCounter { result: Some(value), .. } => inspections.extend(read(value)),
                _ => {}
            }
        }
        let asked = Sums::of(increments.iter().map(|it| (it.invoked, it.delta)).collect());
        let acknowledged = increments.iter().filter_map(|it| Some((it.acknowledged?, it.delta)));
        let acknowledged = Sums::of(acknowledged.collect());
        let direction = match increments.iter().any(|it| it.delta > 0) {
            true if increments.iter().any(|it| it.delta < 0) => Direction::Mixed,
            false if !increments.is_empty() => Direction::Down,
            _ => Direction::Up,
        };
        let counter = Self { key, direction, increments, reads, inspections, asked, acknowledged };
        Ok(is_counter.then_some(counter))
    }

    /// The size of every increment, if there is one; of no increments it is 1.
    pub(super) fn unit(&self) -> Option<Value> {
        let unit = self.increments.first().map_or(1, |it| it.delta);
        self.increments.iter().all(|it| it.delta == unit).then_some(unit)
    }

    pub(super) fn acknowledged(&self) -> impl Iterator<Item = &Increment> {
        self.increments.iter().filter(|it| it.acknowledged.is_some())
    }

    /// The least and the most that a read may find.
    pub(super) fn bounds(&self, read: &Read) -> (i128, i128) {
        let (certain_up, certain_down) = self.acknowledged.before(read.invoked);
        let (possible_up, possible_down) = self.asked.before(read.completed);
        (certain_up + possible_down, possible_up + certain_down)
    }

    /// Whether it found less than must be there.
    pub(super) fn is_short(&self, read: &Read) -> bool {
        let (low, high) = self.bounds(read);
        match self.direction {
            Direction::Up => i128::from(read.value) < low,
            Direction::Down => i128::from(read.value) > high,
            Direction::Mixed => false,
        }
    }

    /// Whether it found what cannot be there: more than may be, or no multiple of the unit.
    pub(super) fn is_beyond(&self, read: &Read) -> bool {
        let (low, high) = self.bounds(read);
        let value = i128::from(read.value);
        let uneven = self.unit().is_some_and(|unit| value % i128::from(unit) != 0);
        uneven
            || match self.direction {
                Direction::Up => value > high,
                Direction::Down => value < low,
                Direction::Mixed => value < low || value > high,
            }
    }

    /// How many increments, at the least, none of these has counted.
    pub(super) fn lost(&self, held: impl Iterator<Item = Value>) -> u64 {
        let count = |value: Value| match self.direction {
            Direction::Down => -i128::from(value),
            _ => i128::from(value),
        };
        let mut sizes: Vec<i128> =
            self.acknowledged().map(|it| i128::from(it.delta).abs()).collect();
        let certain: i128 = sizes.iter().sum();
        let Some(most) = held.map(count).max() else { return 0 };
        let mut missing = certain - most;
        sizes.sort_unstable();
        let mut lost = 0;
        while missing > 0 {
            // A count below zero misses more than there are.
            let Some(size) = sizes.pop() else { break };
            missing -= size;
            lost += 1;
        }
        lost
    }

    /// What sound reads had found before; asked in order of invocation.
    pub(super) fn highest_before(&self) -> Highest<'_> {
        let mut by_end: Vec<&Read> =
            self.reads.iter().filter(|read| !self.is_beyond(read)).collect();
        by_end.sort_by_key(|read| std::cmp::Reverse(read.completed));
        Highest { counter: self, by_end, highest: None }
    }
}

/// The read that found most among those that are over.
pub(super) struct Highest<'a> {
    counter: &'a OneCounter,
    /// The next to end stands last.
    by_end: Vec<&'a Read>,
    highest: Option<&'a Read>,
}

impl<'a> Highest<'a> {
    /// A read that had ended before this one began and had found more.
    pub(super) fn more_than(&mut self, read: &Read) -> Option<&'a Read> {
        let is_more = |one: Value, other: Value| match self.counter.direction {
            Direction::Up => one > other,
            Direction::Down => one < other,
            Direction::Mixed => false,
        };
        while let Some(ended) = self.by_end.pop_if(|it| it.completed < read.invoked) {
            if self.highest.is_none_or(|highest| is_more(ended.value, highest.value)) {
                self.highest = Some(ended);
            }
        }
        self.highest.filter(|highest| is_more(highest.value, read.value))
    }
}
