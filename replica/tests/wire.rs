//! Messages and records survive a text format, as the TCP and Maelstrom hosts need.

mod cluster;

use cluster::{Cluster, MS, Observer};
use perjury_replica::{Effect, Message, NodeId, Record, Settings};

#[derive(Default)]
struct Wire {
    kinds: std::collections::BTreeSet<String>,
}

fn check<T>(value: &T) -> String
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = serde_json::to_string(value).expect("it can be written");
    assert_eq!(&serde_json::from_str::<T>(&text).expect("and read"), value);
    text.split('"').nth(1).unwrap_or_default().to_owned()
}

impl Observer for Wire {
    fn effect(&mut self, _node: NodeId, effect: &Effect) {
        let kinds = match effect {
            Effect::Send { message, .. } => vec![check::<Message>(message)],
            Effect::Write(record) => vec![check::<Record>(record)],
            Effect::Rewrite(records) => records.iter().map(check).collect(),
            _ => vec![],
        };
        self.kinds.extend(kinds);
    }
}

#[test]
fn everything_said_and_written_survives_json() {
    let settings = Settings { snapshot_after: 20, ..Settings::default() };
    let mut cluster = Cluster::observed(3, settings, 1, Wire::default());
    cluster.run_for(100 * MS);
    cluster.crash(2);
    for i in -50..50 {
        cluster.write((i & 1) as u32, i, i);
    }
    cluster.start(2);
    cluster.run_for(500 * MS);
    cluster.crash(0);
    cluster.run_for(3_000 * MS);
    let kinds: Vec<_> = cluster.observer.kinds.iter().map(String::as_str).collect();
    let expected = [
        "answer",
        "append",
        "epoch",
        "forward",
        "replicate",
        "replicated",
        "snapshot",
        "vote",
        "vote-request",
    ];
    assert_eq!(kinds, expected);
}
