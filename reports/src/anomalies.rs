//! The anomalies as the page shows them: grouped by kind, each with its diagram and its table.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use perjury_checkers::{Analysis, Anomaly, AnomalyKind, Witness, WitnessOperation};
use perjury_history::{History, Operation, OperationId, Outcome};
use serde::Serialize;

use crate::diagram::{self, Scene};
use crate::{ReportError, format, operation_text, sentence};

/// Anomalies of a kind that get a diagram and a table.
const DRAWN_MAX: usize = 6;
/// Anomalies of a kind beyond those that are at least told.
const TOLD_MAX: usize = 40;
/// Rows of a table.
const ROWS_MAX: usize = 100;

/// The anomalies of one kind.
#[derive(Serialize)]
pub(crate) struct Group {
    id: &'static str,
    title: &'static str,
    kind: &'static str,
    rules_out: &'static str,
    count: String,
    cards: Vec<Card>,
    /// Sentences of those that are not drawn.
    told: Vec<String>,
    /// How many are not drawn, if any.
    undrawn: Option<String>,
    /// How many are not even told, if any.
    untold: Option<String>,
}

#[derive(Serialize)]
struct Card {
    /// Counted over all kinds, from 1.
    number: usize,
    open: bool,
    explanation: String,
    diagram: String,
    reasons: Vec<String>,
    /// What else might have been, each with why it was not.
    possibilities: Vec<String>,
    rows: Vec<Row>,
    /// What the diagram or the table leaves out.
    left_out: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    index: u32,
    operation: String,
    process: String,
    node: String,
    invoked: String,
    completed: String,
    took: String,
    version: String,
    outcome: &'static str,
    error: String,
    role: String,
}

/// A drawn anomaly for the timeline's scripts.
#[derive(Serialize)]
pub(crate) struct Jump {
    pub(crate) number: usize,
    pub(crate) kind: &'static str,
    pub(crate) operations: Vec<u32>,
    /// From the first invocation to the last completion.
    pub(crate) from_us: u64,
    pub(crate) to_us: u64,
}

/// Everything that is drawn, in the page's order.
pub(crate) struct Anomalies {
    pub(crate) groups: Vec<Group>,
    pub(crate) jumps: Vec<Jump>,
}

/// So many operations of a witness, in its order: those that the reasons name and, as far as there is
/// room, the last, for it is in the end that a contradiction shows.
pub(crate) fn most_telling(witness: &Witness, most: usize) -> Vec<&WitnessOperation> {
    let parts = &witness.operations;
    let named: BTreeSet<OperationId> =
        witness.edges.iter().flat_map(|edge| [edge.from, edge.to]).collect();
    let mut chosen: Vec<usize> = (0..parts.len()).collect();
    chosen.sort_by_key(|&at| (!named.contains(&parts[at].operation), Reverse(at)));
    chosen.truncate(most);
    chosen.sort_unstable();
    chosen.into_iter().map(|at| &parts[at]).collect()
}

/// Every operation that the analysis names is of the history, or it belongs to another.
pub(crate) fn check(history: &History, analysis: &Analysis) -> Result<(), ReportError> {
    let witnesses = analysis.anomalies().map(|anomaly| &anomaly.witness);
    let in_witnesses = witnesses.flat_map(|witness| &witness.operations).map(|it| it.operation);
    let in_leaderships = analysis.leaderships.iter().flat_map(|it| [it.first, it.last]);
    let operations = history.len();
    match in_witnesses.chain(in_leaderships).find(|id| id.0 as usize >= operations) {
        Some(operation) => Err(ReportError::ForeignAnalysis { operation, operations }),
        None => Ok(()),
    }
}

/// Groups and draws.
pub(crate) fn of(scene: &Scene<'_>, analysis: &Analysis) -> Anomalies {
    let mut jumps = Vec::new();
    let mut groups = Vec::new();
    for (kind, anomalies) in sentence::by_kind(analysis) {
        let drawn = &anomalies[..anomalies.len().min(DRAWN_MAX)];
        let mut cards = Vec::new();
        for anomaly in drawn {
            let number = jumps.len() + 1;
            jumps.push(jump(scene.history, anomaly, number));
            cards.push(card(scene, anomaly, number, cards.is_empty()));
        }
        let all = sentence::full_count(analysis, kind, anomalies.len());
        groups.push(group(kind, &anomalies, cards, all));
    }
    Anomalies { groups, jumps }
}

fn group(kind: AnomalyKind, anomalies: &[&Anomaly], cards: Vec<Card>, all: u64) -> Group {
    let told: Vec<_> = anomalies
        .iter()
        .skip(cards.len())
        .take(TOLD_MAX)
        .map(|anomaly| anomaly.explanation.clone())
        .collect();
    let undrawn = all - cards.len() as u64;
    let untold = undrawn - told.len() as u64;
    let some = |number: u64| (number > 0).then(|| format::count(number));
    Group {
        id: kind.name(),
        title: sentence::title(kind),
        kind: kind.name(),
        rules_out: kind.rules_out().name(),
        count: format::count(all),
        cards,
        told,
        undrawn: some(undrawn),
        untold: some(untold),
    }
}

fn card(scene: &Scene<'_>, anomaly: &Anomaly, number: usize, open: bool) -> Card {
    let operations = &anomaly.witness.operations;
    let mut left_out = Vec::new();
    let mut leave_out = |kept: usize, what: &str| {
        if operations.len() > kept {
            let (kept, all) = (format::count(kept as u64), format::count(operations.len() as u64));
            let which = match anomaly.witness.edges.is_empty() {
                true => "the last",
                false => "those that the reasons name, and the last",
            };
            left_out.push(format!("The {what} shows {kept} of {all} operations: {which}."));
        }
    };
    leave_out(diagram::DRAWN_MAX, "diagram");
    leave_out(ROWS_MAX, "table");
    let rows = most_telling(&anomaly.witness, ROWS_MAX).into_iter();
    Card {
        number,
        open,
        explanation: anomaly.explanation.clone(),
        diagram: diagram::draw(scene, anomaly, number),
        reasons: reasons(scene.history, anomaly),
        possibilities: anomaly.witness.possibilities.clone(),
        rows: rows.map(|it| row(scene.history, it)).collect(),
        left_out,
    }
}

/// The edges in words, numbered as in the diagram.
fn reasons(history: &History, anomaly: &Anomaly) -> Vec<String> {
    let name = |id: OperationId| match (id.0 as usize) < history.len() {
        true => format!("{} ({id})", operation_text::operation(history.names(), &history.get(id))),
        false => id.to_string(),
    };
    let edges = anomaly.witness.edges.iter().take(ROWS_MAX);
    edges.map(|it| format!("{} before {}: {}", name(it.from), name(it.to), it.reason)).collect()
}

fn row(history: &History, part: &WitnessOperation) -> Row {
    let operation = history.get(part.operation);
    let shown =
        |node: Option<_>| node.map_or(String::new(), |it: perjury_history::NodeId| it.to_string());
    let node = match (operation.node, operation.served_by) {
        (Some(asked), Some(served)) if asked != served => format!("{served} (asked {asked})"),
        (asked, served) => shown(served.or(asked)),
    };
    Row {
        index: operation.id.0,
        operation: operation_text::operation(history.names(), &operation),
        process: operation.process.to_string(),
        node,
        invoked: format::moment(operation.invoked_ns),
        completed: operation.completed_ns.map_or("never".into(), format::moment),
        took: operation
            .completed_ns
            .map_or(String::new(), |at| format::duration(at - operation.invoked_ns)),
        version: operation.version.map_or(String::new(), |it| it.to_string()),
        outcome: operation_text::outcome(operation.outcome),
        error: operation.error.unwrap_or_default().to_owned(),
        role: part.role.clone(),
    }
}

fn jump(history: &History, anomaly: &Anomaly, number: usize) -> Jump {
    let each = || anomaly.witness.operations.iter().map(|it| history.get(it.operation));
    // Where an unknown operation's client gave up says little of when it mattered.
    let end_ns = |it: Operation<'_>| match it.outcome {
        Outcome::Info => it.invoked_ns,
        _ => it.completed_ns.unwrap_or(it.invoked_ns),
    };
    Jump {
        number,
        kind: anomaly.kind.name(),
        operations: anomaly.witness.operations.iter().map(|it| it.operation.0).collect(),
        from_us: each().map(|it| it.invoked_ns).min().unwrap_or(0) / 1_000,
        to_us: each().map(end_ns).max().unwrap_or(0) / 1_000,
    }
}

#[cfg(test)]
mod tests {
    use perjury_checkers::Edge;

    use super::*;

    #[test]
    fn of_a_long_witness_the_named_and_the_last_are_shown() {
        let part = |id| WitnessOperation { operation: OperationId(id), role: String::new() };
        let edge =
            Edge { from: OperationId(3), to: OperationId(99), reason: "it is known".to_owned() };
        let witness = Witness {
            operations: (0..100).map(part).collect(),
            edges: vec![edge],
            ..Witness::default()
        };
        let shown = |most| {
            let chosen = most_telling(&witness, most).into_iter();
            chosen.map(|it| it.operation.0).collect::<Vec<_>>()
        };
        assert_eq!(shown(4), [3, 97, 98, 99]);
        assert_eq!(shown(100), (0..100).collect::<Vec<_>>());
    }
}
