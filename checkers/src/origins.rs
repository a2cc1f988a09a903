//! Which write each value of a key comes from, and which of two values is certainly the older.

use perjury_history::{History, MicroOp, OperationId, Outcome, Reading, Value, Version};
use rustc_hash::FxHashMap;

/// What one key held at some moment, and where that came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) held: Reading,
    /// The ok or unknown operation that wrote it, if there is one.
    pub(crate) writer: Option<OperationId>,
    /// Its place in the store's order, where the store tells.
    pub(crate) version: Option<Version>,
}

/// The origins of one key's values. Relies on every value being written once.
pub(crate) struct Origins<'a> {
    history: &'a History,
    by_value: FxHashMap<Value, Origin>,
    /// A value that was written twice, if there is one: then nothing here can be relied on.
    pub(crate) repeated: Option<Value>,
}

impl<'a> Origins<'a> {
    /// Of the key that these operations are on.
    pub(crate) fn of(history: &'a History, operations: &[OperationId]) -> Self {
        let mut origins = Self { history, by_value: FxHashMap::default(), repeated: None };
        for &id in operations {
            let operation = history.get(id);
            let written = operation.single().and_then(MicroOp::written);
            let Some(value) = written.filter(|_| operation.outcome != Outcome::Fail) else {
                continue;
            };
            let version = operation.version.filter(|_| operation.outcome == Outcome::Ok);
            let origin = Origin { held: Reading::Value(value), writer: Some(id), version };
            let before = origins.by_value.insert(value, origin);
            if before.is_some() && origins.repeated.is_none() {
                origins.repeated = Some(value);
            }
        }
        origins.learn_from_reads(operations);
        origins
    }

    /// Reads tell the versions of values whose writers never learnt them. Where two reports differ,
    /// neither is believed.
    fn learn_from_reads(&mut self, operations: &[OperationId]) {
        let mut disputed = Vec::new();
        for &id in operations {
            let operation = self.history.get(id);
            let Some(MicroOp::Read { result: Some(Reading::Value(value)), .. }) =
                operation.single()
            else {
                continue;
            };
            let Some(reported) = operation.version else { continue };
            let held = Reading::Value(*value);
            let unwritten = Origin { held, writer: None, version: None };
            let origin = self.by_value.entry(*value).or_insert(unwritten);
            if *origin.version.get_or_insert(reported) != reported {
                disputed.push(*value);
            }
        }
        for value in disputed {
            self.by_value.get_mut(&value).expect("a read told of it").version = None;
        }
    }

    /// Where what was read comes from.
    pub(crate) fn origin(&self, held: Reading) -> Origin {
        let known = held.value().and_then(|value| self.by_value.get(&value));
        known.copied().unwrap_or(Origin { held, writer: None, version: None })
    }

    /// Whether the write of `one` had ended before that of `other` began.
    pub(crate) fn is_older_by_time(&self, one: &Origin, other: &Origin) -> bool {
        let (Some(one), Some(other)) = (one.writer, other.writer) else { return false };
        self.history.get(one).precedes(&self.history.get(other))
    }
}
