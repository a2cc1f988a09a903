//! What an operator asks of a cluster: who leads, who belongs to it.

use std::time::Duration;

use futures::future::join_all;
use perjury_history::NodeId;
use perjury_lab::MachineLab;
use perjury_lab::machines::Machine;
use perjury_lab::remote::RemoteError;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::gateway::{CallError, Gateway};
use super::installation::{self, client_address, peer_url};
use super::messages::{self, Member, Members, Status};
use super::settings::{EtcdReads, EtcdSettings};
use crate::StoreError;

/// How long a question may take that a node answers by itself, and one that takes a majority.
const STATUS_TIMEOUT: Duration = Duration::from_secs(1);
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a question may take that the cluster must agree on: etcd gives up on most after seven
/// seconds, and what it says then is better than nothing.
const CLUSTER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a node is watched that was started.
const START_PATIENCE: Duration = Duration::from_secs(10);
const START_POLL: Duration = Duration::from_millis(200);

/// How long a change of the members is tried: etcd refuses one until all members have been connected
/// for five seconds, and does not answer one whose leader died over it.
const CHANGE_PATIENCE: Duration = Duration::from_secs(30);
const CHANGE_TIMEOUT: Duration = Duration::from_secs(5);
const CHANGE_POLL: Duration = Duration::from_millis(500);

/// How long a cluster without a leader is waited for when one is to hand over.
const TRANSFER_PATIENCE: Duration = Duration::from_secs(10);

async fn ask<A: DeserializeOwned>(
    machine: &Machine,
    path: &str,
    request: &serde_json::Value,
    timeout: Duration,
) -> Result<A, CallError> {
    let mut gateway = Gateway::new(client_address(machine));
    gateway.call(path, request, Instant::now() + timeout).await
}

async fn status(machine: &Machine) -> Result<Status, CallError> {
    ask(machine, messages::STATUS, &json!({}), STATUS_TIMEOUT).await
}

/// How each node sees the cluster; all are asked at once, and those that do not answer are left out.
pub(super) async fn statuses(lab: &MachineLab) -> Vec<(NodeId, Status)> {
    let each = lab.machines().iter().map(|machine| async move {
        let status = status(machine).await;
        status.ok().map(|status| (machine.node(), status))
    });
    join_all(each).await.into_iter().flatten().collect()
}

/// What keeps the cluster from serving on every node, if anything does: each is asked for a
/// linearizable read, which takes a leader, a majority, and a node that has caught up.
pub(super) async fn trouble(lab: &MachineLab) -> Option<String> {
    let each = lab.machines().iter().map(|machine| async move {
        let request = messages::range("ready", EtcdReads::Linearizable);
        let answer = ask::<messages::Range>(machine, messages::RANGE, &request, READY_TIMEOUT);
        answer.await.err().map(|error| format!("{machine}: {error}"))
    });
    join_all(each).await.into_iter().flatten().next()
}

/// Starts a node, if it does not run; whether it then answers, or at least has not ended after some
/// seconds.
pub(super) async fn stays_up(
    machine: &Machine,
    settings: &EtcdSettings,
) -> Result<bool, StoreError> {
    if let Err(error) = installation::start(machine, settings).await {
        // It ended at once, unless the machine itself is the trouble.
        return match error {
            RemoteError::Failed { .. } => Ok(false),
            other => Err(other.into()),
        };
    }
    let until = Instant::now() + START_PATIENCE;
    while Instant::now() < until {
        if status(machine).await.is_ok() {
            return Ok(true);
        }
        if !installation::runs(machine).await? {
            return Ok(false);
        }
        sleep(START_POLL).await;
    }
    Ok(true)
}

/// Has the leader hand over to a node. Elections that are under way are waited for.
pub(super) async fn transfer_leadership(lab: &MachineLab, to: NodeId) -> Result<(), StoreError> {
    let until = Instant::now() + TRANSFER_PATIENCE;
    loop {
        let statuses = statuses(lab).await;
        let Some((_, target)) = statuses.iter().find(|(node, _)| *node == to) else {
            return Err(cannot_lead(to, "it does not answer".to_owned()));
        };
        // An old leader that has not noticed yet has the older term.
        let leading = statuses.iter().filter(|(_, status)| status.leads());
        let leader = leading.max_by_key(|(_, status)| status.term).map(|(leader, _)| *leader);
        let outcome = match leader {
            Some(leader) if leader == to => return Ok(()),
            Some(leader) => hand_over(lab.machine(leader), target, to).await,
            None => Err(cannot_lead(to, "no node leads that could hand over".to_owned())),
        };
        if outcome.is_ok() || Instant::now() >= until {
            return outcome;
        }
        sleep(CHANGE_POLL).await;
    }
}

async fn hand_over(leader: &Machine, target: &Status, to: NodeId) -> Result<(), StoreError> {
    let request = json!({ "targetID": target.header.member_id.to_string() });
    let path = messages::TRANSFER_LEADERSHIP;
    let handed = ask::<serde_json::Value>(leader, path, &request, CLUSTER_TIMEOUT).await;
    handed
        .map(|_| ())
        .map_err(|error| cannot_lead(to, format!("{leader}, the leader, says: {error}")))
}

fn cannot_lead(node: NodeId, problem: String) -> StoreError {
    StoreError::Unreachable { node, what: "lead", problem }
}

/// A cluster as one of its nodes, that is in touch with a leader, sees it.
pub(super) struct Membership<'a> {
    spokesman: &'a Machine,
    pub(super) members: Vec<Member>,
}

impl<'a> Membership<'a> {
    /// The cluster as it is, as the nodes other than a machine's see it.
    ///
    /// # Errors
    /// If no other node knows a leader in time.
    pub(super) async fn around(lab: &'a MachineLab, machine: &Machine) -> Result<Self, StoreError> {
        Self::changed(lab, machine.node(), "join the cluster", |_| None).await
    }

    /// The cluster at the moment, without asking `node` itself.
    async fn now_around(
        lab: &'a MachineLab,
        node: NodeId,
        what: &'static str,
    ) -> Result<Self, StoreError> {
        let others = lab.machines().iter().filter(|it| it.node() != node);
        let seen = Self::seen_by(lab, &others.map(Machine::node).collect::<Vec<_>>()).await;
        seen.map_err(|problem| StoreError::Unreachable { node, what, problem })
    }

    /// The cluster as one of these nodes sees it; an error says why none does.
    pub(super) async fn seen_by(lab: &'a MachineLab, nodes: &[NodeId]) -> Result<Self, String> {
        let statuses = statuses(lab).await;
        let mut in_touch =
            statuses.iter().filter(|(node, status)| nodes.contains(node) && status.leader != 0);
        let Some((spokesman, _)) = in_touch.next() else {
            return Err("no node that could speak for the cluster knows a leader".to_owned());
        };
        let spokesman = lab.machine(*spokesman);
        let answer = ask(spokesman, messages::MEMBER_LIST, &json!({}), CLUSTER_TIMEOUT).await;
        let Members { members } = answer.map_err(|error| format!("{spokesman} says: {error}"))?;
        Ok(Self { spokesman, members })
    }

    /// The member on a machine.
    pub(super) fn member(&self, machine: &Machine) -> Option<&Member> {
        let url = peer_url(machine.address());
        self.members.iter().find(|member| member.peer_urls.contains(&url))
    }

    /// The cluster without a machine's member, which is taken out if there is one.
    ///
    /// # Errors
    /// If the others do not agree on it in time.
    pub(super) async fn without(
        lab: &'a MachineLab,
        machine: &Machine,
    ) -> Result<Self, StoreError> {
        Self::changed(lab, machine.node(), "leave the cluster", |seen| {
            let member = seen.member(machine)?;
            Some((messages::MEMBER_REMOVE, json!({ "ID": member.id.to_string() })))
        })
        .await
    }

    /// The cluster with a member on a machine, which is made one if it is not.
    ///
    /// # Errors
    /// If the others do not agree on it in time.
    pub(super) async fn with(lab: &'a MachineLab, machine: &Machine) -> Result<Self, StoreError> {
        Self::changed(lab, machine.node(), "join the cluster", |seen| {
            let url = peer_url(machine.address());
            let missing = seen.member(machine).is_none();
            missing.then(|| (messages::MEMBER_ADD, json!({ "peerURLs": [url] })))
        })
        .await
    }

    /// The cluster once nothing is left to be changed, as the nodes other than `node` see it.
    ///
    /// A change may be refused for now, and one that was proposed to a leader that has just died is
    /// never answered, so that each attempt begins with a look at what has come of the last.
    async fn changed(
        lab: &'a MachineLab,
        node: NodeId,
        what: &'static str,
        missing: impl Fn(&Self) -> Option<(&'static str, serde_json::Value)>,
    ) -> Result<Self, StoreError> {
        let until = Instant::now() + CHANGE_PATIENCE;
        loop {
            let attempt = async {
                let seen = Self::now_around(lab, node, what).await?;
                let Some((path, request)) = missing(&seen) else { return Ok(seen) };
                let Self { spokesman, .. } = seen;
                match ask(spokesman, path, &request, CHANGE_TIMEOUT).await {
                    Ok(Members { members }) => Ok(Self { spokesman, members }),
                    Err(error) => {
                        let problem = format!("{spokesman} says: {error}");
                        Err(StoreError::Unreachable { node, what, problem })
                    }
                }
            };
            match attempt.await {
                Err(_) if Instant::now() < until => sleep(CHANGE_POLL).await,
                done => return done,
            }
        }
    }
}
