//! The embedded store: [`perjury_replica`] as a program of the simulated lab.
//!
//! Its every mode and mistake is a setting, so what Perjury must find in it is known beforehand.

mod client;
mod program;

use std::sync::Arc;

use async_trait::async_trait;
use perjury_history::NodeId;
use perjury_lab::{Clock, Lab, SimulatedLab};
use perjury_replica::{Role, Settings, Status};
use serde::Serialize;

use crate::{Capabilities, Client, Session, Store, StoreError};
use client::ReplicaClient;
use program::{Answered, Asked, ReplicaProgram};

/// How long an administrator's question may take.
const STATUS_TIMEOUT_NS: u64 = 50_000_000;

/// Between two looks at whether the store serves.
const READY_POLL_NS: u64 = 100_000_000;

/// The embedded store with one choice of settings.
#[derive(Clone, Debug)]
pub struct ReplicaStore {
    settings: Settings,
    nodes: u32,
}

impl ReplicaStore {
    /// The store on `nodes` nodes.
    ///
    /// # Errors
    /// If the settings contradict each other or the number of nodes.
    pub fn new(settings: Settings, nodes: u32) -> Result<Self, StoreError> {
        settings.check(nodes).map_err(|error| StoreError::Settings(error.to_string()))?;
        Ok(Self { settings, nodes })
    }

    fn simulated<'a>(&self, lab: &'a Lab) -> Result<&'a SimulatedLab, StoreError> {
        match lab {
            Lab::Simulated(lab) => Ok(lab),
            other => Err(StoreError::Lab {
                store: self.name().to_owned(),
                expected: "simulated".to_owned(),
                found: other.name().to_owned(),
            }),
        }
    }

    async fn status(lab: &SimulatedLab, node: NodeId) -> Option<Status> {
        let answer = lab.call(node, Arc::new(Asked::Status), STATUS_TIMEOUT_NS).await.ok()?;
        match answer.downcast_ref()? {
            Answered::Status(status) => Some(*status),
            Answered::Reply(_) => None,
        }
    }

    /// What keeps the store from serving, if anything does.
    async fn trouble(lab: &SimulatedLab) -> Option<String> {
        let mut leaders = Vec::new();
        for node in lab.nodes() {
            let Some(status) = Self::status(lab, node).await else {
                return Some(format!("{node} does not answer"));
            };
            if status.role == Role::Leader {
                leaders.push((node, status));
            }
        }
        let Some((leader, _)) = leaders.first() else {
            return Some("no node takes itself for the leader".to_owned());
        };
        // Of several leaders, one that a majority follows is enough.
        let mut settled = leaders.iter().map(|(_, it)| it.commit_position >= it.last.position);
        (!settled.any(|it| it)).then(|| format!("{leader} has entries that no majority has yet"))
    }
}

/// A setting as a campaign file writes it.
fn word(setting: &impl Serialize) -> String {
    match serde_json::to_value(setting) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(other) => other.to_string().replace(['{', '}', '"'], "").replace(':', " "),
        Err(error) => error.to_string(),
    }
}

#[async_trait]
impl Store for ReplicaStore {
    fn name(&self) -> &'static str {
        "replica"
    }

    fn describe(&self) -> String {
        let Settings { replication, acknowledge, failover, fencing, reads, .. } = &self.settings;
        let leader_reads = self.settings.leader_reads();
        format!(
            "{}, acknowledge {}, failover {}, fencing {}, reads {} ({} on the leader), {} nodes",
            word(replication),
            word(acknowledge),
            word(failover),
            word(fencing),
            word(reads),
            word(&leader_reads),
            self.nodes,
        )
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { functions: ["read", "write", "cas", "inspect"].into(), primaries: true }
    }

    async fn install(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        let (settings, nodes) = (self.settings.clone(), self.nodes);
        let start = move |boot| ReplicaProgram::start(&settings, nodes, boot);
        self.simulated(lab)?.install(node, Arc::new(start));
        Ok(())
    }

    async fn start(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        self.simulated(lab)?.start(node);
        Ok(())
    }

    async fn await_ready(&self, lab: &Lab, patience_ns: u64) -> Result<(), StoreError> {
        let lab = self.simulated(lab)?;
        let began_ns = lab.now_ns();
        while let Some(problem) = Self::trouble(lab).await {
            let waited_ns = lab.now_ns() - began_ns;
            if waited_ns >= patience_ns {
                return Err(StoreError::NotReady { waited_ms: waited_ns / 1_000_000, problem });
            }
            lab.sleep_until(lab.now_ns() + READY_POLL_NS).await;
        }
        Ok(())
    }

    async fn primaries(&self, lab: &Lab) -> Vec<NodeId> {
        let Ok(lab) = self.simulated(lab) else {
            return Vec::new();
        };
        let mut primaries = Vec::new();
        for node in lab.nodes() {
            let status = Self::status(lab, node).await;
            if status.is_some_and(|status| status.role == Role::Leader) {
                primaries.push(node);
            }
        }
        primaries
    }

    async fn connect(&self, lab: &Lab, node: NodeId, session: Session) -> Box<dyn Client> {
        let Lab::Simulated(lab) = lab else {
            unreachable!("installed on a simulated lab");
        };
        Box::new(ReplicaClient::new(lab.clone(), node, session))
    }
}
