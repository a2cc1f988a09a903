//! Machines over SSH, by the system's `ssh`.
//!
//! For what a library cannot do: jump hosts, hardware keys, whatever stands in `~/.ssh/config`. One
//! `ssh` per machine, [`master`], holds the connection (`ControlMaster`); each command is another
//! one that goes over it. Nobody is there to answer a question, so `ssh` is told not to ask any:
//! keys that are locked belong into an agent, and passwords are not used.

mod master;
mod options;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::process::Command as Process;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

use super::call::{Deadline, Input, timed_out};
use super::guard::{Elevation, Guarded};
use super::process::{Problem, carry};
use super::transfer::Carrier;
use super::{Command, Endpoint, Output, RemoteError};
use master::Master;

/// How many commands may go over the connection at once: sshd allows ten (`MaxSessions`).
const SESSIONS_MAX: usize = 8;

/// What `ssh` says when it could not connect.
const NOT_CONNECTED: &str = "ssh: connect to host";

/// A machine over SSH, by the system's `ssh`. It connects when there is something to do.
pub struct OpenSshRemote {
    node: String,
    endpoint: Endpoint,
    /// Where the connection is found by those that use it.
    folder: TempDir,
    master: Mutex<Option<Master>>,
    sessions: Semaphore,
}

impl OpenSshRemote {
    /// A machine at this endpoint; `name` is for messages.
    ///
    /// # Errors
    /// If no temporary folder can be made here.
    pub fn new(name: impl Into<String>, endpoint: Endpoint) -> Result<Self, RemoteError> {
        let node = name.into();
        // A short name: that of a socket has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("perjury").tempdir();
        let folder = folder.map_err(|error| RemoteError::File {
            node: node.clone(),
            path: std::env::temp_dir().display().to_string(),
            problem: format!("no folder can be made for the connection ({error})"),
        })?;
        let sessions = Semaphore::new(SESSIONS_MAX);
        Ok(Self { node, endpoint, folder, master: Mutex::default(), sessions })
    }

    /// An `ssh` for this machine.
    fn ssh(&self) -> Process {
        let mut ssh = Process::new("ssh");
        ssh.args(options::common(&self.endpoint, &self.folder.path().join("control")));
        ssh
    }

    /// Sees to it that there is a connection.
    async fn connect(&self, deadline: Deadline) -> Result<(), RemoteError> {
        let mut master = self.master.lock().await;
        if master.as_mut().is_none_or(|master| !master.is_alive()) {
            *master = None;
            let limit = self.endpoint.connect_timeout.min(deadline.left());
            *master = Some(Master::open(&self.node, &self.endpoint, self.ssh(), limit).await?);
        }
        Ok(())
    }
}

#[async_trait]
impl Carrier for OpenSshRemote {
    fn node(&self) -> &str {
        &self.node
    }

    fn elevation(&self) -> Elevation {
        self.endpoint.elevation()
    }

    async fn carry(
        &self,
        command: &Command,
        input: Input<'_>,
        sink: &mut (dyn for<'a> FnMut(&'a [u8]) + Send),
    ) -> Result<Output, RemoteError> {
        let deadline = Deadline::new(command.timeout);
        let guarded = Guarded::new(&self.node, command, self.elevation())?;
        let password = self.endpoint.secrets.sudo_password.as_deref();
        let input = input.reader(password.filter(|_| guarded.wants_password()));
        let late = |_| timed_out(&self.node, command);
        let turn = timeout(deadline.patience(), self.sessions.acquire()).await.map_err(late)?;
        timeout(deadline.patience(), self.connect(deadline)).await.map_err(late)??;
        let mut ssh = self.ssh();
        ssh.args(["-o", "ControlMaster=no", "-T", "--", &self.endpoint.host]);
        ssh.arg(guarded.line(deadline.left()));
        let heard = carry(&mut ssh, guarded.mark(), input, deadline, sink).await;
        drop(turn);
        match heard {
            // The connection was held a moment ago, and this `ssh` found it gone and tried itself.
            Ok(hearing) if !hearing.begun() && hearing.greeting().contains(NOT_CONNECTED) => {
                Err(master::failure(&self.node, &self.endpoint, &hearing.greeting()))
            }
            Ok(hearing) => hearing.conclude(&self.node, &self.endpoint.user(), command, deadline),
            Err(Problem::Late) => Err(timed_out(&self.node, command)),
            Err(Problem::Start(error)) => Err(master::no_ssh(&error)),
        }
    }
}
