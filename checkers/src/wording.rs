//! How checkers speak of operations, times and lists, so that all sentences read alike.

use perjury_history::{MicroOp, NodeId, Operation, Value};

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
pub(crate) fn mutation(micro_op: &MicroOp) -> String {
    match *micro_op {
        MicroOp::Write { value, .. } => format!("write of {value}"),
        MicroOp::Cas { old, new, .. } => format!("compare-and-set from {old} to {new}"),
        MicroOp::Add { value, .. } => format!("add of {value}"),
        MicroOp::Increment { delta, .. } => format!("increment by {delta}"),
        MicroOp::Acquire { token: Some(token), .. } => format!("acquisition with token {token}"),
        MicroOp::Acquire { token: None, .. } => "acquisition".to_owned(),
        MicroOp::Release { token, .. } => format!("release of token {token}"),
        MicroOp::Append { value, .. } => format!("append of {value}"),
        MicroOp::Enqueue { value, .. } => format!("enqueue of {value}"),
        MicroOp::Push { value, .. } => format!("push of {value}"),
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

/// The mutation that wrote `value` within an operation, in words.
pub(crate) fn mutation_of(operation: &Operation<'_>, value: Value) -> String {
    let wrote = operation.micro_ops.iter().find(|it| it.written() == Some(value));
    wrote.map_or_else(|| format!("write of {value}"), mutation)
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
