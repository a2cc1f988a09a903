//! The shapes that a partition can have.
//!
//! Names and shapes are Jepsen's (`jepsen.nemesis`), where they are called grudges.

use std::collections::BTreeSet;

use perjury_history::NodeId;
use perjury_lab::simulated::Link;
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

/// How a partition divides the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Two random halves, as equal as can be.
    Halves,
    /// One random node alone.
    One,
    /// A random minority of at least one node, of random size.
    Minority,
    /// Each primary alone, the rest together. Without a primary, one random node alone.
    Primaries,
    /// Two halves that can both talk to one node between them and not to each other.
    Bridge,
    /// Every node sees a majority, and no two see the same one.
    Ring,
    /// The others do not hear a random node; it hears them.
    OneWay,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 7] = [
        Shape::Halves,
        Shape::One,
        Shape::Minority,
        Shape::Primaries,
        Shape::Bridge,
        Shape::Ring,
        Shape::OneWay,
    ];

    /// The name in campaign files.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Halves => "halves",
            Shape::One => "one",
            Shape::Minority => "minority",
            Shape::Primaries => "primaries",
            Shape::Bridge => "bridge",
            Shape::Ring => "ring",
            Shape::OneWay => "one-way",
        }
    }

    /// What it does around `nodes`, in words.
    pub(crate) fn describe(self, nodes: &str) -> String {
        match self {
            Shape::Halves | Shape::Minority => format!("cut {nodes} off from the rest"),
            Shape::One => format!("isolated {nodes}"),
            Shape::Primaries => format!("isolated the leader {nodes}"),
            Shape::Bridge => format!("left {nodes} as the only bridge between two halves"),
            Shape::Ring => format!("let each of {nodes} see a different majority"),
            Shape::OneWay => format!("nobody hears {nodes}, which hears everybody"),
        }
    }

    /// Whether it cuts anything among so many nodes.
    pub(crate) fn separates(self, nodes: usize) -> bool {
        match self {
            Shape::Ring => nodes > 3,
            Shape::Bridge => nodes > 2,
            _ => nodes > 1,
        }
    }

    /// Draws the nodes that it is about and the links to cut.
    pub(crate) fn draw(
        self,
        all: &[NodeId],
        primaries: &[NodeId],
        rng: &mut Pcg64,
    ) -> (Vec<NodeId>, BTreeSet<Link>) {
        let mut shuffled = all.to_vec();
        shuffled.shuffle(rng);
        let majority = all.len() / 2 + 1;
        match self {
            Shape::Halves => around(&shuffled[..all.len() / 2], all),
            Shape::One => around(&shuffled[..1], all),
            Shape::Minority => {
                let size = rng.random_range(1..=(all.len() - majority).max(1));
                around(&shuffled[..size], all)
            }
            Shape::Primaries => {
                let each = primaries.iter().flat_map(|&node| around(&[node], all).1).collect();
                (primaries.to_vec(), each)
            }
            Shape::Bridge => {
                let (bridge, rest) = shuffled.split_first().expect("a lab has nodes");
                let (left, right) = rest.split_at(rest.len() / 2);
                (vec![*bridge], between(left, right))
            }
            Shape::Ring => (sorted(all), ring(&shuffled, majority)),
            Shape::OneWay => {
                let mute = match primaries.choose(rng) {
                    Some(&primary) if rng.random_bool(0.5) => primary,
                    _ => shuffled[0],
                };
                let others = all.iter().filter(|&&node| node != mute);
                (vec![mute], others.map(|&to| Link { from: mute, to }).collect())
            }
        }
    }
}

fn sorted(nodes: &[NodeId]) -> Vec<NodeId> {
    let mut nodes = nodes.to_vec();
    nodes.sort_unstable();
    nodes
}

/// Cuts `inside` off from everybody else.
fn around(inside: &[NodeId], all: &[NodeId]) -> (Vec<NodeId>, BTreeSet<Link>) {
    let outside: Vec<_> = all.iter().copied().filter(|node| !inside.contains(node)).collect();
    (sorted(inside), between(inside, &outside))
}

/// Both directions between two groups.
fn between(left: &[NodeId], right: &[NodeId]) -> BTreeSet<Link> {
    let pairs = left.iter().flat_map(|&one| right.iter().map(move |&other| (one, other)));
    let both = |(one, other)| [Link { from: one, to: other }, Link { from: other, to: one }];
    pairs.flat_map(both).collect()
}

/// Nodes in a circle; each sees the neighbours nearest to it, as many as make a majority.
fn ring(circle: &[NodeId], majority: usize) -> BTreeSet<Link> {
    let size = circle.len();
    let reach = majority / 2;
    let mut links = BTreeSet::new();
    for (position, &from) in circle.iter().enumerate() {
        for (other_position, &to) in circle.iter().enumerate() {
            let distance = position.abs_diff(other_position);
            if distance.min(size - distance) > reach {
                links.insert(Link { from, to });
            }
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(shape: Shape, nodes: u32, primaries: &[NodeId], seed: u128) -> Vec<BTreeSet<NodeId>> {
        let all: Vec<_> = (0..nodes).map(NodeId).collect();
        let (_, cut) = shape.draw(&all, primaries, &mut Pcg64::new(seed, 0));
        let hears = |to: NodeId| {
            all.iter().copied().filter(|&from| !cut.contains(&Link { from, to })).collect()
        };
        all.iter().map(|&node| hears(node)).collect()
    }

    #[test]
    fn in_a_ring_everybody_sees_a_majority_and_nobody_the_same() {
        for nodes in [3, 5, 7, 9] {
            for seed in 0..20 {
                let views = draw(Shape::Ring, nodes, &[], seed);
                let different: BTreeSet<_> = views.iter().collect();
                let majority = nodes as usize / 2 + 1;
                assert!(views.iter().all(|view| view.len() >= majority), "seed {seed}: {views:?}");
                if nodes > 3 {
                    assert_eq!(different.len(), nodes as usize, "seed {seed}: {views:?}");
                }
            }
        }
    }

    #[test]
    fn every_shape_but_the_smallest_rings_and_bridges_separates_somebody() {
        for shape in Shape::ALL {
            for nodes in 1..8 {
                for seed in 0..20 {
                    let views = draw(shape, nodes, &[NodeId(0)], seed);
                    let cut = views.iter().any(|view| view.len() < nodes as usize);
                    let expected = shape.separates(nodes as usize);
                    assert_eq!(cut, expected, "{shape:?} of {nodes}, seed {seed}: {views:?}");
                }
            }
        }
    }

    #[test]
    fn isolating_primaries_leaves_them_alone() {
        let views = draw(Shape::Primaries, 5, &[NodeId(2)], 1);
        assert_eq!(views[2], BTreeSet::from([NodeId(2)]));
        assert_eq!(views[0].len(), 4);
    }

    #[test]
    fn one_way_cuts_one_direction() {
        let views = draw(Shape::OneWay, 3, &[], 3);
        let deaf_to_one = views.iter().filter(|view| view.len() == 2).count();
        let hears_all = views.iter().filter(|view| view.len() == 3).count();
        assert_eq!((deaf_to_one, hears_all), (2, 1), "{views:?}");
    }

    #[test]
    fn a_minority_is_one() {
        for seed in 0..50 {
            let views = draw(Shape::Minority, 5, &[], seed);
            let small = views.iter().filter(|view| view.len() <= 2).count();
            assert!((1..=2).contains(&small), "seed {seed}: {views:?}");
        }
    }
}
