//! Redis and Sentinel for real: on machines made of namespaces, through the same door as a run.
//!
//! Each test makes a lab of its own and takes it away again. Where that cannot be, it says so.

mod namespaces;

use std::time::Duration;

use namespaces::{Setup, with};
use perjury_history::{MicroOp, NodeId, Reading, Version};
use perjury_lab::machines::Signal;
use perjury_stores::{Answer, StoreError};
use serde_json::json;

const KEY: i64 = 7;

/// What is to succeed has so long.
const PATIENT: Duration = Duration::from_secs(10);

/// The time-out of operations that are to find nobody.
const IMPATIENT: Duration = Duration::from_millis(500);

const N1: NodeId = NodeId(0);
const N2: NodeId = NodeId(1);
const N3: NodeId = NodeId(2);

/// A scenario on three nodes, unless Redis cannot run here.
fn redis(name: &str, settings: serde_json::Value, scenario: impl AsyncFnOnce(&Setup)) {
    with(name, "redis", "/usr/bin/redis-server", settings, 3, scenario);
}

fn write(value: i64) -> MicroOp {
    MicroOp::Write { key: KEY, value }
}

fn fail(reason: &str) -> Answer {
    Answer::Fail(reason.to_owned())
}

fn info(reason: &str) -> Answer {
    Answer::Info(reason.to_owned())
}

/// Who did a write, and its version.
fn written(answer: &Answer) -> (NodeId, Version) {
    match answer {
        Answer::Ok { node: Some(node), version: Some(version), .. } => (*node, *version),
        other => panic!("expected a node and a version, found {other:?}"),
    }
}

/// What a read found.
fn found(answer: &Answer) -> Reading {
    match answer {
        Answer::Ok { micro_ops, .. } => match micro_ops[..] {
            [
                MicroOp::Read { result: Some(it), .. } | MicroOp::Inspect { result: Some(it), .. },
            ] => it,
            _ => panic!("expected a read, found {micro_ops:?}"),
        },
        other => panic!("expected a result, found {other:?}"),
    }
}

/// What a node itself holds.
async fn held(setup: &Setup, node: NodeId) -> Reading {
    let mut client = setup.client(99, node, PATIENT).await;
    found(&client.invoke(&[MicroOp::inspect(KEY)]).await)
}

#[test]
fn a_cut_off_master_acknowledges_what_its_successor_never_has() {
    redis("redis-cut", json!({}), async |setup| {
        let wait = setup.variant(json!({ "wait": 1, "wait-timeout-ms": 2000 }));
        let mut old = setup.client(0, N1, PATIENT).await;
        let mut new = setup.client(1, N2, PATIENT).await;
        let mut careful = setup.client_of(wait.as_ref(), 2, N1, PATIENT).await;
        let mut reader = setup.client(3, N1, PATIENT).await;
        written(&old.invoke(&[write(1)]).await);
        assert!(matches!(careful.invoke(&[write(2)]).await, Answer::Ok { .. }));
        setup.eventually(async || held(setup, N3).await == Reading::Value(2)).await;

        setup.cut_off(N1).await;
        let lost = written(&old.invoke(&[write(3)]).await);
        assert_eq!((lost.0, lost.1.epoch), (N1, 1));
        let unsure = careful.invoke(&[write(4)]).await;
        assert_eq!(unsure, info("too few acknowledgements in time"));
        let elected = async || setup.store.primaries(&setup.lab).await.len() == 2;
        setup.eventually(elected).await;

        // The Sentinel of n2 may be the last to hear of it.
        let mut kept = new.invoke(&[write(5)]).await;
        while !matches!(&kept, Answer::Ok { version: Some(version), .. } if version.epoch == 2) {
            new = setup.client(1, N2, PATIENT).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            kept = new.invoke(&[write(5)]).await;
        }
        let (successor, cut_at) = written(&kept);
        assert_ne!(successor, N1);
        // Two masters. The old one goes on in its epoch, though the log was cut before it.
        let too_late = written(&old.invoke(&[write(6)]).await);
        assert!(too_late.0 == N1 && too_late.1.epoch == 1, "{too_late:?}");
        assert!(lost.1.position < too_late.1.position);
        assert!(cut_at.position < too_late.1.position, "{cut_at} {}", too_late.1);
        assert_eq!(found(&reader.invoke(&[MicroOp::read(KEY)]).await), Reading::Value(6));

        setup.join_again(N1).await;
        setup.ready().await;
        assert_eq!(setup.store.primaries(&setup.lab).await, [successor]);
        for node in [N1, N2, N3] {
            assert_eq!(held(setup, node).await, Reading::Value(5), "{node}");
        }
    });
}

#[test]
fn a_cut_off_replica_answers_with_what_it_has() {
    redis("redis-replica", json!({ "reads": "replica" }), async |setup| {
        let mut at_master = setup.client(0, N1, PATIENT).await;
        let mut at_replica = setup.client(1, N3, PATIENT).await;
        written(&at_master.invoke(&[write(1)]).await);
        setup.eventually(async || held(setup, N3).await == Reading::Value(1)).await;
        setup.cut_off(N3).await;
        written(&at_master.invoke(&[write(2)]).await);
        assert_eq!(found(&at_replica.invoke(&[MicroOp::read(KEY)]).await), Reading::Value(1));
        assert_eq!(found(&at_master.invoke(&[MicroOp::read(KEY)]).await), Reading::Value(2));
        setup.join_again(N3).await;
        setup.ready().await;
        setup.eventually(async || held(setup, N3).await == Reading::Value(2)).await;
    });
}

#[test]
fn what_becomes_of_requests_when_the_node_is_paused_killed_and_started_again() {
    redis("redis-kill", json!({ "writes": "node" }), async |setup| {
        let mut client = setup.client(0, N1, IMPATIENT).await;
        setup.done(&mut client, write(1)).await;
        let mut at_replica = setup.client(1, N2, PATIENT).await;
        assert_eq!(at_replica.invoke(&[write(2)]).await, fail("READONLY"));

        setup.signal(N1, Signal::Stop).await;
        assert_eq!(client.invoke(&[write(3)]).await, info("time-out"));
        assert_eq!(client.invoke(&[MicroOp::read(KEY)]).await, fail("time-out"));
        setup.signal(N1, Signal::Kill).await;
        assert_eq!(client.invoke(&[write(4)]).await, fail("connection refused"));
        let short = setup.store.await_ready(&setup.lab, 0).await.expect_err("n1 is down");
        assert!(
            matches!(&short, StoreError::NotReady { problem, .. }
            if problem.contains("the server of n1: connection refused")),
            "{short}"
        );

        setup.store.start(&setup.lab, N1).await.expect("it starts");
        setup.store.start(&setup.lab, N1).await.expect("it runs already");
        setup.ready().await;
        let held_now = held(setup, N1).await;
        assert!([1, 3].map(Reading::Value).contains(&held_now), "{held_now}");

        // A replica whose log was damaged does not start; it is made anew from the master.
        const DAMAGE: &str = "cd /var/lib/perjury/data/redis/appendonlydir
            for file in *.rdb *.aof; do printf damage | dd of=$file conv=notrunc status=none; done";
        setup.signal(N3, Signal::Kill).await;
        setup.said(N3, DAMAGE).await;
        // It may be seen at once that it ended, or only later.
        let _ = setup.store.start(&setup.lab, N3).await;
        setup.store.recover(&setup.lab).await.expect("there is a master");
        setup.ready().await;
        setup.eventually(async || held(setup, N3).await == held_now).await;

        // An operator's switch, then a new beginning: nothing of the old is left.
        setup.store.promote(&setup.lab, N3).await.expect("it takes over");
        // It takes ten seconds until the old master is told that it is one no longer.
        setup.eventually(async || setup.store.primaries(&setup.lab).await == [N3]).await;
        setup.ready().await;
        setup.install_and_start().await;
        assert_eq!(setup.store.primaries(&setup.lab).await, [N1]);
        for node in [N1, N2, N3] {
            assert_eq!(held(setup, node).await, Reading::Nil, "{node}");
        }
    });
}
