//! The agent as a program of its own, for tests; `perjury agent` is the same.

use std::process::ExitCode;

fn main() -> ExitCode {
    perjury_nemesis::agent::main(std::env::args().skip(1))
}
