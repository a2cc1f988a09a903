//! Which nodes a fault is aimed at.

use std::fmt;
use std::str::FromStr;

use perjury_history::NodeId;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;

/// A node-spec, as people write it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Targets {
    /// One node at random.
    #[default]
    One,
    /// Fewer than half, at least one, at random.
    Minority,
    /// The smallest majority, at random.
    Majority,
    /// The nodes that take themselves for a leader when the fault begins.
    Primaries,
    /// Every node.
    All,
    /// These.
    These(Vec<NodeId>),
}

impl Targets {
    /// Draws the nodes among `candidates`; none if none of the wanted ones is there.
    pub(crate) fn draw(
        &self,
        nodes: usize,
        candidates: &[NodeId],
        primaries: &[NodeId],
        rng: &mut Pcg64,
    ) -> Vec<NodeId> {
        let mut shuffled = candidates.to_vec();
        shuffled.shuffle(rng);
        let majority = nodes / 2 + 1;
        let size = match self {
            Targets::One => 1,
            Targets::Minority => rng.random_range(1..=(nodes - majority).max(1)),
            Targets::Majority => majority,
            Targets::All => nodes,
            Targets::Primaries => {
                shuffled.retain(|node| primaries.contains(node));
                nodes
            }
            Targets::These(these) => {
                shuffled.retain(|node| these.contains(node));
                nodes
            }
        };
        shuffled.truncate(size);
        shuffled.sort_unstable();
        shuffled
    }
}

impl FromStr for Targets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "one" => Ok(Targets::One),
            "minority" => Ok(Targets::Minority),
            "majority" => Ok(Targets::Majority),
            "primaries" => Ok(Targets::Primaries),
            "all" => Ok(Targets::All),
            nodes => match nodes.split('+').map(str::parse).collect() {
                Ok(these) => Ok(Targets::These(these)),
                Err(_) => Err(format!(
                    "expected targets (one, minority, majority, primaries, all, or nodes like \
                     n2+n4), found `{text}`"
                )),
            },
        }
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Targets::One => f.write_str("one"),
            Targets::Minority => f.write_str("minority"),
            Targets::Majority => f.write_str("majority"),
            Targets::Primaries => f.write_str("primaries"),
            Targets::All => f.write_str("all"),
            Targets::These(nodes) => {
                let names: Vec<_> = nodes.iter().map(ToString::to_string).collect();
                f.write_str(&names.join("+"))
            }
        }
    }
}
