//! Operations in words, and what the timeline knows of a micro-operation. A new function of the
//! vocabulary needs a line here if it reads in a way of its own, and one in `labelOf` of
//! `assets/data.js`.

use perjury_history::{Found, MicroOp, Names, Operation, Outcome, Value};

use crate::format;

/// Characters of a name at most. Stores of texts have values of any length.
const NAME_MAX: usize = 40;
/// The same where there is little room.
const LABEL_NAME_MAX: usize = 22;
/// Characters of a label at most.
const LABEL_MAX: usize = 60;

/// A key or a value as people know it.
pub(crate) fn shown(names: &Names, number: Value) -> String {
    elided(names, number, NAME_MAX)
}

fn elided(names: &Names, number: Value, characters: usize) -> String {
    format::elided(&names.show(number).to_string(), characters)
}

/// The operation in one line: `write 3 := 17`, `read 3 → 12`, `read 3` if it was not answered.
pub(crate) fn operation(names: &Names, operation: &Operation<'_>) -> String {
    joined(names, operation, NAME_MAX)
}

/// The operation in a line where there is little room.
pub(crate) fn label(names: &Names, operation: &Operation<'_>) -> String {
    format::shortened(&joined(names, operation, LABEL_NAME_MAX), LABEL_MAX)
}

fn joined(names: &Names, operation: &Operation<'_>, characters: usize) -> String {
    let each = operation.micro_ops.iter().map(|it| micro_op(names, it, characters));
    each.collect::<Vec<_>>().join(", ")
}

fn micro_op(names: &Names, op: &MicroOp, characters: usize) -> String {
    let show = |value| elided(names, value, characters);
    let plain = format!("{} {}", op.function(), show(op.key()));
    match op {
        MicroOp::Write { value, .. } => format!("{plain} := {}", show(*value)),
        MicroOp::Cas { old, new, .. } => format!("{plain}: {} → {}", show(*old), show(*new)),
        MicroOp::Increment { delta, .. } => format!("{plain}: {delta:+}"),
        MicroOp::Release { token, .. } => format!("{plain}: {token}"),
        MicroOp::Transfer { to, amount, .. } => format!("{plain} → {}: {amount}", show(*to)),
        other => match (other.argument(), other.answer()) {
            (Some(argument), _) => format!("{plain}: {}", show(argument)),
            (None, Some(found)) => {
                let found = match found {
                    Found::Reading(it) => it.value().map_or_else(|| "nil".to_owned(), show),
                    Found::Number(it) => show(it),
                    Found::Set(held) | Found::List(held) => elements(held.len()),
                };
                format!("{plain} → {found}")
            }
            (None, None) => plain,
        },
    }
}

/// A set may be long: the timeline says how many there were, and an anomaly which of them matter.
fn elements(count: usize) -> String {
    format!("{count} element{}", if count == 1 { "" } else { "s" })
}

/// What the timeline's columns hold of a micro-operation besides function and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    /// What was brought along, or read: of a set how many elements; `None` where nothing was.
    pub(crate) value: Option<i64>,
    /// What a compare-and-set compared with, or the account that a transfer goes to.
    pub(crate) old: Option<i64>,
}

pub(crate) fn payload(op: &MicroOp) -> Payload {
    let found = |found| match found {
        Found::Reading(reading) => reading.value(),
        Found::Number(number) => Some(number),
        Found::Set(held) | Found::List(held) => Some(held.len() as i64),
    };
    let value = op.argument().or_else(|| op.answer().and_then(found));
    let old = match *op {
        MicroOp::Cas { old, .. } => Some(old),
        MicroOp::Transfer { to, .. } => Some(to),
        _ => None,
    };
    Payload { value, old }
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

/// The colour's name in the style sheet; `HUES` of `assets/data.js` says the same.
pub(crate) fn hue(operation: &Operation<'_>) -> &'static str {
    match function(operation) {
        "write" | "add" | "increment" | "acquire" | "append" | "enqueue" | "push" | "lock" => {
            "write"
        }
        "read" | "read-set" | "read-counter" | "read-list" | "dequeue" | "pop" => "read",
        "cas" | "release" | "unlock" | "generate" | "transfer" => "cas",
        "inspect" | "inspect-set" | "inspect-counter" => "inspect",
        _ => "other",
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
    use perjury_history::{History, Reading};

    use super::*;

    #[test]
    fn operations_read_as_labels() {
        let history = History::parse_notation(
            "p0: w(3,17)-  r(3)=12-  r(3)=nil-  cas(3,1,2)-!  r(3)--?  i(3)=4@n2 \
                 add(3,17)  rs(3)={1,2}  is(3)={5}  rs(3)? \
                 inc(3,5)  inc(3,-5)  rc(3)=0  ic(3)!  acq(3)=7  acq(3)!  rel(3,7)  move(3,4,5)",
        )
        .expect("a good drawing");
        let shown: Vec<_> = history.iter().map(|it| operation(history.names(), &it)).collect();
        assert_eq!(
            shown,
            [
                "write 3 := 17",
                "read 3 → 12",
                "read 3 → nil",
                "cas 3: 1 → 2",
                "read 3",
                "inspect 3 → 4",
                "add 3: 17",
                "read-set 3 → 2 elements",
                "inspect-set 3 → 1 element",
                "read-set 3",
                "increment 3: +5",
                "increment 3: -5",
                "read-counter 3 → 0",
                "inspect-counter 3",
                "acquire 3 → 7",
                "acquire 3",
                "release 3: 7",
                "transfer 3 → 4: 5",
            ]
        );
    }

    #[test]
    fn names_are_shown_and_long_ones_keep_their_ends() {
        let mut names = Names::default();
        let long = format!("first{}last", "·".repeat(500));
        let (key, value, empty) = (names.number("\"9\""), names.number(&long), names.number(""));
        let append = micro_op(&names, &MicroOp::Append { key, value }, NAME_MAX);
        assert!(append.starts_with("append \"9\": first·"), "{append}");
        assert!(append.ends_with("·last") && append.chars().count() < 60, "{append}");
        let read = MicroOp::Read { key, result: Some(Reading::Value(empty)) };
        assert_eq!(micro_op(&names, &read, NAME_MAX), "read \"9\" → \"\"");
    }
}
