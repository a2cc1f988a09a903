//! Small histories, for tests that compare a checker with its definition on all of them.

use perjury_history::{Entry, Event, EventKind, History, HistoryBuilder, MicroOp, Process};

/// These operations, each of its own process and with its answer and outcome, which begin and end in
/// this order: the first time that a position stands in `order` the operation begins.
pub(crate) fn history_of(asked: &[(MicroOp, EventKind)], order: &[usize]) -> History {
    let mut builder = HistoryBuilder::new();
    let mut begun = vec![false; asked.len()];
    for (time_ns, &which) in order.iter().enumerate() {
        let (micro_op, end) = asked[which].clone();
        let (kind, micro_op) = match begun[which] {
            false => (EventKind::Invoke, micro_op.without_result()),
            true => (end, micro_op),
        };
        begun[which] = true;
        let event = Event {
            time_ns: time_ns as u64,
            process: Process(which as u32),
            kind,
            micro_ops: vec![micro_op],
            node: None,
            version: None,
            error: None,
        };
        builder.push(Entry::Operation(event)).expect("well formed");
    }
    builder.finish()
}

/// Every order of the beginnings and ends of so many operations that begin in turn.
pub(crate) fn orders(operations: usize) -> Vec<Vec<usize>> {
    let mut orders = Vec::new();
    extend(&mut Vec::new(), 0, &[], operations, &mut orders);
    orders
}

fn extend(
    order: &mut Vec<usize>,
    begun: usize,
    open: &[usize],
    operations: usize,
    orders: &mut Vec<Vec<usize>>,
) {
    if order.len() == 2 * operations {
        orders.push(order.clone());
        return;
    }
    if begun < operations {
        order.push(begun);
        extend(order, begun + 1, &[open, &[begun]].concat(), operations, orders);
        order.pop();
    }
    for &ended in open {
        order.push(ended);
        let left: Vec<usize> = open.iter().copied().filter(|it| *it != ended).collect();
        extend(order, begun, &left, operations, orders);
        order.pop();
    }
}
