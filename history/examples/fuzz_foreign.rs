//! Damages histories of others for as long as is wanted and reads them:
//!
//! ```text
//! cargo run --release -p perjury-history --example fuzz_foreign -- edn 10     # minutes
//! cargo run --release -p perjury-history --example fuzz_foreign -- edn 10 77  # from seed 77 on
//! ```
//!
//! It stops at the first finding and prints the seed and the text.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use perjury_history::foreign::Format;

#[path = "../tests/mutations/mod.rs"]
mod mutations;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default| {
        arguments.get(index).map_or(Some(default), |text| text.parse::<u64>().ok())
    };
    let format = arguments.first().and_then(|name| name.parse::<Format>().ok());
    let (Some(format), Some(minutes), Some(first)) = (format, number(1, 1), number(2, 0)) else {
        eprintln!("expected a format, minutes and a seed, found {arguments:?}");
        return ExitCode::from(64);
    };
    let began = Instant::now();
    let (mut seed, mut read) = (first, 0_u64);
    while began.elapsed() < Duration::from_secs(60 * minutes) {
        let bytes = mutations::damaged(seed, format);
        match mutations::check(&bytes, format) {
            Ok(whole) => read += u64::from(whole),
            Err(problem) => {
                let text = String::from_utf8_lossy(&bytes);
                println!("{format}, seed {seed}: {problem}\nin:\n{text}");
                return ExitCode::FAILURE;
            }
        }
        seed += 1;
    }
    println!(
        "{format}: {} texts from seed {first} on, {read} of them read, no finding",
        seed - first
    );
    ExitCode::SUCCESS
}
