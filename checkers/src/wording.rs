//! How checkers speak of operations, times and lists, so that all sentences read alike.

use perjury_history::{Found, History, MicroOp, Names, NodeId, Operation, Outcome, Reading, Value};

/// A time of the run, as `14.203 s`.
pub(crate) fn seconds(time_ns: u64) -> String {
    let ms = time_ns / 1_000_000;
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

/// A length of time: `12 ms` or `3.250 s`.
pub(crate) fn duration(duration_ns: u64) -> String {
    match duration_ns / 1_000_000 {
        ms @ 0..1000 => format!("{ms} ms"),
        _ => seconds(duration_ns),
    }
}

/// `1 write`, `2 writes`.
pub(crate) fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(parts: &[String], word: &str) -> String {
    match parts {
        [] => "nothing".into(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

/// `n1 and n3`.
pub(crate) fn nodes(nodes: &[NodeId]) -> String {
    list(&nodes.iter().map(ToString::to_string).collect::<Vec<_>>(), "and")
}

/// The mutation as something that can be acknowledged: `write of 19`, `compare-and-set from 12 to 19`,
/// `add of 19`.
pub(crate) fn mutation(names: &Names, micro_op: &MicroOp) -> String {
    let show = |value| names.show(value);
    match *micro_op {
        MicroOp::Write { value, .. } => format!("write of {}", show(value)),
        MicroOp::Cas { old, new, .. } => {
            format!("compare-and-set from {} to {}", show(old), show(new))
        }
        MicroOp::Add { value, .. } => format!("add of {}", show(value)),
        MicroOp::Increment { delta, .. } => format!("increment by {delta}"),
        MicroOp::Acquire { token: Some(token), .. } => format!("acquisition with token {token}"),
        MicroOp::Acquire { token: None, .. } => "acquisition".to_owned(),
        MicroOp::Release { token, .. } => format!("release of token {token}"),
        MicroOp::Append { value, .. } => format!("append of {}", show(value)),
        MicroOp::Enqueue { value, .. } => format!("enqueue of {}", show(value)),
        MicroOp::Push { value, .. } => format!("push of {}", show(value)),
        MicroOp::Transfer { to, amount, .. } => format!("transfer of {amount} to {}", show(to)),
        MicroOp::Read { .. }
        | MicroOp::Inspect { .. }
        | MicroOp::ReadSet { .. }
        | MicroOp::InspectSet { .. }
        | MicroOp::ReadCounter { .. }
        | MicroOp::InspectCounter { .. }
        | MicroOp::ReadList { .. }
        | MicroOp::Dequeue { .. }
        | MicroOp::Pop { .. }
        | MicroOp::Lock { .. }
        | MicroOp::Unlock { .. }
        | MicroOp::Generate { .. } => micro_op.function().to_owned(),
    }
}

/// The only mutation of an operation, in words.
pub(crate) fn mutation_in(names: &Names, operation: &Operation<'_>) -> String {
    operation.single().map_or_else(|| "transaction".to_owned(), |it| mutation(names, it))
}

/// The mutation that wrote `value` within an operation, in words.
pub(crate) fn mutation_of(names: &Names, operation: &Operation<'_>, value: Value) -> String {
    let wrote = operation.micro_ops.iter().find(|it| it.written() == Some(value));
    wrote.map_or_else(|| format!("write of {value}"), |it| mutation(names, it))
}

/// What was asked and answered, as a line: `read x -> 12`.
pub(crate) fn answered(names: &Names, micro_op: &MicroOp) -> String {
    let key = names.show(micro_op.key());
    let mut line = format!("{} {key}", micro_op.function());
    if let MicroOp::Cas { old: other, .. } | MicroOp::Transfer { to: other, .. } = *micro_op {
        line += &format!(" {}", names.show(other));
    }
    if let Some(argument) = micro_op.argument() {
        line += &format!(" {}", names.show(argument));
    }
    match found(names, micro_op) {
        Some(found) => line + " -> " + &found,
        None => line,
    }
}

/// What came back, if it was answered.
fn found(names: &Names, micro_op: &MicroOp) -> Option<String> {
    let show = |value: Value| names.show(value).to_string();
    Some(match micro_op.answer()? {
        Found::Reading(reading) => reading.value().map_or_else(|| "nil".to_owned(), show),
        Found::Number(number) => show(number),
        Found::Set(held) => elements(names, held, ["{", "}"]),
        Found::List(held) => elements(names, held, ["[", "]"]),
    })
}

/// `{1, 2, 3}`; of many elements the first, the last and how many there are.
pub(crate) fn elements(names: &Names, elements: &[Value], [open, close]: [&str; 2]) -> String {
    const SHOWN_MAX: usize = 12;
    let show = |them: &[Value]| {
        them.iter().map(|it| names.show(*it).to_string()).collect::<Vec<_>>().join(", ")
    };
    match elements {
        few if few.len() <= SHOWN_MAX => format!("{open}{}{close}", show(few)),
        [first @ .., last] => format!(
            "{open}{}, ... {}{close} ({} elements)",
            show(&first[..SHOWN_MAX - 1]),
            names.show(*last),
            elements.len()
        ),
        [] => format!("{open}{close}"),
    }
}

/// What happened, as the beginning of a sentence: `p7 read 12 from key 3 on n2 at 14.203 s`.
pub(crate) fn event(history: &History, operation: &Operation<'_>) -> String {
    let names = history.names();
    let process = operation.process;
    let show = |value: Value| names.show(value).to_string();
    let what = match operation.single() {
        None => {
            let each = operation.micro_ops.iter().map(|it| answered(names, it));
            format!("{process}'s transaction [{}]", each.collect::<Vec<_>>().join(", "))
        }
        Some(micro_op) => {
            let key = format!("key {}", names.show(micro_op.key()));
            let answer = found(names, micro_op).unwrap_or_else(|| "something".to_owned());
            match *micro_op {
                MicroOp::Read { result: Some(Reading::Nil), .. }
                | MicroOp::Inspect { result: Some(Reading::Nil), .. }
                | MicroOp::Dequeue { result: Some(Reading::Nil), .. }
                | MicroOp::Pop { result: Some(Reading::Nil), .. } => {
                    format!("{process} found {key} empty")
                }
                MicroOp::Read { .. }
                | MicroOp::Inspect { .. }
                | MicroOp::ReadSet { .. }
                | MicroOp::InspectSet { .. }
                | MicroOp::ReadCounter { .. }
                | MicroOp::InspectCounter { .. }
                | MicroOp::ReadList { .. } => format!("{process} read {answer} from {key}"),
                MicroOp::Dequeue { .. } => format!("{process} dequeued {answer} from {key}"),
                MicroOp::Pop { .. } => format!("{process} popped {answer} from {key}"),
                MicroOp::Generate { .. } => format!("{process} was given {answer} by {key}"),
                MicroOp::Acquire { .. } => {
                    format!("{process} acquired {key} with token {answer}")
                }
                MicroOp::Write { value, .. } => format!("{process} wrote {} to {key}", show(value)),
                MicroOp::Add { value, .. } => format!("{process} added {} to {key}", show(value)),
                MicroOp::Append { value, .. } => {
                    format!("{process} appended {} to {key}", show(value))
                }
                MicroOp::Enqueue { value, .. } => {
                    format!("{process} enqueued {} in {key}", show(value))
                }
                MicroOp::Push { value, .. } => format!("{process} pushed {} on {key}", show(value)),
                MicroOp::Increment { delta, .. } => {
                    format!("{process} incremented {key} by {delta}")
                }
                MicroOp::Transfer { to, amount, .. } => {
                    format!("{process} transferred {amount} from {key} to key {}", show(to))
                }
                MicroOp::Lock { .. } => format!("{process} locked {key}"),
                MicroOp::Unlock { .. } => format!("{process} unlocked {key}"),
                MicroOp::Release { token, .. } => {
                    format!("{process} released {key} with token {token}")
                }
                MicroOp::Cas { old, new, .. } => {
                    let (old, new) = (show(old), show(new));
                    format!("{process}'s compare-and-set of {key} from {old} to {new} succeeded")
                }
            }
        }
    };
    let place = operation.served_by.map_or(String::new(), |node| format!(" on {node}"));
    format!("{what}{place} at {}", seconds(end_ns(operation)))
}

/// An operation's part in a story in which it has no particular one.
pub(crate) fn role(names: &Names, operation: &Operation<'_>) -> String {
    let unknown = operation.outcome == Outcome::Info;
    let told = match operation.single() {
        None => "took part".to_owned(),
        Some(&MicroOp::Write { value, .. }) => format!("wrote {}", names.show(value)),
        Some(&MicroOp::Cas { old, new, .. }) => {
            format!("replaced {} by {}", names.show(old), names.show(new))
        }
        Some(MicroOp::Read { result, .. } | MicroOp::Inspect { result, .. }) => {
            let value = result.and_then(Reading::value);
            format!(
                "read {}",
                value.map_or_else(|| "nil".to_owned(), |it| names.show(it).to_string())
            )
        }
        Some(micro_op) => match found(names, micro_op) {
            Some(found) => format!("{} brought {found}", micro_op.function()),
            None => mutation(names, micro_op),
        },
    };
    if unknown && operation.micro_ops.iter().any(MicroOp::is_mutation) {
        told + ", or not"
    } else {
        told
    }
}

/// ` by n1` if the node is known.
pub(crate) fn by(node: Option<NodeId>) -> String {
    node.map_or(String::new(), |node| format!(" by {node}"))
}

/// When an operation ended, or at least when it began.
pub(crate) fn end_ns(operation: &Operation<'_>) -> u64 {
    operation.completed_ns.unwrap_or(operation.invoked_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_lists_read_well() {
        assert_eq!(seconds(14_203_999_999), "14.203 s");
        assert_eq!(duration(7_000_000), "7 ms");
        assert_eq!(duration(2_500_000_000), "2.500 s");
        assert_eq!(nodes(&[NodeId(0), NodeId(1), NodeId(2)]), "n1, n2 and n3");
        assert_eq!(count(1, "write"), "1 write");
    }
}
