//! Durability: no acknowledged write is lost.
//!
//! ```text
//! p0: w(x,1)@n1#1.1-  w(x,2)@n1#1.2-                       n1 acknowledged 2 alone
//! p1:                                  w(y,5)@n3#2.2-      n3 took over without it, in its place
//! p2:                                                   i(x)=1@n1-  i(x)=1@n2-  i(x)=1@n3-
//! ```
//!
//! A write is lost if either of two observations shows it.
//!
//! **The final inspections.** Every node was inspected after all acknowledged writes of the key, and
//! every one holds something certainly older than the write: nothing, or a value whose write had
//! ended before this one was asked, or one with an older version. A value that a later or an
//! overlapping write replaced is not lost; nor is one that some node still holds (that is
//! divergence). A write of unknown outcome never ended, so it replaces what it may.
//!
//! **The log was cut.** The write has position p in epoch e, and some acknowledged write has a
//! position of at most p in a later epoch. Along a log positions grow one by one and epochs never
//! go back. So in the log that holds the later epoch's write, everything from there on is of that
//! epoch or later ones: the entry (e, p) is not in it. That is sound for stores whose positions are
//! positions in one replicated log, whose new leader appends to the log it has, and whose old leader
//! is overruled. An old leader that is never told to forget (it rejoins and keeps its entries) may
//! still hold the write: if a final inspection shows on any node the value, or a later one of the same
//! epoch that replaced it there, it is not counted as lost but left to
//! [`Convergence`](crate::Convergence).
//!
//! After Jepsen's lost-update tests and the recovery-point measure of disaster recovery: the age of
//! the oldest lost write when the next epoch's leader first acknowledged something.
//!
//! Cost: O(n log n + writes * nodes).
//!
//! Incomplete: without inspections on all nodes only a cut log is seen; without versions only what
//! the last value of each key tells, so a lost write that a later write would have replaced anyway
//! is not missed. Keys on which a value is written twice are undecided unless the
//! log was cut.
//!
//! A pass does not prove that the writes would survive the next failure, nor that they were on disk.

use std::collections::BTreeMap;

use perjury_history::{History, Key, MicroOp, NodeId, Operation, OperationId, Outcome, Value};
use perjury_history::{Reading, Version};

use crate::final_state::{FinalState, Held, by_value, describe};
use crate::origins::{Origin, Origins};
use crate::wording::{by, end_ns, mutation_in, mutation_of, nodes, seconds};
use crate::{
    Anomaly, AnomalyKind, Checker, Context, Edge, Judgement, Model, Verdict, Witness,
    WitnessOperation,
};
use crate::{Leadership, leaderships};

/// Anomalies listed at most; the measures have the full count.
const LISTED_MAX: usize = 100;

/// Decides [`Model::Durable`]; see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct LostWrites;

impl Checker for LostWrites {
    fn name(&self) -> &'static str {
        "lost-writes"
    }

    fn models(&self) -> &'static [Model] {
        &[Model::Durable]
    }

    fn check(&self, history: &History, _: &Context<'_>) -> Verdict {
        let mut search = Search {
            history,
            state: FinalState::of(history),
            cuts: Cuts::of(history),
            leaderships: leaderships(history),
            acknowledged: 0,
            undecided: 0,
            lost: Vec::new(),
            unknown: None,
        };
        let by_key = history.by_key();
        for (key, operations) in &by_key {
            search.key(*key, operations);
        }
        search.verdict(&by_key)
    }
}

/// Where each epoch's log was cut by a later one.
struct Cuts {
    /// For each epoch, the acknowledged write of a later epoch that has the lowest position.
    lowest_later: BTreeMap<u64, (u64, OperationId)>,
}

impl Cuts {
    fn of(history: &History) -> Self {
        let mut lowest: BTreeMap<u64, (u64, OperationId)> = BTreeMap::new();
        for write in history.iter().filter(is_acknowledged_write) {
            let Some(Version { epoch, position }) = write.version else { continue };
            let known = lowest.entry(epoch).or_insert((position, write.id));
            *known = (position, write.id).min(*known);
        }
        let mut lowest_later = BTreeMap::new();
        let mut later: Option<(u64, OperationId)> = None;
        for (epoch, own) in lowest.into_iter().rev() {
            lowest_later.extend(later.map(|later| (epoch, later)));
            later = Some(later.map_or(own, |later| later.min(own)));
        }
        Self { lowest_later }
    }

    /// The write that shows that the log was cut before `version`.
    fn cutter(&self, version: Version) -> Option<OperationId> {
        let (position, cutter) = self.lowest_later.get(&version.epoch)?;
        (*position <= version.position).then_some(*cutter)
    }
}

fn is_acknowledged_write(operation: &Operation<'_>) -> bool {
    operation.outcome == Outcome::Ok && operation.micro_ops.iter().any(|it| it.written().is_some())
}

/// What the final inspections say of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Some node holds it, or what may have replaced it.
    Kept {
        /// The value itself was seen, or a later one of the same epoch: that node's log holds it.
        certainly: bool,
    },
    /// Every node holds something older.
    Gone,
    /// Too little was inspected.
    Untold,
}

struct Lost {
    key: Key,
    value: Value,
    write: OperationId,
    gone: bool,
    cutter: Option<OperationId>,
}

struct Search<'a> {
    history: &'a History,
    state: FinalState,
    cuts: Cuts,
    leaderships: Vec<Leadership>,
    acknowledged: u64,
    undecided: u64,
    lost: Vec<Lost>,
    /// Why a write is undecided.
    unknown: Option<String>,
}

impl Search<'_> {
    fn key(&mut self, key: Key, operations: &[OperationId]) {
        let origins = Origins::of(self.history, operations);
        let history = self.history;
        for write in operations.iter().map(|id| history.get(*id)).filter(is_acknowledged_write) {
            let on_key = write.micro_ops.iter().filter(|it| it.key() == key);
            // A transaction may write a key more than once: the last one counts.
            let Some(value) = on_key.filter_map(MicroOp::written).next_back() else { continue };
            self.acknowledged += 1;
            let fate = self.fate(key, &write, value, &origins);
            let cutter = write.version.and_then(|version| self.cuts.cutter(version));
            let cutter = cutter.filter(|_| fate != Fate::Kept { certainly: true });
            if fate == Fate::Gone || cutter.is_some() {
                let gone = fate == Fate::Gone;
                self.lost.push(Lost { key, value, write: write.id, gone, cutter });
            } else if fate == Fate::Untold && write.version.is_none() || self.is_missing(key, fate)
            {
                self.undecided += 1;
                self.unknown
                    .get_or_insert_with(|| untold(history, &self.state, key, &write, &origins));
            }
        }
    }

    /// Whether the inspections that were answered do not show a write, and others were not answered.
    fn is_missing(&self, key: Key, fate: Fate) -> bool {
        fate == Fate::Untold && self.state.of_key(key).is_some()
    }

    fn fate(&self, key: Key, write: &Operation<'_>, value: Value, origins: &Origins<'_>) -> Fate {
        let Some(held) = self.state.of_key(key) else { return Fate::Untold };
        let is_later = |version: Version| {
            write
                .version
                .is_some_and(|own| own.epoch == version.epoch && own.position <= version.position)
        };
        let certainly =
            |it: &Held| it.held == Reading::Value(value) || it.version.is_some_and(is_later);
        if held.values().any(certainly) {
            return Fate::Kept { certainly: true };
        }
        if origins.repeated.is_some() {
            return Fate::Untold;
        }
        let own = origins.origin(Reading::Value(value));
        let own = Origin { writer: Some(write.id), version: own.version.or(write.version), ..own };
        if !held.values().all(|it| is_older(it, &own, origins)) {
            return Fate::Kept { certainly: false };
        }
        match self.state.silent(held).is_empty() {
            true => Fate::Gone,
            false => Fate::Untold,
        }
    }

    fn verdict(mut self, by_key: &BTreeMap<Key, Vec<OperationId>>) -> Verdict {
        // Those first that both observations show, then by the time of the acknowledgement.
        let history = self.history;
        self.lost
            .sort_by_key(|it| (!(it.gone && it.cutter.is_some()), history.get(it.write).completed));
        let judgement = match self.unknown.take() {
            _ if !self.lost.is_empty() => Judgement::Invalid,
            _ if self.acknowledged == 0 => {
                Judgement::Unknown("no write was acknowledged, so none can be lost".into())
            }
            Some(reason) => Judgement::Unknown(reason),
            None => Judgement::Valid,
        };
        let mut measures = BTreeMap::from([
            ("acknowledged_writes".to_owned(), self.acknowledged),
            ("lost_writes".to_owned(), self.lost.len() as u64),
            ("undecided_writes".to_owned(), self.undecided),
        ]);
        let ages = self.lost.iter().filter_map(|it| self.age_ns(it));
        if let Some(oldest_ns) = ages.max() {
            measures.insert("oldest_lost_ms".into(), oldest_ns / 1_000_000);
        }
        let listed = self.lost.iter().take(LISTED_MAX);
        Verdict {
            anomalies: listed.map(|it| self.anomaly(it, &by_key[&it.key])).collect(),
            models: BTreeMap::from([(Model::Durable, judgement)]),
            measures,
        }
    }

    /// How long before the next leader's first acknowledgement it had been acknowledged.
    fn age_ns(&self, lost: &Lost) -> Option<u64> {
        let write = self.history.get(lost.write);
        let successor = self.successor(&write)?;
        Some(successor.first_ns.saturating_sub(end_ns(&write)))
    }

    /// Who led next after the epoch of the write.
    fn successor(&self, write: &Operation<'_>) -> Option<&Leadership> {
        let epoch = write.version.map(|it| it.epoch).filter(|epoch| *epoch > 0)?;
        let later = self.leaderships.iter().filter(|it| it.epoch > epoch);
        later.min_by_key(|it| it.epoch)
    }

    fn anomaly(&self, lost: &Lost, operations: &[OperationId]) -> Anomaly {
        let write = self.history.get(lost.write);
        let Lost { key, value, .. } = *lost;
        let version = write.version.filter(|it| it.epoch > 0);
        let mut explanation = format!(
            "{}'s {} to key {key} was acknowledged{}{} at {} and is gone",
            write.process,
            mutation_of(self.history.names(), &write, value),
            by(write.served_by),
            version.map_or(String::new(), |it| format!(" in epoch {}", it.epoch)),
            seconds(end_ns(&write)),
        );
        let mut clauses = Vec::new();
        if let Some(successor) = self.successor(&write) {
            let already = if successor.first_ns < end_ns(&write) { "had taken" } else { "took" };
            clauses.push(format!(
                "{} {already} over in epoch {} (its first write was acknowledged at {})",
                successor.node,
                successor.epoch,
                seconds(successor.first_ns)
            ));
        }
        let mut witness = Witness::default();
        let mut add =
            |operation, role| witness.operations.push(WitnessOperation { operation, role });
        add(write.id, "the acknowledged write".into());
        if let (Some(cutter), Some(own)) = (lost.cutter, write.version) {
            let cutter = self.history.get(cutter);
            let other = cutter.version.unwrap_or(own);
            let again =
                if other.position == own.position { "position" } else { "earlier position" };
            add(
                cutter.id,
                format!("took log position {} in epoch {}", other.position, other.epoch),
            );
            clauses.push(format!(
                "the log was cut: the write had position {}, and {}'s {} took the {again} {} in \
                 epoch {}",
                own.position,
                cutter.process,
                mutation_in(self.history.names(), &cutter),
                other.position,
                other.epoch,
            ));
        }
        if let Some(held) = self.state.of_key(key) {
            let older = if lost.gone { ", all of it older" } else { "" };
            clauses.push(format!("in the end {}{older}", describe(held)));
            for (node, it) in held {
                add(it.operation, format!("{node} held {}", it.held));
            }
        }
        if !clauses.is_empty() {
            explanation += &format!(": {}", clauses.join("; "));
        }
        explanation.push('.');
        if lost.gone {
            self.add_holders(lost, operations, &mut witness);
        }
        witness.operations.sort_by_key(|it| it.operation);
        Anomaly { kind: AnomalyKind::LostWrite, key: Some(key), explanation, witness }
    }

    /// The writes of what the nodes hold instead, and that they were over before the lost one began.
    fn add_holders(&self, lost: &Lost, operations: &[OperationId], witness: &mut Witness) {
        let origins = Origins::of(self.history, operations);
        let write = self.history.get(lost.write);
        for (held, _) in self.state.of_key(lost.key).map_or(Vec::new(), by_value) {
            let Some(writer) = origins.origin(held).writer else { continue };
            if witness.operations.iter().all(|it| it.operation != writer) {
                let role = format!("wrote the older {held}");
                witness.operations.push(WitnessOperation { operation: writer, role });
            }
            if self.history.get(writer).precedes(&write) {
                let reason = "acknowledged before the other was asked".into();
                witness.edges.push(Edge { from: writer, to: write.id, reason });
            }
        }
    }
}

/// Whether what a node holds was certainly in place before `own`.
fn is_older(held: &Held, own: &Origin, origins: &Origins<'_>) -> bool {
    let mut origin = origins.origin(held.held);
    origin.version = origin.version.or(held.version);
    let by_version = matches!((origin.version, own.version), (Some(it), Some(own)) if it < own);
    held.held == Reading::Nil || by_version || origins.is_older_by_time(&origin, own)
}

fn untold(
    history: &History,
    state: &FinalState,
    key: Key,
    write: &Operation<'_>,
    origins: &Origins<'_>,
) -> String {
    let held = state.of_key(key);
    let silent: Vec<NodeId> = held.map_or(Vec::new(), |held| state.silent(held));
    let write = format!("{}'s {} to key {key}", write.process, mutation_in(history.names(), write));
    match (held, origins.repeated) {
        (None, _) => format!(
            "no node was inspected for key {key} after its last acknowledged write, and {write} has \
             no version: let the workload's final phase inspect every key on every node"
        ),
        (Some(_), Some(value)) => format!(
            "key {key}: {value} was written more than once, so what the nodes hold does not tell \
             which write it is; write every value once"
        ),
        (Some(_), None) => format!(
            "{write} is on none of the nodes that were inspected in the end, but {} did not answer",
            nodes(&silent)
        ),
    }
}

#[cfg(test)]
mod tests;
