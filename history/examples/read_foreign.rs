//! Reads a history of another tool and says how long that took and how much memory at most:
//!
//! ```text
//! cargo run --release -p perjury-history --example read_foreign -- history.txt
//! ```

use std::process::ExitCode;
use std::time::Instant;

use perjury_history::foreign::{self, Options};

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("expected a file, found none");
        return ExitCode::from(64);
    };
    let began = Instant::now();
    match foreign::read(&path, &Options::default()) {
        Ok(foreign) => {
            let steps: usize = foreign.history.iter().map(|it| it.micro_ops.len()).sum();
            let operations = foreign.history.len();
            let time = began.elapsed().as_secs_f64();
            println!("{}: {operations} operations, {steps} steps in {time:.2} s", foreign.format);
            // Where the system tells it.
            let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            status.lines().filter(|it| it.starts_with("VmHWM")).for_each(|it| println!("{it}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: failed to {error}");
            ExitCode::FAILURE
        }
    }
}
