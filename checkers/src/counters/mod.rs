//! Counters: does every read lie between what must and what may have been counted?
//!
//! ```text
//! p0: inc(c,1)-  inc(c,1)?   inc(c,1)-
//! p1:                                    rc(c)=1-      stale: 2 had been acknowledged
//! p2:                                    rc(c)=4-      unexpected: at most 3 were ever asked for
//! p3:                                             ic(c)=1@n1-  ic(c)=1@n2-      one is lost
//! ```
//!
//! **Linearizable.** A read is at least the sum of the increments that were acknowledged before it
//! began, and at most that of all that were asked for before it ended and did not fail; it is no less
//! than a read that had ended before it began. That is Jepsen's `counter` checker, and is not all:
//! reads of 1 and 3, with three increments between of which only one can come between them,
//! contradict each other. Where all increments of a counter are of one size, that is decided too,
//! exactly: increments are then interchangeable, so it is enough to hand out as many as each read
//! needs, those first that must be counted soonest (`units.rs`). Where sizes differ, a
//! counter within its bounds is undecided: the question contains the subset sum problem.
//!
//! **Integrity.** No read and no inspection is beyond what may have been counted.
//!
//! **Durable.** In the end, when all nodes were looked at after the last acknowledged increment, some
//! node has counted at least the acknowledged ones. The looks are inspections if there are any, else
//! reads.
//!
//! Cost: O(n log n); with a contradiction to be explained, times its reads.
//!
//! Incomplete: an increment of unknown outcome that happened hides a lost one. With increments both
//! up and down, durability is undecided. Counters that transactions of several micro-operations touch
//! are undecided.
//!
//! A pass does not prove that each increment was counted once: one lost and one counted twice go
//! unseen. Sets show more.

mod one_counter;
mod sentences;
mod units;

use std::collections::BTreeMap;

use perjury_history::{History, MicroOp, Value};

use self::one_counter::{Direction, OneCounter};
use self::sentences::Sentences;
use crate::final_state::FinalState;
use crate::wording::nodes;
use crate::{Anomaly, AnomalyKind, Checker, Context, Judgement, Model, Verdict};

/// Anomalies of a kind listed at most; the measures have the full count.
const LISTED_MAX: usize = 100;

/// Decides [`Model::Linearizable`], [`Model::Integrity`] and [`Model::Durable`] of counters; see the
/// [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters;

impl Checker for Counters {
    fn name(&self) -> &'static str {
        "counters"
    }

    fn models(&self) -> &'static [Model] {
        &[Model::Linearizable, Model::Integrity, Model::Durable]
    }

    fn check(&self, history: &History, _: &Context<'_>) -> Verdict {
        let mut found = Found { state: final_state(history), ..Found::default() };
        for (key, operations) in history.by_key() {
            match OneCounter::of(history, key, &operations) {
                Ok(Some(counter)) => found.counter(history, &counter),
                Ok(None) => {}
                Err(reason) => drop(found.unknown.get_or_insert(reason)),
            }
        }
        found.verdict()
    }
}

/// The last looks at every node: inspections if there are any.
fn final_state(history: &History) -> FinalState<Value> {
    let inspected = history.iter().any(|operation| {
        operation.micro_ops.iter().any(|it| matches!(it, MicroOp::InspectCounter { .. }))
    });
    let look = |micro_op: &MicroOp| match *micro_op {
        MicroOp::InspectCounter { result, .. } if inspected => Some(result),
        MicroOp::ReadCounter { result, .. } if !inspected => Some(result),
        _ => None,
    };
    FinalState::looked(history, look, |micro_op| matches!(micro_op, MicroOp::Increment { .. }))
}

#[derive(Default)]
struct Found {
    state: FinalState<Value>,
    anomalies: BTreeMap<AnomalyKind, Vec<Anomaly>>,
    acknowledged: u64,
    reads: u64,
    looks: u64,
    lost: u64,
    stale: u64,
    unexpected: u64,
    nonlinearizable: u64,
    /// A read, not only an inspection, was beyond what may be.
    contradicted: bool,
    /// Why nothing is decided of some counter.
    unknown: Option<String>,
    /// Why an order of reads is not decided.
    unordered: Option<String>,
    /// Why a missing increment may not be lost.
    untold: Option<String>,
}

impl Found {
    fn counter(&mut self, history: &History, counter: &OneCounter) {
        let sentences = Sentences { history, counter };
        self.reads += counter.reads.len() as u64;
        self.looks += (counter.reads.len() + counter.inspections.len()) as u64;
        self.acknowledged += counter.acknowledged().count() as u64;
        let mut sound = Vec::new();
        let mut highest = counter.highest_before();
        for read in &counter.reads {
            if counter.is_beyond(read) {
                self.unexpected += 1;
                self.contradicted = true;
                self.list(AnomalyKind::UnexpectedValue, || sentences.unexpected(read));
            } else if counter.is_short(read) {
                self.stale += 1;
                self.list(AnomalyKind::StaleRead, || sentences.short(read));
            } else if let Some(earlier) = highest.more_than(read) {
                self.stale += 1;
                self.list(AnomalyKind::StaleRead, || sentences.went_back(earlier, read));
            } else {
                sound.push(*read);
            }
        }
        for inspection in counter.inspections.iter().filter(|it| counter.is_beyond(it)) {
            self.unexpected += 1;
            self.list(AnomalyKind::UnexpectedValue, || sentences.unexpected(inspection));
        }
        match counter.unit() {
            Some(unit) => {
                if let Some(reads) = units::contradiction(counter, unit, &sound) {
                    self.nonlinearizable += 1;
                    self.list(AnomalyKind::Nonlinearizable, || sentences.contradiction(&reads));
                }
            }
            None if counter.reads.is_empty() => {}
            None => {
                self.unordered.get_or_insert_with(|| {
                    format!(
                        "counter {}: its increments are of different sizes, and whether an order of \
                         them explains reads that are within their bounds is not judged",
                        counter.key
                    )
                });
            }
        }
        self.lost(counter, &sentences);
    }

    fn lost(&mut self, counter: &OneCounter, sentences: &Sentences<'_>) {
        if counter.acknowledged().next().is_none() {
            return;
        }
        let key = counter.key;
        if counter.direction == Direction::Mixed {
            let reason = format!("counter {key} goes up and down, so that losses cancel out");
            self.untold.get_or_insert(reason);
            return;
        }
        let Some(held) = self.state.of_key(key) else {
            self.untold.get_or_insert_with(|| {
                format!(
                    "no node was looked at for counter {key} after its last acknowledged increment: \
                     let the workload's final phase inspect or read every counter on every node"
                )
            });
            return;
        };
        let lost = counter.lost(held.values().map(|it| it.held));
        if lost == 0 {
            return;
        }
        let silent = self.state.silent(held);
        if !silent.is_empty() {
            self.untold.get_or_insert_with(|| {
                format!(
                    "none of the nodes that were looked at in the end has counted all increments \
                     of counter {key}, but {} did not answer",
                    nodes(&silent)
                )
            });
            return;
        }
        self.lost += lost;
        let anomaly = sentences.lost(lost, held);
        self.list(AnomalyKind::LostWrite, || anomaly);
    }

    fn list(&mut self, kind: AnomalyKind, anomaly: impl FnOnce() -> Anomaly) {
        let list = self.anomalies.entry(kind).or_default();
        if list.len() < LISTED_MAX {
            list.push(anomaly());
        }
    }

    fn verdict(mut self) -> Verdict {
        let judge = |violated: bool, reason: Option<String>| match reason {
            _ if violated => Judgement::Invalid,
            Some(reason) => Judgement::Unknown(reason),
            None => Judgement::Valid,
        };
        let nothing = |there: u64, reason: &str| (there == 0).then(|| reason.to_owned());
        let unread = nothing(self.reads, "no read of a counter succeeded");
        let unseen = nothing(self.looks, "no read and no inspection of a counter succeeded");
        let unwritten =
            nothing(self.acknowledged, "no increment was acknowledged, so none can be lost");
        let unknown = self.unknown.take();
        let contradicted = self.contradicted || self.stale + self.nonlinearizable > 0;
        let undecided = unknown.clone().or(unread).or(self.unordered.take());
        let models = BTreeMap::from([
            (Model::Linearizable, judge(contradicted, undecided)),
            (Model::Integrity, judge(self.unexpected > 0, unknown.clone().or(unseen))),
            (Model::Durable, judge(self.lost > 0, unknown.or(unwritten).or(self.untold.take()))),
        ]);
        let measures = BTreeMap::from([
            ("acknowledged_writes".to_owned(), self.acknowledged),
            ("lost_writes".to_owned(), self.lost),
            ("stale_reads".to_owned(), self.stale),
            ("unexpected_values".to_owned(), self.unexpected),
            ("nonlinearizable_keys".to_owned(), self.nonlinearizable),
        ]);
        let order = [
            AnomalyKind::LostWrite,
            AnomalyKind::UnexpectedValue,
            AnomalyKind::StaleRead,
            AnomalyKind::Nonlinearizable,
        ];
        let anomalies =
            order.iter().flat_map(|kind| self.anomalies.remove(kind).unwrap_or_default()).collect();
        Verdict { models, anomalies, measures }
    }
}

#[cfg(test)]
mod tests;
