//! A program of a store that runs on a machine until it is told otherwise.

use std::collections::BTreeMap;

use super::{Machine, layout};
use crate::remote::{Command, RemoteError};

/// A program that runs in the background.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Names it, its process file and its log.
    pub name: &'static str,
    /// The program, by its full path, and its arguments.
    pub arguments: Vec<String>,
    /// Who runs it; root if nobody is named.
    pub user: Option<&'static str>,
    /// What is set in its environment.
    pub environment: BTreeMap<String, String>,
}

/// What a daemon does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaemonState {
    /// It runs.
    Running,
    /// It has been stopped in its tracks and may go on.
    Paused,
    /// It does not run.
    Stopped,
}

/// What a daemon and all its child processes can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End at once.
    Kill,
    /// End in an orderly way.
    Terminate,
    /// Stop in its tracks.
    Stop,
    /// Go on.
    Continue,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Kill => "KILL",
            Signal::Terminate => "TERM",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
        }
    }
}

const SCRIPT: &str = include_str!("daemon.sh");

impl Machine {
    fn daemon_command(action: &str, name: &str) -> Command {
        let (process, log) = (layout::process_file(name), layout::log_file(name));
        Command::script(SCRIPT).as_root().arguments([action, &process, &log])
    }

    /// Starts a daemon, unless it runs (or is paused) already. It begins in the control groups that
    /// are written down for it ([`layout::groups_file`]).
    ///
    /// # Errors
    /// If it cannot be started, or ends at once.
    pub async fn start_daemon(&self, daemon: &Daemon) -> Result<(), RemoteError> {
        let environment = daemon.environment.iter().map(|(name, value)| format!("{name}={value}"));
        let command = Self::daemon_command("start", daemon.name)
            .argument(daemon.user.unwrap_or(""))
            .argument(layout::groups_file(daemon.name))
            .argument("env")
            .arguments(environment)
            .arguments(daemon.arguments.iter().cloned());
        self.run(&command).await.map(|_| ())
    }

    /// What a daemon does.
    ///
    /// # Errors
    /// If the machine cannot be asked.
    pub async fn daemon_state(&self, name: &str) -> Result<DaemonState, RemoteError> {
        let said = self.run(&Self::daemon_command("state", name)).await?;
        Ok(match said.as_str() {
            "running" => DaemonState::Running,
            "paused" => DaemonState::Paused,
            _ => DaemonState::Stopped,
        })
    }

    /// The end of the log of a daemon that was started and has ended.
    ///
    /// # Errors
    /// If the machine cannot be asked.
    pub async fn last_words(&self, name: &str) -> Result<Option<String>, RemoteError> {
        let said = self.run(&Self::daemon_command("words", name)).await?;
        Ok(Some(said).filter(|it| !it.is_empty()))
    }

    /// The process ids of a daemon and its children, its own first; none if it does not run.
    ///
    /// # Errors
    /// If the machine cannot be asked.
    pub async fn daemon_processes(&self, name: &str) -> Result<Vec<u32>, RemoteError> {
        let said = self.run(&Self::daemon_command("processes", name)).await?;
        Ok(said.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
    }

    /// Sends a signal to a daemon and all its children. Harmless if it does not run. Returns when a
    /// killed one is gone and a stopped one stands still.
    ///
    /// # Errors
    /// If the machine cannot be told, or the processes do not obey within some seconds.
    pub async fn signal_daemon(&self, name: &str, signal: Signal) -> Result<(), RemoteError> {
        let command = Self::daemon_command("signal", name).argument(signal.name());
        self.run(&command).await.map(|_| ())
    }
}
