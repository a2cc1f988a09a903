//! Sessions as AWDIT writes them for its tests: a step per line, a line of dashes after each
//! transaction but a session's last, a line of equals signs between sessions.
//!
//! ```text
//! w 0 1
//! -----
//! r 0 1
//! r 1 0
//! =====
//! w 1 2
//! ```
//!
//! `r 1 0` read 0 from register 1. Every transaction is committed. An empty one did nothing and is
//! left out.

use super::Options;
use super::error::{Problem, excerpt};
use super::numbers::Numbers;
use super::sessions::{Piece, Steps, history};
use crate::{History, Outcome};

/// Whether a line could be of this format: a step.
pub(super) fn is_step(line: &str) -> bool {
    let line = line.trim_end_matches('\r');
    let mut numbers = Numbers::new(line.as_bytes(), 1);
    let mut number = || numbers.skip(b' ').is_some() && numbers.number().is_some();
    line.starts_with(['r', 'w']) && number() && number() && numbers.is_over()
}

/// Whether a line ends a transaction or a session.
pub(super) fn is_rule(line: &str) -> bool {
    let line = line.trim_end_matches('\r');
    line.len() >= 3 && (line.bytes().all(|it| it == b'-') || line.bytes().all(|it| it == b'='))
}

pub(super) fn read(text: &str, options: &Options) -> Result<History, Problem> {
    let bytes = text.as_bytes();
    let first = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut pieces = Vec::new();
    let mut piece = Piece { round: 0, session: 0, start: first, end: first };
    let mut line = first;
    while line < bytes.len() {
        let next = end_of_line(bytes, line) + 1;
        if matches!(bytes[line], b'-' | b'=') {
            pieces.push(Piece { end: line, ..piece });
            piece = match bytes[line] {
                b'-' => Piece { round: piece.round + 1, start: next, ..piece },
                _ => Piece { round: 0, session: piece.session + 1, start: next, ..piece },
            };
            if !is_rule(text[line..].lines().next().unwrap_or_default()) {
                return Err(unexpected(text, line));
            }
        }
        line = next;
    }
    pieces.push(Piece { start: piece.start.min(bytes.len()), end: bytes.len(), ..piece });
    history(pieces, options, |piece, steps| transaction(text, piece, steps))
}

fn end_of_line(bytes: &[u8], line: usize) -> usize {
    memchr::memchr(b'\n', &bytes[line..]).map_or(bytes.len(), |end| line + end)
}

fn transaction(text: &str, piece: &Piece, steps: &mut Steps) -> Result<Outcome, Problem> {
    let bytes = &text.as_bytes()[..piece.end];
    let mut numbers = Numbers::new(bytes, piece.start);
    while let Some(line) = numbers.line() {
        let step = |numbers: &mut Numbers<'_>| {
            let name = numbers.any()?;
            numbers.skip(b' ')?;
            let key = numbers.number()?;
            numbers.skip(b' ')?;
            let value = numbers.number()?;
            numbers.end()?;
            Some((name, key, value))
        };
        match step(&mut numbers) {
            Some((b'r', key, value)) => {
                let (key, value) = (steps.number(key), steps.number(value));
                steps.read(key, value);
            }
            Some((b'w', key, value)) => {
                let (key, value) = (steps.number(key), steps.number(value));
                steps.write(key, value);
            }
            _ => return Err(unexpected(text, line)),
        }
    }
    Ok(Outcome::Ok)
}

fn unexpected(text: &str, line: usize) -> Problem {
    let found = excerpt(text, line);
    let text = format!(
        "expected a step like `r 1 2` or `w 1 2` (register and value, whole numbers of 64 bits), \
         or a line of `-----` or `=====`, found {found}"
    );
    Problem::new(line, text)
}
