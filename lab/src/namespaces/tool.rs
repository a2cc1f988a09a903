//! Programs of this host by which a lab is made.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::NamespaceError;

/// Where administrators' programs are, also for whom `PATH` does not say so.
const FOLDERS: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The path of a program, if it is installed.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| PathBuf::from(folder).join(program)).find(|path| path.is_file())
}

/// A program to be run, with nothing to read; none if it is not installed.
pub(super) fn command(program: &str) -> Option<Command> {
    let mut command = Command::new(find(program)?);
    command.env("PATH", FOLDERS.join(":")).stdin(Stdio::null());
    Some(command)
}

/// Runs a program that must succeed; what it wrote to standard output.
pub(super) fn run(program: &str, arguments: &[&str]) -> Result<String, NamespaceError> {
    let failed = |problem: String| NamespaceError::Tool {
        command: format!("{program} {}", arguments.join(" ")),
        problem,
    };
    let missing = || failed("not found; run scripts/install-lab".to_owned());
    let output = command(program).ok_or_else(missing)?.args(arguments).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        return Err(failed(if said.is_empty() { output.status.to_string() } else { said }));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// As [`run`], with the arguments separated by spaces in one line.
pub(super) fn run_line(line: &str) -> Result<String, NamespaceError> {
    let mut words = line.split_whitespace();
    let program = words.next().unwrap_or_default();
    run(program, &words.collect::<Vec<_>>())
}
