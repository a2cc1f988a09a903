//! What an error of PostgreSQL means for the operation: did it certainly not happen?
//!
//! An `ERROR` ends the transaction, so what was to be committed is not. Three things are different,
//! and for a mutation they are unknown outcomes:
//!
//! - **The connection is lost** while an answer is awaited, or the server takes it away (class 57):
//!   the commit may have been made just before.
//! - **A wait for standbys is cancelled.** The server then says that the command succeeded, and adds
//!   a warning: it is committed on the primary, and maybe nowhere else. A failover may lose it.
//! - **The server itself is in trouble** (classes 58 and XX): nothing is certain.
//!
//! What is not in the table is not certain either. A read changes nothing, so one that brought no
//! answer counts as failed.

use std::fmt;

use tokio_postgres::error::{DbError, Severity};

use crate::Answer;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// There was no connection, so nothing was asked.
    NotConnected(String),
    /// The server refused or gave up, by its SQLSTATE.
    Refused {
        /// Five characters, the first two the class.
        state: String,
        /// Whether the connection ended with it.
        fatal: bool,
    },
    /// The connection was lost while the answer was awaited.
    Lost,
    /// The time was up before the answer came.
    TimedOut,
    /// The server reported success, with a warning.
    Warned(String),
    /// The server answered something that was not asked.
    Unintelligible,
    /// The comparison did not hold.
    Mismatch,
    /// Clients are not made for this.
    NotOffered,
}

/// Classes of errors, and single ones, after which a transaction has certainly not been committed.
const CERTAIN: [(&str, &str); 12] = [
    ("0A", "not supported"),
    ("22", "invalid value"),
    ("23", "constraint violated"),
    ("25006", "read-only"),
    ("25", "invalid transaction state"),
    ("28", "not authorised"),
    ("40001", "serialization failure"),
    ("40P01", "deadlock"),
    ("42", "invalid statement"),
    ("53", "out of resources"),
    ("54", "limit exceeded"),
    ("55", "object not in the state needed"),
];

impl Problem {
    /// Of an error of the library.
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) => Self::refused(error),
            None if error.is_closed() || is_io(error) => Problem::Lost,
            None => Problem::Unintelligible,
        }
    }

    fn refused(error: &DbError) -> Self {
        // Whatever is not plainly an error is taken for the worse.
        let fatal = error.parsed_severity() != Some(Severity::Error);
        Problem::Refused { state: error.code().code().to_owned(), fatal }
    }

    /// Whether the connection is of no more use.
    pub(super) fn spoils_connection(&self) -> bool {
        match self {
            Problem::Refused { fatal, .. } => *fatal,
            Problem::Mismatch | Problem::NotOffered | Problem::Warned(_) => false,
            _ => true,
        }
    }

    /// Whether it says that the node that was taken for the primary is none.
    pub(super) fn is_read_only(&self) -> bool {
        matches!(self, Problem::Refused { state, .. } if state == "25006")
    }

    /// The operation's outcome; `mutates` says whether it was to change anything.
    pub(super) fn answer(&self, mutates: bool) -> Answer {
        let certain = match self {
            Problem::NotConnected(_) | Problem::Mismatch | Problem::NotOffered => true,
            Problem::Refused { state, fatal } => !fatal && meaning(state).is_some(),
            _ => false,
        };
        match certain || !mutates {
            true => Answer::Fail(self.to_string()),
            false => Answer::Info(self.to_string()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NotConnected(reason) => f.write_str(reason),
            Problem::Refused { state, .. } => {
                write!(f, "{} ({state})", meaning(state).unwrap_or("server error"))
            }
            Problem::Lost => f.write_str("connection lost"),
            Problem::TimedOut => f.write_str("timed out"),
            Problem::Warned(warning) => f.write_str(warning),
            Problem::Unintelligible => f.write_str("an answer to another question"),
            Problem::Mismatch => f.write_str("mismatch"),
            Problem::NotOffered => f.write_str("not offered by this client"),
        }
    }
}

/// What an SQLSTATE after which a transaction is certainly not committed means.
fn meaning(state: &str) -> Option<&'static str> {
    CERTAIN.iter().find(|(prefix, _)| state.starts_with(prefix)).map(|(_, meaning)| *meaning)
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(|it| it.downcast_ref::<std::io::Error>().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(state: &str, fatal: bool) -> Problem {
        Problem::Refused { state: state.to_owned(), fatal }
    }

    #[test]
    fn only_what_certainly_did_not_happen_fails() {
        let (fail, info) = (true, false);
        let table = [
            (Problem::NotConnected("connection refused".into()), fail, "connection refused"),
            (Problem::Mismatch, fail, "mismatch"),
            (Problem::NotOffered, fail, "not offered by this client"),
            (refused("40001", false), fail, "serialization failure (40001)"),
            (refused("40P01", false), fail, "deadlock (40P01)"),
            (refused("25006", false), fail, "read-only (25006)"),
            (refused("25P02", false), fail, "invalid transaction state (25P02)"),
            (refused("23505", false), fail, "constraint violated (23505)"),
            (refused("42P01", false), fail, "invalid statement (42P01)"),
            (refused("53100", false), fail, "out of resources (53100)"),
            (refused("53100", true), info, "out of resources (53100)"),
            (refused("40003", false), info, "server error (40003)"),
            (refused("57014", false), info, "server error (57014)"),
            (refused("57P01", true), info, "server error (57P01)"),
            (refused("57P02", true), info, "server error (57P02)"),
            (refused("58030", false), info, "server error (58030)"),
            (refused("XX001", false), info, "server error (XX001)"),
            (refused("08006", false), info, "server error (08006)"),
            (Problem::Lost, info, "connection lost"),
            (Problem::TimedOut, info, "timed out"),
            (Problem::Unintelligible, info, "an answer to another question"),
            (Problem::Warned("canceling wait".into()), info, "canceling wait"),
        ];
        for (problem, certain, reason) in table {
            let expected = match certain {
                true => Answer::Fail(reason.to_owned()),
                false => Answer::Info(reason.to_owned()),
            };
            assert_eq!(problem.clone().answer(true), expected, "{problem:?}");
            // A read changes nothing.
            assert_eq!(problem.answer(false), Answer::Fail(reason.to_owned()));
        }
    }

    #[test]
    fn a_connection_is_kept_after_an_error_that_leaves_it_whole() {
        let kept = [refused("40001", false), Problem::Mismatch, Problem::Warned(String::new())];
        assert!(kept.iter().all(|it| !it.spoils_connection()));
        let spoilt = [refused("57P01", true), Problem::Lost, Problem::TimedOut];
        assert!(spoilt.iter().all(Problem::spoils_connection));
    }
}
