//! Reads a recording.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::checksum::Checksum;
use super::stream::{Mismatch, Piece, Stream};
use super::{RecordError, batch};
use crate::{Entry, History, HistoryBuilder};

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What happened.
    pub history: History,
    /// Whether the recorder finished. If not, it was killed or is still at work, and later entries
    /// may be missing.
    pub complete: bool,
    /// The piece of a batch at the end of a cut file.
    pub lost_tail: Option<LostTail>,
}

/// Bytes at the end of a file that are not a whole batch and tell nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostTail {
    /// Where they begin.
    pub offset: u64,
    /// How many there are.
    pub bytes: u64,
}

/// Reads the whole recording at `path`.
///
/// # Errors
/// Every kind of [`RecordError`] but [`RecordError::Exists`].
pub fn read(path: impl AsRef<Path>) -> Result<Recording, RecordError> {
    collect(entries(path)?)
}

/// Reads a whole recording from `input`, which errors call `name`.
///
/// # Errors
/// As [`read`].
pub fn read_from(input: impl Read, name: impl Into<PathBuf>) -> Result<Recording, RecordError> {
    collect(entries_from(input, name)?)
}

fn collect<R: Read>(mut entries: Entries<R>) -> Result<Recording, RecordError> {
    let mut builder = HistoryBuilder::new();
    while let Some(entry) = entries.next() {
        builder.push(entry?).map_err(|error| RecordError::Malformed {
            action: "read",
            path: entries.stream.path.clone(),
            error,
        })?;
    }
    Ok(Recording {
        history: builder.finish(),
        complete: entries.complete(),
        lost_tail: entries.lost_tail(),
    })
}

/// Reads the entries of the recording at `path` one by one, without holding more than a batch.
///
/// # Errors
/// [`RecordError::Io`], [`RecordError::NotARecording`], [`RecordError::Version`] or
/// [`RecordError::Corrupted`] if there is no recording; damage further on is an item.
pub fn entries(path: impl AsRef<Path>) -> Result<Entries, RecordError> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|source| RecordError::reading(path, source))?;
    entries_from(BufReader::new(file), path)
}

/// Reads the entries of a recording from `input`, which errors call `name`.
///
/// # Errors
/// As [`entries`].
pub fn entries_from<R: Read>(
    input: R,
    name: impl Into<PathBuf>,
) -> Result<Entries<R>, RecordError> {
    let stream = Stream::open(input, name.into())?;
    Ok(Entries { stream, batch: Vec::new().into_iter(), checksum: Checksum::new(), end: None })
}

/// The entries of a recording, in order. Whether they make a history is not looked at; that each is
/// what was recorded is.
///
/// After an error there are no more.
pub struct Entries<R = BufReader<File>> {
    stream: Stream<R>,
    batch: std::vec::IntoIter<Entry>,
    checksum: Checksum,
    end: Option<End>,
}

enum End {
    Complete,
    Cut(Option<LostTail>),
    Damaged,
}

impl<R: Read> Entries<R> {
    /// Whether the end marker was reached.
    pub fn complete(&self) -> bool {
        matches!(self.end, Some(End::Complete))
    }

    /// What is at the end of a cut file, once all entries before it were read.
    pub fn lost_tail(&self) -> Option<LostTail> {
        match self.end {
            Some(End::Cut(tail)) => tail,
            _ => None,
        }
    }

    /// Decodes the next batch, or learns how the recording ends.
    fn advance(&mut self) -> Result<(), RecordError> {
        let offset = self.stream.offset();
        match self.stream.next()? {
            Piece::End => self.end = Some(End::Complete),
            Piece::Cut(bytes) => {
                self.end = Some(End::Cut((bytes > 0).then_some(LostTail { offset, bytes })));
            }
            Piece::Batch { metadata, body } => {
                let entries = self
                    .verified(&metadata, body)
                    .map_err(|wrong| self.stream.corrupted(offset, wrong))?;
                self.stream.entries += entries.len() as u64;
                self.batch = entries.into_iter();
            }
        }
        Ok(())
    }

    fn verified(&mut self, metadata: &[u8], body: Vec<u8>) -> Result<Vec<Entry>, Mismatch> {
        let (entries, recorded) = batch::decode(metadata, body)?;
        for entry in &entries {
            self.checksum.entry(entry);
        }
        let computed = self.checksum.value();
        match computed == recorded {
            true => Ok(entries),
            false => Err(Mismatch::new(
                format!("a batch with checksum {recorded:016x}"),
                format!("one with {computed:016x}, or batches missing before it"),
            )),
        }
    }
}

impl<R> fmt::Debug for Entries<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries")
            .field("path", &self.stream.path)
            .field("decoded", &self.stream.entries)
            .finish_non_exhaustive()
    }
}

impl<R: Read> Iterator for Entries<R> {
    type Item = Result<Entry, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.batch.next() {
                return Some(Ok(entry));
            }
            if self.end.is_some() {
                return None;
            }
            if let Err(error) = self.advance() {
                self.end = Some(End::Damaged);
                return Some(Err(error));
            }
        }
    }
}
