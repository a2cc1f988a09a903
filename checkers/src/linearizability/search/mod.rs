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
//! - a call that is about another part of the object than the one that returns waits;
//! - a call that only observes takes effect as soon as it can: that forecloses nothing;
//! - of open calls that ask and answer the same, the one that returns first goes first: in any other
//!   order the two could change places;
//! - so of unknown ones the one invoked first goes first, and only after those that returned: a
//!   thousand clients that crashed over the same write are a counter, not a set;
//! - of unknown ones that would do the same, the one that can do least elsewhere goes first;
//! - a configuration that has spent more unknown calls than another one, and is else equal to it, is
//!   dropped: the other can do all that it can.
//!
//! Two shorter searches are sound one way each. One that is *lavish* lets unknown calls take effect
//! any number of times: what it contradicts is a contradiction all the more, and it does not have to
//! remember which are spent, which is what makes searches long. One that is *narrow* keeps only so
//! many configurations, those that spent least: an order that it finds is an order.
//!
//! Calls live in *slots*: a slot is free again when its call has returned, so a configuration is as
//! wide as the concurrency, not as the history. Unknown calls never return and keep theirs. What the
//! object holds is kept once and has a number, and so has every step from one to another.

mod configurations;
mod efforts;
mod plan;
mod states;
mod trail;
pub(super) mod window;

use rustc_hash::FxHashMap;

use self::configurations::{Configuration, Configurations};
pub(super) use self::efforts::find;
use self::plan::Plan;
use self::states::States;
use self::trail::{START, Trail};
use self::window::Window;
use super::object::{Call, SequentialObject};

/// What a search may use, and has left.
pub(crate) struct Budget<'a> {
    pub(crate) steps_left: u64,
    pub(crate) memory_limit_bytes: usize,
    pub(crate) out_of_time: &'a (dyn Fn() -> bool + Sync),
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
    /// There is an order: these calls, by their places. Unknown ones may be missing.
    Linearizable(Vec<u32>),
    /// There is none: no configuration survives the return at this entry of the record.
    Contradiction {
        /// Entry of the record.
        position: u32,
        /// What the object may have held just before, by how soon it was found.
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

/// How thorough a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// It finds out.
    Thorough,
    /// It may only find a contradiction.
    Lavish,
    /// It may only find an order, and keeps at most so many configurations after each return.
    Narrow(usize),
}

/// Between two looks at the clock and at the memory.
const STEPS_BETWEEN_LOOKS: u64 = 1024;

/// Steps from state to state that are remembered; a few megabytes.
const REMEMBERED_MAX: usize = 1 << 16;

/// Searches for an order of `calls`, which are by order of invocation.
pub(crate) fn search<M: SequentialObject>(
    object: &M,
    calls: &[Call<M::Operation>],
    budget: &mut Budget<'_>,
    effort: Effort,
) -> Answer<M::State> {
    let plan = Plan::of(object, calls);
    match plan.slots {
        0..=64 => Search::<M, u64>::new(object, calls, &plan, budget, effort).run(),
        65..=128 => Search::<M, u128>::new(object, calls, &plan, budget, effort).run(),
        _ => Search::<M, Box<[u64]>>::new(object, calls, &plan, budget, effort).run(),
    }
}

/// The search with windows of a given width, which must be enough.
#[cfg(test)]
pub(super) fn search_by<M: SequentialObject, W: Window>(
    object: &M,
    calls: &[Call<M::Operation>],
    budget: &mut Budget<'_>,
) -> Answer<M::State> {
    Search::<M, W>::new(object, calls, &Plan::of(object, calls), budget, Effort::Thorough).run()
}

struct Search<'a, 'b, M: SequentialObject, W> {
    object: &'a M,
    calls: &'a [Call<M::Operation>],
    plan: &'a Plan,
    budget: &'a mut Budget<'b>,
    effort: Effort,
    /// Whether configurations were dropped that may have led to an order.
    is_narrowed: bool,
    states: States<M::State>,
    /// What becomes of a state by a call of a class that has an answer.
    steps: FxHashMap<(u32, u32), Option<u32>>,
    trail: Trail,
    /// Open calls: those that only observe, the others by when they return, the unknown ones by when
    /// they were invoked.
    observers: Vec<u32>,
    mutators: Vec<u32>,
    unknown: Vec<u32>,
    /// The configurations after the last return.
    frontier: Vec<Configuration<W>>,
    /// Those that come from them without the call that is returning, and those with it.
    before: Configurations<W>,
    after: Configurations<W>,
    /// Places in `before` that are still to be looked at, by the number of unknown calls spent: who
    /// spends less goes first, so that it makes others superfluous in time.
    queues: Vec<Vec<u32>>,
    /// Of the last look at an unknown call.
    unknown_states: Vec<M::State>,
    /// Unknown calls that can take effect, and what the object holds then.
    ways: Vec<(u32, u32)>,
    /// The last configuration that tried a call of each class.
    tried: Vec<u64>,
    trials: u64,
    steps_to_look: u64,
    /// States that were in use when it was last looked at.
    live_states: usize,
}

impl<'a, 'b, M: SequentialObject, W: Window> Search<'a, 'b, M, W> {
    fn new(
        object: &'a M,
        calls: &'a [Call<M::Operation>],
        plan: &'a Plan,
        budget: &'a mut Budget<'b>,
        effort: Effort,
    ) -> Self {
        let mut states = States::new();
        let state = states.number(object.initial(), |state| object.heap_bytes(state));
        let (done, spent) = (W::empty(plan.slots), W::empty(plan.slots));
        Self {
            object,
            calls,
            plan,
            budget,
            effort,
            is_narrowed: false,
            states,
            steps: FxHashMap::default(),
            trail: Trail::new(),
            observers: Vec::new(),
            mutators: Vec::new(),
            unknown: Vec::new(),
            frontier: vec![Configuration { state, trail: START, done, spent }],
            before: Configurations::new(),
            after: Configurations::new(),
            queues: Vec::new(),
            unknown_states: Vec::new(),
            ways: Vec::new(),
            tried: vec![0; plan.classes],
            trials: 0,
            steps_to_look: STEPS_BETWEEN_LOOKS,
            live_states: 1,
        }
    }

    fn run(mut self) -> Answer<M::State> {
        let mut proved = 0;
        for event in &self.plan.events {
            if !event.is_return {
                self.open(event.call);
                continue;
            }
            if let Err(limit) = self.settle(event.call) {
                return Answer::Exhausted { limit, proved, unknown: self.unknown.len() };
            }
            if self.after.items.is_empty() && self.is_narrowed {
                return Answer::Exhausted {
                    limit: Limit::Steps,
                    proved,
                    unknown: self.unknown.len(),
                };
            }
            if self.after.items.is_empty() {
                return Answer::Contradiction { position: event.position, states: self.reached() };
            }
            self.close(event.call);
            self.frontier.extend(self.after.drain());
            self.narrow();
            self.tidy();
            proved += 1;
        }
        // A lavish order may have a call twice.
        match self.effort {
            Effort::Lavish => {
                Answer::Exhausted { limit: Limit::Steps, proved, unknown: self.unknown.len() }
            }
            _ => Answer::Linearizable(self.trail.order(self.frontier[0].trail)),
        }
    }

    /// Keeps those configurations that spent least, where only some may be kept.
    fn narrow(&mut self) {
        if let Effort::Narrow(width) = self.effort
            && self.frontier.len() > width
        {
            self.frontier.sort_by_key(|it| it.spent.len());
            self.frontier.truncate(width);
            self.is_narrowed = true;
        }
    }

    fn open(&mut self, call: u32) {
        let it = &self.calls[call as usize];
        if it.returned.is_none() {
            self.unknown.push(call);
        } else if self.object.observes_only(&it.operation) {
            self.observers.push(call);
        } else {
            let returned = |other: &u32| self.calls[*other as usize].returned;
            let place = self.mutators.partition_point(|other| returned(other) < it.returned);
            self.mutators.insert(place, call);
        }
    }

    fn close(&mut self, call: u32) {
        let observes = self.object.observes_only(&self.calls[call as usize].operation);
        let list = if observes { &mut self.observers } else { &mut self.mutators };
        list.retain(|open| *open != call);
    }

    /// Forgets states and ways that no configuration of the frontier needs any more.
    fn tidy(&mut self) {
        if self.states.len() > 2 * self.live_states + REMEMBERED_MAX {
            let live = self.frontier.iter_mut().map(|it| &mut it.state);
            self.states.keep(live, |state| self.object.heap_bytes(state));
            self.live_states = self.states.len();
            self.steps.clear();
        }
        if self.trail.is_overgrown() {
            self.trail.keep(self.frontier.iter_mut().map(|it| &mut it.trail));
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
                if !self.before.is_superfluous(place) {
                    self.expand(place as usize, returning)?;
                }
            }
            self.queues[level].clear();
            level += 1;
            if matches!(self.effort, Effort::Narrow(width) if self.after.items.len() >= width) {
                self.is_narrowed |= self.queues[level..].iter().any(|queue| !queue.is_empty());
                self.queues[level..].iter_mut().for_each(Vec::clear);
                break;
            }
        }
        self.look()
    }

    /// Adds a configuration where it belongs, after whatever only observes and can.
    fn reach(&mut self, mut configuration: Configuration<W>, returning: u32) -> Result<(), Limit> {
        let part = self.plan.part_of(returning);
        for at in 0..self.observers.len() {
            let observer = self.observers[at];
            if self.plan.part_of(observer) != part {
                continue;
            }
            let slot = self.plan.slot[observer as usize] as usize;
            if !configuration.done.contains(slot)
                && self.step(configuration.state, observer).is_some()
            {
                configuration.done.insert(slot);
                configuration.trail = self.trail.then(configuration.trail, observer);
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
        self.count(1 + self.observers.len() as u64)
    }

    /// Lets every open call take effect next that can.
    fn expand(&mut self, place: usize, returning: u32) -> Result<(), Limit> {
        self.trials += 1;
        let part = self.plan.part_of(returning);
        let here = self.before.items[place].clone();
        for at in 0..self.mutators.len() {
            let call = self.mutators[at];
            let slot = self.plan.slot[call as usize] as usize;
            if here.done.contains(slot) || self.plan.part_of(call) != part || self.is_tried(call) {
                continue;
            }
            if let Some(state) = self.step(here.state, call) {
                let trail = self.trail.then(here.trail, call);
                let mut then = Configuration { state, trail, ..here.clone() };
                then.done.insert(slot);
                self.reach(then, returning)?;
            }
        }
        let mut ways = std::mem::take(&mut self.ways);
        for at in 0..self.unknown.len() {
            let call = self.unknown[at];
            let slot = self.plan.slot[call as usize] as usize;
            if !here.spent.contains(slot) && self.plan.part_of(call) == part && !self.is_tried(call)
            {
                self.unknown_steps(here.state, call, &mut ways);
            }
        }
        for at in 0..ways.len() {
            let (call, state) = ways[at];
            if ways.iter().any(|other| other.1 == state && self.is_spared_by(call, other.0)) {
                continue;
            }
            let trail = self.trail.then(here.trail, call);
            let mut then = Configuration { state, trail, ..here.clone() };
            if self.effort != Effort::Lavish {
                then.spent.insert(self.plan.slot[call as usize] as usize);
            }
            self.reach(then, returning)?;
        }
        ways.clear();
        self.ways = ways;
        self.count((self.mutators.len() + self.unknown.len()) as u64)
    }

    /// Whether a call of its class was tried here already; now one is.
    fn is_tried(&mut self, call: u32) -> bool {
        let last = &mut self.tried[self.plan.class[call as usize] as usize];
        std::mem::replace(last, self.trials) == self.trials
    }

    fn step(&mut self, state: u32, call: u32) -> Option<u32> {
        let key = (state, self.plan.class[call as usize]);
        if let Some(&known) = self.steps.get(&key) {
            return known;
        }
        let operation = &self.calls[call as usize].operation;
        let next = self.object.step(self.states.get(state), operation);
        let next = next.map(|next| self.states.number(next, |state| self.object.heap_bytes(state)));
        if self.steps.len() >= REMEMBERED_MAX {
            self.steps.clear();
        }
        self.steps.insert(key, next);
        next
    }

    /// Whether an unknown call is better kept, as another does here what it would do and can do less
    /// elsewhere.
    fn is_spared_by(&self, call: u32, other: u32) -> bool {
        let [one, by] = [call, other].map(|it| &self.calls[it as usize].operation);
        call != other
            && self.object.is_as_able(one, by)
            && (call > other || !self.object.is_as_able(by, one))
    }

    /// Adds what may become of a state by an unknown call. What changes nothing need not be spent.
    fn unknown_steps(&mut self, state: u32, call: u32, ways: &mut Vec<(u32, u32)>) {
        let operation = &self.calls[call as usize].operation;
        let mut found = std::mem::take(&mut self.unknown_states);
        self.object.unknown_steps(self.states.get(state), operation, &mut |it| found.push(it));
        for it in found.drain(..) {
            let number = self.states.number(it, |state| self.object.heap_bytes(state));
            if number != state {
                ways.push((call, number));
            }
        }
        self.unknown_states = found;
    }

    fn count(&mut self, steps: u64) -> Result<(), Limit> {
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

    /// Whether everything still fits.
    fn look(&self) -> Result<(), Limit> {
        let frontier = self.frontier.capacity() * size_of::<Configuration<W>>();
        let queues: usize = self.queues.iter().map(Vec::capacity).sum();
        let step = size_of::<((u32, u32), Option<u32>)>() + 1;
        let bytes = self.before.bytes()
            + self.after.bytes()
            + frontier
            + queues * size_of::<u32>()
            + self.states.bytes()
            + self.trail.bytes()
            + self.steps.capacity() * 8 / 7 * step
            + self.plan.bytes();
        if bytes > self.budget.memory_limit_bytes { Err(Limit::Memory) } else { Ok(()) }
    }

    /// What the object may have held before the return that nothing survived.
    fn reached(&self) -> Vec<M::State> {
        let mut numbers: Vec<u32> = self.before.items.iter().map(|it| it.state).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().map(|number| self.states.get(number).clone()).collect()
    }
}
