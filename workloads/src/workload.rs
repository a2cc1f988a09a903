//! What a workload is.

use std::collections::BTreeSet;

use perjury_checkers::Checker;
use perjury_history::History;

use crate::Generator;

/// What a run asks of any workload.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPlan {
    /// Where all randomness comes from.
    pub seed: u64,
    /// Operations per second, all processes together; infinite for as fast as the store answers,
    /// 0 (or anything that is no rate) for none.
    pub rate_hz: f64,
    /// How long the load lasts, without the final phase.
    pub time_limit_ns: u64,
    /// How many operations the load has at most, without the final phase.
    pub operation_limit: Option<u64>,
    /// Number of threads, each a process at a time.
    pub concurrency: u32,
    /// Number of nodes.
    pub nodes: u32,
}

/// A kind of load, and the checkers that can judge it.
pub trait Workload: Send + Sync {
    /// The name in campaign files and reports.
    fn name(&self) -> &'static str;

    /// What its clients do and what it can reveal, in a sentence or two.
    fn describe(&self) -> &'static str;

    /// The functions that a store must offer, by [`perjury_history::MicroOp::function`], and
    /// [`perjury_history::MicroOp::TRANSACTION`] if an operation may be several of them.
    fn needs(&self) -> BTreeSet<&'static str>;

    /// The load: paced and limited as the plan says.
    fn generator(&self, run: &RunPlan) -> Box<dyn Generator>;

    /// What is asked after every fault is healed: the look at what is left. `history` is what was
    /// done before.
    fn final_generator(&self, run: &RunPlan, history: &History) -> Box<dyn Generator>;

    /// The checkers that judge it.
    fn checkers(&self) -> Vec<Box<dyn Checker>>;
}
