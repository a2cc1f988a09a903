//! A contradiction in words.

pub(crate) mod container;
pub(crate) mod register;

use perjury_history::{History, Key, Operation, OperationId, Outcome};

use super::object::{Call, SequentialObject};
use crate::wording::{count, event, list, role};
use crate::{Anomaly, AnomalyKind, Edge, Witness, WitnessOperation};

/// States told at most.
const STATES_MAX: usize = 5;

/// What is known of one object's contradiction.
pub(crate) struct Contradiction<'a, M: SequentialObject> {
    pub(crate) history: &'a History,
    pub(crate) object: &'a M,
    /// The key, unless the object spans all of them.
    pub(crate) key: Option<Key>,
    /// All operations on the object.
    pub(crate) operations: &'a [OperationId],
    /// Those that contradict each other by themselves.
    pub(crate) core: &'a [Call<M::Operation>],
    /// The one whose completion nothing explains; it is in the core.
    pub(crate) failing: &'a Call<M::Operation>,
    /// What the object may have held just before.
    pub(crate) states: &'a [M::State],
}

/// Why it is a contradiction: the sentence, parts for some operations, and the order that counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    pub(crate) though: String,
    pub(crate) roles: Vec<(OperationId, String)>,
    pub(crate) edges: Vec<Edge>,
}

impl Story {
    pub(crate) fn new(though: String) -> Self {
        Self { though, ..Self::default() }
    }
}

impl<M: SequentialObject> Contradiction<'_, M> {
    /// The anomaly, as the story has it.
    pub(crate) fn anomaly(&self, story: Option<Story>) -> Anomaly {
        let story = story.unwrap_or_else(|| self.no_order());
        let mut ids: Vec<OperationId> = self.core.iter().map(|call| call.id).collect();
        ids.extend(story.roles.iter().map(|(id, _)| *id));
        ids.sort_unstable();
        ids.dedup();
        let role = |id: OperationId| {
            let told = story.roles.iter().find(|(told, _)| *told == id);
            told.map_or_else(|| self.plain_role(id), |(_, role)| role.clone())
        };
        let operations =
            ids.into_iter().map(|id| WitnessOperation { operation: id, role: role(id) }).collect();
        let event = event(self.history, &self.history.get(self.failing.id));
        Anomaly {
            kind: AnomalyKind::Nonlinearizable,
            key: self.key,
            explanation: format!("{event}{}.", story.though),
            witness: Witness {
                operations,
                edges: story.edges,
                possibilities: self.possibilities(),
            },
        }
    }

    /// What the object may have held.
    fn no_order(&self) -> Story {
        if self.states.is_empty() {
            return Story::new(
                ", and no order of these operations explains all that they found".into(),
            );
        }
        let held = self.states.iter().take(STATES_MAX).map(|state| self.describe(state));
        let mut held: Vec<String> = held.collect();
        let more = self.states.len() - held.len();
        if more > 0 {
            held.push(format!("one of {more} other states"));
        }
        let object = match self.key {
            Some(key) => format!("key {}", self.history.names().show(key)),
            None => "the store".to_owned(),
        };
        Story::new(format!(
            ", but in every order of the earlier operations that explains their answers, {object} \
             then held {}",
            list(&held, "or"),
        ))
    }

    /// For each state that the object may have been in, why it could not go on from there.
    fn possibilities(&self) -> Vec<String> {
        let open = self.core.iter().filter(|call| {
            call.id != self.failing.id && call.returned.is_none()
                || call.returned > self.failing.returned
        });
        let open = open.count();
        let asked = self.words(&self.history.get(self.failing.id));
        let mut told: Vec<String> = Vec::new();
        for state in self.states.iter().take(STATES_MAX) {
            let held = self.describe(state);
            told.push(match self.object.step(state, &self.failing.operation) {
                None => format!("it held {held}: then the answer to `{asked}` is another"),
                // It can only be that the call had taken effect already, and something else had not.
                Some(next) => {
                    format!("it held {held}, and after `{asked}` {}", self.describe(&next))
                }
            });
        }
        let more = self.states.len() - told.len();
        if more > 0 {
            told.push(format!("{more} other states, none of which explains it either"));
        }
        if open > 0 {
            told.push(format!(
                "{} had not ended by then and may have taken effect or not; each choice leads to one \
                 of these",
                count(open as u64, "operation")
            ));
        }
        told
    }

    fn describe(&self, state: &M::State) -> String {
        self.object.describe(state, self.history.names())
    }

    pub(crate) fn words(&self, operation: &Operation<'_>) -> String {
        let names = self.history.names();
        let each = operation.micro_ops.iter().map(|it| crate::wording::answered(names, it));
        each.collect::<Vec<_>>().join(", ")
    }

    /// The operation as it stood at the contradiction: what was open then had not ended.
    pub(crate) fn ended(&self, call: &Call<M::Operation>) -> Operation<'_> {
        let operation = self.history.get(call.id);
        match call.returned {
            Some(_) => operation,
            None => Operation { outcome: Outcome::Info, completed: None, ..operation },
        }
    }

    pub(crate) fn plain_role(&self, id: OperationId) -> String {
        let operation = self.history.get(id);
        role(self.history.names(), &operation)
    }
}
