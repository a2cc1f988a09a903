//! Levels of isolation where the order of some versions is not known.
//!
//! Of two writers of an item, one came before the other: a *pair*. Which of them, decides which edges
//! there are (a polygraph: Papadimitriou 1979). It is found in three steps:
//!
//! 1. *Saturation.* What an orientation of a pair would contradict by what is known already, the
//!    other one is certain; and what is certain makes more so, until nothing changes.
//! 2. *An attempt.* The pairs that are left are oriented along a topological order of what is
//!    known. Mostly that is it.
//! 3. *Search.* A pair is oriented, what follows is found by saturation, and so on; an orientation
//!    that ends in a contradiction is taken back. Bounded in steps.
//!
//! A value that several transactions wrote has several possible writers for each of its reads; these
//! are decided in the same way.
//!
//! Deciding these levels is NP-complete (Papadimitriou 1979, Biswas & Enea 2019). After Cobra (Tan et
//! al. 2020) and PolySI (Huang et al. 2023), which leave to a solver what saturation leaves.
//!
//! Cost: a round of saturation takes O(m * n / 64) for n transactions and m edges; memory n^2 bits.

mod closure;
mod pairs;
mod saturation;
mod shape;

use self::saturation::{Mark, Saturation, Step};
use super::cycles::Link;
use super::graph::Graph;
use super::levels::{Decision, Proof};
use super::observations::Observations;
use crate::wording::count;
use crate::{Context, Isolation, Order};

/// What had been possible besides, and why it was not: this edge would have closed this cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) cycle: Vec<Link>,
}

/// What counts as a step here is much less than one of a search through configurations, which the
/// limit is meant for.
const STEPS_PER_LIMIT: u64 = 20;

/// Bytes that go with a state beside its row of bits: edges that are added, orders, ways.
const BYTES_PER_STATE: u64 = 200;

/// Bytes that go with a pair: itself, its edges once it is known, and a copy while much is assumed.
const BYTES_PER_PAIR: u64 = 160;

/// Memory that is needed at most.
fn bytes_needed(observations: &Observations, states: u64) -> u64 {
    let items = 0..observations.items.len() as u32;
    let pairs: u64 = items
        .map(|item| observations.tails.of(item).len() as u64)
        .map(|writers| writers * writers.saturating_sub(1) / 2)
        .sum();
    states * (states.div_ceil(8) + BYTES_PER_STATE) + pairs * BYTES_PER_PAIR
}

/// Decides a level.
pub(crate) fn decide(
    observations: &Observations,
    graph: &Graph,
    level: Isolation,
    order: Order,
    context: &Context<'_>,
) -> Decision {
    let needed = bytes_needed(observations, shape::Shape::of(level).states(graph) as u64);
    if needed > context.memory_limit_bytes as u64 {
        return Decision::Unknown(format!(
            "{} with versions in no known order need {} MiB to decide this; raise the memory limit, \
             or have the workload append to lists, whose order shows",
            count(observations.len() as u64, "transaction"),
            needed.div_ceil(1 << 20),
        ));
    }
    let mut steps = context.step_limit.saturating_mul(STEPS_PER_LIMIT);
    let mut saturation = Saturation::new(observations, graph, level, context.out_of_time);
    match search(&mut saturation, context, &mut steps) {
        Outcome::Found(order) => {
            Decision::Valid((level != Isolation::ParallelSnapshotIsolation).then_some(order))
        }
        Outcome::None(cycle, cases) => {
            Decision::Invalid(Some(Proof { level, order, cycle, forced: Vec::new(), cases }))
        }
        Outcome::Stopped => Decision::Unknown(format!(
            "{} of versions could still come in either order when the search ended; raise the step \
             limit, or have the workload append to lists, whose order shows",
            count(saturation.open() as u64, "pair"),
        )),
    }
}

enum Outcome {
    Found(Vec<u32>),
    /// With a cycle and what else had been possible; nothing of both where much had to be assumed.
    None(Vec<Link>, Vec<Case>),
    Stopped,
}

/// Something that was assumed.
struct Assumed {
    /// How much was known before.
    mark: Mark,
    /// What could have been assumed instead; `None` if much was assumed at once.
    others: Option<Vec<Step>>,
}

fn search(saturation: &mut Saturation<'_>, context: &Context<'_>, steps: &mut u64) -> Outcome {
    let mut assumed: Vec<Assumed> = Vec::new();
    let mut refuted: Vec<Case> = Vec::new();
    // Whether nothing was assumed ever, so that a contradiction is one of what is certain.
    let mut is_certain = true;
    // Much is assumed at once, as long as that goes well; after a contradiction, one by one.
    let mut at_once = usize::MAX;
    loop {
        let contradiction = match saturation.saturate(steps) {
            Ok(order) => {
                if *steps == 0 || (context.out_of_time)() {
                    return Outcome::Stopped;
                }
                if let Some(order) = saturation.attempt(&order, steps) {
                    return Outcome::Found(order);
                }
                let mark = saturation.mark();
                let many = (saturation.open() / 8).min(at_once);
                if many > 1 {
                    assumed.push(Assumed { mark, others: None });
                    saturation.take_along(&order, many);
                    at_once = at_once.saturating_mul(2);
                    is_certain = false;
                    continue;
                }
                at_once = at_once.saturating_mul(2);
                let mut possible = saturation.possibilities(&order);
                match possible.pop() {
                    // Everything is decided, and yet there was no order: a contradiction.
                    None => None,
                    Some(first) => {
                        assumed.push(Assumed { mark, others: Some(possible) });
                        saturation.take(first);
                        is_certain = false;
                        continue;
                    }
                }
            }
            Err(contradiction) => contradiction,
        };
        if *steps == 0 || (context.out_of_time)() {
            return Outcome::Stopped;
        }
        // What one assumption alone contradicts is told.
        let is_told = assumed.iter().all(|it| it.others.is_some()) && assumed.len() <= 1;
        let told = contradiction.filter(|_| is_told).map(|it| saturation.explain(&it));
        if is_certain {
            let (cycle, cases) = told.unwrap_or_default();
            return Outcome::None(cycle, cases);
        }
        let told = told.map(|(cycle, _)| Case { cycle });
        refuted.extend(told.filter(|case| !case.cycle.is_empty()));
        loop {
            let Some(Assumed { mark, others }) = assumed.pop() else {
                let cycle = refuted.first().map_or(Vec::new(), |case| case.cycle.clone());
                return Outcome::None(cycle, refuted);
            };
            saturation.back_to(mark);
            let Some(mut others) = others else {
                // It was too much at once, which shows nothing.
                at_once = 1;
                break;
            };
            if let Some(next) = others.pop() {
                // The last possibility is certain, given what was assumed before.
                if !others.is_empty() || !assumed.is_empty() {
                    assumed.push(Assumed { mark, others: Some(others) });
                }
                saturation.take(next);
                break;
            }
        }
    }
}
