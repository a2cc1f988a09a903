//! Logs of Cobra's clients: a folder with a `.log` of each client, which is a session.
//!
//! A log is a row of records, whose numbers are big endian and of eight bytes:
//!
//! ```text
//! S transaction                                   it begins
//! R writer-transaction write key value-hash       it read what that write wrote
//! W write key value-hash                          it wrote
//! C transaction                                   it is committed
//! ```
//!
//! Every write has a number of its own, which its readers name: this number is the value here, for
//! the hash of what was written need not be unique. A read of what was there at first names
//! `0xbebeebee` as its writer, one that found nothing `0xdeadbeef`. A transaction at the end of a log
//! without its commit has an unknown outcome; aborted ones are in no log.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Options;
use super::binary::Binary;
use super::error::{ForeignError, Problem};
use super::sessions::{Piece, Steps, history};
use crate::{History, Outcome};

const INITIAL: u64 = 0xbebe_ebee;
const NOTHING: u64 = 0xdead_beef;

/// Whether a file begins as a log does. Transactions' numbers do not take all eight bytes, so no
/// text begins like it.
pub(super) fn is_log(bytes: &[u8]) -> bool {
    bytes.len() >= 18 && bytes[0] == b'S' && bytes[1] == 0 && matches!(bytes[9], b'R' | b'W' | b'C')
}

/// Whether a folder has logs, and they look like logs.
pub(super) fn is_folder(folder: &Path) -> bool {
    let begins_well = |path: &PathBuf| {
        let mut begins = [0; 18];
        fs::File::open(path).is_ok_and(|mut log| log.read_exact(&mut begins).is_ok())
            && is_log(&begins)
    };
    logs(folder).is_ok_and(|logs| logs.iter().any(begins_well))
}

/// The logs in a folder, by their numbers where their names have any; none if it is no such folder.
///
/// # Errors
/// If the folder cannot be read.
pub(super) fn logs(folder: &Path) -> Result<Vec<PathBuf>, ForeignError> {
    let unreadable = |error| ForeignError::unreadable(folder, &error);
    let mut logs = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".log")
            && path.is_file()
        {
            let digits = name.trim_start_matches(|it: char| !it.is_ascii_digit());
            logs.insert((digits.parse::<u64>().ok(), name.to_owned()), path);
        }
    }
    Ok(logs.into_values().collect())
}

/// Reads all logs. A problem comes with the log that has it.
pub(super) fn read(logs: &[Vec<u8>], options: &Options) -> Result<History, (usize, Problem)> {
    let mut pieces = Vec::new();
    for (session, log) in logs.iter().enumerate() {
        let (mut start, mut round) = (0, 0);
        while start < log.len() {
            let (_, end) = transaction(log, start, None).map_err(|problem| (session, problem))?;
            pieces.push(Piece { round, session: session as u32, start, end });
            (start, round) = (end, round + 1);
        }
    }
    let mut at = 0;
    let read = history(pieces, options, |piece, steps| {
        at = piece.session as usize;
        transaction(&logs[at], piece.start, Some(steps)).map(|(outcome, _)| outcome)
    });
    read.map_err(|problem| (at, problem))
}

/// Passes over a transaction, adds its steps where they are wanted, and returns its outcome and its
/// end.
fn transaction(
    log: &[u8],
    start: usize,
    mut steps: Option<&mut Steps>,
) -> Result<(Outcome, usize), Problem> {
    let mut binary = Binary::new(log, start);
    let begins = binary.byte("a record")?;
    if begins != b'S' {
        return Err(unexpected(start, "`S`, the beginning of a transaction", begins));
    }
    let id = binary.big_endian("the transaction's number")?;
    while binary.left() > 0 {
        let at = binary.at();
        match binary.byte("a record")? {
            b'R' => {
                let writer = binary.big_endian("the transaction that was read from")?;
                let write = binary.big_endian("the write that was read")?;
                let key = binary.big_endian("the key that was read")?;
                binary.big_endian("the hash of what was read")?;
                if let Some(steps) = &mut steps {
                    let found = !matches!(writer, INITIAL | NOTHING);
                    let (key, write) = (steps.number(key.cast_signed()), steps.unsigned(write));
                    steps.read(key, if found { write } else { 0 });
                }
            }
            b'W' => {
                let write = binary.big_endian("the write's number")?;
                let key = binary.big_endian("the key that was written")?;
                binary.big_endian("the hash of what was written")?;
                if let Some(steps) = &mut steps {
                    let (key, write) = (steps.number(key.cast_signed()), steps.unsigned(write));
                    steps.write(key, write);
                }
            }
            b'C' => {
                let found = binary.big_endian("the transaction's number")?;
                if found != id {
                    let text =
                        format!("expected the commit of transaction {id}, found that of {found}");
                    return Err(Problem::new(at, text));
                }
                return Ok((Outcome::Ok, binary.at()));
            }
            other => return Err(unexpected(at, "`R`, `W` or `C`", other)),
        }
    }
    Ok((Outcome::Info, binary.at()))
}

fn unexpected(at: usize, expected: &str, found: u8) -> Problem {
    let found = char::from(found).escape_default();
    Problem::new(at, format!("expected a record of a transaction, {expected}, found `{found}`"))
}
