//! Redis 7 with Sentinel: asynchronous replication, and watchers that replace the master.
//!
//! Every node runs a server and a Sentinel. The first node is the master at first; replicas copy it
//! asynchronously; Sentinels that take the master for down elect one of them to make a replica the
//! master. Nothing tells the old master, nor the clients that are still connected to it, until a
//! Sentinel can reach it again; then it becomes a replica and forgets what its successor does not
//! have. So acknowledged writes are lost by design, and Perjury shows how many.
//!
//! A client asks the Sentinel of its node for the master and writes there, as the clients of
//! [Redis's guidelines](https://redis.io/docs/latest/develop/reference/sentinel-clients/) do.
//!
//! Invariants
//! - One operation goes to one server; no client retries or follows a redirection.
//! - `fail` and `info` are decided in `failure` alone.
//! - A version is reported only where the order of replication streams is certain.

mod client;
mod cluster;
mod configuration;
mod connection;
mod failure;
mod lineage;
mod request;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use perjury_history::NodeId;
use perjury_lab::Lab;
use perjury_lab::machines::{Daemon, DaemonState, Footprint, Machine, Signal, layout};
use perjury_lab::remote::Command;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::machines::{ensure_program, machines};
use crate::{Capabilities, Client, Session, Store, StoreError};
use client::RedisClient;
use cluster::{Cluster, SENTINEL_PORT, SERVER_PORT};
use configuration::Place;
use lineage::Lineage;
pub(crate) use settings::RedisSettings;

/// Server and Sentinel are the same program.
const PROGRAM: &str = "/usr/bin/redis-server";

const PACKAGES: [&str; 1] = ["redis-server"];

const SERVER: &str = "redis-server";

const SENTINEL: &str = "redis-sentinel";

/// The folder of the data, below [`layout::DATA`].
const DATA: &str = "redis";

/// How long a server may take to read its log, and Sentinels to find a master.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);

const SETTLE_POLL: Duration = Duration::from_millis(100);

/// Redis on the nodes of a lab.
#[derive(Clone, Debug)]
pub(crate) struct RedisStore {
    settings: RedisSettings,
    nodes: u32,
    lineage: Arc<Mutex<Lineage>>,
}

impl RedisStore {
    /// The store on `nodes` nodes.
    ///
    /// # Errors
    /// If the settings contradict the number of nodes.
    pub(crate) fn new(settings: RedisSettings, nodes: u32) -> Result<Self, StoreError> {
        settings.check(nodes)?;
        Ok(Self { settings, nodes, lineage: Arc::default() })
    }

    fn cluster(&self, lab: &Lab) -> Result<Cluster, StoreError> {
        Ok(Cluster::of(machines(self.name(), lab)?))
    }

    /// Waits until a node's server answers or has ended by itself; whether it answers.
    async fn settles(cluster: &Cluster, machine: &Machine) -> Result<bool, StoreError> {
        let until = Instant::now() + SETTLE_LIMIT;
        while Instant::now() < until {
            if cluster.role(machine.node()).await.is_ok() {
                return Ok(true);
            }
            if machine.daemon_state(SERVER).await? == DaemonState::Stopped {
                return Ok(false);
            }
            sleep(SETTLE_POLL).await;
        }
        // It is for others to see that it does not serve.
        Ok(true)
    }

    async fn await_master(cluster: &Cluster) -> bool {
        let until = Instant::now() + SETTLE_LIMIT;
        while cluster.masters().await.is_empty() {
            if Instant::now() >= until {
                return false;
            }
            sleep(SETTLE_POLL).await;
        }
        true
    }

    async fn erase(machine: &Machine) -> Result<(), StoreError> {
        const ERASE: &str = r#"rm -rf "$@""#;
        for daemon in [SENTINEL, SERVER] {
            machine.signal_daemon(daemon, Signal::Kill).await?;
        }
        let of_daemons =
            [SERVER, SENTINEL].map(|daemon| [configuration_file(daemon), layout::log_file(daemon)]);
        let erase = Command::script(ERASE).as_root().argument(data());
        machine.run(&erase.arguments(of_daemons.concat())).await?;
        Ok(())
    }
}

fn data() -> String {
    format!("{}/{DATA}", layout::DATA)
}

fn configuration_file(daemon: &str) -> String {
    format!("{}/{daemon}.conf", layout::RUN)
}

fn daemon(name: &'static str, arguments: &[&str]) -> Daemon {
    let mut line = vec![PROGRAM.to_owned(), configuration_file(name)];
    line.extend(arguments.iter().map(|&it| it.to_owned()));
    Daemon { name, arguments: line, user: None, environment: BTreeMap::new() }
}

/// A setting as a campaign file writes it.
fn word(setting: &impl Serialize) -> String {
    match serde_json::to_value(setting) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

#[async_trait]
impl Store for RedisStore {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn describe(&self) -> String {
        let RedisSettings { wait, appendfsync, writes, master_lookup, reads, .. } = &self.settings;
        let mut text = format!(
            "Redis with Sentinel, wait {wait}, appendfsync {}, writes {} (looked up by {}), reads \
             {}, quorum {}, {} nodes",
            word(appendfsync),
            word(writes),
            word(master_lookup),
            word(reads),
            self.settings.quorum(self.nodes),
            self.nodes,
        );
        if self.settings.min_replicas_to_write > 0 {
            let RedisSettings { min_replicas_to_write, min_replicas_max_lag_s, .. } = self.settings;
            text += &format!(
                ", min-replicas-to-write {min_replicas_to_write} within {min_replicas_max_lag_s} s"
            );
        }
        text
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            functions: request::FUNCTIONS.into(),
            primaries: true,
            promotion: true,
            membership: false,
        }
    }

    fn footprint(&self) -> Footprint {
        Footprint {
            daemons: vec![SERVER, SENTINEL],
            peer_ports: vec![SERVER_PORT, SENTINEL_PORT],
            data: DATA.to_owned(),
            data_files: vec!["appendonlydir/*.aof", "appendonlydir/*.rdb"],
            logs: Vec::new(),
        }
    }

    async fn install(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        let lab = machines(self.name(), lab)?;
        let machine = lab.machine(node);
        ensure_program(machine, PROGRAM, &PACKAGES).await?;
        Self::erase(machine).await?;
        *self.lineage.lock().unwrap_or_else(PoisonError::into_inner) = Lineage::default();
        let first = (lab.machine(NodeId(0)).address(), SERVER_PORT);
        let (address, folder) = (machine.address(), data());
        let follows = (node != NodeId(0)).then_some(first);
        let place = Place { address, follows, port: SERVER_PORT, folder: &folder };
        let server = configuration::server(&self.settings, &place);
        let sentinel = configuration::sentinel(
            &self.settings,
            self.nodes,
            address,
            SENTINEL_PORT,
            first,
            layout::RUN,
        );
        machine.write(&configuration_file(SERVER), server).await?;
        machine.write(&configuration_file(SENTINEL), sentinel).await?;
        Ok(())
    }

    async fn start(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        let machine = machines(self.name(), lab)?.machine(node);
        // A disk that was wiped has no folder.
        machine.run(&Command::new("mkdir").as_root().arguments(["-p", &data()])).await?;
        machine.start_daemon(&daemon(SERVER, &[])).await?;
        machine.start_daemon(&daemon(SENTINEL, &["--sentinel"])).await?;
        Ok(())
    }

    async fn trouble(&self, lab: &Lab) -> Result<Option<String>, StoreError> {
        Ok(self.cluster(lab)?.trouble().await)
    }

    async fn primaries(&self, lab: &Lab) -> Vec<NodeId> {
        match self.cluster(lab) {
            Ok(cluster) => cluster.masters().await,
            Err(_) => Vec::new(),
        }
    }

    async fn promote(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        let promoted = self.cluster(lab)?.promote(node).await;
        promoted.map_err(|failure| StoreError::Unreachable {
            node,
            what: "take over",
            problem: failure.reason(),
        })
    }

    /// A server does not start with a log that was damaged in its midst. An operator then has it
    /// begin with nothing and copy all from the master, which Sentinel sees to.
    async fn recover(&self, lab: &Lab) -> Result<(), StoreError> {
        let cluster = self.cluster(lab)?;
        for machine in machines(self.name(), lab)?.machines() {
            if Self::settles(&cluster, machine).await? {
                continue;
            }
            let node = machine.node();
            if !Self::await_master(&cluster).await {
                let problem =
                    "its server does not start, and there is no master to copy".to_owned();
                return Err(StoreError::Unreachable { node, what: "recover", problem });
            }
            let folder = data();
            machine.run(&Command::new("rm").as_root().arguments(["-rf", &folder])).await?;
            self.start(lab, node).await?;
        }
        Ok(())
    }

    async fn connect(&self, lab: &Lab, node: NodeId, session: Session) -> Box<dyn Client> {
        let Ok(cluster) = self.cluster(lab) else {
            unreachable!("installed on machines");
        };
        let (settings, lineage) = (self.settings.clone(), self.lineage.clone());
        Box::new(RedisClient::new(settings, Arc::new(cluster), lineage, node, session))
    }
}
