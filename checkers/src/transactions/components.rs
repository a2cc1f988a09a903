//! Strongly connected components: what can be on a cycle together (Tarjan 1972, without recursion).

use super::graph::{Graph, kind};

/// The component of each vertex, and how many vertices each has.
#[derive(Debug)]
pub(crate) struct Components {
    pub(crate) of: Vec<u32>,
    pub(crate) sizes: Vec<u32>,
}

const UNSEEN: u32 = u32::MAX;

impl Components {
    /// By edges of these kinds.
    pub(crate) fn of(graph: &Graph, kinds: u8) -> Self {
        let vertices = graph.vertices() as usize;
        let kinds = kinds | kind::ONWARD;
        let mut found = Self { of: vec![UNSEEN; vertices], sizes: Vec::new() };
        let mut index = vec![UNSEEN; vertices];
        let mut low = vec![0_u32; vertices];
        let mut next_index = 0;
        let mut open: Vec<u32> = Vec::new();
        // The vertices on the way, each with how many of its edges have been followed.
        let mut way: Vec<(u32, u32)> = Vec::new();
        for root in 0..graph.vertices() {
            if index[root as usize] != UNSEEN {
                continue;
            }
            way.push((root, 0));
            while let Some((vertex, followed)) = way.last_mut() {
                let here = *vertex as usize;
                if *followed == 0 {
                    index[here] = next_index;
                    low[here] = next_index;
                    next_index += 1;
                    open.push(*vertex);
                }
                let next = graph.edge(*vertex, *followed);
                *followed += 1;
                match next {
                    Some((to, kind)) if kind & kinds != 0 => {
                        let to = to as usize;
                        if index[to] == UNSEEN {
                            way.push((to as u32, 0));
                        } else if found.of[to] == UNSEEN {
                            low[here] = low[here].min(index[to]);
                        }
                    }
                    Some(_) => {}
                    None => {
                        if low[here] == index[here] {
                            found.close(&mut open, here as u32);
                        }
                        way.pop();
                        if let Some((before, _)) = way.last() {
                            let before = *before as usize;
                            low[before] = low[before].min(low[here]);
                        }
                    }
                }
            }
        }
        found
    }

    fn close(&mut self, open: &mut Vec<u32>, root: u32) {
        let number = self.sizes.len() as u32;
        let mut size = 0;
        while let Some(vertex) = open.pop() {
            self.of[vertex as usize] = number;
            size += 1;
            if vertex == root {
                break;
            }
        }
        self.sizes.push(size);
    }

    /// Whether two vertices can be on a cycle together.
    pub(crate) fn together(&self, one: u32, other: u32) -> bool {
        self.of[one as usize] == self.of[other as usize]
    }
}
