//! Short cycles of each kind.
//!
//! A cycle has an edge that makes it what it is: an anti-dependency, or else a read. From the head of
//! each such edge the shortest way back to its tail is looked for, breadth first, no longer than the
//! best so far, and only within a strongly connected component. The shortest of all is exact unless
//! the budget of steps ends, which is only so in components of very many transactions.

use super::components::Components;
use super::graph::Graph;
use super::relation::Relation;

/// An edge of a cycle, from one transaction to another; why, through whichever junctions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) kind: u8,
}

/// What kind of cycle is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// The kinds of the edge that it begins with.
    pub(crate) first: u8,
    /// How it goes on.
    pub(crate) relation: Relation,
    /// Whether its last edge must be one that an anti-dependency may follow.
    pub(crate) ends_followed: bool,
}

/// Steps left.
#[derive(Debug)]
pub(crate) struct Steps(pub(crate) u64);

/// Looks for cycles in one graph.
#[derive(Debug)]
pub(crate) struct Finder<'a> {
    graph: &'a Graph,
    components: Components,
    /// Of each state, the search that reached it last, and from which state by which kind.
    reached: Vec<(u32, u32, u8)>,
    search: u32,
}

impl<'a> Finder<'a> {
    /// Of cycles of edges of these kinds.
    pub(crate) fn new(graph: &'a Graph, kinds: u8) -> Self {
        let states = 2 * graph.vertices() as usize;
        Self {
            graph,
            components: Components::of(graph, kinds),
            reached: vec![(0, 0, 0); states],
            search: 0,
        }
    }

    /// The edges that cycles can begin with, as far as they are in a component with others.
    fn beginnings(&self, kinds: u8) -> Vec<Link> {
        let mut found = Vec::new();
        for from in 0..self.graph.transactions {
            if self.components.sizes[self.components.of[from as usize] as usize] == 1 {
                continue;
            }
            for (to, kind) in self.graph.out(from) {
                if kind & kinds == 0 || kind & kinds != kind || !self.components.together(from, to)
                {
                    continue;
                }
                found.push(Link { from, to, kind });
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// A shortest cycle of a kind, if the steps suffice to find one.
    pub(crate) fn shortest(&mut self, wanted: Wanted, steps: &mut Steps) -> Option<Vec<Link>> {
        let mut best: Option<Vec<Link>> = None;
        for first in self.beginnings(wanted.first) {
            if steps.0 == 0 {
                break;
            }
            let longest = best.as_ref().map_or(usize::MAX, |it| it.len() - 1);
            if let Some(cycle) = self.through(first, wanted, longest, steps) {
                if best.as_ref().is_none_or(|best| cycle.len() < best.len()) {
                    best = Some(cycle);
                }
                if best.as_ref().is_some_and(|best| best.len() == 2) {
                    break;
                }
            }
        }
        best
    }

    /// The shortest cycle through an edge, of at most `longest` edges.
    pub(crate) fn through(
        &mut self,
        first: Link,
        wanted: Wanted,
        longest: usize,
        steps: &mut Steps,
    ) -> Option<Vec<Link>> {
        let Self { graph, components, reached, search } = self;
        let relation = wanted.relation;
        *search += 1;
        // Through a junction the edge leads to what that leads to.
        let begin = relation.entry(first.to);
        let end = relation.exit(first.from, wanted.ends_followed);
        reached[begin as usize] = (*search, begin, first.kind);
        let mut now = vec![begin];
        let mut length = 1;
        while !now.is_empty() && length <= longest && steps.0 > 0 {
            let mut next = Vec::new();
            let mut done = 0;
            while let Some(&state) = now.get(done) {
                done += 1;
                // What goes on out of a junction is no edge more.
                let is_onward = graph.is_junction(relation.vertex(state));
                let ahead = if is_onward { &mut now } else { &mut next };
                relation.successors(graph, state, |to, kind| {
                    steps.0 = steps.0.saturating_sub(1);
                    let vertex = relation.vertex(to);
                    if components.together(vertex, first.from) && reached[to as usize].0 != *search
                    {
                        reached[to as usize] = (*search, state, kind);
                        ahead.push(to);
                    }
                });
                if reached[end as usize].0 == *search {
                    return Some(self.way(first, begin, end, relation));
                }
            }
            length += 1;
            now = next;
        }
        None
    }

    /// The cycle of `first` and the way that was found from `begin` to `end`.
    fn way(&self, first: Link, begin: u32, end: u32, relation: Relation) -> Vec<Link> {
        // Backwards: each vertex with the kind of the edge that led to it.
        let mut back = Vec::new();
        let mut state = end;
        while state != begin {
            let (_, before, kind) = self.reached[state as usize];
            back.push((relation.vertex(state), kind));
            state = before;
        }
        back.push((first.to, first.kind));
        back.reverse();
        let mut links = Vec::new();
        let mut from = first.from;
        let mut why = None;
        for (vertex, kind) in back {
            let why_now = *why.get_or_insert(kind);
            if !self.graph.is_junction(vertex) {
                links.push(Link { from, to: vertex, kind: why_now });
                from = vertex;
                why = None;
            }
        }
        links
    }
}
