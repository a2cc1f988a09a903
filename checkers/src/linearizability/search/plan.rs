//! What a search needs to know of its calls before it begins.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::linearizability::object::Call;

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
    /// Bound of both numberings of slots.
    pub(super) slots: usize,
}

impl Plan {
    pub(super) fn of<O: Eq + Hash>(calls: &[Call<O>]) -> Self {
        let mut events = Vec::with_capacity(2 * calls.len());
        for (index, call) in calls.iter().enumerate() {
            let event = |position, is_return| CallEvent { position, call: index as u32, is_return };
            events.push(event(call.invoked, false));
            events.extend(call.returned.map(|position| event(position, true)));
        }
        events.sort_unstable_by_key(|event| (event.position, event.call));
        let mut numbers: FxHashMap<&O, u32> = FxHashMap::default();
        let class = calls.iter().map(|call| {
            let next = numbers.len() as u32;
            *numbers.entry(&call.operation).or_insert(next)
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
        Self { events, slot, class, classes, slots }
    }

    pub(super) fn bytes(&self) -> usize {
        self.events.capacity() * size_of::<CallEvent>()
            + (self.slot.capacity() + self.class.capacity()) * size_of::<u32>()
    }
}
