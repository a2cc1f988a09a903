//! The `perjury` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    perjury::commands::main()
}
