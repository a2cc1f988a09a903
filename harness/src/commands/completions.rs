//! `perjury completions`: for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, print};
use crate::error::Error;
use crate::exit_code;

/// Print completions for a shell
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn execute(self) -> Result<u8, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "perjury", &mut script);
        print(&String::from_utf8_lossy(&script))?;
        Ok(exit_code::EXPECTED)
    }
}
