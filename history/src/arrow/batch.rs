//! Batches back into entries. What is looked at here before `arrow-ipc` sees it is what that
//! trusts: positions and sizes of buffers, and how large they say they will be when decompressed.

use std::collections::HashMap;
use std::sync::LazyLock;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, Int64Array, ListArray, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow_buffer::Buffer;
use arrow_ipc::reader::RecordBatchDecoder;
use arrow_ipc::{CompressionType, MetadataVersion, root_as_message};
use arrow_schema::DataType;

use super::recorder::BATCH_ROWS;
use super::schema::{ALIGNMENT, FAULT, schema};
use super::stream::{BATCH_BYTES_MAX, Mismatch};
use crate::{
    Elements, Entry, Event, EventKind, FaultEvent, FaultStage, MicroOp, NodeId, Process, Reading,
    Value, Version,
};

/// What an uncompressed buffer has in place of its decompressed length.
const NOT_COMPRESSED: i64 = -1;

/// The length of the body that belongs to the metadata.
pub(super) fn body_bytes(metadata: &[u8]) -> Result<usize, Mismatch> {
    let (body_bytes, batch) = parse(metadata)?;
    if !(1..=BATCH_ROWS as i64).contains(&batch.length()) {
        let found = format!("{} rows", batch.length());
        return Err(Mismatch::new(format!("1 to {BATCH_ROWS} rows"), found));
    }
    if batch.compression().is_none_or(|it| it.codec() != CompressionType::ZSTD) {
        return Err(Mismatch::new("zstd compression", "another"));
    }
    let max = BATCH_BYTES_MAX as u64;
    let possible = |bytes: i64| u64::try_from(bytes).ok().filter(|bytes| *bytes <= max);
    for node in batch.nodes().into_iter().flatten() {
        if possible(node.length()).is_none() || !(0..=node.length()).contains(&node.null_count()) {
            let found = format!("{} with {} nulls", node.length(), node.null_count());
            return Err(Mismatch::new("a possible number of values and nulls", found));
        }
    }
    let mut end = 0_u64;
    for buffer in batch.buffers().into_iter().flatten() {
        let length = match (possible(buffer.offset()), possible(buffer.length())) {
            (Some(offset), Some(length)) if offset == end => length,
            _ => {
                let found = format!("one of {} bytes at {}", buffer.length(), buffer.offset());
                return Err(Mismatch::new(format!("a buffer at byte {end} of its body"), found));
            }
        };
        end = (end + length).next_multiple_of(ALIGNMENT as u64);
        if end > max {
            return Err(Mismatch::new(format!("at most {max} bytes"), "a longer batch"));
        }
    }
    match possible(body_bytes) == Some(end) {
        true => Ok(end as usize),
        false => Err(Mismatch::new(format!("a body of {end} bytes"), format!("{body_bytes}"))),
    }
}

/// The batch's entries, and the checksum that it carries.
pub(super) fn decode(metadata: &[u8], body: Vec<u8>) -> Result<(Vec<Entry>, u64), Mismatch> {
    let (_, batch) = parse(metadata)?;
    let body = Buffer::from_vec(body);
    check_buffers(&batch, &body)?;
    let dictionaries = HashMap::new();
    let version = MetadataVersion::V5;
    let batch = RecordBatchDecoder::try_new(&body, batch, schema(), &dictionaries, &version)
        .and_then(RecordBatchDecoder::read_record_batch)
        .map_err(|error| Mismatch::new("a batch that can be decoded", error.to_string()))?;
    let columns = Columns::new(&batch);
    let last = batch.num_rows() - 1;
    if columns.checksum.null_count() != last || columns.checksum.is_null(last) {
        return Err(Mismatch::new("a checksum in the batch's last row alone", "another row's"));
    }
    let entries = (0..batch.num_rows()).map(|row| columns.entry(row)).collect::<Result<_, _>>()?;
    Ok((entries, columns.checksum.value(last)))
}

/// Looks at what every buffer says it will be when decompressed: together no more than
/// [`BATCH_BYTES_MAX`], and each a whole number of values, which `arrow-ipc` would panic about.
fn check_buffers(batch: &arrow_ipc::RecordBatch<'_>, body: &[u8]) -> Result<(), Mismatch> {
    let widths = buffer_widths();
    let buffers = batch.buffers().unwrap_or_default();
    if buffers.len() != widths.len() {
        let expected = format!("{} buffers", widths.len());
        return Err(Mismatch::new(expected, format!("{}", buffers.len())));
    }
    let mut decompressed = 0;
    for (buffer, width) in buffers.iter().zip(widths).filter(|(buffer, _)| buffer.length() > 0) {
        let start = buffer.offset() as usize;
        let claimed = body
            .get(start..start + buffer.length() as usize)
            .and_then(|bytes| bytes.first_chunk::<8>())
            .map(|bytes| i64::from_le_bytes(*bytes))
            .ok_or_else(|| Mismatch::new("a buffer of 8 bytes or more", "a shorter one"))?;
        let claimed = if claimed == NOT_COMPRESSED { buffer.length() - 8 } else { claimed };
        let claimed = usize::try_from(claimed).unwrap_or(usize::MAX).min(BATCH_BYTES_MAX + 1);
        decompressed += claimed;
        if decompressed > BATCH_BYTES_MAX || claimed % width != 0 {
            let found = format!("one of {claimed} bytes or more");
            return Err(Mismatch::new(format!("a buffer of a few values of {width} bytes"), found));
        }
    }
    Ok(())
}

/// How wide a value of each buffer is, in bytes, in the order of the schema's columns.
fn buffer_widths() -> &'static [usize] {
    fn add(data_type: &DataType, widths: &mut Vec<usize>) {
        const VALIDITY: usize = 1;
        const OFFSETS: usize = size_of::<i32>();
        widths.push(VALIDITY);
        match data_type {
            DataType::Utf8 => widths.extend([OFFSETS, 1]),
            DataType::List(item) => {
                widths.push(OFFSETS);
                add(item.data_type(), widths);
            }
            DataType::Struct(fields) => {
                fields.iter().for_each(|field| add(field.data_type(), widths));
            }
            fixed => widths.push(fixed.primitive_width().expect("no other types in the schema")),
        }
    }
    static WIDTHS: LazyLock<Vec<usize>> = LazyLock::new(|| {
        let mut widths = Vec::new();
        schema().fields().iter().for_each(|field| add(field.data_type(), &mut widths));
        widths
    });
    &WIDTHS
}

/// Body length and header of a batch's metadata.
fn parse(metadata: &[u8]) -> Result<(i64, arrow_ipc::RecordBatch<'_>), Mismatch> {
    let expected = || "the metadata of a batch";
    let message = root_as_message(metadata)
        .map_err(|error| Mismatch::new(expected(), error.to_string().replace('\n', " ")))?;
    if message.version() != MetadataVersion::V5 {
        return Err(Mismatch::new("metadata version 5", format!("{:?}", message.version())));
    }
    let batch = message
        .header_as_record_batch()
        .ok_or_else(|| Mismatch::new(expected(), format!("a {:?}", message.header_type())))?;
    Ok((message.bodyLength(), batch))
}

struct Columns<'a> {
    time_ns: &'a UInt64Array,
    kind: &'a StringArray,
    process: &'a UInt32Array,
    micro_ops: MicroOps<'a>,
    node: &'a StringArray,
    epoch: &'a UInt64Array,
    position: &'a UInt64Array,
    error: &'a StringArray,
    fault: &'a UInt32Array,
    fault_stage: &'a StringArray,
    fault_name: &'a StringArray,
    fault_nodes: &'a ListArray,
    fault_detail: &'a StringArray,
    checksum: &'a UInt64Array,
}

struct MicroOps<'a> {
    list: &'a ListArray,
    function: &'a StringArray,
    key: &'a Int64Array,
    value: &'a Int64Array,
    expected: &'a Int64Array,
    result: &'a ListArray,
    results: &'a Int64Array,
}

impl<'a> Columns<'a> {
    /// The decoder saw to it that the batch has the schema's columns.
    fn new(batch: &'a RecordBatch) -> Self {
        let list = batch.column(3).as_list();
        let micro_ops = list.values().as_struct();
        let result = micro_ops.column(4).as_list();
        Self {
            time_ns: batch.column(0).as_primitive::<UInt64Type>(),
            kind: batch.column(1).as_string(),
            process: batch.column(2).as_primitive::<UInt32Type>(),
            micro_ops: MicroOps {
                list,
                function: micro_ops.column(0).as_string(),
                key: micro_ops.column(1).as_primitive::<Int64Type>(),
                value: micro_ops.column(2).as_primitive::<Int64Type>(),
                expected: micro_ops.column(3).as_primitive::<Int64Type>(),
                result,
                results: result.values().as_primitive::<Int64Type>(),
            },
            node: batch.column(4).as_string(),
            epoch: batch.column(5).as_primitive::<UInt64Type>(),
            position: batch.column(6).as_primitive::<UInt64Type>(),
            error: batch.column(7).as_string(),
            fault: batch.column(8).as_primitive::<UInt32Type>(),
            fault_stage: batch.column(9).as_string(),
            fault_name: batch.column(10).as_string(),
            fault_nodes: batch.column(11).as_list(),
            fault_detail: batch.column(12).as_string(),
            checksum: batch.column(13).as_primitive::<UInt64Type>(),
        }
    }

    fn entry(&self, row: usize) -> Result<Entry, Mismatch> {
        let time_ns = self.time_ns.value(row);
        let kind = match self.kind.value(row) {
            "invoke" => EventKind::Invoke,
            "ok" => EventKind::Ok,
            "fail" => EventKind::Fail,
            "info" => EventKind::Info,
            FAULT => return self.fault(row, time_ns).map(Entry::Fault),
            other => return Err(Mismatch::new("a type of entry", format!("`{other}`"))),
        };
        let version = match (value(self.epoch, row), value(self.position, row)) {
            (None, None) => None,
            (Some(epoch), Some(position)) => Some(Version { epoch, position }),
            _ => return Err(Mismatch::new("an epoch with every position", "one without")),
        };
        let process = value(self.process, row).ok_or_else(|| absent("process"))?;
        Ok(Entry::Operation(Event {
            time_ns,
            process: Process(process),
            kind,
            micro_ops: self.micro_ops.row(row)?,
            node: text(self.node, row).map(node).transpose()?,
            version,
            error: text(self.error, row).map(str::to_owned),
        }))
    }

    fn fault(&self, row: usize, time_ns: u64) -> Result<FaultEvent, Mismatch> {
        let stage = match text(self.fault_stage, row) {
            Some("applied") => FaultStage::Applied,
            Some("observed") => FaultStage::Observed,
            Some("failed") => FaultStage::Failed,
            Some("undone") => FaultStage::Undone,
            other => return Err(Mismatch::new("a fault's stage", format!("{other:?}"))),
        };
        let nodes = self.fault_nodes.value(row);
        Ok(FaultEvent {
            time_ns,
            fault: value(self.fault, row).ok_or_else(|| absent("fault"))?,
            stage,
            name: text(self.fault_name, row).ok_or_else(|| absent("fault_name"))?.to_owned(),
            nodes: nodes
                .as_string::<i32>()
                .iter()
                .map(|name| name.ok_or_else(|| absent("node")).and_then(node))
                .collect::<Result<_, _>>()?,
            detail: text(self.fault_detail, row).ok_or_else(|| absent("fault_detail"))?.to_owned(),
        })
    }
}

impl MicroOps<'_> {
    fn row(&self, row: usize) -> Result<Vec<MicroOp>, Mismatch> {
        if self.list.is_null(row) {
            return Err(absent("micro_ops"));
        }
        range(self.list, row).map(|index| self.one(index)).collect()
    }

    fn one(&self, index: usize) -> Result<MicroOp, Mismatch> {
        let key = self.key.value(index);
        let argument = || value(self.value, index).ok_or_else(|| absent("value"));
        Ok(match self.function.value(index) {
            "read" => MicroOp::Read { key, result: self.reading(index)? },
            "inspect" => MicroOp::Inspect { key, result: self.reading(index)? },
            "write" => MicroOp::Write { key, value: argument()? },
            "cas" => {
                let old = value(self.expected, index).ok_or_else(|| absent("expected"))?;
                MicroOp::Cas { key, old, new: argument()? }
            }
            "add" => MicroOp::Add { key, value: argument()? },
            "read-set" => MicroOp::ReadSet { key, result: self.elements(index) },
            "inspect-set" => MicroOp::InspectSet { key, result: self.elements(index) },
            "increment" => MicroOp::Increment { key, delta: argument()? },
            "read-counter" => MicroOp::ReadCounter { key, result: self.number(index)? },
            "inspect-counter" => MicroOp::InspectCounter { key, result: self.number(index)? },
            "acquire" => MicroOp::Acquire { key, token: self.number(index)? },
            "release" => MicroOp::Release { key, token: argument()? },
            "append" => MicroOp::Append { key, value: argument()? },
            "read-list" => MicroOp::ReadList { key, result: self.elements(index) },
            "enqueue" => MicroOp::Enqueue { key, value: argument()? },
            "dequeue" => MicroOp::Dequeue { key, result: self.reading(index)? },
            "push" => MicroOp::Push { key, value: argument()? },
            "pop" => MicroOp::Pop { key, result: self.reading(index)? },
            "lock" => MicroOp::Lock { key },
            "unlock" => MicroOp::Unlock { key },
            "generate" => MicroOp::Generate { key, result: self.number(index)? },
            "transfer" => {
                let to = value(self.expected, index).ok_or_else(|| absent("expected"))?;
                MicroOp::Transfer { from: key, to, amount: argument()? }
            }
            other => return Err(Mismatch::new("a function", format!("`{other}`"))),
        })
    }

    fn reading(&self, index: usize) -> Result<Option<Reading>, Mismatch> {
        match self.results(index) {
            None => Ok(None),
            Some([]) => Ok(Some(Reading::Nil)),
            Some(&[value]) => Ok(Some(Reading::Value(value))),
            Some(more) => Err(Mismatch::new("at most one result", more.len().to_string())),
        }
    }

    fn number(&self, index: usize) -> Result<Option<Value>, Mismatch> {
        match self.results(index) {
            None => Ok(None),
            Some(&[number]) => Ok(Some(number)),
            Some(other) => Err(Mismatch::new("one result", other.len().to_string())),
        }
    }

    fn elements(&self, index: usize) -> Option<Elements> {
        self.results(index).map(Elements::from)
    }

    fn results(&self, index: usize) -> Option<&[Value]> {
        let range = range(self.result, index);
        self.result.is_valid(index).then(|| &self.results.values()[range])
    }
}

fn range(list: &ListArray, row: usize) -> std::ops::Range<usize> {
    let offsets = list.value_offsets();
    offsets[row] as usize..offsets[row + 1] as usize
}

fn value<T: arrow_array::ArrowPrimitiveType>(
    column: &arrow_array::PrimitiveArray<T>,
    row: usize,
) -> Option<T::Native> {
    column.is_valid(row).then(|| column.value(row))
}

fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn node(name: &str) -> Result<NodeId, Mismatch> {
    name.parse().map_err(|_| Mismatch::new("a node like `n1`", format!("`{name}`")))
}

fn absent(column: &str) -> Mismatch {
    Mismatch::new(format!("a value in `{column}`"), "none")
}
