//! The usual objects.

pub(super) mod register;
