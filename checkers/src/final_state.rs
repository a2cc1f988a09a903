//! What every node held in the end, as the inspections of the final phase found it.

use std::collections::{BTreeMap, BTreeSet};

use perjury_history::{History, Key, MicroOp, NodeId, OperationId, Outcome, Reading, Version};

/// What a node held of one key when all of the key's acknowledged writes were over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The inspection.
    pub(crate) operation: OperationId,
    pub(crate) held: Reading,
    /// As the inspection told it.
    pub(crate) version: Option<Version>,
}

/// The final inspections of a history. For each key and node the last successful one counts, if it
/// was asked after every acknowledged write of the key had completed.
#[derive(Debug, Default)]
pub(crate) struct FinalState {
    /// Every node that was ever inspected, whether it answered or not.
    pub(crate) nodes: BTreeSet<NodeId>,
    held: BTreeMap<Key, BTreeMap<NodeId, Held>>,
}

impl FinalState {
    pub(crate) fn of(history: &History) -> Self {
        let mut last_write: BTreeMap<Key, u32> = BTreeMap::new();
        let mut last_inspection: BTreeMap<(Key, NodeId), (u32, Held)> = BTreeMap::new();
        let mut nodes = BTreeSet::new();
        for operation in history.iter() {
            let ok = operation.outcome == Outcome::Ok;
            for micro_op in operation.micro_ops {
                if let (true, Some(_)) = (ok, micro_op.written()) {
                    let end = operation.completed.unwrap_or(u32::MAX);
                    let last = last_write.entry(micro_op.key()).or_default();
                    *last = end.max(*last);
                }
                let MicroOp::Inspect { key, result } = *micro_op else { continue };
                let Some(node) = operation.node.or(operation.served_by) else { continue };
                nodes.insert(node);
                if let Some(held) = result.filter(|_| ok) {
                    let version = operation.version;
                    let held = Held { operation: operation.id, held, version };
                    last_inspection.insert((key, node), (operation.invoked, held));
                }
            }
        }
        let mut state = Self { nodes, held: BTreeMap::new() };
        for ((key, node), (invoked, held)) in last_inspection {
            if last_write.get(&key).is_none_or(|last| *last < invoked) {
                state.held.entry(key).or_default().insert(node, held);
            }
        }
        state
    }

    /// The keys that some node was found to hold, or to lack.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (Key, &BTreeMap<NodeId, Held>)> {
        self.held.iter().map(|(key, held)| (*key, held))
    }

    /// What each node held of `key`; `None` if no inspection counts.
    pub(crate) fn of_key(&self, key: Key) -> Option<&BTreeMap<NodeId, Held>> {
        self.held.get(&key)
    }

    /// The nodes that did not answer for a key.
    pub(crate) fn silent(&self, held: &BTreeMap<NodeId, Held>) -> Vec<NodeId> {
        self.nodes.iter().filter(|node| !held.contains_key(node)).copied().collect()
    }
}

/// `n1 and n2 held 12, n3 held nothing`.
pub(crate) fn describe(held: &BTreeMap<NodeId, Held>) -> String {
    let groups: Vec<String> = by_value(held)
        .into_iter()
        .map(|(value, nodes)| {
            let value = match value {
                Reading::Nil => "nothing".to_owned(),
                Reading::Value(value) => value.to_string(),
            };
            format!("{} held {value}", crate::wording::nodes(&nodes))
        })
        .collect();
    groups.join(", ")
}

/// The nodes that held each value, the first node's first.
pub(crate) fn by_value(held: &BTreeMap<NodeId, Held>) -> Vec<(Reading, Vec<NodeId>)> {
    let mut groups: Vec<(Reading, Vec<NodeId>)> = Vec::new();
    for (node, held) in held {
        match groups.iter_mut().find(|(value, _)| *value == held.held) {
            Some((_, nodes)) => nodes.push(*node),
            None => groups.push((held.held, vec![*node])),
        }
    }
    groups
}
