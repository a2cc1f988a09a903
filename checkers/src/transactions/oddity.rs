//! What no order of transactions could explain.

use std::collections::BTreeMap;

use perjury_history::{OperationId, Value};

use crate::Phenomenon;

/// Listed at most, of each phenomenon.
const LISTED_MAX: usize = 100;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Oddity {
    pub(crate) phenomenon: Phenomenon,
    /// The operation that saw it.
    pub(crate) operation: OperationId,
    /// Which of its micro-operations.
    pub(crate) micro_op: u32,
    /// The value that it is about.
    pub(crate) value: Option<Value>,
    /// The operation that it was seen of, if it is one.
    pub(crate) other: Option<OperationId>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Oddities {
    pub(crate) listed: Vec<Oddity>,
    pub(crate) counts: BTreeMap<Phenomenon, u64>,
}

impl Oddities {
    pub(crate) fn push(&mut self, oddity: Oddity) {
        let count = self.counts.entry(oddity.phenomenon).or_default();
        *count += 1;
        if *count as usize <= LISTED_MAX {
            self.listed.push(oddity);
        }
    }
}
