//! Who wrote which value of an item.

use perjury_history::{History, MicroOp, OperationId, Outcome, Value};

use super::Lists;
use super::items::Items;

/// One write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) value: Value,
    pub(super) operation: OperationId,
    /// Whether the same operation wrote the item again later.
    pub(super) is_intermediate: bool,
}

/// All writes, of failed operations too; of each item by value.
#[derive(Debug)]
pub(super) struct Writes {
    by_item: Lists<Write>,
}

/// What it writes, and the item.
pub(super) fn written(items: &Items, micro_op: &MicroOp) -> Option<(u32, Value)> {
    match *micro_op {
        MicroOp::Write { key, value } => Some((items.register(key), value)),
        MicroOp::Append { key, value } => Some((items.list(key), value)),
        MicroOp::Add { key, value } => Some((items.element_of(key, value), value)),
        _ => None,
    }
}

impl Writes {
    pub(super) fn of(history: &History, items: &Items) -> Self {
        let mut offsets = vec![0_u32; items.all.len() + 1];
        for micro_op in history.iter().flat_map(|operation| operation.micro_ops) {
            if let Some((item, _)) = written(items, micro_op) {
                offsets[item as usize + 1] += 1;
            }
        }
        for item in 0..items.all.len() {
            offsets[item + 1] += offsets[item];
        }
        let nothing = Write { value: 0, operation: OperationId(u32::MAX), is_intermediate: false };
        let mut all = vec![nothing; offsets[items.all.len()] as usize];
        let mut next = offsets.clone();
        // The last operation that was seen to write an item; backwards, so that is its last write.
        let mut last = vec![OperationId(u32::MAX); items.all.len()];
        for operation in history.iter() {
            for micro_op in operation.micro_ops.iter().rev() {
                let Some((item, value)) = written(items, micro_op) else { continue };
                let seen = std::mem::replace(&mut last[item as usize], operation.id);
                let place = &mut next[item as usize];
                all[*place as usize] =
                    Write { value, operation: operation.id, is_intermediate: seen == operation.id };
                *place += 1;
            }
        }
        for item in 0..items.all.len() {
            let writes = &mut all[offsets[item] as usize..offsets[item + 1] as usize];
            writes.sort_unstable_by_key(|write| (write.value, write.operation));
        }
        Self { by_item: Lists { offsets, all } }
    }

    /// All writes of an item.
    pub(super) fn of_item(&self, item: u32) -> &[Write] {
        self.by_item.of(item)
    }

    /// The writes of a value.
    pub(super) fn of_value(&self, item: u32, value: Value) -> &[Write] {
        let all = self.of_item(item);
        let begin = all.partition_point(|write| write.value < value);
        let end = begin + all[begin..].iter().take_while(|write| write.value == value).count();
        &all[begin..end]
    }
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source<'a> {
    /// Nobody wrote it.
    Nowhere,
    /// Only failed operations wrote it, this one for example.
    Aborted(Write),
    One(Write),
    /// Several wrote it; some of these may have failed.
    Several(&'a [Write]),
}

impl Writes {
    pub(super) fn source(&self, history: &History, item: u32, value: Value) -> Source<'_> {
        let writes = self.of_value(item, value);
        let happened = |write: &&Write| history.get(write.operation).outcome != Outcome::Fail;
        match writes {
            [] => Source::Nowhere,
            [only] if happened(&only) => Source::One(*only),
            [only] => Source::Aborted(*only),
            several => {
                let mut left = several.iter().filter(happened);
                match (left.next(), left.next()) {
                    (None, _) => Source::Aborted(several[0]),
                    (Some(only), None) => Source::One(*only),
                    _ => Source::Several(several),
                }
            }
        }
    }
}
