//! The embedded store on a simulated lab, seen through its public door: settings from a table, the
//! five nodes of a lab, and clients that must never call a thing failed that may have happened.

use std::sync::Arc;

use perjury_history::{MicroOp, NodeId, Process, Reading};
use perjury_lab::simulated::{Impairment, Link, Settings};
use perjury_lab::{Clock, Lab, SimulatedLab};
use perjury_stores::{Answer, Client, Session, Store, StoreError};
use serde_json::{Value, json};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const NODES: u32 = 5;
const KEY: i64 = 7;

/// A running store.
struct Setup {
    lab: SimulatedLab,
    store: Box<dyn Store>,
}

fn store(settings: Value) -> Result<Box<dyn Store>, StoreError> {
    perjury_stores::store("replica", settings, NODES)
}

fn refusal(name: &str, settings: Value, nodes: u32) -> String {
    perjury_stores::store(name, settings, nodes).map(|_| ()).expect_err("refused").to_string()
}

/// Runs a scenario on a store with these settings, once it serves.
fn with<F: Future>(settings: Value, scenario: impl FnOnce(Arc<Setup>) -> F) -> F::Output {
    let lab = SimulatedLab::new(NODES, &Settings::default(), 1).expect("good settings");
    let store = store(settings).expect("good settings");
    let setup = Arc::new(Setup { lab: lab.clone(), store });
    let main = async {
        for node in lab.nodes() {
            setup.store.install(&setup.lab(), node).await.expect("a simulated lab");
            setup.store.start(&setup.lab(), node).await.expect("a simulated lab");
        }
        setup.ready(10 * SECOND).await.expect("it comes up");
        scenario(setup.clone()).await
    };
    lab.run(main).expect("it does not stall")
}

impl Setup {
    fn lab(&self) -> Lab {
        Lab::Simulated(self.lab.clone())
    }

    async fn ready(&self, patience_ns: u64) -> Result<(), StoreError> {
        self.store.await_ready(&self.lab(), patience_ns).await
    }

    async fn client(&self, process: u32, node: NodeId, timeout_ns: u64) -> Box<dyn Client> {
        let session = Session { process: Process(process), timeout_ns };
        self.store.connect(&self.lab(), node, session).await
    }

    /// Has a process of its own ask once.
    async fn ask(&self, node: NodeId, micro_op: MicroOp) -> Answer {
        // One client per process and node: so distinct in time is enough.
        let process = 1_000 + (self.lab.now_ns() / 1_000) as u32;
        self.client(process, node, 500 * MS).await.invoke(&[micro_op]).await
    }

    async fn leader(&self) -> NodeId {
        let primaries = self.store.primaries(&self.lab()).await;
        *primaries.first().expect("there is a leader")
    }

    async fn follower(&self) -> NodeId {
        let leader = self.leader().await;
        self.others(leader)[0]
    }

    fn others(&self, than: NodeId) -> Vec<NodeId> {
        self.lab.nodes().into_iter().filter(|&node| node != than).collect()
    }

    async fn sleep(&self, duration_ns: u64) {
        self.lab.sleep_until(self.lab.now_ns() + duration_ns).await;
    }

    /// Cuts a node off from all others, until `restore_links(1)`.
    fn isolate(&self, node: NodeId) {
        let links = self
            .others(node)
            .into_iter()
            .flat_map(|other| [Link { from: node, to: other }, Link { from: other, to: node }]);
        let cut = Impairment { cut: true, ..Impairment::default() };
        self.lab.impair_links(1, links.collect(), cut);
    }

    async fn start(&self, node: NodeId) {
        self.store.start(&self.lab(), node).await.expect("it starts");
    }
}

fn write(value: i64) -> MicroOp {
    MicroOp::Write { key: KEY, value }
}

fn read() -> MicroOp {
    MicroOp::Read { key: KEY, result: None }
}

fn cas(old: i64, new: i64) -> MicroOp {
    MicroOp::Cas { key: KEY, old, new }
}

fn inspect() -> MicroOp {
    MicroOp::Inspect { key: KEY, result: None }
}

/// What a read or an inspection returned.
fn reading(answer: &Answer) -> Option<Reading> {
    match answer {
        Answer::Ok { micro_ops, .. } => match micro_ops[..] {
            [MicroOp::Read { result, .. } | MicroOp::Inspect { result, .. }] => result,
            _ => None,
        },
        _ => None,
    }
}

fn ok(answer: &Answer) -> bool {
    matches!(answer, Answer::Ok { .. })
}

fn fail(reason: &str) -> Answer {
    Answer::Fail(reason.to_owned())
}

fn info(reason: &str) -> Answer {
    Answer::Info(reason.to_owned())
}

#[test]
fn clients_read_write_compare_and_inspect_on_every_node() {
    with(json!({}), |it| async move {
        let leader = it.leader().await;
        for node in it.lab.nodes() {
            assert_eq!(reading(&it.ask(node, inspect()).await), Some(Reading::Nil));
        }
        for node in it.lab.nodes() {
            let mut client = it.client(node.0, node, 500 * MS).await;
            let value = 10 * i64::from(node.0);
            match client.invoke(&[write(value)]).await {
                Answer::Ok { micro_ops, node, version } => {
                    assert_eq!(micro_ops, [write(value)]);
                    assert_eq!(node, Some(leader), "the leader executes writes");
                    assert!(version.is_some_and(|version| version.position > 0));
                }
                other => panic!("{other:?}"),
            }
            assert!(ok(&client.invoke(&[cas(value, value + 1)]).await));
            assert_eq!(client.invoke(&[cas(value, 99)]).await, fail("mismatch"));
            let seen = client.invoke(&[read()]).await;
            assert_eq!(reading(&seen), Some(Reading::Value(value + 1)), "{node}");
            let nothing = MicroOp::Read { key: -1, result: None };
            assert_eq!(reading(&client.invoke(&[nothing]).await), Some(Reading::Nil));
        }
        it.sleep(500 * MS).await;
        for node in it.lab.nodes() {
            let seen = it.ask(node, inspect()).await;
            assert_eq!(reading(&seen), Some(Reading::Value(41)), "{node}");
            assert!(matches!(seen, Answer::Ok { node: Some(by), .. } if by == node));
        }
    });
}

#[test]
fn a_transaction_happens_whole_or_not_at_all() {
    let levels = ["serializable", "snapshot-isolation", "read-committed", "read-uncommitted"];
    for isolation in levels {
        with(json!({ "isolation": isolation }), |it| async move {
            let mut client = it.client(1, NodeId(0), 500 * MS).await;
            let steps = [
                MicroOp::Write { key: 1, value: 5 },
                MicroOp::Write { key: 2, value: 0 },
                MicroOp::Transfer { from: 1, to: 2, amount: 2 },
                MicroOp::read(1),
                MicroOp::Append { key: 1, value: 7 },
                MicroOp::read_list(1),
                MicroOp::Add { key: 1, value: 8 },
                MicroOp::read_set(1),
                MicroOp::Increment { key: 2, delta: 10 },
                MicroOp::read_counter(2),
            ];
            let Answer::Ok { micro_ops, node, version } = client.invoke(&steps).await else {
                panic!("{isolation}: it is done");
            };
            let shown: Vec<_> = micro_ops.iter().map(ToString::to_string).collect();
            let expected = [
                "write 1 5",
                "write 2 0",
                "transfer 1 2 2",
                "read 1 -> 3",
                "append 1 7",
                "read-list 1 -> [7]",
                "add 1 8",
                "read-set 1 -> {8}",
                "increment 2 10",
                "read-counter 2 -> 12",
            ];
            assert_eq!(shown, expected, "{isolation}");
            assert_eq!(node, Some(it.leader().await), "the leader executes what writes");
            assert!(version.is_some(), "{isolation}");
            let overdraft = [
                MicroOp::Write { key: 1, value: 0 },
                MicroOp::Transfer { from: 1, to: 2, amount: 1 },
            ];
            assert_eq!(client.invoke(&overdraft).await, fail("mismatch"), "{isolation}");
            let other = [write(1), cas(1, 2)];
            let refused = fail("the replica's transactions have no cas");
            assert_eq!(client.invoke(&other).await, refused, "{isolation}");
            let nothing = fail("expected an operation, found nothing to do");
            assert_eq!(client.invoke(&[]).await, nothing);
            assert_eq!(reading(&client.invoke(&[read()]).await), Some(Reading::Nil), "{isolation}");
            let mut lists = client.invoke(&[MicroOp::read_list(1)]).await;
            if let Answer::Ok { micro_ops, .. } = &mut lists {
                let list = MicroOp::ReadList { key: 1, result: Some([7].into()) };
                assert_eq!(*micro_ops, [list], "{isolation}");
            } else {
                panic!("{isolation}: {lists:?}");
            }
        });
    }
}

#[test]
fn a_transaction_without_an_answer_is_unknown_if_it_writes() {
    with(json!({ "isolation": "read-committed", "step-ms": 1_000 }), |it| async move {
        let mut client = it.client(1, NodeId(0), 500 * MS).await;
        assert!(matches!(client.invoke(&[read(), write(1)]).await, Answer::Info(_)));
        let mut client = it.client(2, NodeId(0), 500 * MS).await;
        assert!(matches!(client.invoke(&[read(), read()]).await, Answer::Fail(_)));
    });
}

#[test]
fn a_process_with_two_connections_loses_no_writes() {
    with(json!({}), |it| async move {
        let leader = it.leader().await;
        let [one, other] = it.others(leader)[..2] else { panic!("five nodes") };
        let mut one = it.client(3, one, 500 * MS).await;
        for value in 1..=5 {
            assert!(ok(&one.invoke(&[write(value)]).await));
        }
        // Its first request has a number that the leader has seen from the other connection.
        let mut other = it.client(3, other, 500 * MS).await;
        let answer = other.invoke(&[write(6)]).await;
        assert!(ok(&answer), "{answer:?}");
    });
}

#[test]
fn readiness_waits_for_every_node_and_says_what_is_missing() {
    with(json!({}), |it| async move {
        for node in [1, 2, 3].map(NodeId) {
            it.lab.kill(node);
        }
        let began_ns = it.lab.now_ns();
        match it.ready(SECOND).await {
            Err(StoreError::NotReady { waited_ms, problem }) => {
                assert!((1_000..1_200).contains(&waited_ms), "{waited_ms}");
                assert_eq!(problem, "n2 does not answer");
            }
            other => panic!("{other:?}"),
        }
        assert!(it.lab.now_ns() - began_ns < 1_300 * MS);
        for node in [1, 2, 3].map(NodeId) {
            it.start(node).await;
        }
        it.ready(10 * SECOND).await.expect("all are back");
        // At once: a node that knows no leader yet would refuse.
        let writes = it.lab.nodes().into_iter().map(|node| it.ask(node, write(1)));
        let answers = futures::future::join_all(writes).await;
        assert!(answers.iter().all(ok), "{answers:?}");
    });
}

#[test]
fn primaries_are_those_that_take_themselves_for_one_and_answer() {
    with(json!({}), |it| async move {
        let first = it.leader().await;
        let primaries = |it: Arc<Setup>| async move { it.store.primaries(&it.lab()).await };
        assert_eq!(primaries(it.clone()).await, [first]);
        it.isolate(first);
        it.sleep(3 * SECOND).await;
        let both = primaries(it.clone()).await;
        assert!(both.len() == 2 && both.contains(&first), "{both:?}");
        it.lab.pause(first);
        it.lab.crash(both.into_iter().find(|&node| node != first).expect("the new one"));
        let began_ns = it.lab.now_ns();
        let left = primaries(it.clone()).await;
        assert!(!left.contains(&first), "{left:?}");
        // Two silent nodes cost one time-out.
        assert!(it.lab.now_ns() - began_ns < 60 * MS);
    });
}

#[test]
fn what_no_process_heard_fails_and_what_one_may_have_heard_is_unknown() {
    with(json!({}), |it| async move {
        let node = it.follower().await;
        it.lab.kill(node);
        for micro_op in [read(), write(1), cas(1, 2), inspect()] {
            assert_eq!(
                it.ask(node, micro_op.clone()).await,
                fail("connection refused"),
                "{micro_op:?}"
            );
        }
        it.start(node).await;
        it.ready(10 * SECOND).await.expect("it is back");
        for (broken, reason) in [("silent", "timeout"), ("killed", "connection reset")] {
            for micro_op in [read(), write(1), cas(1, 2), inspect()] {
                it.lab.pause(node);
                let mut client = it.client(1, node, 500 * MS).await;
                let operation = [micro_op.clone()];
                let asked = client.invoke(&operation);
                let answer = match broken {
                    "silent" => asked.await,
                    _ => {
                        let killed = async {
                            it.sleep(100 * MS).await;
                            it.lab.kill(node);
                        };
                        futures::future::join(asked, killed).await.0
                    }
                };
                let changes = micro_op.is_mutation();
                let expected = if changes { info(reason) } else { fail(reason) };
                assert_eq!(answer, expected, "{broken}, {micro_op:?}");
                it.lab.resume(node);
                it.start(node).await;
                it.ready(10 * SECOND).await.expect("it is back");
            }
        }
    });
}

#[test]
fn an_operation_that_a_store_refuses_fails_and_one_it_doubts_is_unknown() {
    with(json!({}), |it| async move {
        let leader = it.leader().await;
        let followers = it.others(leader);
        // A leader that is replaced with the write in its log.
        it.isolate(leader);
        let mut client = it.client(1, leader, 20 * SECOND).await;
        let healed = async {
            it.sleep(2 * SECOND).await;
            it.lab.restore_links(1);
        };
        let (answer, ()) = futures::future::join(client.invoke(&[write(1)]), healed).await;
        assert_eq!(answer, info("leadership lost"));
        // One that is not replaced, but has nobody left.
        it.ready(10 * SECOND).await.expect("all are well");
        let leader = it.leader().await;
        it.isolate(leader);
        let mut client = it.client(2, leader, 20 * SECOND).await;
        assert_eq!(client.invoke(&[write(2)]).await, info("too few acknowledgements in time"));
        assert_eq!(client.invoke(&[read()]).await, fail("not the leader"));
        it.lab.restore_links(1);
        it.ready(10 * SECOND).await.expect("all are well");
        // A minority that knows that it has no leader.
        let leader = it.leader().await;
        for &node in followers.iter().chain([&leader]).filter(|&&node| node != NodeId(0)) {
            it.lab.kill(node);
        }
        it.lab.kill(NodeId(0));
        it.start(NodeId(0)).await;
        it.sleep(2 * SECOND).await;
        assert_eq!(it.ask(NodeId(0), write(3)).await, fail("no leader"));
        assert_eq!(it.ask(NodeId(0), read()).await, fail("no leader"));
    });
}

#[test]
fn a_node_that_has_left_says_so() {
    with(json!({ "acknowledge": "async", "rejoin": "refuse" }), |it| async move {
        let leader = it.leader().await;
        it.isolate(leader);
        assert!(ok(&it.ask(leader, write(1)).await), "a leader that asks nobody");
        it.sleep(3 * SECOND).await;
        let other = it.others(leader)[0];
        assert!(ok(&it.ask(other, write(2)).await), "there is a new leader");
        it.lab.restore_links(1);
        it.sleep(2 * SECOND).await;
        assert_eq!(it.ask(leader, write(3)).await, fail("node has left the cluster"));
        assert_eq!(it.ask(leader, read()).await, fail("node has left the cluster"));
        it.ready(10 * SECOND).await.expect("the others go on");
    });
}

/// One value of every setting that is not the default.
fn one_of_each() -> Vec<Value> {
    vec![
        json!({ "replication": "leader-follower" }),
        json!({ "acknowledge": "async" }),
        json!({ "acknowledge": { "semi-sync": 2 } }),
        json!({ "acknowledge": "sync" }),
        json!({ "acknowledge": "quorum" }),
        json!({ "failover": "none" }),
        json!({ "failover": "manual" }),
        json!({ "promote": "any" }),
        json!({ "fencing": "none" }),
        json!({ "rejoin": "keep" }),
        json!({ "rejoin": "refuse" }),
        json!({ "reads": "any-follower" }),
        json!({ "reads": "sticky-follower" }),
        json!({ "reads": { "leader-after-write": { "window-ms": 500 } } }),
        json!({ "reads": "session-token" }),
        json!({ "reads": { "cache": { "ttl-ms": 500 } } }),
        json!({ "leader-reads": "local" }),
        json!({ "leader-reads": "lease" }),
        json!({ "fsync": "periodic" }),
        json!({ "fsync-interval-ms": 77 }),
        json!({ "heartbeat-ms": 77 }),
        json!({ "election-timeout-ms": 777 }),
        json!({ "replication-interval-ms": 77 }),
        json!({ "snapshot-after": 77 }),
    ]
}

#[test]
fn every_setting_is_taken_from_a_table_named_and_works() {
    for settings in one_of_each() {
        let (name, value) = settings.as_object().and_then(|it| it.iter().next()).expect("one");
        let description = store(settings.clone()).expect("good settings").describe();
        let word = value.to_string().replace(['{', '}', '"'], "").replace(':', " ");
        assert!(description.contains(&word), "{name} = {value}: {description}");
        with(settings.clone(), |it| async move {
            for node in it.lab.nodes() {
                let answer = it.ask(node, write(i64::from(node.0))).await;
                assert!(ok(&answer), "{settings}: {answer:?}");
                it.sleep(100 * MS).await;
                let answer = it.ask(node, read()).await;
                let expected = Some(Reading::Value(i64::from(node.0)));
                assert_eq!(reading(&answer), expected, "{settings}: {answer:?}");
            }
        });
    }
}

#[test]
fn the_defaults_go_without_saying() {
    assert_eq!(
        store(json!({})).expect("the defaults").describe(),
        "leader-follower, acknowledge quorum, failover automatic, fencing epoch, reads leader \
         (confirmed on the leader), 5 nodes"
    );
    let odd = json!({ "fsync": "periodic", "heartbeat-ms": 20, "acknowledge": { "semi-sync": 1 } });
    assert_eq!(
        store(odd).expect("good settings").describe(),
        "leader-follower, acknowledge semi-sync 1, failover automatic, fencing epoch, reads leader \
         (local on the leader), 5 nodes, fsync periodic, heartbeat-ms 20"
    );
}

/// Whether a write is acknowledged while so many followers are gone.
fn writes_without(followers: usize, settings: Value) -> bool {
    with(settings, |it| async move {
        let leader = it.leader().await;
        for node in it.others(leader).into_iter().take(followers) {
            it.lab.kill(node);
        }
        ok(&it.ask(leader, write(1)).await)
    })
}

#[test]
fn acknowledge_reaches_the_nodes() {
    for (acknowledge, gone_max) in [
        (json!("sync"), 0),
        (json!("quorum"), 2),
        (json!({ "semi-sync": 1 }), 3),
        (json!("async"), 4),
    ] {
        for gone in 0..=4 {
            let written = writes_without(gone, json!({ "acknowledge": acknowledge }));
            assert_eq!(written, gone <= gone_max, "{acknowledge} without {gone}");
        }
    }
}

#[test]
fn failover_and_fencing_reach_the_nodes() {
    // Who leads while the first leader is cut off, and after it is back?
    for (settings, during, after) in [
        (json!({}), 2, 1),
        (json!({ "fencing": "none" }), 2, 2),
        (json!({ "failover": "none" }), 1, 1),
        (json!({ "failover": "manual" }), 1, 1),
    ] {
        with(settings.clone(), |it| async move {
            let leader = it.leader().await;
            it.isolate(leader);
            it.sleep(3 * SECOND).await;
            assert_eq!(it.store.primaries(&it.lab()).await.len(), during, "{settings}");
            it.lab.restore_links(1);
            it.sleep(3 * SECOND).await;
            assert_eq!(it.store.primaries(&it.lab()).await.len(), after, "{settings}");
        });
    }
}

#[test]
fn times_reach_the_nodes() {
    // How long is there no second leader after the first one fell silent?
    let silence_ms = |election_timeout_ms: u64| {
        with(json!({ "election-timeout-ms": election_timeout_ms }), |it| async move {
            let leader = it.leader().await;
            it.lab.pause(leader);
            let began_ns = it.lab.now_ns();
            while it.store.primaries(&it.lab()).await.is_empty() {
                it.sleep(10 * MS).await;
            }
            (it.lab.now_ns() - began_ns) / MS
        })
    };
    assert!((100..1_000).contains(&silence_ms(200)));
    assert!((3_500..10_000).contains(&silence_ms(4_000)));
    // How long does a follower not have what was written?
    let lag_ms = |settings: Value| {
        with(settings, |it| async move {
            let follower = it.follower().await;
            assert!(ok(&it.ask(follower, write(1)).await));
            let began_ns = it.lab.now_ns();
            while reading(&it.ask(follower, inspect()).await) != Some(Reading::Value(1)) {
                it.sleep(MS).await;
            }
            (it.lab.now_ns() - began_ns) / MS
        })
    };
    assert!(lag_ms(json!({ "acknowledge": "async" })) < 20);
    let late = json!({ "acknowledge": "async", "replication-interval-ms": 900, "heartbeat-ms": 2_000,
                       "election-timeout-ms": 4_000 });
    let late_ms = lag_ms(late);
    assert!((50..1_000).contains(&late_ms), "{late_ms}");
}

#[test]
fn read_routes_reach_the_nodes() {
    let served_by_leader = |reads: Value| {
        with(json!({ "reads": reads }), |it| async move {
            let (leader, node) = (it.leader().await, it.follower().await);
            let mut client = it.client(1, node, 500 * MS).await;
            let mut served = Vec::new();
            for _ in 0..20 {
                if let Answer::Ok { node: by, .. } = client.invoke(&[read()]).await {
                    served.push(by);
                }
            }
            assert_eq!(served.len(), 20);
            let different: std::collections::BTreeSet<_> = served.iter().collect();
            (served.contains(&Some(leader)), different.len())
        })
    };
    assert_eq!(served_by_leader(json!("leader")), (true, 1));
    assert_eq!(served_by_leader(json!("any-follower")), (false, 4));
    assert_eq!(served_by_leader(json!("sticky-follower")), (false, 1));
    assert!(!served_by_leader(json!({ "leader-after-write": { "window-ms": 100 } })).0);
    let after_write = json!({ "reads": { "leader-after-write": { "window-ms": 100 } } });
    with(after_write, |it| async move {
        let (leader, node) = (it.leader().await, it.follower().await);
        let mut client = it.client(1, node, 500 * MS).await;
        assert!(ok(&client.invoke(&[write(1)]).await));
        let at_once = client.invoke(&[read()]).await;
        assert!(matches!(at_once, Answer::Ok { node: Some(by), .. } if by == leader));
        it.sleep(200 * MS).await;
        let later = client.invoke(&[read()]).await;
        assert!(matches!(later, Answer::Ok { node: Some(by), .. } if by != leader));
    });
}

#[test]
fn what_reaches_the_disk_is_set() {
    // Does a write survive the power loss of everybody?
    let survives = |settings: Value| {
        with(settings, |it| async move {
            for value in 1..=50 {
                assert!(ok(&it.ask(NodeId(0), write(value)).await));
            }
            for node in it.lab.nodes() {
                it.lab.crash(node);
            }
            for node in it.lab.nodes() {
                it.start(node).await;
            }
            it.ready(20 * SECOND).await.expect("it comes up again");
            reading(&it.ask(NodeId(0), read()).await) == Some(Reading::Value(50))
        })
    };
    assert!(survives(json!({ "fsync": "always" })));
    assert!(!survives(json!({ "fsync": "periodic", "fsync-interval-ms": 60_000 })));
    assert!(survives(json!({ "fsync": "always", "snapshot-after": 10 })));
}

#[test]
fn settings_that_cannot_work_are_refused_with_a_reason() {
    let unheard = refusal("replika", json!({}), 5);
    assert!(unheard.starts_with("expected a store (") && unheard.contains("replica"), "{unheard}");
    assert!(unheard.ends_with("found `replika`"), "{unheard}");
    let unknown = refusal("replica", json!({ "acknowlege": "async" }), 5);
    assert!(unknown.starts_with("store `replica`: unknown field `acknowlege`"), "{unknown}");
    assert!(unknown.contains("`acknowledge`"), "{unknown}");
    let value = refusal("replica", json!({ "acknowledge": "most" }), 5);
    assert!(value.contains("unknown variant `most`") && value.contains("`quorum`"), "{value}");
    let form = refusal("replica", json!({ "heartbeat-ms": -1 }), 5);
    assert!(form.contains("-1"), "{form}");
    let inner = refusal("replica", json!({ "reads": { "cache": { "ttl": 5 } } }), 5);
    assert!(inner.contains("ttl-ms"), "{inner}");
    for (settings, nodes, expected) in [
        (json!({ "acknowledge": { "semi-sync": 3 } }), 3, "waits for 3 followers"),
        (json!({ "acknowledge": { "semi-sync": u32::MAX } }), 3, "waits for 4294967295 followers"),
        (json!({ "acknowledge": { "semi-sync": 0 } }), 3, "write \"async\" instead"),
        (json!({ "heartbeat-ms": 0 }), 3, "expected heartbeat-ms of at least 1"),
        (json!({ "heartbeat-ms": 200 }), 3, "at least twice heartbeat-ms"),
        (json!({ "election-timeout-ms": u64::MAX }), 3, "at most a day"),
        (json!({ "reads": { "cache": { "ttl-ms": u64::MAX } } }), 3, "expected ttl-ms of at most"),
        (json!({}), 0, "expected at least 1 node"),
    ] {
        let problem = refusal("replica", settings.clone(), nodes);
        assert!(problem.contains(expected), "{settings} on {nodes}: {problem}");
    }
}

#[test]
fn the_largest_figures_that_are_allowed_work() {
    let day_ms = 86_400_000_u64;
    for settings in [
        json!({ "snapshot-after": u64::MAX }),
        json!({ "reads": { "cache": { "ttl-ms": day_ms } } }),
        json!({ "reads": { "leader-after-write": { "window-ms": day_ms } } }),
        json!({ "election-timeout-ms": day_ms }),
        json!({ "fsync": "periodic", "fsync-interval-ms": day_ms }),
    ] {
        with(settings.clone(), |it| async move {
            assert!(ok(&it.ask(NodeId(0), write(1)).await), "{settings}");
            it.sleep(100 * MS).await;
            assert!(ok(&it.ask(NodeId(1), read()).await), "{settings}");
        });
    }
}

/// A node that lost its disk is a new follower: it gets a snapshot and the log from there on.
#[test]
fn a_wiped_node_is_rebuilt_from_a_snapshot_and_the_log() {
    with(json!({ "snapshot-after": 20 }), |setup| async move {
        let (leader, follower) = (setup.leader().await, setup.follower().await);
        for value in 0..100 {
            let written = setup.ask(leader, MicroOp::Write { key: value % 30, value }).await;
            assert!(matches!(written, Answer::Ok { .. }), "{value}: {written:?}");
        }
        setup.lab.crash(follower);
        setup.lab.wipe(follower);
        setup.store.start(&setup.lab(), follower).await.expect("a simulated lab");
        setup.lab.sleep_until(setup.lab.now_ns() + 2 * SECOND).await;
        for key in 0..30 {
            let newest = (0..100).rev().find(|value| value % 30 == key).expect("each was written");
            let Answer::Ok { micro_ops, .. } = setup.ask(follower, MicroOp::inspect(key)).await
            else {
                panic!("{follower} does not answer for {key}");
            };
            let result = Some(Reading::Value(newest));
            assert_eq!(micro_ops, [MicroOp::Inspect { key, result }]);
        }
    });
}
