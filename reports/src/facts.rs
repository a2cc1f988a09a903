//! What a page says about a run, or about another history, beside its events and its analysis.

use perjury_checkers::Analysis;
use perjury_history::History;
use serde::{Deserialize, Serialize};

/// Everything that the page of one run is made of.
#[derive(Clone, Copy)]
pub struct RunReport<'a> {
    /// The page's title: usually the test's name.
    pub title: &'a str,
    /// What happened.
    pub history: &'a History,
    /// What the checkers say of it.
    pub analysis: &'a Analysis,
    /// The circumstances.
    pub facts: &'a RunFacts,
}

/// The circumstances of a run or, where a history is no run, what is known of it; filled in by whoever ran it. Every field may be left at its default;
/// the page then leaves it out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunFacts {
    /// The test's name.
    pub test: String,
    /// The file of a history that is no run.
    pub file: String,
    /// What kind of object a history that is no run was judged as.
    pub object: String,
    /// What bounded the judgement.
    pub bounds: Option<BoundsFacts>,
    /// Whether the history tells no times, so that those it has are only counted.
    pub untimed: bool,
    /// The store in one line: `replica: leader-follower, async, automatic failover`.
    pub store: String,
    /// The workload's name.
    pub workload: String,
    /// The lab's name.
    pub lab: String,
    /// How many nodes there were.
    pub nodes: u32,
    /// How many processes ran at once. A retired process's successor is its number plus this, so
    /// that the timeline can draw both in one lane; 0 gives every process its own.
    pub concurrency: u32,
    /// The seed that everything random came from, if it is a run's.
    pub seed: Option<u64>,
    /// When the run began, for people.
    pub started_utc: String,
    /// How long it took by the clock on the wall, in milliseconds.
    pub wall_ms: Option<u64>,
    /// The version of Perjury that ran it.
    pub perjury_version: String,
    /// Shell commands that run or judge it again.
    pub reproduce: Vec<String>,
    /// The test's settings as TOML.
    pub settings: String,
    /// What was expected of the store, and whether it came so.
    pub expectations: Vec<ExpectationResult>,
    /// What a reader must know before believing the rest: interrupted, a lab failure.
    pub notes: Vec<String>,
    /// What the nodes themselves wrote, in files beside the page.
    pub logs: Vec<LogFacts>,
    /// The file with the lines of all logs in one order, relative to the page; may be empty.
    pub merged_log: String,
}

impl RunFacts {
    /// Whether everything came as expected; `None` if nothing was expected.
    pub(crate) fn as_expected(&self) -> Option<bool> {
        let each = self.expectations.iter().map(|expectation| expectation.met);
        each.reduce(|all, met| all && met)
    }
}

/// What bounded a judgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BoundsFacts {
    /// Time by the wall clock.
    pub time_ms: u64,
    /// Memory beside the history.
    pub memory_bytes: u64,
    /// Steps of one search.
    pub steps: u64,
}

/// One log of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogFacts {
    /// The node's name.
    pub node: String,
    /// The log's name on the node.
    pub name: String,
    /// Where it is, relative to the page.
    pub href: String,
    /// How many lines it has.
    pub lines: u64,
    /// How many lines tell of a panic, a failed assertion or a crash.
    pub suspicions: u64,
    /// The first of those lines.
    pub suspicious: Vec<SuspiciousFacts>,
}

/// A line of a log that tells of a defect of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SuspiciousFacts {
    /// Its number, from 1.
    pub line: u64,
    /// When it was written, for people; empty if the log does not say.
    pub time: String,
    /// What it tells of.
    pub what: String,
    /// The line.
    pub text: String,
}

/// One expectation and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExpectationResult {
    /// What was expected: `linearizable holds`, `two-leaders is found`.
    pub text: String,
    /// Whether it came so.
    pub met: bool,
    /// What was found instead, or more about it; may be empty.
    pub detail: String,
}
