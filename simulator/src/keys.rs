//! Which keys transactions touch, and with which values they write.

use perjury_history::{Key, Value};
use rand::RngExt as _;
use rand_pcg::Pcg64;

use crate::{Distribution, Settings};

/// The keys that are in use, and what has become of the others: they were written often enough.
#[derive(Debug)]
pub(crate) struct Keys {
    /// In each place, a key and how often it was written.
    places: Vec<(Key, u32)>,
    next: Key,
    writes_per_key: u32,
    values: Option<u32>,
    distribution: Distribution,
    /// For Zipf's distribution: the weights of all places up to each one.
    weights: Vec<f64>,
}

impl Keys {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut sum = 0.0;
        let weights = match settings.distribution {
            // Sums and quotients are the same on every machine.
            Distribution::Zipf => (0..settings.keys)
                .map(|place| {
                    sum += 1.0 / f64::from(place + 1);
                    sum
                })
                .collect(),
            Distribution::Uniform | Distribution::Exponential => Vec::new(),
        };
        Self {
            places: (0..settings.keys).map(|place| (Key::from(place), 0)).collect(),
            next: Key::from(settings.keys),
            writes_per_key: settings.writes_per_key,
            values: settings.values,
            distribution: settings.distribution,
            weights,
        }
    }

    fn place(&self, random: &mut Pcg64) -> usize {
        let last = self.places.len() - 1;
        match self.distribution {
            Distribution::Uniform => random.random_range(0..=last),
            Distribution::Zipf => {
                let lot = random.random_range(0.0..self.weights[last]);
                self.weights.partition_point(|weight| *weight <= lot).min(last)
            }
            Distribution::Exponential => {
                (random.random::<u64>().leading_zeros() as usize).min(last)
            }
        }
    }

    /// A key to read.
    pub(crate) fn for_read(&self, random: &mut Pcg64) -> Key {
        self.places[self.place(random)].0
    }

    /// A key to write, and the value.
    pub(crate) fn for_write(&mut self, random: &mut Pcg64) -> (Key, Value) {
        let place = self.place(random);
        let (key, writes) = &mut self.places[place];
        *writes += 1;
        let (key, written) = (*key, *writes);
        if written == self.writes_per_key {
            self.places[place] = (self.next, 0);
            self.next += 1;
        }
        let value = match self.values {
            None => Value::from(written),
            Some(values) => Value::from(random.random_range(1..=values)),
        };
        (key, value)
    }
}
