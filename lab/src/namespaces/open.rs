//! A lab that is up, for a run.

use std::sync::Arc;

use perjury_history::NodeId;
use tokio::runtime::Runtime;

use super::record::{LabRecord, Node};
use super::status::alive;
use super::{NamespaceError, NamespaceSettings, keys};
use crate::machines::{Machine, MachineLab};
use crate::remote::{Command, Endpoint, Secrets, Ssh2Remote};

/// The first `nodes` nodes of a lab that is [up](super::up). Take its [lock](super::lock) first.
///
/// # Errors
/// If it is not up, has fewer nodes, or one of them cannot be reached.
pub fn open(settings: &NamespaceSettings, nodes: u32) -> Result<MachineLab, NamespaceError> {
    settings.check()?;
    let name = &settings.name;
    let lab = LabRecord::read(name)?.ok_or_else(|| NamespaceError::Absent(name.clone()))?;
    if lab.nodes < nodes {
        let (name, found, expected) = (name.clone(), lab.nodes, nodes);
        return Err(NamespaceError::TooSmall { name, found, expected });
    }
    let machines: Result<_, _> =
        lab.nodes().iter().take(nodes as usize).map(|node| machine(&lab, node)).collect();
    let machines = machines?;
    let runtime = Runtime::new().map_err(|error| {
        NamespaceError::Settings(format!("no threads can be had for its runs ({error})"))
    })?;
    let lab = MachineLab::new("namespaces", machines, runtime);
    let hello = Command::new("true");
    lab.run(lab.each(|machine| machine.run(&hello)))?;
    Ok(lab)
}

fn machine(lab: &LabRecord, node: &Node) -> Result<Machine, NamespaceError> {
    if alive(lab, node).is_none() {
        return Err(NamespaceError::Node {
            lab: lab.settings.name.clone(),
            node: node.name.clone(),
            problem: "is down; `perjury lab down` and `perjury lab up` make it anew".to_owned(),
        });
    }
    let folder = lab.folder();
    let endpoint = Endpoint {
        user: Some("root".to_owned()),
        identity: Some(keys::key(&folder)),
        known_hosts: Some(keys::known_hosts(&folder)),
        // Those of the environment are for others.
        secrets: Secrets::default(),
        ..Endpoint::new(node.addresses[0].to_string())
    };
    let remote = Ssh2Remote::new(&node.name, endpoint);
    Ok(Machine::new(NodeId(node.number - 1), node.addresses.clone(), Arc::new(remote)))
}
