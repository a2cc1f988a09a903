//! What is tried where nothing more follows.

use super::super::pairs::Pair;
use super::super::shape::{Anti, Shape};
use super::{Saturation, Step};

impl Saturation<'_> {
    /// Assumes something.
    pub(in super::super) fn take(&mut self, step: Step) {
        match step {
            Step::Order(pair) => {
                let same = |it: &Pair| *it == pair || *it == pair.reversed();
                let index = self.pairs[..self.open_pairs].iter().position(same);
                self.settle(index.expect("an open pair"), pair, None);
            }
            Step::Writer { choice, version } => {
                let open = &self.choice_order[..self.open_choices];
                let index = open.iter().position(|it| *it == choice);
                self.choose(index.expect("an open choice"), version, None);
            }
        }
    }

    /// Assumes the order of the first of the open pairs along an order, and the writers of the first
    /// open reads.
    pub(in super::super) fn take_along(&mut self, order: &[u32], number: usize) {
        let places = self.places(order);
        let place = |shape: Shape, transaction: u32| places[shape.entry(transaction) as usize];
        let shape = self.shape;
        let mut choices: Vec<u32> = self.choice_order[..self.open_choices].to_vec();
        choices.sort_by_key(|it| place(shape, self.choices[*it as usize].reader));
        for &choice in choices.iter().take(number) {
            let reader = place(shape, self.choices[choice as usize].reader);
            let possible = self.possible_writers(choice).into_iter();
            let before = possible.filter(|it| place(shape, it.writer) < reader);
            if let Some(version) = before.max_by_key(|it| place(shape, it.writer)) {
                self.take(Step::Writer { choice, version });
            }
        }
        let left = number.saturating_sub(choices.len());
        let mut pairs: Vec<Pair> = self.pairs[..self.open_pairs].to_vec();
        for pair in &mut pairs {
            if place(shape, pair.one.writer) > place(shape, pair.other.writer) {
                *pair = pair.reversed();
            }
        }
        pairs.sort_by_key(|it| (place(shape, it.other.writer), place(shape, it.one.writer)));
        for &pair in pairs.iter().take(left) {
            self.take(Step::Order(pair));
        }
    }

    /// What could be assumed next, the likeliest last.
    pub(in super::super) fn possibilities(&self, order: &[u32]) -> Vec<Step> {
        let places = self.places(order);
        let place = |transaction: u32| places[self.shape.entry(transaction) as usize];
        let open = self.choice_order[..self.open_choices].iter();
        if let Some(&choice) = open.min_by_key(|it| place(self.choices[**it as usize].reader)) {
            let mut versions = self.possible_writers(choice);
            let reader = place(self.choices[choice as usize].reader);
            // The last one before the reader is the likeliest.
            versions.sort_by_key(|it| (place(it.writer) < reader, place(it.writer)));
            return versions.into_iter().map(|version| Step::Writer { choice, version }).collect();
        }
        let along = |pair: Pair| match place(pair.one.writer) < place(pair.other.writer) {
            true => pair,
            false => pair.reversed(),
        };
        let open = self.pairs[..self.open_pairs].iter().map(|pair| along(*pair));
        let first = open.min_by_key(|pair| (place(pair.other.writer), place(pair.one.writer)));
        first.map_or(Vec::new(), |it| vec![Step::Order(it.reversed()), Step::Order(it)])
    }

    fn places(&self, order: &[u32]) -> Vec<u32> {
        let mut places = vec![0; order.len()];
        for (place, state) in order.iter().enumerate() {
            places[*state as usize] = place as u32;
        }
        places
    }

    /// Orients all that is open along an order; the transactions in an order that keeps that, if
    /// there is one.
    pub(in super::super) fn attempt(&mut self, order: &[u32], steps: &mut u64) -> Option<Vec<u32>> {
        let mark = self.mark();
        let places = self.places(order);
        let place = |shape: Shape, transaction: u32| places[shape.entry(transaction) as usize];
        *steps = steps.saturating_sub(self.open() as u64 + order.len() as u64);
        while self.open_choices > 0 {
            let choice = self.choice_order[self.open_choices - 1];
            let reader = place(self.shape, self.choices[choice as usize].reader);
            let possible = self.possible_writers(choice);
            let before = possible.into_iter().filter(|it| place(self.shape, it.writer) < reader);
            let Some(last) = before.max_by_key(|it| place(self.shape, it.writer)) else {
                self.back_to(mark);
                return None;
            };
            self.choose(self.open_choices - 1, last, None);
        }
        while self.open_pairs > 0 {
            let pair = self.pairs[self.open_pairs - 1];
            let is_along =
                place(self.shape, pair.one.writer) < place(self.shape, pair.other.writer);
            let pair = if is_along { pair } else { pair.reversed() };
            self.settle(self.open_pairs - 1, pair, None);
        }
        let found = self.order().filter(|order| {
            if self.shape.anti != Anti::Closing {
                return true;
            }
            self.close(order, steps);
            self.closed().is_none()
        });
        let Some(found) = found else {
            self.back_to(mark);
            if self.shape.anti == Anti::Closing {
                // What was tried is not known.
                self.close(order, steps);
            }
            return None;
        };
        let entries = found.into_iter().filter(|state| {
            let vertex = self.shape.relation.vertex(*state);
            !self.graph.is_junction(vertex) && *state == self.shape.entry(vertex)
        });
        Some(entries.map(|state| self.shape.relation.vertex(state)).collect())
    }
}
