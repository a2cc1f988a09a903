//! etcd for real: on machines made of namespaces, through the same door as a run.
//!
//! Each test makes a lab of its own and takes it away again. Where that cannot be, it says so.

mod namespaces;

use std::time::Duration;

use namespaces::{Setup, with};
use perjury_history::{MicroOp, NodeId, Reading, Value, Version};
use perjury_lab::machines::Signal;
use perjury_stores::{Answer, StoreError};
use serde_json::json;

const KEY: i64 = 7;

/// Longer than an election; an operation that needs the cluster is done by then or never.
const PATIENT: Duration = Duration::from_secs(10);

/// Shorter than etcd's own time-outs, as that of a run.
const IMPATIENT: Duration = Duration::from_secs(1);

/// A scenario on three nodes, unless etcd cannot run here.
fn etcd(name: &str, settings: serde_json::Value, scenario: impl AsyncFnOnce(&Setup)) {
    with(name, "etcd", "/usr/bin/etcd", settings, 3, scenario);
}

fn write(value: i64) -> MicroOp {
    MicroOp::Write { key: KEY, value }
}

fn cas(old: i64, new: i64) -> MicroOp {
    MicroOp::Cas { key: KEY, old, new }
}

/// What a successful operation found, and its version.
fn found(answer: &Answer) -> (Reading, Option<Version>) {
    match answer {
        Answer::Ok { micro_ops, version, .. } => match micro_ops[..] {
            [MicroOp::Read { result, .. } | MicroOp::Inspect { result, .. }] => {
                (result.expect("it is answered"), *version)
            }
            _ => panic!("expected a read, found {micro_ops:?}"),
        },
        other => panic!("expected a result, found {other:?}"),
    }
}

fn version(answer: &Answer) -> Version {
    match answer {
        Answer::Ok { version: Some(version), .. } => *version,
        other => panic!("expected a version, found {other:?}"),
    }
}

fn elements(answer: &Answer) -> Vec<Value> {
    match answer {
        Answer::Ok { micro_ops, .. } => match &micro_ops[..] {
            [MicroOp::ReadSet { result, .. } | MicroOp::InspectSet { result, .. }] => {
                result.as_ref().expect("it is answered").to_vec()
            }
            _ => panic!("expected a set, found {micro_ops:?}"),
        },
        other => panic!("expected a result, found {other:?}"),
    }
}

fn token(answer: &Answer) -> Value {
    match answer {
        Answer::Ok { micro_ops, .. } => match micro_ops[..] {
            [MicroOp::Acquire { token: Some(token), .. }] => token,
            _ => panic!("expected a token, found {micro_ops:?}"),
        },
        other => panic!("expected a result, found {other:?}"),
    }
}

fn assert_fails(answer: &Answer, reason: &str) {
    assert!(
        matches!(answer, Answer::Fail(it) if it == reason),
        "expected {reason}, found {answer:?}"
    );
}

fn assert_unknown(answer: &Answer) {
    assert!(matches!(answer, Answer::Info(_)), "expected an unknown outcome, found {answer:?}");
}

impl Setup {
    /// The one leader, once there is one among `nodes`.
    async fn leader(&self, nodes: &[NodeId]) -> NodeId {
        let mut leaders = Vec::new();
        for _ in 0..300 {
            leaders = self.store.primaries(&self.lab).await;
            leaders.retain(|leader| nodes.contains(leader));
            if let [leader] = leaders[..] {
                return leader;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("expected one leader among {nodes:?}, found {leaders:?}");
    }

    fn others(&self, node: NodeId) -> Vec<NodeId> {
        self.lab.nodes().into_iter().filter(|it| *it != node).collect()
    }
}

#[test]
fn what_one_node_is_told_every_node_knows() {
    etcd("etcd-functions", json!({}), async |setup| {
        let nodes = setup.lab.nodes();
        let mut first = setup.client(0, nodes[0], PATIENT).await;
        let mut second = setup.client(1, nodes[1], PATIENT).await;
        let nothing = first.invoke(&[MicroOp::read(KEY)]).await;
        assert_eq!(found(&nothing), (Reading::Nil, None));
        assert_fails(&first.invoke(&[cas(1, 2)]).await, "mismatch");

        let one = first.invoke(&[write(1)]).await;
        assert!(matches!(one, Answer::Ok { node: Some(NodeId(0)), .. }), "{one:?}");
        let two = second.invoke(&[cas(1, 2)]).await;
        assert_fails(&first.invoke(&[cas(1, 3)]).await, "mismatch");
        assert!(version(&one) < version(&two));
        let read = first.invoke(&[MicroOp::read(KEY)]).await;
        assert_eq!(found(&read), (Reading::Value(2), Some(version(&two))));
        for (process, node) in nodes.iter().enumerate() {
            let mut client = setup.client(process as u32, *node, PATIENT).await;
            // What a node itself holds may be behind for a moment.
            setup
                .eventually(async || {
                    let held = found(&client.invoke(&[MicroOp::inspect(KEY)]).await);
                    held == (Reading::Value(2), Some(version(&two)))
                })
                .await;
        }

        // A run begins with nothing, whatever the one before left.
        setup.install_and_start().await;
        let read = first.invoke(&[MicroOp::read(KEY)]).await;
        assert_eq!(found(&read), (Reading::Nil, None));
    });
}

#[test]
fn elements_are_added_and_locks_are_held_by_one_until_they_end() {
    etcd("etcd-objects", json!({ "lease-seconds": 2 }), async |setup| {
        let nodes = setup.lab.nodes();
        let mut first = setup.client(0, nodes[0], PATIENT).await;
        let mut second = setup.client(1, nodes[1], PATIENT).await;

        assert!(elements(&first.invoke(&[MicroOp::read_set(KEY)]).await).is_empty());
        for (key, value) in [(KEY, 3), (KEY, -1), (KEY, 20), (10 * KEY, 4)] {
            version(&first.invoke(&[MicroOp::Add { key, value }]).await);
        }
        let mut read = elements(&second.invoke(&[MicroOp::read_set(KEY)]).await);
        read.sort_unstable();
        assert_eq!(read, [-1, 3, 20]);
        setup
            .eventually(async || {
                elements(&second.invoke(&[MicroOp::inspect_set(KEY)]).await).len() == 3
            })
            .await;

        let acquire = [MicroOp::acquire(KEY)];
        let one = token(&first.invoke(&acquire).await);
        assert_fails(&second.invoke(&acquire).await, "held by another");
        let wrong = MicroOp::Release { key: KEY, token: one + 1 };
        assert_fails(&second.invoke(&[wrong]).await, "not held with this token");
        let release = [MicroOp::Release { key: KEY, token: one }];
        assert!(matches!(first.invoke(&release).await, Answer::Ok { .. }));
        assert_fails(&first.invoke(&release).await, "not held with this token");

        // Nobody gives it back, and still it becomes free.
        let two = token(&first.invoke(&acquire).await);
        let mut three = None;
        setup
            .eventually(async || {
                let answer = second.invoke(&acquire).await;
                three = matches!(answer, Answer::Ok { .. }).then(|| token(&answer));
                three.is_some()
            })
            .await;
        assert!(one < two && Some(two) < three);
        let late = [MicroOp::Release { key: KEY, token: two }];
        assert_fails(&first.invoke(&late).await, "not held with this token");
    });
}

#[test]
fn transactions_happen_whole_or_not_at_all() {
    etcd("etcd-transactions", json!({}), async |setup| {
        let nodes = setup.lab.nodes();
        let mut first = setup.client(0, nodes[0], PATIENT).await;
        let mut second = setup.client(1, nodes[1], PATIENT).await;
        let shown = |answer: &Answer| match answer {
            Answer::Ok { micro_ops, .. } => {
                micro_ops.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            }
            other => panic!("expected a result, found {other:?}"),
        };
        let accounts = [write(5), MicroOp::Write { key: 8, value: 0 }];
        let opened = version(&first.invoke(&accounts).await);
        let steps = [
            MicroOp::Transfer { from: KEY, to: 8, amount: 2 },
            MicroOp::read(KEY),
            MicroOp::Append { key: 1, value: 7 },
            MicroOp::Append { key: 1, value: -7 },
            MicroOp::read_list(1),
            MicroOp::read_set(1),
            MicroOp::Add { key: 1, value: 8 },
            MicroOp::read_set(1),
            MicroOp::Increment { key: 1, delta: 4 },
            MicroOp::read_counter(1),
        ];
        let done = second.invoke(&steps).await;
        let expected = "transfer 7 8 2, read 7 -> 3, append 1 7, append 1 -7, \
                        read-list 1 -> [7, -7], read-set 1 -> {}, add 1 8, read-set 1 -> {8}, \
                        increment 1 4, read-counter 1 -> 4";
        assert_eq!(shown(&done), expected);
        assert!(version(&done) > opened);
        let add = MicroOp::Add { key: 1, value: 9 };
        let overdraft = [add.clone(), MicroOp::Transfer { from: 8, to: KEY, amount: 3 }];
        assert_fails(&first.invoke(&overdraft).await, "mismatch");
        let refused = first.invoke(&[add, MicroOp::acquire(1)]).await;
        assert_fails(&refused, "etcd's transactions have no acquire");
        version(&first.invoke(&[MicroOp::Append { key: 1, value: 1 }]).await);
        let reads = [MicroOp::read(8), MicroOp::read_list(1), MicroOp::read_set(1)];
        let seen = "read 8 -> 2, read-list 1 -> [7, -7, 1], read-set 1 -> {8}";
        assert_eq!(shown(&second.invoke(&reads).await), seen);

        // Of those that look before they write only one comes first.
        let mut conflicts = 0;
        for pair in 100..1_000 {
            let skew = |key, other: i64| {
                let added = MicroOp::Add { key, value: 1 };
                [MicroOp::read_set(key), MicroOp::read_set(other), added]
            };
            let (one, other) = (skew(2 * pair, 2 * pair + 1), skew(2 * pair + 1, 2 * pair));
            let (one, other) = tokio::join!(first.invoke(&one), second.invoke(&other));
            let answers = [&one, &other];
            let empty = |it: &&&Answer| shown(it).matches("-> {}").count() == 2;
            let (done, failed): (Vec<_>, Vec<_>) =
                answers.iter().partition(|it| matches!(it, Answer::Ok { .. }));
            assert!(done.iter().filter(empty).count() <= 1, "{answers:?}");
            for answer in &failed {
                assert_fails(answer, "another transaction came first");
                conflicts += 1;
            }
            if conflicts > 3 {
                return;
            }
        }
        panic!("expected conflicts, found {conflicts}");
    });
}

#[test]
fn a_leader_that_is_cut_off_neither_writes_nor_reads_but_may_show_what_it_has() {
    etcd("etcd-partition", json!({ "reads": "serializable" }), async |setup| {
        let old = setup.leader(&setup.lab.nodes()).await;
        let others = setup.others(old);
        let linearizable = setup.variant(json!({}));
        let mut near = setup.client(0, old, IMPATIENT).await;
        let mut strict = setup.client_of(&*linearizable, 1, old, IMPATIENT).await;
        let mut far = setup.client(2, others[0], PATIENT).await;
        version(&setup.done(&mut near, write(1)).await);

        setup.cut_off(old).await;
        assert_unknown(&near.invoke(&[write(2)]).await);
        let new = setup.leader(&others).await;
        assert_ne!(new, old);
        let newer = far.invoke(&[write(3)]).await;
        version(&newer);
        let stale = setup.done(&mut near, MicroOp::read(KEY)).await;
        assert_eq!(found(&stale).0, Reading::Value(1), "a serializable read is the node's own");
        let strict_read = strict.invoke(&[MicroOp::read(KEY)]).await;
        assert!(matches!(strict_read, Answer::Fail(_)), "{strict_read:?}");

        setup.join_again(old).await;
        setup.ready().await;
        let mut strict = setup.client_of(&*linearizable, 3, old, PATIENT).await;
        let read = strict.invoke(&[MicroOp::read(KEY)]).await;
        assert_eq!(found(&read), (Reading::Value(3), Some(version(&newer))));
    });
}

#[test]
fn an_operation_without_an_answer_may_have_happened_and_a_refused_one_has_not() {
    etcd("etcd-answers", json!({}), async |setup| {
        let leader = setup.leader(&setup.lab.nodes()).await;
        let [asked, other] = setup.others(leader)[..] else { panic!("three nodes") };
        let mut hasty = setup.client(0, asked, IMPATIENT).await;
        version(&setup.done(&mut hasty, write(1)).await);

        setup.signal(asked, Signal::Stop).await;
        assert_eq!(hasty.invoke(&[write(2)]).await, Answer::Info("no answer in time".to_owned()));
        assert_fails(&hasty.invoke(&[MicroOp::read(KEY)]).await, "no answer in time");
        setup.signal(asked, Signal::Continue).await;

        // Without a majority a write hangs; its node dies meanwhile.
        setup.ready().await;
        for node in [leader, other] {
            setup.signal(node, Signal::Stop).await;
        }
        let mut client = setup.client(1, asked, Duration::from_secs(60)).await;
        let killed = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            setup.signal(asked, Signal::Kill).await;
        };
        let operation = [write(3)];
        let (answer, ()) = tokio::join!(client.invoke(&operation), killed);
        assert_eq!(answer, Answer::Info("connection lost".to_owned()));
        assert_fails(&client.invoke(&operation).await, "connection refused");
        let read = client.invoke(&[MicroOp::read(KEY)]).await;
        assert_fails(&read, "connection refused");

        for node in [leader, other] {
            setup.signal(node, Signal::Continue).await;
        }
        setup.store.recover(&setup.lab).await.expect("the dead node is started");
        setup.ready().await;
        version(&client.invoke(&[write(4)]).await);
    });
}

#[test]
fn an_operator_moves_the_lead_and_takes_members_out_and_in() {
    etcd("etcd-members", json!({ "pre-vote": true }), async |setup| {
        let (store, lab) = (&setup.store, &setup.lab);
        let nodes = lab.nodes();
        let first = setup.leader(&nodes).await;
        let second = setup.others(first)[0];
        store.promote(lab, second).await.expect("the leader hands over");
        assert_eq!(setup.leader(&nodes).await, second);
        store.promote(lab, second).await.expect("it leads already");

        let mut client = setup.client(0, first, PATIENT).await;
        version(&client.invoke(&[write(1)]).await);
        setup.signal(second, Signal::Kill).await;
        let third = setup.leader(&setup.others(second)).await;
        version(&client.invoke(&[cas(1, 2)]).await);
        let gone = store.promote(lab, second).await.expect_err("it does not run");
        assert!(matches!(gone, StoreError::Unreachable { .. }), "{gone}");

        // The dead one is replaced by one that knows nothing.
        store.remove_member(lab, second).await.expect("a majority agrees");
        assert_eq!(store.members(lab).await, Some(setup.others(second)));
        let data = setup.said(second, "ls /var/lib/perjury/data").await;
        assert!(!data.contains("etcd"), "{data}");
        store.add_member(lab, second).await.expect("a majority agrees");
        setup.ready().await;
        let mut newcomer = setup.client(1, second, PATIENT).await;
        assert_eq!(found(&newcomer.invoke(&[MicroOp::inspect(KEY)]).await).0, Reading::Value(2));

        // A member that was never away keeps what it has.
        store.add_member(lab, third).await.expect("it is one");
        setup.ready().await;

        // One that cannot read its log is replaced, too.
        setup.signal(first, Signal::Kill).await;
        setup
            .said(
                first,
                "for log in /var/lib/perjury/data/etcd/member/wal/*.wal; do
            head -c 512 /dev/zero | dd of=\"$log\" conv=notrunc bs=512 2>/dev/null; done",
            )
            .await;
        store.recover(lab).await.expect("a majority agrees");
        setup.ready().await;
        assert_eq!(store.members(lab).await, Some(nodes));
        assert_eq!(found(&client.invoke(&[MicroOp::inspect(KEY)]).await).0, Reading::Value(2));
        assert_eq!(found(&newcomer.invoke(&[MicroOp::read(KEY)]).await).0, Reading::Value(2));
    });
}

#[test]
fn etcd_is_refused_where_it_cannot_be() {
    let refusal = |settings, nodes| {
        perjury_stores::store("etcd", settings, nodes).map(|_| ()).expect_err("refused").to_string()
    };
    let unknown = refusal(json!({ "read": "local" }), 3);
    assert!(unknown.starts_with("store `etcd`: unknown field `read`"), "{unknown}");
    let value = refusal(json!({ "reads": "stale" }), 3);
    assert!(value.contains("unknown variant `stale`") && value.contains("serializable"), "{value}");

    let store = perjury_stores::store("etcd", json!({}), 3).expect("good settings");
    let settings = perjury_lab::simulated::Settings::default();
    let lab = perjury_lab::SimulatedLab::new(3, &settings, 1).expect("good settings");
    let lab = perjury_lab::Lab::Simulated(lab);
    let refused = futures::executor::block_on(store.install(&lab, NodeId(0)));
    assert_eq!(
        refused.expect_err("not on a simulated lab").to_string(),
        "expected one of the labs namespaces, ssh for the store etcd, found simulated"
    );
}
