//! The usual objects.

pub(super) mod fenced_lock;
pub(super) mod key_value;
pub(super) mod multi_register;
pub(super) mod mutex;
pub(super) mod reentrant_mutex;
pub(super) mod register;
pub(super) mod semaphore;
pub(super) mod together;
