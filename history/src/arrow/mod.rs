//! `history.arrow`: the record of a run, written as it happens.
//!
//! The file must survive the death of the program that writes it, must never lie about what
//! happened, and should be useful to people who have never heard of Perjury. So it is an Arrow IPC
//! *stream*: a header with the columns, then record batches, each compressed with zstd and whole in
//! itself, then an end marker. pandas, Polars and DuckDB read it as it is.
//!
//! ```
//! use perjury_history::arrow::{self, Recorder};
//! use perjury_history::{Entry, Event, EventKind, MicroOp, Process};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("history.arrow");
//! let mut recorder = Recorder::create(&path)?;
//! for kind in [EventKind::Invoke, EventKind::Ok] {
//!     recorder.push(&Entry::Operation(Event {
//!         time_ns: 1_000,
//!         process: Process(0),
//!         kind,
//!         micro_ops: vec![MicroOp::Write { key: 1, value: 2 }],
//!         node: None,
//!         version: None,
//!         error: None,
//!     }))?;
//! }
//! recorder.finish()?;
//!
//! let recording = arrow::read(&path)?;
//! assert_eq!(recording.history.len(), 1);
//! assert!(recording.complete);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! One row is one [`Entry`](crate::Entry), in the order of the record:
//!
//! | column | type | |
//! |---|---|---|
//! | `time_ns` | u64 | nanoseconds since the run's start |
//! | `type` | text | `invoke`, `ok`, `fail`, `info`; `fault` for the nemesis's |
//! | `process` | u32? | who asked |
//! | `micro_ops` | list? of struct | `function` text, `key` i64, `value` i64? (what it brings along: a value, an element, an increment, a token), `expected` i64? (what a `cas` must find), `result` list? of i64 (null: no answer; of `read` and `inspect` empty: nil; of sets the elements; of counters the number; of `acquire` the token) |
//! | `node` | text? | the node that was asked, or that executed it: `n1`, `n2`, ... |
//! | `epoch`, `position` | u64? | the version written or read |
//! | `error` | text? | why it is not `ok` |
//! | `fault`, `fault_stage`, `fault_name`, `fault_nodes`, `fault_detail` | u32?, text?, text?, list? of text, text? | a fault event; null in every other row |
//! | `checksum` | u64? | in the last row of a batch, over all entries up to there |
//!
//! Text is plain text, not a dictionary: a dictionary that grows from batch to batch is the part
//! of the stream format that readers disagree about, and zstd makes it as small.
//!
//! # What a reader may rely on
//! - A file that was cut anywhere gives every entry up to its last whole batch, and says that it is
//!   not complete.
//! - A file that was changed anywhere gives an error, never another history. zstd frames and
//!   flatbuffers have no checksum of their own here, so each batch carries one: it is computed from
//!   the entries before they are encoded and compared after they are decoded, so it also catches
//!   mistakes of the encoding itself, and it goes on from batch to batch, so it catches a batch
//!   that is missing or out of place. It guards against accidents, not against forgery.
//! - No length in a file is believed: memory is bounded by [`BATCH_BYTES_MAX`] per batch and by
//!   what is really there.
//! - The same entries give the same bytes. The header and the size of a batch's metadata are
//!   constant in a format version; that is how a damaged length is told from a cut file.
//!
//! Start reading at [`Recorder`], then [`entries`].

mod batch;
mod checksum;
mod columns;
mod error;
mod reader;
mod recorder;
mod schema;
mod stream;

pub use error::RecordError;
pub use reader::{Entries, LostTail, Recording, entries, entries_from, read, read_from};
pub use recorder::{BATCH_NS, BATCH_ROWS, Recorder};
pub use schema::VERSION;
pub use stream::BATCH_BYTES_MAX;
