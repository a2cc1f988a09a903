//! What an object does when its operations come one after another: all that the search knows of it.

use std::fmt::Debug;
use std::hash::Hash;

use perjury_history::OperationId;

/// A sequential object, and what is known of it that makes searching and explaining cheaper.
///
/// Only [`initial`](Self::initial) and [`step`](Self::step) define the object. The other methods
/// must follow from them; the tests hold them to it.
pub(crate) trait SequentialModel {
    /// What the object holds.
    type State: Copy + Eq + Ord + Hash + Debug;
    /// What it is asked and what it answered.
    type Operation: Copy + Eq + Hash + Debug;

    /// What it holds at first.
    fn initial(&self) -> Self::State;

    /// What it holds after `operation`; `None` if it would not have answered so.
    fn step(&self, state: Self::State, operation: Self::Operation) -> Option<Self::State>;

    /// Whether `operation` never changes the state.
    fn observes_only(&self, operation: Self::Operation) -> bool;

    /// Fewer calls, or calls with earlier returns, that are linearizable if and only if `calls` are.
    fn reduce(&self, calls: &[Call<Self::Operation>]) -> Vec<Call<Self::Operation>>;

    /// Extends a choice of calls to one that may be left out: if `calls` are linearizable, so are
    /// those that are not chosen in the end. (Leaving out a write alone is not sound: its readers
    /// would have read what nobody wrote.)
    fn close_removal(&self, calls: &[Call<Self::Operation>], chosen: &mut [bool]);
}

/// An operation on one object that happened or may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call<O> {
    /// Which one it is in the history.
    pub(crate) id: OperationId,
    /// What was asked and answered.
    pub(crate) operation: O,
    /// Entry of the record at which it begins; it takes effect later.
    pub(crate) invoked: u32,
    /// Entry of the record before which it took effect; `None` if it may have, at any time, or not.
    pub(crate) returned: Option<u32>,
}

/// The calls as they stood just after the entry at `position`: what returned later is open.
pub(crate) fn cut<O: Copy>(calls: &[Call<O>], position: u32) -> Vec<Call<O>> {
    let begun = calls.iter().filter(|call| call.invoked < position);
    let open = |call: &Call<O>| call.returned.filter(|returned| *returned <= position);
    begun.map(|call| Call { returned: open(call), ..*call }).collect()
}
