//! The `perjury` command: one file per subcommand.

mod check;
mod colors;
mod completions;
mod export;
mod heal;
mod history_page;
mod lab;
mod lab_flags;
mod list;
mod new_file;
mod replay;
mod report;
mod run;
mod show;
mod simulate;
mod table;
mod verify;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;
use crate::exit_code;
use crate::progress::say;

const EXIT_CODES: &str = "\
Exit codes:
  0   everything as expected
  1   a violation, or an expectation that was not met (wins over all else)
  2   inconclusive: a bound was reached, the run was cut short, or there was nothing to judge
  3   the harness or the lab failed
  64  bad arguments, configuration or input files";

/// Puts replicated stores under oath, breaks their network, clocks, disks and processes, and shows
/// whether they lied.
///
/// Without a campaign, `perjury run` takes a first look at the embedded store: it needs nothing
/// installed, no root and no cluster.
#[derive(Debug, Parser)]
#[command(name = "perjury", version, after_help = EXIT_CODES, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Run>),
    Check(Box<check::Check>),
    Verify(verify::Verify),
    Show(show::Show),
    Simulate(simulate::Simulate),
    Export(export::Export),
    Report(report::Report),
    Replay(replay::Replay),
    List(list::List),
    Lab(lab::Lab),
    Heal(heal::Heal),
    Completions(completions::Completions),
    /// What Perjury runs on nodes by itself
    #[command(hide = true)]
    Agent {
        /// What to do, and how
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// Runs the command with the process's arguments.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; a closed pipe while printing them is none either.
            let _ = error.print();
            let code = if error.use_stderr() { exit_code::USAGE } else { exit_code::EXPECTED };
            return ExitCode::from(code);
        }
    };
    let outcome = match arguments.command {
        Command::Run(command) => command.execute(),
        Command::Check(command) => command.execute(),
        Command::Verify(command) => command.execute(),
        Command::Show(command) => command.execute(),
        Command::Simulate(command) => command.execute(),
        Command::Export(command) => command.execute(),
        Command::Report(command) => command.execute(),
        Command::Replay(command) => command.execute(),
        Command::List(command) => command.execute(),
        Command::Lab(command) => command.execute(),
        Command::Heal(command) => command.execute(),
        Command::Completions(command) => command.execute(),
        Command::Agent { arguments } => return perjury_nemesis::agent::main(arguments),
    };
    ExitCode::from(outcome.unwrap_or_else(|error| {
        complain(&error);
        error.exit_code()
    }))
}

/// Prints to stdout. A reader that has gone away (`perjury show | head`) is no error.
fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Error::failure(format!("failed to write to standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints what was found. If that fails the exit code still tells it, and so does stderr.
fn print_verdict(text: &str, code: u8) -> u8 {
    match print(text) {
        Ok(()) => code,
        Err(error) => {
            say(text.trim_end());
            complain(&error);
            exit_code::merge(code, error.exit_code())
        }
    }
}

fn complain(error: &Error) {
    say(&format!("error: {error}"));
}
