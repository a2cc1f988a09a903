//! The page of a history that is no run: its verdict and its events, and of the circumstances only
//! what is known.

use std::io::Write;
use std::path::Path;

use perjury_checkers::linearizability::ObjectKind;
use perjury_history::History;
use perjury_history::foreign::Format;
use perjury_reports::{BoundsFacts, RunFacts};

use super::new_file;
use crate::analysis::{Results, render};
use crate::bounds::Bounds;
use crate::error::Error;

/// A history that was judged, and what is known of it.
pub(super) struct Judged {
    pub(super) history: History,
    pub(super) results: Results,
    /// How it is written, if it is another tool's.
    pub(super) format: Option<Format>,
    /// As what kind of object it was judged, if as one.
    pub(super) object: Option<ObjectKind>,
    /// Whose checkers judged it otherwise.
    pub(super) workload: String,
    pub(super) bounds: Bounds,
    /// Whether it tells times.
    pub(super) timed: bool,
    /// What is odd about it, for people.
    pub(super) notes: Vec<String>,
}

impl Judged {
    /// Writes the page to a file that must not exist yet. `command` judges the history again.
    ///
    /// # Errors
    /// If the page cannot be rendered or written.
    pub(super) fn save_page(&self, path: &Path, file: &Path, command: String) -> Result<(), Error> {
        let page = render(
            &path.display().to_string(),
            &self.history,
            &self.results,
            &self.facts(path, command),
        )?;
        let mut out = new_file::create(file)?;
        out.write_all(page.as_bytes()).map_err(|error| new_file::unwritable(file, &error))
    }

    fn facts(&self, path: &Path, command: String) -> RunFacts {
        let format = self.format.map_or(String::new(), |format| format!(" ({format})"));
        let notes = self.notes.iter().cloned().chain(self.results.notes());
        RunFacts {
            file: format!("{}{format}", path.display()),
            object: self.object.map_or(String::new(), |kind| kind.name().to_owned()),
            workload: self.workload.clone(),
            bounds: Some(BoundsFacts {
                time_ms: u64::try_from(self.bounds.time.as_millis()).unwrap_or(u64::MAX),
                memory_bytes: self.bounds.memory.0 as u64,
                steps: self.bounds.steps,
            }),
            untimed: !self.timed,
            perjury_version: env!("CARGO_PKG_VERSION").to_owned(),
            reproduce: vec![command],
            expectations: self.results.outcome.expectations.clone(),
            notes: notes.collect(),
            ..RunFacts::default()
        }
    }
}
