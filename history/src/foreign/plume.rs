//! Steps of sessions as Plume and PolySI write them: `r(key,value,session,transaction)` or
//! `w(...)`, one per line.
//!
//! ```text
//! w(0,1,1,1)
//! r(0,1,2,2)
//! r(1,0,2,2)
//! ```
//!
//! Lines of one transaction usually follow each other, and need not. The transactions of a session
//! are in the order in which they first appear. Every transaction is committed.

use rustc_hash::FxHashMap;

use super::Options;
use super::error::{Problem, excerpt};
use super::numbers::Numbers;
use super::sessions::{Piece, Steps, history};
use crate::{History, Outcome};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    is_read: bool,
    key: i64,
    value: i64,
    session: i64,
    transaction: i64,
}

impl Line {
    /// Reads a line and its end.
    #[inline]
    fn read(numbers: &mut Numbers<'_>) -> Option<Line> {
        let is_read = match numbers.any()? {
            b'r' => true,
            b'w' => false,
            _ => return None,
        };
        numbers.skip(b'(')?;
        let key = numbers.number()?;
        numbers.skip(b',')?;
        let value = numbers.number()?;
        numbers.skip(b',')?;
        let session = numbers.number()?;
        numbers.skip(b',')?;
        let transaction = numbers.number()?;
        numbers.skip(b')')?;
        numbers.end()?;
        Some(Line { is_read, key, value, session, transaction })
    }
}

pub(super) fn is_step(line: &str) -> bool {
    Line::read(&mut Numbers::new(line.as_bytes(), 0)).is_some()
}

pub(super) fn read(text: &str, options: &Options) -> Result<History, Problem> {
    history(pieces(text)?, options, |piece, steps| transaction(text, piece, steps))
}

/// Where the lines of each transaction stand.
fn pieces(text: &str) -> Result<Vec<Piece>, Problem> {
    let first = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut numbers = Numbers::new(text.as_bytes(), first);
    // Of each session its number here and how many transactions it has.
    let mut sessions: FxHashMap<i64, (u32, u32)> = FxHashMap::default();
    let mut rounds: FxHashMap<(u32, i64), u32> = FxHashMap::default();
    let mut pieces: Vec<Piece> = Vec::new();
    let mut last = None;
    while let Some(start) = numbers.line() {
        let line = Line::read(&mut numbers).ok_or_else(|| unexpected(text, start))?;
        let this = (line.session, line.transaction);
        if last != Some(this) {
            last = Some(this);
            let count = sessions.len() as u32;
            let (session, transactions) = sessions.entry(line.session).or_insert((count, 0));
            let round = *rounds.entry((*session, line.transaction)).or_insert_with(|| {
                *transactions += 1;
                *transactions - 1
            });
            if let Some(before) = pieces.last_mut() {
                before.end = start;
            }
            pieces.push(Piece { round, session: *session, start, end: text.len() });
        }
    }
    Ok(pieces)
}

fn transaction(text: &str, piece: &Piece, steps: &mut Steps) -> Result<Outcome, Problem> {
    let mut numbers = Numbers::new(&text.as_bytes()[..piece.end], piece.start);
    while let Some(start) = numbers.line() {
        let line = Line::read(&mut numbers).ok_or_else(|| unexpected(text, start))?;
        let (key, value) = (steps.number(line.key), steps.number(line.value));
        match line.is_read {
            true => steps.read(key, value),
            false => steps.write(key, value),
        }
    }
    Ok(Outcome::Ok)
}

fn unexpected(text: &str, line: usize) -> Problem {
    let found = excerpt(text, line);
    let text = format!(
        "expected a step like `r(1,2,3,4)` or `w(1,2,3,4)` (register, value, session and \
         transaction, whole numbers of 64 bits), found {found}"
    );
    Problem::new(line, text)
}
