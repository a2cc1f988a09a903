//! Sets: is every acknowledged element there, and nothing else?
//!
//! ```text
//! p0: add(s,1)@n1-  add(s,2)@n1-
//! p1:                              rs(s)={1}-                          stale: 2 had been acknowledged
//! p2:                                           is(s)={1}@n1-  is(s)={1,3}@n2-
//!                                               2 is lost; nobody added 3
//! ```
//!
//! Elements are only ever added, which makes sets the sharpest tool there is for durability: what was
//! acknowledged must be there for ever, whatever came later. Three models:
//!
//! **Linearizable.** What reads by the ordinary route may return, decided exactly and in linear time
//! (a set that only grows needs no search). An element is *known* from when its add was acknowledged
//! or a read that showed it had ended. A read that began later must show it, or it is stale. Reads
//! that are not stale must form a chain: of two of them one has all that the other has. And if an
//! element is there, so is every one whose add had ended before its own add began. `reads.rs` says why
//! that is all.
//!
//! **Integrity.** No read or inspection shows an element that nobody added, whose add had failed, or
//! whose add had not begun, and none shows an element twice. An add of unknown outcome may show or not.
//!
//! **Durable.** Every acknowledged element is on some node in the end, when all nodes were looked at
//! after the last acknowledged add. The looks are inspections if there are any, else reads. (An
//! element that some nodes have and others lack is [divergence](crate::convergence).)
//!
//! After Jepsen's `set` and `set-full` checkers, which speak of lost, stale, never read and
//! unexpected elements.
//!
//! Cost: O(n log n) in operations and in elements read.
//!
//! Incomplete: durability needs looks at every node. Sets that transactions of several
//! micro-operations touch are undecided.
//!
//! A pass does not prove that the elements would survive the next failure; and where reads are few,
//! a stale moment between them is not seen.

pub(crate) mod one_set;
pub(crate) mod reads;
mod sentences;

use std::collections::BTreeMap;

use perjury_history::{Elements, History, MicroOp, OperationId};

use self::one_set::OneSet;
use self::sentences::Sentences;
use crate::final_state::FinalState;
use crate::wording::{count, nodes};
use crate::{Anomaly, Checker, Context, Judgement, Model, Verdict};

/// Anomalies of a kind listed at most; the measures have the full count.
const LISTED_MAX: usize = 100;

/// Decides [`Model::Linearizable`], [`Model::Integrity`] and [`Model::Durable`] of sets; see the
/// [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Sets;

impl Checker for Sets {
    fn name(&self) -> &'static str {
        "sets"
    }

    fn models(&self) -> &'static [Model] {
        &[Model::Linearizable, Model::Integrity, Model::Durable]
    }

    fn check(&self, history: &History, _: &Context<'_>) -> Verdict {
        let mut found = Found { state: final_state(history), ..Found::default() };
        for (key, operations) in history.by_key() {
            match OneSet::of(history, key, &operations) {
                Ok(Some(set)) => found.set(history, &set),
                Ok(None) => {}
                Err(reason) => drop(found.unknown.get_or_insert(reason)),
            }
        }
        found.verdict()
    }
}

/// The last looks at every node: inspections if there are any.
fn final_state(history: &History) -> FinalState<Elements> {
    let inspected = history.iter().any(|operation| {
        operation.micro_ops.iter().any(|it| matches!(it, MicroOp::InspectSet { .. }))
    });
    let look = |micro_op: &MicroOp| match micro_op {
        MicroOp::InspectSet { result, .. } if inspected => Some(result.clone()),
        MicroOp::ReadSet { result, .. } if !inspected => Some(result.clone()),
        _ => None,
    };
    FinalState::looked(history, look, |micro_op| matches!(micro_op, MicroOp::Add { .. }))
}

#[derive(Default)]
struct Found {
    state: FinalState<Elements>,
    anomalies: BTreeMap<&'static str, Vec<Anomaly>>,
    acknowledged: u64,
    reads: u64,
    looks: u64,
    lost: u64,
    undecided: u64,
    stale: u64,
    longest_stale_ns: u64,
    unexpected: u64,
    duplicates: u64,
    nonlinearizable: u64,
    /// Reads show that no order explains the operations.
    contradicted: bool,
    /// Why something is not decided at all.
    unknown: Option<String>,
    /// Why a missing element may not be lost.
    untold: Option<String>,
}

impl Found {
    fn set(&mut self, history: &History, set: &OneSet<'_>) {
        let sentences = Sentences { history, set };
        self.reads += set.reads.len() as u64;
        self.looks += set.looks().count() as u64;
        for unexpected in &set.unexpected {
            self.unexpected += 1;
            self.contradicted |= unexpected.by_read;
            self.list("unexpected", || sentences.unexpected(unexpected));
        }
        for duplicate in &set.duplicates {
            self.duplicates += 1;
            self.list("duplicate", || sentences.duplicate(*duplicate));
        }
        let stale = reads::stale(&set.elements, &set.reads);
        for it in &stale {
            self.stale += 1;
            let since_ns = sentences.known_ns(it.missing);
            let began_ns = history.get(it.read).invoked_ns;
            self.longest_stale_ns = self.longest_stale_ns.max(began_ns.saturating_sub(since_ns));
            self.list("stale", || sentences.stale(it));
        }
        if let Some(contradiction) = reads::contradiction(&set.elements, &set.reads, &stale) {
            self.nonlinearizable += 1;
            self.list("nonlinearizable", || sentences.contradiction(&contradiction));
        }
        self.lost(set, &sentences);
    }

    fn lost(&mut self, set: &OneSet<'_>, sentences: &Sentences<'_>) {
        self.acknowledged += set.acknowledged().count() as u64;
        let Some(held) = self.state.of_key(set.key) else {
            if set.acknowledged().next().is_some() {
                self.undecided += set.acknowledged().count() as u64;
                self.untold.get_or_insert_with(|| {
                    format!(
                        "no node was looked at for set {} after its last acknowledged add: let the \
                         workload's final phase inspect or read every set on every node",
                        set.key
                    )
                });
            }
            return;
        };
        let missing = set.missing(held.values().map(|it| &it.held[..]));
        if missing.is_empty() {
            return;
        }
        let silent = self.state.silent(held);
        if !silent.is_empty() {
            self.undecided += missing.len() as u64;
            self.untold.get_or_insert_with(|| {
                format!(
                    "{} of set {} on none of the nodes that were looked at in the end, but {} did \
                     not answer",
                    count(missing.len() as u64, "acknowledged element"),
                    set.key,
                    nodes(&silent)
                )
            });
            return;
        }
        self.lost += missing.len() as u64;
        let room = LISTED_MAX.saturating_sub(self.anomalies.get("lost").map_or(0, Vec::len));
        let listed = missing.iter().take(room).map(|&it| sentences.lost(it, held)).collect();
        let list: &mut Vec<Anomaly> = self.anomalies.entry("lost").or_default();
        list.extend::<Vec<_>>(listed);
    }

    fn list(&mut self, kind: &'static str, anomaly: impl FnOnce() -> Anomaly) {
        let list = self.anomalies.entry(kind).or_default();
        if list.len() < LISTED_MAX {
            list.push(anomaly());
        }
    }

    fn verdict(mut self) -> Verdict {
        let unknown = self.unknown.clone();
        let judge = |violated: bool, reason: Option<String>| match reason {
            _ if violated => Judgement::Invalid,
            Some(reason) => Judgement::Unknown(reason),
            None => Judgement::Valid,
        };
        let nothing = |there: u64, reason: &str| (there == 0).then(|| reason.to_owned());
        let unread = nothing(self.reads, "no read of a set succeeded");
        let unseen = nothing(self.looks, "no read and no inspection of a set succeeded");
        let unwritten =
            nothing(self.acknowledged, "no add was acknowledged, so no element can be lost");
        let contradicted = self.contradicted || self.stale + self.nonlinearizable > 0;
        let models = BTreeMap::from([
            (Model::Linearizable, judge(contradicted, unknown.clone().or(unread))),
            (
                Model::Integrity,
                judge(self.unexpected + self.duplicates > 0, unknown.clone().or(unseen)),
            ),
            (Model::Durable, judge(self.lost > 0, unknown.or(unwritten).or(self.untold.take()))),
        ]);
        let mut measures = BTreeMap::from([
            ("acknowledged_writes".to_owned(), self.acknowledged),
            ("lost_writes".to_owned(), self.lost),
            ("undecided_writes".to_owned(), self.undecided),
            ("stale_reads".to_owned(), self.stale),
            ("nonlinearizable_keys".to_owned(), self.nonlinearizable),
            ("unexpected_values".to_owned(), self.unexpected),
            ("duplicate_elements".to_owned(), self.duplicates),
        ]);
        if self.stale > 0 {
            measures.insert("longest_stale_ms".into(), self.longest_stale_ns / 1_000_000);
        }
        let order = ["lost", "unexpected", "duplicate", "stale", "nonlinearizable"];
        let anomalies =
            order.iter().flat_map(|kind| self.anomalies.remove(kind).unwrap_or_default()).collect();
        Verdict { models, anomalies, measures }
    }
}

/// What is known of an element from some moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Index of the entry.
    pub(crate) at: u32,
    /// The add that was acknowledged then, or the read that ended.
    pub(crate) by: OperationId,
}

#[cfg(test)]
mod tests;
