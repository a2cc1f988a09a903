//! The counter: increment, read.

use perjury_history::{MicroOp, Names, Operation, Value};

use crate::linearizability::object::{SequentialObject, Unfit};

/// An operation on a counter that took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CounterOperation {
    /// This was added, or taken away if it is negative.
    Increment(Value),
    /// It stood at this.
    Read(Value),
}

use CounterOperation::{Increment, Read};

/// A counter. It stands at zero at first.
///
/// ```text
/// p0: inc(c,1)-  inc(c,1)-
/// p1:                       rc(c)=1-      two had been acknowledged
/// ```
///
/// It is decided by search, which equal increments make easy: what counts is how many of the open
/// ones have taken effect. The checker of [counters](crate::counters) decides those with increments of
/// one size in linear time, and says what is lost. Inspections are no clients' reads and tell nothing.
///
/// A pass does not prove that increments survive: of one that is lost after the last read it says
/// nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter;

impl SequentialObject for Counter {
    type State = Value;
    type Operation = CounterOperation;

    fn name(&self) -> &'static str {
        "counter"
    }

    fn operation(&self, asked: &Operation<'_>) -> Result<Option<CounterOperation>, Unfit> {
        Ok(match *asked.single().ok_or(Unfit)? {
            MicroOp::Increment { delta, .. } => Some(Increment(delta)),
            MicroOp::ReadCounter { result, .. } => result.map(Read),
            MicroOp::InspectCounter { .. } => None,
            _ => return Err(Unfit),
        })
    }

    fn initial(&self) -> Value {
        0
    }

    fn step(&self, state: &Value, operation: &CounterOperation) -> Option<Value> {
        match *operation {
            Increment(delta) => Some(state.wrapping_add(delta)),
            Read(found) => (found == *state).then_some(found),
        }
    }

    fn describe(&self, state: &Value, _: &Names) -> String {
        state.to_string()
    }

    fn observes_only(&self, operation: &CounterOperation) -> bool {
        matches!(operation, Read(_))
    }

    fn grows(&self) -> bool {
        true
    }
}
