//! Any history there is: of a run, a recording, or one of somebody else's, told by what is in it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use perjury_history::foreign::{self, Format, Object, Options};
use perjury_history::{History, arrow};

use crate::error::Error;
use crate::run_folder::RunFolder;

/// A history, and where it comes from.
pub struct AnyHistory {
    /// What it tells.
    pub history: History,
    /// If it is somebody else's: how it is written, and what it acts upon.
    pub foreign: Option<(Format, Object)>,
    /// Whether times are those of events, and not just counted.
    pub timed: bool,
    /// What is odd about it, for people.
    pub warnings: Vec<String>,
}

impl AnyHistory {
    /// Opens a run's folder, a file, or a folder of Cobra's logs. `options` are for histories of others.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub fn open(path: &Path, options: &Options) -> Result<Self, Error> {
        let is_logs = options.format == Some(Format::Cobra) || foreign::is_history_folder(path);
        if path.is_dir() && !is_logs {
            return Self::recording(&RunFolder::open(path)?.history());
        }
        match path.is_file() && is_recording(path) {
            true => Self::recording(path),
            false => Self::foreign(path, options),
        }
    }

    fn recording(path: &Path) -> Result<Self, Error> {
        let recording = arrow::read(path)?;
        let cut = (!recording.complete).then(|| {
            format!(
                "{} ends before its time (the run was killed, or the file was cut): it holds {} \
                 operations",
                path.display(),
                recording.history.len()
            )
        });
        let warnings = cut.into_iter().collect();
        Ok(Self { history: recording.history, foreign: None, timed: true, warnings })
    }

    fn foreign(path: &Path, options: &Options) -> Result<Self, Error> {
        let read = foreign::read(path, options)?;
        let told = |warning| format!("{}: {warning}", path.display());
        let warnings = read.warnings.into_iter().map(told).collect();
        let foreign = Some((read.format, read.object));
        Ok(Self { history: read.history, foreign, timed: read.timed, warnings })
    }
}

/// Whether a file is a recording of ours: by its name, or by how an Arrow stream begins.
fn is_recording(path: &Path) -> bool {
    const ARROW_STREAM: [u8; 4] = [0xFF; 4];
    let mut begins = [0; ARROW_STREAM.len()];
    path.extension().is_some_and(|extension| extension == "arrow")
        || File::open(path)
            .is_ok_and(|mut file| file.read_exact(&mut begins).is_ok() && begins == ARROW_STREAM)
}
