//! Entries into columns.

use std::sync::Arc;

use arrow_array::builder::{
    Int64Builder, ListBuilder, StringBuilder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, ListArray, RecordBatch, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;

use super::schema::{self, FAULT};
use crate::{Entry, Event, FaultEvent, Found, MicroOp, NodeId, Value};

/// The rows of the batch that is being filled.
#[derive(Debug)]
pub(super) struct Columns {
    rows: usize,
    bytes: usize,
    time_ns: UInt64Builder,
    kind: StringBuilder,
    process: UInt32Builder,
    micro_ops: MicroOps,
    node: StringBuilder,
    epoch: UInt64Builder,
    position: UInt64Builder,
    error: StringBuilder,
    fault: UInt32Builder,
    fault_stage: StringBuilder,
    fault_name: StringBuilder,
    fault_nodes: ListBuilder<StringBuilder>,
    fault_detail: StringBuilder,
    /// Node names are asked for in every row.
    name: String,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            rows: 0,
            bytes: 0,
            time_ns: UInt64Builder::new(),
            kind: StringBuilder::new(),
            process: UInt32Builder::new(),
            micro_ops: MicroOps::default(),
            node: StringBuilder::new(),
            epoch: UInt64Builder::new(),
            position: UInt64Builder::new(),
            error: StringBuilder::new(),
            fault: UInt32Builder::new(),
            fault_stage: StringBuilder::new(),
            fault_name: StringBuilder::new(),
            fault_nodes: ListBuilder::new(StringBuilder::new())
                .with_field(schema::item(DataType::Utf8)),
            fault_detail: StringBuilder::new(),
            name: String::new(),
        }
    }
}

impl Columns {
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// About how much memory the rows take, never less than any one of their columns.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, entry: &Entry) {
        self.rows += 1;
        self.bytes += entry_bytes(entry);
        match entry {
            Entry::Operation(event) => self.push_operation(event),
            Entry::Fault(event) => self.push_fault(event),
        }
    }

    fn push_operation(&mut self, event: &Event) {
        self.time_ns.append_value(event.time_ns);
        self.kind.append_value(event.kind.name());
        self.process.append_value(event.process.0);
        self.micro_ops.push(Some(&event.micro_ops));
        match event.node {
            Some(node) => self.node.append_value(node_name(&mut self.name, node)),
            None => self.node.append_null(),
        }
        self.epoch.append_option(event.version.map(|version| version.epoch));
        self.position.append_option(event.version.map(|version| version.position));
        self.error.append_option(event.error.as_deref());
        self.fault.append_null();
        self.fault_stage.append_null();
        self.fault_name.append_null();
        self.fault_nodes.append(false);
        self.fault_detail.append_null();
    }

    fn push_fault(&mut self, event: &FaultEvent) {
        self.time_ns.append_value(event.time_ns);
        self.kind.append_value(FAULT);
        self.process.append_null();
        self.micro_ops.push(None);
        self.node.append_null();
        self.epoch.append_null();
        self.position.append_null();
        self.error.append_null();
        self.fault.append_value(event.fault);
        self.fault_stage.append_value(event.stage.name());
        self.fault_name.append_value(&event.name);
        for &node in &event.nodes {
            self.fault_nodes.values().append_value(node_name(&mut self.name, node));
        }
        self.fault_nodes.append(true);
        self.fault_detail.append_value(&event.detail);
    }

    /// The rows as a batch, with the checksum in the last of them; none are left here.
    pub(super) fn finish(&mut self, checksum: u64) -> RecordBatch {
        let mut checksums = UInt64Builder::with_capacity(self.rows);
        checksums.append_nulls(self.rows.saturating_sub(1));
        checksums.append_value(checksum);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.time_ns.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.process.finish()),
            Arc::new(self.micro_ops.finish()),
            Arc::new(self.node.finish()),
            Arc::new(self.epoch.finish()),
            Arc::new(self.position.finish()),
            Arc::new(self.error.finish()),
            Arc::new(self.fault.finish()),
            Arc::new(self.fault_stage.finish()),
            Arc::new(self.fault_name.finish()),
            Arc::new(self.fault_nodes.finish()),
            Arc::new(self.fault_detail.finish()),
            Arc::new(checksums.finish()),
        ];
        self.rows = 0;
        self.bytes = 0;
        RecordBatch::try_new(schema::schema(), columns).expect("the columns are the schema's")
    }
}

/// About how much memory an entry takes in the columns.
pub(super) fn entry_bytes(entry: &Entry) -> usize {
    const ROW: usize = 128;
    const PER_ITEM: usize = 64;
    match entry {
        Entry::Operation(event) => {
            let elements = event.micro_ops.iter().map(elements).sum::<usize>();
            ROW + PER_ITEM * event.micro_ops.len()
                + size_of::<Value>() * elements
                + event.error.as_ref().map_or(0, String::len)
        }
        Entry::Fault(event) => {
            ROW + PER_ITEM * event.nodes.len() + event.name.len() + event.detail.len()
        }
    }
}

/// How many elements of a set or a list it brings back.
fn elements(micro_op: &MicroOp) -> usize {
    match micro_op.answer() {
        Some(Found::Set(elements) | Found::List(elements)) => elements.len(),
        _ => 0,
    }
}

#[derive(Debug)]
struct MicroOps {
    ends: Vec<i32>,
    present: NullBufferBuilder,
    function: StringBuilder,
    key: Int64Builder,
    value: Int64Builder,
    expected: Int64Builder,
    result: ListBuilder<Int64Builder>,
}

impl Default for MicroOps {
    fn default() -> Self {
        Self {
            ends: vec![0],
            present: NullBufferBuilder::new(0),
            function: StringBuilder::new(),
            key: Int64Builder::new(),
            value: Int64Builder::new(),
            expected: Int64Builder::new(),
            result: ListBuilder::new(Int64Builder::new()).with_field(schema::item(DataType::Int64)),
        }
    }
}

impl MicroOps {
    fn push(&mut self, micro_ops: Option<&Vec<MicroOp>>) {
        let end = self.ends[self.ends.len() - 1];
        self.present.append(micro_ops.is_some());
        let micro_ops = micro_ops.map_or(&[] as &[MicroOp], Vec::as_slice);
        // The recorder bounds the batch's bytes, and with them the number of micro-operations.
        self.ends.push(end + micro_ops.len() as i32);
        for micro_op in micro_ops {
            self.push_one(micro_op);
        }
    }

    fn push_one(&mut self, micro_op: &MicroOp) {
        self.function.append_value(micro_op.function());
        self.key.append_value(micro_op.key());
        self.value.append_option(micro_op.argument());
        self.expected.append_option(match *micro_op {
            MicroOp::Cas { old, .. } => Some(old),
            MicroOp::Transfer { to, .. } => Some(to),
            _ => None,
        });
        let one;
        let result: Option<&[Value]> = match micro_op.answer() {
            None => None,
            Some(Found::Reading(reading)) => {
                one = reading.value();
                Some(one.as_slice())
            }
            Some(Found::Number(number)) => {
                one = Some(number);
                Some(one.as_slice())
            }
            Some(Found::Set(elements) | Found::List(elements)) => Some(elements),
        };
        self.result.values().append_slice(result.unwrap_or_default());
        self.result.append(result.is_some());
    }

    fn finish(&mut self) -> ListArray {
        let fields = schema::micro_op_fields();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.function.finish()),
            Arc::new(self.key.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.expected.finish()),
            Arc::new(self.result.finish()),
        ];
        let ends = std::mem::replace(&mut self.ends, vec![0]);
        ListArray::new(
            schema::item(DataType::Struct(fields.clone())),
            OffsetBuffer::new(ScalarBuffer::from(ends)),
            Arc::new(StructArray::new(fields, columns, None)),
            self.present.finish(),
        )
    }
}

fn node_name(name: &mut String, node: NodeId) -> &str {
    use std::fmt::Write as _;
    name.clear();
    write!(name, "{node}").expect("a string takes everything");
    name
}
