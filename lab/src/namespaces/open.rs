//! A lab that is up, for a run.

use std::sync::Arc;
use std::time::Duration;

use perjury_history::NodeId;
use tokio::runtime::Runtime;

use super::record::{LabRecord, Node};
use super::status::alive;
use super::{NamespaceError, NamespaceSettings, keys};
use crate::machines::{Machine, MachineLab};
use crate::remote::{Command, Endpoint, RemoteError, Secrets, Ssh2Remote};

/// How long a login may take. One node that is gone is known to be; many on a busy host are slow.
const CONNECT: Duration = Duration::from_secs(30);

/// The first `nodes` nodes of a lab that is [up](super::up). Take its [lock](super::lock) first.
///
/// # Errors
/// If it is not up, has fewer nodes, or one of them cannot be reached.
pub fn open(settings: &NamespaceSettings, nodes: u32) -> Result<MachineLab, NamespaceError> {
    let lab = unopened(settings, nodes)?;
    let hello = Command::new("true").timeout(2 * CONNECT);
    lab.run(lab.each(|machine| machine.run(&hello)))?;
    Ok(lab)
}

/// The first `nodes` nodes of a lab, whether they run or not: for a
/// [check](crate::machines::check) of all.
///
/// # Errors
/// If it is not up, or has fewer nodes.
pub fn unopened(settings: &NamespaceSettings, nodes: u32) -> Result<MachineLab, NamespaceError> {
    settings.check()?;
    let name = &settings.name;
    let lab = LabRecord::read(name)?.ok_or_else(|| NamespaceError::Absent(name.clone()))?;
    if lab.nodes < nodes {
        let (name, found, expected) = (name.clone(), lab.nodes, nodes);
        return Err(NamespaceError::TooSmall { name, found, expected });
    }
    let machines = lab.nodes().iter().take(nodes as usize).map(|it| machine(&lab, it)).collect();
    let runtime = Runtime::new().map_err(|error| {
        NamespaceError::Settings(format!("no threads can be had for its runs ({error})"))
    })?;
    Ok(MachineLab::new("namespaces", machines, runtime))
}

fn machine(lab: &LabRecord, node: &Node) -> Machine {
    let id = NodeId(node.number - 1);
    if alive(lab, node).is_none() {
        let error = RemoteError::Down {
            node: format!("{} of the lab `{}`", node.name, lab.settings.name),
            remedy: "`perjury lab down` and `perjury lab up` make it anew".to_owned(),
        };
        return Machine::absent(id, node.name.clone(), error);
    }
    let folder = lab.folder();
    let endpoint = Endpoint {
        user: Some("root".to_owned()),
        identity: Some(keys::key(&folder)),
        known_hosts: Some(keys::known_hosts(&folder)),
        // Those of the environment are for others.
        secrets: Secrets::default(),
        connect_timeout: CONNECT,
        ..Endpoint::new(node.addresses[0].to_string())
    };
    let remote = Ssh2Remote::new(&node.name, endpoint);
    Machine::new(id, node.addresses.clone(), Arc::new(remote))
}
