//! Transactions of several statements, and what each isolation level lets through.

use perjury_history::MicroOp;

use super::super::client::PostgresClient;
use super::super::settings::{Isolation, PostgresSettings};
use super::server::{Server, soon};
use super::{LONG, SHORT, client};
use crate::{Answer, Client};

fn at(server: &Server, isolation: Isolation) -> PostgresClient {
    client(server, PostgresSettings { isolation, ..PostgresSettings::default() }, LONG)
}

const LEVELS: [Isolation; 3] =
    [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];

async fn done(client: &mut PostgresClient, operation: &[MicroOp]) -> Vec<String> {
    match client.invoke(operation).await {
        Answer::Ok { micro_ops, .. } => micro_ops.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

fn failed(reason: &str) -> Answer {
    Answer::Fail(reason.to_owned())
}

#[tokio::test]
async fn a_transaction_happens_whole_or_not_at_all() {
    let Some(server) = Server::start(&[]) else { return };
    drop(server.console().await);
    let mut client = at(&server, Isolation::Serializable);
    let steps = [
        MicroOp::Write { key: 1, value: 5 },
        MicroOp::Write { key: 2, value: 0 },
        MicroOp::Transfer { from: 1, to: 2, amount: 2 },
        MicroOp::read(1),
        MicroOp::Append { key: 1, value: 7 },
        MicroOp::Append { key: 1, value: -7 },
        MicroOp::read_list(1),
        MicroOp::read_list(2),
        MicroOp::Add { key: 1, value: 8 },
        MicroOp::read_set(1),
    ];
    let expected = [
        "write 1 5",
        "write 2 0",
        "transfer 1 2 2",
        "read 1 -> 3",
        "append 1 7",
        "append 1 -7",
        "read-list 1 -> [7, -7]",
        "read-list 2 -> []",
        "add 1 8",
        "read-set 1 -> {8}",
    ];
    assert_eq!(done(&mut client, &steps).await, expected);
    let add = MicroOp::Add { key: 1, value: 9 };
    let transfer = |from, to| MicroOp::Transfer { from, to, amount: 4 };
    assert_eq!(client.invoke(&[add.clone(), transfer(1, 2)]).await, failed("mismatch"));
    assert_eq!(client.invoke(&[transfer(3, 1)]).await, failed("mismatch"), "no such account");
    let cas = MicroOp::Cas { key: 1, old: 4, new: 5 };
    assert_eq!(client.invoke(&[add.clone(), cas]).await, failed("mismatch"));
    let look = client.invoke(&[add.clone(), MicroOp::inspect(1)]).await;
    assert_eq!(look, failed("not offered by this client"));
    let overflow = MicroOp::Increment { key: 1, delta: i64::MAX };
    let overflown = client.invoke(&[add, overflow.clone(), overflow]).await;
    assert_eq!(overflown, failed("invalid value (22003)"));
    // The connection is as good as new after each of them.
    let reads = [MicroOp::read(1), MicroOp::read(2), MicroOp::read_set(1)];
    let unchanged = ["read 1 -> 3", "read 2 -> 2", "read-set 1 -> {8}"];
    assert_eq!(done(&mut client, &reads).await, unchanged);
    assert_eq!(done(&mut client, &[MicroOp::Append { key: 1, value: 1 }]).await, ["append 1 1"]);
    assert_eq!(done(&mut client, &[MicroOp::read_list(1)]).await, ["read-list 1 -> [7, -7, 1]"]);
}

/// Whether something shows in one of several rounds; what is not expected to show gets one round only.
async fn shows(expected: bool, mut round: impl AsyncFnMut(i64) -> bool) -> bool {
    let rounds = if expected { 40 } else { 1 };
    for number in 0..rounds {
        if round(number).await {
            return true;
        }
    }
    false
}

/// Runs pairs of transactions side by side.
async fn side_by_side(
    server: &Server,
    isolation: Isolation,
    pairs: std::ops::Range<i64>,
    transaction: impl Fn(i64, i64) -> Vec<MicroOp>,
) -> Vec<[Answer; 2]> {
    let mut clients = [at(server, isolation), at(server, isolation)];
    let mut answers = Vec::new();
    for pair in pairs {
        let [one, other] = &mut clients;
        let operations = [transaction(pair, 0), transaction(pair, 1)];
        let (first, second) =
            tokio::join!(one.invoke(&operations[0]), other.invoke(&operations[1]));
        answers.push([first, second]);
    }
    answers
}

#[tokio::test]
async fn write_skew_needs_serializable_to_be_forbidden() {
    let Some(server) = Server::start(&[]) else { return };
    drop(server.console().await);
    for (isolation, level) in LEVELS.into_iter().zip(0..) {
        let skew = |pair: i64, which: i64| {
            let groups = [2 * pair, 2 * pair + 1];
            let added = MicroOp::Add { key: groups[which as usize], value: 2 * pair + which };
            vec![MicroOp::read_set(groups[0]), MicroOp::read_set(groups[1]), added]
        };
        let empty = |answer: &Answer| {
            match answer {
            Answer::Ok { micro_ops, .. } => micro_ops[..2].iter().all(|read| {
                matches!(read, MicroOp::ReadSet { result: Some(elements), .. } if elements.is_empty())
            }),
            Answer::Fail(reason) => {
                assert_eq!(reason, "serialization failure (40001)", "{isolation:?}");
                false
            }
            Answer::Info(reason) => panic!("{reason}"),
        }
        };
        let expected = isolation != Isolation::Serializable;
        let skewed = shows(expected, async |round| {
            let first = 10_000 * level + 50 * round;
            let pairs = side_by_side(&server, isolation, first..first + 50, skew).await;
            pairs.iter().any(|pair| pair.iter().all(empty))
        });
        assert_eq!(skewed.await, expected, "{isolation:?}");
    }
}

#[tokio::test]
async fn transfers_lose_money_at_read_committed_only() {
    let Some(server) = Server::start(&[]) else { return };
    drop(server.console().await);
    for isolation in LEVELS {
        let accounts = [0, 1, 2].map(|key| MicroOp::Write { key, value: 1_000 });
        done(&mut at(&server, isolation), &accounts).await;
        let transfer = |_, which| vec![MicroOp::Transfer { from: which, to: 2, amount: 1 }];
        let expected = isolation == Isolation::ReadCommitted;
        let lost = shows(expected, async |_| {
            let pairs = side_by_side(&server, isolation, 0..20, transfer).await;
            for answer in pairs.iter().flatten() {
                let reasons = ["serialization failure (40001)", "deadlock (40P01)"];
                let is_expected = match answer {
                    Answer::Ok { .. } => true,
                    Answer::Fail(reason) => reasons.contains(&reason.as_str()),
                    Answer::Info(_) => false,
                };
                assert!(is_expected, "{isolation:?}: {answer:?}");
            }
            let reads = [MicroOp::read(0), MicroOp::read(1), MicroOp::read(2)];
            let Answer::Ok { micro_ops, .. } = at(&server, isolation).invoke(&reads).await else {
                panic!("nobody else is there")
            };
            let balances = micro_ops.iter().map(|read| match read {
                MicroOp::Read { result: Some(balance), .. } => balance.value().expect("an account"),
                other => panic!("{other}"),
            });
            balances.sum::<i64>() != 3_000
        });
        assert_eq!(lost.await, expected, "{isolation:?}");
    }
}

#[tokio::test]
async fn deadlocks_are_failures() {
    let Some(server) = Server::start(&["deadlock_timeout=20ms"]) else { return };
    drop(server.console().await);
    let crossed = |_, which| {
        let write = |key| MicroOp::Write { key, value: which };
        vec![write(which), MicroOp::read(5), write(1 - which)]
    };
    let deadlock = shows(true, async |_| {
        let pairs = side_by_side(&server, Isolation::ReadCommitted, 0..20, crossed).await;
        pairs.iter().flatten().any(|answer| *answer == failed("deadlock (40P01)"))
    });
    assert!(deadlock.await);
}

#[tokio::test]
async fn until_it_commits_a_transaction_certainly_fails() {
    let Some(mut server) = Server::start(&[]) else { return };
    let console = server.console().await;
    let write = |value| MicroOp::Write { key: 1, value };
    let block = "do $$ begin lock table elements; perform pg_sleep(600); end $$";
    let blocked = tokio::spawn(async move { console.run(block, &[], soon()).await.is_ok() });
    let locked = "select count(*) = 1 from pg_locks where mode = 'AccessExclusiveLock' and granted \
                  and relation = 'elements'::regclass";
    server.until(locked).await;
    // One whose time is up before its second statement is done, and one whose server dies.
    let steps = [write(2), MicroOp::Add { key: 1, value: 1 }];
    let mut hasty = client(&server, PostgresSettings::default(), SHORT);
    let mut answer = hasty.invoke(&steps).await;
    while answer != failed("timed out") {
        // It may not even have connected in so short a time.
        assert!(matches!(answer, Answer::Fail(_)), "{answer:?}");
        answer = hasty.invoke(&steps).await;
    }
    let mut patient = at(&server, Isolation::ReadCommitted);
    let waiting = tokio::spawn(async move { patient.invoke(&steps).await });
    server.until("select count(*) = 1 from pg_stat_activity where wait_event_type = 'Lock'").await;
    server.kill();
    assert_eq!(waiting.await.expect("it ends"), failed("connection lost"));
    assert!(!blocked.await.expect("it ends"));
}

#[tokio::test]
async fn a_commit_without_an_answer_is_unknown() {
    let Some(server) = Server::start(&["synchronous_standby_names=nobody"]) else { return };
    drop(server.console().await);
    let mut client = client(&server, PostgresSettings::default(), SHORT);
    while !matches!(client.invoke(&[MicroOp::read(1)]).await, Answer::Ok { .. }) {}
    let steps = [MicroOp::read(1), MicroOp::Write { key: 1, value: 2 }];
    assert_eq!(client.invoke(&steps).await, Answer::Info("timed out".to_owned()));
    server.until("select count(*) = 1 from registers").await;
}
