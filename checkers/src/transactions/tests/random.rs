//! Random small histories against the definitions.

use std::collections::BTreeMap;

use perjury_history::{MicroOp, Outcome, Reading, Value};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::definition::Definition;
use super::small::{Small, history};
use crate::transactions::Transactions;
use crate::{Checker as _, Context, Isolation, Judgement, Model};

/// What histories are made of.
#[derive(Clone, Copy, Debug)]
struct Recipe {
    transactions: u32,
    processes: u32,
    length: usize,
    keys: i64,
    registers: bool,
    lists: bool,
    sets: bool,
    repeated: bool,
}

/// A history that something between a good and a bad store might have made: each read is of the
/// state after some transaction or other, mostly a late one.
fn generate(rng: &mut Pcg64, recipe: Recipe) -> Vec<Small> {
    let mut all = Vec::new();
    let mut clock = 0;
    let mut free = vec![0_u32; recipe.processes as usize];
    let mut next_value = 0;
    // The states in the order of the commits.
    let mut states: Vec<State> = vec![State::default()];
    for _ in 0..recipe.transactions {
        let process = rng.random_range(0..recipe.processes);
        // Begins after the last one of its process, and perhaps before others have ended.
        clock += 10;
        let invoked = (clock - rng.random_range(0..25).min(clock)).max(free[process as usize] + 1);
        let completed = clock.max(invoked) + rng.random_range(1..15);
        free[process as usize] = completed;
        let outcome = match rng.random_range(0..10) {
            0 => Outcome::Fail,
            1 => Outcome::Info,
            _ => Outcome::Ok,
        };
        let late = states.len() - 1;
        let base =
            late - rng.random_range(0..3_usize).min(late) * usize::from(rng.random_bool(0.4));
        let mut written = states[base].clone();
        let mut micro_ops = Vec::new();
        for _ in 0..rng.random_range(1..=recipe.length) {
            // Now and then a read is of another state.
            let view = match rng.random_bool(0.1) {
                true => states[rng.random_range(0..states.len())].clone(),
                false => written.clone(),
            };
            let key = rng.random_range(0..recipe.keys);
            let kinds = [(recipe.registers, 0), (recipe.lists, 1), (recipe.sets, 2)];
            let kinds: Vec<i32> = kinds.iter().filter(|it| it.0).map(|it| it.1).collect();
            next_value += 1;
            let value = if recipe.repeated { rng.random_range(1..3) } else { next_value };
            let is_write = rng.random_bool(0.5);
            micro_ops.push(match (kinds[rng.random_range(0..kinds.len())], is_write) {
                (0, true) => {
                    written.registers.insert(key, value);
                    MicroOp::Write { key, value }
                }
                (0, false) => {
                    let held = view.registers.get(&key);
                    let reading = held.map_or(Reading::Nil, |value| Reading::Value(*value));
                    MicroOp::Read { key, result: Some(reading) }
                }
                (1, true) => {
                    written.lists.entry(key).or_default().push(next_value);
                    MicroOp::Append { key, value: next_value }
                }
                (1, false) => {
                    let held = view.lists.get(&key).cloned().unwrap_or_default();
                    MicroOp::ReadList { key, result: Some(held.into()) }
                }
                (_, true) => {
                    written.sets.entry(key).or_default().push(next_value);
                    MicroOp::Add { key, value: next_value }
                }
                (_, false) => {
                    let held = view.sets.get(&key).cloned().unwrap_or_default();
                    MicroOp::ReadSet { key, result: Some(held.into()) }
                }
            });
        }
        if outcome != Outcome::Fail || rng.random_bool(0.05) {
            // Mostly on top of the last state.
            let mut after =
                if rng.random_bool(0.9) { states[late].clone() } else { states[base].clone() };
            after.apply(&micro_ops);
            states.push(after);
        }
        all.push(Small { process, invoked, completed, outcome, micro_ops });
    }
    // Of unknown outcome is the last of its process.
    for index in 0..all.len() {
        let is_last = !all[index + 1..].iter().any(|it: &Small| it.process == all[index].process);
        if all[index].outcome == Outcome::Info && !is_last {
            all[index].outcome = Outcome::Ok;
        }
    }
    // Positions in the record are all different, and invocations in order.
    let mut points: Vec<(u32, usize, bool)> = Vec::new();
    for (index, small) in all.iter().enumerate() {
        points.push((small.invoked, index, false));
        points.push((small.completed, index, true));
    }
    points.sort_unstable();
    for (position, (_, index, is_end)) in points.into_iter().enumerate() {
        match is_end {
            true => all[index].completed = position as u32,
            false => all[index].invoked = position as u32,
        }
    }
    all.sort_by_key(|it| it.invoked);
    all
}

#[derive(Clone, Debug, Default)]
struct State {
    registers: BTreeMap<i64, Value>,
    lists: BTreeMap<i64, Vec<Value>>,
    sets: BTreeMap<i64, Vec<Value>>,
}

impl State {
    fn apply(&mut self, micro_ops: &[MicroOp]) {
        for micro_op in micro_ops {
            match *micro_op {
                MicroOp::Write { key, value } => drop(self.registers.insert(key, value)),
                MicroOp::Append { key, value } => self.lists.entry(key).or_default().push(value),
                MicroOp::Add { key, value } => self.sets.entry(key).or_default().push(value),
                _ => {}
            }
        }
    }
}

fn compare(recipe: Recipe, seeds: u64) {
    let mut counts: BTreeMap<(Model, bool), u64> = BTreeMap::new();
    let mut unknown = 0;
    for seed in 0..seeds {
        let mut rng = Pcg64::seed_from_u64(seed);
        let small = generate(&mut rng, recipe);
        let history = history(&small);
        let definition = Definition::of(&small);
        let verdict = Transactions::default().check(&history, &Context::default());
        for model in Model::ISOLATIONS {
            let Model::Isolation(level, order) = model else { continue };
            if level == Isolation::ReadUncommitted && definition.incompatible
                || definition.impossible && !definition.is_odd
            {
                continue;
            }
            let expected = definition.holds(level, order);
            *counts.entry((model, expected)).or_default() += 1;
            let found = &verdict.models[&model];
            if matches!(found, Judgement::Unknown(_)) {
                unknown += 1;
                continue;
            }
            assert_eq!(
                *found == Judgement::Valid,
                expected,
                "{model}, seed {seed} of {recipe:?}\n{}\n{:#?}",
                history.to_notation(),
                verdict.anomalies
            );
        }
        let invalid = verdict.models.iter().filter(|it| *it.1 == Judgement::Invalid);
        let invalid = invalid.map(|(model, _)| *model).collect();
        for model in Model::weakest(&invalid) {
            let Model::Isolation(level, _) = model else { continue };
            // Repeatable read is beside the levels of reads that are named after more.
            let shown = verdict.anomalies.iter().any(|it| it.kind.rules_out() == model)
                || (level == Isolation::RepeatableRead || recipe.repeated)
                    && !verdict.anomalies.is_empty();
            assert!(
                shown,
                "nothing shows {model}, seed {seed} of {recipe:?}\n{}\n{:#?}",
                history.to_notation(),
                verdict.anomalies
            );
        }
    }
    println!("{recipe:?}: {unknown} unknown");
    for ((model, holds), count) in counts {
        println!("{model} {holds}: {count}");
    }
}

const RECIPE: Recipe = Recipe {
    transactions: 4,
    processes: 3,
    length: 3,
    keys: 2,
    registers: false,
    lists: false,
    sets: false,
    repeated: false,
};

#[test]
fn lists_are_judged_as_defined() {
    compare(Recipe { lists: true, ..RECIPE }, 20_000);
}

#[test]
fn registers_are_judged_as_defined() {
    compare(Recipe { registers: true, ..RECIPE }, 20_000);
}

#[test]
fn sets_are_judged_as_defined() {
    compare(Recipe { sets: true, ..RECIPE }, 20_000);
}

#[test]
fn mixtures_are_judged_as_defined() {
    compare(Recipe { registers: true, lists: true, sets: true, transactions: 5, ..RECIPE }, 5_000);
}

#[test]
fn repeated_values_are_judged_as_defined() {
    compare(Recipe { registers: true, repeated: true, ..RECIPE }, 20_000);
}
