//! What can go wrong between here and a machine.

use std::time::Duration;

use thiserror::Error;

use super::{Command, Output, SILENCE_MAX};

/// A machine cannot be used as asked. Every message names the machine, if
/// there is one, and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RemoteError {
    /// The settings name no lab.
    #[error("machines over SSH: {problem}")]
    Settings {
        /// What was expected and found.
        problem: String,
    },
    /// Nobody answers at its address.
    #[error(
        "{node} cannot be reached at {address}: {problem}; is the machine up, and is the address right?"
    )]
    Unreachable {
        /// The machine.
        node: String,
        /// Where it was looked for.
        address: String,
        /// What happened.
        problem: String,
    },
    /// It does not run.
    #[error("{node} is down; {remedy}")]
    Down {
        /// The machine.
        node: String,
        /// What to do.
        remedy: String,
    },
    /// Its host key is not the known one, or none is known.
    #[error("{node} shows a host key that {problem} ({file}); {remedy}")]
    HostKey {
        /// The machine.
        node: String,
        /// What is wrong with the key.
        problem: String,
        /// The file of known hosts.
        file: String,
        /// What to do.
        remedy: String,
    },
    /// It does not let us in.
    #[error("{node} does not accept {user}: {problem}; {remedy}")]
    Login {
        /// The machine.
        node: String,
        /// As whom.
        user: String,
        /// What was tried.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// Something that must run as root cannot.
    #[error(
        "{node} does not let {user} become root: {problem}; allow `sudo -n` there, or log in as root"
    )]
    Root {
        /// The machine.
        node: String,
        /// Who tried.
        user: String,
        /// What it said.
        problem: String,
    },
    /// Another controller uses it.
    #[error(
        "{node} is in use by another run of Perjury, of {by}; wait for its end, or end it. If it is \
         gone already, the machine is free within {} s",
        SILENCE_MAX.as_secs()
    )]
    InUse {
        /// The machine.
        node: String,
        /// Whose run it is, and since when.
        by: String,
    },
    /// The connection broke.
    #[error("the connection to {node} was lost: {problem}; did the machine restart?")]
    Lost {
        /// The machine.
        node: String,
        /// What happened.
        problem: String,
    },
    /// A command outlived its time-out. It has been ended, where the machine could be told.
    #[error("{node}: `{command}` was not done within {} s", timeout.as_secs_f32())]
    TimedOut {
        /// The machine.
        node: String,
        /// The command, cut short.
        command: String,
        /// How long it had.
        timeout: Duration,
    },
    /// A command that cannot be sent as it is.
    #[error("{node}: `{command}` cannot be run: {problem}")]
    Refused {
        /// The machine.
        node: String,
        /// The command, cut short.
        command: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A command failed.
    #[error("{node}: `{command}` ended with status {status}: {problem}")]
    Failed {
        /// The machine.
        node: String,
        /// The command, cut short.
        command: String,
        /// Its exit status.
        status: i32,
        /// The end of what it said.
        problem: String,
    },
    /// A file here or there.
    #[error("{node}: {path}: {problem}")]
    File {
        /// The machine.
        node: String,
        /// The file.
        path: String,
        /// What happened.
        problem: String,
    },
    /// The machine lacks something.
    #[error("{node} has no {what}; {remedy}")]
    Missing {
        /// The machine.
        node: String,
        /// What is missing.
        what: String,
        /// How to get it.
        remedy: String,
    },
}

impl RemoteError {
    /// Of a command that ended with another status than 0.
    pub(crate) fn failed(node: &str, command: &Command, output: &Output) -> Self {
        const SHOWN: usize = 400;
        let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
        let said = String::from_utf8_lossy(said).trim().to_owned();
        let from = said.char_indices().rev().nth(SHOWN).map_or(0, |(at, _)| at);
        let problem = match said[from..].trim() {
            "" => "it said nothing".to_owned(),
            end => end.replace('\n', "; "),
        };
        let (node, command) = (node.to_owned(), command.to_string());
        Self::Failed { node, command, status: output.status, problem }
    }
}
