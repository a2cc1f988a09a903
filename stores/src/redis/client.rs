//! A client: at most one connection to the master, one to the asked node's server and one to its
//! Sentinel.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use perjury_history::{MicroOp, NodeId};
use redis::cmd;
use tokio::time::Instant;

use super::cluster::{Cluster, Role, role, sentinel_command};
use super::connection::Connection;
use super::failure::Failure;
use super::lineage::Lineage;
use super::request::{self, Answered};
use super::settings::{MasterLookup, Reads, RedisSettings, Writes};
use crate::{Answer, Client, Session};

pub(super) struct RedisClient {
    pub(super) settings: RedisSettings,
    cluster: Arc<Cluster>,
    lineage: Arc<Mutex<Lineage>>,
    node: NodeId,
    session: Session,
    /// These are kept for the next operation as long as they are in step.
    master: Option<ToMaster>,
    local: Option<Connection>,
    sentinel: Option<Connection>,
}

/// What a Sentinel takes for the master, and since which failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Master {
    node: NodeId,
    epoch: u64,
}

/// A connection to what the Sentinel said is the master.
struct ToMaster {
    master: Master,
    connection: Connection,
}

impl RedisClient {
    /// A client beside `node`. It connects when it is first used.
    pub(super) fn new(
        settings: RedisSettings,
        cluster: Arc<Cluster>,
        lineage: Arc<Mutex<Lineage>>,
        node: NodeId,
        session: Session,
    ) -> Self {
        let (master, local, sentinel) = (None, None, None);
        Self { settings, cluster, lineage, node, session, master, local, sentinel }
    }

    /// Whether an operation is for the asked node itself.
    fn is_local(&self, micro_op: &MicroOp) -> bool {
        match micro_op {
            it if request::inspects(it) => true,
            _ if self.settings.writes == Writes::Node => true,
            it => !request::mutates(it) && self.settings.reads == Reads::Replica,
        }
    }

    async fn perform(&mut self, micro_op: &MicroOp) -> Result<Answer, Failure> {
        let deadline = Instant::now() + Duration::from_nanos(self.session.timeout_ns);
        match self.is_local(micro_op) {
            true => self.perform_here(micro_op, deadline).await,
            false => self.perform_on_master(micro_op, deadline).await,
        }
    }

    async fn perform_here(
        &mut self,
        micro_op: &MicroOp,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let server = self.cluster.endpoints(self.node).server;
        let mut connection = Connection::kept_or_open(self.local.take(), server, deadline).await?;
        let answered = self.exchange(&mut connection, micro_op, deadline).await;
        if is_in_step(&answered) {
            self.local = Some(connection);
        }
        answered.map(|it| self.answer(it, self.node, None))
    }

    async fn perform_on_master(
        &mut self,
        micro_op: &MicroOp,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let mut to_master = self.connection_to_master(deadline).await?;
        let answered = self.exchange(&mut to_master.connection, micro_op, deadline).await;
        let Master { node, epoch } = to_master.master;
        // One that has become a replica is of no use to anybody who wants the master.
        let deposed = matches!(&answered, Err(Failure::Refused { code, .. }) if code == "READONLY");
        if is_in_step(&answered) && !deposed {
            self.master = Some(to_master);
        }
        answered.map(|it| self.answer(it, node, Some(epoch)))
    }

    /// A connection to the master: the one that there is, or a new one to what the Sentinel of the
    /// asked node names now.
    async fn connection_to_master(&mut self, deadline: Instant) -> Result<ToMaster, Failure> {
        let mut known = self.master.take().filter(|it| it.connection.is_open());
        let stays = self.settings.master_lookup == MasterLookup::Connection;
        if let Some(known) = known.take_if(|_| stays) {
            return Ok(known);
        }
        let master = self.look_up(deadline).await?;
        if let Some(known) = known.filter(|it| it.master == master) {
            return Ok(known);
        }
        let server = self.cluster.endpoints(master.node).server;
        let mut connection = Connection::open(server, deadline).await?;
        // What every client of Sentinel has to see to: the Sentinel may be behind.
        match role(&mut connection, deadline).await {
            Ok(Role::Master) => Ok(ToMaster { master, connection }),
            Ok(Role::Replica { .. }) => Err(Failure::Unasked("not a master".to_owned())),
            Err(failure) => {
                Err(Failure::Unasked(format!("asked for its role: {}", failure.reason())))
            }
        }
    }

    /// The master by the word of the asked node's Sentinel. The epoch is asked for before and after,
    /// so that the two belong together.
    async fn look_up(&mut self, deadline: Instant) -> Result<Master, Failure> {
        let address = self.cluster.endpoints(self.node).sentinel;
        let kept = self.sentinel.take();
        let views = async {
            let mut sentinel = Connection::kept_or_open(kept, address, deadline).await?;
            let before = config_epoch(&mut sentinel, deadline).await?;
            let command = sentinel_command("GET-MASTER-ADDR-BY-NAME");
            let named = sentinel.ask(&command, deadline).await?;
            let after = config_epoch(&mut sentinel, deadline).await?;
            Ok((sentinel, before, named, after))
        };
        let (sentinel, before, named, after) = views.await.map_err(|failure: Failure| {
            Failure::Unasked(format!("asked the Sentinel: {}", failure.reason()))
        })?;
        self.sentinel = Some(sentinel);
        let named: Option<(String, u16)> = redis::from_redis_value(named).unwrap_or_default();
        let server = named.and_then(|(ip, port)| Some(SocketAddr::new(ip.parse().ok()?, port)));
        let node = server.and_then(|server| self.cluster.node_at(server));
        match (node, before) {
            _ if before != after => {
                Err(Failure::Unasked("the Sentinel is failing over".to_owned()))
            }
            (Some(node), Some(epoch)) => Ok(Master { node, epoch }),
            _ => Err(Failure::Unasked("the Sentinel names no master of ours".to_owned())),
        }
    }

    async fn exchange(
        &self,
        connection: &mut Connection,
        micro_op: &MicroOp,
        deadline: Instant,
    ) -> Result<Answered, Failure> {
        let command = request::command(micro_op, self.settings.lease_ms)?;
        let answered = request::answered(micro_op, connection.ask(&command, deadline).await?)?;
        let done = matches!(answered, Answered::Done(..)) && request::mutates(micro_op);
        if done && self.settings.wait > 0 {
            self.await_replicas(connection, deadline).await?;
        }
        Ok(answered)
    }

    fn answer(&self, answered: Answered, node: NodeId, epoch: Option<u64>) -> Answer {
        match answered {
            Answered::Done(micro_op, position) => {
                let mut lineage = self.lineage.lock().unwrap_or_else(PoisonError::into_inner);
                let certain = |(epoch, position)| lineage.version(epoch, &position);
                let version = epoch.zip(position).and_then(certain);
                Answer::Ok { micro_ops: vec![micro_op], node: Some(node), version }
            }
            Answered::Not(reason) => Answer::Fail(reason.to_owned()),
        }
    }

    /// `WAIT`: the write is in the master whatever comes of this, so a refusal is no refusal of it.
    async fn await_replicas(
        &self,
        connection: &mut Connection,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let mut command = cmd("WAIT");
        command.arg(self.settings.wait).arg(self.settings.wait_timeout_ms);
        let unknown = |reason: String| Failure::Unanswered(reason);
        let acknowledged = connection.ask(&command, deadline).await;
        let acknowledged = acknowledged.map_err(|failure| unknown(failure.reason()))?;
        match redis::from_redis_value::<u32>(acknowledged) {
            Ok(replicas) if replicas >= self.settings.wait => Ok(()),
            Ok(_) => Err(unknown("too few acknowledgements in time".to_owned())),
            Err(_) => Err(unknown("an answer to another question".to_owned())),
        }
    }
}

/// Whether the connection can be used again: everything asked has been answered.
fn is_in_step(answered: &Result<Answered, Failure>) -> bool {
    matches!(answered, Ok(_) | Err(Failure::Refused { .. }))
}

async fn config_epoch(
    connection: &mut Connection,
    deadline: Instant,
) -> Result<Option<u64>, Failure> {
    let view = connection.ask(&sentinel_command("MASTER"), deadline).await?;
    let view: BTreeMap<String, String> = redis::from_redis_value(view).unwrap_or_default();
    Ok(view.get("config-epoch").and_then(|epoch| epoch.parse().ok()))
}

#[async_trait]
impl Client for RedisClient {
    async fn invoke(&mut self, operation: &[MicroOp]) -> Answer {
        let [micro_op] = operation else {
            let count = operation.len();
            return Answer::Fail(format!("expected one micro-operation, found {count}"));
        };
        let performed = self.perform(micro_op).await;
        performed.unwrap_or_else(|failure| failure.answer(request::mutates(micro_op)))
    }
}
