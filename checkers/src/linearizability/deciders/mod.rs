//! Near-linear deciders, for objects whose values can be told apart.

pub(super) mod zones;
