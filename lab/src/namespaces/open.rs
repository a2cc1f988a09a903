//! A lab that is up, for a run.

use std::sync::Arc;

use perjury_history::NodeId;
use tokio::runtime::Runtime;

use super::record::{LabRecord, Node};
use super::status::alive;
use super::{NamespaceError, NamespaceSettings};
use crate::machines::{Machine, MachineLab};
use crate::remote::NamespaceRemote;

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
    let runtime = Runtime::new();
    let runtime = runtime.map_err(|error| NamespaceError::file("tokio".as_ref(), error))?;
    let chosen = lab.nodes().into_iter().take(nodes as usize);
    let machines: Result<_, _> = chosen.map(|node| machine(&lab, &node)).collect();
    Ok(MachineLab::new("namespaces", machines?, runtime))
}

fn machine(lab: &LabRecord, node: &Node) -> Result<Machine, NamespaceError> {
    let init = alive(lab, node).ok_or_else(|| NamespaceError::Node {
        lab: lab.settings.name.clone(),
        node: node.name.clone(),
        problem: "is down; `perjury lab down` and `perjury lab up` make it anew".to_owned(),
    })?;
    let remote = NamespaceRemote::new(&node.name, init.id);
    Ok(Machine::new(NodeId(node.number - 1), node.addresses.clone(), Arc::new(remote)))
}
