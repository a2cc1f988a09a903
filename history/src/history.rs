//! The history in memory: one row per operation, micro-operations in one array beside them.
//!
//! Ten million operations of one micro-operation each fit in 1 GiB; the elements that reads of sets
//! returned come on top, 8 bytes each.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::rows::Rows;
use crate::{Entry, Event, EventKind, FaultEvent, Key, MicroOp, Names, NodeId, Process, Version};

/// Position of an operation in its history, by order of invocation, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(pub u32);

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It happened.
    Ok,
    /// It certainly did not happen.
    Fail,
    /// It may or may not have happened, at any time after its invocation.
    Info,
}

/// One operation, as a view into a [`History`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation<'a> {
    /// Its position in the history.
    pub id: OperationId,
    /// Who asked.
    pub process: Process,
    /// What became of it.
    pub outcome: Outcome,
    /// Index of the invocation in the record.
    pub invoked: u32,
    /// Index of the completion in the record; `None` if none was recorded.
    pub completed: Option<u32>,
    /// When it was asked, in nanoseconds since the run's start.
    pub invoked_ns: u64,
    /// When the client learnt the outcome (or gave up); `None` if it never did.
    pub completed_ns: Option<u64>,
    /// The node that was asked.
    pub node: Option<NodeId>,
    /// The node that executed it, where the store tells.
    pub served_by: Option<NodeId>,
    /// The version written or read, where the store tells.
    pub version: Option<Version>,
    /// Why it is not `ok`.
    pub error: Option<&'a str>,
    /// What was asked, with the answers if it is `ok`.
    pub micro_ops: &'a [MicroOp],
    /// Whether its places in the record tell anything about other processes; see
    /// [`History::real_time`].
    pub real_time: bool,
}

impl Operation<'_> {
    /// Whether it is known to have ended before `other` began, so that it precedes it in real time.
    /// An operation with unknown outcome never ends. Where the record tells no
    /// [real time](History::real_time), only operations of one process precede each other.
    pub fn precedes(&self, other: &Operation<'_>) -> bool {
        self.outcome == Outcome::Ok
            && self.completed.is_some_and(|completed| completed < other.invoked)
            && (self.real_time || self.process == other.process)
    }

    /// The only micro-operation, for single-object checkers; `None` for transactions of several.
    pub fn single(&self) -> Option<&MicroOp> {
        match self.micro_ops {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// A finished, well-formed record. Built by [`crate::HistoryBuilder`]; never changed afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub(crate) rows: Rows,
    /// Where each operation's micro-operations end; one more than there are operations.
    pub(crate) offsets: Vec<u32>,
    pub(crate) micro_ops: Vec<MicroOp>,
    pub(crate) faults: Vec<FaultEvent>,
    pub(crate) errors: Vec<String>,
    pub(crate) names: Names,
    pub(crate) entries: usize,
    pub(crate) end_ns: u64,
    pub(crate) real_time: bool,
}

impl Default for History {
    fn default() -> Self {
        Self {
            rows: Rows::default(),
            offsets: vec![0],
            micro_ops: Vec::new(),
            faults: Vec::new(),
            errors: Vec::new(),
            names: Names::default(),
            entries: 0,
            end_ns: 0,
            real_time: true,
        }
    }
}

impl History {
    /// Number of operations.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no operation was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of entries in the record: events of operations and of faults.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Time of the last entry, in nanoseconds since the run's start.
    pub fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// Whether the order of the record means anything between processes.
    ///
    /// It does in every record that one observer made. It does not where each client wrote its own
    /// log, as the histories of Cobra, dbcop and Plume are: what one process did is in order, but
    /// whether one operation ended before another process's began was never known, and the places
    /// of events in the record say nothing of it.
    pub fn real_time(&self) -> bool {
        self.real_time
    }

    /// The operation at `id`.
    ///
    /// # Panics
    /// If `id` is not of this history.
    pub fn get(&self, id: OperationId) -> Operation<'_> {
        let row = id.0 as usize;
        Operation {
            id,
            process: self.rows.process(row),
            outcome: self.rows.outcome(row),
            invoked: self.rows.invoked(row),
            completed: self.rows.completed(row),
            invoked_ns: self.rows.invoked_ns(row),
            completed_ns: self.rows.completed_ns(row),
            node: self.rows.node(row),
            served_by: self.rows.served_by(row),
            version: self.rows.version(row),
            error: self.rows.error(row).map(|index| self.errors[index].as_str()),
            micro_ops: &self.micro_ops[self.micro_op_range(id)],
            real_time: self.real_time,
        }
    }

    /// All operations, by order of invocation.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Operation<'_>> {
        (0..self.rows.len() as u32).map(|index| self.get(OperationId(index)))
    }

    /// The record that it was built from, entry by entry.
    pub fn to_entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let mut faults = self.faults.iter();
        self.record().into_iter().filter_map(move |entry| match entry {
            Some((id, completes)) => Some(Entry::Operation(self.event(id, completes))),
            None => faults.next().cloned().map(Entry::Fault),
        })
    }

    fn event(&self, id: OperationId, completes: bool) -> Event {
        let operation = self.get(id);
        let kind = match (completes, operation.outcome) {
            (false, _) => EventKind::Invoke,
            (true, Outcome::Ok) => EventKind::Ok,
            (true, Outcome::Fail) => EventKind::Fail,
            (true, Outcome::Info) => EventKind::Info,
        };
        let micro_ops = match kind {
            EventKind::Ok => operation.micro_ops.to_vec(),
            _ => operation.micro_ops.iter().map(MicroOp::without_result).collect(),
        };
        let (time_ns, node) = match completes {
            true => (operation.completed_ns.unwrap_or(operation.invoked_ns), operation.served_by),
            false => (operation.invoked_ns, operation.node),
        };
        Event {
            time_ns,
            process: operation.process,
            kind,
            micro_ops,
            node,
            version: operation.version.filter(|_| completes),
            error: operation.error.filter(|_| completes).map(str::to_owned),
        }
    }

    /// What the nemesis did, in order.
    pub fn faults(&self) -> &[FaultEvent] {
        &self.faults
    }

    /// What keys and values are called that are not numbers.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The operations that touch each key, by order of invocation.
    pub fn by_key(&self) -> BTreeMap<Key, Vec<OperationId>> {
        let mut keys: BTreeMap<Key, Vec<OperationId>> = BTreeMap::new();
        for operation in self.iter() {
            for micro_op in operation.micro_ops {
                let ids = keys.entry(micro_op.key()).or_default();
                if ids.last() != Some(&operation.id) {
                    ids.push(operation.id);
                }
            }
        }
        keys
    }

    /// The operations of each process, by order of invocation.
    pub fn by_process(&self) -> BTreeMap<Process, Vec<OperationId>> {
        let mut processes: BTreeMap<Process, Vec<OperationId>> = BTreeMap::new();
        for operation in self.iter() {
            processes.entry(operation.process).or_default().push(operation.id);
        }
        processes
    }

    /// Whose invocation (`false`) or completion each entry of the record is; `None` is a fault's.
    pub(crate) fn record(&self) -> Vec<Option<(OperationId, bool)>> {
        let mut record = vec![None; self.entries];
        for operation in self.iter() {
            record[operation.invoked as usize] = Some((operation.id, false));
            if let Some(completed) = operation.completed {
                record[completed as usize] = Some((operation.id, true));
            }
        }
        record
    }

    pub(crate) fn micro_op_range(&self, id: OperationId) -> Range<usize> {
        let index = id.0 as usize;
        self.offsets[index] as usize..self.offsets[index + 1] as usize
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.rows.shrink_to_fit();
        self.offsets.shrink_to_fit();
        self.micro_ops.shrink_to_fit();
        self.faults.shrink_to_fit();
        self.errors.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HistoryBuilder;

    #[test]
    fn ten_million_operations_fit_in_a_gibibyte() {
        const OPERATIONS: u32 = 1_000_000;
        let mut builder = HistoryBuilder::new();
        for number in 0..OPERATIONS {
            for kind in [EventKind::Invoke, EventKind::Ok] {
                builder
                    .push(Entry::Operation(Event {
                        time_ns: u64::from(number),
                        process: Process(number % 10),
                        kind,
                        micro_ops: vec![MicroOp::Write { key: 1, value: number.into() }],
                        node: Some(NodeId(number % 5)),
                        version: Some(Version { epoch: 1, position: number.into() }),
                        error: None,
                    }))
                    .expect("well formed");
            }
        }
        let history = builder.finish();
        let bytes = history.rows.bytes()
            + history.offsets.capacity() * size_of::<u32>()
            + history.micro_ops.capacity() * size_of::<MicroOp>();
        assert_eq!(size_of::<MicroOp>(), 32, "what a set held is elsewhere");
        let per_operation = bytes as f64 / f64::from(OPERATIONS);
        assert!(per_operation <= 107.0, "{per_operation} bytes per operation");
    }
}
