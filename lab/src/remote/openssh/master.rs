//! The `ssh` that holds a machine's connection.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command as Process};
use tokio::time::timeout;

use crate::remote::{Endpoint, RemoteError};

/// A connection. It ends when dropped.
pub(super) struct Master {
    process: Child,
}

impl Master {
    /// Connects within `limit`; `ssh` has the options that all uses for the machine have.
    ///
    /// # Errors
    /// If it cannot be reached, or has another host key than the known one, or does not let us in.
    pub(super) async fn open(
        node: &str,
        endpoint: &Endpoint,
        mut ssh: Process,
        limit: Duration,
    ) -> Result<Self, RemoteError> {
        // It says so once others can use it.
        let mut process = ssh
            .args(["-o", "ControlMaster=yes", "-o", "ControlPersist=no", "-N"])
            .args(["-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo connected"])
            .args(["--", &endpoint.host])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| no_ssh(&error))?;
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let mut said = String::new();
        let mut complaints = Vec::new();
        let hear = async {
            if let Some(stdout) = stdout {
                let _ = BufReader::new(stdout).read_line(&mut said).await;
            }
            if let (true, Some(mut stderr)) = (said.is_empty(), stderr) {
                let _ = stderr.read_to_end(&mut complaints).await;
            }
        };
        let heard = timeout(limit, hear).await;
        match (heard, said.trim()) {
            (Ok(()), "connected") => Ok(Self { process }),
            (Ok(()), _) => Err(failure(node, endpoint, &String::from_utf8_lossy(&complaints))),
            (Err(_), _) => {
                Err(failure(node, endpoint, &format!("no answer within {} s", limit.as_secs_f32())))
            }
        }
    }

    /// Whether the connection is held.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }
}

/// What it means that `ssh` did not connect, by what it said.
pub(super) fn failure(node: &str, endpoint: &Endpoint, said: &str) -> RemoteError {
    let (node, problem) = (node.to_owned(), said.trim().replace(['\r', '\n'], "; "));
    let file = endpoint
        .known_hosts
        .as_ref()
        .map_or_else(|| "the known hosts of `ssh`".to_owned(), |file| file.display().to_string());
    if said.contains("HAS CHANGED") || said.contains("Host key verification failed") {
        let (problem, remedy) = match said.contains("HAS CHANGED") {
            true => (
                "is not the known one",
                "remove the known one by `ssh-keygen -R` if it was set \
                up anew, and log in once by hand; if it was not, somebody is between here and there",
            ),
            false => ("is unknown", "log in once by hand and compare it"),
        };
        let (problem, remedy) = (problem.to_owned(), remedy.to_owned());
        return RemoteError::HostKey { node, problem, file, remedy };
    }
    if said.contains("Permission denied") || said.contains("Too many authentication failures") {
        let remedy = "add the public key to ~/.ssh/authorized_keys there, or put the right one into \
            the agent, or name it by `identity`";
        let (user, remedy) = (endpoint.user(), remedy.to_owned());
        return RemoteError::Login { node, user, problem, remedy };
    }
    RemoteError::Unreachable { node, address: endpoint.address(), problem }
}

/// The error if `ssh` does not run here.
pub(super) fn no_ssh(error: &std::io::Error) -> RemoteError {
    RemoteError::Missing {
        node: "this machine".to_owned(),
        what: format!("`ssh` that runs ({error})"),
        remedy: "install openssh-client, or use the client ssh2".to_owned(),
    }
}
