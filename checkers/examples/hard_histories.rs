//! How long the hard case takes, over many seeds: a register of few values under clients that crash,
//! with one wrong read.
//!
//!     cargo run --release -p perjury-checkers --example hard_histories [SEEDS]

#[path = "../benches/generate/mod.rs"]
mod generate;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use generate::{RegisterLoad, Wrong};
use perjury_checkers::{Checker, Context, Linearizability};

fn main() {
    let seeds = std::env::args().nth(1);
    let seeds: u128 = seeds.map_or(50, |it| it.parse().expect("a number of seeds"));
    for wrong in [Wrong::Nothing, Wrong::MiddleRead, Wrong::LastRead] {
        let mut verdicts: BTreeMap<&str, u32> = BTreeMap::new();
        let (mut total, mut slowest) = (Duration::ZERO, Duration::ZERO);
        for seed in 0..seeds {
            let load = RegisterLoad {
                operations: 2_000,
                processes: 5,
                values: Some(5),
                cas: 0.25,
                unknown: 0.05,
                wrong,
                seed,
            };
            let history = load.history();
            let begin = Instant::now();
            let verdict = Linearizability::of_registers().check(&history, &Context::default());
            let took = begin.elapsed();
            (total, slowest) = (total + took, slowest.max(took));
            *verdicts.entry(verdict.judgement().name()).or_default() += 1;
        }
        println!(
            "{wrong:?}: {verdicts:?}, {:?} on average, {slowest:?} at most",
            total / seeds as u32
        );
    }
}
