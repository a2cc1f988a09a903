//! The controller's time, real or virtual.

use futures::future::BoxFuture;

/// A monotonic clock that one can wait on.
pub trait Clock: Send + Sync {
    /// Nanoseconds since the lab began.
    fn now_ns(&self) -> u64;

    /// Completes when the clock shows `time_ns` or later.
    fn sleep_until(&self, time_ns: u64) -> BoxFuture<'static, ()>;
}
