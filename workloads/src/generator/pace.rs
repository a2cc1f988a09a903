//! How often: intervals between the operations of all processes together.
//!
//! The schedule is open: an operation is due at its time whether or not the one before it has been
//! answered. When no process is free at that time, the operation is late. What then? Keeping the
//! whole schedule would answer a stall of five seconds with five seconds' worth of load in one
//! burst, which looks like a second fault; Jepsen starts the next interval at the late operation,
//! so that every timer that fires a little late lowers the rate a little. Here a late schedule
//! catches up, but never on more than [`CATCH_UP_NS`]: timers may be late, stalls do not burst.

use rand_pcg::Pcg64;

use super::random::exponential;
use super::{Context, Generator, Next};

/// Lateness up to this is made good; what is beyond it is forgotten.
pub const CATCH_UP_NS: u64 = 10_000_000;

/// See [`Generator::rate`] and [`Generator::stagger`].
#[derive(Debug)]
pub struct Paced<G> {
    inner: G,
    pace: Pace,
    due_ns: Option<u64>,
}

#[derive(Debug)]
enum Pace {
    Never,
    Fixed { interval_ns: f64 },
    Random { mean_ns: f64, rng: Pcg64 },
}

impl Pace {
    fn interval_ns(&mut self) -> u64 {
        match self {
            Pace::Never => u64::MAX,
            Pace::Fixed { interval_ns } => *interval_ns as u64,
            Pace::Random { mean_ns, rng } => (*mean_ns * exponential(rng)) as u64,
        }
    }
}

impl<G> Paced<G> {
    pub(super) fn fixed(inner: G, rate_hz: f64) -> Self {
        let pace = mean_ns(rate_hz).map(|interval_ns| Pace::Fixed { interval_ns });
        Self { inner, pace: pace.unwrap_or(Pace::Never), due_ns: None }
    }

    pub(super) fn random(inner: G, rate_hz: f64, rng: Pcg64) -> Self {
        let pace = mean_ns(rate_hz).map(|mean_ns| Pace::Random { mean_ns, rng });
        Self { inner, pace: pace.unwrap_or(Pace::Never), due_ns: None }
    }
}

/// `None` for a rate at which nothing ever happens.
fn mean_ns(rate_hz: f64) -> Option<f64> {
    (rate_hz > 0.0).then(|| 1e9 / rate_hz)
}

impl<G: Generator> Generator for Paced<G> {
    fn next(&mut self, context: &Context<'_>) -> Next {
        let now_ns = context.now_ns;
        let due_ns = match (self.due_ns, &mut self.pace) {
            (_, Pace::Never) => return Next::WAIT,
            (Some(due_ns), _) => due_ns,
            (None, Pace::Fixed { .. }) => now_ns,
            (None, pace @ Pace::Random { .. }) => now_ns.saturating_add(pace.interval_ns()),
        };
        // Even if it is late: otherwise an operation that no process took would be due for ever,
        // and its time would tell of the stall and not of the schedule.
        let due_ns = due_ns.max(now_ns.saturating_sub(CATCH_UP_NS));
        self.due_ns = Some(due_ns);
        if now_ns < due_ns {
            return Next::Wait { until_ns: Some(due_ns) };
        }
        let mut next = self.inner.next(context);
        if let Next::Invoke(invocation) = &mut next {
            let interval_ns = self.pace.interval_ns();
            // Without intervals there is no schedule that an operation could be late for.
            if interval_ns > 0 {
                invocation.at_ns = due_ns;
            }
            self.due_ns = Some(due_ns.saturating_add(interval_ns));
        }
        next
    }

    fn observe(&mut self, event: &perjury_history::Event) {
        self.inner.observe(event);
    }
}
