//! What can go wrong with a lab of namespaces.

use std::error::Error;
use std::path::Path;

use crate::remote::RemoteError;

/// A lab of namespaces cannot be made, used or removed as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamespaceError {
    /// This machine cannot have one.
    #[error("no lab of namespaces on this machine: {0}")]
    Impossible(String),
    /// The settings are wrong.
    #[error("the lab of namespaces: {0}")]
    Settings(String),
    /// One of that name is there already.
    #[error(
        "the lab `{0}` is up, or was left half made; use it, or remove it by `perjury lab down`"
    )]
    Exists(String),
    /// None of that name is there.
    #[error("the lab `{0}` is not up; `perjury lab up` makes it")]
    Absent(String),
    /// It has fewer nodes than asked for.
    #[error(
        "the lab `{name}` has {found} nodes, expected {expected} or more; make it anew with so many"
    )]
    TooSmall {
        /// The lab.
        name: String,
        /// How many nodes it has.
        found: u32,
        /// How many were asked for.
        expected: u32,
    },
    /// Somebody else uses it.
    #[error(
        "the lab `{0}` is used by another run of Perjury; wait for its end, or name another lab"
    )]
    Busy(String),
    /// A node does not run.
    #[error("{node} of the lab `{lab}` {problem}")]
    Node {
        /// The lab.
        lab: String,
        /// The node.
        node: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A program of this machine failed.
    #[error("`{command}`: {problem}")]
    Tool {
        /// The program and its arguments.
        command: String,
        /// What it said.
        problem: String,
    },
    /// A file of the lab.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What happened.
        problem: String,
    },
    /// A node cannot be reached.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl NamespaceError {
    pub(super) fn file(path: &Path, problem: impl Into<Box<dyn Error>>) -> Self {
        Self::File { path: path.display().to_string(), problem: problem.into().to_string() }
    }
}
