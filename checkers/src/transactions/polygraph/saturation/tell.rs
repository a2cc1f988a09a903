//! Why there is no order: a contradiction as cycles.

use std::cmp::Reverse;

use super::super::Case;
use super::{Contradiction, Saturation, Way};
use crate::transactions::cycles::Link;

/// Other possibilities that are told of at most.
const CASES_MAX: usize = 6;

/// Edges that the shortest cycle is looked for through, the last ones that were added.
const TRIED_MAX: usize = 64;

impl Saturation<'_> {
    /// A contradiction as a cycle, with what made its edges certain.
    pub(in super::super) fn explain(
        &self,
        contradiction: &Contradiction,
    ) -> (Vec<Link>, Vec<Case>) {
        let now = self.added_log.len() as u32;
        let mut used = Vec::new();
        let (cycle, mut cases) = match *contradiction {
            Contradiction::Cycle => (self.shortest_cycle(&mut used), Vec::new()),
            Contradiction::Closed(link) => {
                let (from, to) = (self.shape.entry(link.to), self.shape.entry(link.from));
                (self.closed_way(link, from, to, now, &mut used), Vec::new())
            }
            Contradiction::Pair(pair) => {
                let ways = [pair, pair.reversed()].map(|it| self.prevented(it));
                let mut cases: Vec<Case> =
                    ways.into_iter().flatten().map(|way| self.case(&way, &mut used)).collect();
                cases.sort_by_key(|case| case.cycle.len());
                (cases[0].cycle.clone(), cases)
            }
            Contradiction::Choice(choice) => {
                let versions = self.choices[choice as usize].versions.iter();
                let ways = versions.filter_map(|it| self.excluded(choice, *it));
                let ways: Vec<Way> = ways.collect();
                let mut cases: Vec<Case> =
                    ways.iter().map(|way| self.case(way, &mut used)).collect();
                cases.sort_by_key(|case| case.cycle.len());
                (cases.first().map_or(Vec::new(), |case| case.cycle.clone()), cases)
            }
        };
        let mut next = 0;
        while next < used.len() && cases.len() < CASES_MAX {
            let way = self.ways[used[next] as usize];
            let case = self.case(&way, &mut used);
            cases.push(case);
            next += 1;
        }
        (cycle, cases)
    }

    /// What would have closed a cycle.
    fn case(&self, way: &Way, used: &mut Vec<u32>) -> Case {
        let cycle = self.closed_way(way.closed_by, way.from, way.to, way.added, used);
        Case { cycle }
    }

    /// A way and the edge that closes it.
    fn closed_way(
        &self,
        closed_by: Link,
        from: u32,
        to: u32,
        added: u32,
        used: &mut Vec<u32>,
    ) -> Vec<Link> {
        let mut links = vec![closed_by];
        links.extend(self.way(from, to, added, used).unwrap_or_default());
        if self.graph.is_junction(closed_by.to) && links.len() > 1 {
            // Through the junction it leads to where that leads on.
            links[0].to = links.remove(1).to;
        }
        links
    }

    /// The shortest way between two states by the graph's edges and those added first.
    fn way(&self, from: u32, to: u32, added: u32, used: &mut Vec<u32>) -> Option<Vec<Link>> {
        // Of each state that was reached, where from, by which kind, and because of what.
        let mut reached = vec![None; self.added.len()];
        reached[from as usize] = Some((from, 0, None));
        let mut queue = vec![from];
        let mut next = 0;
        while reached[to as usize].is_none() || from == to && next == 0 {
            let state = *queue.get(next)?;
            next += 1;
            let mut go = |to: u32, kind: u8, because: Option<u32>| {
                if reached[to as usize].is_none() {
                    reached[to as usize] = Some((state, kind, because));
                    queue.push(to);
                }
            };
            self.shape.relation.successors(self.graph, state, |to, kind| go(to, kind, None));
            let earlier = self.added[state as usize].iter().filter(|it| it.number < added);
            earlier.for_each(|it| go(it.to, it.kind, it.because));
            if from == to {
                break;
            }
        }
        let mut back = Vec::new();
        let mut state = to;
        while state != from {
            let (before, kind, because) = reached[state as usize]?;
            back.push((self.shape.relation.vertex(state), kind));
            used.extend(because.filter(|it| !used.contains(it)));
            state = before;
        }
        back.reverse();
        let mut links = Vec::new();
        let mut at = self.shape.relation.vertex(from);
        let mut why = None;
        for (vertex, kind) in back {
            let kind = *why.get_or_insert(kind);
            if !self.graph.is_junction(vertex) {
                links.push(Link { from: at, to: vertex, kind });
                at = vertex;
                why = None;
            }
        }
        Some(links)
    }

    /// The shortest cycle through one of the edges added last.
    fn shortest_cycle(&self, used: &mut Vec<u32>) -> Vec<Link> {
        let mut best: Option<(Vec<Link>, Vec<u32>)> = None;
        let all = self
            .added
            .iter()
            .enumerate()
            .flat_map(|(from, added)| added.iter().map(move |it| (from as u32, it)));
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(_, it)| Reverse(it.number));
        for (from, added) in all.into_iter().take(TRIED_MAX) {
            let mut reasons: Vec<u32> = added.because.into_iter().collect();
            let link = Link {
                from: self.shape.relation.vertex(from),
                to: self.shape.relation.vertex(added.to),
                kind: added.kind,
            };
            let Some(way) = self.way(added.to, from, u32::MAX, &mut reasons) else { continue };
            if best.as_ref().is_none_or(|(best, _)| way.len() + 1 < best.len()) {
                let mut cycle = vec![link];
                cycle.extend(way);
                best = Some((cycle, reasons));
            }
        }
        let (cycle, reasons) = best.unwrap_or_default();
        used.extend(reasons);
        cycle
    }
}
