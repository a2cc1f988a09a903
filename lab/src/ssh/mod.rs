//! A lab of machines over SSH.
//!
//! [`SshSettings`] says which machines and how to get in; [`open`] connects to all of them at once
//! and gives a [`MachineLab`]. Nothing is asked of the machine that Perjury runs on: no root, no
//! firewall.
//!
//! Invariant: a lab that opens has been reached, every node of it. One that is merely
//! [named](unopened) may have nodes that never answer.

mod node_address;
mod settings;

use std::collections::BTreeSet;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use perjury_history::NodeId;

pub use node_address::NodeAddress;
pub use settings::{SshClient, SshSettings};

use crate::MachineLab;
use crate::machines::Machine;
use crate::remote::{Command, OpenSshRemote, Remote, RemoteError, Ssh2Remote};

/// Opens a lab of the machines that the settings name.
///
/// # Errors
/// If the settings contradict themselves, or a machine cannot be reached: the first one in order.
pub fn open(settings: &SshSettings) -> Result<MachineLab, RemoteError> {
    let lab = unopened(settings)?;
    // Half a minute for the first command: a name server may have to be waited for.
    let limit = Duration::from_secs(settings.connect_timeout + 30);
    let hello = Command::new("true").timeout(limit);
    lab.run(lab.each(|machine| machine.run(&hello)))?;
    Ok(lab)
}

/// The machines that the settings name, whether they can be reached or not: for a
/// [check](crate::machines::check) of all.
///
/// # Errors
/// If the settings contradict themselves.
pub fn unopened(settings: &SshSettings) -> Result<MachineLab, RemoteError> {
    let refused = |problem: &str| RemoteError::Settings { problem: problem.to_owned() };
    if settings.nodes.is_empty() {
        return Err(refused("expected nodes, found none; name them by `nodes`"));
    }
    if settings.connect_timeout == 0 {
        return Err(refused("expected a `connect-timeout` of at least 1 s, found 0"));
    }
    let (nodes, addresses) = (settings.nodes.len(), settings.addresses.len());
    if addresses != 0 && addresses != nodes {
        let problem =
            format!("expected as many `addresses` as nodes, found {addresses} for {nodes}");
        return Err(refused(&problem));
    }
    let distinct: BTreeSet<_> = settings.nodes.iter().collect();
    if distinct.len() != nodes {
        return Err(refused("expected each node once in `nodes`, found one of them twice"));
    }
    let machines = (0..nodes).map(|index| machine(settings, index));
    let machines = machines.collect::<Result<Vec<_>, _>>()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| refused(&format!("no threads can be had ({error})")))?;
    Ok(MachineLab::new("ssh", machines, runtime))
}

fn machine(settings: &SshSettings, index: usize) -> Result<Machine, RemoteError> {
    let endpoint = settings.endpoint(index)?;
    let node = NodeId(index as u32);
    let name = format!("{node} ({})", settings.nodes[index]);
    let host = settings.addresses.get(index).unwrap_or(&endpoint.host);
    let addresses = match resolve(&name, host) {
        Ok(addresses) => addresses,
        Err(error) => return Ok(Machine::absent(node, name, error)),
    };
    let remote: Arc<dyn Remote> = match settings.client {
        SshClient::Ssh2 => Arc::new(Ssh2Remote::new(name, endpoint)),
        SshClient::Openssh => Arc::new(OpenSshRemote::new(name, endpoint)?),
    };
    Ok(Machine::new(node, addresses, remote))
}

/// The addresses of a host, as the system prefers them.
fn resolve(name: &str, host: &str) -> Result<Vec<IpAddr>, RemoteError> {
    let found = (host, 0).to_socket_addrs().map(|found| found.map(|it| it.ip()).collect());
    let found: Vec<IpAddr> = found.map_err(|error| unknown(name, host, &error.to_string()))?;
    match found.is_empty() {
        true => Err(unknown(name, host, "the name has no address")),
        false => Ok(found),
    }
}

fn unknown(name: &str, host: &str, problem: &str) -> RemoteError {
    RemoteError::Unreachable {
        node: name.to_owned(),
        address: host.to_owned(),
        problem: format!("{problem}; where only `ssh` knows the name, set `addresses`"),
    }
}
