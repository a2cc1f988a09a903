//! What people say about machines over SSH.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::NodeAddress;
use crate::remote::{Endpoint, RemoteError};

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

impl SshSettings {
    /// Where a node is and how one gets in; `index` is its place in the list of nodes.
    ///
    /// # Errors
    /// If what is written there is no [`NodeAddress`](super::NodeAddress).
    ///
    /// # Panics
    /// If there are not that many nodes.
    pub fn endpoint(&self, index: usize) -> Result<Endpoint, RemoteError> {
        let address: NodeAddress =
            self.nodes[index].parse().map_err(|problem| RemoteError::Settings { problem })?;
        Ok(Endpoint {
            port: address.port,
            user: address.user.or_else(|| self.user.clone()),
            sudo: self.sudo,
            identity: self.identity.clone(),
            known_hosts: self.known_hosts.clone(),
            connect_timeout: Duration::from_secs(self.connect_timeout),
            ..Endpoint::new(address.host)
        })
    }
}
