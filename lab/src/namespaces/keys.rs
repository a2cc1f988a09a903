//! What lets the host log in to the nodes, and lets it know them: keys, and OpenSSH's files.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::NamespaceError;
use super::parallel::each;
use super::record::{LabRecord, Node};
use super::tool::run;

/// What logs in to the nodes.
pub(super) fn key(lab: &Path) -> PathBuf {
    lab.join("key")
}

/// The nodes' host keys.
pub(super) fn known_hosts(lab: &Path) -> PathBuf {
    lab.join("known_hosts")
}

/// Makes the lab's key and its nodes' host keys, and writes who is who for OpenSSH.
pub(super) fn make_keys(lab: &LabRecord, nodes: &[Node]) -> Result<(), NamespaceError> {
    let folder = lab.folder();
    generate(&key(&folder), &lab.settings.name)?;
    let host_keys = each(nodes, |node| {
        let path = node.folder.join("host_key");
        generate(&path, &node.name)?;
        let path = path.with_extension("pub");
        fs::read_to_string(&path).map_err(|error| NamespaceError::file(&path, error))
    })?;
    let (mut known, mut config) = (String::new(), String::new());
    for (node, host_key) in nodes.iter().zip(&host_keys) {
        let mut addresses: Vec<_> = node.addresses.iter().map(ToString::to_string).collect();
        addresses.push(node.name.clone());
        // Type and key, without the comment.
        let key: Vec<_> = host_key.split_whitespace().take(2).collect();
        let _ = writeln!(known, "{} {}", addresses.join(","), key.join(" "));
        let _ = writeln!(config, "Host {}\n  HostName {}", node.name, node.addresses[0]);
    }
    let (key, known_hosts) = (key(&folder), known_hosts(&folder));
    let _ = write!(
        config,
        "Host *\n  User root\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  \
         StrictHostKeyChecking yes\n",
        key.display(),
        known_hosts.display()
    );
    for (path, text) in [(known_hosts, known), (folder.join("ssh_config"), config)] {
        fs::write(&path, text).map_err(|error| NamespaceError::file(&path, error))?;
    }
    Ok(())
}

/// A key pair without a passphrase: it lies where only root reads, and opens this lab alone.
fn generate(path: &Path, comment: &str) -> Result<(), NamespaceError> {
    let path = path.display().to_string();
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", &path]).map(|_| ())
}
