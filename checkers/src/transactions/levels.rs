//! Which levels of isolation a history satisfies.
//!
//! Levels are decided one by one, and each answer settles what it implies: what satisfies a level
//! satisfies all weaker ones, what violates one violates all stronger ones. The strongest comes
//! first, since most histories satisfy what was promised; then the others, the cheap ones first.

use std::collections::{BTreeMap, BTreeSet};

use super::causal::causal;
use super::components::Components;
use super::cycles::{Finder, Link, Steps, Wanted};
use super::graph::{Graph, kind};
use super::observations::Observations;
use super::polygraph;
use super::relation::Relation;
use super::weak::{Added, Forced, Stop, monotonic_atomic_view, read_atomic};
use crate::{Context, Isolation, Judgement, Model, Order};

/// Why a level is violated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) level: Isolation,
    pub(crate) order: Order,
    /// A cycle.
    pub(crate) cycle: Vec<Link>,
    /// What the definition of the level adds, as far as the cycle needs it.
    pub(crate) forced: Vec<Forced>,
    /// What else had been possible, and why it was not.
    pub(crate) cases: Vec<polygraph::Case>,
}

/// What was found of one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It holds; the transactions in an order that shows it, where there is one.
    Valid(Option<Vec<u32>>),
    Invalid(Option<Proof>),
    Unknown(String),
}

/// Decides levels of one history.
pub(crate) struct Levels<'a> {
    observations: &'a Observations,
    context: &'a Context<'a>,
    graphs: [Option<Graph>; 3],
    /// Whether the order of all versions is known that were read.
    is_ordered: bool,
    /// And that of all others.
    is_totally_ordered: bool,
}

/// What is known of all levels.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) models: BTreeMap<Model, Judgement>,
    pub(crate) proofs: Vec<Proof>,
    /// The strongest model that was shown to hold, with the order that shows it.
    pub(crate) witness: Option<(Model, Vec<u32>)>,
}

impl Judged {
    fn is_open(&self, model: Model) -> bool {
        !matches!(self.models.get(&model), Some(Judgement::Valid | Judgement::Invalid))
    }

    fn valid(&mut self, model: Model) {
        for implied in model.all_implied() {
            if matches!(implied, Model::Isolation(..)) && self.is_open(implied) {
                self.models.insert(implied, Judgement::Valid);
            }
        }
    }

    pub(crate) fn invalid(&mut self, model: Model) {
        for stronger in Model::ISOLATIONS {
            if stronger.all_implied().contains(&model) {
                self.models.insert(stronger, Judgement::Invalid);
            }
        }
    }
}

impl<'a> Levels<'a> {
    pub(crate) fn new(observations: &'a Observations, context: &'a Context<'a>) -> Self {
        let is_ordered = observations.is_ordered();
        let is_totally_ordered = is_ordered && observations.is_totally_ordered();
        Self { observations, context, graphs: [None, None, None], is_ordered, is_totally_ordered }
    }

    /// All that is known of the order.
    pub(crate) fn graph(&mut self, order: Order) -> &Graph {
        let observations = self.observations;
        self.graphs[order as usize].get_or_insert_with(|| Graph::of(observations, order))
    }

    /// Judges these models, and on the way some that they imply.
    pub(crate) fn judge(&mut self, wanted: &BTreeSet<Model>) -> Judged {
        let mut judged = Judged::default();
        for phenomenon in self.observations.oddities.counts.keys() {
            judged.invalid(Model::Isolation(phenomenon.rules_out(), Order::Free));
        }
        for model in self.sequence(wanted) {
            let Model::Isolation(level, order) = model else { continue };
            if !judged.is_open(model) {
                continue;
            }
            // An answer of unknown is one, too.
            if wanted.iter().all(|it| judged.models.contains_key(it)) {
                break;
            }
            match self.decide(level, order) {
                Decision::Valid(witness) => {
                    judged.valid(model);
                    let is_stronger = match &judged.witness {
                        Some((other, _)) => model.all_implied().contains(other),
                        None => true,
                    };
                    if let Some(witness) = witness.filter(|_| is_stronger) {
                        judged.witness = Some((model, witness));
                    }
                }
                Decision::Invalid(proof) => {
                    judged.invalid(model);
                    judged.proofs.extend(proof);
                }
                Decision::Unknown(reason) => {
                    judged.models.insert(model, Judgement::Unknown(reason));
                }
            }
        }
        judged
    }

    /// In which order to decide.
    fn sequence(&self, wanted: &BTreeSet<Model>) -> Vec<Model> {
        let implied: BTreeSet<Model> = wanted.iter().flat_map(|it| it.all_implied()).collect();
        let mut needed: Vec<Model> = Vec::new();
        if self.is_ordered {
            // Linear, too.
            needed.extend(Model::strongest(wanted));
            let serializable = Order::ALL.iter().rev();
            needed.extend(serializable.map(|it| Model::Isolation(Isolation::Serializable, *it)));
        } else {
            // Near-linear, and if it is violated, so is all that is costly.
            let causal = Order::ALL.iter().rev();
            needed.extend(causal.map(|it| Model::Isolation(Isolation::Causal, *it)));
            needed.extend(Model::strongest(wanted));
        }
        needed.extend(Model::ISOLATIONS);
        needed.retain(|model| implied.contains(model));
        needed
    }

    /// Decides one level.
    pub(crate) fn decide(&mut self, level: Isolation, order: Order) -> Decision {
        if (self.context.out_of_time)() {
            return Decision::Unknown(
                "the time was up; allow more, or check a weaker model".into(),
            );
        }
        if order == Order::RealTime && !self.observations.real_time {
            return Decision::Unknown(
                "the history does not tell which transactions ended before others began".into(),
            );
        }
        let decision = match level {
            Isolation::ReadUncommitted => {
                by_relation(level, &Graph::of_writes(self.observations, order))
            }
            Isolation::ReadCommitted => by_relation(level, self.graph(order)),
            Isolation::MonotonicAtomicView | Isolation::ReadAtomic | Isolation::Causal => {
                self.weak(level, order)
            }
            Isolation::ParallelSnapshotIsolation if self.is_ordered => {
                let decision = self.parallel(order);
                self.unless_unread(level, order, decision)
            }
            Isolation::SnapshotIsolation if self.is_ordered => {
                let decision = by_relation(level, self.graph(order));
                self.unless_unread(level, order, decision)
            }
            // Versions that nobody read may have any order that what is known leaves.
            _ if self.is_ordered => by_relation(level, self.graph(order)),
            _ => self.unordered(level, order),
        };
        let is_partial = self.observations.ambiguous.is_some();
        match decision {
            Decision::Valid(_) if is_partial => Decision::Unknown(
                "an element was put into a list or set several times, so that its reads do not \
                 tell whose it is; have the workload write each value once"
                    .into(),
            ),
            decision => decision,
        }
    }

    /// No cycle with one anti-dependency or none.
    fn parallel(&mut self, order: Order) -> Decision {
        let graph = self.graph(order);
        match has_single_anti_dependency(graph) {
            true => Decision::Invalid(None),
            false => Decision::Valid(None),
        }
    }

    fn weak(&mut self, level: Isolation, order: Order) -> Decision {
        let observations = self.observations;
        if !observations.choices.is_empty() {
            return Decision::Unknown(
                "values were written several times, so that reads do not tell whose they are; \
                 have the workload write each value once"
                    .into(),
            );
        }
        let added = match level {
            Isolation::MonotonicAtomicView => monotonic_atomic_view(observations, self.context),
            Isolation::ReadAtomic => read_atomic(observations, order, self.context),
            _ => causal(observations, order, self.context),
        };
        let added = match added {
            Ok(added) => added,
            Err(stop) => return stopped(stop),
        };
        self.with(level, order, &added)
    }

    /// Whether there is an order with what was added.
    fn with(&mut self, level: Isolation, order: Order, added: &Added<'_>) -> Decision {
        if let Some(missed) = added.missed {
            let cycle = vec![
                Link { from: missed.reader, to: missed.from, kind: kind::RW },
                Link { from: missed.from, to: missed.reader, kind: kind::FORCED },
            ];
            let forced = vec![missed];
            return Decision::Invalid(Some(Proof {
                level,
                order,
                cycle,
                forced,
                cases: Vec::new(),
            }));
        }
        let relation = Relation::of(Isolation::ReadCommitted).expect("a level of cycles");
        let graph = self.graph(order).with_forced(&added.forced);
        if let Some(order) = relation.order(&graph) {
            return Decision::Valid(Some(order));
        }
        let wanted = Wanted { first: kind::FORCED, relation, ends_followed: false };
        let kinds = kind::WW | kind::ANY_WR | kind::SESSION | kind::REAL_TIME;
        let mut finder = Finder::new(&graph, kinds);
        let cycle = finder.shortest(wanted, &mut Steps(self.context.step_limit));
        let proof = cycle.map(|cycle| {
            let is_used = |forced: &&Forced| {
                cycle.iter().any(|link| {
                    link.kind == kind::FORCED && (link.from, link.to) == (forced.from, forced.to)
                })
            };
            let forced = added.forced.iter().filter(is_used).copied().collect();
            Proof { level, order, cycle, forced, cases: Vec::new() }
        });
        Decision::Invalid(proof)
    }

    /// Of two versions one was on top of the other, which matters to snapshots even if nobody read
    /// them.
    fn unless_unread(&mut self, level: Isolation, order: Order, decision: Decision) -> Decision {
        match decision {
            Decision::Valid(_) if !self.is_totally_ordered => self.unordered(level, order),
            decision => decision,
        }
    }

    /// Where the order of some versions is not known.
    fn unordered(&mut self, level: Isolation, order: Order) -> Decision {
        let (observations, context) = (self.observations, self.context);
        polygraph::decide(observations, self.graph(order), level, order, context)
    }
}

/// What is known of a level where a pass over all reads did not come to its end.
fn stopped(stop: Stop) -> Decision {
    let reason = match stop {
        // Sessions and reads alone are a contradiction.
        Stop::Cycle => return Decision::Invalid(None),
        Stop::Time => "the time was up; allow more, or check a weaker model",
        Stop::Memory => {
            "the order that reads ask for takes more than the memory allowed; allow more, or check a \
             weaker model"
        }
        Stop::TooLarge => {
            "without sessions this takes a step for each pair of transactions; raise the step limit, \
             or check `causal`, which has sessions"
        }
    };
    Decision::Unknown(reason.into())
}

/// Whether a graph has an order as the level's relation wants it.
fn by_relation(level: Isolation, graph: &Graph) -> Decision {
    let relation = Relation::of(level).expect("a level of cycles");
    match relation.order(graph) {
        Some(order) => Decision::Valid(Some(order)),
        None => Decision::Invalid(None),
    }
}

/// Whether a cycle has one anti-dependency, or none.
fn has_single_anti_dependency(graph: &Graph) -> bool {
    let relation = Relation::of(Isolation::ReadCommitted).expect("a level of cycles");
    let Some(order) = relation.order_of_states(graph) else { return true };
    let components = Components::of(graph, u8::MAX);
    let mut anti = Vec::new();
    for from in 0..graph.transactions {
        let edges = graph.out(from).filter(|(_, kind)| kind & kind::ANY_RW != 0);
        anti.extend(
            edges.filter(|(to, _)| components.together(from, *to)).map(|(to, _)| (to, from)),
        );
    }
    anti.sort_unstable();
    let mut heads: Vec<u32> = anti.iter().map(|(head, _)| *head).collect();
    heads.dedup();
    // Of each vertex, which of 64 heads lead to it.
    let mut led_from = vec![0_u64; graph.vertices() as usize];
    for some in heads.chunks(64) {
        led_from.fill(0);
        for (bit, head) in some.iter().enumerate() {
            led_from[*head as usize] |= 1 << bit;
        }
        for &vertex in &order {
            let from = led_from[vertex as usize];
            if from != 0 {
                relation.successors(graph, vertex, |to, _| led_from[to as usize] |= from);
            }
        }
        let begin = anti.partition_point(|(head, _)| *head < some[0]);
        for (head, tail) in anti[begin..].iter().take_while(|it| it.0 <= some[some.len() - 1]) {
            let bit = some.binary_search(head).expect("one of these");
            if led_from[*tail as usize] & (1 << bit) != 0 {
                return true;
            }
        }
    }
    false
}
