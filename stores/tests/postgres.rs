//! PostgreSQL for real: on machines made of namespaces, through the same door as a run.
//!
//! Each test makes a lab of its own and takes it away again. Where that cannot be, it says so.

mod namespaces;

use std::time::Duration;

use namespaces::{Setup, with};
use perjury_history::{MicroOp, NodeId, Reading, Version};
use perjury_lab::machines::Signal;
use perjury_stores::{Answer, Client, StoreError};
use serde_json::json;

const KEY: i64 = 7;

const N1: NodeId = NodeId(0);
const N2: NodeId = NodeId(1);
const N3: NodeId = NodeId(2);
const ALL: [NodeId; 3] = [N1, N2, N3];

/// Longer than what is waited for takes.
const PATIENT: Duration = Duration::from_secs(20);

/// As that of a run.
const IMPATIENT: Duration = Duration::from_secs(1);

/// A scenario on three nodes, unless PostgreSQL cannot run here.
fn postgres(name: &str, settings: serde_json::Value, scenario: impl AsyncFnOnce(&Setup)) {
    let binary = "/usr/lib/postgresql/15/bin/postgres";
    with(name, "postgres", binary, settings, 3, scenario);
}

async fn write(client: &mut Box<dyn Client>, value: i64) -> Answer {
    client.invoke(&[MicroOp::Write { key: KEY, value }]).await
}

async fn read(client: &mut Box<dyn Client>) -> Answer {
    client.invoke(&[MicroOp::read(KEY)]).await
}

/// What a successful read found, and which node answered.
fn found(answer: &Answer) -> (Reading, NodeId) {
    match answer {
        Answer::Ok { micro_ops, node: Some(node), .. } => match micro_ops[..] {
            [
                MicroOp::Read { result: Some(result), .. }
                | MicroOp::Inspect { result: Some(result), .. },
            ] => (result, *node),
            _ => panic!("expected a read, found {micro_ops:?}"),
        },
        other => panic!("expected a result, found {other:?}"),
    }
}

/// Where a successful write was made, and its version.
fn made(answer: &Answer) -> (NodeId, Version) {
    match answer {
        Answer::Ok { node: Some(node), version: Some(version), .. } => (*node, *version),
        other => panic!("expected a node and a version, found {other:?}"),
    }
}

fn assert_unknown(answer: &Answer) {
    assert!(matches!(answer, Answer::Info(_)), "expected an unknown outcome, found {answer:?}");
}

fn assert_failed(answer: &Answer) {
    assert!(matches!(answer, Answer::Fail(_)), "expected a failure, found {answer:?}");
}

impl Setup {
    async fn held(&self, node: NodeId) -> Reading {
        let mut client = self.client(90 + node.0, node, PATIENT).await;
        found(&client.invoke(&[MicroOp::inspect(KEY)]).await).0
    }

    /// Waits until these nodes hold a value.
    async fn all_hold(&self, nodes: &[NodeId], value: i64) {
        for node in nodes {
            self.eventually(async || self.held(*node).await == Reading::Value(value)).await;
        }
    }

    async fn primaries(&self) -> Vec<NodeId> {
        self.store.primaries(&self.lab).await
    }

    async fn promote(&self, node: NodeId) {
        self.store.promote(&self.lab, node).await.expect("it is promoted");
    }

    /// What the controller does at the end of a run.
    async fn recover(&self) {
        self.store.recover(&self.lab).await.expect("an operator can put it in order");
        self.ready().await;
    }

    /// Has a standby replay nothing more.
    async fn pause_replay(&self, node: NodeId) {
        const PAUSE: &str = "cd /; PGPASSFILE=/var/lib/perjury/run/postgres/passfile \
            psql -h 127.0.0.1 -U postgres -c 'select pg_wal_replay_pause()'";
        self.said(node, PAUSE).await;
    }

    async fn resume_replay(&self, node: NodeId) {
        const RESUME: &str = "cd /; PGPASSFILE=/var/lib/perjury/run/postgres/passfile \
            psql -h 127.0.0.1 -U postgres -c 'select pg_wal_replay_resume()'";
        self.said(node, RESUME).await;
    }
}

#[test]
fn an_asynchronous_failover_loses_what_was_acknowledged() {
    postgres("pgasync", json!({}), async |setup| {
        assert_eq!(setup.primaries().await, [N1]);
        let mut client = setup.client(0, N3, PATIENT).await;
        let (node, first) = made(&write(&mut client, 1).await);
        assert_eq!((node, first.epoch), (N1, 1));
        setup.all_hold(&ALL, 1).await;

        let to_node = setup.variant(json!({ "writes": "node" }));
        let mut at_standby = setup.client_of(to_node.as_ref(), 1, N2, PATIENT).await;
        assert_eq!(write(&mut at_standby, 9).await, Answer::Fail("read-only (25006)".to_owned()));

        setup.cut_off(N1).await;
        let (node, lost) = made(&write(&mut client, 2).await);
        assert_eq!((node, lost.epoch), (N1, 1), "it is still acknowledged");
        setup.promote(N2).await;
        assert_eq!(setup.primaries().await, [N1, N2], "the old primary is not fenced");
        let mut other = setup.client(1, N1, PATIENT).await;
        assert_eq!(found(&read(&mut other).await), (Reading::Value(1), N2), "the latest timeline");
        let (node, third) = made(&write(&mut other, 3).await);
        assert_eq!((node, third.epoch), (N2, 2));
        setup.all_hold(&[N2, N3], 3).await;
        assert_eq!(setup.held(N1).await, Reading::Value(2));

        setup.join_again(N1).await;
        setup.recover().await;
        assert_eq!(setup.primaries().await, [N2]);
        setup.all_hold(&ALL, 3).await;
        assert_eq!(made(&write(&mut client, 4).await).0, N2, "it has looked again");

        // Timelines belong to one node each, even if the standby never heard of the last one.
        setup.signal(N2, Signal::Kill).await;
        setup.promote(N3).await;
        setup.store.start(&setup.lab, N2).await.expect("it starts");
        setup.eventually(async || setup.primaries().await == [N2, N3]).await;
        setup.recover().await;
        let (node, last) = made(&write(&mut other, 5).await);
        assert_eq!((node, last.epoch), (N3, 3));
        setup.all_hold(&ALL, 5).await;
    });
}

#[test]
fn a_fenced_failover_of_a_quorum_loses_nothing() {
    let settings = json!({
        "replication": "quorum", "fencing": true, "promotion": "caught-up",
        "at-time-out": "disconnect",
    });
    postgres("pgquorum", settings, async |setup| {
        let mut client = setup.client(0, N1, PATIENT).await;
        made(&write(&mut client, 1).await);
        setup.all_hold(&ALL, 1).await;

        // n2 lacks what n3 has, gets it, and only then takes over.
        setup.cut_off(N2).await;
        made(&write(&mut client, 2).await);
        assert_eq!(setup.held(N2).await, Reading::Value(1));
        setup.signal(N1, Signal::Kill).await;
        setup.join_again(N2).await;
        setup.promote(N2).await;
        assert_eq!(setup.held(N2).await, Reading::Value(2));
        // It is brought up again as what it is to be now.
        setup.store.start(&setup.lab, N1).await.expect("it starts");
        setup.ready().await;
        assert_eq!(setup.primaries().await, [N2]);

        // A primary that is cut off acknowledges nothing, and is stopped before another leads.
        setup.cut_off(N2).await;
        let mut impatient = setup.client(1, N2, IMPATIENT).await;
        assert_unknown(&write(&mut impatient, 3).await);
        setup.promote(N3).await;
        assert_eq!(setup.primaries().await, [N3]);
        let mut other = setup.client(2, N2, PATIENT).await;
        assert_eq!(found(&read(&mut other).await), (Reading::Value(2), N3));
        let (_, version) = made(&write(&mut other, 4).await);
        assert_eq!(version.epoch, 3);

        // With one standby less than that, a loss could not be excluded.
        setup.signal(N1, Signal::Stop).await;
        let refused = setup.store.promote(&setup.lab, N1).await.expect_err("it is paused");
        assert!(matches!(refused, StoreError::Unreachable { node: N1, .. }), "{refused}");
        assert_eq!(setup.primaries().await, [N3], "nothing was done");
        setup.signal(N1, Signal::Continue).await;
        setup.join_again(N2).await;
        setup.recover().await;
        let mut after = setup.client(3, N1, PATIENT).await;
        made(&write(&mut after, 5).await);
        setup.all_hold(&ALL, 5).await;
    });
}

#[test]
fn standbys_answer_with_what_they_have_and_sessions_know_better() {
    let settings = json!({ "reads": "standby" });
    postgres("pgreads", settings, async |setup| {
        let session = setup.variant(json!({ "reads": "session" }));
        let mut client = setup.client(0, N2, PATIENT).await;
        let mut careful = setup.client_of(session.as_ref(), 1, N2, PATIENT).await;
        made(&write(&mut careful, 1).await);
        setup.all_hold(&ALL, 1).await;
        assert_eq!(found(&read(&mut careful).await), (Reading::Value(1), N2));

        setup.pause_replay(N2).await;
        let (node, _) = made(&write(&mut careful, 2).await);
        assert_eq!(node, N1);
        assert_eq!(found(&read(&mut client).await), (Reading::Value(1), N2), "stale");
        assert_eq!(found(&read(&mut careful).await), (Reading::Value(2), N1), "its own write");
        setup.resume_replay(N2).await;
        setup.all_hold(&ALL, 2).await;
        setup.eventually(async || found(&read(&mut careful).await).1 == N2).await;

        // Of a paused primary nothing is known but that a read changed nothing.
        let primary = setup.variant(json!({ "reads": "primary" }));
        let mut reader = setup.client_of(primary.as_ref(), 2, N3, IMPATIENT).await;
        let mut writer = setup.client_of(primary.as_ref(), 3, N3, IMPATIENT).await;
        let first = setup.done(&mut reader, MicroOp::read(KEY)).await;
        assert_eq!(found(&first), (Reading::Value(2), N1));
        made(&setup.done(&mut writer, MicroOp::Write { key: KEY, value: 3 }).await);
        setup.signal(N1, Signal::Stop).await;
        assert_failed(&read(&mut reader).await);
        assert_unknown(&write(&mut writer, 4).await);
        assert_failed(&write(&mut writer, 5).await);
        setup.signal(N1, Signal::Continue).await;
        setup.ready().await;

        // A node without data is made anew.
        setup.signal(N3, Signal::Kill).await;
        setup.said(N3, "rm -rf /var/lib/perjury/data/postgres").await;
        setup.store.start(&setup.lab, N3).await.expect("it starts");
        setup.ready().await;
        made(&setup.done(&mut writer, MicroOp::Write { key: KEY, value: 6 }).await);
        setup.all_hold(&ALL, 6).await;
    });
}
