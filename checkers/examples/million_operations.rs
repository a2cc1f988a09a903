//! Time and memory of a million operations on one register, of a hundred processes, 1 % of them of
//! unknown outcome.
//!
//!     cargo run --release -p perjury-checkers --example million_operations

#[path = "../benches/generate/mod.rs"]
mod generate;

use std::time::Instant;

use generate::{RegisterLoad, Wrong};
use perjury_checkers::{Checker, Context, Linearizability};

/// A figure of `/proc/self/status`, in MiB; 0 where there is none.
fn memory(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
    kib.unwrap_or(0) / 1024
}

fn main() {
    for wrong in [Wrong::Nothing, Wrong::LastRead] {
        let load = RegisterLoad {
            operations: 1_000_000,
            processes: 100,
            values: None,
            cas: 0.1,
            unknown: 0.01,
            wrong,
            seed: 3,
        };
        let history = load.history();
        let before = memory("VmRSS");
        let begin = Instant::now();
        let verdict = Linearizability::of_registers().check(&history, &Context::default());
        println!(
            "{wrong:?}: {} in {:?}; {before} MiB with the history before, {} MiB at most",
            verdict.judgement().name(),
            begin.elapsed(),
            memory("VmHWM")
        );
    }
}
