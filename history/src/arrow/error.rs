//! What can go wrong with a recording.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::HistoryError;

/// Why a recording could not be written or read. Reads on after "failed to".
#[derive(Debug, Error)]
pub enum RecordError {
    /// The operating system refused.
    #[error("{action} {path}: expected {expected}, found: {source}; {advice}")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What should have been possible.
        expected: &'static str,
        /// What to do.
        advice: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// There is a file already.
    #[error(
        "write {path}: expected no file there, found one; a recording is never overwritten: \
         move it away or record elsewhere"
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error(
        "read {path}: expected a recording (an Arrow stream written by Perjury), found {found}; \
         give the `history.arrow` of a run folder, or name the format of a foreign history"
    )]
    NotARecording {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        found: String,
    },
    /// The file has a format version that this program does not know.
    #[error(
        "read {path}: expected format version {version} or older, found version `{found}`; \
         read it with the Perjury that wrote it or a newer one",
        version = super::VERSION
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
    },
    /// The file is a recording, but its bytes are not those that were written.
    #[error(
        "read {path}: expected {expected} at byte {offset} (after {entries} sound entries), \
         found {found}; the file was damaged or changed after it was recorded: \
         restore it from a copy or record again"
    )]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// Where the damaged part begins.
        offset: u64,
        /// How many entries before it are as they were written.
        entries: u64,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The file is sound, but what it tells cannot have happened.
    #[error(
        "{action} {path}: row {row}: {problem}; whoever recorded it made the mistake: \
         look at its client, or report it",
        row = error.index,
        problem = error.problem
    )]
    Malformed {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The problem; its index is the row of the file, from 0.
        #[source]
        error: HistoryError,
    },
}

impl RecordError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            RecordError::Io { path, .. }
            | RecordError::Exists { path }
            | RecordError::NotARecording { path, .. }
            | RecordError::Version { path, .. }
            | RecordError::Corrupted { path, .. }
            | RecordError::Malformed { path, .. } => path,
        }
    }

    pub(super) fn reading(path: &Path, source: io::Error) -> Self {
        RecordError::Io {
            action: "read",
            path: path.into(),
            expected: "a file that can be read",
            advice: "check the path and its permissions",
            source,
        }
    }

    pub(super) fn writing(path: &Path, source: io::Error) -> Self {
        RecordError::Io {
            action: "write",
            path: path.into(),
            expected: "a file that can be written",
            advice: "check the path, its permissions and the space left on the disk",
            source,
        }
    }
}
