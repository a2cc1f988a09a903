//! The lock workload: clients take locks, hold them for a moment and give them back.
//!
//! A client that holds a lock does nothing else until it gives it back, so that who holds what can be
//! told from the history alone. One that is refused comes back later, for whatever lock. A release
//! that failed is tried again a few times, for the store may only have been out of reach.
//!
//! Locks retire after some attempts: in a store without leases, one whose holder was never told that
//! it has it would stay taken for ever.

use std::collections::{BTreeMap, BTreeSet};

use perjury_checkers::{Checker, Leaders, Locks, Progress};
use perjury_history::{Event, EventKind, History, Key, MicroOp, Process, Value};
use rand::RngExt as _;
use rand_pcg::Pcg64;
use serde::Deserialize;

use crate::generator::{Keys, list, rng};
use crate::options::{check_counts, out_of_range};
use crate::{Context, FreeProcess, Generator, Next, RunPlan, Workload, WorkloadError};

pub(crate) const NAME: &str = "lock";

/// How long a lock may be held at most, in milliseconds: an hour.
const HOLD_MS_MAX: u64 = 3_600_000;

/// How often a release is tried.
const RELEASES_MAX: u32 = 5;

/// How long after a failed release it is tried again.
const RETRY_NS: u64 = 500_000_000;

/// What can be set in a campaign file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LockOptions {
    /// Locks in use at a time. Fewer locks mean more contention.
    pub keys: u32,
    /// Attempts to acquire a lock before it retires.
    pub operations_per_key: u64,
    /// Locks in all. When they are used up, the last ones stay in use.
    pub keys_max: u64,
    /// How long a lock is held on average, in milliseconds; each time at random, up to twice that.
    pub hold_ms: u64,
}

impl Default for LockOptions {
    fn default() -> Self {
        Self { keys: 3, operations_per_key: 500, keys_max: 10_000, hold_ms: 100 }
    }
}

/// The workload, with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Lock {
    options: LockOptions,
}

impl Lock {
    /// With these options.
    ///
    /// # Errors
    /// If an option is out of range.
    pub fn new(options: LockOptions) -> Result<Self, WorkloadError> {
        check_counts(
            NAME,
            [
                ("keys", options.keys.into()),
                ("operations-per-key", options.operations_per_key),
                ("keys-max", options.keys_max),
            ],
        )?;
        if options.hold_ms > HOLD_MS_MAX {
            let advice = "nobody else gets a lock that is held all the time";
            let expected = format!("at most {HOLD_MS_MAX} (an hour)");
            return out_of_range(NAME, "hold-ms", expected, &options.hold_ms, advice);
        }
        Ok(Self { options })
    }
}

impl Workload for Lock {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> &'static str {
        "acquisitions and releases of locks: mutual exclusion, fencing tokens, a single leader"
    }

    fn needs(&self) -> BTreeSet<&'static str> {
        BTreeSet::from(["acquire", "release"])
    }

    fn generator(&self, run: &RunPlan) -> Box<dyn Generator> {
        Load::new(&self.options, rng(run.seed, NAME))
            .stagger(run.rate_hz, rng(run.seed, "stagger"))
            .operation_limit(run.operation_limit.unwrap_or(u64::MAX))
            .time_limit(run.time_limit_ns)
            .boxed()
    }

    /// Nothing: a lock leaves nothing behind to look at.
    fn final_generator(&self, _: &RunPlan, _: &History) -> Box<dyn Generator> {
        list([]).boxed()
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        vec![Box::new(Locks), Box::new(Leaders), Box::new(Progress)]
    }
}

/// A lock in the hands of a process.
#[derive(Clone, Copy, Debug)]
struct Hold {
    key: Key,
    token: Value,
    /// When it is to be given back.
    until_ns: u64,
    releases_left: u32,
}

/// The endless stream of operations.
#[derive(Debug)]
struct Load {
    rng: Pcg64,
    hold_ns: u64,
    keys: Keys<()>,
    held: BTreeMap<Process, Hold>,
}

impl Load {
    fn new(options: &LockOptions, rng: Pcg64) -> Self {
        let keys = Keys::new(options.keys, options.operations_per_key, options.keys_max);
        Self { rng, hold_ns: options.hold_ms * 1_000_000, keys, held: BTreeMap::new() }
    }

    /// The free process whose lock is to be given back first.
    fn next_release(&self, context: &Context<'_>) -> Option<(FreeProcess, Hold)> {
        let holders =
            context.free.iter().filter_map(|free| Some((*free, *self.held.get(&free.process)?)));
        holders.min_by_key(|(free, hold)| (hold.until_ns, free.thread))
    }
}

impl Generator for Load {
    fn next(&mut self, context: &Context<'_>) -> Next {
        let release = self.next_release(context);
        if let Some((free, Hold { key, token, .. })) =
            release.filter(|(_, hold)| hold.until_ns <= context.now_ns)
        {
            return context.invoke(free, vec![MicroOp::Release { key, token }]);
        }
        let idle: Vec<FreeProcess> = context
            .free
            .iter()
            .filter(|it| !self.held.contains_key(&it.process))
            .copied()
            .collect();
        match (Context { free: &idle, ..*context }).pick(&mut self.rng) {
            Some(free) => {
                let key = self.keys.pick(&mut self.rng).key;
                context.invoke(free, vec![MicroOp::acquire(key)])
            }
            None => Next::Wait { until_ns: release.map(|(_, hold)| hold.until_ns) },
        }
    }

    fn observe(&mut self, event: &Event) {
        let [micro_op] = &event.micro_ops[..] else { return };
        match (micro_op, event.kind) {
            (&MicroOp::Acquire { key, token: Some(token) }, EventKind::Ok) => {
                let held_ns = self.rng.random_range(0..=2 * self.hold_ns);
                let until_ns = event.time_ns.saturating_add(held_ns);
                let hold = Hold { key, token, until_ns, releases_left: RELEASES_MAX };
                self.held.insert(event.process, hold);
            }
            (MicroOp::Release { .. }, EventKind::Fail) => {
                let Some(hold) = self.held.get_mut(&event.process) else { return };
                hold.until_ns = event.time_ns + RETRY_NS;
                hold.releases_left -= 1;
                if hold.releases_left == 0 {
                    self.held.remove(&event.process);
                }
            }
            (MicroOp::Release { .. }, EventKind::Ok | EventKind::Info) => {
                self.held.remove(&event.process);
            }
            _ => {}
        }
    }
}
