//! Writes transactions on registers in Plume's lines, for checkers of isolation that know no more.
//!
//! ```text
//! w(1,10,0,0)
//! r(1,10,3,1)
//! ```
//!
//! A line is a step: register, value, session and transaction. What was not there is 0. These lines
//! tell no times and no outcomes.

use std::io::{self, Write};

use rustc_hash::FxHashSet;

use crate::{History, Key, MicroOp, Outcome, Reading, Value};

/// Writes a history of transactions on registers in Plume's lines, which tell sessions and no times,
/// and returns how many operations are left out: those that failed, and those that may not have
/// happened, unless somebody read what they wrote.
///
/// # Errors
/// If `out` does not take it; of the kind [`InvalidData`](io::ErrorKind::InvalidData) if these lines
/// cannot tell such a history.
pub fn write(history: &History, out: &mut impl Write) -> io::Result<usize> {
    let read = what_was_read(history);
    let mut left_out = 0;
    for operation in history.iter() {
        let was_read =
            |it: &MicroOp| it.written().is_some_and(|value| read.contains(&(it.key(), value)));
        let happened = match operation.outcome {
            Outcome::Ok => true,
            Outcome::Info => operation.micro_ops.iter().any(was_read),
            Outcome::Fail => false,
        };
        left_out += usize::from(!happened);
        for micro_op in operation.micro_ops {
            let (name, key, value) = step(history, micro_op)?;
            if let Some(value) = value.filter(|_| happened) {
                writeln!(out, "{name}({key},{value},{},{})", operation.process.0, operation.id)?;
            }
        }
    }
    Ok(left_out)
}

/// Registers with values that were read, where it matters.
fn what_was_read(history: &History) -> FxHashSet<(Key, Value)> {
    let mut read = FxHashSet::default();
    if history.iter().all(|it| it.outcome != Outcome::Info) {
        return read;
    }
    for micro_op in history.iter().flat_map(|it| it.micro_ops) {
        if let MicroOp::Read { key, result: Some(Reading::Value(value)) } = *micro_op {
            read.insert((key, value));
        }
    }
    read
}

/// What a step is in these lines; without a value if its answer is unknown.
fn step(history: &History, micro_op: &MicroOp) -> io::Result<(char, Key, Option<Value>)> {
    let refuse = |found: String| {
        let text = format!(
            "expected transactions that read and write registers, with whole numbers for registers \
             and values, and never 0 as a value, found {found}; these lines can tell nothing else"
        );
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    };
    let (name, key, value) = match *micro_op {
        MicroOp::Read { key, result } => ('r', key, result.map(|it| it.value().unwrap_or(0))),
        MicroOp::Write { key, value } => ('w', key, Some(value)),
        _ => return refuse(format!("`{}`", micro_op.function())),
    };
    let is_zero = micro_op.written() == Some(0)
        || matches!(micro_op, MicroOp::Read { result: Some(Reading::Value(0)), .. });
    if is_zero {
        return refuse("a value of 0".into());
    }
    let mut numbers = [Some(key), value].into_iter().flatten();
    match numbers.find_map(|number| history.names().text(number)) {
        Some(text) => refuse(format!("`{text}`")),
        None => Ok((name, key, value)),
    }
}
