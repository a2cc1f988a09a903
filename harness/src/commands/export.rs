//! `perjury export`: writes a history for other tools.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use perjury_history::export::{self, Syntax};
use perjury_history::foreign::Options;

use super::new_file;
use crate::any_history::AnyHistory;
use crate::error::Error;
use crate::exit_code;
use crate::progress::say;

/// Write a history for other tools: Jepsen's maps in EDN, or the same in JSON, one per line
///
/// What is written can be read again, by Perjury and by whoever reads Jepsen's histories.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Run folder, history file, or history of another tool
    history: PathBuf,
    /// How to write it: `edn` or `json`
    #[arg(long, value_name = "FORMAT", default_value_t = Syntax::Edn)]
    format: Syntax,
    /// File to write; standard output if it is left out
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    pub(super) fn execute(self) -> Result<u8, Error> {
        let read = AnyHistory::open(&self.history, &Options::default())?;
        for warning in &read.warnings {
            say(&format!("warning: {warning}"));
        }
        let written = match &self.output {
            Some(path) => {
                let mut out = BufWriter::new(new_file::create(path)?);
                export::write(&read.history, self.format, &mut out).and_then(|()| out.flush())
            }
            None => {
                let mut out = BufWriter::new(io::stdout().lock());
                export::write(&read.history, self.format, &mut out).and_then(|()| out.flush())
            }
        };
        match (written, &self.output) {
            (Ok(()), _) => Ok(exit_code::EXPECTED),
            (Err(error), Some(path)) => Err(new_file::unwritable(path, &error)),
            // A reader that has gone away (`| head`) is no error.
            (Err(error), None) if error.kind() == io::ErrorKind::BrokenPipe => {
                Ok(exit_code::EXPECTED)
            }
            (Err(error), None) => {
                Err(Error::failure(format!("failed to write to standard output: {error}")))
            }
        }
    }
}
