//! Operations in words, and what the timeline knows of a micro-operation. A new function of the
//! vocabulary needs a line in each `match` here and nowhere else in this crate.

use perjury_history::{MicroOp, Operation, Outcome, Reading};

/// The operation in one line: `write 3 := 17`, `read 3 → 12`, `read 3` if it was not answered.
pub(crate) fn operation(operation: &Operation<'_>) -> String {
    let each: Vec<_> = operation.micro_ops.iter().map(micro_op).collect();
    each.join(", ")
}

fn micro_op(op: &MicroOp) -> String {
    let answer = |result: Option<Reading>| result.map_or(String::new(), |it| format!(" → {it}"));
    match *op {
        MicroOp::Read { key, result } => format!("read {key}{}", answer(result)),
        MicroOp::Inspect { key, result } => format!("inspect {key}{}", answer(result)),
        MicroOp::Write { key, value } => format!("write {key} := {value}"),
        MicroOp::Cas { key, old, new } => format!("cas {key}: {old} → {new}"),
    }
}

/// What the timeline's columns hold of a micro-operation besides function and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    /// What was written, or read; `None` where nothing was.
    pub(crate) value: Option<i64>,
    /// What a compare-and-set compared with.
    pub(crate) old: Option<i64>,
}

pub(crate) fn payload(op: &MicroOp) -> Payload {
    match *op {
        MicroOp::Read { result, .. } | MicroOp::Inspect { result, .. } => {
            Payload { value: result.and_then(Reading::value), old: None }
        }
        MicroOp::Write { value, .. } => Payload { value: Some(value), old: None },
        MicroOp::Cas { old, new, .. } => Payload { value: Some(new), old: Some(old) },
    }
}

/// The function that colours the whole operation: its only one, or `txn`.
pub(crate) fn function(operation: &Operation<'_>) -> &'static str {
    match operation.micro_ops {
        [first, rest @ ..] if rest.iter().all(|op| op.function() == first.function()) => {
            first.function()
        }
        _ => "txn",
    }
}

/// `ok`, `fail` or `info`.
pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Fail => "fail",
        Outcome::Info => "info",
    }
}

/// The outcome's number in the page's data.
pub(crate) fn outcome_number(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Ok => 0,
        Outcome::Fail => 1,
        Outcome::Info => 2,
    }
}

#[cfg(test)]
mod tests {
    use perjury_history::History;

    use super::*;

    #[test]
    fn operations_read_as_labels() {
        let history = History::parse_notation(
            "p0: w(3,17)-  r(3)=12-  r(3)=nil-  cas(3,1,2)-!  r(3)--?  i(3)=4@n2",
        )
        .expect("a good drawing");
        let shown: Vec<_> = history.iter().map(|it| operation(&it)).collect();
        assert_eq!(
            shown,
            [
                "write 3 := 17",
                "read 3 → 12",
                "read 3 → nil",
                "cas 3: 1 → 2",
                "read 3",
                "inspect 3 → 4"
            ]
        );
    }
}
