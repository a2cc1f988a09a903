//! etcd on a machine: its program, configuration and data.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use perjury_lab::MachineLab;
use perjury_lab::machines::{Daemon, DaemonState, Footprint, Machine, Signal, layout};
use perjury_lab::remote::{Command, RemoteError};
use serde_json::json;

use super::messages::Member;
use super::settings::EtcdSettings;
use crate::machines::ensure_program;

/// Where nodes talk to clients.
const CLIENT_PORT: u16 = 2379;

/// Where nodes talk to each other.
const PEER_PORT: u16 = 2380;

/// The name of the daemon, its data and its configuration.
const NAME: &str = "etcd";

/// Of Debian; the client is for people who look at a run.
const PACKAGES: [&str; 2] = ["etcd-server", "etcd-client"];

/// Where clients find the node of a machine.
pub(super) fn client_address(machine: &Machine) -> SocketAddr {
    SocketAddr::new(machine.address(), CLIENT_PORT)
}

/// Where the other nodes find the one at this address; it is also how a cluster knows it.
pub(super) fn peer_url(address: IpAddr) -> String {
    format!("http://{}", SocketAddr::new(address, PEER_PORT))
}

pub(super) fn footprint() -> Footprint {
    Footprint {
        daemons: vec![NAME],
        peer_ports: vec![PEER_PORT],
        data: NAME.to_owned(),
        data_files: vec!["member/wal/*.wal", "member/snap/db"],
        logs: Vec::new(),
    }
}

/// How a node comes to its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cluster<'a> {
    /// It founds it, together with all others of the lab.
    New,
    /// It joins one that has these members, itself among them.
    Existing(&'a [Member]),
}

/// Sees to it that the program is there.
pub(super) async fn ensure_installed(
    machine: &Machine,
    settings: &EtcdSettings,
) -> Result<(), RemoteError> {
    if settings.binary == EtcdSettings::BINARY {
        return ensure_program(machine, &settings.binary, &PACKAGES).await;
    }
    let test = Command::script(r#"test -x "$1""#).argument(&settings.binary).as_root();
    match machine.output(&test).await?.status {
        0 => Ok(()),
        _ => Err(RemoteError::Missing {
            node: machine.to_string(),
            what: format!("program `{}`", settings.binary),
            remedy: "put it there, or leave the store's setting `binary` out".to_owned(),
        }),
    }
}

/// Ends the node and erases what it holds.
pub(super) async fn erase(machine: &Machine) -> Result<(), RemoteError> {
    machine.signal_daemon(NAME, Signal::Kill).await?;
    let data = format!("{}/{NAME}", layout::DATA);
    machine.run(&Command::new("rm").arguments(["-rf", &data]).as_root()).await.map(|_| ())
}

/// Erases the log of an earlier run.
pub(super) async fn erase_log(machine: &Machine) -> Result<(), RemoteError> {
    let log = layout::log_file(NAME);
    machine.run(&Command::new("rm").arguments(["-f", &log]).as_root()).await.map(|_| ())
}

/// Writes the configuration.
pub(super) async fn configure(
    machine: &Machine,
    lab: &MachineLab,
    settings: &EtcdSettings,
    cluster: Cluster<'_>,
) -> Result<(), RemoteError> {
    let content = configuration(machine, lab, settings, cluster);
    machine.write(&configuration_file(), format!("{content:#}\n")).await
}

/// Starts the node, unless it runs.
pub(super) async fn start(machine: &Machine, settings: &EtcdSettings) -> Result<(), RemoteError> {
    let daemon = Daemon {
        name: NAME,
        arguments: vec![settings.binary.clone(), "--config-file".to_owned(), configuration_file()],
        user: None,
        environment: BTreeMap::new(),
    };
    machine.start_daemon(&daemon).await
}

/// Whether the node's process is there, running or paused.
pub(super) async fn runs(machine: &Machine) -> Result<bool, RemoteError> {
    Ok(machine.daemon_state(NAME).await? != DaemonState::Stopped)
}

fn configuration_file() -> String {
    format!("{}/{NAME}.yaml", layout::RUN)
}

/// etcd reads YAML, and JSON is YAML. With a configuration file the gateway is off unless said.
fn configuration(
    machine: &Machine,
    lab: &MachineLab,
    settings: &EtcdSettings,
    cluster: Cluster<'_>,
) -> serde_json::Value {
    // Not only where others find it: behind address translation that address is not the machine's.
    let listen = |port| match machine.address().is_ipv4() {
        true => format!("http://{}", SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        false => format!("http://{}", SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
    };
    let founders = lab.machines().iter().filter(|it| match cluster {
        Cluster::New => true,
        Cluster::Existing(members) => {
            let url = peer_url(it.address());
            members.iter().any(|member| member.peer_urls.contains(&url))
        }
    });
    let founders: Vec<_> = founders.map(|it| format!("{it}={}", peer_url(it.address()))).collect();
    json!({
        "name": machine.to_string(),
        "data-dir": format!("{}/{NAME}", layout::DATA),
        "listen-client-urls": listen(CLIENT_PORT),
        "advertise-client-urls": format!("http://{}", client_address(machine)),
        "listen-peer-urls": listen(PEER_PORT),
        "initial-advertise-peer-urls": peer_url(machine.address()),
        "initial-cluster": founders.join(","),
        "initial-cluster-state": if cluster == Cluster::New { "new" } else { "existing" },
        "initial-cluster-token": "perjury",
        "heartbeat-interval": settings.heartbeat_ms,
        "election-timeout": settings.election_timeout_ms,
        "snapshot-count": settings.snapshot_count,
        "pre-vote": settings.pre_vote,
        "enable-grpc-gateway": true,
        "logger": "zap",
        "log-outputs": ["stderr"],
    })
}
