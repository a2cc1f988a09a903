//! Clocks that are wrong.
//!
//! Of a machine that shares its kernel only the processes of the store are shown another time:
//! `process.rs`, by `vdso.rs` and `code.rs`. The clock of a machine that has its kernel for itself is
//! set: `machine.rs`.
//!
//! Invariants
//! - The monotonic clock stays right.
//! - The clock of a kernel that others use is never set.

mod code;
mod machine;
mod process;
mod vdso;

use std::time::Duration;

use perjury_lab::simulated::ClockFault;

pub(crate) use machine::{MachineClock, Restore};
pub(super) use machine::{disturb_machine, restore_machine};
pub(crate) use process::{ClockLook, ClockSeen, ProcessClock};
pub(super) use process::{disturb_processes, look_at_processes, restore_processes};

/// By how much a clock is ahead so long after a fault began, in nanoseconds.
fn offset_ns(fault: ClockFault, elapsed: Duration) -> i64 {
    let elapsed_ns = i128::try_from(elapsed.as_nanos()).unwrap_or(i128::MAX);
    match fault {
        ClockFault::Bump { offset_ns } => offset_ns,
        ClockFault::Strobe { offset_ns, period_ns } => {
            // Off at first: so it is in the simulated lab.
            match elapsed_ns / i128::from(period_ns.max(1)) % 2 {
                0 => offset_ns,
                _ => 0,
            }
        }
        ClockFault::Drift { ppm } => {
            i64::try_from(elapsed_ns * i128::from(ppm) / 1_000_000).unwrap_or(i64::MAX)
        }
    }
}

/// When a clock must be set again, so long after a fault began.
fn next_step(fault: ClockFault, elapsed: Duration) -> Duration {
    const SMOOTH: Duration = Duration::from_millis(1);
    const CALM: Duration = Duration::from_millis(20);
    match fault {
        ClockFault::Bump { .. } => CALM,
        ClockFault::Strobe { period_ns, .. } => {
            let period_ns = u128::from(period_ns.max(1));
            let left_ns = period_ns - elapsed.as_nanos() % period_ns;
            Duration::from_nanos(left_ns as u64).min(CALM)
        }
        ClockFault::Drift { .. } => SMOOTH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn offsets_follow_the_fault() {
        let at = |fault, ms| offset_ns(fault, Duration::from_millis(ms));
        assert_eq!(at(ClockFault::Bump { offset_ns: -5 }, 1_000), -5);
        let strobe = ClockFault::Strobe { offset_ns: 9, period_ns: 10 * MS };
        assert_eq!([0, 9, 10, 19, 20].map(|ms| at(strobe, ms)), [9, 9, 0, 0, 9]);
        let drift = ClockFault::Drift { ppm: -100_000 };
        assert_eq!([0, 10, 1_000].map(|ms| at(drift, ms)), [0, -1_000_000, -100_000_000]);
    }

    #[test]
    fn the_next_step_is_no_later_than_the_next_jump() {
        let strobe = ClockFault::Strobe { offset_ns: 9, period_ns: 10 * MS };
        assert_eq!(next_step(strobe, Duration::from_millis(7)), Duration::from_millis(3));
        let slow = ClockFault::Strobe { offset_ns: 9, period_ns: 10_000 * MS };
        assert_eq!(next_step(slow, Duration::from_millis(7)), Duration::from_millis(20));
    }
}
