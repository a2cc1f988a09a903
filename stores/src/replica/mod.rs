//! The embedded store: [`perjury_replica`] as a program of the simulated lab.
//!
//! Its every mode and mistake is a setting, so what Perjury must find in it is known beforehand.

mod client;
mod program;
mod transaction;

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::join_all;
use perjury_history::{MicroOp, NodeId};
use perjury_lab::{Lab, SimulatedLab};
use perjury_replica::{Failover, Role, Settings, Status};
use serde::Serialize;

use crate::{Capabilities, Client, Session, Store, StoreError};
use client::ReplicaClient;
use program::{Answered, Asked, ReplicaProgram};

/// How long an administrator's question may take.
const STATUS_TIMEOUT_NS: u64 = 50_000_000;

/// Settings that every description names.
const DESCRIBED_ALWAYS: [&str; 6] =
    ["replication", "acknowledge", "failover", "fencing", "reads", "leader-reads"];

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

    /// The other settings that are not the default.
    fn unusual(&self) -> Vec<(String, String)> {
        let table = |settings: &Settings| match serde_json::to_value(settings) {
            Ok(serde_json::Value::Object(table)) => table,
            _ => serde_json::Map::new(),
        };
        let usual = table(&Settings::default());
        let mut unusual = table(&self.settings);
        unusual.retain(|name, value| {
            !DESCRIBED_ALWAYS.contains(&name.as_str()) && usual.get(name) != Some(value)
        });
        unusual.into_iter().map(|(name, value)| (name, word(&value))).collect()
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

    /// Asks all nodes at once: those that do not answer cost one time-out, not one each.
    async fn statuses(lab: &SimulatedLab) -> Vec<(NodeId, Option<Status>)> {
        let each =
            lab.nodes().into_iter().map(|node| Self::status(lab, node).map(move |it| (node, it)));
        join_all(each).await
    }

    /// What keeps the store from serving, if anything does.
    async fn find_trouble(lab: &SimulatedLab) -> Option<String> {
        let mut statuses = Vec::new();
        for (node, status) in Self::statuses(lab).await {
            match status {
                None => return Some(format!("{node} does not answer")),
                Some(status) => statuses.push((node, status)),
            }
        }
        let leads = |it: &&(NodeId, Status)| it.1.role == Role::Leader;
        let leaders: Vec<_> = statuses.iter().filter(leads).collect();
        let Some((leader, _)) = leaders.first() else {
            return Some("no node takes itself for the leader".to_owned());
        };
        // A node that has just started must first hear from the leader.
        let lost = statuses.iter().find(|(_, it)| it.role != Role::Out && it.leader.is_none());
        if let Some((node, _)) = lost {
            return Some(format!("{node} knows no leader"));
        }
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
        let mut text = format!(
            "{}, acknowledge {}, failover {}, fencing {}, reads {} ({} on the leader), {} nodes",
            word(replication),
            word(acknowledge),
            word(failover),
            word(fencing),
            word(reads),
            word(&leader_reads),
            self.nodes,
        );
        for (name, value) in self.unusual() {
            text += &format!(", {name} {value}");
        }
        text
    }

    fn labs(&self) -> &'static [&'static str] {
        &["simulated"]
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            functions: [
                "read",
                "write",
                "cas",
                "inspect",
                "add",
                "read-set",
                "inspect-set",
                "increment",
                "read-counter",
                "inspect-counter",
                "acquire",
                "release",
                "append",
                "read-list",
                "transfer",
                MicroOp::TRANSACTION,
            ]
            .into(),
            primaries: true,
            promotion: self.settings.failover != Failover::None,
            membership: false,
        }
    }

    async fn install(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        let (settings, nodes) = (self.settings.clone(), self.nodes);
        let start = move |boot| ReplicaProgram::start(&settings, nodes, &boot);
        self.simulated(lab)?.install(node, Arc::new(start));
        Ok(())
    }

    async fn start(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        self.simulated(lab)?.start(node);
        Ok(())
    }

    async fn trouble(&self, lab: &Lab) -> Result<Option<String>, StoreError> {
        Ok(Self::find_trouble(self.simulated(lab)?).await)
    }

    async fn primaries(&self, lab: &Lab) -> Vec<NodeId> {
        let Ok(lab) = self.simulated(lab) else {
            return Vec::new();
        };
        let mut statuses = Self::statuses(lab).await;
        statuses.retain(|(_, status)| status.is_some_and(|it| it.role == Role::Leader));
        statuses.into_iter().map(|(node, _)| node).collect()
    }

    async fn promote(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        let call = self.simulated(lab)?.call(node, Arc::new(Asked::Promote), STATUS_TIMEOUT_NS);
        let told = call.await.map(|_| ());
        told.map_err(|error| StoreError::Unreachable {
            node,
            what: "take over",
            problem: error.to_string(),
        })
    }

    /// With manual failover nobody leads after a leader's restart until somebody is promoted. An
    /// operator chooses the node that has most of the log.
    async fn recover(&self, lab: &Lab) -> Result<(), StoreError> {
        let statuses = Self::statuses(self.simulated(lab)?).await;
        let running = statuses.iter().filter_map(|&(node, status)| Some((node, status?)));
        let running: Vec<_> = running.filter(|(_, it)| it.role != Role::Out).collect();
        let led = running.iter().any(|(_, it)| it.role == Role::Leader);
        let best = running.iter().max_by_key(|(node, it)| (it.last, std::cmp::Reverse(*node)));
        match best {
            Some(&(node, _)) if !led && self.settings.failover == Failover::Manual => {
                self.promote(lab, node).await
            }
            _ => Ok(()),
        }
    }

    async fn connect(&self, lab: &Lab, node: NodeId, session: Session) -> Box<dyn Client> {
        let Lab::Simulated(lab) = lab else {
            unreachable!("installed on a simulated lab");
        };
        Box::new(ReplicaClient::new(lab.clone(), node, self.nodes, session))
    }
}
