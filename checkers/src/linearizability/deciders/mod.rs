//! Near-linear deciders, for objects whose values can be told apart.

pub(super) mod bag;
mod minima;
pub(super) mod queue;
pub(super) mod set;
pub(super) mod stack;
mod stays;
pub(super) mod zones;
