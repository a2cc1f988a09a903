//! The client against real servers on this machine.

mod local;

use nix::sys::signal::Signal;
use perjury_history::{MicroOp, NodeId, Reading};

use self::local::LocalCluster;
use super::settings::{MasterLookup, Reads, Settings, Writes};
use crate::{Answer, Client};

const KEY: i64 = 7;
const TIMEOUT_MS: u64 = 10_000;

const fn write(value: i64) -> MicroOp {
    MicroOp::Write { key: KEY, value }
}

fn fail(reason: &str) -> Answer {
    Answer::Fail(reason.to_owned())
}

fn info(reason: &str) -> Answer {
    Answer::Info(reason.to_owned())
}

/// The one micro-operation of an answer, and who gave it.
fn done(answer: Answer) -> (MicroOp, Option<NodeId>) {
    match answer {
        Answer::Ok { mut micro_ops, node, .. } if micro_ops.len() == 1 => {
            (micro_ops.remove(0), node)
        }
        other => panic!("expected ok, found {other:?}"),
    }
}

fn read_of(answer: Answer) -> Reading {
    match done(answer).0 {
        MicroOp::Read { result: Some(it), .. } | MicroOp::Inspect { result: Some(it), .. } => it,
        other => panic!("expected a read, found {other}"),
    }
}

#[tokio::test]
async fn registers_answer_as_the_vocabulary_says() {
    let Some(local) = LocalCluster::start(1, Settings::default()).await else { return };
    let mut client = local.client(0, TIMEOUT_MS);
    let mut ask = async |micro_op| client.invoke(&[micro_op]).await;
    assert_eq!(read_of(ask(MicroOp::read(KEY)).await), Reading::Nil);
    assert_eq!(ask(MicroOp::Cas { key: KEY, old: 1, new: 2 }).await, fail("mismatch"));
    assert_eq!(done(ask(write(1)).await), (write(1), Some(NodeId(0))));
    let cas = MicroOp::Cas { key: KEY, old: 1, new: -2 };
    assert_eq!(done(ask(cas).await).0, cas);
    assert_eq!(ask(cas).await, fail("mismatch"));
    assert_eq!(read_of(ask(MicroOp::read(KEY)).await), Reading::Value(-2));
    assert_eq!(read_of(ask(MicroOp::inspect(KEY)).await), Reading::Value(-2));
}

#[tokio::test]
async fn what_became_of_a_request_is_told_as_far_as_it_is_known() {
    let settings = Settings { writes: Writes::Node, ..Settings::default() };
    let Some(mut local) = LocalCluster::start(1, settings).await else { return };
    let mut client = local.client(0, 300);
    done(client.invoke(&[write(1)]).await);

    local.signal(0, Signal::SIGSTOP);
    assert_eq!(client.invoke(&[write(2)]).await, info("time-out"));
    assert_eq!(client.invoke(&[MicroOp::read(KEY)]).await, fail("time-out"));
    local.signal(0, Signal::SIGCONT);

    let mut patient = local.client(0, TIMEOUT_MS);
    assert_eq!(read_of(patient.invoke(&[MicroOp::read(KEY)]).await), Reading::Value(2));
    local.signal(0, Signal::SIGSTOP);
    let write = [write(3)];
    let (answer, ()) = tokio::join!(patient.invoke(&write), async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        local.signal(0, Signal::SIGKILL);
    });
    assert_eq!(answer, info("connection lost"));
    assert_eq!(patient.invoke(&write).await, fail("connection refused"));
}

#[tokio::test]
async fn a_connection_that_was_lost_in_silence_is_known_before_anything_is_asked() {
    let settings = Settings { writes: Writes::Node, ..Settings::default() };
    let Some(mut local) = LocalCluster::start(1, settings).await else { return };
    let mut client = local.client(0, TIMEOUT_MS);
    done(client.invoke(&[write(1)]).await);
    local.signal(0, Signal::SIGKILL);
    // The kernel says so at once; the task that carries requests must come to hear of it.
    for _ in 0..1_000 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(client.invoke(&[write(2)]).await, fail("connection refused"));
}

#[tokio::test]
async fn each_goes_where_the_settings_say() {
    let settings = Settings { reads: Reads::Replica, ..Settings::default() };
    let Some(local) = LocalCluster::start(2, settings).await else { return };
    let mut client = local.client(1, TIMEOUT_MS);
    assert_eq!(done(client.invoke(&[write(1)]).await).1, Some(NodeId(0)));
    assert_eq!(done(client.invoke(&[MicroOp::read(KEY)]).await).1, Some(NodeId(1)));
    assert_eq!(done(client.invoke(&[MicroOp::inspect(KEY)]).await).1, Some(NodeId(1)));
}
