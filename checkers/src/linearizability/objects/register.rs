//! The register: read, write, compare-and-set.

use perjury_history::{MicroOp, Names, Operation, Reading, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::linearizability::deciders::zones;
use crate::linearizability::object::{Call, Decision, SequentialObject, Unfit};

/// An operation on a register that took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegisterOperation {
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

/// A register, empty at first or with a value given.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    initial: Reading,
}

impl Default for Register {
    fn default() -> Self {
        Self { initial: Reading::Nil }
    }
}

impl Register {
    /// A register that holds this at first.
    pub fn holding(initial: Reading) -> Self {
        Self { initial }
    }
}

impl SequentialObject for Register {
    type State = Reading;
    type Operation = RegisterOperation;

    fn name(&self) -> &'static str {
        "register"
    }

    /// Inspections are no clients' reads: they tell nothing here.
    fn operation(&self, asked: &Operation<'_>) -> Result<Option<RegisterOperation>, Unfit> {
        Ok(match *asked.single().ok_or(Unfit)? {
            MicroOp::Read { result, .. } => result.map(Read),
            MicroOp::Write { value, .. } => Some(Write(value)),
            MicroOp::Cas { old, new, .. } => Some(Cas(old, new)),
            MicroOp::Inspect { .. } => None,
            _ => return Err(Unfit),
        })
    }

    fn initial(&self) -> Reading {
        self.initial
    }

    fn step(&self, state: &Reading, operation: &RegisterOperation) -> Option<Reading> {
        match *operation {
            Read(reading) => (reading == *state).then_some(*state),
            Write(value) => Some(Reading::Value(value)),
            Cas(old, new) => (*state == Reading::Value(old)).then_some(Reading::Value(new)),
        }
    }

    fn describe(&self, state: &Reading, names: &Names) -> String {
        state.value().map_or("nothing".to_owned(), |value| names.show(value).to_string())
    }

    fn observes_only(&self, operation: &RegisterOperation) -> bool {
        matches!(operation, Read(_))
    }

    fn is_as_able(&self, one: &RegisterOperation, other: &RegisterOperation) -> bool {
        match (*one, *other) {
            (Write(one), Write(other) | Cas(_, other)) => one == other,
            _ => one == other,
        }
    }

    fn decide(&self, calls: &[Call<RegisterOperation>]) -> Decision {
        zones::decide(calls, self.initial)
    }

    /// Unknown reads go. So do unknown mutations whose value nobody observed: in any order of the
    /// operations what follows such a one is a write or nothing, so the order is as good without
    /// it. An unknown mutation that alone wrote a value that *was* observed certainly happened, and
    /// before the first observation ended.
    fn reduce(&self, calls: Vec<Call<RegisterOperation>>) -> Vec<Call<RegisterOperation>> {
        if calls.iter().all(|call| call.returned.is_some()) {
            return calls;
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
                let alone = writers.len() == 1 && self.initial != Reading::Value(value);
                let earlier = alone && end < known && end > calls[writer].invoked;
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
