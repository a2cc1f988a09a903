//! What is wrong with a counter, in words, with the operations that prove it.

use std::collections::BTreeMap;

use perjury_history::{History, NodeId, OperationId, Value};

use super::one_counter::{Direction, Increment, OneCounter, Read};
use crate::final_state::{Held, by_value};
use crate::wording::{count, end_ns, list, nodes, seconds};
use crate::{Anomaly, AnomalyKind, Edge, Witness, WitnessOperation};

pub(super) struct Sentences<'a> {
    pub(super) history: &'a History,
    pub(super) counter: &'a OneCounter,
}

impl Sentences<'_> {
    pub(super) fn unexpected(&self, read: &Read) -> Anomaly {
        let (low, high) = self.counter.bounds(read);
        let value = i128::from(read.value);
        let why = match self.counter.direction {
            Direction::Up if value > high => format!("at most {high}"),
            Direction::Down if value < low => format!("at least {low}"),
            Direction::Mixed if value < low || value > high => format!("{low} to {high}"),
            _ => format!("a multiple of {}", self.counter.unit().unwrap_or(1)),
        };
        let explanation = format!(
            "{} found {value}, though all increments that were asked for by then make it {why}.",
            self.looked(read),
        );
        let asked = |it: &&Increment| it.invoked < read.completed;
        let mut operations = self.roles(self.counter.increments.iter().filter(asked));
        operations.push((read.operation, format!("found {value}")));
        self.anomaly(AnomalyKind::UnexpectedValue, explanation, operations, Vec::new())
    }

    pub(super) fn short(&self, read: &Read) -> Anomaly {
        let before = |it: &&Increment| it.acknowledged.is_some_and(|at| at < read.invoked);
        let acknowledged: Vec<&Increment> = self.counter.increments.iter().filter(before).collect();
        let (low, high) = self.counter.bounds(read);
        let least = match self.counter.direction {
            Direction::Down => format!("at most {high}"),
            _ => format!("at least {low}"),
        };
        let explanation = format!(
            "{} found {}, though {} had been acknowledged before the read began and make it {least}.",
            self.looked(read),
            read.value,
            count(acknowledged.len() as u64, "increment"),
        );
        // So many of them are proof enough.
        let mut sum = 0_i128;
        let enough = acknowledged.into_iter().take_while(|it| {
            let more = sum.abs() <= i128::from(read.value).abs();
            sum += i128::from(it.delta);
            more
        });
        let mut operations = self.roles(enough);
        operations.push((read.operation, format!("found {}", read.value)));
        self.anomaly(AnomalyKind::StaleRead, explanation, operations, Vec::new())
    }

    pub(super) fn went_back(&self, earlier: &Read, read: &Read) -> Anomaly {
        let before = self.history.get(earlier.operation);
        let explanation = format!(
            "{} found {}, though {} had found {} at {}, before the read began.",
            self.looked(read),
            read.value,
            before.process,
            earlier.value,
            seconds(end_ns(&before)),
        );
        let operations = vec![
            (earlier.operation, format!("found {}", earlier.value)),
            (read.operation, format!("went back to {}", read.value)),
        ];
        let reason = "ended before the other was asked".to_owned();
        let edge = Edge { from: earlier.operation, to: read.operation, reason };
        self.anomaly(AnomalyKind::StaleRead, explanation, operations, vec![edge])
    }

    pub(super) fn contradiction(&self, reads: &[Read]) -> Anomaly {
        let each: Vec<String> =
            reads.iter().map(|it| format!("{} found {}", self.looked(it), it.value)).collect();
        let from = reads.iter().map(|it| it.invoked).min().unwrap_or(0);
        let to = reads.iter().map(|it| it.completed).max().unwrap_or(u32::MAX);
        // What was acknowledged before is counted by all of them, and what began later by none.
        let between = self
            .counter
            .increments
            .iter()
            .filter(|it| it.invoked < to && it.acknowledged.is_none_or(|at| at > from));
        let before = self.counter.acknowledged().filter(|it| it.acknowledged < Some(from)).count();
        let explanation = format!(
            "No order of the increments explains what was read: {}, while {} had been \
             acknowledged before and {} were under way or came between.",
            list(&each, "and"),
            count(before as u64, "increment"),
            between.clone().count(),
        );
        let mut operations = self.roles(between);
        operations.extend(reads.iter().map(|it| (it.operation, format!("found {}", it.value))));
        self.anomaly(AnomalyKind::Nonlinearizable, explanation, operations, Vec::new())
    }

    pub(super) fn lost(&self, lost: u64, held: &BTreeMap<NodeId, Held<Value>>) -> Anomaly {
        let groups: Vec<String> = by_value(held)
            .into_iter()
            .map(|(value, on)| format!("{} stood at {value}", nodes(&on)))
            .collect();
        let acknowledged = self.counter.acknowledged().count() as u64;
        let sum: i128 = self.counter.acknowledged().map(|it| i128::from(it.delta)).sum();
        let explanation = format!(
            "At least {} to counter {} {} lost: {acknowledged} were acknowledged and make {sum}, yet \
             in the end {}.",
            count(lost, "acknowledged increment"),
            self.counter.key,
            if lost == 1 { "is" } else { "are" },
            groups.join(", "),
        );
        let mut operations = self.roles(self.counter.acknowledged());
        operations.extend(
            held.iter().map(|(node, it)| (it.operation, format!("{node} stood at {}", it.held))),
        );
        self.anomaly(AnomalyKind::LostWrite, explanation, operations, Vec::new())
    }

    fn roles<'b>(
        &self,
        increments: impl Iterator<Item = &'b Increment>,
    ) -> Vec<(OperationId, String)> {
        let role = |it: &Increment| match it.acknowledged {
            Some(_) => format!("added {}", it.delta),
            None => format!("added {}, or not", it.delta),
        };
        increments.map(|it| (it.operation, role(it))).collect()
    }

    /// `p7's read of counter 3 on n2 at 0.050 s`.
    fn looked(&self, read: &Read) -> String {
        let operation = self.history.get(read.operation);
        let what = match operation.single().is_some_and(|it| it.function() == "inspect-counter") {
            true => "inspection",
            false => "read",
        };
        let on = operation.served_by.map_or(String::new(), |node| format!(" on {node}"));
        let (key, at) = (self.counter.key, seconds(end_ns(&operation)));
        format!("{}'s {what} of counter {key}{on} at {at}", operation.process)
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
        Anomaly { kind, key: Some(self.counter.key), explanation, witness }
    }
}
