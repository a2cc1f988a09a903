//! What a person writes to ask for faults: `kind[:detail][@targets]`.
//!
//! ```text
//! partition            any shape, a new one each time
//! partition:ring       this shape: halves, one, minority, primaries, bridge, ring, one-way
//! kill@primaries       these nodes: one, minority, majority, primaries, all, n2+n4
//! clock:strobe@all     this error: bump, strobe, drift
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use perjury_history::NodeId;
use perjury_lab::simulated::{ClockFault, Link};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_pcg::Pcg64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::{Fault, Shape, Targets};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// Links carry nothing.
    Partition,
    /// Processes die.
    Kill,
    /// Machines lose power, and un-synced writes with it.
    Crash,
    /// Processes stop for a while.
    Pause,
    /// An operator has a node take over as leader.
    Promote,
    /// Clocks are wrong.
    Clock,
    /// Links are slow.
    Slow,
    /// Links lose, double and reorder.
    Lossy,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [FaultKind; 8] = [
        FaultKind::Partition,
        FaultKind::Kill,
        FaultKind::Crash,
        FaultKind::Pause,
        FaultKind::Promote,
        FaultKind::Clock,
        FaultKind::Slow,
        FaultKind::Lossy,
    ];

    /// The name in campaign files.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Partition => "partition",
            FaultKind::Kill => "kill",
            FaultKind::Crash => "crash",
            FaultKind::Pause => "pause",
            FaultKind::Promote => "promote",
            FaultKind::Clock => "clock",
            FaultKind::Slow => "slow",
            FaultKind::Lossy => "lossy",
        }
    }

    /// What it does, in a sentence.
    pub fn describe(self) -> &'static str {
        match self {
            FaultKind::Partition => {
                "links between nodes carry nothing (:halves, :one, :minority, :primaries, :bridge, \
                 :ring, :one-way)"
            }
            FaultKind::Kill => "processes die and are restarted later",
            FaultKind::Crash => "machines lose power, and un-synced writes with it",
            FaultKind::Pause => "processes stop in their tracks and go on later",
            FaultKind::Promote => "an operator has a node take over as leader (manual failover)",
            FaultKind::Clock => "clocks are wrong (:bump, :strobe, :drift)",
            FaultKind::Slow => "links are slow",
            FaultKind::Lossy => "links lose, double and reorder messages",
        }
    }
}

/// A way in which a clock can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockKind {
    /// Off by a constant.
    Bump,
    /// Jumping.
    Strobe,
    /// Fast or slow.
    Drift,
}

impl ClockKind {
    const ALL: [ClockKind; 3] = [ClockKind::Bump, ClockKind::Strobe, ClockKind::Drift];

    fn name(self) -> &'static str {
        match self {
            ClockKind::Bump => "bump",
            ClockKind::Strobe => "strobe",
            ClockKind::Drift => "drift",
        }
    }
}

/// A fault as a person asks for it; targets and sizes are drawn each time it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultSpec {
    /// A partition of this shape, or of any.
    Partition(Option<Shape>),
    /// A clock error of this kind, or of any.
    Clock(Option<ClockKind>, Targets),
    /// Any other kind; it has no details.
    Plain(FaultKind, Targets),
}

/// A fault that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SpecError(String);

impl FaultSpec {
    /// Its kind.
    pub fn kind(&self) -> FaultKind {
        match self {
            FaultSpec::Partition(_) => FaultKind::Partition,
            FaultSpec::Clock(..) => FaultKind::Clock,
            FaultSpec::Plain(kind, _) => *kind,
        }
    }

    /// Whether it is aimed at leaders, so that the store must be able to tell them.
    pub fn needs_primaries(&self) -> bool {
        match self {
            FaultSpec::Partition(shape) => *shape == Some(Shape::Primaries),
            FaultSpec::Clock(_, targets) | FaultSpec::Plain(_, targets) => {
                *targets == Targets::Primaries
            }
        }
    }

    /// The nodes that it names, if it names any.
    pub fn named_nodes(&self) -> &[NodeId] {
        match self {
            FaultSpec::Clock(_, Targets::These(nodes))
            | FaultSpec::Plain(_, Targets::These(nodes)) => nodes,
            _ => &[],
        }
    }

    /// Draws everything that is left open. `busy` are the nodes that another fault already treats
    /// in the same way. `None` if there is nobody to aim at now.
    pub(crate) fn draw(
        &self,
        all: &[NodeId],
        primaries: &[NodeId],
        busy: &BTreeSet<NodeId>,
        rng: &mut Pcg64,
    ) -> Option<Fault> {
        let aim = |targets: &Targets, candidates: &[NodeId], rng: &mut Pcg64| {
            let nodes = targets.draw(all.len(), candidates, primaries, rng);
            (!nodes.is_empty()).then_some(nodes)
        };
        let free: Vec<_> = all.iter().copied().filter(|node| !busy.contains(node)).collect();
        match self {
            FaultSpec::Partition(shape) => {
                let any = |rng: &mut Pcg64| {
                    let mut shapes = Shape::ALL.to_vec();
                    shapes.retain(|shape| shape.separates(all.len()));
                    shapes.choose(rng).copied()
                };
                let shape = match shape.or_else(|| any(rng))? {
                    // Without a leader just now, any node may be about to become one.
                    Shape::Primaries if primaries.is_empty() => Shape::One,
                    shape => shape,
                };
                let (nodes, links) = shape.draw(all, primaries, rng);
                (!links.is_empty()).then_some(Fault::Partition { shape, nodes, links })
            }
            FaultSpec::Clock(kind, targets) => {
                let kind = kind.or_else(|| ClockKind::ALL.choose(rng).copied())?;
                Some(Fault::Clock {
                    nodes: aim(targets, &free, rng)?,
                    error: draw_clock(kind, rng),
                })
            }
            FaultSpec::Plain(kind, targets) => match kind {
                FaultKind::Kill | FaultKind::Crash | FaultKind::Pause => {
                    let nodes = aim(targets, &free, rng)?;
                    Some(match kind {
                        FaultKind::Kill => Fault::Kill { nodes },
                        FaultKind::Crash => Fault::Crash { nodes },
                        _ => Fault::Pause { nodes },
                    })
                }
                FaultKind::Promote => {
                    // A leader needs no promotion, and a node that does not run cannot lead.
                    let idle = |node: &NodeId| !primaries.contains(node);
                    let candidates: Vec<_> = free.into_iter().filter(idle).collect();
                    let nodes = aim(targets, &candidates, rng)?;
                    Some(Fault::Promote { nodes: vec![*nodes.choose(rng)?] })
                }
                _ => {
                    let nodes = aim(targets, all, rng)?;
                    let links = links_of(&nodes, all);
                    Some(draw_impairment(*kind, nodes, links, rng))
                }
            },
        }
    }
}

/// Every link with one of `nodes` at an end.
fn links_of(nodes: &[NodeId], all: &[NodeId]) -> BTreeSet<Link> {
    let mut links = BTreeSet::new();
    for &node in nodes {
        for &other in all.iter().filter(|&&other| other != node) {
            links.insert(Link { from: node, to: other });
            links.insert(Link { from: other, to: node });
        }
    }
    links
}

/// Sizes vary by orders of magnitude, so that both subtle and gross errors occur.
fn draw_clock(kind: ClockKind, rng: &mut Pcg64) -> ClockFault {
    let magnitude_ms = 10_i64 << rng.random_range(0..10);
    let sign = if rng.random_bool(0.5) { 1 } else { -1 };
    let offset_ns = sign * magnitude_ms * 1_000_000;
    match kind {
        ClockKind::Bump => ClockFault::Bump { offset_ns },
        ClockKind::Strobe => {
            let period_ns = rng.random_range(5..200) * 1_000_000;
            ClockFault::Strobe { offset_ns, period_ns }
        }
        ClockKind::Drift => ClockFault::Drift { ppm: sign * rng.random_range(10_000..300_000) },
    }
}

fn draw_impairment(
    kind: FaultKind,
    nodes: Vec<NodeId>,
    links: BTreeSet<Link>,
    rng: &mut Pcg64,
) -> Fault {
    match kind {
        FaultKind::Lossy => Fault::Lossy {
            nodes,
            links,
            loss_ppm: rng.random_range(50_000..400_000),
            duplicate_ppm: rng.random_range(10_000..200_000),
            reorder_ppm: rng.random_range(50_000..500_000),
        },
        _ => {
            let delay_us = 10_000 << rng.random_range(0..6);
            Fault::Slow { nodes, links, delay_us, jitter_us: delay_us / 2 }
        }
    }
}

impl FromStr for FaultSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let refuse = |problem: String| Err(SpecError(format!("fault `{text}`: {problem}")));
        let (rest, targets) = match text.split_once('@') {
            Some((rest, targets)) => match targets.parse() {
                Ok(targets) => (rest, Some(targets)),
                Err(problem) => return refuse(problem),
            },
            None => (text, None),
        };
        let (kind, detail) = match rest.split_once(':') {
            Some((kind, detail)) => (kind, Some(detail)),
            None => (rest, None),
        };
        let Some(known) = FaultKind::ALL.into_iter().find(|it| it.name() == kind) else {
            let kinds = FaultKind::ALL.map(FaultKind::name).join(", ");
            return refuse(format!("expected one of {kinds}, found `{kind}`"));
        };
        match known {
            FaultKind::Partition => {
                if targets.is_some() {
                    return refuse(
                        "a partition has a shape and no targets; expected for instance \
                         `partition:primaries`"
                            .to_owned(),
                    );
                }
                match named(&Shape::ALL, Shape::name, detail) {
                    Ok(shape) => Ok(FaultSpec::Partition(shape)),
                    Err(problem) => refuse(problem),
                }
            }
            FaultKind::Clock => match named(&ClockKind::ALL, ClockKind::name, detail) {
                Ok(kind) => Ok(FaultSpec::Clock(kind, targets.unwrap_or_default())),
                Err(problem) => refuse(problem),
            },
            _ => match detail {
                Some(detail) => {
                    refuse(format!("expected no detail after `{kind}`, found `{detail}`"))
                }
                None => Ok(FaultSpec::Plain(known, targets.unwrap_or_default())),
            },
        }
    }
}

fn named<T: Copy>(
    all: &[T],
    name: impl Fn(T) -> &'static str,
    wanted: Option<&str>,
) -> Result<Option<T>, String> {
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let found = all.iter().copied().find(|&it| name(it) == wanted);
    found.map(Some).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|&it| name(it)).collect();
        format!("expected one of {}, found `{wanted}`", names.join(", "))
    })
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name())?;
        let (detail, targets) = match self {
            FaultSpec::Partition(shape) => (shape.map(Shape::name), None),
            FaultSpec::Clock(kind, targets) => (kind.map(ClockKind::name), Some(targets)),
            FaultSpec::Plain(_, targets) => (None, Some(targets)),
        };
        if let Some(detail) = detail {
            write!(f, ":{detail}")?;
        }
        match targets {
            Some(targets) if *targets != Targets::One => write!(f, "@{targets}"),
            _ => Ok(()),
        }
    }
}

impl Serialize for FaultSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FaultSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_written_again() {
        for text in [
            "partition",
            "partition:ring",
            "partition:one-way",
            "kill",
            "kill@primaries",
            "crash@minority",
            "pause@n2+n4",
            "promote@n3",
            "clock",
            "clock:drift",
            "clock:strobe@all",
            "slow@majority",
            "lossy",
        ] {
            let spec: FaultSpec = text.parse().expect("a good spec");
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_read_says_what_was_expected() {
        let problem = |text: &str| text.parse::<FaultSpec>().expect_err("a bad spec").to_string();
        assert_eq!(
            problem("partion"),
            "fault `partion`: expected one of partition, kill, crash, pause, promote, clock, slow, lossy, \
             found `partion`"
        );
        assert!(problem("partition:star").contains("halves, one, minority"));
        assert!(problem("partition@all").contains("has a shape and no targets"));
        assert!(problem("kill:hard").contains("expected no detail"));
        assert!(problem("kill@n0").contains("nodes like n2+n4"));
    }

    #[test]
    fn any_partition_cuts_something_among_three_nodes() {
        let all: Vec<_> = (0..3).map(NodeId).collect();
        let any: FaultSpec = "partition".parse().expect("a good spec");
        for seed in 0..100 {
            let fault = any.draw(&all, &[], &BTreeSet::new(), &mut Pcg64::new(seed, 1));
            assert!(fault.is_some(), "seed {seed}");
        }
        let nobody_else = any.draw(&all[..1], &[], &BTreeSet::new(), &mut Pcg64::new(1, 1));
        assert_eq!(nobody_else, None);
    }

    #[test]
    fn a_node_that_is_isolated_for_want_of_a_leader_is_not_called_one() {
        let all: Vec<_> = (0..3).map(NodeId).collect();
        let draw = |primaries: &[NodeId]| {
            let spec: FaultSpec = "partition:primaries".parse().expect("a good spec");
            let fault = spec.draw(&all, primaries, &BTreeSet::new(), &mut Pcg64::new(1, 1));
            fault.expect("there are nodes").to_string()
        };
        assert_eq!(draw(&[NodeId(1)]), "isolated the leader n2 (4 links cut)");
        assert!(draw(&[]).starts_with("isolated n"), "{}", draw(&[]));
    }

    #[test]
    fn stopped_processes_are_not_stopped_again() {
        let all: Vec<_> = (0..3).map(NodeId).collect();
        let busy = BTreeSet::from([NodeId(0), NodeId(2)]);
        let draw = |text: &str| {
            let spec: FaultSpec = text.parse().expect("a good spec");
            spec.draw(&all, &[NodeId(0)], &busy, &mut Pcg64::new(1, 1))
        };
        assert_eq!(draw("kill@all"), Some(Fault::Kill { nodes: vec![NodeId(1)] }));
        assert_eq!(draw("kill@primaries"), None);
        assert_eq!(draw("promote@all"), Some(Fault::Promote { nodes: vec![NodeId(1)] }));
    }
}
