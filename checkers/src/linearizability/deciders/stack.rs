//! Stacks whose values are pushed once: decided in O(n log n), for a bounded concurrency.
//!
//! A value whose push and pop overlap can be popped as soon as it is pushed and concerns nobody
//! else. Every other value was *certainly* inside from the end of its push to the beginning of its
//! pop. Where these times overlap, one after the other, they form a *component*: all through it the
//! stack was not empty, so one value must have lain at the bottom from its beginning to its end.
//! That value was pushed before any push of the component had ended, and popped after the last of its
//! pops had begun. Components do not concern each other, for each has an order within its own time.
//!
//! So a component that has no value to lie at the bottom is a contradiction. If it has one, that
//! value can lie there and be forgotten: what is left is a smaller history, and it is in order if and
//! only if the component is, whichever value was chosen. (Leaving a value out of an order leaves an
//! order; and one that can lie at the bottom can be put under any order of the others.) It falls into
//! components in turn.
//!
//! Values that nobody popped are popped after the end. Whoever found the stack empty needs a moment
//! outside all components.
//!
//! Decrease and conquer is Lee & Mathur's way (*Efficient decrease-and-conquer linearizability
//! monitoring*, 2025); components and their bottoms are as in Abdulla et al., *Efficient
//! linearizability monitoring for concurrent stacks, queues, sets, and multisets* (2025).
//!
//! Cost: each value is put at the bottom once, which takes O(log n) and a look at the pushes that were
//! open when its component began.

use std::ops::Range;

use super::minima::Minima;
use super::stays::{Calls, IN_THE_END, Stay, Stays, after, before};
use crate::linearizability::object::Decision;

/// Of what happens at one moment, pops come first and pushes last, and between the two whatever finds
/// the stack as it leaves it.
const POP: u8 = 0;
const BRIEF: u8 = 1;
const PUSH: u8 = 2;

/// Decides calls that [`reduce`](crate::linearizability::SequentialObject::reduce) has been through.
pub(crate) fn decide(calls: Calls<'_>) -> Decision {
    let stays = match Stays::of(calls) {
        Ok(stays) if stays.any_matters() => return Decision::Inapplicable,
        Ok(stays) => stays,
        Err(decision) => return decision,
    };
    let moments = match stays.empty_moments(calls) {
        Ok(moments) => moments,
        Err(decision) => return decision,
    };
    // By moments, which never go back within what is added here at once.
    let mut order = match Pile::of(&stays).order() {
        Ok(order) => order,
        Err(chain) => return stays.contradiction(calls, &chain, &[]),
    };
    order.extend(moments.into_iter().map(|(moment, empty)| (moment, BRIEF, empty)));
    for stay in stays.stays.iter().filter(|stay| stay.certain().is_none()) {
        let moment = after(stay.put.begin.max(stay.take.begin));
        order.push((moment, BRIEF, stay.put_call));
        order.extend(stay.take_call().map(|call| (moment, BRIEF, call)));
    }
    order.sort_by_key(|(moment, kind, _)| (*moment, *kind));
    Decision::Linearizable(order.into_iter().map(|(.., call)| call).collect())
}

/// The values that are certainly inside at some time, and what is left of them.
struct Pile<'a> {
    stays: &'a Stays,
    /// Where their times begin or end: the pieces of time lie between.
    bounds: Vec<u32>,
    /// By when their pushes ended.
    values: Vec<u32>,
    /// When their pushes began; of those that were put at the bottom, never.
    pushed: Minima,
    /// How many of those that are left were certainly inside in each piece.
    inside: Minima,
}

/// What is still to be done: a component, by its pieces, or a pop after one.
enum Task {
    Component(Range<usize>),
    Pop { moment: u64, call: u32 },
}

impl<'a> Pile<'a> {
    fn of(stays: &'a Stays) -> Self {
        let mut values: Vec<u32> = (0..stays.stays.len() as u32).collect();
        values.retain(|it| stays.stays[*it as usize].certain().is_some());
        values.sort_unstable_by_key(|it| stays.stays[*it as usize].put.end);
        let stay = |it: &u32| &stays.stays[*it as usize];
        let mut bounds: Vec<u32> =
            values.iter().flat_map(|it| [stay(it).put.end, stay(it).take.begin]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let pushed = Minima::of(values.iter().map(|it| i64::from(stay(it).put.begin)));
        let mut inside = vec![0; bounds.len()];
        let piece = |entry: u32| bounds.partition_point(|it| *it < entry);
        for it in &values {
            inside[piece(stay(it).put.end)] += 1;
            inside[piece(stay(it).take.begin)] -= 1;
        }
        for piece in 1..inside.len() {
            inside[piece] += inside[piece - 1];
        }
        let inside = Minima::of(inside.into_iter());
        Self { stays, bounds, values, pushed, inside }
    }

    fn stay(&self, value: usize) -> &'a Stay {
        &self.stays.stays[self.values[value] as usize]
    }

    /// Which piece begins with this entry.
    fn piece(&self, entry: u32) -> usize {
        self.bounds.partition_point(|it| *it < entry)
    }

    /// The calls by the moments of their effects, or values that contradict each other.
    fn order(mut self) -> Result<Vec<(u64, u8, u32)>, Vec<u32>> {
        let mut order = Vec::with_capacity(2 * self.values.len());
        let mut tasks = Vec::new();
        self.split(0..self.bounds.len().saturating_sub(1), &mut tasks);
        while let Some(task) = tasks.pop() {
            let pieces = match task {
                Task::Pop { moment, call } => {
                    order.push((moment, POP, call));
                    continue;
                }
                Task::Component(pieces) => pieces,
            };
            let (begin, end) = (self.bounds[pieces.start], self.bounds[pieces.end]);
            let bottom = self.bottom(begin, end).ok_or_else(|| self.chain(begin, end))?;
            let stay = self.stay(bottom);
            order.push((before(begin), PUSH, stay.put_call));
            // What lies there in the end was popped by nobody.
            if let Some(call) = stay.take_call().filter(|_| end != IN_THE_END) {
                tasks.push(Task::Pop { moment: after(end), call });
            }
            self.pushed.add(bottom..bottom + 1, i64::from(u32::MAX));
            self.inside.add(self.piece(stay.put.end)..self.piece(stay.take.begin), -1);
            self.split(pieces, &mut tasks);
        }
        Ok(order)
    }

    /// A value that can lie at the bottom of a component.
    fn bottom(&self, begin: u32, end: u32) -> Option<usize> {
        let by_end = |entry| self.values.partition_point(|it| self.end(*it) < entry);
        let mut values = by_end(begin)..by_end(end);
        loop {
            let value = self.pushed.first_below(values.clone(), i64::from(begin))?;
            if self.stay(value).take.end > end {
                return Some(value);
            }
            values.start = value + 1;
        }
    }

    fn end(&self, stay: u32) -> u32 {
        self.stays.stays[stay as usize].put.end
    }

    /// The components within some pieces, the first on top of the tasks.
    fn split(&self, pieces: Range<usize>, tasks: &mut Vec<Task>) {
        let first = tasks.len();
        let mut begin = pieces.start;
        while begin < pieces.end {
            let end = self.inside.first_below(begin..pieces.end, 1).unwrap_or(pieces.end);
            if begin < end {
                tasks.push(Task::Component(begin..end));
            }
            begin = end + 1;
        }
        tasks[first..].reverse();
    }

    /// As few values of a component as can be that are one by themselves: if none of the component
    /// can lie at its bottom, none of these can.
    fn chain(&self, begin: u32, end: u32) -> Vec<u32> {
        let mut is_left = vec![false; self.stays.stays.len()];
        for (value, &stay) in self.values.iter().enumerate() {
            let not_yet = self.pushed.first_below(value..value + 1, i64::from(u32::MAX)).is_some();
            is_left[stay as usize] = not_yet && (begin..end).contains(&self.end(stay));
        }
        self.stays.chain(begin, end, |stay| is_left[stay as usize])
    }
}
