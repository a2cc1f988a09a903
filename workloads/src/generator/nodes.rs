//! Operations that given nodes must be asked.

use std::collections::{BTreeMap, VecDeque};

use perjury_history::{Event, EventKind, MicroOp, NodeId, Process};

use super::{Context, Generator, Invocation, Next};

/// How long a node is left alone after it did not answer.
const RETRY_NS: u64 = 500_000_000;

/// Each operation once on its node, by whichever process is free; nodes take turns. No node
/// occupies more than its part of the processes, so that one that hangs does not hold up the others.
///
/// A node that does not answer is asked again half a second later, with another operation if there
/// is one, and given up with all that is left for it when it has answered nothing for
/// `patience_ns`. A single operation that never succeeds is given up after as many attempts as fit
/// into that time. With no patience, everything is asked once.
pub fn on_nodes(
    operations: impl IntoIterator<Item = (NodeId, Vec<MicroOp>)>,
    patience_ns: u64,
) -> OnNodes {
    let mut nodes: BTreeMap<NodeId, NodeQueue> = BTreeMap::new();
    for (node, micro_ops) in operations {
        let task = Task { micro_ops, attempts_left: patience_ns / RETRY_NS };
        nodes.entry(node).or_default().left.push_back(task);
    }
    OnNodes { nodes, open: BTreeMap::new(), last_node: None, last_thread: None, patience_ns }
}

/// The same operations on every node; see [`on_nodes`].
pub fn each_node(nodes: u32, operations: &[Vec<MicroOp>], patience_ns: u64) -> OnNodes {
    let every = (0..nodes)
        .flat_map(|node| operations.iter().map(move |micro_ops| (NodeId(node), micro_ops.clone())));
    on_nodes(every, patience_ns)
}

/// See [`on_nodes`].
#[derive(Debug)]
pub struct OnNodes {
    nodes: BTreeMap<NodeId, NodeQueue>,
    open: BTreeMap<Process, (NodeId, Task)>,
    last_node: Option<NodeId>,
    last_thread: Option<u32>,
    patience_ns: u64,
}

#[derive(Debug, Default)]
struct NodeQueue {
    left: VecDeque<Task>,
    open: u32,
    failing_since_ns: Option<u64>,
    resume_ns: u64,
}

#[derive(Debug)]
struct Task {
    micro_ops: Vec<MicroOp>,
    /// After the one that is due.
    attempts_left: u64,
}

impl NodeQueue {
    fn may_be_asked(&self, share: u32) -> bool {
        let open_max = if self.failing_since_ns.is_some() { 1 } else { share };
        !self.left.is_empty() && self.open < open_max
    }

    fn failed(&mut self, mut task: Task, now_ns: u64, patience_ns: u64) {
        if patience_ns == 0 {
            return;
        }
        let since_ns = *self.failing_since_ns.get_or_insert(now_ns);
        self.resume_ns = now_ns.saturating_add(RETRY_NS);
        if now_ns - since_ns >= patience_ns {
            self.left.clear();
        } else if task.attempts_left > 0 {
            task.attempts_left -= 1;
            self.left.push_back(task);
        }
    }
}

impl OnNodes {
    /// The node whose turn it is, or else when the first of them may be asked again.
    fn node_in_turn(&self, context: &Context<'_>) -> Result<NodeId, Option<u64>> {
        let share = (context.concurrency / context.nodes.max(1)).max(1);
        let passed = |node: NodeId| self.last_node.is_some_and(|last| node <= last);
        let candidates = self.nodes.iter().filter(|(_, queue)| queue.may_be_asked(share));
        let ready = candidates.clone().filter(|(_, queue)| queue.resume_ns <= context.now_ns);
        let next = ready.map(|(&node, _)| node).min_by_key(|&node| (passed(node), node));
        next.ok_or_else(|| candidates.map(|(_, queue)| queue.resume_ns).min())
    }
}

impl Generator for OnNodes {
    fn next(&mut self, context: &Context<'_>) -> Next {
        if self.open.is_empty() && self.nodes.values().all(|queue| queue.left.is_empty()) {
            return Next::Done;
        }
        let Some(free) = context.after(self.last_thread) else { return Next::WAIT };
        let node = match self.node_in_turn(context) {
            Ok(node) => node,
            Err(resume_ns) => return Next::Wait { until_ns: resume_ns },
        };
        let queue = self.nodes.get_mut(&node).expect("the node was just found");
        let task = queue.left.pop_front().expect("a node with nothing left is not ready");
        queue.open += 1;
        self.last_node = Some(node);
        self.last_thread = Some(free.thread);
        let micro_ops = task.micro_ops.clone();
        self.open.insert(free.process, (node, task));
        Next::Invoke(Invocation {
            at_ns: context.now_ns,
            process: free.process,
            thread: free.thread,
            micro_ops,
            node: Some(node),
        })
    }

    fn observe(&mut self, event: &Event) {
        if event.kind == EventKind::Invoke {
            return;
        }
        let Some((node, task)) = self.open.remove(&event.process) else { return };
        let queue = self.nodes.get_mut(&node).expect("every task is of a known node");
        queue.open -= 1;
        if event.kind == EventKind::Ok {
            queue.failing_since_ns = None;
        } else {
            queue.failed(task, event.time_ns, self.patience_ns);
        }
    }
}
