//! Draws what a [`FaultSpec`] leaves open: nodes, links, sizes.
//!
//! Sizes vary by orders of magnitude where they can, so that both subtle and gross errors occur.

use std::collections::BTreeSet;

use perjury_history::NodeId;
use perjury_lab::simulated::{ClockFault, Link};
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_pcg::Pcg64;

use crate::fault::DiskHarm;
use crate::kind::{ClockKind, DiskKind};
use crate::{Fault, FaultKind, FaultSpec, Shape};

impl FaultSpec {
    /// Draws everything that is left open. `busy` are the nodes of which another fault already has
    /// what this one needs for itself. `None` if there is nobody to aim at now.
    pub(crate) fn draw(
        &self,
        all: &[NodeId],
        primaries: &[NodeId],
        busy: &BTreeSet<NodeId>,
        rng: &mut Pcg64,
    ) -> Option<Fault> {
        if let FaultSpec::Partition { shape, ports } = self {
            return draw_partition(*shape, ports, all, primaries, rng);
        }
        let mut candidates: Vec<_> = all.iter().copied().filter(|it| !busy.contains(it)).collect();
        if self.kind() == FaultKind::Promote {
            // A leader needs no promotion, and a node that does not run cannot lead.
            candidates.retain(|node| !primaries.contains(node));
        }
        let aim = |rng: &mut Pcg64| {
            let nodes = self.targets().draw(all.len(), &candidates, primaries, rng);
            (!nodes.is_empty()).then_some(nodes)
        };
        match self {
            FaultSpec::Partition { .. } => None,
            FaultSpec::Restart { rolling, .. } => {
                Some(Fault::Restart { nodes: aim(rng)?, rolling: *rolling })
            }
            FaultSpec::Clock(kind, _) => {
                let kind = kind.or_else(|| ClockKind::ALL.choose(rng).copied())?;
                Some(Fault::Clock { nodes: aim(rng)?, error: draw_clock(kind, rng) })
            }
            FaultSpec::Disk(kind, _) => {
                let kind = kind.or_else(|| DiskKind::ALL.choose(rng).copied())?;
                Some(Fault::Disk { nodes: aim(rng)?, harm: draw_harm(kind, rng) })
            }
            FaultSpec::Plain(kind, _) => draw_plain(*kind, aim(rng)?, all, rng),
        }
    }
}

fn draw_partition(
    shape: Option<Shape>,
    ports: &[u16],
    all: &[NodeId],
    primaries: &[NodeId],
    rng: &mut Pcg64,
) -> Option<Fault> {
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
    let ports = ports.to_vec();
    (!links.is_empty()).then_some(Fault::Partition { shape, nodes, links, ports })
}

/// A fault of a kind without details.
fn draw_plain(
    kind: FaultKind,
    nodes: Vec<NodeId>,
    all: &[NodeId],
    rng: &mut Pcg64,
) -> Option<Fault> {
    let links = links_of(&nodes, all);
    Some(match kind {
        FaultKind::Kill => Fault::Kill { nodes },
        FaultKind::Terminate => Fault::Terminate { nodes },
        FaultKind::Crash => Fault::Crash { nodes },
        FaultKind::Pause => Fault::Pause { nodes },
        FaultKind::Promote => Fault::Promote { nodes: vec![*nodes.choose(rng)?] },
        FaultKind::Membership => Fault::Membership { nodes },
        FaultKind::Slow => {
            let delay_us = 10_000 << rng.random_range(0..6);
            Fault::Slow { nodes, links, delay_us, jitter_us: delay_us / 2 }
        }
        FaultKind::Lossy => Fault::Lossy {
            nodes,
            links,
            loss_ppm: rng.random_range(50_000..400_000),
            duplicate_ppm: rng.random_range(10_000..200_000),
            reorder_ppm: rng.random_range(50_000..500_000),
        },
        FaultKind::Corrupt => {
            Fault::Corrupt { nodes, links, corrupt_ppm: rng.random_range(50_000..400_000) }
        }
        FaultKind::Bandwidth => {
            Fault::Bandwidth { nodes, links, rate_kbit: 64 << rng.random_range(0..6) }
        }
        FaultKind::Cpu => Fault::Cpu { nodes, percent: 2 << rng.random_range(0..5) },
        FaultKind::Memory => Fault::Memory { nodes, mib: 4 << rng.random_range(0..5) },
        // They have a variant of their own.
        FaultKind::Partition | FaultKind::Restart | FaultKind::Clock | FaultKind::Disk => {
            return None;
        }
    })
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

fn draw_harm(kind: DiskKind, rng: &mut Pcg64) -> DiskHarm {
    match kind {
        DiskKind::Full => DiskHarm::Full,
        DiskKind::Slow => {
            let stall_ms = 200 << rng.random_range(0..3);
            // Busy from a half to nine tenths of the time.
            DiskHarm::Slow { stall_ms, every_ms: stall_ms * rng.random_range(11..=20) / 10 }
        }
        DiskKind::ReadOnly => DiskHarm::ReadOnly,
        DiskKind::Error => DiskHarm::Error,
        DiskKind::BitFlip => DiskHarm::BitFlip { choice: rng.random() },
        DiskKind::Truncate => {
            DiskHarm::Truncate { choice: rng.random(), bytes: 1 << rng.random_range(0..17) }
        }
    }
}
