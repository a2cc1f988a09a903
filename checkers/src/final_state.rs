//! What every node held in the end, as the looks of the final phase found it.

use std::collections::{BTreeMap, BTreeSet};

use perjury_history::{History, Key, MicroOp, NodeId, OperationId, Outcome, Reading, Version};

/// What a node held of one key when all of the key's acknowledged writes were over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held<T = Reading> {
    /// The look.
    pub(crate) operation: OperationId,
    pub(crate) held: T,
    /// As the look told it.
    pub(crate) version: Option<Version>,
}

/// The final looks of a history. For each key and node the last successful one counts, if it was
/// asked after every acknowledged write of the key had completed.
#[derive(Debug)]
pub(crate) struct FinalState<T = Reading> {
    /// Every node that was ever looked at, whether it answered or not.
    pub(crate) nodes: BTreeSet<NodeId>,
    held: BTreeMap<Key, BTreeMap<NodeId, Held<T>>>,
}

impl<T> Default for FinalState<T> {
    fn default() -> Self {
        Self { nodes: BTreeSet::new(), held: BTreeMap::new() }
    }
}

impl FinalState {
    /// Of registers, by inspection.
    pub(crate) fn of(history: &History) -> Self {
        let look = |micro_op: &MicroOp| match *micro_op {
            MicroOp::Inspect { result, .. } => Some(result),
            _ => None,
        };
        Self::looked(history, look, |micro_op| micro_op.written().is_some())
    }
}

impl<T> FinalState<T> {
    /// Of any objects. `look` gives for a micro-operation that looks what it found, and nothing for
    /// every other; `writes` says which change what it looks at.
    pub(crate) fn looked(
        history: &History,
        look: impl Fn(&MicroOp) -> Option<Option<T>>,
        writes: impl Fn(&MicroOp) -> bool,
    ) -> Self {
        let mut last_write: BTreeMap<Key, u32> = BTreeMap::new();
        let mut last_look: BTreeMap<(Key, NodeId), (u32, Held<T>)> = BTreeMap::new();
        let mut nodes = BTreeSet::new();
        for operation in history.iter() {
            let ok = operation.outcome == Outcome::Ok;
            for micro_op in operation.micro_ops {
                if ok && writes(micro_op) {
                    let end = operation.completed.unwrap_or(u32::MAX);
                    let last = last_write.entry(micro_op.key()).or_default();
                    *last = end.max(*last);
                }
                let Some(found) = look(micro_op) else { continue };
                let Some(node) = operation.node.or(operation.served_by) else { continue };
                nodes.insert(node);
                if let Some(held) = found.filter(|_| ok) {
                    let version = operation.version;
                    let held = Held { operation: operation.id, held, version };
                    last_look.insert((micro_op.key(), node), (operation.invoked, held));
                }
            }
        }
        let mut state = Self { nodes, held: BTreeMap::new() };
        for ((key, node), (invoked, held)) in last_look {
            if last_write.get(&key).is_none_or(|last| *last < invoked) {
                state.held.entry(key).or_default().insert(node, held);
            }
        }
        state
    }

    /// The keys that some node was found to hold, or to lack.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (Key, &BTreeMap<NodeId, Held<T>>)> {
        self.held.iter().map(|(key, held)| (*key, held))
    }

    /// What each node held of `key`; `None` if no look counts.
    pub(crate) fn of_key(&self, key: Key) -> Option<&BTreeMap<NodeId, Held<T>>> {
        self.held.get(&key)
    }

    /// The nodes that did not answer for a key.
    pub(crate) fn silent(&self, held: &BTreeMap<NodeId, Held<T>>) -> Vec<NodeId> {
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
pub(crate) fn by_value<T: Clone + PartialEq>(
    held: &BTreeMap<NodeId, Held<T>>,
) -> Vec<(T, Vec<NodeId>)> {
    let mut groups: Vec<(T, Vec<NodeId>)> = Vec::new();
    for (node, held) in held {
        match groups.iter_mut().find(|(value, _)| *value == held.held) {
            Some((_, nodes)) => nodes.push(*node),
            None => groups.push((held.held.clone(), vec![*node])),
        }
    }
    groups
}
