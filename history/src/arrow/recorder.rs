//! Writes a recording.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use arrow_ipc::writer::StreamWriter;

use super::checksum::Checksum;
use super::columns::{Columns, entry_bytes};
use super::stream::{BATCH_BYTES_MAX, END};
use super::{RecordError, schema};
use crate::{Entry, HistoryError};

/// A batch holds at most this many rows.
pub const BATCH_ROWS: usize = 65_536;

/// A batch holds entries of at most this much of the run's time, in nanoseconds; the boundaries
/// are the multiples of it since the run's start.
pub const BATCH_NS: u64 = 100_000_000;

/// A batch is written when its entries take this much memory, in bytes.
const BATCH_BYTES: usize = 16 << 20;

/// Writes entries to a recording as they happen.
///
/// Entries are written a batch at a time: when a batch has [`BATCH_ROWS`] rows, and when an entry
/// comes whose time lies beyond the batch's [`BATCH_NS`]. The entries' own times count, not a clock,
/// so the same entries give the same file, and a simulated run's file is the same each time. In a
/// real run also call [`flush`](Recorder::flush) every 100 ms, or the last batch waits for the next
/// entry. Every batch is handed to the operating system in one write: a killed process loses at most
/// the entries since the last flush.
///
/// Dropped without [`finish`](Recorder::finish), it still writes the entries that it holds, but the
/// recording counts as not complete.
///
/// A batch costs about 2.4 kB and 90 µs beside its rows. At 2,000 entries per second that is 29
/// bytes and 1 µs per entry, of which large batches would save half; at 200 per second the file
/// grows by 27 kB per second. That is what losing no more than 100 ms costs, and it is little enough
/// to pay always.
pub struct Recorder<W: Write = File> {
    path: PathBuf,
    /// `None` once finished.
    out: Option<W>,
    /// Encodes into a buffer that is then written at once.
    encoder: StreamWriter<Vec<u8>>,
    columns: Columns,
    checksum: Checksum,
    entries: usize,
    /// Which multiple of [`BATCH_NS`] the batch's first entry is in.
    period: u64,
    /// A write failed, so the file may end within a batch, and nothing may follow.
    failed: bool,
}

impl Recorder<File> {
    /// Begins a recording in a new file.
    ///
    /// # Errors
    /// [`RecordError::Exists`] if there is a file at `path` already, [`RecordError::Io`] if it
    /// cannot be created or written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, RecordError> {
        let path = path.as_ref();
        let file =
            OpenOptions::new().write(true).create_new(true).open(path).map_err(|source| {
                match source.kind() {
                    ErrorKind::AlreadyExists => RecordError::Exists { path: path.into() },
                    _ => RecordError::writing(path, source),
                }
            })?;
        Self::new(file, path)
    }
}

impl<W: Write> Recorder<W> {
    /// Begins a recording in `out`, which errors call `name`.
    ///
    /// # Errors
    /// [`RecordError::Io`] if `out` takes no bytes.
    pub fn new(out: W, name: impl Into<PathBuf>) -> Result<Self, RecordError> {
        let mut recorder = Self {
            path: name.into(),
            out: Some(out),
            encoder: schema::stream_writer(),
            columns: Columns::default(),
            checksum: Checksum::new(),
            entries: 0,
            period: 0,
            failed: false,
        };
        recorder.write_encoded()?;
        Ok(recorder)
    }

    /// Appends an entry, and writes the entries before it if it is time. Entries are recorded as
    /// they are: whether they make a history is for the reader to say.
    ///
    /// # Errors
    /// [`RecordError::Io`] if writing fails, now or before; [`RecordError::Malformed`] if the entry
    /// alone is larger than a reader would accept (64 MiB), which is then left out.
    pub fn push(&mut self, entry: &Entry) -> Result<(), RecordError> {
        const ENTRY_BYTES_MAX: usize = BATCH_BYTES_MAX / 4;
        if entry_bytes(entry) > ENTRY_BYTES_MAX {
            let problem = format!(
                "expected at most {ENTRY_BYTES_MAX} bytes, found {} or more",
                entry_bytes(entry)
            );
            let error = HistoryError { index: self.entries, problem };
            return Err(RecordError::Malformed { action: "write", path: self.path.clone(), error });
        }
        let period = entry.time_ns() / BATCH_NS;
        if period > self.period || self.columns.bytes() + entry_bytes(entry) > BATCH_BYTES {
            self.flush()?;
        }
        if self.columns.rows() == 0 {
            self.period = period;
        }
        self.columns.push(entry);
        self.checksum.entry(entry);
        self.entries += 1;
        if self.columns.rows() == BATCH_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    /// Hands all entries so far to the operating system.
    ///
    /// # Errors
    /// [`RecordError::Io`] if writing fails, now or before.
    pub fn flush(&mut self) -> Result<(), RecordError> {
        if self.columns.rows() > 0 && !self.failed {
            let batch = self.columns.finish(self.checksum.value());
            self.encoder.write(&batch).expect("a buffer takes everything");
        }
        self.write_encoded()
    }

    /// Number of entries so far.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Writes what is left and the end marker, and gives back what was written to. To be sure that
    /// the file outlives a crash of the machine, sync it then.
    ///
    /// # Errors
    /// [`RecordError::Io`] if writing fails, now or before.
    pub fn finish(mut self) -> Result<W, RecordError> {
        self.flush()?;
        self.encoder.get_mut().extend(END);
        self.write_encoded()?;
        Ok(self.out.take().expect("only this takes it"))
    }

    fn write_encoded(&mut self) -> Result<(), RecordError> {
        let Some(out) = &mut self.out else { return Ok(()) };
        let encoded = self.encoder.get_mut();
        let written = match self.failed {
            true => Err(io::Error::other("an earlier write failed")),
            false => out.write_all(encoded).and_then(|()| out.flush()),
        };
        encoded.clear();
        written.map_err(|source| {
            self.failed = true;
            RecordError::writing(&self.path, source)
        })
    }
}

impl<W: Write> fmt::Debug for Recorder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("path", &self.path)
            .field("entries", &self.entries)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl<W: Write> Drop for Recorder<W> {
    fn drop(&mut self) {
        if self.out.is_some() && !self.failed {
            // Nobody is left to tell.
            let _ = self.flush();
        }
    }
}
