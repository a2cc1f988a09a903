//! A command as a list of arguments.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::quote_all;

/// How long a command may take unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What is to be run on a machine, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) input: Vec<u8>,
    pub(crate) as_root: bool,
    pub(crate) timeout: Duration,
}

impl Command {
    /// A program, found on the machine's path.
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            arguments: vec![program.into()],
            environment: BTreeMap::new(),
            input: Vec::new(),
            as_root: false,
            timeout: TIMEOUT,
        }
    }

    /// A constant script of the POSIX shell. Values are added by [`Command::argument`] and read as
    /// `$1`, `$2`, ...: they are never part of its text.
    pub fn script(text: &'static str) -> Self {
        Command::new("sh").arguments(["-c", text, "sh"])
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment. Not for secrets: others on the machine may read it.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// What it reads from standard input, then its end. Nothing of it is ever shown.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Runs it as the machine's administrator.
    #[must_use]
    pub fn as_root(mut self) -> Self {
        self.as_root = true;
        self
    }

    /// How long it may take; 30 seconds unless said. Then it is ended on its machine, with the
    /// children that it has not made a session of their own for (`setsid`). A machine that does not
    /// answer costs a second more.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl fmt::Display for Command {
    /// As one would type it, cut short: scripts can be long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 120;
        let line = quote_all(&self.arguments).replace('\n', " ");
        match line.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "{}...", &line[..end]),
            None => f.write_str(&line),
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({self})")
    }
}

/// What came of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its exit status; 128 and the signal's number if a signal ended it.
    pub status: i32,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}
