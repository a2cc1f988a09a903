//! Why a page could not be made.

use perjury_history::OperationId;
use thiserror::Error;

/// Why a page could not be made.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The analysis speaks of an operation that the history does not have: it belongs to another
    /// history.
    #[error(
        "expected an analysis of this history of {operations} operations, found one that names \
         operation {operation}; check the run again"
    )]
    ForeignAnalysis {
        /// The operation that is not there.
        operation: OperationId,
        /// How many there are.
        operations: usize,
    },
    /// A template failed; a bug in this crate.
    #[error("the page's template failed: {0}")]
    Template(#[from] tera::Error),
    /// The page's data could not be written as JSON; a bug in this crate.
    #[error("the page's data could not be written: {0}")]
    Data(#[from] serde_json::Error),
}
