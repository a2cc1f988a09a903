//! The client against a real server on this machine. What needs several nodes is in
//! `stores/tests/postgres.rs`.

mod server;
mod transactions;

use std::sync::Arc;
use std::time::Duration;

use perjury_history::{MicroOp, NodeId, Process, Reading, Value, Version};

use super::client::PostgresClient;
use super::settings::{AtTimeOut, PostgresSettings, SynchronousCommit};
use crate::{Answer, Client, Session};
use server::{Server, soon};

/// How long a client waits that is to be answered.
const LONG: Duration = Duration::from_secs(60);

/// How long one waits that is not.
const SHORT: Duration = Duration::from_millis(300);

const NODE: NodeId = NodeId(0);

fn client(server: &Server, settings: PostgresSettings, timeout: Duration) -> PostgresClient {
    let session = Session { process: Process(0), timeout_ns: timeout.as_nanos() as u64 };
    let endpoints = [server.endpoint.clone()].into();
    PostgresClient::new(Arc::new(settings), endpoints, NODE, session)
}

fn usual(server: &Server) -> PostgresClient {
    client(server, PostgresSettings::default(), LONG)
}

async fn write(client: &mut PostgresClient, value: Value) -> Answer {
    client.invoke(&[MicroOp::Write { key: 1, value }]).await
}

async fn read(client: &mut PostgresClient) -> (Reading, Option<Version>) {
    match client.invoke(&[MicroOp::read(1)]).await {
        Answer::Ok { micro_ops, version, .. } => match micro_ops[..] {
            [MicroOp::Read { result: Some(reading), .. }] => (reading, version),
            _ => panic!("{micro_ops:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn version(answer: &Answer) -> Version {
    match answer {
        Answer::Ok { version: Some(version), .. } => *version,
        other => panic!("no version in {other:?}"),
    }
}

#[tokio::test]
async fn what_was_written_is_read_with_the_same_version() {
    let Some(server) = Server::start(&[]) else { return };
    drop(server.console().await);
    let mut client = usual(&server);
    assert_eq!(read(&mut client).await, (Reading::Nil, None));
    let first = version(&write(&mut client, 7).await);
    assert_eq!(first.epoch, 1, "the first timeline");
    assert_eq!(read(&mut client).await, (Reading::Value(7), Some(first)));
    let second = version(&client.invoke(&[MicroOp::Cas { key: 1, old: 7, new: 8 }]).await);
    assert!(second > first);
    let again = client.invoke(&[MicroOp::Cas { key: 1, old: 7, new: 9 }]).await;
    assert_eq!(again, Answer::Fail("mismatch".to_owned()));
    let inspected = client.invoke(&[MicroOp::inspect(1)]).await;
    let held = MicroOp::Inspect { key: 1, result: Some(Reading::Value(8)) };
    let expected = Answer::Ok { micro_ops: vec![held], node: Some(NODE), version: Some(second) };
    assert_eq!(inspected, expected);
    let nothing = client.invoke(&[]).await;
    assert_eq!(nothing, Answer::Fail("not offered by this client".to_owned()));
}

#[tokio::test]
async fn versions_of_a_row_grow_with_its_writes() {
    let Some(server) = Server::start(&[]) else { return };
    drop(server.console().await);
    assert!(matches!(write(&mut usual(&server), 0).await, Answer::Ok { .. }));
    // Whoever finds the last value replaces it by the next: the values are in the order of the writes.
    let race = async |_| {
        let mut client = usual(&server);
        let mut versions = Vec::new();
        loop {
            let (Reading::Value(old), _) = read(&mut client).await else {
                panic!("it was written")
            };
            if old == 200 {
                return versions;
            }
            let answer = client.invoke(&[MicroOp::Cas { key: 1, old, new: old + 1 }]).await;
            match &answer {
                Answer::Ok { .. } => versions.push((old + 1, version(&answer))),
                other => assert_eq!(*other, Answer::Fail("mismatch".to_owned())),
            }
        }
    };
    let mut versions: Vec<_> =
        futures::future::join_all((0..6).map(race)).await.into_iter().flatten().collect();
    versions.sort_unstable();
    assert_eq!(versions.len(), 200);
    assert!(versions.is_sorted_by(|one, next| one.1 < next.1), "{versions:?}");
}

#[tokio::test]
async fn sets_and_counters_are_read_by_both_ways() {
    let Some(server) = Server::start(&[]) else { return };
    drop(server.console().await);
    let mut client = usual(&server);
    let mut versions = Vec::new();
    // What is added twice is in the set once, where it was.
    for value in [3, -1, 3] {
        versions.push(version(&client.invoke(&[MicroOp::Add { key: 1, value }]).await));
    }
    assert!(versions[1] > versions[0] && versions[2] == versions[0], "{versions:?}");
    for delta in [5, -7] {
        version(&client.invoke(&[MicroOp::Increment { key: 1, delta }]).await);
    }
    let asked = [1, 2].map(|key| {
        [
            MicroOp::read_set(key),
            MicroOp::inspect_set(key),
            MicroOp::read_counter(key),
            MicroOp::inspect_counter(key),
        ]
    });
    let mut found = Vec::new();
    for micro_op in asked.into_iter().flatten() {
        match client.invoke(&[micro_op]).await {
            Answer::Ok { micro_ops, .. } => found.push(micro_ops[0].to_string()),
            other => panic!("{other:?}"),
        }
    }
    let expected = [
        "read-set 1 -> {3, -1}",
        "inspect-set 1 -> {3, -1}",
        "read-counter 1 -> -2",
        "inspect-counter 1 -> -2",
        "read-set 2 -> {}",
        "inspect-set 2 -> {}",
        "read-counter 2 -> 0",
        "inspect-counter 2 -> 0",
    ];
    assert_eq!(found, expected);
    let too_much = client.invoke(&[MicroOp::Increment { key: 1, delta: i64::MIN }]).await;
    assert_eq!(too_much, Answer::Fail("invalid value (22003)".to_owned()));
}

#[tokio::test]
async fn without_durable_commits_no_version_is_claimed() {
    let Some(server) = Server::start(&["synchronous_commit=off"]) else { return };
    drop(server.console().await);
    let settings = PostgresSettings {
        synchronous_commit: SynchronousCommit::Off,
        ..PostgresSettings::default()
    };
    let mut client = client(&server, settings, LONG);
    let written = write(&mut client, 7).await;
    assert!(matches!(written, Answer::Ok { version: None, .. }), "{written:?}");
    assert_eq!(read(&mut client).await, (Reading::Value(7), None));
}

#[tokio::test]
async fn a_server_that_dies_leaves_a_write_unknown_and_refuses_the_next() {
    let Some(mut server) = Server::start(&[]) else { return };
    let console = server.console().await;
    let (mut writer, mut reader) = (usual(&server), usual(&server));
    assert!(matches!(write(&mut writer, 1).await, Answer::Ok { .. }));
    read(&mut reader).await;
    // Both wait for a lock when the server dies.
    let block = "do $$ begin lock table registers; perform pg_sleep(600); end $$";
    let blocked = tokio::spawn(async move { console.run(block, &[], soon()).await.is_ok() });
    let locked = "select count(*) = 1 from pg_locks where mode = 'AccessExclusiveLock' and granted \
                  and relation = 'registers'::regclass";
    server.until(locked).await;
    let written = tokio::spawn(async move { (write(&mut writer, 2).await, writer) });
    let was_read = tokio::spawn(async move { reader.invoke(&[MicroOp::read(1)]).await });
    let waiting = "select count(*) = 2 from pg_stat_activity where wait_event_type = 'Lock'";
    server.until(waiting).await;
    server.kill();
    let (written, mut writer) = written.await.expect("it ends");
    let was_read = was_read.await.expect("it ends");
    assert!(matches!(written, Answer::Info(_)), "{written:?}");
    assert!(matches!(was_read, Answer::Fail(_)), "{was_read:?}");
    assert!(!blocked.await.expect("it ends"));
    let refused = write(&mut writer, 3).await;
    assert_eq!(refused, Answer::Fail("no node says that it is the primary".to_owned()));
}

#[tokio::test]
async fn a_read_only_server_is_a_failure() {
    let Some(server) = Server::start(&["default_transaction_read_only=on"]) else { return };
    drop(server.console().await);
    let refused = write(&mut usual(&server), 1).await;
    assert_eq!(refused, Answer::Fail("read-only (25006)".to_owned()));
}

/// A commit that waits for a standby which never comes.
async fn unreplicated(at_time_out: AtTimeOut) -> Option<(Server, PostgresClient)> {
    let server = Server::start(&["synchronous_standby_names=nobody"])?;
    drop(server.console().await);
    let settings = PostgresSettings { at_time_out, ..PostgresSettings::default() };
    let mut client = client(&server, settings, SHORT);
    // It must be connected already: what is not sent does not happen.
    let connected = |answer: &Answer| matches!(answer, Answer::Ok { .. });
    while !connected(&client.invoke(&[MicroOp::read(1)]).await) {}
    Some((server, client))
}

#[tokio::test]
async fn a_commit_that_was_cancelled_at_its_time_out_is_unknown_and_visible() {
    let Some((server, mut client)) = unreplicated(AtTimeOut::Cancel).await else { return };
    assert_eq!(write(&mut client, 1).await, Answer::Info("timed out".to_owned()));
    server.until("select count(*) = 1 from registers").await;
}

#[tokio::test]
async fn a_commit_whose_client_only_left_stays_invisible() {
    let Some((server, mut client)) = unreplicated(AtTimeOut::Disconnect).await else { return };
    assert_eq!(write(&mut client, 1).await, Answer::Info("timed out".to_owned()));
    server.until("select count(*) = 1 from pg_stat_activity where wait_event = 'SyncRep'").await;
    assert_eq!(read(&mut usual(&server)).await.0, Reading::Nil);
}

#[tokio::test]
async fn success_with_a_warning_is_unknown() {
    let Some((server, _)) = unreplicated(AtTimeOut::Disconnect).await else { return };
    let mut patient = usual(&server);
    let cancel = "select count(pg_cancel_backend(pid)) = 1 from pg_stat_activity \
                  where wait_event = 'SyncRep'";
    let (answer, ()) = tokio::join!(write(&mut patient, 1), server.until(cancel));
    let warning = "canceling wait for synchronous replication due to user request";
    assert_eq!(answer, Answer::Info(warning.to_owned()));
}
