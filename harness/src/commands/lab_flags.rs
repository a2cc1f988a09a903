//! Flags that say where the nodes live.

use std::path::PathBuf;

use clap::Args;
use toml::{Table, Value};

use crate::error::Error;

/// Where the nodes live
#[derive(Clone, Debug, Default, Args)]
pub(super) struct LabFlags {
    /// Lab: `simulated`, `namespaces` (this machine, as root) or `ssh` (a cluster)
    #[arg(long, value_name = "LAB")]
    pub(super) lab: Option<String>,
    /// A machine of the cluster, `HOST[:PORT]` (may be repeated; the first is n1)
    #[arg(long = "node", value_name = "HOST")]
    pub(super) hosts: Vec<String>,
    /// Log in to the cluster's machines as this user
    #[arg(long, value_name = "USER")]
    pub(super) user: Option<String>,
    /// Become root on the cluster's machines by `sudo`
    #[arg(long)]
    pub(super) sudo: bool,
    /// Private key for the cluster's machines [default: the agent's, or those in ~/.ssh]
    #[arg(long, value_name = "FILE")]
    pub(super) identity: Option<PathBuf>,
    /// Known host keys of the cluster's machines [default: ~/.ssh/known_hosts]
    #[arg(long, value_name = "FILE")]
    pub(super) known_hosts: Option<PathBuf>,
}

impl LabFlags {
    /// The lab as a campaign file writes it; `None` if no flag says anything.
    ///
    /// # Errors
    /// If flags of a cluster are given for another lab.
    pub(super) fn setting(&self) -> Result<Option<Value>, Error> {
        let mut table = Table::new();
        if !self.hosts.is_empty() {
            table.insert("nodes".to_owned(), self.hosts.clone().into());
        }
        if let Some(user) = &self.user {
            table.insert("user".to_owned(), user.as_str().into());
        }
        if self.sudo {
            table.insert("sudo".to_owned(), true.into());
        }
        let files = [("identity", &self.identity), ("known-hosts", &self.known_hosts)];
        for (key, file) in files {
            if let Some(file) = file {
                table.insert(key.to_owned(), file.display().to_string().into());
            }
        }
        let kind = match (self.lab.as_deref(), table.is_empty()) {
            (None, true) => return Ok(None),
            (Some(kind), true) => kind,
            (None | Some("ssh"), false) => "ssh",
            (Some(other), false) => {
                return Err(Error::usage(format!(
                    "--node, --user, --sudo, --identity and --known-hosts are of the lab `ssh`, \
                     found `--lab {other}`"
                )));
            }
        };
        table.insert("kind".to_owned(), kind.into());
        Ok(Some(Value::Table(table)))
    }
}
