//! Processes of histories that name none.
//!
//! An invocation gets an idle process. A completion is of the only open operation, or of the only
//! one that asked the same; where several could be meant, nothing is guessed.

use std::collections::BTreeSet;

use crate::{EventKind, MicroOp, Process};

#[derive(Debug, Default)]
pub(super) struct Untold {
    open: Vec<(Process, Vec<MicroOp>)>,
    idle: BTreeSet<Process>,
    count: u32,
}

impl Untold {
    /// The process of a new operation.
    pub(super) fn invoke(&mut self, asked: &[MicroOp]) -> Process {
        let process = self.idle.pop_first().unwrap_or_else(|| {
            self.count += 1;
            Process(self.count - 1)
        });
        self.open.push((process, asked.to_vec()));
        process
    }

    /// The process whose operation is the only one open.
    pub(super) fn only(&self) -> Option<Process> {
        match self.open.as_slice() {
            [(process, _)] => Some(*process),
            _ => None,
        }
    }

    /// The process that alone asked what this answers.
    pub(super) fn asked(&self, answer: &[MicroOp]) -> Option<Process> {
        let question = || answer.iter().map(MicroOp::without_result);
        let mut same = self.open.iter().filter(|(_, asked)| asked.iter().cloned().eq(question()));
        let first = same.next();
        first.filter(|_| same.next().is_none()).map(|(process, _)| *process)
    }

    /// The process's operation has ended. One with an unknown outcome may still take effect, so its
    /// process does nothing else.
    pub(super) fn complete(&mut self, process: Process, kind: EventKind) {
        self.open.retain(|(open, _)| *open != process);
        if kind != EventKind::Info {
            self.idle.insert(process);
        }
    }
}
