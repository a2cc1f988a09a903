//! What must come before what at a level of isolation, where the order of all versions is known.
//!
//! Most levels hold if and only if some relation over the transactions has no cycle (Adya 1999,
//! Cerone & Gotsman 2018):
//!
//! | level | relation |
//! |---|---|
//! | read uncommitted | ww |
//! | read committed | ww and wr |
//! | prefix | (wr; rw?) and ww |
//! | snapshot isolation | (ww and wr); rw? |
//! | repeatable read | ww, wr and rw, but for rw of predicates |
//! | serializable | ww, wr and rw |
//!
//! each with the order of sessions or of time as one more that is like wr. Here `a; b?` is an `a`,
//! or an `a` that a `b` follows. It need not be composed: each vertex gets two *states*, one from
//! which dependencies lead, and one that only a dependency leads into and only an anti-dependency
//! leads out of.

use super::graph::{Graph, kind};
use crate::Isolation;

/// Which edges of a graph count, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    /// Edges that count by themselves.
    alone: u8,
    /// Edges that an anti-dependency may follow.
    followed: u8,
    /// Anti-dependencies that only count after such an edge.
    following: u8,
}

const ORDERS: u8 = kind::SESSION | kind::REAL_TIME;

impl Relation {
    /// Of a level; `None` if it is not a matter of cycles alone.
    pub(crate) fn of(level: Isolation) -> Option<Self> {
        let dependencies = kind::WW | kind::ANY_WR | ORDERS;
        let alone = |alone| Some(Self { alone, followed: 0, following: 0 });
        match level {
            Isolation::ReadUncommitted => alone(kind::WW | ORDERS),
            Isolation::ReadCommitted => alone(dependencies),
            Isolation::RepeatableRead => alone(dependencies | kind::RW),
            Isolation::Serializable => alone(dependencies | kind::ANY_RW),
            Isolation::Prefix => Some(Self {
                alone: kind::WW,
                followed: kind::ANY_WR | ORDERS,
                following: kind::ANY_RW,
            }),
            Isolation::SnapshotIsolation => {
                Some(Self { alone: 0, followed: dependencies, following: kind::ANY_RW })
            }
            Isolation::MonotonicAtomicView
            | Isolation::ReadAtomic
            | Isolation::Causal
            | Isolation::ParallelSnapshotIsolation => None,
        }
    }

    fn is_layered(self) -> bool {
        self.followed != 0
    }

    /// Number of states.
    pub(crate) fn states(self, graph: &Graph) -> usize {
        graph.vertices() as usize * if self.is_layered() { 2 } else { 1 }
    }

    /// The vertex of a state.
    pub(crate) fn vertex(self, state: u32) -> u32 {
        if self.is_layered() { state / 2 } else { state }
    }

    /// The state of a vertex that everything leads into.
    pub(crate) fn entry(self, vertex: u32) -> u32 {
        if self.is_layered() { 2 * vertex } else { vertex }
    }

    /// The state of a vertex that leads out of it: after what may be followed by an anti-dependency,
    /// or any.
    pub(crate) fn exit(self, vertex: u32, is_followed: bool) -> u32 {
        self.entry(vertex) + u32::from(self.is_layered() && is_followed)
    }

    /// Calls `each` with what a state leads to, and the kind of the edge.
    #[inline]
    pub(crate) fn successors(self, graph: &Graph, state: u32, mut each: impl FnMut(u32, u8)) {
        if !self.is_layered() {
            for (to, kind) in graph.out(state) {
                if kind & (self.alone | kind::ONWARD) != 0 {
                    each(to, kind);
                }
            }
            return;
        }
        let (vertex, is_after) = (state / 2, state % 2 == 1);
        // Out of a junction of versions goes what came into it. What leads into it so that an
        // anti-dependency may follow is in its second state.
        let is_junction = graph.is_junction(vertex);
        for (to, kind) in graph.out(vertex) {
            let (arrives, may_be_followed) = match (is_junction, is_after) {
                (true, _) => (true, is_after),
                (false, false) => {
                    (kind & (self.alone | self.followed) != 0, kind & self.followed != 0)
                }
                (false, true) => (kind & self.following != 0, false),
            };
            if !arrives {
                continue;
            }
            match (may_be_followed, graph.is_junction(to)) {
                (true, true) => each(2 * to + 1, kind),
                (true, false) => {
                    each(2 * to, kind);
                    each(2 * to + 1, kind);
                }
                (false, _) => each(2 * to, kind),
            }
        }
    }

    /// The transactions in an order that keeps the relation, or `None` if it has a cycle.
    pub(crate) fn order(self, graph: &Graph) -> Option<Vec<u32>> {
        let states = self.order_of_states(graph)?;
        let entries = states.into_iter().filter(|state| {
            let vertex = self.vertex(*state);
            !graph.is_junction(vertex) && *state == self.entry(vertex)
        });
        Some(entries.map(|state| self.vertex(state)).collect())
    }

    /// All states in an order that keeps the relation (Kahn 1962).
    pub(crate) fn order_of_states(self, graph: &Graph) -> Option<Vec<u32>> {
        let states = self.states(graph);
        let mut missing = vec![0_u32; states];
        for state in 0..states as u32 {
            self.successors(graph, state, |to, _| missing[to as usize] += 1);
        }
        let mut order: Vec<u32> =
            (0..states as u32).filter(|state| missing[*state as usize] == 0).collect();
        let mut next = 0;
        while let Some(&state) = order.get(next) {
            next += 1;
            self.successors(graph, state, |to, _| {
                missing[to as usize] -= 1;
                if missing[to as usize] == 0 {
                    order.push(to);
                }
            });
        }
        (order.len() == states).then_some(order)
    }
}
