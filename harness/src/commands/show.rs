//! `perjury show`: prints a history for people.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use perjury_history::{Entry, Key, Process, arrow, show};

use crate::campaign::Duration;
use crate::error::Error;
use crate::exit_code;
use crate::progress::say;
use crate::run_folder::RunFolder;

/// Print a history, one line per event
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Run folder or history file
    run: PathBuf,
    /// Only operations on this key, and faults
    #[arg(long, value_name = "KEY", allow_negative_numbers = true)]
    key: Option<Key>,
    /// Only operations of this process, and faults
    #[arg(long, value_name = "NUMBER")]
    process: Option<u32>,
    /// Only what happened at this time of the run or later: `12s`, `1m30s`
    #[arg(long, value_name = "DURATION")]
    from: Option<Duration>,
    /// Only what happened before this time of the run
    #[arg(long, value_name = "DURATION")]
    until: Option<Duration>,
    /// Only faults
    #[arg(long, conflicts_with_all = ["key", "process"])]
    faults: bool,
}

impl Show {
    pub(super) fn execute(self) -> Result<u8, Error> {
        let path = match self.run.is_dir() {
            true => RunFolder::open(&self.run)?.history(),
            false => self.run.clone(),
        };
        let mut entries = arrow::entries(&path)?;
        let mut out = BufWriter::new(io::stdout().lock());
        for entry in entries.by_ref() {
            let entry = entry?;
            if self.wants(&entry)
                && let Err(error) = writeln!(out, "{}", show::line(&entry))
            {
                return closed(&error);
            }
        }
        if let Err(error) = out.flush() {
            return closed(&error);
        }
        if !entries.complete() {
            say(&format!("warning: {} ends before its time", path.display()));
        }
        Ok(exit_code::EXPECTED)
    }

    fn wants(&self, entry: &Entry) -> bool {
        let time_ns = entry.time_ns();
        if self.from.is_some_and(|from| time_ns < from.ns)
            || self.until.is_some_and(|until| time_ns >= until.ns)
        {
            return false;
        }
        match entry {
            Entry::Fault(_) => true,
            Entry::Operation(event) => {
                let key = |key| event.micro_ops.iter().any(|micro_op| micro_op.key() == key);
                !self.faults
                    && self.key.is_none_or(key)
                    && self.process.is_none_or(|process| event.process == Process(process))
            }
        }
    }
}

/// A reader that has gone away (`| head`) is no error.
fn closed(error: &io::Error) -> Result<u8, Error> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(exit_code::EXPECTED),
        _ => Err(Error::failure(format!("failed to write to standard output: {error}"))),
    }
}
