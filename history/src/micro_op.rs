//! The vocabulary: what one operation may ask of a store.
//!
//! Every operation is a short list of micro-operations; a register write is a transaction of one.
//! Workloads, clients, files and checkers all speak these words and no others.
//!
//! A new function needs a line in every `match` of this file, in `notation.rs`, in `arrow/` (the
//! round trip in `tests/recordings.rs` misses it otherwise) and in `operation_text.rs` of the
//! reports.

use std::fmt;
use std::sync::Arc;

use crate::{Key, Reading, Value};

/// What a set held, as the store gave it: in any order, and an element that came twice stands
/// twice. A clone shares the elements, of which there may be very many.
pub type Elements = Arc<[Value]>;

/// One step of an operation. Results are `None` until the completion brings them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MicroOp {
    /// Reads a register by the store's ordinary read route.
    Read {
        /// The register.
        key: Key,
        /// What it held.
        result: Option<Reading>,
    },
    /// Sets a register.
    Write {
        /// The register.
        key: Key,
        /// Its new value.
        value: Value,
    },
    /// Compare-and-set: sets a register to `new` if it holds `old`; otherwise the operation fails.
    Cas {
        /// The register.
        key: Key,
        /// The value it must hold.
        old: Value,
        /// The value it then gets.
        new: Value,
    },
    /// What the asked node itself holds, past every read route: an administrator's look, not a
    /// client's read. No consistency model speaks of it; durability and convergence do.
    Inspect {
        /// The register.
        key: Key,
        /// What the node held.
        result: Option<Reading>,
    },
    /// Adds an element to a set.
    Add {
        /// The set.
        key: Key,
        /// The element.
        value: Value,
    },
    /// Reads a whole set by the store's ordinary read route. A set that was never added to is
    /// empty.
    ReadSet {
        /// The set.
        key: Key,
        /// Its elements.
        result: Option<Elements>,
    },
    /// The elements of a set that the asked node itself holds: to [`MicroOp::ReadSet`] what
    /// [`MicroOp::Inspect`] is to [`MicroOp::Read`].
    InspectSet {
        /// The set.
        key: Key,
        /// The elements that the node held.
        result: Option<Elements>,
    },
    /// Adds to a counter.
    Increment {
        /// The counter.
        key: Key,
        /// By how much; negative to count down.
        delta: Value,
    },
    /// Reads a counter by the store's ordinary read route. A counter that was never incremented is
    /// 0.
    ReadCounter {
        /// The counter.
        key: Key,
        /// Where it stood.
        result: Option<Value>,
    },
    /// Where a counter stands on the asked node itself: to [`MicroOp::ReadCounter`] what
    /// [`MicroOp::Inspect`] is to [`MicroOp::Read`].
    InspectCounter {
        /// The counter.
        key: Key,
        /// Where the node had it.
        result: Option<Value>,
    },
    /// Takes a lock if it is free; fails at once if another holds it.
    Acquire {
        /// The lock.
        key: Key,
        /// The fencing token that came with it: a number of this acquisition alone, larger than
        /// those of all before it. What the lock protects refuses smaller ones than it has seen.
        token: Option<Value>,
    },
    /// Gives a lock back; fails if it is not held with this token.
    Release {
        /// The lock.
        key: Key,
        /// The token that the acquisition brought.
        token: Value,
    },
    /// Appends to a list, or to a text: what is read is everything that was appended, in order.
    Append {
        /// The list.
        key: Key,
        /// The element, or the piece of text.
        value: Value,
    },
    /// Reads a whole list. One that was never appended to is empty.
    ReadList {
        /// The list.
        key: Key,
        /// Its elements, in order.
        result: Option<Elements>,
    },
    /// Puts an element at the end of a queue.
    Enqueue {
        /// The queue.
        key: Key,
        /// The element.
        value: Value,
    },
    /// Takes an element out of a queue.
    Dequeue {
        /// The queue.
        key: Key,
        /// The element; nil if the queue was empty.
        result: Option<Reading>,
    },
    /// Puts an element on a stack.
    Push {
        /// The stack.
        key: Key,
        /// The element.
        value: Value,
    },
    /// Takes the topmost element off a stack.
    Pop {
        /// The stack.
        key: Key,
        /// The element; nil if the stack was empty.
        result: Option<Reading>,
    },
    /// Takes a mutex, or a permit of a semaphore, once it is free.
    Lock {
        /// The mutex.
        key: Key,
    },
    /// Gives a mutex, or a permit of a semaphore, back.
    Unlock {
        /// The mutex.
        key: Key,
    },
    /// Asks for an id that nobody has been given yet.
    Generate {
        /// The generator of ids.
        key: Key,
        /// The id.
        result: Option<Value>,
    },
    /// Takes an amount out of one account and puts it into another; fails if the first holds less.
    /// Accounts are registers.
    Transfer {
        /// The account that it is taken from.
        from: Key,
        /// The account that it is put into.
        to: Key,
        /// How much.
        amount: Value,
    },
}

/// What a micro-operation brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// What a register held, or what was taken out of a queue or off a stack.
    Reading(Reading),
    /// Where a counter stood, a token, or an id.
    Number(Value),
    /// The elements of a set, in any order.
    Set(&'a [Value]),
    /// The elements of a list, in its order.
    List(&'a [Value]),
}

impl MicroOp {
    /// What an operation of several micro-operations is called where functions are listed that a
    /// store offers or a workload needs.
    pub const TRANSACTION: &str = "transaction";

    /// A read that has not been answered yet.
    pub fn read(key: Key) -> Self {
        MicroOp::Read { key, result: None }
    }

    /// An inspection that has not been answered yet.
    pub fn inspect(key: Key) -> Self {
        MicroOp::Inspect { key, result: None }
    }

    /// A read of a set that has not been answered yet.
    pub fn read_set(key: Key) -> Self {
        MicroOp::ReadSet { key, result: None }
    }

    /// An inspection of a set that has not been answered yet.
    pub fn inspect_set(key: Key) -> Self {
        MicroOp::InspectSet { key, result: None }
    }

    /// A read of a counter that has not been answered yet.
    pub fn read_counter(key: Key) -> Self {
        MicroOp::ReadCounter { key, result: None }
    }

    /// An inspection of a counter that has not been answered yet.
    pub fn inspect_counter(key: Key) -> Self {
        MicroOp::InspectCounter { key, result: None }
    }

    /// An acquisition that has not been answered yet.
    pub fn acquire(key: Key) -> Self {
        MicroOp::Acquire { key, token: None }
    }

    /// A read of a list that has not been answered yet.
    pub fn read_list(key: Key) -> Self {
        MicroOp::ReadList { key, result: None }
    }

    /// A dequeue that has not been answered yet.
    pub fn dequeue(key: Key) -> Self {
        MicroOp::Dequeue { key, result: None }
    }

    /// A pop that has not been answered yet.
    pub fn pop(key: Key) -> Self {
        MicroOp::Pop { key, result: None }
    }

    /// A request for an id that has not been answered yet.
    pub fn generate(key: Key) -> Self {
        MicroOp::Generate { key, result: None }
    }

    /// The object that it touches; of a transfer the account that it takes from.
    pub fn key(&self) -> Key {
        match *self {
            MicroOp::Read { key, .. }
            | MicroOp::Write { key, .. }
            | MicroOp::Cas { key, .. }
            | MicroOp::Inspect { key, .. }
            | MicroOp::Add { key, .. }
            | MicroOp::ReadSet { key, .. }
            | MicroOp::InspectSet { key, .. }
            | MicroOp::Increment { key, .. }
            | MicroOp::ReadCounter { key, .. }
            | MicroOp::InspectCounter { key, .. }
            | MicroOp::Acquire { key, .. }
            | MicroOp::Release { key, .. }
            | MicroOp::Append { key, .. }
            | MicroOp::ReadList { key, .. }
            | MicroOp::Enqueue { key, .. }
            | MicroOp::Dequeue { key, .. }
            | MicroOp::Push { key, .. }
            | MicroOp::Pop { key, .. }
            | MicroOp::Lock { key }
            | MicroOp::Unlock { key }
            | MicroOp::Generate { key, .. }
            | MicroOp::Transfer { from: key, .. } => key,
        }
    }

    /// The function's name in files, options and reports.
    pub fn function(&self) -> &'static str {
        match self {
            MicroOp::Read { .. } => "read",
            MicroOp::Write { .. } => "write",
            MicroOp::Cas { .. } => "cas",
            MicroOp::Inspect { .. } => "inspect",
            MicroOp::Add { .. } => "add",
            MicroOp::ReadSet { .. } => "read-set",
            MicroOp::InspectSet { .. } => "inspect-set",
            MicroOp::Increment { .. } => "increment",
            MicroOp::ReadCounter { .. } => "read-counter",
            MicroOp::InspectCounter { .. } => "inspect-counter",
            MicroOp::Acquire { .. } => "acquire",
            MicroOp::Release { .. } => "release",
            MicroOp::Append { .. } => "append",
            MicroOp::ReadList { .. } => "read-list",
            MicroOp::Enqueue { .. } => "enqueue",
            MicroOp::Dequeue { .. } => "dequeue",
            MicroOp::Push { .. } => "push",
            MicroOp::Pop { .. } => "pop",
            MicroOp::Lock { .. } => "lock",
            MicroOp::Unlock { .. } => "unlock",
            MicroOp::Generate { .. } => "generate",
            MicroOp::Transfer { .. } => "transfer",
        }
    }

    /// Whether it changes the store if it happens. What is no mutation did no harm if its answer
    /// was lost.
    pub fn is_mutation(&self) -> bool {
        match self {
            MicroOp::Write { .. }
            | MicroOp::Cas { .. }
            | MicroOp::Add { .. }
            | MicroOp::Increment { .. }
            | MicroOp::Acquire { .. }
            | MicroOp::Release { .. }
            | MicroOp::Append { .. }
            | MicroOp::Enqueue { .. }
            | MicroOp::Dequeue { .. }
            | MicroOp::Push { .. }
            | MicroOp::Pop { .. }
            | MicroOp::Lock { .. }
            | MicroOp::Unlock { .. }
            | MicroOp::Generate { .. }
            | MicroOp::Transfer { .. } => true,
            MicroOp::Read { .. }
            | MicroOp::Inspect { .. }
            | MicroOp::ReadSet { .. }
            | MicroOp::InspectSet { .. }
            | MicroOp::ReadCounter { .. }
            | MicroOp::InspectCounter { .. }
            | MicroOp::ReadList { .. } => false,
        }
    }

    /// The value that it puts into a register, if it happens.
    pub fn written(&self) -> Option<Value> {
        match *self {
            MicroOp::Write { value, .. } | MicroOp::Cas { new: value, .. } => Some(value),
            _ => None,
        }
    }

    /// What it brings along beside the key: the value that is written or added, the increment,
    /// the token that is given back, or the amount. What a compare-and-set compares with is not
    /// among it, nor where a transfer goes.
    pub fn argument(&self) -> Option<Value> {
        match *self {
            MicroOp::Write { value, .. }
            | MicroOp::Cas { new: value, .. }
            | MicroOp::Add { value, .. }
            | MicroOp::Increment { delta: value, .. }
            | MicroOp::Release { token: value, .. }
            | MicroOp::Append { value, .. }
            | MicroOp::Enqueue { value, .. }
            | MicroOp::Push { value, .. }
            | MicroOp::Transfer { amount: value, .. } => Some(value),
            MicroOp::Read { .. }
            | MicroOp::Inspect { .. }
            | MicroOp::ReadSet { .. }
            | MicroOp::InspectSet { .. }
            | MicroOp::ReadCounter { .. }
            | MicroOp::InspectCounter { .. }
            | MicroOp::Acquire { .. }
            | MicroOp::ReadList { .. }
            | MicroOp::Dequeue { .. }
            | MicroOp::Pop { .. }
            | MicroOp::Lock { .. }
            | MicroOp::Unlock { .. }
            | MicroOp::Generate { .. } => None,
        }
    }

    /// What came back; `None` if it brings nothing or was not answered.
    pub fn answer(&self) -> Option<Found<'_>> {
        match self {
            MicroOp::Read { result, .. }
            | MicroOp::Inspect { result, .. }
            | MicroOp::Dequeue { result, .. }
            | MicroOp::Pop { result, .. } => result.map(Found::Reading),
            MicroOp::ReadSet { result, .. } | MicroOp::InspectSet { result, .. } => {
                result.as_deref().map(Found::Set)
            }
            MicroOp::ReadList { result, .. } => result.as_deref().map(Found::List),
            MicroOp::ReadCounter { result: number, .. }
            | MicroOp::InspectCounter { result: number, .. }
            | MicroOp::Acquire { token: number, .. }
            | MicroOp::Generate { result: number, .. } => number.map(Found::Number),
            MicroOp::Write { .. }
            | MicroOp::Cas { .. }
            | MicroOp::Add { .. }
            | MicroOp::Increment { .. }
            | MicroOp::Release { .. }
            | MicroOp::Append { .. }
            | MicroOp::Enqueue { .. }
            | MicroOp::Push { .. }
            | MicroOp::Lock { .. }
            | MicroOp::Unlock { .. }
            | MicroOp::Transfer { .. } => None,
        }
    }

    /// The same question without its answer: what an invocation holds.
    #[must_use]
    pub fn without_result(&self) -> Self {
        match *self {
            MicroOp::Read { key, .. } => MicroOp::read(key),
            MicroOp::Inspect { key, .. } => MicroOp::inspect(key),
            MicroOp::ReadSet { key, .. } => MicroOp::read_set(key),
            MicroOp::InspectSet { key, .. } => MicroOp::inspect_set(key),
            MicroOp::ReadCounter { key, .. } => MicroOp::read_counter(key),
            MicroOp::InspectCounter { key, .. } => MicroOp::inspect_counter(key),
            MicroOp::Acquire { key, .. } => MicroOp::acquire(key),
            MicroOp::ReadList { key, .. } => MicroOp::read_list(key),
            MicroOp::Dequeue { key, .. } => MicroOp::dequeue(key),
            MicroOp::Pop { key, .. } => MicroOp::pop(key),
            MicroOp::Generate { key, .. } => MicroOp::generate(key),
            MicroOp::Write { .. }
            | MicroOp::Cas { .. }
            | MicroOp::Add { .. }
            | MicroOp::Increment { .. }
            | MicroOp::Release { .. }
            | MicroOp::Append { .. }
            | MicroOp::Enqueue { .. }
            | MicroOp::Push { .. }
            | MicroOp::Lock { .. }
            | MicroOp::Unlock { .. }
            | MicroOp::Transfer { .. } => self.clone(),
        }
    }
}

impl fmt::Display for MicroOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.function(), self.key())?;
        if let MicroOp::Cas { old: other, .. } | MicroOp::Transfer { to: other, .. } = self {
            write!(f, " {other}")?;
        }
        if let Some(argument) = self.argument() {
            write!(f, " {argument}")?;
        }
        match self.answer() {
            None => Ok(()),
            Some(Found::Reading(reading)) => write!(f, " -> {reading}"),
            Some(Found::Number(number)) => write!(f, " -> {number}"),
            Some(Found::Set(elements)) => sequence(f, [" -> {", "}"], elements),
            Some(Found::List(elements)) => sequence(f, [" -> [", "]"], elements),
        }
    }
}

/// `{1, 2, 3}`; of many elements the first and how many more there are.
fn sequence(
    f: &mut fmt::Formatter<'_>,
    [open, close]: [&str; 2],
    elements: &[Value],
) -> fmt::Result {
    const SHOWN_MAX: usize = 8;
    let shown = &elements[..elements.len().min(SHOWN_MAX)];
    f.write_str(open)?;
    for (index, element) in shown.iter().enumerate() {
        write!(f, "{}{element}", if index == 0 { "" } else { ", " })?;
    }
    match elements.len() - shown.len() {
        0 => f.write_str(close),
        more => write!(f, " and {more} more{close}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Histories hold millions of them.
    #[test]
    fn takes_32_bytes() {
        assert_eq!(size_of::<MicroOp>(), 32);
    }

    #[test]
    fn reads_as_a_line() {
        let set = |elements: &[Value]| Some(Elements::from(elements));
        let cases = [
            (MicroOp::read(3), "read 3"),
            (MicroOp::Read { key: 3, result: Some(Reading::Nil) }, "read 3 -> nil"),
            (MicroOp::Write { key: 3, value: 17 }, "write 3 17"),
            (MicroOp::Cas { key: 3, old: 1, new: 2 }, "cas 3 1 2"),
            (MicroOp::Add { key: 3, value: 17 }, "add 3 17"),
            (MicroOp::ReadSet { key: 3, result: set(&[]) }, "read-set 3 -> {}"),
            (MicroOp::InspectSet { key: 3, result: set(&[1, 2]) }, "inspect-set 3 -> {1, 2}"),
            (
                MicroOp::ReadSet { key: 3, result: Some((0..100_000).collect()) },
                "read-set 3 -> {0, 1, 2, 3, 4, 5, 6, 7 and 99992 more}",
            ),
            (MicroOp::Increment { key: 3, delta: -2 }, "increment 3 -2"),
            (MicroOp::ReadCounter { key: 3, result: Some(9) }, "read-counter 3 -> 9"),
            (MicroOp::inspect_counter(3), "inspect-counter 3"),
            (MicroOp::Acquire { key: 3, token: Some(7) }, "acquire 3 -> 7"),
            (MicroOp::Release { key: 3, token: 7 }, "release 3 7"),
            (MicroOp::Append { key: 3, value: 7 }, "append 3 7"),
            (MicroOp::ReadList { key: 3, result: set(&[7, 1]) }, "read-list 3 -> [7, 1]"),
            (MicroOp::Enqueue { key: 3, value: 7 }, "enqueue 3 7"),
            (MicroOp::Dequeue { key: 3, result: Some(Reading::Nil) }, "dequeue 3 -> nil"),
            (MicroOp::Push { key: 3, value: 7 }, "push 3 7"),
            (MicroOp::Pop { key: 3, result: Some(Reading::Value(7)) }, "pop 3 -> 7"),
            (MicroOp::Lock { key: 3 }, "lock 3"),
            (MicroOp::Unlock { key: 3 }, "unlock 3"),
            (MicroOp::Generate { key: 3, result: Some(9) }, "generate 3 -> 9"),
            (MicroOp::Transfer { from: 3, to: 4, amount: 9 }, "transfer 3 4 9"),
        ];
        for (micro_op, expected) in cases {
            assert_eq!(micro_op.to_string(), expected);
        }
    }
}
