//! Histories that are lists of sessions: what each client did, one transaction after the other, and
//! nothing on who was first. Cobra, dbcop, PolySI, Plume and AWDIT write such, each in its own way;
//! what they share is here.
//!
//! A reader makes one pass to see where each transaction stands ([`Piece`]), which is where it finds
//! most of what is wrong, and then is asked for their steps, straight into the history's array. The
//! record goes in rounds: every session's first transaction, all at once, then every session's
//! second one,
//!
//! ```text
//! session 0   |--1--|     |--2--|
//! session 1   |--1--|     |--2--|
//! session 2   |--1--|
//! ```
//!
//! which is as much overlap as a record can show. It shows too little (the first transaction of one
//! session may have been after the last one of another), so the history says that its order means
//! nothing between sessions ([`History::real_time`]).
//!
//! Of registers that were never written these tools read 0. That is nil here, except where some
//! transaction wrote 0 to the register: then it is read from there.
//!
//! Cost: 36 bytes for a transaction while its place is known and sorted (Plume: twice that), beside the
//! file and the history.

use rustc_hash::FxHashSet;

use super::Options;
use super::error::Problem;
use crate::history::Outcome;
use crate::rows::Completion;
use crate::{History, HistoryBuilder, Key, MicroOp, Names, OperationId, Process, Reading, Value};

/// From event to event, as where no time is told elsewhere.
const STEP_NS: u64 = 1_000_000;

/// Where a transaction stands, or part of one: some formats have it in several places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Which of its session's transactions it is, from 0.
    pub(super) round: u32,
    pub(super) session: u32,
    /// First byte.
    pub(super) start: usize,
    /// The byte after the last.
    pub(super) end: usize,
}

/// The micro-operations of the transaction that is being read.
#[derive(Debug)]
pub(super) struct Steps {
    history: History,
    /// Registers to which the transaction at hand writes 0, and those to which one did.
    zeros: Vec<Key>,
    zeroed: FxHashSet<Key>,
}

impl Steps {
    /// What a number is here; one among those kept for names has a name.
    #[inline]
    pub(super) fn number(&mut self, number: i64) -> i64 {
        match Names::is_plain(number) {
            true => number,
            false => self.history.names.number(&number.to_string()),
        }
    }

    /// The same for a number without a sign.
    pub(super) fn unsigned(&mut self, number: u64) -> i64 {
        i64::try_from(number).unwrap_or_else(|_| self.history.names.number(&number.to_string()))
    }

    /// A read; of 0 if nothing was there.
    #[inline]
    pub(super) fn read(&mut self, key: Key, value: Value) {
        let reading = if value == 0 { Reading::Nil } else { Reading::Value(value) };
        self.history.micro_ops.push(MicroOp::Read { key, result: Some(reading) });
    }

    #[inline]
    pub(super) fn write(&mut self, key: Key, value: Value) {
        if value == 0 {
            self.zeros.push(key);
        }
        self.history.micro_ops.push(MicroOp::Write { key, value });
    }
}

/// Makes a history of transactions whose pieces are known. `read` adds the steps of a piece and
/// returns what became of the transaction. One without steps is left out.
///
/// # Errors
/// As `read`, or if there is nothing or too much to read.
pub(super) fn history(
    mut pieces: Vec<Piece>,
    options: &Options,
    mut read: impl FnMut(&Piece, &mut Steps) -> Result<Outcome, Problem>,
) -> Result<History, Problem> {
    // Stable: the pieces of one transaction stay in their order.
    pieces.sort_by_key(|piece| (piece.round, piece.session));
    let mut builder = HistoryBuilder::new();
    builder.forget_real_time();
    let history = builder.finish();
    let mut steps = Steps { history, zeros: Vec::new(), zeroed: FxHashSet::default() };
    let mut open = Vec::new();
    for round in pieces.chunk_by(|one, other| one.round == other.round) {
        for transaction in round.chunk_by(|one, other| one.session == other.session) {
            steps.transaction(transaction, &mut read, &mut open)?;
        }
        for (id, outcome) in open.drain(..) {
            steps.complete(id, outcome);
        }
    }
    if steps.history.is_empty() {
        let end = pieces.iter().map(|piece| piece.end).max().unwrap_or(0);
        let text = "expected at least one transaction of a read or write, found none";
        return Err(Problem::new(end, text));
    }
    steps.settle_nil(options.initial.is_some());
    steps.settle_names();
    steps.history.shrink_to_fit();
    Ok(steps.history)
}

impl Steps {
    fn transaction(
        &mut self,
        pieces: &[Piece],
        read: &mut impl FnMut(&Piece, &mut Steps) -> Result<Outcome, Problem>,
        open: &mut Vec<(OperationId, Outcome)>,
    ) -> Result<(), Problem> {
        let first = self.history.micro_ops.len();
        let mut outcome = Outcome::Ok;
        for piece in pieces {
            outcome = read(piece, self)?;
        }
        let History { micro_ops, rows, offsets, entries, .. } = &mut self.history;
        if micro_ops.len() == first {
            return Ok(());
        }
        // Each transaction has two entries.
        if (*entries + open.len()).max(micro_ops.len()) + 2 >= u32::MAX as usize {
            let text = format!(
                "expected fewer than {} entries and reads and writes, found more; split the \
                 history",
                u32::MAX
            );
            return Err(Problem::new(pieces[0].start, text));
        }
        match outcome {
            Outcome::Fail => self.zeros.clear(),
            Outcome::Ok | Outcome::Info => self.zeroed.extend(self.zeros.drain(..)),
        }
        if outcome != Outcome::Ok {
            // Only of what is ok the answers count.
            for micro_op in &mut micro_ops[first..] {
                *micro_op = micro_op.without_result();
            }
        }
        open.push((OperationId(rows.len() as u32), outcome));
        let (entry, time_ns) = (*entries as u32, *entries as u64 * STEP_NS);
        rows.invoke(Process(pieces[0].session), entry, time_ns, None);
        offsets.push(micro_ops.len() as u32);
        *entries += 1;
        self.history.end_ns = time_ns;
        Ok(())
    }

    /// What nobody saw the end of has no completion.
    fn complete(&mut self, id: OperationId, outcome: Outcome) {
        if outcome == Outcome::Info {
            return;
        }
        let (entry, time_ns) = (self.history.entries as u32, self.history.entries as u64 * STEP_NS);
        let (served_by, version, error) = (None, None, None);
        let completion = Completion { outcome, entry, time_ns, served_by, version, error };
        self.history.rows.complete(id.0 as usize, &completion);
        self.history.entries += 1;
        self.history.end_ns = time_ns;
    }

    /// Reads of 0 are of a write of 0 where there is one. The others tell nothing if what registers
    /// held at first is known.
    fn settle_nil(&mut self, nil_tells_nothing: bool) {
        if self.zeroed.is_empty() && !nil_tells_nothing {
            return;
        }
        for micro_op in &mut self.history.micro_ops {
            if let MicroOp::Read { key, result: result @ Some(Reading::Nil) } = micro_op {
                *result = match self.zeroed.contains(key) {
                    true => Some(Reading::Value(0)),
                    false if nil_tells_nothing => None,
                    false => Some(Reading::Nil),
                };
            }
        }
    }

    /// Numbers names in the order in which the record has them, as every reader does.
    fn settle_names(&mut self) {
        let before = std::mem::take(&mut self.history.names);
        if before.is_empty() {
            return;
        }
        let record = self.history.record();
        let History { names, micro_ops, offsets, .. } = &mut self.history;
        let mut settle = |number: &mut i64| {
            if let Some(text) = before.text(*number) {
                *number = names.number(text);
            }
        };
        // A number that has been settled may look like another that has not, so each is met once:
        // keys and what is written at the invocation, what was read at the completion.
        for (id, completes) in record.into_iter().flatten() {
            let row = id.0 as usize;
            for micro_op in &mut micro_ops[offsets[row] as usize..offsets[row + 1] as usize] {
                match micro_op {
                    MicroOp::Read { result: Some(Reading::Value(value)), .. } if completes => {
                        settle(value);
                    }
                    MicroOp::Read { key, .. } if !completes => settle(key),
                    MicroOp::Write { key, value } if !completes => {
                        settle(key);
                        settle(value);
                    }
                    _ => {}
                }
            }
        }
    }
}
