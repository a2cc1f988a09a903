//! The usual objects.

pub(super) mod bag;
pub(super) mod container;
pub(super) mod counter;
pub(super) mod fenced_lock;
pub(super) mod id_generator;
pub(super) mod key_value;
pub(super) mod kind;
pub(super) mod multi_register;
pub(super) mod mutex;
pub(super) mod queue;
pub(super) mod reentrant_mutex;
pub(super) mod register;
pub(super) mod semaphore;
pub(super) mod set;
pub(super) mod stack;
pub(super) mod together;
