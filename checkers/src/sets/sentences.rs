//! What is wrong with a set, in words, with the operations that prove it.

use std::collections::BTreeMap;

use perjury_history::{Elements, History, NodeId, Operation, OperationId, Value};

use super::one_set::{Element, OneSet, Unexpected, Why};
use super::reads::{Contradiction, Stale};
use crate::final_state::Held;
use crate::wording::{by, end_ns, nodes, seconds};
use crate::{Anomaly, AnomalyKind, Edge, Witness, WitnessOperation};

pub(super) struct Sentences<'a> {
    pub(super) history: &'a History,
    pub(super) set: &'a OneSet<'a>,
}

impl Sentences<'_> {
    pub(super) fn lost(
        &self,
        element: &Element,
        held: &BTreeMap<NodeId, Held<Elements>>,
    ) -> Anomaly {
        let add = self.history.get(element.add);
        let looked: Vec<NodeId> = held.keys().copied().collect();
        let mut operations = vec![(element.add, "the acknowledged add".to_owned())];
        let shows = self.set.reads.iter().find(|read| {
            let found = |position: &u32| self.set.elements[*position as usize].add == element.add;
            read.elements.iter().any(found)
        });
        let mut seen = String::new();
        if let Some(read) = shows {
            let read = self.history.get(read.operation);
            seen = format!("; {} had read it at {}", read.process, seconds(end_ns(&read)));
            operations.push((read.id, format!("read {}", element.value)));
        }
        operations
            .extend(held.iter().map(|(node, it)| (it.operation, format!("{node} was without it"))));
        let explanation = format!(
            "{} to set {} was acknowledged{} at {} and is gone: in the end {} held the set without \
             it{seen}.",
            self.add(element),
            self.set.key,
            by(add.served_by),
            seconds(end_ns(&add)),
            nodes(&looked),
        );
        self.anomaly(AnomalyKind::LostWrite, explanation, operations, Vec::new())
    }

    pub(super) fn unexpected(&self, unexpected: &Unexpected) -> Anomaly {
        let Unexpected { value, look, why, .. } = *unexpected;
        let mut operations = vec![(look, format!("found {value}"))];
        let mut edges = Vec::new();
        let reason = match why {
            Why::NobodyAdded => "an element that nobody added".to_owned(),
            Why::AddFailed(failed) => {
                let add = self.history.get(failed);
                operations.push((failed, format!("added {value}, and failed")));
                let error = add.error.map_or(String::new(), |error| format!(" ({error})"));
                format!(
                    "though {}'s add of it had failed at {}{error}",
                    add.process,
                    seconds(end_ns(&add))
                )
            }
            Why::AddedLater(later) => {
                let add = self.history.get(later);
                operations.push((later, format!("added {value} afterwards")));
                let reason = "ended before the other was asked".to_owned();
                edges.push(Edge { from: look, to: later, reason });
                format!(
                    "though it was added only afterwards, by {} at {}",
                    add.process,
                    seconds(add.invoked_ns)
                )
            }
        };
        let explanation = format!("{} found {value}, {reason}.", self.looked(look));
        self.anomaly(AnomalyKind::UnexpectedValue, explanation, operations, edges)
    }

    pub(super) fn duplicate(&self, (value, look): (Value, OperationId)) -> Anomaly {
        let explanation = format!("{} found {value} more than once.", self.looked(look));
        let operations = vec![(look, format!("found {value} more than once"))];
        self.anomaly(AnomalyKind::DuplicateElement, explanation, operations, Vec::new())
    }

    pub(super) fn stale(&self, stale: &Stale<'_>) -> Anomaly {
        let (value, read) = (stale.missing.value, self.history.get(stale.read));
        let known = self.history.get(stale.missing.known.expect("it was missed").by);
        let (why, role) = match known.id == stale.missing.add {
            true => (
                format!(
                    "{} had been acknowledged{} at {}",
                    self.add(stale.missing),
                    by(known.served_by),
                    seconds(end_ns(&known))
                ),
                format!("added {value}, before the read began"),
            ),
            false => (
                format!("{} had read it at {}", known.process, seconds(end_ns(&known))),
                format!("read {value}, before the other read began"),
            ),
        };
        let more = match stale.more {
            0 => String::new(),
            1 => " Another element was missing, too.".to_owned(),
            more => format!(" {more} other elements were missing, too."),
        };
        let explanation = format!(
            "{} did not find {value}, though {why}, before the read began.{more}",
            self.looked(stale.read)
        );
        let mut operations = vec![(known.id, role), (read.id, format!("lacked {value}"))];
        if known.id != stale.missing.add {
            operations.push((stale.missing.add, format!("added {value}")));
        }
        let reason = "ended before the other was asked".to_owned();
        let edge = Edge { from: known.id, to: read.id, reason };
        self.anomaly(AnomalyKind::StaleRead, explanation, operations, vec![edge])
    }

    pub(super) fn contradiction(&self, contradiction: &Contradiction<'_>) -> Anomaly {
        let (explanation, operations) = match *contradiction {
            Contradiction::Apart { one, other } => {
                let (mine, theirs) = (one.1.value, other.1.value);
                let explanation = format!(
                    "{} found {mine} without {theirs}, and {} found {theirs} without {mine}: \
                     whichever was added first, one of them missed it.",
                    self.looked(one.0),
                    self.looked(other.0),
                );
                let operations = vec![
                    (one.0, format!("found {mine} without {theirs}")),
                    (other.0, format!("found {theirs} without {mine}")),
                    (one.1.add, format!("added {mine}")),
                    (other.1.add, format!("added {theirs}")),
                ];
                (explanation, operations)
            }
            Contradiction::OutOfOrder { read, first, second } => {
                let (add, later) = (self.history.get(first.add), self.history.get(second.add));
                let (one, other) = (first.value, second.value);
                let explanation = format!(
                    "{} found {other} without {one}, though {} had been acknowledged{} at {}, before \
                     {} asked for the add of {other} at {}.",
                    self.looked(read),
                    self.add(first),
                    by(add.served_by),
                    seconds(end_ns(&add)),
                    later.process,
                    seconds(later.invoked_ns),
                );
                let operations = vec![
                    (read, format!("found {other} without {one}")),
                    (first.add, format!("added {one} first")),
                    (second.add, format!("added {other} later")),
                ];
                (explanation, operations)
            }
        };
        self.anomaly(AnomalyKind::Nonlinearizable, explanation, operations, Vec::new())
    }

    /// When a known element became known.
    pub(super) fn known_ns(&self, element: &Element) -> u64 {
        element.known.map_or(0, |known| end_ns(&self.history.get(known.by)))
    }

    /// `p2's add of 17`.
    fn add(&self, element: &Element) -> String {
        format!("{}'s add of {}", self.history.get(element.add).process, element.value)
    }

    /// `p7's read of set 3 on n2 at 0.050 s`.
    fn looked(&self, look: OperationId) -> String {
        let operation = self.history.get(look);
        let Operation { process, served_by, .. } = operation;
        let what = match operation.single().is_some_and(|it| it.function() == "inspect-set") {
            true => "inspection",
            false => "read",
        };
        let on = served_by.map_or(String::new(), |node| format!(" on {node}"));
        let (key, at) = (self.set.key, seconds(end_ns(&operation)));
        format!("{process}'s {what} of set {key}{on} at {at}")
    }

    fn anomaly(
        &self,
        kind: AnomalyKind,
        explanation: String,
        operations: Vec<(OperationId, String)>,
        edges: Vec<Edge>,
    ) -> Anomaly {
        let mut operations: Vec<WitnessOperation> = operations
            .into_iter()
            .map(|(operation, role)| WitnessOperation { operation, role })
            .collect();
        operations.sort_by_key(|it| it.operation);
        let witness = Witness::of(operations, edges);
        Anomaly { kind, key: Some(self.set.key), explanation, witness }
    }
}
