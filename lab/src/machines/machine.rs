//! One machine of a lab.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use perjury_history::NodeId;

use crate::remote::{AbsentRemote, Command, Output, Remote, RemoteError};

/// A machine that a node of the store lives on. Clones are handles to the same one.
#[derive(Clone)]
pub struct Machine {
    node: NodeId,
    addresses: Vec<IpAddr>,
    remote: Arc<dyn Remote>,
}

impl Machine {
    /// The machine of a node, with the addresses by which other nodes and clients reach it, the
    /// preferred one first.
    ///
    /// # Panics
    /// If it has no address.
    pub fn new(node: NodeId, addresses: Vec<IpAddr>, remote: Arc<dyn Remote>) -> Self {
        assert!(!addresses.is_empty(), "a machine has an address");
        Self { node, addresses, remote }
    }

    /// A machine that is known not to be there, and why: that is its answer to everything.
    pub(crate) fn absent(node: NodeId, name: String, error: RemoteError) -> Self {
        let remote = Arc::new(AbsentRemote { node: name, error });
        Self::new(node, vec![Ipv4Addr::UNSPECIFIED.into()], remote)
    }

    /// Which node lives here.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The address for nodes and clients.
    pub fn address(&self) -> IpAddr {
        self.addresses[0]
    }

    /// All addresses of it, IPv4 and IPv6.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// The way to it.
    pub fn remote(&self) -> &dyn Remote {
        self.remote.as_ref()
    }

    /// Runs a command that must succeed; what it said.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub async fn run(&self, command: &Command) -> Result<String, RemoteError> {
        self.remote.run(command).await
    }

    /// Runs a command, whatever its exit status.
    ///
    /// # Errors
    /// As [`Remote::output`].
    pub async fn output(&self, command: &Command) -> Result<Output, RemoteError> {
        self.remote.output(command).await
    }

    /// Writes a small file as root, whole or not at all, in a folder that is made if need be.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub async fn write(&self, path: &str, content: impl Into<Vec<u8>>) -> Result<(), RemoteError> {
        const WRITE: &str = r#"set -e
mkdir -p "$(dirname "$1")"
cat >"$1.partial"
mv "$1.partial" "$1""#;
        let command = Command::script(WRITE).argument(path).input(content).as_root();
        self.run(&command).await.map(|_| ())
    }

    /// Copies a file of it to here; its length in bytes.
    ///
    /// # Errors
    /// As [`Remote::download`].
    pub async fn download(&self, from: &str, to: &Path) -> Result<u64, RemoteError> {
        self.remote.download(from, to).await
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.node)
    }
}
