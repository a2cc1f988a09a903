//! What there is.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::NamespaceError;
use super::process::Process;
use super::record::{LabRecord, Node, entries, labs};
use super::settings::check_name;
use crate::machines::layout;

/// A lab and its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabStatus {
    /// Its name.
    pub name: String,
    /// The addresses of this host in it.
    pub control: Vec<IpAddr>,
    /// An OpenSSH configuration that reaches its nodes: `ssh -F FILE n1`.
    pub ssh_config: PathBuf,
    /// Its nodes, in order.
    pub nodes: Vec<NodeStatus>,
}

/// What a node does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// n1, n2, ...
    pub name: String,
    /// The process id, on this host, of its first process; none if the node is down.
    pub pid: Option<u32>,
    /// IPv4, then IPv6.
    pub addresses: Vec<IpAddr>,
    /// What its disk takes up on this host, in MiB.
    pub disk_used_mib: u64,
    /// The size of its disk in MiB.
    pub disk_mib: u32,
    /// The [daemons](crate::machines::Daemon) that run (or are paused) on it.
    pub daemons: Vec<String>,
}

/// The names of all labs that are there, in order.
///
/// # Errors
/// If they cannot be read, as by who is not root.
pub fn names() -> Result<Vec<String>, NamespaceError> {
    let labs = labs();
    match fs::read_dir(&labs) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(NamespaceError::file(&labs, error))
        }
        _ => Ok(entries(&labs)
            .into_iter()
            .filter(|it| labs.join(it).join("lab.json").exists())
            .filter(|it| check_name(it).is_ok())
            .collect()),
    }
}

/// What a lab consists of and does now.
///
/// # Errors
/// If there is none of that name, or it cannot be read.
pub fn status(name: &str) -> Result<LabStatus, NamespaceError> {
    check_name(name)?;
    let lab = LabRecord::read(name)?.ok_or_else(|| NamespaceError::Absent(name.to_owned()))?;
    let nodes = lab.nodes().iter().map(|node| node_status(&lab, node)).collect();
    let (control, ssh_config) = (lab.control(), lab.folder().join("ssh_config"));
    Ok(LabStatus { name: name.to_owned(), control, ssh_config, nodes })
}

fn node_status(lab: &LabRecord, node: &Node) -> NodeStatus {
    /// What `stat` counts in.
    const BLOCK: u64 = 512;
    let init = alive(lab, node);
    let disk = fs::metadata(node.folder.join("disk.img"));
    NodeStatus {
        name: node.name.clone(),
        pid: init.and_then(|it| u32::try_from(it.id).ok()),
        addresses: node.addresses.clone(),
        disk_used_mib: disk.map_or(0, |it| (it.blocks() * BLOCK) >> 20),
        disk_mib: lab.settings.disk_mib,
        daemons: init.map(daemons).unwrap_or_default(),
    }
}

/// The first process of a node that runs.
pub(super) fn alive(lab: &LabRecord, node: &Node) -> Option<Process> {
    let init = Process::read(&node.folder.join("init"));
    init.filter(|it| lab.of_this_boot() && it.is_alive())
}

/// Looks at a node's process files, with its own eyes: the numbers in them are its own.
fn daemons(init: Process) -> Vec<String> {
    let root = PathBuf::from(format!("/proc/{}/root", init.id));
    let inside = |path: &str| root.join(path.trim_start_matches('/'));
    let folder = inside(layout::RUN);
    let name = |file: String| Some(file.strip_suffix(".process")?.to_owned());
    let runs = |name: &String| {
        let process = Process::read(&inside(&layout::process_file(name)));
        process.is_some_and(|it| it.is_alive_in(&inside("/proc")))
    };
    entries(Path::new(&folder)).into_iter().filter_map(name).filter(runs).collect()
}
