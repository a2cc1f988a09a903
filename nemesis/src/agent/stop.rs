//! Being told to end.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};

/// Knows when this process was told to end. To be made before any other thread is.
pub(super) struct Stop(Receiver<()>);

impl Stop {
    pub(super) fn new() -> Result<Self, String> {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            signals.add(signal);
        }
        signals.thread_block().map_err(|error| error.to_string())?;
        let (told, stop) = channel();
        thread::spawn(move || {
            // Whatever wakes it: an agent that cannot be told must not stay.
            let _ = signals.wait();
            let _ = told.send(());
        });
        Ok(Self(stop))
    }

    /// Waits; whether it was told to end meanwhile.
    pub(super) fn within(&self, time: Duration) -> bool {
        self.0.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
    }
}
