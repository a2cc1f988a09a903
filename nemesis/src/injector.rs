//! What makes faults real on one kind of lab.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Fault, FaultSpec};

/// What a look from outside showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Whether it is as it should be.
    pub as_expected: bool,
    /// What was seen, for people.
    pub detail: String,
}

/// Turns faults into effects on one kind of lab. A fault is known by its number within the run.
///
/// Faults overlap, and each must last until it is undone itself, whatever happens to the others.
/// Only some never overlap on a node, because the [`Nemesis`](crate::Nemesis) sees to it: those about
/// its processes or its disk, those about its clock, its processor time and its memory.
#[async_trait]
pub trait Injector: Send + Sync {
    /// Whether such a fault can be made here, and if not why and what to do about it.
    ///
    /// # Errors
    /// With the reason, for people.
    fn can(&self, spec: &FaultSpec) -> Result<(), String>;

    /// Whether faults stay when the controller dies, so that their undo must be on the disk first.
    fn outlives_controller(&self) -> bool {
        true
    }

    /// Has the fault act.
    ///
    /// # Errors
    /// With what went wrong; the fault may have acted in part.
    async fn apply(&self, number: u32, fault: &Fault) -> Result<(), String>;

    /// Takes the fault back. Harmless if it is not in force. Processes that it ended are not
    /// started: that is the store's business.
    ///
    /// # Errors
    /// With what went wrong.
    async fn undo(&self, number: u32, fault: &Fault) -> Result<(), String>;

    /// Looks from outside whether the fault is in force, or (`gone`) whether it is over. `also` are
    /// the other faults in force: what they break says nothing about this one. `None` if they break
    /// all that could be looked at.
    ///
    /// The schedule waits for the answer, so it should not take longer than it must.
    async fn observe(&self, fault: &Fault, gone: bool, also: &[&Fault]) -> Option<Observation>;
}

/// For who must have the injector after the nemesis, too.
#[async_trait]
impl<I: Injector + ?Sized> Injector for Arc<I> {
    fn can(&self, spec: &FaultSpec) -> Result<(), String> {
        self.as_ref().can(spec)
    }

    fn outlives_controller(&self) -> bool {
        self.as_ref().outlives_controller()
    }

    async fn apply(&self, number: u32, fault: &Fault) -> Result<(), String> {
        self.as_ref().apply(number, fault).await
    }

    async fn undo(&self, number: u32, fault: &Fault) -> Result<(), String> {
        self.as_ref().undo(number, fault).await
    }

    async fn observe(&self, fault: &Fault, gone: bool, also: &[&Fault]) -> Option<Observation> {
        self.as_ref().observe(fault, gone, also).await
    }
}
