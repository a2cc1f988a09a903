//! Numbers for items.

use perjury_history::{History, Key, MicroOp, Value};
use rustc_hash::FxHashMap;

/// What can be read and written by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) key: Key,
    pub(crate) kind: ItemKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemKind {
    Register,
    List,
    /// Whether this element is in the set.
    Element(Value),
}

/// Finds the number of an item.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub(super) all: Vec<Item>,
    registers: Keys,
    lists: Keys,
    elements: FxHashMap<(Key, Value), u32>,
    /// The elements that were added to each set or seen in it.
    pub(super) of_set: FxHashMap<Key, Vec<u32>>,
}

impl Items {
    /// All that the history speaks of.
    pub(super) fn of(history: &History) -> Self {
        let mut items = Self {
            registers: Keys::of(history, |it| {
                matches!(it, MicroOp::Read { .. } | MicroOp::Write { .. })
            }),
            lists: Keys::of(history, |it| {
                matches!(it, MicroOp::ReadList { .. } | MicroOp::Append { .. })
            }),
            ..Self::default()
        };
        for micro_op in history.iter().flat_map(|operation| operation.micro_ops) {
            match micro_op {
                MicroOp::Read { key, .. } | MicroOp::Write { key, .. } => {
                    add(&mut items.registers, &mut items.all, *key, ItemKind::Register);
                }
                MicroOp::ReadList { key, .. } | MicroOp::Append { key, .. } => {
                    add(&mut items.lists, &mut items.all, *key, ItemKind::List);
                }
                MicroOp::Add { key, value } => items.element(*key, *value),
                MicroOp::ReadSet { key, result: Some(held) } => {
                    held.iter().for_each(|value| items.element(*key, *value));
                }
                _ => {}
            }
        }
        items
    }

    fn element(&mut self, key: Key, value: Value) {
        let next = self.all.len() as u32;
        let item = *self.elements.entry((key, value)).or_insert(next);
        if item == next {
            self.all.push(Item { key, kind: ItemKind::Element(value) });
            self.of_set.entry(key).or_default().push(item);
        }
    }

    pub(super) fn register(&self, key: Key) -> u32 {
        self.registers.get(key)
    }

    pub(super) fn list(&self, key: Key) -> u32 {
        self.lists.get(key)
    }

    pub(super) fn element_of(&self, key: Key, value: Value) -> u32 {
        self.elements[&(key, value)]
    }
}

fn add(keys: &mut Keys, all: &mut Vec<Item>, key: Key, kind: ItemKind) {
    let next = all.len() as u32;
    let number = keys.entry(key);
    if *number == ABSENT {
        *number = next;
        all.push(Item { key, kind });
    }
}

const ABSENT: u32 = u32::MAX;

/// Numbers of keys: an array where keys are close together, as they usually are, or else a map.
#[derive(Debug)]
enum Keys {
    Near { least: Key, numbers: Vec<u32> },
    Far(FxHashMap<Key, u32>),
}

impl Default for Keys {
    fn default() -> Self {
        Keys::Far(FxHashMap::default())
    }
}

impl Keys {
    fn of(history: &History, counts: impl Fn(&MicroOp) -> bool) -> Self {
        let micro_ops = history.iter().flat_map(|operation| operation.micro_ops);
        let mut number = 0_u64;
        let (mut least, mut most) = (Key::MAX, Key::MIN);
        for micro_op in micro_ops.filter(|it| counts(it)) {
            number += 1;
            least = least.min(micro_op.key());
            most = most.max(micro_op.key());
        }
        match u64::try_from(i128::from(most) - i128::from(least)) {
            Ok(span) if span < 4 * number => {
                Keys::Near { least, numbers: vec![ABSENT; span as usize + 1] }
            }
            _ => Keys::default(),
        }
    }

    fn entry(&mut self, key: Key) -> &mut u32 {
        match self {
            Keys::Near { least, numbers } => &mut numbers[(key - *least) as usize],
            Keys::Far(map) => map.entry(key).or_insert(ABSENT),
        }
    }

    fn get(&self, key: Key) -> u32 {
        match self {
            Keys::Near { least, numbers } => numbers[(key - least) as usize],
            Keys::Far(map) => map[&key],
        }
    }
}
