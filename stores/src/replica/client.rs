//! A client of the embedded store.

use std::sync::Arc;

use async_trait::async_trait;
use perjury_history::{MicroOp, NodeId, Reading, Version};
use perjury_lab::simulated::CallError;
use perjury_lab::{Clock, SimulatedLab};
use perjury_replica::{ClientId, Command, Doubt, Outcome, Refusal, Reply, Request, SessionToken};

use super::program::{Answered, Asked};
use super::transaction;
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

    fn answer(&mut self, operation: &[MicroOp], reply: &Reply) -> Answer {
        let Some(micro_ops) = answered(operation, &reply.outcome) else {
            return classify(&reply.outcome);
        };
        if operation.iter().any(MicroOp::is_mutation) {
            self.last_write_ns = Some(self.lab.now_ns());
        }
        // An administrator's look is not part of the session.
        if !command(operation).is_ok_and(|it| it.is_inspection()) {
            self.token.observe(reply);
        }
        let version =
            |it: perjury_replica::Version| Version { epoch: it.epoch, position: it.position };
        Answer::Ok {
            micro_ops,
            node: Some(NodeId(reply.served_by)),
            version: reply.version.map(version),
        }
    }
}

/// An operation with its answers; `None` if an outcome brings none.
fn answered(operation: &[MicroOp], outcome: &Outcome) -> Option<Vec<MicroOp>> {
    let micro_op = match (operation, outcome) {
        (steps, Outcome::Committed(found)) if steps.len() == found.len() => {
            let steps = steps.iter().zip(found.iter());
            return steps.map(|(step, found)| transaction::answered(step, found)).collect();
        }
        ([micro_op], _) => micro_op,
        _ => return None,
    };
    let answered = match (micro_op, outcome) {
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
            MicroOp::Acquire { key, token: Some(token) }
        }
        (mutation, Outcome::Written) if mutation.is_mutation() => mutation.clone(),
        _ => return None,
    };
    Some(vec![answered])
}

/// What an outcome without a result means for the operation.
fn classify(outcome: &Outcome) -> Answer {
    let fail = |reason: &str| Answer::Fail(reason.to_owned());
    let info = |reason: &str| Answer::Info(reason.to_owned());
    match outcome {
        Outcome::Mismatch => fail("mismatch"),
        Outcome::Conflict => fail("another transaction came first"),
        Outcome::Refused(Refusal::NoLeader) => fail("no leader"),
        Outcome::Refused(Refusal::NotLeader) => fail("not the leader"),
        Outcome::Refused(Refusal::Out) => fail("node has left the cluster"),
        Outcome::Refused(Refusal::Locked) => fail("locked by another transaction"),
        Outcome::Unknown(Doubt::LeadershipLost) => info("leadership lost"),
        Outcome::Unknown(Doubt::Restarted) => info("node restarted"),
        Outcome::Unknown(Doubt::TimedOut) => info("too few acknowledgements in time"),
        Outcome::Read(_)
        | Outcome::Elements(_)
        | Outcome::Acquired(_)
        | Outcome::Committed(_)
        | Outcome::Written => info("an answer to another question"),
    }
}

/// What the store is asked, or why it cannot be.
fn command(operation: &[MicroOp]) -> Result<Command, String> {
    if let [micro_op] = operation
        && let Some(command) = single(micro_op)
    {
        return Ok(command);
    }
    let no_step = |it: &MicroOp| match operation {
        [_] => format!("the replica has no {}", it.function()),
        _ => format!("the replica's transactions have no {}", it.function()),
    };
    let step = |it| transaction::step(it).ok_or_else(|| no_step(it));
    let steps = operation.iter().map(step).collect::<Result<_, _>>()?;
    Ok(Command::Transaction(steps))
}

/// What has a command of its own.
fn single(micro_op: &MicroOp) -> Option<Command> {
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
        _ => return None,
    })
}

#[async_trait]
impl Client for ReplicaClient {
    async fn invoke(&mut self, operation: &[MicroOp]) -> Answer {
        if operation.is_empty() {
            return Answer::Fail("expected an operation, found nothing to do".to_owned());
        }
        let command = match command(operation) {
            Ok(command) => command,
            Err(problem) => return Answer::Fail(problem),
        };
        let request = self.request(command);
        let call =
            self.lab.call(self.node, Arc::new(Asked::Request(request)), self.session.timeout_ns);
        match call.await {
            Ok(answered) => match answered.downcast_ref::<Answered>() {
                Some(Answered::Reply(reply)) => self.answer(operation, reply),
                _ => Answer::Info("an answer to another question".to_owned()),
            },
            // A read changes nothing, so one that brought no answer did not happen.
            Err(error @ CallError::Refused) => Answer::Fail(error.to_string()),
            Err(error) if !operation.iter().any(MicroOp::is_mutation) => {
                Answer::Fail(error.to_string())
            }
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
        assert!(failed(Outcome::Mismatch) && failed(Outcome::Conflict));
        for refusal in [Refusal::NoLeader, Refusal::NotLeader, Refusal::Out, Refusal::Locked] {
            assert!(failed(Outcome::Refused(refusal)));
        }
        for doubt in [Doubt::LeadershipLost, Doubt::Restarted, Doubt::TimedOut] {
            assert!(!failed(Outcome::Unknown(doubt)));
        }
    }
}
