//! The agent's executable, here and on the machines.

use std::io;
use std::path::{Path, PathBuf};

use perjury_lab::machines::{Daemon, Machine, layout};
use perjury_lab::remote::{Command, RemoteError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// An executable that calls [`agent::main`](crate::agent::main).
#[derive(Clone, Debug)]
pub struct AgentBinary {
    here: PathBuf,
    leading: Vec<String>,
    there: String,
}

impl AgentBinary {
    /// The executable at `path` on this machine, and the arguments that come before the agent's own.
    /// It must run on the nodes: same architecture, and a C library as old as theirs or older.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn new<A: Into<String>>(
        path: &Path,
        leading: impl IntoIterator<Item = A>,
    ) -> io::Result<Self> {
        let digest = Sha256::digest(std::fs::read(path)?);
        let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            here: path.to_owned(),
            leading: leading.into_iter().map(Into::into).collect(),
            there: format!("{}/agent-{short}", layout::ROOT),
        })
    }

    /// Copies it to a machine that does not have it.
    ///
    /// # Errors
    /// If the machine cannot be reached or written to.
    pub async fn install(&self, machine: &Machine) -> Result<(), RemoteError> {
        const HAS: &str = r#"mkdir -p "$1" && [ -x "$2" ] && echo yes || echo no"#;
        let has = Command::script(HAS).argument(layout::ROOT).argument(&self.there).as_root();
        if machine.run(&has).await? == "yes" {
            return Ok(());
        }
        machine.remote().upload(&self.here, &self.there, 0o755).await
    }

    pub(super) fn arguments(&self, command: &str, order: &impl Serialize) -> Vec<String> {
        let order = serde_json::to_string(order).expect("orders have nothing but text and numbers");
        let own = [command.to_owned(), order];
        [self.there.clone()].into_iter().chain(self.leading.clone()).chain(own).collect()
    }

    /// Has it do something now.
    pub(super) fn command(&self, command: &str, order: &impl Serialize) -> Command {
        let arguments = self.arguments(command, order);
        Command::new(&arguments[0]).arguments(&arguments[1..]).as_root()
    }

    /// Has it do something now, and reads its answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        machine: &Machine,
        command: &str,
        order: &impl Serialize,
    ) -> Result<T, String> {
        let command = self.command(command, order);
        let said = machine.run(&command).await.map_err(|error| error.to_string())?;
        let unexpected =
            |error| format!("{machine}: expected an answer of the agent, found {error}");
        serde_json::from_str(&said).map_err(unexpected)
    }

    /// It as a daemon.
    pub fn daemon(&self, name: &'static str, command: &str, order: &impl Serialize) -> Daemon {
        let arguments = self.arguments(command, order);
        Daemon { name, arguments, user: None, environment: [].into() }
    }
}
