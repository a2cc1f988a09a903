//! What a search needs to know of its calls before it begins.

use perjury_history::Key;
use rustc_hash::FxHashMap;

use crate::linearizability::object::{Call, SequentialObject};

/// An invocation or a return of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallEvent {
    pub(super) position: u32,
    pub(super) call: u32,
    pub(super) is_return: bool,
}

/// The events in order, and for every call a slot and a class.
pub(super) struct Plan {
    pub(super) events: Vec<CallEvent>,
    /// Of calls that return, in one numbering; of unknown calls, in another.
    pub(super) slot: Vec<u32>,
    /// Calls of one class ask and answer the same.
    pub(super) class: Vec<u32>,
    pub(super) classes: usize,
    /// What part of the object each class is about.
    pub(super) part: Vec<Key>,
    /// Bound of both numberings of slots.
    pub(super) slots: usize,
}

impl Plan {
    pub(super) fn of<M: SequentialObject>(object: &M, calls: &[Call<M::Operation>]) -> Self {
        let mut events = Vec::with_capacity(2 * calls.len());
        for (index, call) in calls.iter().enumerate() {
            let event = |position, is_return| CallEvent { position, call: index as u32, is_return };
            events.push(event(call.invoked, false));
            events.extend(call.returned.map(|position| event(position, true)));
        }
        events.sort_unstable_by_key(|event| (event.position, event.call));
        let mut numbers: FxHashMap<&M::Operation, u32> = FxHashMap::default();
        let mut part = Vec::new();
        let class = calls.iter().map(|call| {
            *numbers.entry(&call.operation).or_insert_with(|| {
                part.push(object.part(&call.operation));
                (part.len() - 1) as u32
            })
        });
        let class = class.collect();
        let mut slot = vec![0; calls.len()];
        let mut free: Vec<u32> = Vec::new();
        let (mut required, mut unknown) = (0, 0);
        for event in &events {
            let index = event.call as usize;
            if event.is_return {
                free.push(slot[index]);
            } else if calls[index].returned.is_some() {
                slot[index] = free.pop().unwrap_or_else(|| {
                    required += 1;
                    required - 1
                });
            } else {
                slot[index] = unknown;
                unknown += 1;
            }
        }
        let (classes, slots) = (numbers.len(), required.max(unknown) as usize);
        Self { events, slot, class, classes, part, slots }
    }

    /// What part of the object a call is about.
    pub(super) fn part_of(&self, call: u32) -> Key {
        self.part[self.class[call as usize] as usize]
    }

    pub(super) fn bytes(&self) -> usize {
        self.events.capacity() * size_of::<CallEvent>()
            + (self.slot.capacity() + self.class.capacity()) * size_of::<u32>()
    }
}
