//! Faults in the simulated lab.

use std::collections::BTreeSet;

use async_trait::async_trait;
use perjury_history::NodeId;
use perjury_lab::Clock;
use perjury_lab::SimulatedLab;
use perjury_lab::simulated::{ClockFault, Impairment, Link, MachineState};

use crate::fault::list;
use crate::{Fault, FaultKind, Injector, Observation};

/// Links that are probed of each fault; a partition of nine nodes cuts dozens alike.
const LINKS_PROBED: usize = 3;

/// Makes faults in a simulated lab.
pub struct SimulatedInjector {
    lab: SimulatedLab,
}

impl SimulatedInjector {
    /// For this lab.
    pub fn new(lab: SimulatedLab) -> Self {
        Self { lab }
    }

    /// Whether every node's process is as expected.
    fn observe_processes(&self, nodes: &[NodeId], expected: MachineState) -> Observation {
        let seen: Vec<_> = nodes.iter().map(|&node| (node, self.lab.state(node))).collect();
        let as_expected = seen.iter().all(|&(_, state)| state == expected);
        let word = |state| match state {
            MachineState::Running => "running",
            MachineState::Paused => "paused",
            MachineState::Stopped => "not running",
            MachineState::Off => "without power",
        };
        let detail = match as_expected {
            true => format!("{}: {}", list(nodes), word(expected)),
            false => {
                let each = seen.iter().map(|&(node, state)| format!("{node} is {}", word(state)));
                let each: Vec<_> = each.collect();
                format!("expected {}, saw that {}", word(expected), each.join(", "))
            }
        };
        Observation { as_expected, detail }
    }

    /// Whether the wall clock is off as the fault wants it, seen twice half a strobe apart.
    async fn observe_clock(&self, nodes: &[NodeId], error: ClockFault, gone: bool) -> Observation {
        let offset_ms = |node| self.lab.wall_clock_offset_ns(node) / 1_000_000;
        let before: Vec<i64> = nodes.iter().map(|&node| offset_ms(node)).collect();
        let wait_ns = match error {
            ClockFault::Strobe { period_ns, .. } => period_ns,
            ClockFault::Bump { .. } | ClockFault::Drift { .. } => 200_000_000,
        };
        self.lab.sleep_until(self.lab.now_ns() + wait_ns).await;
        let after: Vec<i64> = nodes.iter().map(|&node| offset_ms(node)).collect();
        let as_expected = match (gone, error) {
            (true, _) => after.iter().all(|&offset| offset == 0),
            (false, ClockFault::Bump { .. }) => after.iter().all(|&offset| offset != 0),
            (false, ClockFault::Strobe { .. } | ClockFault::Drift { .. }) => {
                before.iter().zip(&after).all(|(before, after)| before != after)
            }
        };
        let each = nodes.iter().zip(before.iter().zip(&after));
        let each = each.map(|(node, (before, after))| match before == after {
            true => format!("{node} is {after} ms off"),
            false => format!("{node} went from {before} to {after} ms off"),
        });
        Observation { as_expected, detail: each.collect::<Vec<_>>().join(", ") }
    }

    async fn observe_links(
        &self,
        fault: &Fault,
        links: &BTreeSet<Link>,
        gone: bool,
    ) -> Observation {
        let mut details = Vec::new();
        let mut as_expected = true;
        // The first, the last and one between: different nodes, whatever the shape.
        let step = (links.len() / LINKS_PROBED).max(1);
        for &link in links.iter().step_by(step).take(LINKS_PROBED) {
            let (packets, patience_ns) = match fault {
                Fault::Partition { .. } => (3, 50_000_000),
                Fault::Slow { delay_us, jitter_us, .. } => (10, (delay_us + jitter_us) * 2_000),
                _ => (100, 50_000_000),
            };
            let seen = self.lab.probe_link(link, packets, patience_ns).await;
            let effect = match fault {
                Fault::Partition { .. } => seen.arrived == 0,
                // Nothing may arrive at all if another fault cuts the link besides.
                Fault::Slow { delay_us, .. } => seen.arrived == 0 || seen.mean_us >= *delay_us,
                _ => seen.arrived < seen.sent,
            };
            as_expected &= effect != gone;
            details.push(format!(
                "{} to {}: {} of {} arrived{}",
                link.from,
                link.to,
                seen.arrived,
                seen.sent,
                match seen.arrived {
                    0 => String::new(),
                    _ => format!(", in {:.1} ms", seen.mean_us as f64 / 1_000.0),
                }
            ));
        }
        Observation { as_expected, detail: details.join("; ") }
    }
}

fn impairment(fault: &Fault) -> Impairment {
    let none = Impairment::default();
    match *fault {
        Fault::Partition { .. } => Impairment { cut: true, ..none },
        Fault::Slow { delay_us, jitter_us, .. } => Impairment { delay_us, jitter_us, ..none },
        Fault::Lossy { loss_ppm, duplicate_ppm, reorder_ppm, .. } => {
            Impairment { loss_ppm, duplicate_ppm, reorder_ppm, ..none }
        }
        _ => none,
    }
}

/// Whether another fault breaks the same thing, so that its end cannot be seen yet.
fn hidden_by(fault: &Fault, also: &[&Fault]) -> bool {
    let links = |fault: &Fault| match fault {
        Fault::Partition { links, .. } | Fault::Slow { links, .. } | Fault::Lossy { links, .. } => {
            links.clone()
        }
        _ => BTreeSet::new(),
    };
    let same_nodes = |other: &Fault| fault.nodes().iter().any(|node| other.nodes().contains(node));
    also.iter().any(|other| match fault {
        Fault::Kill { .. } | Fault::Crash { .. } | Fault::Pause { .. } => {
            other.stops_processes() && same_nodes(other)
        }
        Fault::Clock { .. } => matches!(other, Fault::Clock { .. }) && same_nodes(other),
        Fault::Partition { .. } | Fault::Slow { .. } | Fault::Lossy { .. } => {
            !links(fault).is_disjoint(&links(other)) || matches!(other, Fault::Crash { .. })
        }
    })
}

#[async_trait]
impl Injector for SimulatedInjector {
    fn can(&self, _kind: FaultKind) -> Result<(), String> {
        Ok(())
    }

    async fn apply(&self, number: u32, fault: &Fault) -> Result<(), String> {
        let id = u64::from(number);
        match fault {
            Fault::Partition { links, .. }
            | Fault::Slow { links, .. }
            | Fault::Lossy { links, .. } => {
                self.lab.impair_links(id, links.clone(), impairment(fault));
            }
            Fault::Kill { nodes } => nodes.iter().for_each(|&node| self.lab.kill(node)),
            Fault::Crash { nodes } => nodes.iter().for_each(|&node| self.lab.crash(node)),
            Fault::Pause { nodes } => nodes.iter().for_each(|&node| self.lab.pause(node)),
            Fault::Clock { nodes, error } => {
                nodes.iter().for_each(|&node| self.lab.disturb_clock(node, id, *error));
            }
        }
        Ok(())
    }

    async fn undo(&self, number: u32, fault: &Fault) -> Result<(), String> {
        let id = u64::from(number);
        match fault {
            Fault::Partition { .. } | Fault::Slow { .. } | Fault::Lossy { .. } => {
                self.lab.restore_links(id);
            }
            Fault::Kill { .. } | Fault::Crash { .. } => {}
            Fault::Pause { nodes } => nodes.iter().for_each(|&node| self.lab.resume(node)),
            Fault::Clock { nodes, .. } => {
                nodes.iter().for_each(|&node| self.lab.restore_clock(node, id));
            }
        }
        Ok(())
    }

    async fn observe(&self, fault: &Fault, gone: bool, also: &[&Fault]) -> Observation {
        if gone && hidden_by(fault, also) {
            let detail = "undone; another fault still hides it".to_owned();
            return Observation { as_expected: true, detail };
        }
        let state = |broken| if gone { MachineState::Running } else { broken };
        match fault {
            Fault::Kill { nodes } => self.observe_processes(nodes, state(MachineState::Stopped)),
            Fault::Crash { nodes } => self.observe_processes(nodes, state(MachineState::Off)),
            Fault::Pause { nodes } => self.observe_processes(nodes, state(MachineState::Paused)),
            Fault::Clock { nodes, error } => self.observe_clock(nodes, *error, gone).await,
            Fault::Partition { links, .. }
            | Fault::Slow { links, .. }
            | Fault::Lossy { links, .. } => self.observe_links(fault, links, gone).await,
        }
    }
}
