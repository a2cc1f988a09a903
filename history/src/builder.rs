//! Turns a stream of entries into a [`History`]: pairs completions with invocations and refuses
//! what cannot have happened.

use rustc_hash::FxHashMap;
use thiserror::Error;

use crate::history::Outcome;
use crate::rows::Completion;
use crate::{
    Entry, EventKind, EventRef, FaultEvent, History, MicroOp, Names, OperationId, Process,
};

/// Why an entry does not fit the history before it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("entry {index}: {problem}")]
pub struct HistoryError {
    /// Position of the entry in the record, from 0.
    pub index: usize,
    /// What was expected and what was found.
    pub problem: String,
}

/// Builds a [`History`] entry by entry.
#[derive(Clone, Debug, Default)]
pub struct HistoryBuilder {
    history: History,
    open: FxHashMap<Process, OperationId>,
    error_ids: FxHashMap<String, u32>,
    entries: usize,
    last_time_ns: u64,
}

impl HistoryBuilder {
    /// An empty history.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the next entry of the record.
    ///
    /// # Errors
    /// When the entry goes back in time, a process invokes while its last operation is open, or a
    /// completion has no invocation or answers another question than was asked. The builder is
    /// unchanged then.
    pub fn push(&mut self, entry: Entry) -> Result<(), HistoryError> {
        match entry {
            Entry::Operation(event) => self.push_event(&event.as_ref()),
            Entry::Fault(fault) => self.push_fault(fault),
        }
    }

    /// Appends the next event, which need not be owned; see [`push`](Self::push).
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_event(&mut self, event: &EventRef<'_>) -> Result<(), HistoryError> {
        self.check(event.time_ns, event.micro_ops.len())?;
        match event.kind {
            EventKind::Invoke => self.invoke(event)?,
            _ => self.complete(event)?,
        }
        self.advance(event.time_ns);
        Ok(())
    }

    /// What a process has asked and not been answered yet.
    pub fn asked(&self, process: Process) -> Option<&[MicroOp]> {
        let id = self.open.get(&process)?;
        Some(&self.history.micro_ops[self.history.micro_op_range(*id)])
    }

    fn push_fault(&mut self, fault: FaultEvent) -> Result<(), HistoryError> {
        let time_ns = fault.time_ns;
        self.check(time_ns, 0)?;
        self.history.faults.push(fault);
        self.advance(time_ns);
        Ok(())
    }

    fn check(&self, time_ns: u64, micro_ops: usize) -> Result<(), HistoryError> {
        if time_ns < self.last_time_ns {
            return Err(self.problem(format!(
                "expected times that do not go back, found {time_ns} ns after {} ns",
                self.last_time_ns
            )));
        }
        if self.entries.max(self.history.micro_ops.len() + micro_ops) >= u32::MAX as usize {
            return Err(self.problem(format!(
                "expected fewer than {} entries and micro-operations, found more; \
                 record shorter runs or split the history by key",
                u32::MAX
            )));
        }
        Ok(())
    }

    fn advance(&mut self, time_ns: u64) {
        self.last_time_ns = time_ns;
        self.entries += 1;
        self.history.end_ns = time_ns;
    }

    /// The names that the history's keys and values have, to add to.
    pub fn names(&mut self) -> &mut Names {
        &mut self.history.names
    }

    /// The order of the record means nothing between processes; see [`History::real_time`].
    pub fn forget_real_time(&mut self) {
        self.history.real_time = false;
    }

    /// The history so far. Operations that are still open have an unknown outcome.
    pub fn finish(mut self) -> History {
        self.history.entries = self.entries;
        self.history.shrink_to_fit();
        self.history
    }

    /// The next entry's index; [`push`](Self::push) sees to it that it fits.
    fn index(&self) -> u32 {
        self.entries as u32
    }

    fn problem(&self, problem: String) -> HistoryError {
        HistoryError { index: self.entries, problem }
    }

    fn invoke(&mut self, event: &EventRef<'_>) -> Result<(), HistoryError> {
        if let Some(&open) = self.open.get(&event.process) {
            return Err(self.problem(format!(
                "expected a completion of {process}'s operation {open}, found another invocation; \
                 a process does one thing at a time: give concurrent clients different processes",
                process = event.process,
            )));
        }
        if event.micro_ops.is_empty() {
            return Err(self.problem("expected at least one micro-operation, found none".into()));
        }
        let id = OperationId(self.history.rows.len() as u32);
        self.open.insert(event.process, id);
        self.history.rows.invoke(event.process, self.index(), event.time_ns, event.node);
        self.history.micro_ops.extend(event.micro_ops.iter().map(MicroOp::without_result));
        self.history.offsets.push(self.history.micro_ops.len() as u32);
        Ok(())
    }

    fn complete(&mut self, event: &EventRef<'_>) -> Result<(), HistoryError> {
        let Some(&id) = self.open.get(&event.process) else {
            return Err(self.problem(format!(
                "expected an invocation by {} before this `{}`, found none open",
                event.process,
                event.kind.name()
            )));
        };
        let asked = self.history.micro_op_range(id);
        // Only `ok` carries answers; what a failed or unknown operation says of its results is
        // nothing that a checker may use.
        if event.kind == EventKind::Ok {
            let questions = &self.history.micro_ops[asked.clone()];
            let answered = event.micro_ops.iter().map(MicroOp::without_result);
            if !answered.eq(questions.iter().cloned()) {
                return Err(self.problem(format!(
                    "expected an answer to {}'s operation {id} ({}), found one to ({})",
                    event.process,
                    list(questions),
                    list(event.micro_ops),
                )));
            }
            self.history.micro_ops[asked].clone_from_slice(event.micro_ops);
        }
        self.open.remove(&event.process);
        let error = event.error.map(|text| self.intern_error(text));
        let completion = Completion {
            outcome: match event.kind {
                EventKind::Ok => Outcome::Ok,
                EventKind::Fail => Outcome::Fail,
                EventKind::Info | EventKind::Invoke => Outcome::Info,
            },
            entry: self.index(),
            time_ns: event.time_ns,
            served_by: event.node,
            version: event.version,
            error,
        };
        self.history.rows.complete(id.0 as usize, &completion);
        Ok(())
    }

    fn intern_error(&mut self, text: &str) -> u32 {
        if let Some(&id) = self.error_ids.get(text) {
            return id;
        }
        let id = self.history.errors.len() as u32;
        self.history.errors.push(text.to_owned());
        self.error_ids.insert(text.to_owned(), id);
        id
    }
}

fn list(micro_ops: &[MicroOp]) -> String {
    micro_ops.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Reading};

    fn event(time_ns: u64, process: u32, kind: EventKind, op: MicroOp) -> Entry {
        Entry::Operation(Event {
            time_ns,
            process: Process(process),
            kind,
            micro_ops: vec![op],
            node: None,
            version: None,
            error: None,
        })
    }

    fn build(entries: Vec<Entry>) -> Result<History, HistoryError> {
        let mut builder = HistoryBuilder::new();
        for entry in entries {
            builder.push(entry)?;
        }
        Ok(builder.finish())
    }

    fn refused(entries: Vec<Entry>, expected: &str) {
        let problem = build(entries).expect_err("the history is malformed").to_string();
        assert!(problem.contains(expected), "expected `{expected}` in `{problem}`");
    }

    const WRITE: MicroOp = MicroOp::Write { key: 1, value: 2 };
    const READ: MicroOp = MicroOp::Read { key: 1, result: None };

    #[test]
    fn pairs_by_process_and_takes_answers_from_ok() {
        let answer = MicroOp::Read { key: 1, result: Some(Reading::Value(2)) };
        let history = build(vec![
            event(0, 0, EventKind::Invoke, WRITE),
            event(1, 1, EventKind::Invoke, READ),
            event(2, 0, EventKind::Ok, WRITE),
            event(3, 1, EventKind::Ok, answer.clone()),
        ])
        .expect("well formed");
        let read = history.get(OperationId(1));
        assert_eq!((read.invoked, read.completed), (1, Some(3)));
        assert_eq!(read.micro_ops, [answer]);
    }

    #[test]
    fn an_orphan_is_unknown_and_never_ends() {
        let history = build(vec![event(0, 0, EventKind::Invoke, WRITE)]).expect("well formed");
        let orphan = history.get(OperationId(0));
        assert_eq!(orphan.outcome, Outcome::Info);
        assert_eq!((orphan.completed, orphan.completed_ns), (None, None));
    }

    #[test]
    fn answers_of_unknown_operations_are_not_believed() {
        let claim = MicroOp::Read { key: 1, result: Some(Reading::Nil) };
        let history =
            build(vec![event(0, 0, EventKind::Invoke, READ), event(1, 0, EventKind::Info, claim)])
                .expect("well formed");
        assert_eq!(history.get(OperationId(0)).micro_ops, [READ]);
    }

    #[test]
    fn malformed_histories_are_refused() {
        let invoke = || event(5, 0, EventKind::Invoke, WRITE);
        refused(vec![invoke(), invoke()], "entry 1: expected a completion of p0's operation 0");
        refused(vec![event(0, 3, EventKind::Ok, WRITE)], "expected an invocation by p3");
        refused(vec![invoke(), event(4, 0, EventKind::Ok, WRITE)], "found 4 ns after 5 ns");
        refused(vec![invoke(), event(6, 0, EventKind::Ok, READ)], "found one to (read 1)");
    }
}
