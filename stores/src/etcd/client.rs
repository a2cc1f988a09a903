//! A client of one node.
//!
//! A set is a key per element, read as one range: additions never wait for each other, and what is
//! tested is that a range sees all of them at one revision. [Locks](super::lock) and
//! [transactions](super::transaction) have pages of their own.
//!
//! The version of a write is its revision: etcd numbers all changes of the whole store in the order
//! in which they are executed. It stands without an epoch. The answers tell the term as well, but
//! that of the moment of the answer, which may be later than the one the write was accepted in.

use std::time::Duration;

use async_trait::async_trait;
use perjury_history::{Elements, Key, MicroOp, NodeId, Reading, Version};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::classify::{Effect, classify};
use super::gateway::Gateway;
use super::messages::{self, Range, Written};
use super::settings::{EtcdReads, EtcdSettings};
use crate::{Answer, Client, Session};

pub(super) struct EtcdClient {
    node: NodeId,
    gateway: Gateway,
    pub(super) settings: EtcdSettings,
    timeout: Duration,
}

/// An operation that happened: the micro-operation with its answer, and the version.
type Done = (MicroOp, Option<Version>);

impl EtcdClient {
    pub(super) fn new(
        node: NodeId,
        gateway: Gateway,
        settings: EtcdSettings,
        session: Session,
    ) -> Self {
        Self { node, gateway, settings, timeout: Duration::from_nanos(session.timeout_ns) }
    }

    /// What happened, or the answer that it did not or may not have.
    async fn perform(&mut self, micro_op: &MicroOp, deadline: Instant) -> Result<Done, Answer> {
        match *micro_op {
            MicroOp::Read { key, .. } => {
                let (held, version) = self.read(key, self.settings.reads, deadline).await?;
                Ok((MicroOp::Read { key, result: Some(held) }, version))
            }
            MicroOp::Inspect { key, .. } => {
                let (held, version) = self.read(key, EtcdReads::Serializable, deadline).await?;
                Ok((MicroOp::Inspect { key, result: Some(held) }, version))
            }
            MicroOp::Write { key, value } => {
                let put = messages::put(&messages::register(key), value);
                let written = self.change(messages::PUT, &put, deadline).await?;
                Ok((MicroOp::Write { key, value }, Some(version(written.header.revision))))
            }
            MicroOp::Cas { key, old, new } => {
                let txn = messages::compare_and_put(&messages::register(key), old, new);
                let written = self.change(messages::TXN, &txn, deadline).await?;
                if !written.succeeded {
                    return Err(Answer::Fail("mismatch".to_owned()));
                }
                Ok((MicroOp::Cas { key, old, new }, Some(version(written.header.revision))))
            }
            MicroOp::Add { key, value } => {
                let add = messages::add(key, value);
                let written = self.change(messages::PUT, &add, deadline).await?;
                Ok((MicroOp::Add { key, value }, Some(version(written.header.revision))))
            }
            MicroOp::ReadSet { key, .. } => {
                let result = Some(self.read_set(key, self.settings.reads, deadline).await?);
                Ok((MicroOp::ReadSet { key, result }, None))
            }
            MicroOp::InspectSet { key, .. } => {
                let result = Some(self.read_set(key, EtcdReads::Serializable, deadline).await?);
                Ok((MicroOp::InspectSet { key, result }, None))
            }
            MicroOp::Acquire { key, .. } => {
                let token = Some(self.acquire(key, deadline).await?);
                Ok((MicroOp::Acquire { key, token }, None))
            }
            MicroOp::Release { key, token } => {
                self.release(key, token, deadline).await?;
                Ok((MicroOp::Release { key, token }, None))
            }
            ref other => Err(Answer::Fail(format!("etcd has no {}", other.function()))),
        }
    }

    async fn read(
        &mut self,
        key: Key,
        reads: EtcdReads,
        deadline: Instant,
    ) -> Result<(Reading, Option<Version>), Answer> {
        let request = messages::range(&messages::register(key), reads);
        let range: Range = self.ask(messages::RANGE, &request, Effect::Reads, deadline).await?;
        let Some(found) = range.kvs.first() else { return Ok((Reading::Nil, None)) };
        let value = found.value().map_err(|error| classify(&error, Effect::Reads))?;
        Ok((Reading::Value(value), Some(version(found.mod_revision))))
    }

    async fn read_set(
        &mut self,
        key: Key,
        reads: EtcdReads,
        deadline: Instant,
    ) -> Result<Elements, Answer> {
        let request = messages::elements(key, reads);
        let range: Range = self.ask(messages::RANGE, &request, Effect::Reads, deadline).await?;
        let elements = range.kvs.iter().map(|found| found.element(key));
        elements.collect::<Result<_, _>>().map_err(|error| classify(&error, Effect::Reads))
    }

    pub(super) async fn change(
        &mut self,
        path: &str,
        request: &serde_json::Value,
        deadline: Instant,
    ) -> Result<Written, Answer> {
        self.ask(path, request, Effect::Changes, deadline).await
    }

    pub(super) async fn ask<A: DeserializeOwned>(
        &mut self,
        path: &str,
        request: &serde_json::Value,
        effect: Effect,
        deadline: Instant,
    ) -> Result<A, Answer> {
        let answer = self.gateway.call(path, request, deadline).await;
        answer.map_err(|error| classify(&error, effect))
    }
}

/// Whether it is a transaction even alone.
fn is_transaction(micro_op: &MicroOp) -> bool {
    matches!(
        micro_op,
        MicroOp::Append { .. }
            | MicroOp::ReadList { .. }
            | MicroOp::Increment { .. }
            | MicroOp::ReadCounter { .. }
            | MicroOp::Transfer { .. }
    )
}

pub(super) fn version(revision: u64) -> Version {
    Version { epoch: 0, position: revision }
}

#[async_trait]
impl Client for EtcdClient {
    async fn invoke(&mut self, operation: &[MicroOp]) -> Answer {
        let deadline = Instant::now() + self.timeout;
        let done = match operation {
            [] => Err(Answer::Fail("expected an operation, found nothing to do".to_owned())),
            [single] if !is_transaction(single) => {
                let done = self.perform(single, deadline).await;
                done.map(|(done, version)| (vec![done], version))
            }
            several => self.transact(several, deadline).await,
        };
        match done {
            Ok((micro_ops, version)) => Answer::Ok { micro_ops, node: Some(self.node), version },
            Err(answer) => answer,
        }
    }
}
