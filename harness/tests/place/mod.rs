//! A folder of a test's own, and the command in it.

use std::path::PathBuf;

use assert_cmd::Command;
use tempfile::TempDir;

/// A temporary folder in which the command runs.
pub(crate) struct Place {
    folder: TempDir,
}

/// What one call of the command came to.
pub(crate) struct Called {
    /// Its exit code.
    pub(crate) code: i32,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained about.
    pub(crate) stderr: String,
}

impl Place {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file can be written");
        path
    }

    /// Calls the command in it.
    pub(crate) fn perjury(&self, arguments: &[&str]) -> Called {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("perjury"));
        let output = command.args(arguments).current_dir(self.folder.path()).output();
        let output = output.expect("the command starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints UTF-8");
        Called {
            code: output.status.code().expect("it was not killed"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}
