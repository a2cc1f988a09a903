//! Sets of configurations without those that another one makes superfluous.

use rustc_hash::FxHashMap;

use super::window::Window;

/// What the object may be in.
#[derive(Clone, Debug)]
pub(super) struct Configuration<W> {
    /// Number of what it holds.
    pub(super) state: u32,
    /// How it came about.
    pub(super) trail: u32,
    /// Slots of the open calls that have taken effect.
    pub(super) done: W,
    /// Slots of the unknown calls that have.
    pub(super) spent: W,
}

const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Configurations<W> {
    pub(super) items: Vec<Configuration<W>>,
    /// The next older item with the same state and `done`.
    older: Vec<u32>,
    superfluous: Vec<bool>,
    newest: FxHashMap<(u32, W), u32>,
}

impl<W: Window> Configurations<W> {
    pub(super) fn new() -> Self {
        Self {
            items: Vec::new(),
            older: Vec::new(),
            superfluous: Vec::new(),
            newest: FxHashMap::default(),
        }
    }

    /// Its place, if nothing in the set is at least as good: one is that is equal but for having
    /// spent fewer unknown calls, for it can do all that this one can.
    pub(super) fn insert(&mut self, configuration: Configuration<W>) -> Option<u32> {
        let place = self.items.len() as u32;
        let newest =
            self.newest.entry((configuration.state, configuration.done.clone())).or_insert(NONE);
        let mut at = *newest;
        while at != NONE {
            if self.items[at as usize].spent.is_subset(&configuration.spent) {
                return None;
            }
            at = self.older[at as usize];
        }
        at = *newest;
        while at != NONE {
            let worse = configuration.spent.is_subset(&self.items[at as usize].spent);
            self.superfluous[at as usize] |= worse;
            at = self.older[at as usize];
        }
        self.older.push(*newest);
        *newest = place;
        self.items.push(configuration);
        self.superfluous.push(false);
        Some(place)
    }

    pub(super) fn is_superfluous(&self, place: u32) -> bool {
        self.superfluous[place as usize]
    }

    /// Takes all out that are not superfluous.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Configuration<W>> + '_ {
        let kept = self.items.drain(..).zip(&self.superfluous).filter(|(_, worse)| !**worse);
        kept.map(|(it, _)| it)
    }

    pub(super) fn clear(&mut self) {
        // A map that was large once is slow to clear for ever.
        if self.newest.capacity() > 64 && self.newest.len() * 8 < self.newest.capacity() {
            self.newest = FxHashMap::default();
        }
        self.newest.clear();
        self.items.clear();
        self.older.clear();
        self.superfluous.clear();
    }

    /// Bytes in use; where the next item makes a table grow, with those of the new one beside it.
    pub(super) fn bytes(&self) -> usize {
        let grown = |length: usize, capacity: usize| match length < capacity {
            true => capacity,
            false => 3 * capacity,
        };
        let heap = self.items.first().map_or(0, |it| it.done.heap_bytes());
        let item = size_of::<Configuration<W>>() + size_of::<u32>() + size_of::<bool>();
        let entry = size_of::<((u32, W), u32)>() + 1;
        grown(self.items.len(), self.items.capacity()) * item
            + self.items.len() * 2 * heap
            + grown(self.newest.len(), self.newest.capacity()) * 8 / 7 * entry
            + self.newest.len() * heap
    }
}
