//! Times of a foreign history.
//!
//! The order of the record counts, times are for people. Recorders of several threads write events
//! down a little out of order, so a time that goes back by less than [`BACK_NS_MAX`] between
//! processes is taken for the time before it, and told. Within one process, or by more, it is an
//! error: then the record is not in the order in which things happened.

use super::error::Problem;

/// How far times may go back between processes.
const BACK_NS_MAX: u64 = 100_000_000;

/// From event to event where no time is told.
const STEP_NS: u64 = 1_000_000;

#[derive(Debug, Default)]
pub(super) struct Clock {
    now_ns: u64,
    /// The latest time that was told.
    told_ns: Option<u64>,
    events: u64,
    /// How many times went back, and by how much at most.
    pub(super) back: (usize, u64),
}

impl Clock {
    /// Whether any event told its time.
    pub(super) fn is_told(&self) -> bool {
        self.told_ns.is_some()
    }

    /// When an event happened. `process_ns`: when its process last said something.
    pub(super) fn tell(
        &mut self,
        byte: usize,
        told: Option<u64>,
        process_ns: Option<u64>,
    ) -> Result<u64, Problem> {
        let counted = self.events * STEP_NS;
        self.events += 1;
        let Some(ns) = told else {
            if self.told_ns.is_none() {
                self.now_ns = self.now_ns.max(counted);
            }
            return Ok(self.now_ns);
        };
        let before = self.told_ns.unwrap_or(0);
        let back = before.saturating_sub(ns);
        if let Some(process_ns) = process_ns.filter(|process_ns| ns < *process_ns) {
            let text = format!(
                "expected times that do not go back, found {ns} ns after {process_ns} ns in the \
                 same process; sort the history as it happened, or leave the times out"
            );
            return Err(Problem::new(byte, text));
        }
        if back > BACK_NS_MAX {
            let text = format!(
                "expected times that do not go back by more than {} ms, found {ns} ns after \
                 {before} ns; sort the history as it happened, or leave the times out",
                BACK_NS_MAX / 1_000_000
            );
            return Err(Problem::new(byte, text));
        }
        if back > 0 {
            self.back = (self.back.0 + 1, self.back.1.max(back));
        }
        self.told_ns = Some(before.max(ns));
        self.now_ns = self.now_ns.max(ns);
        Ok(self.now_ns)
    }
}
