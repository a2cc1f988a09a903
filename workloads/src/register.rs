//! The register workload: reads, writes and compare-and-sets of single keys.
//!
//! Small, and strong: linearizability, every session guarantee, durability, convergence and a
//! single leader all show in what registers answer. Three choices make it so.
//!
//! - **Every value is written once per key.** Each read then names the write that it saw, and
//!   checkers need not guess.
//! - **A compare-and-set mostly expects what was last seen** in its key, so that a fair share of
//!   them succeed and tie the history together; now and then it expects an older value and should
//!   fail.
//! - **Keys retire** after some operations and fresh ones take their place, so that the cost of a
//!   check grows with the length of the run and not faster.
//!
//! When all faults are healed, every node is asked for what it holds under every key that was used.

use std::collections::BTreeSet;

use perjury_checkers::{
    Checker, Convergence, Leaders, Linearizability, LostWrites, Progress, SessionGuarantees,
};
use perjury_history::{Event, EventKind, History, Key, MicroOp, Reading, Value};
use rand::RngExt as _;
use rand_pcg::Pcg64;
use serde::Deserialize;

use crate::generator::{Keys, each_node, list, rng, weighted};
use crate::options::{FINAL_PATIENCE_NS, check_counts, out_of_range};
use crate::{Context, Generator, Next, RunPlan, Workload, WorkloadError};

pub(crate) const NAME: &str = "register";

/// How likely a compare-and-set expects a value that it has reason to believe is gone.
const STALE_CAS_SHARE: f64 = 0.1;

/// What can be set in a campaign file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RegisterOptions {
    /// Keys in use at a time. Fewer keys mean more contention.
    pub keys: u32,
    /// Operations on a key before it retires.
    pub operations_per_key: u64,
    /// Keys in all, to bound the final phase. When they are used up, the last ones stay in use.
    pub keys_max: u64,
    /// How many operations are reads, relative to the other shares.
    pub read_share: f64,
    /// How many operations are writes.
    pub write_share: f64,
    /// How many operations are compare-and-sets; 0 for stores without.
    pub cas_share: f64,
    /// Whether the final phase inspects every node, past the store's read routes. Otherwise it
    /// reads every key once more: then convergence is not judged, and durability only by versions.
    pub inspect: bool,
}

impl Default for RegisterOptions {
    fn default() -> Self {
        Self {
            keys: 5,
            operations_per_key: 200,
            keys_max: 10_000,
            read_share: 0.5,
            write_share: 0.25,
            cas_share: 0.25,
            inspect: true,
        }
    }
}

impl RegisterOptions {
    fn shares(&self) -> [(&'static str, f64); 3] {
        [
            ("read-share", self.read_share),
            ("write-share", self.write_share),
            ("cas-share", self.cas_share),
        ]
    }

    fn validate(&self) -> Result<(), WorkloadError> {
        check_counts(
            NAME,
            [
                ("keys", u64::from(self.keys)),
                ("operations-per-key", self.operations_per_key),
                ("keys-max", self.keys_max),
            ],
        )?;
        for (option, share) in self.shares() {
            // Sums of larger numbers may be infinite.
            if !(0.0..=1e9).contains(&share) {
                let advice = "shares are relative to each other, such as 0.5, 0.25 and 0.25";
                let expected = "0 or a positive number up to 1e9";
                return out_of_range(NAME, option, expected, &share, advice);
            }
        }
        if self.write_share == 0.0 {
            let advice = "without writes there is nothing to read; compare-and-sets need a value";
            return out_of_range(NAME, "write-share", "positive", &0, advice);
        }
        Ok(())
    }
}

/// The workload, with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Register {
    options: RegisterOptions,
}

impl Register {
    /// With these options.
    ///
    /// # Errors
    /// If an option is out of range.
    pub fn new(options: RegisterOptions) -> Result<Self, WorkloadError> {
        options.validate()?;
        Ok(Self { options })
    }
}

impl Workload for Register {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> &'static str {
        "reads, writes and compare-and-sets of single registers, then a look at what every node \
         holds: linearizability, session guarantees, durability, convergence, a single leader"
    }

    fn needs(&self) -> BTreeSet<&'static str> {
        let RegisterOptions { read_share, cas_share, inspect, .. } = self.options;
        let used = [
            ("read", read_share > 0.0 || !inspect),
            ("write", true),
            ("cas", cas_share > 0.0),
            ("inspect", inspect),
        ];
        used.into_iter().filter_map(|(function, used)| used.then_some(function)).collect()
    }

    fn generator(&self, run: &RunPlan) -> Box<dyn Generator> {
        Load::new(&self.options, rng(run.seed, NAME))
            .stagger(run.rate_hz, rng(run.seed, "stagger"))
            .operation_limit(run.operation_limit.unwrap_or(u64::MAX))
            .time_limit(run.time_limit_ns)
            .boxed()
    }

    fn final_generator(&self, run: &RunPlan, history: &History) -> Box<dyn Generator> {
        let micro_ops = history.iter().flat_map(|operation| operation.micro_ops);
        let keys: BTreeSet<Key> = micro_ops.map(MicroOp::key).collect();
        if self.options.inspect {
            let inspections: Vec<_> =
                keys.into_iter().map(|key| vec![MicroOp::inspect(key)]).collect();
            each_node(run.nodes, &inspections, FINAL_PATIENCE_NS).boxed()
        } else {
            list(keys.into_iter().map(|key| vec![MicroOp::read(key)])).boxed()
        }
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        let mut checkers: Vec<Box<dyn Checker>> = vec![
            Box::new(Linearizability::of_registers()),
            Box::new(SessionGuarantees),
            Box::new(LostWrites),
            Box::new(Leaders),
            Box::new(Progress),
        ];
        if self.options.inspect {
            checkers.push(Box::new(Convergence));
        }
        checkers
    }
}

/// The endless stream of operations.
#[derive(Debug)]
struct Load {
    rng: Pcg64,
    /// Of reads, writes and compare-and-sets.
    shares: [f64; 3],
    keys: Keys<Notes>,
}

/// What is known about a key.
#[derive(Debug, Default)]
struct Notes {
    last_written: Value,
    /// The value that a completion showed most recently.
    seen: Option<Value>,
    /// The different one that was seen before.
    seen_before: Option<Value>,
}

impl Notes {
    fn see(&mut self, value: Value) {
        if self.seen != Some(value) {
            self.seen_before = self.seen.replace(value);
        }
    }

    fn fresh_value(&mut self) -> Value {
        self.last_written += 1;
        self.last_written
    }
}

impl Load {
    fn new(options: &RegisterOptions, rng: Pcg64) -> Self {
        let shares = options.shares().map(|(_, share)| share);
        let keys = Keys::new(options.keys, options.operations_per_key, options.keys_max);
        Self { rng, shares, keys }
    }

    fn operation(&mut self) -> MicroOp {
        let function = weighted(&mut self.rng, &self.shares);
        let stale = self.rng.random_bool(STALE_CAS_SHARE);
        let active = self.keys.pick(&mut self.rng);
        let (key, notes) = (active.key, &mut active.notes);
        let expected = if stale { notes.seen_before.or(notes.seen) } else { notes.seen };
        match (function, expected) {
            (Some(0), _) => MicroOp::read(key),
            (Some(2), Some(old)) => MicroOp::Cas { key, old, new: notes.fresh_value() },
            // Also in place of a compare-and-set while nothing was seen that it could expect.
            _ => MicroOp::Write { key, value: notes.fresh_value() },
        }
    }
}

impl Generator for Load {
    fn next(&mut self, context: &Context<'_>) -> Next {
        match context.pick(&mut self.rng) {
            None => Next::WAIT,
            Some(free) => context.invoke(free, vec![self.operation()]),
        }
    }

    fn observe(&mut self, event: &Event) {
        if event.kind != EventKind::Ok {
            return;
        }
        for micro_op in &event.micro_ops {
            let shown = match *micro_op {
                MicroOp::Read { result, .. } => result.and_then(Reading::value),
                _ => micro_op.written(),
            };
            if let (Some(value), Some(notes)) = (shown, self.keys.notes(micro_op.key())) {
                notes.see(value);
            }
        }
    }
}
