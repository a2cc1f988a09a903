//! A client of the embedded store.

use std::sync::Arc;

use async_trait::async_trait;
use perjury_history::{MicroOp, NodeId, Reading, Version};
use perjury_lab::simulated::CallError;
use perjury_lab::{Clock, SimulatedLab};
use perjury_replica::{
    ClientId, Command, Doubt, Found, Outcome, Refusal, Reply, Request, SessionToken, Step,
};

use super::program::{Answered, Asked};
use crate::{Answer, Client, Session};

pub(super) struct ReplicaClient {
    lab: SimulatedLab,
    node: NodeId,
    session: Session,
    id: ClientId,
    requests: u64,
    token: SessionToken,
    last_write_ns: Option<u64>,
}

impl ReplicaClient {
    /// A connection to `node`, one of `nodes`. The store tells requests apart by their client and
    /// number, so each connection of a process is a client of its own.
    pub(super) fn new(lab: SimulatedLab, node: NodeId, nodes: u32, session: Session) -> Self {
        let id = u64::from(session.process.0) * u64::from(nodes) + u64::from(node.0);
        let token = SessionToken::default();
        Self { lab, node, session, id: ClientId(id), requests: 0, token, last_write_ns: None }
    }

    fn request(&mut self, command: Command) -> Request {
        self.requests += 1;
        let now_ns = self.lab.now_ns();
        self.token.since_write_ns = self.last_write_ns.map(|written_ns| now_ns - written_ns);
        Request { client: self.id, number: self.requests, command, session: self.token }
    }

    fn answer(&mut self, micro_op: &MicroOp, reply: &Reply) -> Answer {
        let answered = match (micro_op, &reply.outcome) {
            (&MicroOp::Read { key, .. }, &Outcome::Read(value)) => {
                MicroOp::Read { key, result: Some(Reading::from(value)) }
            }
            (&MicroOp::Inspect { key, .. }, &Outcome::Read(value)) => {
                MicroOp::Inspect { key, result: Some(Reading::from(value)) }
            }
            (&MicroOp::ReadCounter { key, .. }, Outcome::Read(value)) => {
                MicroOp::ReadCounter { key, result: Some(value.unwrap_or(0)) }
            }
            (&MicroOp::InspectCounter { key, .. }, Outcome::Read(value)) => {
                MicroOp::InspectCounter { key, result: Some(value.unwrap_or(0)) }
            }
            (&MicroOp::ReadSet { key, .. }, Outcome::Elements(elements)) => {
                MicroOp::ReadSet { key, result: Some(elements.clone()) }
            }
            (&MicroOp::InspectSet { key, .. }, Outcome::Elements(elements)) => {
                MicroOp::InspectSet { key, result: Some(elements.clone()) }
            }
            (&MicroOp::Acquire { key, .. }, &Outcome::Acquired(token)) => {
                self.last_write_ns = Some(self.lab.now_ns());
                MicroOp::Acquire { key, token: Some(token) }
            }
            (mutation, Outcome::Written) if mutation.is_mutation() => {
                self.last_write_ns = Some(self.lab.now_ns());
                mutation.clone()
            }
            (_, outcome) => return classify(outcome),
        };
        // An administrator's look is not part of the session.
        if command(&answered).is_some_and(|it| !it.is_inspection()) {
            self.token.observe(reply);
        }
        let version =
            |it: perjury_replica::Version| Version { epoch: it.epoch, position: it.position };
        Answer::Ok {
            micro_ops: vec![answered],
            node: Some(NodeId(reply.served_by)),
            version: reply.version.map(version),
        }
    }
}

/// What an outcome without a result means for the operation.
fn classify(outcome: &Outcome) -> Answer {
    let fail = |reason: &str| Answer::Fail(reason.to_owned());
    let info = |reason: &str| Answer::Info(reason.to_owned());
    match outcome {
        Outcome::Mismatch => fail("mismatch"),
        Outcome::Refused(Refusal::NoLeader) => fail("no leader"),
        Outcome::Refused(Refusal::NotLeader) => fail("not the leader"),
        Outcome::Refused(Refusal::Out) => fail("node has left the cluster"),
        Outcome::Unknown(Doubt::LeadershipLost) => info("leadership lost"),
        Outcome::Unknown(Doubt::Restarted) => info("node restarted"),
        Outcome::Unknown(Doubt::TimedOut) => info("too few acknowledgements in time"),
        Outcome::Read(_) | Outcome::Elements(_) | Outcome::Acquired(_) | Outcome::Written => {
            info("an answer to another question")
        }
    }
}

/// What the store is asked; `None` if it has no such function.
fn command(micro_op: &MicroOp) -> Option<Command> {
    Some(match *micro_op {
        MicroOp::Read { key, .. } | MicroOp::ReadCounter { key, .. } => Command::Read { key },
        MicroOp::Write { key, value } => Command::Write { key, value },
        MicroOp::Cas { key, old, new } => Command::Cas { key, old, new },
        MicroOp::Inspect { key, .. } | MicroOp::InspectCounter { key, .. } => {
            Command::Inspect { key }
        }
        MicroOp::Add { key, value } => Command::Add { key, element: value },
        MicroOp::ReadSet { key, .. } => Command::ReadSet { key },
        MicroOp::InspectSet { key, .. } => Command::InspectSet { key },
        MicroOp::Increment { key, delta } => Command::Increment { key, delta },
        MicroOp::Acquire { key, .. } => Command::Acquire { key },
        MicroOp::Release { key, token } => Command::Release { key, token },
        MicroOp::Append { .. }
        | MicroOp::ReadList { .. }
        | MicroOp::Enqueue { .. }
        | MicroOp::Dequeue { .. }
        | MicroOp::Push { .. }
        | MicroOp::Pop { .. }
        | MicroOp::Lock { .. }
        | MicroOp::Unlock { .. }
        | MicroOp::Generate { .. }
        | MicroOp::Transfer { .. } => return None,
    })
}

#[async_trait]
impl Client for ReplicaClient {
    async fn invoke(&mut self, operation: &[MicroOp]) -> Answer {
        let [micro_op] = operation else {
            let count = operation.len();
            return Answer::Fail(format!("expected one micro-operation, found {count}"));
        };
        let Some(command) = command(micro_op) else {
            return Answer::Fail(format!("the replica has no {}", micro_op.function()));
        };
        let request = self.request(command);
        let call =
            self.lab.call(self.node, Arc::new(Asked::Request(request)), self.session.timeout_ns);
        match call.await {
            Ok(answered) => match answered.downcast_ref::<Answered>() {
                Some(Answered::Reply(reply)) => self.answer(micro_op, reply),
                _ => Answer::Info("an answer to another question".to_owned()),
            },
            // A read changes nothing, so one that brought no answer did not happen.
            Err(error @ CallError::Refused) => Answer::Fail(error.to_string()),
            Err(error) if !micro_op.is_mutation() => Answer::Fail(error.to_string()),
            Err(error) => Answer::Info(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_certainly_did_not_happen_fails() {
        let failed = |outcome| matches!(classify(&outcome), Answer::Fail(_));
        assert!(failed(Outcome::Mismatch));
        for refusal in [Refusal::NoLeader, Refusal::NotLeader, Refusal::Out] {
            assert!(failed(Outcome::Refused(refusal)));
        }
        for doubt in [Doubt::LeadershipLost, Doubt::Restarted, Doubt::TimedOut] {
            assert!(!failed(Outcome::Unknown(doubt)));
        }
    }
}
