//! The client against real servers on this machine.

mod local;

use std::time::Duration;

use nix::sys::signal::Signal;
use perjury_history::{MicroOp, NodeId, Reading, Version};
use tokio::time::Instant;

use self::local::LocalCluster;
use super::cluster::Role;
use super::connection::Connection;
use super::failure::Failure;
use super::settings::{MasterLookup, Reads, RedisSettings, Writes};
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

/// The version of a write, which that node must have executed.
fn version(answer: &Answer, on: NodeId) -> Version {
    match answer {
        Answer::Ok { node, version: Some(version), .. } if *node == Some(on) => *version,
        other => panic!("expected a version and {on}, found {other:?}"),
    }
}

/// Waits until something holds.
async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < until, "it did not come about");
        tokio::time::sleep(Duration::from_millis(50)).await;
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
    let Some(local) = LocalCluster::start(1, RedisSettings::default()).await else { return };
    let mut client = local.client(0, TIMEOUT_MS);
    let mut ask = async |micro_op| client.invoke(&[micro_op]).await;
    assert_eq!(read_of(ask(MicroOp::read(KEY)).await), Reading::Nil);
    assert_eq!(ask(MicroOp::Cas { key: KEY, old: 1, new: 2 }).await, fail("mismatch"));
    assert_eq!(done(ask(write(1)).await), (write(1), Some(NodeId(0))));
    let cas = MicroOp::Cas { key: KEY, old: 1, new: -2 };
    assert_eq!(done(ask(cas.clone()).await).0, cas);
    assert_eq!(ask(cas).await, fail("mismatch"));
    assert_eq!(read_of(ask(MicroOp::read(KEY)).await), Reading::Value(-2));
    assert_eq!(read_of(ask(MicroOp::inspect(KEY)).await), Reading::Value(-2));
}

#[tokio::test]
async fn sets_and_counters_answer_as_the_vocabulary_says() {
    let Some(local) = LocalCluster::start(1, RedisSettings::default()).await else { return };
    let mut client = local.client(0, TIMEOUT_MS);
    let mut ask = async |micro_op| done(client.invoke(&[micro_op]).await).0;
    let set = |values: &[i64]| MicroOp::ReadSet { key: KEY, result: Some(values.into()) };
    assert_eq!(ask(MicroOp::read_set(KEY)).await, set(&[]));
    for value in [3, -1, 3] {
        let add = MicroOp::Add { key: KEY, value };
        assert_eq!(ask(add.clone()).await, add);
    }
    assert_eq!(ask(MicroOp::read_set(KEY)).await, set(&[-1, 3]));
    let MicroOp::InspectSet { result: Some(held), .. } = ask(MicroOp::inspect_set(KEY)).await
    else {
        panic!("expected what the node holds")
    };
    assert_eq!(*held, [-1, 3]);

    let counter = |sum| MicroOp::ReadCounter { key: KEY, result: Some(sum) };
    assert_eq!(ask(MicroOp::read_counter(KEY)).await, counter(0));
    for delta in [5, -7] {
        let increment = MicroOp::Increment { key: KEY, delta };
        assert_eq!(ask(increment.clone()).await, increment);
    }
    assert_eq!(ask(MicroOp::read_counter(KEY)).await, counter(-2));
    let inspected = MicroOp::InspectCounter { key: KEY, result: Some(-2) };
    assert_eq!(ask(MicroOp::inspect_counter(KEY)).await, inspected);
}

#[tokio::test]
async fn locks_answer_as_the_vocabulary_says() {
    let settings = RedisSettings { lease_ms: 600_000, ..RedisSettings::default() };
    let Some(local) = LocalCluster::start(1, settings).await else { return };
    let (mut first, mut second) = (local.client(0, TIMEOUT_MS), local.client(0, TIMEOUT_MS));
    let acquired = |token| MicroOp::Acquire { key: KEY, token: Some(token) };
    let release = |token| [MicroOp::Release { key: KEY, token }];
    assert_eq!(done(first.invoke(&[MicroOp::acquire(KEY)]).await).0, acquired(1));
    assert_eq!(second.invoke(&[MicroOp::acquire(KEY)]).await, fail("held by another"));
    assert_eq!(second.invoke(&release(2)).await, fail("not held with this token"));
    done(first.invoke(&release(1)).await);
    assert_eq!(first.invoke(&release(1)).await, fail("not held with this token"));
    second.settings.lease_ms = 1;
    assert_eq!(done(second.invoke(&[MicroOp::acquire(KEY)]).await).0, acquired(2));
    // Its lease ends by itself.
    let mut answer = first.invoke(&[MicroOp::acquire(KEY)]).await;
    while answer == fail("held by another") {
        answer = first.invoke(&[MicroOp::acquire(KEY)]).await;
    }
    assert_eq!(done(answer).0, acquired(3));
    assert_eq!(second.invoke(&release(2)).await, fail("not held with this token"));
}

#[tokio::test]
async fn what_became_of_a_request_is_told_as_far_as_it_is_known() {
    let settings = RedisSettings { writes: Writes::Node, ..RedisSettings::default() };
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
        tokio::time::sleep(Duration::from_millis(200)).await;
        local.signal(0, Signal::SIGKILL);
    });
    assert_eq!(answer, info("connection lost"));
    assert_eq!(patient.invoke(&write).await, fail("connection refused"));
}

#[tokio::test]
async fn a_connection_that_was_lost_in_silence_is_known_before_anything_is_asked() {
    let Some(mut local) = LocalCluster::start(1, RedisSettings::default()).await else { return };
    let soon = Instant::now() + Duration::from_millis(TIMEOUT_MS);
    let server = local.cluster.nodes[0].server;
    let connection = Connection::open(server, soon).await.expect("it runs");
    assert!(connection.is_open());
    local.signal(0, Signal::SIGKILL);
    eventually(async || !connection.is_open()).await;
    let refused = Failure::Unasked("connection refused".to_owned());
    assert_eq!(Connection::open(server, soon).await.err(), Some(refused));
}

#[tokio::test]
async fn each_goes_where_the_settings_say() {
    let settings = RedisSettings { reads: Reads::Replica, ..RedisSettings::default() };
    let Some(local) = LocalCluster::start(2, settings).await else { return };
    let mut client = local.client(1, TIMEOUT_MS);
    assert_eq!(done(client.invoke(&[write(1)]).await).1, Some(NodeId(0)));
    assert_eq!(done(client.invoke(&[MicroOp::read(KEY)]).await).1, Some(NodeId(1)));
    assert_eq!(done(client.invoke(&[MicroOp::inspect(KEY)]).await).1, Some(NodeId(1)));
}

#[tokio::test]
async fn a_failover_begins_an_epoch_that_continues_the_log() {
    let Some(mut local) = LocalCluster::start(3, RedisSettings::default()).await else { return };
    let mut stays = local.client(0, TIMEOUT_MS);
    let mut follows = local.client(1, TIMEOUT_MS);
    follows.settings.master_lookup = MasterLookup::Operation;
    let mut last = None;
    for value in [1, 2, 3] {
        let client = if value == 2 { &mut follows } else { &mut stays };
        let version = version(&client.invoke(&[write(value)]).await, NodeId(0));
        assert_eq!(version.epoch, 1);
        assert!(last < Some(version), "{last:?} {version}");
        last = Some(version);
    }

    local.signal(0, Signal::SIGSTOP);
    eventually(async || local.cluster.masters().await.len() == 1).await;
    // Sentinels learn of it one after the other.
    let mut answer = follows.invoke(&[write(4)]).await;
    while !matches!(answer, Answer::Ok { .. }) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = follows.invoke(&[write(4)]).await;
    }
    let [successor] = local.cluster.masters().await[..] else { panic!("one master") };
    assert_eq!(version(&answer, successor).epoch, 2);

    local.signal(0, Signal::SIGCONT);
    local.ready().await;
    for node in [0, 1, 2] {
        let mut client = local.client(node, TIMEOUT_MS);
        let holds = read_of(client.invoke(&[MicroOp::inspect(KEY)]).await);
        assert_eq!(holds, Reading::Value(4), "n{}", node + 1);
    }
    // Sentinel closes the connections of a server whose role it changes.
    assert_eq!(version(&stays.invoke(&[write(5)]).await, successor).epoch, 2);
}

#[tokio::test]
async fn an_operator_chooses_who_takes_over() {
    let Some(local) = LocalCluster::start(3, RedisSettings::default()).await else { return };
    for node in [NodeId(2), NodeId(2), NodeId(1)] {
        local.cluster.promote(node).await.expect("it is told to");
        eventually(async || local.cluster.role(node).await == Ok(Role::Master)).await;
        local.ready().await;
        assert_eq!(local.cluster.masters().await, [node]);
    }
}

#[tokio::test]
async fn a_write_that_too_few_replicas_have_is_of_unknown_outcome() {
    let settings = RedisSettings { wait: 1, wait_timeout_ms: 2_000, ..RedisSettings::default() };
    let Some(mut local) = LocalCluster::start(2, settings).await else { return };
    let mut client = local.client(0, TIMEOUT_MS);
    done(client.invoke(&[write(1)]).await);
    local.signal(1, Signal::SIGSTOP);
    assert_eq!(client.invoke(&[write(2)]).await, info("too few acknowledgements in time"));
    assert_eq!(read_of(client.invoke(&[MicroOp::read(KEY)]).await), Reading::Value(2));
}

#[tokio::test]
async fn a_server_refuses_what_it_must_not_do() {
    let settings = RedisSettings { writes: Writes::Node, ..RedisSettings::default() };
    let strict = RedisSettings { min_replicas_to_write: 1, min_replicas_max_lag_s: 1, ..settings };
    let Some(mut local) = LocalCluster::start(2, strict).await else { return };
    let cas = MicroOp::Cas { key: KEY, old: 1, new: 2 };
    let mut master = local.client(0, TIMEOUT_MS);
    eventually(async || matches!(master.invoke(&[write(1)]).await, Answer::Ok { .. })).await;
    let mut replica = local.client(1, TIMEOUT_MS);
    eventually(async || {
        read_of(replica.invoke(&[MicroOp::inspect(KEY)]).await) == Reading::Value(1)
    })
    .await;
    let (add, increment) =
        (MicroOp::Add { key: KEY, value: 1 }, MicroOp::Increment { key: KEY, delta: 1 });
    for mutation in [write(2), cas, add, increment, MicroOp::acquire(KEY)] {
        assert_eq!(replica.invoke(&[mutation]).await, fail("READONLY"));
    }
    local.signal(1, Signal::SIGKILL);
    eventually(async || master.invoke(&[write(3)]).await == fail("NOREPLICAS")).await;
}
