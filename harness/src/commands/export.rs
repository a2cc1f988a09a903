//! `perjury export`: writes a history for other tools.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use perjury_history::History;
use perjury_history::export::{self, Syntax};
use perjury_history::foreign::Options;

use super::new_file;
use crate::any_history::AnyHistory;
use crate::error::Error;
use crate::exit_code;
use crate::progress::say;

/// Write a history for other tools: Jepsen's maps in EDN, or the same in JSON, one per line; or the
/// lines of Plume
///
/// What is written can be read again, by Perjury and by whoever reads Jepsen's histories.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Run folder, history file, or history of another tool
    history: PathBuf,
    /// How to write it: `edn`, `json`, or for transactions on registers `plume`
    #[arg(long, value_name = "FORMAT", default_value_t)]
    format: TextFormat,
    /// File to write; standard output if it is left out
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How a history is written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextFormat {
    Events(Syntax),
    Plume,
}

impl Default for TextFormat {
    fn default() -> Self {
        TextFormat::Events(Syntax::default())
    }
}

impl fmt::Display for TextFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TextFormat::Events(syntax) => syntax.fmt(f),
            TextFormat::Plume => f.write_str("plume"),
        }
    }
}

impl FromStr for TextFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("plume", _) => Ok(TextFormat::Plume),
            (_, Ok(syntax)) => Ok(TextFormat::Events(syntax)),
            _ => Err(format!("expected `edn`, `json` or `plume`, found `{text}`")),
        }
    }
}

impl Export {
    pub(super) fn execute(self) -> Result<u8, Error> {
        let read = AnyHistory::open(&self.history, &Options::default())?;
        for warning in &read.warnings {
            say(&format!("warning: {warning}"));
        }
        write_text(&read.history, self.format, self.output.as_deref())?;
        Ok(exit_code::EXPECTED)
    }
}

/// Writes a history to a new file, or to standard output.
///
/// # Errors
/// If that is not possible, or the format cannot tell such a history.
pub(super) fn write_text(
    history: &History,
    format: TextFormat,
    path: Option<&Path>,
) -> Result<(), Error> {
    let written = match path {
        Some(path) => write_to(history, format, new_file::create(path)?),
        None => write_to(history, format, io::stdout().lock()),
    };
    match (written, path) {
        (Ok(0), _) => Ok(()),
        (Ok(left_out), _) => {
            say(&format!(
                "warning: {left_out} operations are left out, for they failed or may never have \
                 happened, and {format} has no room for such"
            ));
            Ok(())
        }
        (Err(error), _) if error.kind() == io::ErrorKind::InvalidData => {
            // What has been begun is no history.
            path.map(std::fs::remove_file);
            Err(Error::usage(format!("failed to write {format}: {error}"))
                .hint("choose another format"))
        }
        (Err(error), Some(path)) => Err(new_file::unwritable(path, &error)),
        // A reader that has gone away (`| head`) is no error.
        (Err(error), None) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        (Err(error), None) => {
            Err(Error::failure(format!("failed to write to standard output: {error}")))
        }
    }
}

fn write_to(history: &History, format: TextFormat, out: impl Write) -> io::Result<usize> {
    let mut out = BufWriter::new(out);
    let left_out = match format {
        TextFormat::Events(syntax) => export::write(history, syntax, &mut out).map(|()| 0)?,
        TextFormat::Plume => export::write_plume(history, &mut out)?,
    };
    out.flush()?;
    Ok(left_out)
}
