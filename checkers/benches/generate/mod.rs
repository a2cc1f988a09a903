//! Histories of a store that executes each operation at a random moment while it is open.

use perjury_history::{
    Entry, Event, EventKind, History, HistoryBuilder, MicroOp, Process, Reading, Value,
};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

const KEY: i64 = 0;

/// What may be wrong with a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    /// The last read shows a value that was overwritten long before, or that nobody wrote.
    LastRead,
    /// A read half-way shows another value, which may be there after all.
    MiddleRead,
}

/// One register under load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RegisterLoad {
    pub(crate) operations: usize,
    pub(crate) processes: usize,
    /// Values are drawn from this many; `None` if each is written once.
    pub(crate) values: Option<i64>,
    /// Share of operations that compare and set.
    pub(crate) cas: f64,
    /// Share of mutations whose outcome is unknown. Half of them happen.
    pub(crate) unknown: f64,
    /// What is wrong with it.
    pub(crate) wrong: Wrong,
    pub(crate) seed: u128,
}

impl RegisterLoad {
    pub(crate) fn history(&self) -> History {
        let mut random = Pcg64Mcg::new(self.seed << 1 | 1);
        let mut builder = HistoryBuilder::new();
        let mut state: Option<Value> = None;
        let mut open: Vec<Option<(MicroOp, Option<EventKind>)>> = vec![None; self.processes];
        let mut process: Vec<u32> = (0..self.processes as u32).collect();
        let (mut invoked, mut next, mut time_ns) = (0, 0, 0);
        let (mut overwritten, mut was_wrong) = (None, false);
        while invoked < self.operations || open.iter().any(Option::is_some) {
            time_ns += 10_000;
            let slot = random.random_range(0..self.processes);
            let mut push = |process, kind, micro_op| {
                let (process, micro_ops) = (Process(process), vec![micro_op]);
                let (node, version, error) = (None, None, None);
                let event = Event { time_ns, process, kind, micro_ops, node, version, error };
                builder.push(Entry::Operation(event)).expect("well formed");
            };
            match open[slot].take() {
                None if invoked < self.operations => {
                    next += 1;
                    let mut value = || match self.values {
                        Some(values) => random.random_range(0..values),
                        None => next,
                    };
                    let value = value();
                    let micro_op = match (random.random_range(0.0..1.0), state) {
                        (draw, _) if draw < 0.5 => MicroOp::read(KEY),
                        (draw, Some(held)) if draw < 0.5 + self.cas => {
                            let old = match self.values {
                                Some(values) if random.random_bool(0.5) => {
                                    random.random_range(0..values)
                                }
                                _ => held,
                            };
                            MicroOp::Cas { key: KEY, old, new: value }
                        }
                        _ => MicroOp::Write { key: KEY, value },
                    };
                    push(process[slot], EventKind::Invoke, micro_op.clone());
                    invoked += 1;
                    open[slot] = Some((micro_op, None));
                }
                None => {}
                Some((mut micro_op, None)) => {
                    let is_unknown = micro_op.is_mutation() && random.random_bool(self.unknown);
                    let happens = !is_unknown || random.random_bool(0.5);
                    let mut kind = if is_unknown { EventKind::Info } else { EventKind::Ok };
                    match &mut micro_op {
                        MicroOp::Read { result, .. } => {
                            let is_wrong = self.wrong == Wrong::MiddleRead
                                && !was_wrong
                                && invoked * 2 > self.operations;
                            was_wrong |= is_wrong;
                            let read = match self.values {
                                Some(values) if is_wrong => state.map(|it| (it + 1) % values),
                                None if is_wrong => overwritten,
                                _ => state,
                            };
                            *result = Some(Reading::from(read));
                        }
                        MicroOp::Write { value, .. } if happens => {
                            overwritten = overwritten.or(state);
                            state = Some(*value);
                        }
                        MicroOp::Cas { old, new, .. } if happens && state == Some(*old) => {
                            overwritten = overwritten.or(state);
                            state = Some(*new);
                        }
                        MicroOp::Cas { .. } if !is_unknown => kind = EventKind::Fail,
                        _ => {}
                    }
                    open[slot] = Some((micro_op, Some(kind)));
                }
                Some((micro_op, Some(kind))) => {
                    push(process[slot], kind, micro_op);
                    if kind == EventKind::Info {
                        process[slot] += self.processes as u32;
                    }
                }
            }
        }
        if self.wrong == Wrong::LastRead {
            // Nobody wrote it, which only a search through everything tells from what is unknown.
            let wrong = match self.values {
                Some(values) => values,
                None => overwritten.expect("something was overwritten"),
            };
            let process = Process(u32::MAX);
            for (kind, result) in
                [(EventKind::Invoke, None), (EventKind::Ok, Some(Reading::Value(wrong)))]
            {
                let micro_ops = vec![MicroOp::Read { key: KEY, result }];
                let (node, version, error) = (None, None, None);
                let event = Event { time_ns, process, kind, micro_ops, node, version, error };
                builder.push(Entry::Operation(event)).expect("well formed");
            }
        }
        builder.finish()
    }
}
