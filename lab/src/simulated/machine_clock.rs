//! What time a machine believes it is.
//!
//! A machine has a monotonic clock, which never jumps but may run fast or slow, and a wall clock,
//! which may also be wrong and may jump. Both follow from the true (virtual) time and the clock
//! faults in force.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a machine's clocks show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeTime {
    /// Since the machine was first switched on, in nanoseconds; never jumps.
    pub monotonic_ns: u64,
    /// Since the wall clock's own beginning, in nanoseconds; may jump either way.
    pub wall_ns: u64,
}

/// One way in which a clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockFault {
    /// The wall clock is this far off (positive: ahead), in nanoseconds.
    Bump {
        /// Nanoseconds.
        offset_ns: i64,
    },
    /// The wall clock jumps between right and this far off, each time after a period.
    Strobe {
        /// Nanoseconds.
        offset_ns: i64,
        /// Nanoseconds between jumps.
        period_ns: u64,
    },
    /// Both clocks run fast (positive) or slow, in parts per million.
    Drift {
        /// Parts per million; above -1,000,000.
        ppm: i64,
    },
}

const MILLION: i128 = 1_000_000;

/// The wall clock's beginning lies this long before the run, so that no ordinary fault takes
/// it there.
const WALL_EPOCH_NS: u64 = 1_000_000 * 1_000_000_000;

/// One machine's clocks.
#[derive(Default)]
pub(super) struct MachineClock {
    /// Faults in force, each with the true time at which it began.
    faults: BTreeMap<u64, (u64, ClockFault)>,
    /// True and monotonic time when the rate last changed.
    anchor_true_ns: u64,
    anchor_monotonic_ns: u64,
}

impl MachineClock {
    /// What the clocks show at the true time `now_ns`.
    pub(super) fn read(&self, now_ns: u64) -> NodeTime {
        if self.faults.is_empty() {
            // Nearly always so, and read at every step of every process.
            return NodeTime {
                monotonic_ns: self.anchor_monotonic_ns + (now_ns - self.anchor_true_ns),
                wall_ns: WALL_EPOCH_NS + now_ns,
            };
        }
        let elapsed = i128::from(now_ns - self.anchor_true_ns);
        let monotonic = i128::from(self.anchor_monotonic_ns) + elapsed * self.rate() / MILLION;
        let offset: i128 = self
            .faults
            .values()
            .map(|&(since_ns, fault)| wall_offset(fault, now_ns - since_ns))
            .sum();
        let wall = i128::from(WALL_EPOCH_NS) + i128::from(now_ns) + offset;
        let clamp = |time: i128| time.clamp(0, i128::from(u64::MAX)) as u64;
        NodeTime { monotonic_ns: clamp(monotonic), wall_ns: clamp(wall) }
    }

    /// The earliest true time at which the monotonic clock shows at least `monotonic_ns`, if the
    /// rate stays as it is.
    pub(super) fn true_time(&self, monotonic_ns: u64) -> u64 {
        if self.faults.is_empty() {
            let ahead_ns = monotonic_ns.saturating_sub(self.anchor_monotonic_ns);
            return self.anchor_true_ns.saturating_add(ahead_ns);
        }
        let ahead = i128::from(monotonic_ns.saturating_sub(self.anchor_monotonic_ns));
        let rate = self.rate();
        let elapsed = (ahead * MILLION + rate - 1) / rate;
        let time = i128::from(self.anchor_true_ns) + elapsed;
        u64::try_from(time).unwrap_or(u64::MAX)
    }

    /// Makes the clocks wrong from `now_ns` on, until [`MachineClock::clear`] with the same id.
    pub(super) fn disturb(&mut self, id: u64, fault: ClockFault, now_ns: u64) {
        self.anchor(now_ns);
        self.faults.insert(id, (now_ns, fault));
    }

    /// Ends a fault. The wall clock is put right again, as a time service would do.
    pub(super) fn clear(&mut self, id: u64, now_ns: u64) {
        self.anchor(now_ns);
        self.faults.remove(&id);
    }

    /// Parts per million of true time; positive, however many drifts add up.
    fn rate(&self) -> i128 {
        let drift: i128 = self
            .faults
            .values()
            .map(|&(_, fault)| match fault {
                ClockFault::Drift { ppm } => i128::from(ppm),
                ClockFault::Bump { .. } | ClockFault::Strobe { .. } => 0,
            })
            .sum();
        (MILLION + drift).max(1)
    }

    fn anchor(&mut self, now_ns: u64) {
        self.anchor_monotonic_ns = self.read(now_ns).monotonic_ns;
        self.anchor_true_ns = now_ns;
    }
}

fn wall_offset(fault: ClockFault, age_ns: u64) -> i128 {
    match fault {
        ClockFault::Bump { offset_ns } => i128::from(offset_ns),
        ClockFault::Strobe { offset_ns, period_ns } => {
            let on = (age_ns / period_ns.max(1)).is_multiple_of(2);
            if on { i128::from(offset_ns) } else { 0 }
        }
        ClockFault::Drift { ppm } => i128::from(age_ns) * i128::from(ppm) / MILLION,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn offset_ns(clock: &MachineClock, now_ns: u64) -> i128 {
        i128::from(clock.read(now_ns).wall_ns) - i128::from(WALL_EPOCH_NS + now_ns)
    }

    #[test]
    fn a_bump_moves_the_wall_clock_only_and_is_taken_back() {
        let mut clock = MachineClock::default();
        clock.disturb(1, ClockFault::Bump { offset_ns: -5 }, SECOND);
        assert_eq!(offset_ns(&clock, 2 * SECOND), -5);
        assert_eq!(clock.read(2 * SECOND).monotonic_ns, 2 * SECOND);
        clock.clear(1, 3 * SECOND);
        assert_eq!(offset_ns(&clock, 4 * SECOND), 0);
    }

    #[test]
    fn a_strobe_jumps_to_and_fro() {
        let mut clock = MachineClock::default();
        clock.disturb(1, ClockFault::Strobe { offset_ns: 7, period_ns: 10 }, 0);
        let seen: Vec<_> = [0, 9, 10, 19, 20].map(|now| offset_ns(&clock, now)).into();
        assert_eq!(seen, [7, 7, 0, 0, 7]);
    }

    #[test]
    fn drift_moves_both_clocks_and_the_monotonic_one_never_jumps_back() {
        let mut clock = MachineClock::default();
        clock.disturb(1, ClockFault::Drift { ppm: 100_000 }, 0);
        assert_eq!(clock.read(10 * SECOND).monotonic_ns, 11 * SECOND);
        assert_eq!(offset_ns(&clock, 10 * SECOND), i128::from(SECOND));
        clock.clear(1, 10 * SECOND);
        assert_eq!(clock.read(10 * SECOND).monotonic_ns, 11 * SECOND);
        assert_eq!(clock.read(11 * SECOND).monotonic_ns, 12 * SECOND);
        assert_eq!(offset_ns(&clock, 11 * SECOND), 0);
    }

    #[test]
    fn absurd_errors_stop_at_the_ends_of_the_scale() {
        let mut clock = MachineClock::default();
        for (id, offset_ns) in [(1, i64::MAX), (2, i64::MAX), (3, i64::MAX)] {
            clock.disturb(id, ClockFault::Bump { offset_ns }, 0);
        }
        assert_eq!(clock.read(SECOND).wall_ns, u64::MAX);
        clock.disturb(4, ClockFault::Drift { ppm: i64::MAX }, 0);
        assert_eq!(clock.read(SECOND).monotonic_ns, u64::MAX);
    }

    #[test]
    fn true_time_is_the_first_instant_that_shows_the_deadline() {
        for ppm in [-300_000, -7, 0, 13, 250_000] {
            let mut clock = MachineClock::default();
            clock.disturb(1, ClockFault::Drift { ppm }, 17);
            for deadline in [18, 1_000, 123_456_789] {
                let due = clock.true_time(deadline);
                assert!(clock.read(due).monotonic_ns >= deadline, "{ppm} {deadline}");
                assert!(clock.read(due - 1).monotonic_ns < deadline, "{ppm} {deadline}");
            }
        }
    }
}
