//! The register: read, write, compare-and-set.

use perjury_history::{MicroOp, Operation, Outcome, Reading, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::sequential::{Call, SequentialModel};

/// An operation on a register that took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RegisterOperation {
    /// It held this.
    Read(Reading),
    /// It was set to this.
    Write(Value),
    /// It held the first and was set to the second.
    Cas(Value, Value),
}

use RegisterOperation::{Cas, Read, Write};

impl RegisterOperation {
    /// The value that it puts into the register.
    pub(crate) fn written(self) -> Option<Value> {
        match self {
            Write(value) | Cas(_, value) => Some(value),
            Read(_) => None,
        }
    }

    /// What it found in the register.
    pub(crate) fn observed(self) -> Option<Reading> {
        match self {
            Read(reading) => Some(reading),
            Cas(old, _) => Some(Reading::Value(old)),
            Write(_) => None,
        }
    }
}

/// The client's operation as a call; `None` if it tells nothing: it did not happen, it is a read
/// with unknown answer, or an inspection. It must be of a single micro-operation.
pub(crate) fn call(operation: &Operation<'_>) -> Option<Call<RegisterOperation>> {
    let asked = match *operation.single()? {
        MicroOp::Read { result, .. } => Read(result?),
        MicroOp::Write { value, .. } => Write(value),
        MicroOp::Cas { old, new, .. } => Cas(old, new),
        _ => return None,
    };
    let returned = match operation.outcome {
        Outcome::Ok => Some(operation.completed?),
        Outcome::Info => None,
        Outcome::Fail => return None,
    };
    Some(Call { id: operation.id, operation: asked, invoked: operation.invoked, returned })
}

/// A register that is empty at first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Register;

impl SequentialModel for Register {
    type State = Reading;
    type Operation = RegisterOperation;

    fn initial(&self) -> Reading {
        Reading::Nil
    }

    fn step(&self, state: Reading, operation: RegisterOperation) -> Option<Reading> {
        match operation {
            Read(reading) => (reading == state).then_some(state),
            Write(value) => Some(Reading::Value(value)),
            Cas(old, new) => (state == Reading::Value(old)).then_some(Reading::Value(new)),
        }
    }

    fn observes_only(&self, operation: RegisterOperation) -> bool {
        matches!(operation, Read(_))
    }

    /// Unknown reads go. So do unknown mutations whose value nobody observed: in any order of the
    /// operations what follows such a one is a write or nothing, so the order is as good without
    /// it. An unknown mutation that alone wrote a value that *was* observed certainly happened, and
    /// before the first observation ended.
    fn reduce(&self, calls: &[Call<RegisterOperation>]) -> Vec<Call<RegisterOperation>> {
        let is_unknown = |call: &&Call<RegisterOperation>| call.returned.is_none();
        if !calls.iter().any(|call| is_unknown(&call)) {
            return calls.to_vec();
        }
        let mut writers: FxHashMap<Value, Vec<usize>> = FxHashMap::default();
        for (index, call) in calls.iter().enumerate() {
            if let Some(value) = call.operation.written() {
                writers.entry(value).or_default().push(index);
            }
        }
        let observed_value =
            |call: &Call<RegisterOperation>| call.operation.observed().and_then(Reading::value);
        let mut kept: Vec<bool> = calls.iter().map(|call| call.returned.is_some()).collect();
        let mut reduced = calls.to_vec();
        // Values with the end of an observation of them, `u32::MAX` if it may not have happened.
        let mut pending: Vec<(Value, u32)> =
            calls.iter().filter_map(|call| Some((observed_value(call)?, call.returned?))).collect();
        while let Some((value, end)) = pending.pop() {
            let writers = writers.get(&value).map_or(&[][..], Vec::as_slice);
            for &writer in writers.iter().filter(|it| calls[**it].returned.is_none()) {
                let known = reduced[writer].returned.unwrap_or(u32::MAX);
                let earlier = writers.len() == 1 && end < known && end > calls[writer].invoked;
                if earlier {
                    reduced[writer].returned = Some(end);
                }
                if earlier || !kept[writer] {
                    kept[writer] = true;
                    let end = reduced[writer].returned.unwrap_or(u32::MAX);
                    pending.extend(observed_value(&calls[writer]).map(|value| (value, end)));
                }
            }
        }
        let mut kept = kept.into_iter();
        reduced.retain(|_| kept.next().expect("one for each call"));
        reduced
    }

    /// A value goes with all that wrote it, read it or compared against it, and so with the values
    /// that those put in its place. The time that the register held such a value is then the end of
    /// the time before it: what came next was a write, for no compare-and-set of the rest needs it.
    fn close_removal(&self, calls: &[Call<RegisterOperation>], chosen: &mut [bool]) {
        let mut gone: FxHashSet<Value> = FxHashSet::default();
        loop {
            let before = gone.len();
            for (call, chosen) in calls.iter().zip(chosen.iter_mut()) {
                let observed = call.operation.observed().and_then(Reading::value);
                let written = call.operation.written();
                *chosen |= observed.is_some_and(|value| gone.contains(&value));
                *chosen |= written.is_some_and(|value| gone.contains(&value));
                if *chosen {
                    gone.extend(written);
                }
            }
            if gone.len() == before {
                return;
            }
        }
    }
}
