//! Where a [`History`](crate::History) keeps its operations: one array per field.
//!
//! A field that may be absent takes a bit of `flags` and a zero in its array: an `Option` in the
//! array would cost as much again as the value. With the four bytes that say where its
//! micro-operations end, an operation takes 61 bytes here, and each micro-operation 32.

use crate::history::Outcome;
use crate::{NodeId, Process, Version};

const OUTCOME: u8 = 0b11;
const COMPLETED: u8 = 1 << 2;
const NODE: u8 = 1 << 3;
const SERVED_BY: u8 = 1 << 4;
const VERSION: u8 = 1 << 5;
const ERROR: u8 = 1 << 6;

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Rows {
    flags: Vec<u8>,
    process: Vec<Process>,
    invoked: Vec<u32>,
    completed: Vec<u32>,
    invoked_ns: Vec<u64>,
    completed_ns: Vec<u64>,
    node: Vec<NodeId>,
    served_by: Vec<NodeId>,
    version: Vec<Version>,
    error: Vec<u32>,
}

pub(crate) struct Completion {
    pub(crate) outcome: Outcome,
    pub(crate) entry: u32,
    pub(crate) time_ns: u64,
    pub(crate) served_by: Option<NodeId>,
    pub(crate) version: Option<Version>,
    pub(crate) error: Option<u32>,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.flags.len()
    }

    /// Appends an operation that has no completion yet.
    pub(crate) fn invoke(
        &mut self,
        process: Process,
        entry: u32,
        time_ns: u64,
        node: Option<NodeId>,
    ) {
        self.flags.push(flag(NODE, node.is_some()) | outcome_bits(Outcome::Info));
        self.process.push(process);
        self.invoked.push(entry);
        self.completed.push(0);
        self.invoked_ns.push(time_ns);
        self.completed_ns.push(0);
        self.node.push(node.unwrap_or(NodeId(0)));
        self.served_by.push(NodeId(0));
        self.version.push(Version { epoch: 0, position: 0 });
        self.error.push(0);
    }

    pub(crate) fn complete(&mut self, row: usize, completion: &Completion) {
        let Completion { outcome, entry, time_ns, served_by, version, error } = *completion;
        self.flags[row] = (self.flags[row] & NODE)
            | outcome_bits(outcome)
            | COMPLETED
            | flag(SERVED_BY, served_by.is_some())
            | flag(VERSION, version.is_some())
            | flag(ERROR, error.is_some());
        self.completed[row] = entry;
        self.completed_ns[row] = time_ns;
        self.served_by[row] = served_by.unwrap_or(NodeId(0));
        self.version[row] = version.unwrap_or(Version { epoch: 0, position: 0 });
        self.error[row] = error.unwrap_or(0);
    }

    pub(crate) fn process(&self, row: usize) -> Process {
        self.process[row]
    }

    pub(crate) fn outcome(&self, row: usize) -> Outcome {
        match self.flags[row] & OUTCOME {
            0 => Outcome::Ok,
            1 => Outcome::Fail,
            _ => Outcome::Info,
        }
    }

    pub(crate) fn invoked(&self, row: usize) -> u32 {
        self.invoked[row]
    }

    pub(crate) fn completed(&self, row: usize) -> Option<u32> {
        self.has(row, COMPLETED).then(|| self.completed[row])
    }

    pub(crate) fn invoked_ns(&self, row: usize) -> u64 {
        self.invoked_ns[row]
    }

    pub(crate) fn completed_ns(&self, row: usize) -> Option<u64> {
        self.has(row, COMPLETED).then(|| self.completed_ns[row])
    }

    pub(crate) fn node(&self, row: usize) -> Option<NodeId> {
        self.has(row, NODE).then(|| self.node[row])
    }

    pub(crate) fn served_by(&self, row: usize) -> Option<NodeId> {
        self.has(row, SERVED_BY).then(|| self.served_by[row])
    }

    pub(crate) fn version(&self, row: usize) -> Option<Version> {
        self.has(row, VERSION).then(|| self.version[row])
    }

    /// Number of the error's text.
    pub(crate) fn error(&self, row: usize) -> Option<usize> {
        self.has(row, ERROR).then(|| self.error[row] as usize)
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.flags.shrink_to_fit();
        self.process.shrink_to_fit();
        self.invoked.shrink_to_fit();
        self.completed.shrink_to_fit();
        self.invoked_ns.shrink_to_fit();
        self.completed_ns.shrink_to_fit();
        self.node.shrink_to_fit();
        self.served_by.shrink_to_fit();
        self.version.shrink_to_fit();
        self.error.shrink_to_fit();
    }

    fn has(&self, row: usize, flag: u8) -> bool {
        self.flags[row] & flag != 0
    }

    /// Bytes taken, spare capacity included.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        fn bytes<T>(column: &Vec<T>) -> usize {
            column.capacity() * size_of::<T>()
        }
        bytes(&self.flags)
            + bytes(&self.process)
            + bytes(&self.invoked)
            + bytes(&self.completed)
            + bytes(&self.invoked_ns)
            + bytes(&self.completed_ns)
            + bytes(&self.node)
            + bytes(&self.served_by)
            + bytes(&self.version)
            + bytes(&self.error)
    }
}

fn flag(flag: u8, set: bool) -> u8 {
    if set { flag } else { 0 }
}

fn outcome_bits(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Ok => 0,
        Outcome::Fail => 1,
        Outcome::Info => 2,
    }
}
