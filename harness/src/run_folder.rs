//! The folder of one run, the only state that there is.
//!
//! ```text
//! runs/async-failover/20261121T074512Z/
//!     test.json       what was asked for: enough to do it again
//!     history.arrow   what happened
//!     faults.jsonl    what was broken, and how to undo it
//!     results.json    what the checkers say
//!     report.html     the same for people
//!     perjury.log     what the harness did
//! runs/latest         a link to the newest
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::campaign::TestSettings;
use crate::error::Error;

/// Version of `test.json` and `results.json`.
pub const FORMAT: u32 = 1;

/// In a run's folder: what was asked for. A folder with it is a run.
pub const TEST_FILE: &str = "test.json";

/// In the folder of all runs: the link to the newest.
pub const LATEST: &str = "latest";

/// In the folder of all runs: the campaigns' pages.
pub const CAMPAIGN_PAGES: &str = "campaigns";

/// What `test.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestFile {
    /// Version of the file's format.
    pub format: u32,
    /// The Perjury that made the run.
    pub perjury_version: String,
    /// When it began, by the wall clock, in UTC.
    pub started_utc: String,
    /// The run's seed.
    pub seed: u64,
    /// The test.
    pub test: TestSettings,
}

/// One run's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes a new folder under `runs` for a test that begins at `started`. An existing folder is
    /// never used again.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(runs: &Path, test: &str, started: Timestamp) -> Result<Self, Error> {
        let parent = runs.join(test);
        fs::create_dir_all(&parent).map_err(|error| Error::write(&parent, &error))?;
        let time = started.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
        for attempt in 1_u32.. {
            let name = if attempt == 1 { time.clone() } else { format!("{time}-{attempt}") };
            let path = parent.join(name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::write(&path, &error)),
            }
        }
        unreachable!("some number is free")
    }

    /// An existing run, by its folder or by a file in it.
    ///
    /// # Errors
    /// If there is no run.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let folder = match path.is_file() {
            true => path.parent().unwrap_or(path),
            false => path,
        };
        let run = Self { path: folder.to_owned() };
        match run.history().is_file() {
            true => Ok(run),
            false => Err(Error::usage(format!(
                "expected a run's folder with a history.arrow in it, found none in {}",
                folder.display()
            ))
            .hint("`runs/latest` is the newest run; `perjury run` makes one")),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `history.arrow`.
    pub fn history(&self) -> PathBuf {
        self.path.join("history.arrow")
    }

    /// `faults.jsonl`.
    pub fn faults(&self) -> PathBuf {
        self.path.join("faults.jsonl")
    }

    /// `results.json`.
    pub fn results(&self) -> PathBuf {
        self.path.join("results.json")
    }

    /// `report.html`.
    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// `perjury.log`.
    pub fn log(&self) -> PathBuf {
        self.path.join("perjury.log")
    }

    /// `test.json`.
    pub fn test(&self) -> PathBuf {
        self.path.join(TEST_FILE)
    }

    /// Writes a file of the run as a whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path, content: &[u8]) -> Result<(), Error> {
        write_whole(path, content)
    }

    /// Writes a file of the run as JSON.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<(), Error> {
        let json = serde_json::to_vec_pretty(value).map_err(|error| Error::write(path, &error))?;
        self.write(path, &json)
    }

    /// Reads `test.json`.
    ///
    /// # Errors
    /// If it is missing, damaged or of another version.
    pub fn read_test(&self) -> Result<TestFile, Error> {
        read_json(&self.test())
    }

    /// Lets `runs/latest` point here. It is a convenience, so failing to is no failure of the run.
    pub fn link_latest(&self, runs: &Path) {
        let Ok(target) = self.path.strip_prefix(runs) else {
            return;
        };
        let link = runs.join(LATEST);
        if fs::symlink_metadata(&link).is_ok_and(|it| !it.file_type().is_symlink()) {
            return;
        }
        // Renamed into place, so that it is there at all times, whoever else does the same.
        let unique = target.display().to_string().replace(std::path::MAIN_SEPARATOR, "-");
        let fresh = runs.join(format!(".{LATEST}-{unique}"));
        #[cfg(unix)]
        let linked =
            std::os::unix::fs::symlink(target, &fresh).and_then(|()| fs::rename(&fresh, link));
        #[cfg(not(unix))]
        let linked: io::Result<()> = Ok(());
        if linked.is_err() {
            // It may never have been there.
            let _ = fs::remove_file(&fresh);
        }
    }
}

/// Reads a JSON file of a run.
///
/// # Errors
/// If it is missing, damaged or of another version.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read(path)
        .map_err(|error| Error::usage(format!("failed to read {}: {error}", path.display())))?;
    // The version first: what another version wrote need not have this one's fields.
    let value = serde_json::from_slice::<serde_json::Value>(&text);
    let format = value.as_ref().ok().and_then(|value| value.get("format"));
    if let Some(found) = format.filter(|format| **format != FORMAT) {
        let path = path.display();
        return Err(Error::usage(format!("{path}: expected format {FORMAT}, found {found}"))
            .hint("use the version of perjury that made the run"));
    }
    value.and_then(serde_json::from_value).map_err(|error| {
        Error::usage(format!("{}: expected a file that perjury wrote: {error}", path.display()))
    })
}

/// Writes a file as a whole or not at all. Several processes may write the same one at a time.
///
/// # Errors
/// If it cannot be written.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), Error> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{number}.partial", std::process::id()));
    let temporary = path.with_file_name(name);
    fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, path)).map_err(|error| {
        // What there is of it would only take up room.
        let _ = fs::remove_file(&temporary);
        Error::write(path, &error)
    })
}
