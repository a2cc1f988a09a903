//! Isolation of transactions: which levels a history satisfies, which it violates, and by what.
//!
//! ```text
//! p0: r(x)=nil;w(x,1)--
//! p1:   r(x)=nil;w(x,2)--      both read what was there at first, and one update is lost
//! ```
//!
//! A transaction is an operation of registers (`read`, `write`), lists (`append`, `read-list`) and
//! sets (`add`, `read-set`), in any mixture. What a read of a list returns shows the order of the
//! versions before it; a read of a set is one of a predicate, which also shows what was not there;
//! of registers nothing shows the order of versions, and it is inferred.
//!
//! # What is decided
//!
//! Each level of [`Isolation`] with each [`Order`], for committed
//! transactions. A history satisfies a level if there are
//!
//! - versions: an order of each item's writers that agrees with all reads of lists, and
//! - an order of all transactions that keeps these, the order of sessions or of time if that is
//!   asked for, and, from read committed on, what was read from whom; such that
//! - for every item that a transaction read from `t1`, every other writer `t2` of it that is
//!   *visible* to the transaction comes before `t1`.
//!
//! | level | visible to a transaction `t` |
//! |---|---|
//! | read uncommitted, read committed | nothing |
//! | monotonic atomic view | of a read: what earlier reads of `t` read from |
//! | read atomic | what `t` read from or comes after in its session |
//! | causal | all that leads to `t` in such steps |
//! | prefix | all that comes before or is visible as in read atomic |
//! | snapshot isolation | the same, and all before another writer of what `t` writes |
//! | repeatable read | all before `t`, but for reads of sets |
//! | serializable | all before `t` |
//!
//! (Biswas & Enea 2019, after Cerone et al. 2015.) Parallel snapshot isolation is not of this form: no
//! cycle of dependencies has exactly one anti-dependency or none (Cerone et al. 2015).
//!
//! A transaction of unknown outcome happened if another that happened read from it; else it may as
//! well not have. Reads of what nobody wrote, or a failed transaction, or of an intermediate value,
//! are anomalies of their own.
//!
//! # How
//!
//! `observations` turns the history into numbers. Where the order of versions is known, a level is a
//! matter of cycles in a `graph` (`relation`), in linear time. Of registers, levels below snapshots
//! are decided completely in near-linear time (`weak`, `causal`), and those above by saturation and a
//! bounded search (`polygraph`).
//!
//! # What a pass does not prove
//!
//! That the store keeps the level: only that this history does. Increments, locks and queues in
//! transactions are not looked at.

mod causal;
mod components;
mod cycles;
mod explain;
mod graph;
mod levels;
mod observations;
mod oddity;
mod phenomenon;
mod polygraph;
mod relation;
#[cfg(test)]
mod tests;
mod weak;

use std::collections::{BTreeMap, BTreeSet};

use perjury_history::{History, Outcome};

use self::cycles::{Finder, Link, Steps, Wanted};
use self::explain::Teller;
use self::graph::{Graph, kind};
use self::levels::{Judged, Levels, Proof};
use self::observations::Observations;
use self::relation::Relation;
use crate::{Anomaly, AnomalyKind, Checker, Context, Isolation, Judgement, Model, Order, Verdict};

/// Decides all levels of isolation; see the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Transactions {
    /// Decide only these; all if it is empty.
    wanted: BTreeSet<Model>,
}

impl Transactions {
    /// Of only these models, which may be much faster.
    pub fn of(wanted: BTreeSet<Model>) -> Self {
        Self { wanted }
    }
}

impl Checker for Transactions {
    fn name(&self) -> &'static str {
        "transactions"
    }

    fn models(&self) -> &'static [Model] {
        &Model::ISOLATIONS
    }

    fn check(&self, history: &History, context: &Context<'_>) -> Verdict {
        let observations = Observations::of(history);
        let wanted = match self.wanted.is_empty() {
            true => BTreeSet::from(Model::ISOLATIONS),
            false => self.wanted.clone(),
        };
        let mut levels = Levels::new(&observations, context);
        let judged = levels.judge(&wanted);
        let anomalies = anomalies(history, &observations, &mut levels, &judged);
        let mut models = judged.models;
        models.retain(|model, _| wanted.contains(model));
        if observations.len() == 0 {
            let nothing = Judgement::Unknown("no transaction succeeded".into());
            models.values_mut().for_each(|it| *it = it.clone().merge(nothing.clone()));
        }
        Verdict { models, anomalies, measures: measures(history, &observations) }
    }
}

fn measures(history: &History, observations: &Observations) -> BTreeMap<String, u64> {
    let failed = history.iter().filter(|it| it.outcome == Outcome::Fail).count();
    let counts = observations.oddities.counts.iter().map(|(phenomenon, count)| {
        let name = AnomalyKind::Isolation(*phenomenon, Order::Free).name();
        (format!("{}_anomalies", name.replace('-', "_").to_lowercase()), *count)
    });
    let mut measures: BTreeMap<String, u64> = counts.collect();
    measures.insert("transactions".to_owned(), observations.len() as u64);
    measures.insert("failed_transactions".to_owned(), failed as u64);
    measures
}

/// Steps for finding short cycles of one kind, and how often at least all edges may be followed.
const CYCLE_STEPS: u64 = 2_000_000;
const CYCLE_PASSES: u64 = 4;

/// All anomalies: what no order explains, and a short cycle of each kind.
fn anomalies(
    history: &History,
    observations: &Observations,
    levels: &mut Levels<'_>,
    judged: &Judged,
) -> Vec<Anomaly> {
    let teller = Teller { history, observations };
    let mut found: Vec<Anomaly> =
        observations.oddities.listed.iter().map(|it| teller.oddity(it)).collect();
    let mut kinds: BTreeSet<AnomalyKind> = found.iter().map(|it| it.kind).collect();
    let mut add = |anomaly: Anomaly, found: &mut Vec<Anomaly>| {
        if kinds.insert(anomaly.kind) {
            found.push(anomaly);
        }
    };
    let is_invalid = |level, order| {
        judged.models.get(&Model::Isolation(level, order)) == Some(&Judgement::Invalid)
    };
    let mut proofs = judged.proofs.clone();
    for order in Order::ALL {
        let mut new: Vec<Isolation> = Isolation::ALL
            .into_iter()
            .filter(|level| is_invalid(*level, order))
            .filter(|level| order == Order::Free || !is_invalid(*level, weaker(order)))
            .collect();
        let of_writes = new.contains(&Isolation::ReadUncommitted);
        let mut all = Vec::new();
        if of_writes {
            let graph = Graph::of_writes(observations, order);
            all = cycles(&graph, &[Isolation::ReadUncommitted]);
        }
        new.retain(|level| *level != Isolation::ReadUncommitted);
        all.extend(cycles(levels.graph(order), &new));
        for (level, cycle) in all {
            let told = teller.cycle(&cycle);
            // Not every circle of writes rules out read uncommitted: some may not have happened.
            let is_of_writes =
                matches!(told.kind.rules_out(), Model::Isolation(Isolation::ReadUncommitted, _));
            match judged.models.get(&told.kind.rules_out()) {
                Some(Judgement::Invalid) => add(told, &mut found),
                None if !is_of_writes => add(told, &mut found),
                _ => {}
            }
            proofs.push(Proof { level, order, cycle, forced: Vec::new(), cases: Vec::new() });
        }
    }
    // What no cycle is named after, of the levels that matter most.
    let invalid = judged.models.iter().filter(|it| *it.1 == Judgement::Invalid);
    let weakest = Model::weakest(&invalid.map(|(model, _)| *model).collect());
    for proof in &proofs {
        let model = Model::Isolation(proof.level, proof.order);
        let below = model.all_implied();
        let is_shown = found.iter().any(|it| below.contains(&it.kind.rules_out()));
        if !is_shown && weakest.contains(&model) {
            add(teller.proof(proof), &mut found);
        }
    }
    found.sort_by_key(|it| it.kind);
    found
}

fn weaker(order: Order) -> Order {
    match order {
        Order::RealTime => Order::Session,
        Order::Session | Order::Free => Order::Free,
    }
}

/// A shortest cycle that violates each of these levels.
fn cycles(graph: &Graph, levels: &[Isolation]) -> Vec<(Isolation, Vec<Link>)> {
    if levels.is_empty() {
        return Vec::new();
    }
    let mut finder = Finder::new(graph, u8::MAX);
    let wanted = levels.iter().filter_map(|level| {
        let (first, relation) = match level {
            Isolation::ReadUncommitted => (kind::WW, *level),
            Isolation::ReadCommitted => (kind::ANY_WR, *level),
            Isolation::ParallelSnapshotIsolation => (kind::ANY_RW, Isolation::ReadCommitted),
            Isolation::RepeatableRead => (kind::RW, *level),
            Isolation::Prefix | Isolation::SnapshotIsolation | Isolation::Serializable => {
                (kind::ANY_RW, *level)
            }
            Isolation::MonotonicAtomicView | Isolation::ReadAtomic | Isolation::Causal => {
                return None;
            }
        };
        let relation = Relation::of(relation)?;
        Some((*level, Wanted { first, relation, ends_followed: true }))
    });
    let found = wanted.filter_map(|(level, wanted)| {
        let only_writes = Wanted { first: kind::WW, ..wanted };
        let steps = || Steps(CYCLE_STEPS.max(CYCLE_PASSES * graph.edges() as u64));
        let cycle = finder.shortest(wanted, &mut steps());
        Some((level, cycle.or_else(|| finder.shortest(only_writes, &mut steps()))?))
    });
    found.collect()
}
