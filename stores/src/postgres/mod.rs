//! PostgreSQL with streaming replication: one primary, n1 at first, and standbys that copy its log.
//!
//! Nothing about it is special: a cluster that its own programs make (`initdb`, `pg_basebackup`,
//! `pg_promote`, `pg_rewind`), with the configuration of [`files`]. Failover is an operator's work,
//! and the classical mistakes of operators and of applications are [settings](PostgresSettings).
//!
//! Versions: the timeline is the epoch. The position is a place in the log that lies after the commit
//! of the row's write before, and not after that of its own: it is kept in the row, so reads and
//! inspections tell exactly what the write told. That is what checkers need (positions of a row grow
//! with its writes; a write whose position a later timeline's write has taken again is not in that
//! timeline's log), and it needs acknowledged commits to outlive a crash of the primary: with
//! `synchronous-commit = "off"` no versions are reported.
//!
//! Start reading at [`settings`], then [`failover`] and [`client`].

mod classify;
mod client;
mod connection;
mod failover;
mod files;
mod operator;
mod request;
mod settings;
mod standing;
#[cfg(test)]
mod tests;
mod transaction;

use std::fs::File;
use std::io::Read;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use perjury_history::{MicroOp, NodeId};
use perjury_lab::machines::Footprint;
use perjury_lab::{Lab, MachineLab};

use crate::machines::{ensure_program, machines};
use crate::{Capabilities, Client, Session, Store, StoreError};
use client::PostgresClient;
use connection::Endpoint;
use operator::Operator;
pub(crate) use settings::PostgresSettings;

/// The first primary.
const FIRST: NodeId = NodeId(0);

/// A cluster with one choice of settings.
pub(crate) struct PostgresStore {
    settings: Arc<PostgresSettings>,
    nodes: u32,
    password: &'static str,
    /// The newest timeline that any node has begun.
    newest_timeline: AtomicU64,
}

impl PostgresStore {
    /// A cluster of `nodes` nodes.
    ///
    /// # Errors
    /// If the settings contradict each other or the number of nodes, or this machine gives no
    /// randomness for a password.
    pub(crate) fn new(settings: PostgresSettings, nodes: u32) -> Result<Self, StoreError> {
        settings.check(nodes)?;
        Ok(Self {
            settings: Arc::new(settings),
            nodes,
            password: password()?,
            newest_timeline: AtomicU64::new(1),
        })
    }

    fn operator<'a>(&'a self, lab: &'a MachineLab, node: NodeId) -> Operator<'a> {
        Operator {
            machine: lab.machine(node),
            settings: &self.settings,
            password: self.password,
            nodes: self.nodes,
        }
    }

    fn endpoint(&self, lab: &MachineLab, node: NodeId) -> Endpoint {
        let address = lab.machine(node).address();
        Endpoint { address, port: self.settings.port, password: self.password.to_owned() }
    }

    fn endpoints(&self, lab: &MachineLab) -> Vec<Endpoint> {
        lab.nodes().into_iter().map(|node| self.endpoint(lab, node)).collect()
    }
}

/// A password for the clusters of this process: machines may stand in a network with others.
fn password() -> Result<&'static str, StoreError> {
    static PASSWORD: OnceLock<String> = OnceLock::new();
    let mut random = [0; 16];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random));
    read.map_err(|error| StoreError::Settings(format!("no password: /dev/urandom: {error}")))?;
    let fresh = || random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(PASSWORD.get_or_init(fresh))
}

#[async_trait]
impl Store for PostgresStore {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn describe(&self) -> String {
        self.settings.describe(self.nodes)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            functions: [&request::FUNCTIONS[..], &["transfer", MicroOp::TRANSACTION]]
                .concat()
                .into_iter()
                .collect(),
            primaries: true,
            promotion: true,
            membership: false,
        }
    }

    fn footprint(&self) -> Footprint {
        Footprint {
            daemons: vec![files::DAEMON],
            peer_ports: vec![self.settings.port],
            data: "postgres".to_owned(),
            data_files: vec!["base/*/[1-9]*", "pg_wal/0*"],
            logs: Vec::new(),
        }
    }

    async fn install(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        let lab = machines(self.name(), lab)?;
        let operator = self.operator(lab, node);
        let program = format!("{}/postgres", self.settings.programs);
        ensure_program(operator.machine, &program, &["postgresql-15"]).await?;
        operator.prepare().await?;
        if node == FIRST {
            operator.create().await?;
        }
        Ok(())
    }

    /// A standby that has no data yet is copied from the primary first.
    async fn start(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        self.bring_up(machines(self.name(), lab)?, node).await
    }

    async fn trouble(&self, lab: &Lab) -> Result<Option<String>, StoreError> {
        Ok(self.find_trouble(machines(self.name(), lab)?).await)
    }

    async fn primaries(&self, lab: &Lab) -> Vec<NodeId> {
        let Ok(lab) = machines(self.name(), lab) else {
            return Vec::new();
        };
        let found = standing::standings(&self.endpoints(lab)).await;
        found.into_iter().filter(|it| it.leads.is_some()).map(|it| it.node).collect()
    }

    async fn promote(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        self.take_over(machines(self.name(), lab)?, node).await
    }

    async fn recover(&self, lab: &Lab) -> Result<(), StoreError> {
        self.put_in_order(machines(self.name(), lab)?).await
    }

    async fn connect(&self, lab: &Lab, node: NodeId, session: Session) -> Box<dyn Client> {
        let Lab::Machines(lab) = lab else {
            unreachable!("installed on machines");
        };
        let endpoints = self.endpoints(lab).into();
        Box::new(PostgresClient::new(self.settings.clone(), endpoints, node, session))
    }
}
