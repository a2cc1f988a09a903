//! Small histories of transactions.

use perjury_history::{
    Entry, Event, EventKind, History, HistoryBuilder, MicroOp, Outcome, Process,
};

/// A transaction, with its place in the record.
#[derive(Clone, Debug)]
pub(super) struct Small {
    pub(super) process: u32,
    pub(super) invoked: u32,
    pub(super) completed: u32,
    pub(super) outcome: Outcome,
    pub(super) micro_ops: Vec<MicroOp>,
}

/// Transactions by order of invocation, as a history.
pub(super) fn history(transactions: &[Small]) -> History {
    let mut events = Vec::new();
    for small in transactions {
        let end = match small.outcome {
            Outcome::Ok => EventKind::Ok,
            Outcome::Fail => EventKind::Fail,
            Outcome::Info => EventKind::Info,
        };
        let asked = small.micro_ops.iter().map(MicroOp::without_result).collect();
        events.push((small.invoked, small.process, EventKind::Invoke, asked));
        events.push((small.completed, small.process, end, small.micro_ops.clone()));
    }
    events.sort_by_key(|event| event.0);
    let mut builder = HistoryBuilder::new();
    for (time, process, kind, micro_ops) in events {
        let event = Event {
            time_ns: u64::from(time) * 1_000_000,
            process: Process(process),
            kind,
            micro_ops,
            node: None,
            version: None,
            error: None,
        };
        builder.push(Entry::Operation(event)).expect("well formed");
    }
    builder.finish()
}
