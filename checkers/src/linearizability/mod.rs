//! Linearizability: every operation takes effect at one instant between its invocation and its
//! completion (Herlihy & Wing 1990).
//!
//! ```text
//! p0: w(x,1)--   w(x,2)--
//! p1:                       r(x)=1--      the read began after the write of 2 had ended
//! ```
//!
//! What an object does when its operations come one after another is a [`SequentialObject`]; the
//! usual ones are in `objects`, and yours are as good. A key at a time, for a history is
//! linearizable if and only if each object's part of it is (locality), unless the object spans all
//! keys. The way of each part:
//!
//! 1. It is *reduced* to the operations that matter ([`SequentialObject::reduce`]).
//! 2. Where values can be told apart a near-linear *decider* (`deciders`) may have the answer.
//! 3. Else an order that explains everything is *searched* for (`search`): just-in-time
//!    linearization (Lowe, *Testing for linearizability*, 2017) after Wing & Gong (1993).
//! 4. The answer is *verified* by a program that shares nothing with those that found it
//!    (`verify`); a contradiction only as far as some steps go.
//! 5. A contradiction is reduced by steps that keep it one (`shrink`) and put into words (`explain`).
//!
//! A failed operation did not happen; one of unknown outcome may take effect at any time after its
//! invocation, or never. That a failed compare-and-set found another value is not believed.
//! Inspections are not clients' reads and do not count. Values may repeat.
//!
//! Cost: O(n log n) by a decider. By the search, with at most `p` operations open at a time and `u`
//! classes of unknown ones, up to `p * 2^p * n^u` configurations for every completion; in practice a
//! handful. Deciding linearizability is NP-complete (Gibbons & Korach 1997).
//!
//! Incomplete: where a search reaches a bound of the [`Context`], the key is unknown. So is a key
//! that operations touch which are none of the object's.
//!
//! A pass does not prove that the store is linearizable: only that this history is. Nor does it
//! speak of operations on several keys, unless the object spans them.

mod certificate;
mod deciders;
mod explain;
mod keys;
mod object;
mod objects;
mod search;
mod shrink;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::BTreeMap;

use perjury_history::History;

pub use self::certificate::{Certificate, CoreOperation, Evidence};
use self::explain::{Contradiction, Story};
use self::keys::{Finding, Part};
pub use self::object::{Call, Decision, SequentialObject, Unfit};
pub use self::objects::bag::{Bag, BagContents};
pub use self::objects::container::ContainerOperation;
pub use self::objects::counter::{Counter, CounterOperation};
pub use self::objects::fenced_lock::{Fence, FencedLock, FencedLockOperation};
pub use self::objects::id_generator::IdGenerator;
pub use self::objects::key_value::{KeyValue, KeyValueOperation};
pub use self::objects::kind::{Judge, ObjectKind, ObjectSettings};
pub use self::objects::multi_register::MultiRegister;
pub use self::objects::mutex::{LockOperation, Mutex};
pub use self::objects::queue::Queue;
pub use self::objects::reentrant_mutex::{Held, ReentrantMutex};
pub use self::objects::register::{Register, RegisterOperation};
pub use self::objects::semaphore::Semaphore;
pub use self::objects::set::{Set, SetOperation};
pub use self::objects::stack::Stack;
pub use self::objects::together::Together;
use self::search::Limit;
use self::verify::Unconfirmed;
use crate::wording::count;
use crate::{Anomaly, Checker, Context, Judgement, Model, Verdict};

/// Anomalies listed at most; the measures have the full count.
const LISTED_MAX: usize = 100;

/// Steps for making all witnesses of a history smaller.
const SHRINK_STEPS_ALL: u64 = 50_000_000;

type Tell<M> = fn(&Contradiction<'_, M>) -> Option<Story>;

/// Decides [`Model::Linearizable`] for one kind of object; see the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct Linearizability<M: SequentialObject = Register> {
    object: M,
    /// Better stories of contradictions than that nothing could come next.
    story: Tell<M>,
}

impl Linearizability {
    /// Of registers that are empty at first.
    pub fn of_registers() -> Self {
        Self::of_register(Register::default())
    }

    /// Of registers like this one.
    pub fn of_register(register: Register) -> Self {
        Self { object: register, story: explain::register::story }
    }
}

impl Linearizability<Queue> {
    /// Of first-in-first-out queues.
    pub fn of_queues() -> Self {
        Self { object: Queue, story: explain::container::of_queue }
    }
}

impl Linearizability<Bag> {
    /// Of bags.
    pub fn of_bags() -> Self {
        Self { object: Bag, story: explain::container::of_bag }
    }
}

impl Linearizability<Stack> {
    /// Of stacks.
    pub fn of_stacks() -> Self {
        Self { object: Stack, story: explain::container::of_stack }
    }
}

impl<M: SequentialObject> Linearizability<M> {
    /// Of any object.
    pub fn of(object: M) -> Self {
        Self { object, story: |_| None }
    }
}

impl<M: SequentialObject> Checker for Linearizability<M> {
    fn name(&self) -> &'static str {
        "linearizability"
    }

    fn models(&self) -> &'static [Model] {
        &[Model::Linearizable]
    }

    fn check(&self, history: &History, context: &Context<'_>) -> Verdict {
        let mut report = Report {
            linearizability: self,
            history,
            context,
            shrink_steps_left: SHRINK_STEPS_ALL,
            anomalies: Vec::new(),
            unknown: Vec::new(),
            measures: MEASURES.map(|name| (name.to_owned(), 0)).into(),
        };
        let parts = Part::all(&self.object, history);
        let found = keys::decide(&self.object, history, &parts, context);
        for (part, finding) in parts.iter().zip(found) {
            report.add(part, finding);
        }
        report.finish()
    }
}

const MEASURES: [&str; 7] = [
    "keys_decided",
    "keys_decided_by_search",
    "keys_decided_without_search",
    "keys_unknown",
    "nonlinearizable_keys",
    "operations",
    "search_steps",
];

/// Steps for replaying one contradiction before it is told. One that takes longer is told all the
/// same: a violation is not to be lost over it.
const REPLAY_STEPS: u64 = 200_000;

fn refused(problem: &str) -> String {
    format!(
        "the verifier refuses what was found ({problem}): this is a defect of Perjury, please report \
         it with the history"
    )
}

/// What has been found so far.
struct Report<'a, M: SequentialObject> {
    linearizability: &'a Linearizability<M>,
    history: &'a History,
    context: &'a Context<'a>,
    shrink_steps_left: u64,
    anomalies: Vec<Anomaly>,
    /// Why keys are not decided.
    unknown: Vec<String>,
    measures: BTreeMap<String, u64>,
}

impl<M: SequentialObject> Report<'_, M> {
    fn add(&mut self, part: &Part, finding: Finding<M>) {
        self.count("operations", finding.operations as u64);
        self.count("search_steps", finding.search_steps);
        let judgement = match finding.answer {
            keys::Answer::Nothing => return,
            keys::Answer::Unfit(reason) => Err(reason),
            keys::Answer::Exhausted { limit, proved, unknown } => {
                Err(self.exhausted(limit, proved, finding.returned, unknown))
            }
            keys::Answer::Refused(problem) => Err(refused(&problem)),
            keys::Answer::Linearizable(_) => Ok(()),
            keys::Answer::Contradiction { position, states, evidence } => {
                self.contradiction(part, position, &states, evidence)
            }
        };
        match judgement {
            Err(reason) => {
                self.count("keys_unknown", 1);
                self.unknown.push(format!("{}: {reason}", part.name(self.history)));
            }
            Ok(()) => {
                self.count("keys_decided", 1);
                let searched = finding.search_steps > 0;
                self.count(
                    if searched { "keys_decided_by_search" } else { "keys_decided_without_search" },
                    1,
                );
            }
        }
    }

    fn contradiction(
        &mut self,
        part: &Part,
        position: u32,
        states: &[M::State],
        evidence: Vec<Call<M::Operation>>,
    ) -> Result<(), String> {
        let Linearizability { object, story } = self.linearizability;
        let core =
            keys::core(object, self.context, evidence, position, &mut self.shrink_steps_left);
        if verify::contradiction(object, &core, REPLAY_STEPS) == Err(Unconfirmed::Refuted) {
            return Err(refused("there is an order of these operations"));
        }
        self.count("nonlinearizable_keys", 1);
        let failing = core.iter().find(|call| call.returned == Some(position));
        let failing = failing.expect("what cannot be explained is part of every explanation");
        let Self { history, .. } = *self;
        let (key, operations) = (part.key(), part.operations());
        let contradiction =
            Contradiction { history, object, key, operations, core: &core, failing, states };
        // A story begins with what the failing operation found, which must be known to be wrong.
        let told = if states.is_empty() { None } else { story(&contradiction) };
        self.anomalies.push(contradiction.anomaly(told));
        Ok(())
    }

    fn exhausted(&self, limit: Limit, proved: usize, returned: usize, unknown: usize) -> String {
        let reached = match limit {
            Limit::Steps => format!("the limit of {} steps", self.context.step_limit),
            Limit::Memory => {
                format!("the limit of {} MiB", self.context.memory_limit_bytes >> 20)
            }
            Limit::Time => "the time limit".to_owned(),
        };
        format!(
            "the search reached {reached}; the first {proved} of {} were proved linearizable, {} of \
             unknown outcome {} open there; use more keys with fewer operations each, a lower \
             concurrency or a higher limit",
            count(returned as u64, "completed operation"),
            count(unknown as u64, "operation"),
            if unknown == 1 { "was" } else { "were" },
        )
    }

    fn count(&mut self, measure: &str, number: u64) {
        *self.measures.entry(measure.to_owned()).or_default() += number;
    }

    fn finish(mut self) -> Verdict {
        self.anomalies.sort_by_key(|it| (it.witness.operations.len(), it.key));
        self.anomalies.truncate(LISTED_MAX);
        let judgement = match self.unknown.as_slice() {
            _ if !self.anomalies.is_empty() => Judgement::Invalid,
            [] if self.measures["operations"] == 0 => {
                let name = self.linearizability.object.name();
                Judgement::Unknown(format!("no operation on a {name} took effect"))
            }
            [] => Judgement::Valid,
            [only] => Judgement::Unknown(only.clone()),
            [first, others @ ..] => {
                let others = count(others.len() as u64, "more key");
                Judgement::Unknown(format!("{first} (and {others})"))
            }
        };
        Verdict {
            models: BTreeMap::from([(Model::Linearizable, judgement)]),
            anomalies: self.anomalies,
            measures: self.measures,
        }
    }
}
