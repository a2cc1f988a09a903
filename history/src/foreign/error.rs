//! What is wrong with a foreign history, and where.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a foreign history could not be read. Reads on after "failed to".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ForeignError {
    /// The operating system refused.
    #[error(
        "read {}: expected a file that can be read, found: {found}; check the path and its \
         permissions",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it said.
        found: String,
    },
    /// The text is no history, one that cannot have happened, or one that cannot be said here.
    #[error("read {}: line {line}, byte {byte}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Position in the file, in bytes from 0.
        byte: usize,
        /// What was expected, what was found, and what to do.
        problem: String,
    },
    /// The same of a file that has no lines.
    #[error("read {}: byte {byte}: {problem}", path.display())]
    MalformedBinary {
        /// The file.
        path: PathBuf,
        /// Position in the file, in bytes from 0.
        byte: usize,
        /// What was expected, what was found, and what to do.
        problem: String,
    },
}

impl ForeignError {
    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        ForeignError::Unreadable { path: path.to_owned(), found: error.to_string() }
    }
}

/// A problem at a byte of the text; who knows the file makes an error of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    byte: usize,
    text: String,
}

impl Problem {
    pub(super) fn new(byte: usize, text: impl Into<String>) -> Self {
        Self { byte, text: text.into() }
    }

    pub(super) fn in_file(self, path: &Path, bytes: &[u8]) -> ForeignError {
        let byte = self.byte.min(bytes.len());
        let line = 1 + memchr::memchr_iter(b'\n', &bytes[..byte]).count();
        ForeignError::Malformed { path: path.to_owned(), line, byte, problem: self.text }
    }

    pub(super) fn in_binary_file(self, path: &Path) -> ForeignError {
        let Problem { byte, text: problem } = self;
        ForeignError::MalformedBinary { path: path.to_owned(), byte, problem }
    }
}

/// The text from `byte` on, short enough for a message.
pub(super) fn excerpt(source: &str, byte: usize) -> String {
    const SHOWN_MAX: usize = 24;
    let rest = source.get(byte..).unwrap_or("");
    let mut characters = rest.chars().take_while(|it| !matches!(it, '\n' | '\r'));
    let mut shown: String = characters.by_ref().take(SHOWN_MAX).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    match shown.is_empty() {
        true if rest.is_empty() => "the end of the file".into(),
        true => "the end of the line".into(),
        false => format!("`{shown}`"),
    }
}
