//! `perjury simulate`: a history of a database that keeps a level of isolation and no more.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use perjury_history::{History, arrow};
use perjury_simulator::{Distribution, Level, Settings, Workload, simulate};

use super::export::{TextFormat, write_text};
use super::new_file;
use crate::error::Error;
use crate::exit_code;
use crate::progress::say;

/// Make a history of transactions on a model of a database, for trying out checkers
///
/// The database keeps the level of isolation that it is told to, and no more. The same options make
/// the same history, on every machine.
#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// What the database keeps: `strict-serializable`, `strong-session-serializable`,
    /// `serializable`, `snapshot-isolation`, `parallel-snapshot-isolation`, `prefix`, `causal`,
    /// `read-atomic`, `read-committed`, `read-uncommitted` or `none`
    #[arg(long, value_name = "LEVEL", default_value_t = Settings::default().level)]
    level: Level,
    /// What transactions do: `append` to lists and read them, or write and read a `register`
    #[arg(long, value_name = "WORKLOAD", default_value_t = Settings::default().workload)]
    workload: Workload,
    /// Where all chance comes from
    #[arg(long, value_name = "SEED", default_value_t = Settings::default().seed)]
    seed: u64,
    /// Transactions that are begun
    #[arg(long, value_name = "COUNT", default_value_t = Settings::default().transactions)]
    transactions: u32,
    /// Clients that are at work at the same time
    #[arg(long, value_name = "COUNT", default_value_t = Settings::default().processes)]
    processes: u32,
    /// Keys that are in use at the same time
    #[arg(long, value_name = "COUNT", default_value_t = Settings::default().keys)]
    keys: u32,
    /// How often each key is chosen: `uniform`, `zipf` or `exponential`
    #[arg(long, value_name = "NAME", default_value_t = Settings::default().distribution)]
    distribution: Distribution,
    /// Reads and writes of a transaction, at most
    #[arg(long, value_name = "COUNT", default_value_t = Settings::default().operations_max)]
    operations: u32,
    /// Share of reads among them
    #[arg(long, value_name = "SHARE", default_value_t = Settings::default().read_share)]
    read_share: f64,
    /// After so many writes a key is replaced by a new one
    #[arg(long, value_name = "COUNT", default_value_t = Settings::default().writes_per_key)]
    writes_per_key: u32,
    /// Registers get values from 1 to this, again and again; if it is left out, no value is written
    /// twice to the same
    #[arg(long, value_name = "COUNT")]
    values: Option<u32>,
    /// Share of transactions whose outcome no client learns; half of them happen
    #[arg(long, value_name = "SHARE", default_value_t = Settings::default().unknown_share)]
    unknown_share: f64,
    /// Share of transactions that their clients abort
    #[arg(long, value_name = "SHARE", default_value_t = Settings::default().abort_share)]
    abort_share: f64,
    /// Sites of a database that is parallel-snapshot-isolated or causal
    #[arg(long, value_name = "COUNT", default_value_t = Settings::default().sites)]
    sites: u32,
    /// How to write it: `edn`, `json`, `plume` (registers only), or `arrow`, as runs have it
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Text(TextFormat::default()))]
    format: Format,
    /// File to write; standard output if it is left out
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How a simulated history is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text(TextFormat),
    Arrow,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Text(format) => format.fmt(f),
            Format::Arrow => f.write_str("arrow"),
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("arrow", _) => Ok(Format::Arrow),
            (_, Ok(format)) => Ok(Format::Text(format)),
            _ => Err(format!("expected `edn`, `json`, `plume` or `arrow`, found `{text}`")),
        }
    }
}

impl Simulate {
    pub(super) fn execute(self) -> Result<u8, Error> {
        if let Some(path) = &self.output {
            new_file::refuse_existing(path)?;
        }
        if self.format == Format::Arrow && self.output.is_none() {
            return Err(Error::usage("expected a file to write to, found none")
                .hint("say `-o history.arrow`, or choose a format that is text"));
        }
        let settings = Settings {
            level: self.level,
            seed: self.seed,
            workload: self.workload,
            processes: self.processes,
            transactions: self.transactions,
            keys: self.keys,
            distribution: self.distribution,
            operations_max: self.operations,
            read_share: self.read_share,
            writes_per_key: self.writes_per_key,
            values: self.values,
            unknown_share: self.unknown_share,
            abort_share: self.abort_share,
            sites: self.sites,
        };
        let history = simulate(&settings).map_err(|error| Error::usage(error.to_string()))?;
        match (self.format, &self.output) {
            (Format::Arrow, Some(path)) => record(&history, path)?,
            (Format::Text(format), path) => write_text(&history, format, path.as_deref())?,
            (Format::Arrow, None) => {}
        }
        if let Some(path) = &self.output {
            say(&format!("{} transactions are in {}", history.len(), path.display()));
        }
        Ok(exit_code::EXPECTED)
    }
}

fn record(history: &History, path: &Path) -> Result<(), Error> {
    let mut recorder = arrow::Recorder::create(path)?;
    for entry in history.to_entries() {
        recorder.push(&entry)?;
    }
    recorder.finish()?;
    Ok(())
}
