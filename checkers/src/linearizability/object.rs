//! What an object does when its operations come one after another: all that a decider knows of it.

use std::fmt::Debug;
use std::hash::Hash;

use perjury_history::{Key, Names, Operation, OperationId, Outcome};

/// A sequential object: a register, a queue, a lock, or one of your own.
///
/// Four methods define it: what a client's [`operation`](Self::operation) means, what the object
/// holds at [first](Self::initial), how a [`step`](Self::step) changes that, and how to
/// [`describe`](Self::describe) it. That is enough to have histories decided, explained and
/// certified. The other methods tell what follows from these four and makes deciding cheaper and
/// explanations shorter; the tests of this crate hold every object to it.
///
/// ```
/// use perjury_checkers::linearizability::{SequentialObject, Unfit, Linearizability};
/// use perjury_checkers::{Checker, Context, Judgement, Model};
/// use perjury_history::{History, MicroOp, Names, Operation, Reading, Value};
///
/// /// A register that only grows: smaller values are written in vain.
/// struct Maximum;
///
/// impl SequentialObject for Maximum {
///     type State = Option<Value>;
///     /// Writes a value, or reads one.
///     type Operation = Result<Value, Reading>;
///
///     fn name(&self) -> &'static str {
///         "maximum"
///     }
///
///     fn operation(&self, asked: &Operation<'_>) -> Result<Option<Self::Operation>, Unfit> {
///         match asked.single() {
///             Some(&MicroOp::Write { value, .. }) => Ok(Some(Ok(value))),
///             Some(&MicroOp::Read { result, .. }) => Ok(result.map(Err)),
///             _ => Err(Unfit),
///         }
///     }
///
///     fn initial(&self) -> Self::State {
///         None
///     }
///
///     fn step(&self, state: &Self::State, operation: &Self::Operation) -> Option<Self::State> {
///         match *operation {
///             Ok(written) => Some((*state).max(Some(written))),
///             Err(read) => (read.value() == *state).then_some(*state),
///         }
///     }
///
///     fn describe(&self, state: &Self::State, names: &Names) -> String {
///         state.map_or("nothing".to_owned(), |value| names.show(value).to_string())
///     }
/// }
///
/// let drawing = "p0: w(x,2)  w(x,1)  r(x)=2  r(x)=1";
/// let history = History::parse_notation(drawing)?;
/// let verdict = Linearizability::of(Maximum).check(&history, &Context::default());
/// assert_eq!(verdict.models[&Model::Linearizable], Judgement::Invalid);
/// # Ok::<(), perjury_history::NotationError>(())
/// ```
pub trait SequentialObject: Send + Sync {
    /// What the object holds.
    type State: Clone + Eq + Hash + Debug + Send;
    /// What it is asked, with what it answered.
    type Operation: Clone + Eq + Hash + Debug + Send + Sync;

    /// The name in options and results.
    fn name(&self) -> &'static str;

    /// What the client's operation is to this object; `None` if it tells nothing, as a read that was
    /// not answered. It is never asked of one that failed.
    ///
    /// # Errors
    /// If it is nothing that this object can be asked.
    fn operation(&self, asked: &Operation<'_>) -> Result<Option<Self::Operation>, Unfit>;

    /// What it holds at first.
    fn initial(&self) -> Self::State;

    /// What it holds after `operation`; `None` if it would not have answered so.
    fn step(&self, state: &Self::State, operation: &Self::Operation) -> Option<Self::State>;

    /// Does the same to `state` itself, for objects that are costly to copy. If it would not have
    /// answered so, the state stays as it is, and the answer is `false`.
    fn apply(&self, state: &mut Self::State, operation: &Self::Operation) -> bool {
        let next = self.step(state, operation);
        next.map(|next| *state = next).is_some()
    }

    /// What it holds, for people: `12`, `[1, 2]`, `nothing`.
    fn describe(&self, state: &Self::State, names: &Names) -> String;

    /// What it may hold after an operation whose answer is not known. By default what
    /// [`step`](Self::step) says.
    fn unknown_steps(
        &self,
        state: &Self::State,
        operation: &Self::Operation,
        each: &mut dyn FnMut(Self::State),
    ) {
        if let Some(next) = self.step(state, operation) {
            each(next);
        }
    }

    /// Whether all keys of a history together are one object. If not, each key is one of its own.
    fn spans_keys(&self) -> bool {
        false
    }

    /// What of the object an operation is about, if that is a part by itself: operations on different
    /// parts neither change what the other finds nor what the other leaves.
    fn part(&self, _operation: &Self::Operation) -> Key {
        0
    }

    /// Whether `operation` never changes the state.
    fn observes_only(&self, _operation: &Self::Operation) -> bool {
        false
    }

    /// Whether `one` can take effect wherever `other` can, and the object then holds the same: as a
    /// write of 2 can where a compare-and-set from 1 to 2 can.
    fn is_as_able(&self, one: &Self::Operation, other: &Self::Operation) -> bool {
        one == other
    }

    /// Whether the same operations again and again lead to ever new states, as enqueues do. Then no
    /// search supposes that unknown ones took effect more than once.
    fn grows(&self) -> bool {
        false
    }

    /// Fewer calls, or calls with earlier returns, that are linearizable if and only if `calls` are.
    /// By default all but the unknown ones that only observe.
    fn reduce(&self, mut calls: Vec<Call<Self::Operation>>) -> Vec<Call<Self::Operation>> {
        calls.retain(|it| it.returned.is_some() || !self.observes_only(&it.operation));
        calls
    }

    /// Extends a choice of calls to one that may be left out: if `calls` are linearizable, so are
    /// those that are not chosen in the end. (Leaving out a write alone is not sound: its readers
    /// would have read what nobody wrote.) By default a choice of anything that does not only
    /// observe becomes one of everything.
    fn close_removal(&self, calls: &[Call<Self::Operation>], chosen: &mut [bool]) {
        let mut chosen_calls = calls.iter().zip(chosen.iter()).filter(|(_, chosen)| **chosen);
        if !chosen_calls.all(|(call, _)| self.observes_only(&call.operation)) {
            chosen.fill(true);
        }
    }

    /// Decides calls that [`reduce`](Self::reduce) has been through in near-linear time, where that
    /// is possible.
    fn decide(&self, _calls: &[Call<Self::Operation>]) -> Decision {
        Decision::Inapplicable
    }

    /// About how many bytes a state takes, beside those of the value itself.
    fn heap_bytes(&self, _state: &Self::State) -> usize {
        0
    }
}

/// An operation is nothing that the object can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

/// What a specialised decider says of some calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: it needs something that these calls do not have, as values that are written once.
    Inapplicable,
    /// They are linearizable: their places in an order that shows it. Unknown calls may be missing.
    Linearizable(Vec<u32>),
    /// They are not, even these alone, which may be left by themselves.
    Contradiction(Vec<u32>),
}

/// An operation on one object that happened or may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<O> {
    /// Which one it is in the history.
    pub id: OperationId,
    /// What was asked and answered.
    pub operation: O,
    /// Entry of the record at which it begins; it takes effect later.
    pub invoked: u32,
    /// Entry of the record before which it took effect; `None` if it may have, at any time, or not.
    pub returned: Option<u32>,
}

/// The client's operation as a call; `None` if it tells nothing.
pub(crate) fn call<M: SequentialObject>(
    object: &M,
    asked: &Operation<'_>,
) -> Result<Option<Call<M::Operation>>, Unfit> {
    if asked.outcome == Outcome::Fail {
        return Ok(None);
    }
    let returned = asked.completed.filter(|_| asked.outcome == Outcome::Ok);
    let operation = object.operation(asked)?;
    let call = |operation| Call { id: asked.id, operation, invoked: asked.invoked, returned };
    Ok(operation.map(call))
}

/// The calls as they stood just after the entry at `position`: what returned later is open.
pub(crate) fn cut<O: Clone>(calls: &[Call<O>], position: u32) -> Vec<Call<O>> {
    let begun = calls.iter().filter(|call| call.invoked < position);
    let open = |call: &Call<O>| call.returned.filter(|returned| *returned <= position);
    begun.map(|call| Call { returned: open(call), ..call.clone() }).collect()
}

/// Those of `calls` with the ids of `chosen`, as they were. Both are by order of invocation.
pub(crate) fn only<O: Clone>(calls: &[Call<O>], chosen: &[Call<O>]) -> Vec<Call<O>> {
    let is_chosen = |id| chosen.binary_search_by_key(&id, |call| call.id).is_ok();
    calls.iter().filter(|call| is_chosen(call.id)).cloned().collect()
}
