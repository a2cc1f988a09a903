//! The columns, the format version, and the bytes that follow from them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_ipc::{CompressionType, MetadataVersion};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};

use super::columns::Columns;
use crate::{Entry, FaultEvent, FaultStage};

/// Version of the format that this crate writes. A change of columns, of their meaning, of the
/// functions or of the checksum is a new version.
pub const VERSION: &str = "2";

/// Every version that it reads, the one that it writes first. Version 1 had the functions `read`,
/// `write`, `cas` and `inspect`; all else is the same.
pub(super) const VERSIONS: [&str; 2] = [VERSION, "1"];

/// The schema's metadata entry that holds the version.
pub(super) const VERSION_KEY: &str = "perjury.history.version";

/// `fault`: the type of rows that are not a client's.
pub(super) const FAULT: &str = "fault";

/// Arrow's recommendation is 64; 8 is what the format requires, and with batches of a few hundred
/// rows the difference is most of the file.
pub(super) const ALIGNMENT: usize = 8;

/// Level 3 makes large batches 1 % smaller and takes a third longer to write them, level 6 makes
/// them 3 % (small ones 6 %) smaller and takes four times as long.
const ZSTD_LEVEL: i32 = 1;

pub(super) fn micro_op_fields() -> Fields {
    Fields::from(vec![
        Field::new("function", DataType::Utf8, false),
        Field::new("key", DataType::Int64, false),
        Field::new("value", DataType::Int64, true),
        Field::new("expected", DataType::Int64, true),
        Field::new("result", DataType::List(item(DataType::Int64)), true),
    ])
}

pub(super) fn item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", data_type, false))
}

/// The columns, as the version that is written has them.
pub(super) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(VERSION));
    SCHEMA.clone()
}

fn schema_of(version: &str) -> SchemaRef {
    let fields = vec![
        Field::new("time_ns", DataType::UInt64, false),
        Field::new("type", DataType::Utf8, false),
        Field::new("process", DataType::UInt32, true),
        Field::new("micro_ops", DataType::List(item(DataType::Struct(micro_op_fields()))), true),
        Field::new("node", DataType::Utf8, true),
        Field::new("epoch", DataType::UInt64, true),
        Field::new("position", DataType::UInt64, true),
        Field::new("error", DataType::Utf8, true),
        Field::new("fault", DataType::UInt32, true),
        Field::new("fault_stage", DataType::Utf8, true),
        Field::new("fault_name", DataType::Utf8, true),
        Field::new("fault_nodes", DataType::List(item(DataType::Utf8)), true),
        Field::new("fault_detail", DataType::Utf8, true),
        Field::new("checksum", DataType::UInt64, true),
    ];
    let metadata = HashMap::from([(VERSION_KEY.to_owned(), version.to_owned())]);
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// Writes the header into a buffer, and then whatever batches are given to it.
pub(super) fn stream_writer() -> StreamWriter<Vec<u8>> {
    writer(&schema())
}

fn writer(schema: &Schema) -> StreamWriter<Vec<u8>> {
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)
        .and_then(|options| options.try_with_compression(Some(CompressionType::ZSTD)))
        .and_then(|options| options.try_with_compression_level(Some(ZSTD_LEVEL)))
        .expect("these options go together");
    StreamWriter::try_new_with_options(Vec::new(), schema, options)
        .expect("a buffer takes everything")
}

/// The bytes that recordings of each of [`VERSIONS`] begin with.
pub(super) fn headers() -> &'static [Vec<u8>] {
    static HEADERS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        VERSIONS.iter().map(|version| writer(&schema_of(version)).get_ref().clone()).collect()
    });
    &HEADERS
}

/// How long every batch's metadata is: it holds one entry per column and buffer, whatever these
/// hold.
pub(super) fn batch_metadata_bytes() -> usize {
    static BYTES: LazyLock<usize> = LazyLock::new(|| {
        let mut columns = Columns::default();
        columns.push(&Entry::Fault(FaultEvent {
            time_ns: 0,
            fault: 0,
            stage: FaultStage::Applied,
            name: String::new(),
            nodes: Vec::new(),
            detail: String::new(),
        }));
        let mut writer = stream_writer();
        writer.write(&columns.finish(0)).expect("a buffer takes everything");
        let length = &writer.get_ref()[headers()[0].len() + 4..][..4];
        u32::from_le_bytes(length.try_into().expect("four bytes")) as usize
    });
    *BYTES
}
