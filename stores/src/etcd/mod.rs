//! [etcd](https://etcd.io) 3.4: a key-value store whose nodes agree by Raft.
//!
//! Every node takes every request and passes it to the leader as need be. Clients speak to one node
//! each, over its JSON gateway. Leaders change by themselves, and nodes that come back help
//! themselves, so an operator has little to do.
//!
//! Start reading at [`client`] for what a function becomes, at [`classify`] for what an error means.

mod classify;
mod client;
mod gateway;
mod installation;
mod lock;
mod members;
mod messages;
mod settings;
mod transaction;

use async_trait::async_trait;
use perjury_history::{MicroOp, NodeId};
use perjury_lab::Lab;
use perjury_lab::machines::{Footprint, Machine};
use perjury_lab::remote::RemoteError;

use crate::machines::machines;
use crate::{Capabilities, Client, Session, Store, StoreError};
use client::EtcdClient;
use gateway::Gateway;
use installation::Cluster;
use members::Membership;
pub(crate) use settings::EtcdSettings;

/// etcd with one choice of settings.
#[derive(Clone, Debug)]
pub(crate) struct EtcdStore {
    settings: EtcdSettings,
    nodes: u32,
}

impl EtcdStore {
    /// The store on `nodes` nodes.
    ///
    /// # Errors
    /// If etcd would not take the settings.
    pub(crate) fn new(settings: EtcdSettings, nodes: u32) -> Result<Self, StoreError> {
        settings.check()?;
        Ok(Self { settings, nodes })
    }

    /// Puts a new member in the place of one that is of no use any more.
    async fn replace(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        self.remove_member(lab, node).await?;
        self.add_member(lab, node).await
    }
}

#[async_trait]
impl Store for EtcdStore {
    fn name(&self) -> &'static str {
        "etcd"
    }

    fn describe(&self) -> String {
        self.settings.describe(self.nodes)
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
                "acquire",
                "release",
                "append",
                "read-list",
                "increment",
                "read-counter",
                "transfer",
                MicroOp::TRANSACTION,
            ]
            .into(),
            primaries: true,
            promotion: true,
            membership: true,
        }
    }

    fn footprint(&self) -> Footprint {
        installation::footprint()
    }

    async fn install(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        let lab = machines(self.name(), lab)?;
        let machine = lab.machine(node);
        installation::ensure_installed(machine, &self.settings).await?;
        installation::erase(machine).await?;
        installation::erase_log(machine).await?;
        installation::configure(machine, lab, &self.settings, Cluster::New).await?;
        Ok(())
    }

    /// A node that ends at once because its log is damaged is replaced by a new member with nothing,
    /// if the others agree.
    async fn start(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        let machine = machines(self.name(), lab)?.machine(node);
        match installation::start(machine, &self.settings).await {
            Err(error @ RemoteError::Failed { .. }) => {
                self.replace(lab, node).await.map_err(|_| error.into())
            }
            other => Ok(other?),
        }
    }

    async fn trouble(&self, lab: &Lab) -> Result<Option<String>, StoreError> {
        Ok(members::trouble(machines(self.name(), lab)?).await)
    }

    async fn primaries(&self, lab: &Lab) -> Vec<NodeId> {
        let Ok(lab) = machines(self.name(), lab) else { return Vec::new() };
        let statuses = members::statuses(lab).await;
        statuses.iter().filter(|(_, it)| it.leads()).map(|(node, _)| *node).collect()
    }

    async fn promote(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        members::transfer_leadership(machines(self.name(), lab)?, node).await
    }

    async fn members(&self, lab: &Lab) -> Option<Vec<NodeId>> {
        let lab = machines(self.name(), lab).ok()?;
        let membership = Membership::seen_by(lab, &lab.nodes()).await.ok()?;
        let members = lab.machines().iter().filter(|it| membership.member(it).is_some());
        Some(members.map(Machine::node).collect())
    }

    async fn remove_member(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        let lab = machines(self.name(), lab)?;
        let machine = lab.machine(node);
        Membership::without(lab, machine).await?;
        Ok(installation::erase(machine).await?)
    }

    /// A node that is still a member keeps its data: to the cluster it has never been away.
    async fn add_member(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        let lab = machines(self.name(), lab)?;
        let machine = lab.machine(node);
        let known = Membership::around(lab, machine).await?;
        if known.member(machine).is_none() {
            installation::erase(machine).await?;
        }
        let membership = Membership::with(lab, machine).await?;
        let cluster = Cluster::Existing(&membership.members);
        installation::configure(machine, lab, &self.settings, cluster).await?;
        Ok(installation::start(machine, &self.settings).await?)
    }

    /// etcd ends itself when its disk fails; somebody must start it again. A node that does not
    /// stay up, because its log is damaged, is replaced by a new member with nothing.
    async fn recover(&self, lab: &Lab) -> Result<(), StoreError> {
        let revived = machines(self.name(), lab)?.each(|machine| async move {
            let up = members::stays_up(machine, &self.settings).await?;
            Ok::<_, StoreError>((!up).then_some(machine.node()))
        });
        let ended = revived.await?;
        for node in ended.into_iter().flatten() {
            self.replace(lab, node).await?;
        }
        Ok(())
    }

    async fn connect(&self, lab: &Lab, node: NodeId, session: Session) -> Box<dyn Client> {
        let Lab::Machines(lab) = lab else {
            unreachable!("installed on machines");
        };
        let gateway = Gateway::new(installation::client_address(lab.machine(node)));
        Box::new(EtcdClient::new(node, gateway, self.settings.clone(), session))
    }
}
