//! Keys that retire, so that what a checker has to decide about one key stays small.

use std::collections::BTreeMap;

use perjury_history::Key;
use rand_pcg::Pcg64;

use super::{KeyDistribution, Positions};

/// A few active keys, each with what the caller notes about it. A key that has been picked often
/// enough is replaced by a fresh number; numbers count up from 0 and are never used again.
#[derive(Debug)]
pub struct Keys<S> {
    active: Vec<ActiveKey<S>>,
    /// Position in `active`.
    positions: BTreeMap<Key, usize>,
    picks_per_key: u64,
    keys_max: u64,
    /// Which of them is chosen.
    choice: Positions,
    /// Keys given so far; also the next number.
    given: u64,
}

/// A key in use.
#[derive(Debug)]
pub struct ActiveKey<S> {
    /// Its number.
    pub key: Key,
    /// What the caller notes about it; a fresh key has the default.
    pub notes: S,
    picks: u64,
}

impl<S: Default> Keys<S> {
    /// `active` keys at a time (at least one), each picked `picks_per_key` times before it retires,
    /// and `keys_max` in all: when they are used up, the last ones stay in use.
    pub fn new(active: u32, picks_per_key: u64, keys_max: u64) -> Self {
        Self::chosen(active, picks_per_key, keys_max, KeyDistribution::Uniform)
    }

    /// The same without an end, where some are picked more often than others.
    pub fn distributed(active: u32, picks_per_key: u64, distribution: KeyDistribution) -> Self {
        Self::chosen(active, picks_per_key, u64::MAX, distribution)
    }

    fn chosen(
        active: u32,
        picks_per_key: u64,
        keys_max: u64,
        distribution: KeyDistribution,
    ) -> Self {
        let active = u64::from(active).min(keys_max).max(1) as u32;
        let mut keys = Self {
            active: Vec::new(),
            positions: BTreeMap::new(),
            picks_per_key,
            keys_max,
            choice: Positions::new(distribution, active),
            given: 0,
        };
        for position in 0..active as usize {
            let fresh = keys.fresh(position);
            keys.active.push(fresh);
        }
        keys
    }

    /// A random active key.
    pub fn pick(&mut self, rng: &mut Pcg64) -> &mut ActiveKey<S> {
        let position = self.choice.draw(rng);
        let used_up = self.active[position].picks >= self.picks_per_key;
        if used_up && self.given < self.keys_max {
            self.positions.remove(&self.active[position].key);
            self.active[position] = self.fresh(position);
        }
        let chosen = &mut self.active[position];
        chosen.picks += 1;
        chosen
    }

    /// A random active key, of which that is not counted.
    pub fn peek(&self, rng: &mut Pcg64) -> Key {
        self.active[self.choice.draw(rng)].key
    }

    /// The notes about a key; `None` once it has retired.
    pub fn notes(&mut self, key: Key) -> Option<&mut S> {
        self.positions.get(&key).map(|&position| &mut self.active[position].notes)
    }

    fn fresh(&mut self, position: usize) -> ActiveKey<S> {
        let key = self.given as Key;
        self.given += 1;
        self.positions.insert(key, position);
        ActiveKey { key, notes: S::default(), picks: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::rng;

    #[test]
    fn a_retired_key_is_forgotten_and_its_successor_starts_afresh() {
        let mut keys: Keys<u32> = Keys::new(1, 3, 2);
        let mut rng = rng(1, "keys");
        for expected in [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (1, 4)] {
            let active = keys.pick(&mut rng);
            active.notes += 1;
            assert_eq!((active.key, active.notes), expected, "the second is the last");
        }
        assert_eq!(keys.notes(0), None);
        assert_eq!(keys.notes(1), Some(&mut 4));
    }

    #[test]
    fn there_is_always_a_key() {
        let mut rng = rng(1, "keys");
        for (active, picks_per_key, keys_max) in [(0, 0, 0), (3, 0, 1), (0, 1, 1)] {
            let mut keys: Keys<()> = Keys::new(active, picks_per_key, keys_max);
            assert_eq!(keys.pick(&mut rng).key, 0);
            assert_eq!(keys.pick(&mut rng).key, 0);
        }
    }
}
