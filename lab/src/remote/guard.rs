//! What goes round a command on its machine.
//!
//! A command is sent as one line, which has the machine's `sh` run `guard.sh` with the command as
//! its arguments. The guard becomes root where that is asked for, runs the command under
//! `timeout`, and marks on both outputs where what the command says begins and ends:
//!
//! ```text
//!   greetings of a login shell  MARK begin  what the command says  MARK status 0  a child, later
//! ```
//!
//! So the end is known without waiting for an end of file, which a child in the background may
//! put off for ever; nothing that was said before it can come after it; and the time-out holds on
//! the machine itself, whatever becomes of the connection.
//!
//! A mark begins with a byte that its text in the list of processes does not have, so a command
//! that prints that list does not end itself.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::{Command, RemoteError, quote_all};

const GUARD: &str = include_str!("guard.sh");

/// The longest line that Linux passes to a shell as one argument (`MAX_ARG_STRLEN`), in bytes.
const LINE_MAX: usize = 128 * 1024 - 1;

/// How a command that must run as root comes to do so, unless the user is root already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elevation {
    /// Not at all.
    None,
    /// By `sudo -n`.
    Sudo,
    /// By `sudo -n`, else with a password, which is the first line of the input.
    Password,
}

/// A command with its guard.
pub(crate) struct Guarded {
    mark: String,
    wants_password: bool,
    /// The line before the time-out, and behind it.
    before: String,
    behind: String,
}

impl Guarded {
    /// Puts a guard round a command for a machine.
    ///
    /// # Errors
    /// If the command cannot be written as a line.
    pub(crate) fn new(
        node: &str,
        command: &Command,
        elevation: Elevation,
    ) -> Result<Self, RemoteError> {
        let refused = |problem: &str| RemoteError::Refused {
            node: node.to_owned(),
            command: command.to_string(),
            problem: problem.to_owned(),
        };
        let variables = &command.environment;
        let words = command.arguments.iter().chain(variables.keys()).chain(variables.values());
        if words.into_iter().any(|word| word.contains('\0')) {
            return Err(refused("a command line cannot hold a NUL; send it by standard input"));
        }
        let unfit = |name: &String| name.is_empty() || name.starts_with('-') || name.contains('=');
        if variables.keys().any(unfit) {
            return Err(refused("a variable's name is not empty, has no `=` and no `-` in front"));
        }

        // Not random for a run's sake: it only has to differ from all that a command may say.
        let mark = format!("{:016x}", RandomState::new().hash_one(()));
        let who = match (command.as_root, elevation) {
            (false, _) => "user",
            (true, Elevation::None) => "root",
            (true, Elevation::Sudo) => "sudo",
            (true, Elevation::Password) => "password",
        };
        let mut before: Vec<_> = ["sh", "-c", GUARD, "sh", &mark, who].map(str::to_owned).into();
        if !variables.is_empty() {
            before.push("env".to_owned());
            before.extend(variables.iter().map(|(name, value)| format!("{name}={value}")));
        }
        let guarded = Self {
            mark,
            wants_password: who == "password",
            before: quote_all(&before),
            behind: quote_all(&command.arguments),
        };
        if guarded.line(Duration::MAX).len() > LINE_MAX {
            return Err(refused("its arguments are longer than 128 KiB; use standard input"));
        }
        Ok(guarded)
    }

    /// What marks begin and end with.
    pub(crate) fn mark(&self) -> &str {
        &self.mark
    }

    /// Whether the input must begin with the line of a password.
    pub(crate) fn wants_password(&self) -> bool {
        self.wants_password
    }

    /// The line for the machine's shell, with the time that is left for the command.
    pub(crate) fn line(&self, left: Duration) -> String {
        // Its own process group is what `timeout` ends: the command with its children. `timeout 0`
        // would be no time-out at all.
        let seconds = left.as_secs_f64().clamp(0.001, 1e9);
        format!("{} timeout -s KILL {seconds:.3} {}", self.before, self.behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(command: &Command) -> String {
        let refused = Guarded::new("n1", command, Elevation::None);
        refused.err().expect("it is refused").to_string()
    }

    #[test]
    fn what_no_line_can_hold_is_refused() {
        let said = refusal(&Command::new("echo").argument("a\0b"));
        assert!(said.starts_with("n1: `echo") && said.contains("NUL"), "{said}");
        assert!(refusal(&Command::new("x").variable("A", "\0")).contains("NUL"));
        assert!(refusal(&Command::new("x").variable("A=B", "c")).contains("variable's name"));
        assert!(refusal(&Command::new("x").argument("y".repeat(LINE_MAX))).contains("128 KiB"));
    }

    #[test]
    fn a_time_out_of_nothing_is_not_one_without_end() {
        let command = Command::new("true");
        let guarded = Guarded::new("n1", &command, Elevation::None).expect("a plain command");
        assert!(guarded.line(Duration::ZERO).ends_with("timeout -s KILL 0.001 true"));
    }
}
