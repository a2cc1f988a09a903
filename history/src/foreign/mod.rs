//! Histories of others: what Jepsen, Knossos, Elle, Porcupine, LiMo, Cobra, dbcop, PolySI, Plume and
//! AWDIT recorded.
//!
//! ```
//! use perjury_history::foreign::{self, Object, Options};
//!
//! let text = "
//!     {:process 0, :type :invoke, :f :write, :value 1}
//!     {:process 1, :type :invoke, :f :read, :value nil}
//!     {:process 0, :type :ok, :f :write, :value 1}
//!     {:process 1, :type :ok, :f :read, :value 1}";
//! let foreign = foreign::read_bytes(text.as_bytes(), "history.edn", &Options::default())?;
//! assert_eq!(foreign.object, Object::Register);
//! assert_eq!(foreign.history.len(), 2);
//! # Ok::<(), foreign::ForeignError>(())
//! ```
//!
//! A text is read in one pass: a form at a time onto a tape (`tape.rs`, by `edn.rs` or `json.rs`),
//! from there an event (`event.rs`), from that the micro-operations (`convert.rs`). What the words
//! of a history mean (`words.rs`) depends on what it acts upon, which the first events tell well
//! enough to begin; what all of them told (`facts.rs`) is compared in the end, and if the guess was
//! wrong the text is read once more.
//!
//! Some histories are lists of sessions of transactions on registers instead (`sessions.rs`, with a
//! file for each form: `awdit.rs`, `cobra.rs`, `dbcop.rs`, `plume.rs`). Nothing in them has to be
//! guessed, and as they can be very long they go straight into the history's arrays.
//!
//! Memory: the text itself, the history, and a tape for the longest operation, which may take up 64
//! MiB of text and then eight times as much on the tape. Nesting is bounded, and nothing recurses
//! deeper than it.

mod awdit;
mod binary;
mod clock;
mod cobra;
mod convert;
mod dbcop;
mod edn;
mod error;
mod event;
mod facts;
mod faults;
mod json;
mod limo;
mod log;
mod numbers;
mod plume;
mod processes;
mod sessions;
mod source;
mod tape;
pub(crate) mod texts;
mod untold;
pub(crate) mod words;

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use serde::Serialize;

pub use error::ForeignError;
pub use words::Object;

use convert::Converter;
use error::Problem;
use facts::{Facts, Understanding};
use source::Source;
use tape::Tape;

use crate::{History, Value};

/// How a history is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Maps in EDN: one per line, or in a vector or list. Jepsen, Knossos, Elle, Porcupine.
    Edn,
    /// Objects in JSON: one per line, or in an array. Jepsen, elle-cli.
    Json,
    /// Lines of Jepsen's log, as Porcupine reads them.
    PorcupineLog,
    /// Calls and returns, as LiMo reads them.
    LiMo,
    /// Sessions of transactions in binary form: dbcop, PolySI, VeriStrong.
    Dbcop,
    /// A folder of logs, one of each client: Cobra.
    Cobra,
    /// Steps of transactions, `r(key,value,session,transaction)`: Plume, PolySI.
    Plume,
    /// Steps of transactions, `r key value`, with lines between: AWDIT's tests.
    Awdit,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 8] = [
        Format::Edn,
        Format::Json,
        Format::PorcupineLog,
        Format::LiMo,
        Format::Dbcop,
        Format::Cobra,
        Format::Plume,
        Format::Awdit,
    ];

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Format::Edn => "edn",
            Format::Json => "json",
            Format::PorcupineLog => "porcupine-log",
            Format::LiMo => "limo",
            Format::Dbcop => "dbcop",
            Format::Cobra => "cobra",
            Format::Plume => "plume",
            Format::Awdit => "awdit",
        }
    }

    /// The format of a file that is no text, by its first bytes.
    fn of_binary(bytes: &[u8]) -> Option<Self> {
        match () {
            () if cobra::is_log(bytes) => Some(Format::Cobra),
            () if dbcop::is_history(bytes) => Some(Format::Dbcop),
            () => None,
        }
    }

    /// The format of a text, by what stands in it.
    fn of(text: &str) -> Option<Self> {
        /// A log may begin with other lines.
        const LINES_MAX: usize = 1_000;
        let text = text.trim_start_matches('\u{feff}');
        let mut lines = text.lines().take(LINES_MAX).filter(|line| !line.trim().is_empty());
        // A comment of EDN begins with `;`, one of LiMo with `#` and a blank.
        let is_limo = |line: &str| line.starts_with("# ") || limo::is_event(line);
        let first = lines.next()?;
        if is_limo(first) {
            return Some(Format::LiMo);
        }
        if plume::is_step(first) {
            return Some(Format::Plume);
        }
        if awdit::is_step(first) || awdit::is_rule(first) {
            return Some(Format::Awdit);
        }
        if log::is_event(first) || lines.any(log::is_event) {
            return Some(Format::PorcupineLog);
        }
        let at = edn::skip_blank(text, 0);
        let brackets = |it: char| matches!(it, '[' | '{') || it.is_whitespace();
        let inside = text[at..].trim_start_matches(brackets);
        let is_json = inside.strip_prefix('"').and_then(|it| it.split_once('"'));
        match is_json.is_some_and(|(_, after)| after.trim_start().starts_with(':')) {
            true => Some(Format::Json),
            false => text[at..].starts_with(['{', '[', '(', '#', '^']).then_some(Format::Edn),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Format::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let known = Format::ALL.map(Format::name).join(", ");
            format!("expected one of {known}, found `{text}`")
        })
    }
}

/// What is known beforehand. By default nothing is, and the text tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How the history is written.
    pub format: Option<Format>,
    /// What its operations act upon.
    pub object: Option<Object>,
    /// Whether values are pairs of key and value.
    pub keyed: Option<bool>,
    /// What registers hold at first. A read of nil then tells nothing, as Knossos has it, for a
    /// register never holds nil.
    pub initial: Option<Value>,
}

/// A foreign history that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What it tells.
    pub history: History,
    /// How it was written.
    pub format: Format,
    /// What its words were understood to speak of.
    pub object: Object,
    /// Whether it tells times; else events are a millisecond apart.
    pub timed: bool,
    /// What was done about oddities, for people.
    pub warnings: Vec<String>,
}

/// Whether a folder is a history: it has logs of Cobra's clients.
pub fn is_history_folder(folder: &Path) -> bool {
    folder.is_dir() && cobra::is_folder(folder)
}

/// Reads a file, or a folder that [is a history](is_history_folder); see [`read_bytes`].
///
/// # Errors
/// If the file cannot be read, or as [`read_bytes`].
pub fn read(path: impl AsRef<Path>, options: &Options) -> Result<Foreign, ForeignError> {
    let path = path.as_ref();
    let load = |path: &Path| fs::read(path).map_err(|error| ForeignError::unreadable(path, &error));
    if !path.is_dir() {
        return read_bytes(&load(path)?, path, options);
    }
    let paths = cobra::logs(path)?;
    let logs = paths.iter().map(|path| load(path)).collect::<Result<Vec<_>, _>>()?;
    if logs.is_empty() || options.format.is_some_and(|format| format != Format::Cobra) {
        let text = "expected a file, or a folder with logs of Cobra (`T0.log` and so on), found \
                    another folder";
        return Err(Problem::new(0, text).in_binary_file(path));
    }
    cobra::read(&logs, options)
        .map(|history| of_sessions(history, Format::Cobra))
        .map_err(|(log, problem)| problem.in_binary_file(&paths[log]))
}

/// Reads a history that is in memory; `path` is what errors call it.
///
/// # Errors
/// If it is no history, or one that cannot have happened or cannot be said in our words, with line,
/// byte, what was expected and what was found.
pub fn read_bytes(
    bytes: &[u8],
    path: impl AsRef<Path>,
    options: &Options,
) -> Result<Foreign, ForeignError> {
    let path = path.as_ref();
    let format = options.format.or_else(|| Format::of_binary(bytes));
    let read = match format {
        Some(Format::Dbcop) => dbcop::read(bytes, options),
        Some(Format::Cobra) => {
            cobra::read(&[bytes.to_vec()], options).map_err(|(_, problem)| problem)
        }
        _ => return read_text(bytes, options).map_err(|it| it.in_file(path, bytes)),
    };
    let format = format.unwrap_or(Format::Dbcop);
    read.map(|history| of_sessions(history, format)).map_err(|it| it.in_binary_file(path))
}

/// Sessions tell no times, and their words mean one thing.
fn of_sessions(history: History, format: Format) -> Foreign {
    let (object, timed, warnings) = (Object::MultiRegister, false, Vec::new());
    Foreign { history, format, object, timed, warnings }
}

fn read_text(bytes: &[u8], options: &Options) -> Result<Foreign, Problem> {
    /// So many events tell nearly always what a history is about.
    const GUESSED_FROM: usize = 1_000;
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Problem::new(
            error.valid_up_to(),
            "expected text in UTF-8, found other bytes; is this a history?",
        )
    })?;
    if text.trim().is_empty() {
        return Err(Problem::new(0, "expected a history, found an empty file"));
    }
    let format = options.format.or_else(|| Format::of(text)).ok_or_else(|| {
        let text = "expected a history in EDN, in JSON, as a log of Jepsen, in LiMo's, Plume's or \
                    AWDIT's lines, or as dbcop's or Cobra's binary files, found something else; \
                    if it is one of these, say which";
        Problem::new(0, text)
    })?;
    match format {
        Format::Plume => return plume::read(text, options).map(|it| of_sessions(it, format)),
        Format::Awdit => return awdit::read(text, options).map(|it| of_sessions(it, format)),
        _ => {}
    }
    let mut guess = Facts::default();
    let mut own = None;
    look(text, format, GUESSED_FROM, &mut guess, &mut own)?;
    let understood = |facts: &Facts| {
        let mut understanding = own.clone().unwrap_or_else(|| facts.understanding());
        understanding.object = options.object.unwrap_or(understanding.object);
        understanding.keyed = options.keyed.unwrap_or(understanding.keyed);
        understanding
    };
    let first = understood(&guess);
    let mut facts = Facts::default();
    let read = convert(text, format, &first, options, &mut facts);
    if read.is_err() {
        // What stands behind the problem may tell that the guess was wrong. What cannot be read at
        // all is the problem already.
        facts = Facts::default();
        let _ = look(text, format, usize::MAX, &mut facts, &mut None);
    }
    let second = understood(&facts);
    match second == first {
        true => read,
        false => convert(text, format, &second, options, &mut Facts::default()),
    }
}

/// Notes what the first events tell.
fn look(
    text: &str,
    format: Format,
    events_max: usize,
    facts: &mut Facts,
    own: &mut Option<Understanding>,
) -> Result<(), Problem> {
    let mut source = Source::new(text, format);
    let mut tape = Tape::new(text);
    while facts.events < events_max
        && let Some(event) = source.next(&mut tape)?
    {
        if facts.events == 0
            && let Some(object) = event.object.and_then(Object::named)
        {
            let keyed = event.keyed;
            *own = Some(Understanding { object, keyed, accounts: Vec::new(), own: true });
        }
        facts.note(&event, &tape);
    }
    Ok(())
}

fn convert(
    text: &str,
    format: Format,
    understanding: &Understanding,
    options: &Options,
    facts: &mut Facts,
) -> Result<Foreign, Problem> {
    let mut source = Source::new(text, format);
    let mut tape = Tape::new(text);
    let mut converter = Converter::new(format, understanding, options);
    while let Some(event) = source.next(&mut tape)? {
        facts.note(&event, &tape);
        converter.event(&event, &tape)?;
    }
    if facts.events == 0 {
        return Err(Problem::new(text.len(), "expected at least one operation, found none"));
    }
    let mut warnings = Vec::new();
    let (times, most_ns) = converter.clock.back;
    if times > 0 {
        warnings.push(format!(
            "{times} times went back by up to {most_ns} ns; they count as the time before them"
        ));
    }
    if converter.processes.successors > 0 {
        warnings.push(format!(
            "{} processes went on after an outcome that nobody learnt; their successors have new \
             numbers",
            converter.processes.successors
        ));
    }
    if source.skipped > 0 {
        warnings.push(format!("{} lines that tell no operation were passed over", source.skipped));
    }
    let timed = converter.clock.is_told();
    Ok(Foreign {
        history: converter.builder.finish(),
        format,
        object: understanding.object,
        timed,
        warnings,
    })
}
