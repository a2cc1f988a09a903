//! Sessions in dbcop's binary form, which PolySI and VeriStrong use too (`history.bincode`).
//!
//! All numbers are little endian and of eight bytes:
//!
//! ```text
//! id, nodes, variables, transactions, events      what the recorder was asked for
//! info, start, end                                texts: length, then UTF-8
//! count of sessions
//!   count of transactions
//!     count of events
//!       is-write (byte), variable, value, success (byte)
//!     success (byte)
//! ```
//!
//! A transaction without success is one that failed. Its writes are kept: that is how a read of an
//! aborted write is known. An event without success inside a transaction that succeeded did not
//! happen and is left out.

use super::Options;
use super::binary::Binary;
use super::error::Problem;
use super::sessions::{Piece, Steps, history};
use crate::{History, Outcome};

/// Bytes of one event.
const EVENT: usize = 1 + 8 + 8 + 1;

/// Whether a file begins as one of this format does. Recorders say little of themselves, so texts
/// that go on for long are none.
pub(super) fn is_history(bytes: &[u8]) -> bool {
    const BYTES_MAX: usize = 4_096;
    let mut binary = Binary::new(&bytes[..bytes.len().min(BYTES_MAX)], 0);
    head(&mut binary).is_ok() && Binary::new(bytes, binary.at()).count("", 8).is_ok()
}

fn head(binary: &mut Binary<'_>) -> Result<(), Problem> {
    for name in ["an id", "nodes", "variables", "transactions", "events"] {
        binary.little_endian(name)?;
    }
    ["an info", "a start", "an end"].into_iter().try_for_each(|name| binary.text(name))
}

pub(super) fn read(bytes: &[u8], options: &Options) -> Result<History, Problem> {
    let mut binary = Binary::new(bytes, 0);
    head(&mut binary)?;
    let mut pieces = Vec::new();
    for session in 0..binary.count("the number of sessions", 8)? {
        for round in 0..binary.count("the number of transactions", 9)? {
            let start = binary.at();
            let events = binary.count("the number of events", EVENT)?;
            binary = Binary::new(bytes, binary.at() + events * EVENT);
            binary.flag("whether the transaction succeeded")?;
            // There are fewer than there are bytes, but a file may have more bytes than that.
            let [round, session] = [round, session].map(|it| u32::try_from(it).unwrap_or(u32::MAX));
            pieces.push(Piece { round, session, start, end: binary.at() });
        }
    }
    if binary.left() > 0 {
        let text = format!("expected the end of the file, found {} more bytes", binary.left());
        return Err(Problem::new(binary.at(), text));
    }
    history(pieces, options, |piece, steps| transaction(bytes, piece, steps))
}

fn transaction(bytes: &[u8], piece: &Piece, steps: &mut Steps) -> Result<Outcome, Problem> {
    let mut binary = Binary::new(bytes, piece.start);
    let events = binary.count("the number of events", EVENT)?;
    let succeeded = bytes.get(piece.end - 1) == Some(&1);
    for _ in 0..events {
        let is_write = binary.flag("whether the event is a write")?;
        let variable = binary.little_endian("a variable")?;
        let value = binary.little_endian("a value")?;
        let happened = binary.flag("whether the event succeeded")?;
        if succeeded && !happened {
            continue;
        }
        let (variable, value) = (steps.unsigned(variable), steps.unsigned(value));
        match is_write {
            true => steps.write(variable, value),
            false => steps.read(variable, value),
        }
    }
    Ok(if succeeded { Outcome::Ok } else { Outcome::Fail })
}
