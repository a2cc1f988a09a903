//! What the command's tests share.

use std::path::{Path, PathBuf};

pub(crate) use crate::place::Place;

impl Place {
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
