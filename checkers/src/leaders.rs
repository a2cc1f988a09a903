//! Single leader: at no time do two nodes accept writes as leader.
//!
//! Two leaderships contradict each other if
//! - two nodes acknowledged writes of the same epoch (an epoch belongs to one leader), or
//! - a node acknowledged a write of an epoch although, before that write was even asked for, another
//!   node had acknowledged one of a later epoch: the old leader went on after its successor began
//!   (split brain; what epochs are to fence off, Gray & Cheriton 1989, Lamport 1998).
//!
//! ```text
//! p0: w(x,1)@n1#1.1-            w(x,3)@n1#1.2-     n1 goes on in epoch 1
//! p1:                w(x,2)@n3#2.2-                though n3 had taken over in epoch 2
//! ```
//!
//! It takes the epoch and the node that executed each write from the store. An epoch of 0 stands for
//! a store that has none, and counts for nothing here.
//!
//! Cost: O(n log n + pairs of leaderships that overlap).
//!
//! Incomplete: a leader that accepts no write is not seen, nor is one whose writes all failed.
//!
//! A pass does not prove that at most one node *believed* itself to be leader; only that no two had
//! writes acknowledged in a way that shows.

use std::collections::BTreeMap;

use perjury_history::{History, MicroOp, NodeId, Operation, OperationId, Outcome};
use serde::{Deserialize, Serialize};

use crate::wording::{count, duration, end_ns, seconds};
use crate::{
    Anomaly, AnomalyKind, Checker, Context, Edge, Judgement, Model, Verdict, Witness,
    WitnessOperation,
};

/// Anomalies listed at most; the measures have the full count.
const LISTED_MAX: usize = 100;

/// One node's time as leader in one epoch, as the acknowledged writes show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leadership {
    /// The leader.
    pub node: NodeId,
    /// Its epoch.
    pub epoch: u64,
    /// When its first write was acknowledged.
    pub first_ns: u64,
    /// When its last write was acknowledged.
    pub last_ns: u64,
    /// The write that was acknowledged first.
    pub first: OperationId,
    /// The write that was acknowledged last.
    pub last: OperationId,
    /// How many were acknowledged.
    pub writes: u64,
}

/// Who led when, by `first_ns`; empty if the store reports no epochs.
pub fn leaderships(history: &History) -> Vec<Leadership> {
    let mut found: Vec<_> = terms(history).into_iter().map(|term| term.leadership).collect();
    found.sort_by_key(|it| (it.first_ns, it.epoch, it.node));
    found
}

/// A leadership with its writes.
struct Term {
    leadership: Leadership,
    /// By order of invocation.
    writes: Vec<OperationId>,
}

/// By epoch, then node.
fn terms(history: &History) -> Vec<Term> {
    let mut terms: BTreeMap<(u64, NodeId), Term> = BTreeMap::new();
    for write in history.iter() {
        let Some((epoch, node)) = accepted(&write) else { continue };
        let at = end_ns(&write);
        let term = terms.entry((epoch, node)).or_insert_with(|| Term {
            leadership: Leadership {
                node,
                epoch,
                first_ns: at,
                last_ns: at,
                first: write.id,
                last: write.id,
                writes: 0,
            },
            writes: Vec::new(),
        });
        let leadership = &mut term.leadership;
        if write.completed < history.get(leadership.first).completed {
            (leadership.first, leadership.first_ns) = (write.id, at);
        }
        if write.completed > history.get(leadership.last).completed {
            (leadership.last, leadership.last_ns) = (write.id, at);
        }
        leadership.writes += 1;
        term.writes.push(write.id);
    }
    terms.into_values().collect()
}

/// The epoch and the leader of an acknowledged write.
fn accepted(operation: &Operation<'_>) -> Option<(u64, NodeId)> {
    let writes = operation.micro_ops.iter().any(MicroOp::is_mutation);
    let epoch = operation.version.map(|version| version.epoch).filter(|epoch| *epoch > 0)?;
    (writes && operation.outcome == Outcome::Ok).then_some((epoch, operation.served_by?))
}

/// Decides [`Model::SingleLeader`]; see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Leaders;

impl Checker for Leaders {
    fn name(&self) -> &'static str {
        "leaders"
    }

    fn models(&self) -> &'static [Model] {
        &[Model::SingleLeader]
    }

    fn check(&self, history: &History, _: &Context<'_>) -> Verdict {
        let terms = terms(history);
        let mut verdict = Verdict::default();
        if terms.is_empty() {
            let reason = "no acknowledged write tells its epoch and the node that accepted it";
            verdict.models.insert(Model::SingleLeader, Judgement::Unknown(reason.into()));
            return verdict;
        }
        let mut overlaps = overlaps(history, &terms);
        // The longest first.
        overlaps.sort_by_key(|it| std::cmp::Reverse(it.to_ns - it.from_ns));
        verdict.anomalies =
            overlaps.iter().take(LISTED_MAX).map(|it| it.anomaly(history, &terms)).collect();
        verdict.models.insert(
            Model::SingleLeader,
            if overlaps.is_empty() { Judgement::Valid } else { Judgement::Invalid },
        );
        let mut nodes: Vec<NodeId> = terms.iter().map(|term| term.leadership.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        verdict.measures = BTreeMap::from([
            ("leaders".into(), nodes.len() as u64),
            ("leader_changes".into(), leader_changes(&terms)),
            ("two_leader_pairs".into(), overlaps.len() as u64),
            ("writes_by_deposed_leaders".into(), deposed_writes(history, &terms)),
            ("two_leaders_ms".into(), union_ns(&overlaps) / 1_000_000),
        ]);
        verdict
    }
}

/// How often another node led the next epoch.
fn leader_changes(terms: &[Term]) -> u64 {
    let nodes = terms.iter().map(|term| term.leadership.node);
    nodes.clone().zip(nodes.skip(1)).filter(|(before, after)| before != after).count() as u64
}

/// Two leaderships that contradict each other.
struct Overlap {
    old: usize,
    new: usize,
    /// The writes of the old leader that should not have been accepted (same epoch: none listed).
    late: Vec<OperationId>,
    from_ns: u64,
    to_ns: u64,
}

/// All pairs that contradict each other; `terms` are by epoch, so the older of a pair comes first.
fn overlaps(history: &History, terms: &[Term]) -> Vec<Overlap> {
    let mut overlaps = Vec::new();
    for (new, newer) in terms.iter().enumerate() {
        for (old, older) in terms[..new].iter().enumerate() {
            let (one, other) = (&older.leadership, &newer.leadership);
            if one.node == other.node {
                continue;
            }
            if one.epoch == other.epoch {
                let from_ns = one.first_ns.max(other.first_ns);
                let to_ns = one.last_ns.min(other.last_ns).max(from_ns);
                overlaps.push(Overlap { old, new, late: Vec::new(), from_ns, to_ns });
                continue;
            }
            let takeover = history.get(other.first);
            let is_early = |id: &OperationId| !takeover.precedes(&history.get(*id));
            let late = older.writes[older.writes.partition_point(is_early)..].to_vec();
            let end = late.iter().map(|id| end_ns(&history.get(*id))).max();
            if let Some(to_ns) = end {
                overlaps.push(Overlap { old, new, late, from_ns: other.first_ns, to_ns });
            }
        }
    }
    overlaps
}

/// Writes that were asked for after another node had acknowledged one of a later epoch.
fn deposed_writes(history: &History, terms: &[Term]) -> u64 {
    let mut late = 0;
    for (index, term) in terms.iter().enumerate() {
        let Leadership { epoch, node, .. } = term.leadership;
        let successors = terms[index..].iter().map(|it| &it.leadership);
        let takeover = successors
            .filter(|it| it.epoch > epoch && it.node != node)
            .min_by_key(|it| history.get(it.first).completed)
            .map(|it| history.get(it.first));
        let Some(takeover) = takeover else { continue };
        let is_early = |id: &OperationId| !takeover.precedes(&history.get(*id));
        late += term.writes.len() - term.writes.partition_point(is_early);
    }
    late as u64
}

/// How long there were two leaders, overlapping overlaps counted once.
fn union_ns(overlaps: &[Overlap]) -> u64 {
    let mut spans: Vec<_> = overlaps.iter().map(|it| (it.from_ns, it.to_ns)).collect();
    spans.sort_unstable();
    let (mut total_ns, mut covered_ns) = (0, 0);
    for (from_ns, to_ns) in spans {
        total_ns += to_ns.saturating_sub(from_ns.max(covered_ns));
        covered_ns = covered_ns.max(to_ns);
    }
    total_ns
}

impl Overlap {
    fn anomaly(&self, history: &History, terms: &[Term]) -> Anomaly {
        let (old, new) = (&terms[self.old].leadership, &terms[self.new].leadership);
        let (explanation, witness) = match self.late.as_slice() {
            [] => same_epoch(history, old, new),
            late => deposed(history, old, new, late, self.to_ns),
        };
        Anomaly { kind: AnomalyKind::TwoLeaders, key: None, explanation, witness }
    }
}

fn same_epoch(history: &History, one: &Leadership, other: &Leadership) -> (String, Witness) {
    let (first, second) = if one.first <= other.first { (one, other) } else { (other, one) };
    let acts = |it: &Leadership| {
        let when = match it.writes {
            1 => format!("at {}", seconds(it.first_ns)),
            _ => format!("from {} to {}", seconds(it.first_ns), seconds(it.last_ns)),
        };
        format!("{} acknowledged {} {when}", it.node, count(it.writes, "write"))
    };
    let explanation = format!(
        "{} and {} both acted as leader of epoch {}: {}, {}.",
        first.node,
        second.node,
        first.epoch,
        acts(first),
        acts(second),
    );
    let part = |it: &Leadership| WitnessOperation {
        operation: it.first,
        role: format!("a write that {} accepted in epoch {}", it.node, it.epoch),
    };
    (explanation, witness(history, vec![part(first), part(second)], Vec::new()))
}

fn deposed(
    history: &History,
    old: &Leadership,
    new: &Leadership,
    late: &[OperationId],
    to_ns: u64,
) -> (String, Witness) {
    let late_write = history.get(late[0]);
    let explanation = format!(
        "{} had taken over in epoch {} (its first write was acknowledged at {}), yet {} went on \
         accepting writes in epoch {}: {} within {}, the first asked by {} at {}.",
        new.node,
        new.epoch,
        seconds(new.first_ns),
        old.node,
        old.epoch,
        count(late.len() as u64, "write"),
        duration(to_ns - new.first_ns),
        late_write.process,
        seconds(late_write.invoked_ns),
    );
    let mut operations = vec![
        WitnessOperation {
            operation: new.first,
            role: format!("the first write that {} accepted in epoch {}", new.node, new.epoch),
        },
        WitnessOperation {
            operation: late[0],
            role: format!("asked later, yet {} accepted it in epoch {}", old.node, old.epoch),
        },
    ];
    if let [_, .., last] = late {
        operations.push(WitnessOperation {
            operation: *last,
            role: format!("the last that {} accepted in epoch {}", old.node, old.epoch),
        });
    }
    let edge = Edge {
        from: new.first,
        to: late[0],
        reason: "acknowledged before the other was asked".into(),
    };
    (explanation, witness(history, operations, vec![edge]))
}

fn witness(history: &History, mut operations: Vec<WitnessOperation>, edges: Vec<Edge>) -> Witness {
    operations.sort_by_key(|it| history.get(it.operation).invoked);
    Witness::of(operations, edges)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use perjury_history::{Entry, Event, EventKind, HistoryBuilder, MicroOp, Process, Version};
    use rand::RngExt as _;
    use rand_pcg::Pcg64Mcg;

    use super::*;

    /// Writes of four clients, accepted by arbitrary nodes in arbitrary epochs.
    fn random(seed: u64) -> History {
        let mut random = Pcg64Mcg::new(u128::from(seed) << 1 | 1);
        let mut builder = HistoryBuilder::new();
        let mut open = [false; 4];
        for time_ns in 0..random.random_range(1..30) {
            let process = random.random_range(0..open.len());
            open[process] = !open[process];
            let kind = match open[process] {
                true => EventKind::Invoke,
                false if random.random_bool(0.9) => EventKind::Ok,
                false => EventKind::Info,
            };
            let event = Event {
                time_ns,
                process: Process(process as u32),
                kind,
                micro_ops: vec![MicroOp::Write { key: 1, value: 1 }],
                node: Some(NodeId(random.random_range(0..3))),
                version: Some(Version { epoch: random.random_range(0..4), position: 1 }),
                error: None,
            };
            builder.push(Entry::Operation(event)).expect("well formed");
        }
        builder.finish()
    }

    #[test]
    fn agrees_with_the_definition_on_random_histories() {
        let mut broken = 0;
        for seed in 0..20_000 {
            let history = random(seed);
            let mut pairs = BTreeSet::new();
            let mut late = BTreeSet::new();
            for one in history.iter() {
                for other in history.iter() {
                    let (Some(old), Some(new)) = (accepted(&one), accepted(&other)) else {
                        continue;
                    };
                    if old.1 == new.1 {
                        continue;
                    }
                    if old.0 < new.0 && other.precedes(&one) {
                        pairs.insert((old, new));
                        late.insert(one.id);
                    } else if old.0 == new.0 {
                        pairs.insert((old.min(new), old.max(new)));
                    }
                }
            }
            let verdict = Leaders.check(&history, &Context::default());
            let drawing = history.to_notation();
            let measure = |name: &str| verdict.measures.get(name).copied().unwrap_or(0);
            assert_eq!(measure("two_leader_pairs"), pairs.len() as u64, "seed {seed}:\n{drawing}");
            let deposed = measure("writes_by_deposed_leaders");
            assert_eq!(deposed, late.len() as u64, "seed {seed}:\n{drawing}");
            assert_eq!(verdict.anomalies.len(), pairs.len());
            broken += u64::from(!pairs.is_empty());
        }
        assert!(broken > 1000, "{broken}");
    }
}
