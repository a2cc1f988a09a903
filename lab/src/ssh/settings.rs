//! What people say about machines over SSH.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which program speaks SSH.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SshClient {
    /// A library in this program.
    #[default]
    Ssh2,
    /// The system's `ssh`, with its configuration: for jump hosts and hardware keys.
    Openssh,
}

/// Machines over SSH. Passwords are not among the settings, see [`Secrets`](crate::remote::Secrets).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SshSettings {
    /// The nodes, in order, each as a [`NodeAddress`](super::NodeAddress).
    pub nodes: Vec<String>,
    /// Whom to log in as where a node does not say; the user that runs Perjury if nobody does.
    pub user: Option<String>,
    /// Whether to use `sudo` for what must run as root.
    pub sudo: bool,
    /// The file of the private key; the agent's and the usual ones if none is given.
    pub identity: Option<PathBuf>,
    /// The file of known hosts; `~/.ssh/known_hosts` if none is given.
    pub known_hosts: Option<PathBuf>,
    /// Which program speaks SSH.
    pub client: SshClient,
    /// How long connecting to a machine may take, in seconds.
    pub connect_timeout: u64,
    /// The addresses by which nodes and clients reach the nodes, in their order, where that is not
    /// how we reach them. Empty if it is.
    pub addresses: Vec<String>,
}

impl Default for SshSettings {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            user: None,
            sudo: false,
            identity: None,
            known_hosts: None,
            client: SshClient::default(),
            connect_timeout: 10,
            addresses: Vec::new(),
        }
    }
}
