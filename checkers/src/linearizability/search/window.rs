//! Sets of slots: which of the open operations a configuration has behind it.

use std::fmt::Debug;
use std::hash::Hash;

/// A set of small numbers below a bound that is known when the set is made.
pub(crate) trait Window: Clone + Eq + Hash + Debug {
    /// The empty set of numbers below `slots`.
    fn empty(slots: usize) -> Self;
    fn contains(&self, slot: usize) -> bool;
    fn insert(&mut self, slot: usize);
    fn remove(&mut self, slot: usize);
    fn is_subset(&self, other: &Self) -> bool;
    fn len(&self) -> usize;
    /// Bytes held beside the value itself.
    fn heap_bytes(&self) -> usize;
}

macro_rules! one_word {
    ($word:ty) => {
        impl Window for $word {
            fn empty(slots: usize) -> Self {
                debug_assert!(slots <= <$word>::BITS as usize);
                0
            }

            fn contains(&self, slot: usize) -> bool {
                self >> slot & 1 == 1
            }

            fn insert(&mut self, slot: usize) {
                *self |= (1 as $word) << slot;
            }

            fn remove(&mut self, slot: usize) {
                *self &= !((1 as $word) << slot);
            }

            fn is_subset(&self, other: &Self) -> bool {
                self & !other == 0
            }

            fn len(&self) -> usize {
                self.count_ones() as usize
            }

            fn heap_bytes(&self) -> usize {
                0
            }
        }
    };
}

one_word!(u64);
one_word!(u128);

/// For windows of any width.
impl Window for Box<[u64]> {
    fn empty(slots: usize) -> Self {
        vec![0; slots.div_ceil(64)].into_boxed_slice()
    }

    fn contains(&self, slot: usize) -> bool {
        self[slot / 64].contains(slot % 64)
    }

    fn insert(&mut self, slot: usize) {
        self[slot / 64].insert(slot % 64);
    }

    fn remove(&mut self, slot: usize) {
        self[slot / 64].remove(slot % 64);
    }

    fn is_subset(&self, other: &Self) -> bool {
        self.iter().zip(other).all(|(mine, theirs)| mine.is_subset(theirs))
    }

    fn len(&self) -> usize {
        self.iter().map(Window::len).sum()
    }

    fn heap_bytes(&self) -> usize {
        size_of_val::<[u64]>(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<W: Window>(slots: usize) {
        let mut set = W::empty(slots);
        let odd: Vec<usize> = (1..slots).step_by(2).collect();
        odd.iter().for_each(|slot| set.insert(*slot));
        assert_eq!(set.len(), odd.len());
        assert!((0..slots).all(|slot| set.contains(slot) == (slot % 2 == 1)));
        let mut fewer = set.clone();
        fewer.remove(odd[odd.len() - 1]);
        assert!(fewer.is_subset(&set) && !set.is_subset(&fewer));
    }

    #[test]
    fn every_width_is_the_same_set() {
        check::<u64>(64);
        check::<u128>(128);
        check::<Box<[u64]>>(64);
        check::<Box<[u64]>>(200);
    }
}
