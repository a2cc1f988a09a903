//! The command's one error type: its kind decides the exit code, its hints say what to do.

use std::fmt;
use std::path::Path;

use perjury_history::arrow::RecordError;
use perjury_history::foreign::ForeignError;

use crate::exit_code;

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The arguments, a configuration or an input file.
    Usage,
    /// The harness or the lab.
    Failure,
}

/// Why the command could not do what it was asked.
#[derive(Debug)]
pub struct Error {
    /// Whose fault it is.
    pub kind: ErrorKind,
    /// What was expected and what was found.
    pub message: String,
    /// What to do about it.
    pub hints: Vec<String>,
}

impl Error {
    /// The user asked for something that cannot be.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self { kind: ErrorKind::Usage, message: message.to_string(), hints: Vec::new() }
    }

    /// The harness or the lab failed.
    pub fn failure(message: impl fmt::Display) -> Self {
        Self { kind: ErrorKind::Failure, message: message.to_string(), hints: Vec::new() }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    /// The exit code that tells it.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            ErrorKind::Usage => exit_code::USAGE,
            ErrorKind::Failure => exit_code::FAILURE,
        }
    }

    /// A file of a run could not be written.
    pub fn write(path: &Path, error: &dyn fmt::Display) -> Self {
        Self::failure(format!("failed to write {}: {error}", path.display()))
            .hint("is the disk full, or the folder not yours? `--runs DIR` puts runs elsewhere")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hints.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))
    }
}

impl std::error::Error for Error {}

impl From<RecordError> for Error {
    /// A history that cannot be read is bad input; the message of the reader says what to do.
    fn from(error: RecordError) -> Self {
        Error::usage(error)
    }
}

impl From<ForeignError> for Error {
    /// A history that cannot be read is bad input; the message of the reader says what to do.
    fn from(error: ForeignError) -> Self {
        Error::usage(error)
    }
}
