//! The search: is there an order of the calls that the object could have had?
//!
//! It walks through the record event by event and keeps every *configuration* that the object can
//! be in: what it holds, and which of the open calls have taken effect. Calls take effect as late as
//! possible: only when one returns that has not taken effect yet do the configurations let open
//! calls take effect, in every order that ends with it (just-in-time linearization: Lowe 2017, after
//! Wing & Gong 1993). A configuration that cannot is dropped; when none is left, the return that
//! dropped the last is the contradiction.
//!
//! What keeps the configurations few:
//! - equal ones are kept once;
//! - a call that only observes takes effect as soon as it can: that forecloses nothing;
//! - of unknown calls with the same effect, the one invoked first goes first;
//! - a configuration that has spent more unknown calls than another one, and is else equal to it, is
//!   dropped: the other can do all that it can.
//!
//! Calls live in *slots*: a slot is free again when its call has returned, so a configuration is as
//! wide as the concurrency, not as the history. Unknown calls never return and keep theirs.

use rustc_hash::FxHashMap;

use super::sequential::{Call, SequentialModel};
use super::window::Window;

/// What a search may use, and has left.
pub(crate) struct Budget<'a> {
    pub(crate) steps_left: u64,
    pub(crate) memory_limit_bytes: usize,
    pub(crate) out_of_time: &'a dyn Fn() -> bool,
}

/// A bound that a search reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Steps,
    Memory,
    Time,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer<S> {
    /// There is an order.
    Linearizable,
    /// There is none: no configuration survives the return at this entry of the record.
    Contradiction {
        /// Entry of the record.
        position: u32,
        /// What the object may have held just before, in order.
        states: Vec<S>,
    },
    /// Not known.
    Exhausted {
        /// The bound that was reached.
        limit: Limit,
        /// Calls that had returned, all of them explained.
        proved: usize,
        /// Unknown calls that were open.
        unknown: usize,
    },
}

/// Between two looks at the clock and at the memory.
const STEPS_BETWEEN_LOOKS: u64 = 1024;

/// Searches for an order of `calls`, which are by order of invocation.
pub(crate) fn search<M: SequentialModel>(
    model: &M,
    calls: &[Call<M::Operation>],
    budget: &mut Budget<'_>,
) -> Answer<M::State> {
    let plan = Plan::of(calls);
    match plan.slots {
        0..=64 => Search::<M, u64>::new(model, calls, &plan, budget).run(),
        65..=128 => Search::<M, u128>::new(model, calls, &plan, budget).run(),
        _ => Search::<M, Box<[u64]>>::new(model, calls, &plan, budget).run(),
    }
}

const NONE: u32 = u32::MAX;

/// The events in order, and a slot for every call.
pub(super) struct Plan {
    /// Position, index of the call, whether it is its return.
    events: Vec<(u32, u32, bool)>,
    /// Of calls that return, in one numbering; of unknown calls, in another.
    slot: Vec<u32>,
    /// For an unknown call, the slot of the one before it that has the same effect.
    same_before: Vec<u32>,
    /// Bound of both numberings.
    slots: usize,
}

impl Plan {
    pub(super) fn of<O: Copy + Eq + std::hash::Hash>(calls: &[Call<O>]) -> Self {
        let mut events = Vec::with_capacity(2 * calls.len());
        for (index, call) in calls.iter().enumerate() {
            events.push((call.invoked, index as u32, false));
            events.extend(call.returned.map(|position| (position, index as u32, true)));
        }
        events.sort_unstable_by_key(|event| (event.0, event.1));
        let mut slot = vec![NONE; calls.len()];
        let mut same_before = vec![NONE; calls.len()];
        let mut free: Vec<u32> = Vec::new();
        let (mut required, mut unknown) = (0, 0);
        let mut latest: FxHashMap<O, u32> = FxHashMap::default();
        for &(_, index, is_return) in &events {
            let index = index as usize;
            if is_return {
                free.push(slot[index]);
            } else if calls[index].returned.is_some() {
                slot[index] = free.pop().unwrap_or_else(|| {
                    required += 1;
                    required - 1
                });
            } else {
                slot[index] = unknown;
                same_before[index] = latest.insert(calls[index].operation, unknown).unwrap_or(NONE);
                unknown += 1;
            }
        }
        Self { events, slot, same_before, slots: required.max(unknown) as usize }
    }
}

/// What the object may be in.
#[derive(Clone)]
struct Configuration<S, W> {
    state: S,
    /// Slots of the open calls that have taken effect.
    done: W,
    /// Slots of the unknown calls that have.
    spent: W,
}

/// A set of configurations, without those that another one makes superfluous.
struct Configurations<S, W> {
    items: Vec<Configuration<S, W>>,
    /// The next older item with the same state and `done`.
    older: Vec<u32>,
    superfluous: Vec<bool>,
    newest: FxHashMap<(S, W), u32>,
}

impl<S: Copy + Eq + std::hash::Hash, W: Window> Configurations<S, W> {
    fn new() -> Self {
        Self {
            items: Vec::new(),
            older: Vec::new(),
            superfluous: Vec::new(),
            newest: FxHashMap::default(),
        }
    }

    /// Its place, if nothing in the set is at least as good.
    fn insert(&mut self, configuration: Configuration<S, W>) -> Option<u32> {
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

    fn clear(&mut self) {
        // A map that was large once is slow to clear for ever.
        if self.newest.capacity() > 64 && self.newest.len() * 8 < self.newest.capacity() {
            self.newest = FxHashMap::default();
        }
        self.newest.clear();
        self.items.clear();
        self.older.clear();
        self.superfluous.clear();
    }

    fn bytes(&self) -> usize {
        let heap = self.items.first().map_or(0, |it| it.done.heap_bytes());
        let item = size_of::<Configuration<S, W>>() + size_of::<u32>() + size_of::<bool>();
        let entry = size_of::<((S, W), u32)>() + 1;
        self.items.capacity() * item
            + self.items.len() * 2 * heap
            + self.newest.capacity() * 8 / 7 * entry
            + self.newest.len() * heap
    }
}

pub(super) struct Search<'a, 'b, M: SequentialModel, W> {
    model: &'a M,
    calls: &'a [Call<M::Operation>],
    plan: &'a Plan,
    budget: &'a mut Budget<'b>,
    /// Open calls: those that only observe, the others that return, the unknown ones.
    observers: Vec<u32>,
    mutators: Vec<u32>,
    unknown: Vec<u32>,
    /// The configurations after the last return.
    frontier: Vec<Configuration<M::State, W>>,
    /// Those that come from them without the call that is returning, and those with it.
    before: Configurations<M::State, W>,
    after: Configurations<M::State, W>,
    /// Places in `before` that are still to be looked at, by the number of unknown calls spent: who
    /// spends less goes first, so that it makes others superfluous in time.
    queues: Vec<Vec<u32>>,
    steps_to_look: u64,
}

impl<'a, 'b, M: SequentialModel, W: Window> Search<'a, 'b, M, W> {
    pub(super) fn new(
        model: &'a M,
        calls: &'a [Call<M::Operation>],
        plan: &'a Plan,
        budget: &'a mut Budget<'b>,
    ) -> Self {
        let start = Configuration {
            state: model.initial(),
            done: W::empty(plan.slots),
            spent: W::empty(plan.slots),
        };
        Self {
            model,
            calls,
            plan,
            budget,
            observers: Vec::new(),
            mutators: Vec::new(),
            unknown: Vec::new(),
            frontier: vec![start],
            before: Configurations::new(),
            after: Configurations::new(),
            queues: Vec::new(),
            steps_to_look: STEPS_BETWEEN_LOOKS,
        }
    }

    pub(super) fn run(mut self) -> Answer<M::State> {
        let mut proved = 0;
        for &(position, index, is_return) in &self.plan.events {
            if !is_return {
                self.list_of(index).push(index);
                continue;
            }
            if let Err(limit) = self.settle(index) {
                return Answer::Exhausted { limit, proved, unknown: self.unknown.len() };
            }
            if self.after.items.is_empty() {
                return Answer::Contradiction { position, states: self.states() };
            }
            self.list_of(index).retain(|open| *open != index);
            let Configurations { items, superfluous, .. } = &mut self.after;
            let kept = items.drain(..).zip(superfluous).filter(|(_, worse)| !**worse);
            self.frontier.extend(kept.map(|(it, _)| it));
            proved += 1;
        }
        Answer::Linearizable
    }

    fn list_of(&mut self, index: u32) -> &mut Vec<u32> {
        let call = &self.calls[index as usize];
        if call.returned.is_none() {
            &mut self.unknown
        } else if self.model.observes_only(call.operation) {
            &mut self.observers
        } else {
            &mut self.mutators
        }
    }

    /// Fills `after` with what the frontier becomes when the call has taken effect.
    fn settle(&mut self, returning: u32) -> Result<(), Limit> {
        self.before.clear();
        self.after.clear();
        let mut frontier = std::mem::take(&mut self.frontier);
        for configuration in frontier.drain(..) {
            self.reach(configuration, returning)?;
        }
        self.frontier = frontier;
        let mut level = 0;
        while level < self.queues.len() {
            let mut next = 0;
            while let Some(&place) = self.queues[level].get(next) {
                next += 1;
                if !self.before.superfluous[place as usize] {
                    self.expand(place as usize, returning)?;
                }
            }
            self.queues[level].clear();
            level += 1;
        }
        self.look()
    }

    /// Adds a configuration where it belongs, after whatever only observes and can.
    fn reach(
        &mut self,
        mut configuration: Configuration<M::State, W>,
        returning: u32,
    ) -> Result<(), Limit> {
        for &observer in &self.observers {
            let slot = self.plan.slot[observer as usize] as usize;
            let operation = self.calls[observer as usize].operation;
            if self.model.step(configuration.state, operation).is_some() {
                configuration.done.insert(slot);
            }
        }
        let slot = self.plan.slot[returning as usize] as usize;
        if configuration.done.contains(slot) {
            configuration.done.remove(slot);
            self.after.insert(configuration);
        } else {
            let level = configuration.spent.len();
            if let Some(place) = self.before.insert(configuration) {
                if self.queues.len() <= level {
                    self.queues.resize(level + 1, Vec::new());
                }
                self.queues[level].push(place);
            }
        }
        self.step(1 + self.observers.len() as u64)
    }

    /// Lets every open call take effect next that can.
    fn expand(&mut self, place: usize, returning: u32) -> Result<(), Limit> {
        for list in 0..self.mutators.len() {
            let index = self.mutators[list] as usize;
            let slot = self.plan.slot[index] as usize;
            let here = &self.before.items[place];
            if here.done.contains(slot) {
                continue;
            }
            if let Some(state) = self.model.step(here.state, self.calls[index].operation) {
                let mut then = Configuration { state, ..here.clone() };
                then.done.insert(slot);
                self.reach(then, returning)?;
            }
        }
        for list in 0..self.unknown.len() {
            let index = self.unknown[list] as usize;
            let slot = self.plan.slot[index] as usize;
            let first = self.plan.same_before[index];
            let here = &self.before.items[place];
            if here.spent.contains(slot) || first != NONE && !here.spent.contains(first as usize) {
                continue;
            }
            let state = self.model.step(here.state, self.calls[index].operation);
            // What changes nothing need not be spent.
            if let Some(state) = state.filter(|state| *state != here.state) {
                let mut then = Configuration { state, ..here.clone() };
                then.spent.insert(slot);
                self.reach(then, returning)?;
            }
        }
        self.step((self.mutators.len() + self.unknown.len()) as u64)
    }

    fn step(&mut self, steps: u64) -> Result<(), Limit> {
        if steps > self.budget.steps_left {
            return Err(Limit::Steps);
        }
        self.budget.steps_left -= steps;
        if self.steps_to_look > steps {
            self.steps_to_look -= steps;
            return Ok(());
        }
        self.steps_to_look = STEPS_BETWEEN_LOOKS;
        if (self.budget.out_of_time)() {
            return Err(Limit::Time);
        }
        self.look()
    }

    /// Whether the configurations still fit.
    fn look(&self) -> Result<(), Limit> {
        let frontier = self.frontier.capacity() * size_of::<Configuration<M::State, W>>();
        let queues: usize = self.queues.iter().map(Vec::capacity).sum();
        let bytes = self.before.bytes() + self.after.bytes() + frontier + queues * size_of::<u32>();
        if bytes > self.budget.memory_limit_bytes { Err(Limit::Memory) } else { Ok(()) }
    }

    /// What the object may have held before the return that nothing survived.
    fn states(&self) -> Vec<M::State> {
        let mut states: Vec<_> = self.before.items.iter().map(|it| it.state).collect();
        states.sort_unstable();
        states.dedup();
        states
    }
}
