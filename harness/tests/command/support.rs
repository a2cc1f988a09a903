//! What the command's tests share: a folder of their own, and the command in it.

use std::path::{Path, PathBuf};

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

    /// Calls the command and expects an exit code and a part of what it complains about.
    #[track_caller]
    pub(crate) fn refuses(&self, arguments: &[&str], code: i32, complaint: &str) {
        let called = self.perjury(arguments);
        let said = format!("{}{}", called.stdout, called.stderr);
        assert!(
            called.code == code && said.contains(complaint),
            "{arguments:?}: expected exit code {code} and `{complaint}`, found {} and `{said}`",
            called.code,
        );
        assert!(!said.contains("panicked"), "{said}");
    }

    /// Makes a short run of the correct configuration and returns its folder.
    pub(crate) fn short_run(&self) -> PathBuf {
        let called = self.perjury(&["run", "--test", "consensus", "--time-limit", "3s"]);
        assert_eq!(called.code, 0, "{}{}", called.stdout, called.stderr);
        let latest = self.path("runs/latest");
        latest.canonicalize().expect("runs/latest leads to the run")
    }
}

/// Every file of a folder with its content, to see that nothing was touched.
pub(crate) fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.clone(), std::fs::read(&path).expect("a file")))
        .collect();
    files.sort();
    files
}
