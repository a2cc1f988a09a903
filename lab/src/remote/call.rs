//! One command on its way to a machine, and what came back.

use std::fs::File;
use std::io::{Cursor, Read};
use std::time::{Duration, Instant};

use super::marks::Marked;
use super::{Command, Output, Pulse, RemoteError};

/// How much longer than the command's time-out we wait for the machine to say that it has ended
/// it. A machine that is frozen or gone says nothing.
const GRACE: Duration = Duration::from_secs(1);

/// What a command reads.
pub(crate) enum Input<'a> {
    Bytes(&'a [u8]),
    File(File),
    Pulse(Pulse),
}

impl Input<'_> {
    /// The input with the line of a password before it. Where reading would block, there is nothing
    /// to send yet.
    pub(crate) fn reader(self, password: Option<&str>) -> Box<dyn Read + Send> {
        let line = password.map(|password| format!("{password}\n")).unwrap_or_default();
        let line = Cursor::new(line.into_bytes());
        match self {
            Input::Bytes(bytes) => Box::new(line.chain(Cursor::new(bytes.to_vec()))),
            Input::File(file) => Box::new(line.chain(file)),
            Input::Pulse(pulse) => Box::new(line.chain(pulse.beats())),
        }
    }
}

/// When a command must be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    began: Instant,
    timeout: Duration,
}

impl Deadline {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { began: Instant::now(), timeout }
    }

    /// What is left of the command's time.
    pub(crate) fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.began.elapsed())
    }

    /// What is left of ours.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout.saturating_add(GRACE).saturating_sub(self.began.elapsed())
    }
}

/// Both outputs of a command, as they come.
#[derive(Debug)]
pub(crate) struct Hearing {
    stdout: Marked,
    stderr: Marked,
    complaints: Vec<u8>,
}

impl Hearing {
    pub(crate) fn new(mark: &str) -> Self {
        let (stdout, stderr) = (Marked::new(mark), Marked::new(mark));
        Self { stdout, stderr, complaints: Vec::new() }
    }

    pub(crate) fn stdout(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8])) {
        self.stdout.push(bytes, sink);
    }

    pub(crate) fn stderr(&mut self, bytes: &[u8]) {
        let complaints = &mut self.complaints;
        self.stderr.push(bytes, &mut |said| complaints.extend_from_slice(said));
    }

    /// Whether the command has ended, and all that it said has been heard.
    pub(crate) fn ended(&self) -> bool {
        self.stdout.end().is_some() && self.stderr.end().is_some()
    }

    /// Whether the command began.
    pub(crate) fn begun(&self) -> bool {
        self.stderr.begun()
    }

    /// What was said on standard error before the command began.
    pub(crate) fn greeting(&self) -> String {
        self.stderr.greeting()
    }

    /// What came of the command, without its standard output; `user` is who ran it.
    ///
    /// # Errors
    /// If it could not be run as asked, or outlived its time-out, or the machine fell silent.
    pub(crate) fn conclude(
        self,
        node: &str,
        user: &str,
        command: &Command,
        deadline: Deadline,
    ) -> Result<Output, RemoteError> {
        let node = node.to_owned();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().replace('\n', "; ");
        let Some(end) = self.stderr.end() else {
            let problem = match (self.begun(), self.greeting()) {
                (false, greeting) if !greeting.is_empty() => greeting.replace('\n', "; "),
                _ => "the command's end was not heard".to_owned(),
            };
            return Err(RemoteError::Lost { node, problem });
        };
        let Some(status) = end.strip_prefix("status ").and_then(|it| it.parse::<i32>().ok()) else {
            let problem = said(&self.complaints);
            return Err(RemoteError::Root { node, user: user.to_owned(), problem });
        };
        // How `timeout` ends when it had to act; before that time it is the command's own status.
        let killed = status == 128 + 9 || status == 124;
        if killed && deadline.left().is_zero() {
            return Err(timed_out(&node, command));
        }
        let absent = status == 127 && self.complaints.starts_with(b"timeout: ");
        if absent {
            let what = format!("`{}` that runs", command.arguments[0]);
            let remedy = format!("install it ({})", said(&self.complaints));
            return Err(RemoteError::Missing { node, what, remedy });
        }
        Ok(Output { status, stdout: Vec::new(), stderr: self.complaints })
    }
}

/// The error of a command that outlived its time-out.
pub(crate) fn timed_out(node: &str, command: &Command) -> RemoteError {
    let (node, timeout) = (node.to_owned(), command.timeout);
    RemoteError::TimedOut { node, command: command.to_string(), timeout }
}
