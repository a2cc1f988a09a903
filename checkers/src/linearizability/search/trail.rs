//! How configurations came about: for the order that a search has found.

/// A forest: each node is a call that took effect, after the nodes above it.
#[derive(Debug)]
pub(super) struct Trail {
    nodes: Vec<Node>,
    /// How many nodes were in use when it was last looked at.
    in_use: usize,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    before: u32,
    call: u32,
}

/// Where every way begins.
pub(super) const START: u32 = u32::MAX;

/// Nodes that are not worth a look.
const FEW: usize = 1 << 16;

impl Trail {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), in_use: 0 }
    }

    /// The node of a call that takes effect after `before`.
    pub(super) fn then(&mut self, before: u32, call: u32) -> u32 {
        self.nodes.push(Node { before, call });
        (self.nodes.len() - 1) as u32
    }

    /// The calls up to a node, in their order.
    pub(super) fn order(&self, mut node: u32) -> Vec<u32> {
        let mut order = Vec::new();
        while node != START {
            let Node { before, call } = self.nodes[node as usize];
            order.push(call);
            node = before;
        }
        order.reverse();
        order
    }

    /// Whether it is time to look for nodes that no way leads over any more.
    pub(super) fn is_overgrown(&self) -> bool {
        self.nodes.len() > 2 * self.in_use + FEW
    }

    /// Drops what is on the way to none of the `live` nodes, and gives these their new numbers. A
    /// node stands after those before it, so one pass back marks and one pass on moves.
    pub(super) fn keep<'a>(&mut self, live: impl Iterator<Item = &'a mut u32>) {
        const GONE: u32 = u32::MAX;
        let live: Vec<&mut u32> = live.collect();
        let mut is_used = vec![false; self.nodes.len()];
        for node in live.iter().filter(|node| ***node != START) {
            is_used[**node as usize] = true;
        }
        for index in (0..self.nodes.len()).rev() {
            let before = self.nodes[index].before;
            if is_used[index] && before != START {
                is_used[before as usize] = true;
            }
        }
        let mut moved = vec![GONE; self.nodes.len()];
        let mut next = 0;
        for index in 0..self.nodes.len() {
            if is_used[index] {
                let Node { before, call } = self.nodes[index];
                let before = if before == START { START } else { moved[before as usize] };
                self.nodes[next] = Node { before, call };
                moved[index] = next as u32;
                next += 1;
            }
        }
        self.nodes.truncate(next);
        self.in_use = next;
        for node in live {
            if *node != START {
                *node = moved[*node as usize];
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_leaves_the_ways_as_they_were() {
        let mut trail = Trail::new();
        let a = trail.then(START, 0);
        let _dead = trail.then(a, 1);
        let b = trail.then(a, 2);
        let c = trail.then(b, 3);
        let mut live = [c, START, b];
        trail.keep(live.iter_mut());
        assert_eq!(live.map(|node| trail.order(node)), [vec![0, 2, 3], vec![], vec![0, 2]]);
        assert_eq!(trail.nodes.len(), 3);
    }
}
