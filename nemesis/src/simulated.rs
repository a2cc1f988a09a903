//! Faults in the simulated lab.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures::future::join_all;
use perjury_history::NodeId;
use perjury_lab::Clock;
use perjury_lab::SimulatedLab;
use perjury_lab::simulated::{ClockFault, Impairment, Link, LinkProbe, MachineState};

use crate::fault::list;
use crate::{Fault, FaultKind, FaultSpec, Injector, Observation};

/// Links that are probed of each fault; a partition of nine nodes cuts dozens alike.
const LINKS_PROBED: usize = 3;

/// How long probe packets may be under way: more than any latency and delay.
const PATIENCE_NS: u64 = 10_000_000_000;

/// How often one looks again for the end of a fault: what a slow link still carries delays what
/// comes after it, and chance may look like loss.
const LOOKS_MAX: u32 = 5;

/// Between two looks at a clock that runs fast or slow.
const DRIFT_LOOK_NS: u64 = 20_000_000;

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

    /// Whether the wall clock is off as the fault wants it, or not at all. A clock that jumps is
    /// right half of the time, and one that drifts is right at first: two looks.
    async fn observe_clock(&self, nodes: &[NodeId], error: ClockFault, gone: bool) -> Observation {
        let look = || -> Vec<i64> {
            nodes.iter().map(|&node| self.lab.wall_clock_offset_ns(node)).collect()
        };
        let before = look();
        let wait_ns = match error {
            ClockFault::Bump { .. } => 0,
            ClockFault::Strobe { period_ns, .. } => period_ns,
            ClockFault::Drift { .. } => DRIFT_LOOK_NS,
        };
        self.lab.sleep_until(self.lab.now_ns().saturating_add(wait_ns)).await;
        let after = look();
        let as_wanted = |before: i64, after: i64| match (gone, error) {
            (true, _) => before == 0 && after == 0,
            (false, ClockFault::Bump { offset_ns }) => after == offset_ns,
            (false, ClockFault::Strobe { .. }) => before != after,
            (false, ClockFault::Drift { ppm }) => (after - before).signum() == ppm.signum(),
        };
        let ms = |offset_ns: i64| offset_ns as f64 / 1e6;
        let each = nodes.iter().zip(before.iter().zip(&after));
        let as_expected = each.clone().all(|(_, (&before, &after))| as_wanted(before, after));
        let each = each.map(|(node, (&before, &after))| match before == after {
            true => format!("{node} is {:.1} ms off", ms(after)),
            false => format!("{node} went from {:.1} to {:.1} ms off", ms(before), ms(after)),
        });
        Observation { as_expected, detail: each.collect::<Vec<_>>().join(", ") }
    }

    /// Probes some of the links that no other fault breaks.
    async fn observe_links(
        &self,
        fault: &Fault,
        links: &BTreeSet<Link>,
        gone: bool,
        also: &[&Fault],
    ) -> Option<Observation> {
        let clear = |link: &&Link| !also.iter().any(|other| breaks(other, **link));
        let visible: Vec<Link> = links.iter().filter(clear).copied().collect();
        // Spread over all of them: different nodes, whatever the shape.
        let step = (visible.len() / LINKS_PROBED).max(1);
        let probed: Vec<Link> = visible.into_iter().step_by(step).take(LINKS_PROBED).collect();
        if probed.is_empty() {
            return None;
        }
        let mut looks = 0;
        loop {
            looks += 1;
            let seen = self.probe(&probed, packets(fault)).await;
            let as_expected = self.shows(fault, &seen, gone);
            if as_expected || !gone || looks == LOOKS_MAX {
                let each: Vec<_> = seen.iter().map(|(link, seen)| describe(*link, *seen)).collect();
                return Some(Observation { as_expected, detail: each.join("; ") });
            }
        }
    }

    async fn probe(&self, links: &[Link], packets: u32) -> Vec<(Link, LinkProbe)> {
        let probes = links.iter().map(|&link| async move {
            (link, self.lab.probe_link(link, packets, PATIENCE_NS).await)
        });
        join_all(probes).await
    }

    /// Whether the fault was in force on all probed links, or (`gone`) on none, given what the lab
    /// itself does to messages.
    fn shows(&self, fault: &Fault, seen: &[(Link, LinkProbe)], gone: bool) -> bool {
        let at_best = |link| self.lab.link_at_best(link);
        match *fault {
            Fault::Slow { delay_us, .. } => seen.iter().all(|&(link, seen)| {
                let late = seen.fastest_us >= at_best(link).0.min_us.saturating_add(delay_us);
                seen.arrived > 0 && late != gone
            }),
            Fault::Lossy { .. } | Fault::Corrupt { .. } => {
                let Impairment { loss_ppm, duplicate_ppm, .. } = impairment(fault);
                let sum = |part: fn(&LinkProbe) -> u32| -> u64 {
                    seen.iter().map(|(_, seen)| u64::from(part(seen))).sum()
                };
                let sent = sum(|seen| seen.sent);
                let odd = sum(|seen| seen.sent - seen.arrived + seen.duplicates);
                let usual = at_best(seen[0].0).1;
                let usual_ppm = u64::from(usual.loss_ppm) + u64::from(usual.duplicate_ppm);
                let added_ppm = u64::from(loss_ppm) + u64::from(duplicate_ppm);
                // Nearer to the fault than to the usual.
                let unusual = odd * 1_000_000 >= sent * (usual_ppm + added_ppm / 2);
                unusual != gone
            }
            _ => seen.iter().all(|&(_, seen)| (seen.arrived == 0) != gone),
        }
    }
}

/// Packets that show the fault: loss is seen only in many.
fn packets(fault: &Fault) -> u32 {
    match fault {
        Fault::Lossy { .. } | Fault::Corrupt { .. } => 300,
        _ => 10,
    }
}

fn describe(link: Link, seen: LinkProbe) -> String {
    let LinkProbe { sent, arrived, duplicates, mean_us, .. } = seen;
    let mut text = format!("{} to {}: {arrived} of {sent} arrived", link.from, link.to);
    if duplicates > 0 {
        text += &format!(", {duplicates} twice");
    }
    if arrived > 0 {
        text += &format!(", in {:.1} ms", mean_us as f64 / 1_000.0);
    }
    text
}

fn impairment(fault: &Fault) -> Impairment {
    let none = Impairment::default();
    match *fault {
        Fault::Partition { .. } => Impairment { cut: true, ..none },
        Fault::Slow { delay_us, jitter_us, .. } => Impairment { delay_us, jitter_us, ..none },
        Fault::Lossy { loss_ppm, duplicate_ppm, reorder_ppm, .. } => {
            Impairment { loss_ppm, duplicate_ppm, reorder_ppm, ..none }
        }
        // What is damaged does not pass the receiver's checksum.
        Fault::Corrupt { corrupt_ppm, .. } => Impairment { loss_ppm: corrupt_ppm, ..none },
        _ => none,
    }
}

/// Whether a fault disturbs what a link carries.
fn breaks(fault: &Fault, link: Link) -> bool {
    match fault {
        Fault::Crash { nodes } => nodes.contains(&link.from) || nodes.contains(&link.to),
        _ => fault.links().contains(&link),
    }
}

/// Whether another fault treats one of this fault's nodes in the same way.
fn hidden_by(fault: &Fault, also: &[&Fault]) -> bool {
    let claim = fault.kind().claim();
    let same_nodes = |other: &Fault| fault.nodes().iter().any(|node| other.nodes().contains(node));
    claim.is_some() && also.iter().any(|it| it.kind().claim() == claim && same_nodes(it))
}

#[async_trait]
impl Injector for SimulatedInjector {
    fn can(&self, spec: &FaultSpec) -> Result<(), String> {
        let lacks = |what| Err(format!("{what}; use a lab of real machines"));
        match spec.kind() {
            FaultKind::Partition if spec.ports().is_empty() => Ok(()),
            FaultKind::Partition => lacks("messages in the simulated lab have no ports"),
            FaultKind::Bandwidth => lacks("messages in the simulated lab have no size"),
            FaultKind::Disk => lacks(
                "disks of the simulated lab lose what was not synced, in a `crash`, and do nothing else wrong",
            ),
            FaultKind::Cpu | FaultKind::Memory => {
                lacks("machines of the simulated lab have neither processors nor memory")
            }
            _ => Ok(()),
        }
    }

    /// The lab is in the controller.
    fn outlives_controller(&self) -> bool {
        false
    }

    async fn apply(&self, number: u32, fault: &Fault) -> Result<(), String> {
        let id = u64::from(number);
        let each = |act: &dyn Fn(NodeId)| fault.nodes().iter().for_each(|&node| act(node));
        match fault.kind() {
            FaultKind::Partition | FaultKind::Slow | FaultKind::Lossy | FaultKind::Corrupt => {
                self.lab.impair_links(id, fault.links().clone(), impairment(fault));
            }
            // No program here knows how to end in an orderly way.
            FaultKind::Kill | FaultKind::Terminate | FaultKind::Restart => {
                each(&|node| self.lab.kill(node));
            }
            FaultKind::Crash => each(&|node| self.lab.crash(node)),
            FaultKind::Pause => each(&|node| self.lab.pause(node)),
            FaultKind::Clock => {
                if let Fault::Clock { error, .. } = fault {
                    each(&|node| self.lab.disturb_clock(node, id, *error));
                }
            }
            // The store's business.
            FaultKind::Promote | FaultKind::Membership => {}
            kind => {
                return Err(format!(
                    "expected a fault that can be made here, found {}",
                    kind.name()
                ));
            }
        }
        Ok(())
    }

    async fn undo(&self, number: u32, fault: &Fault) -> Result<(), String> {
        let id = u64::from(number);
        let each = |act: &dyn Fn(NodeId)| fault.nodes().iter().for_each(|&node| act(node));
        match fault.kind() {
            FaultKind::Partition | FaultKind::Slow | FaultKind::Lossy | FaultKind::Corrupt => {
                self.lab.restore_links(id);
            }
            FaultKind::Pause => each(&|node| self.lab.resume(node)),
            FaultKind::Clock => each(&|node| self.lab.restore_clock(node, id)),
            _ => {}
        }
        Ok(())
    }

    async fn observe(&self, fault: &Fault, gone: bool, also: &[&Fault]) -> Option<Observation> {
        if hidden_by(fault, also) {
            return None;
        }
        let state = |broken| if gone { MachineState::Running } else { broken };
        match fault {
            Fault::Kill { nodes } | Fault::Terminate { nodes } | Fault::Restart { nodes, .. } => {
                Some(self.observe_processes(nodes, state(MachineState::Stopped)))
            }
            Fault::Crash { nodes } => Some(self.observe_processes(nodes, state(MachineState::Off))),
            Fault::Pause { nodes } => {
                Some(self.observe_processes(nodes, state(MachineState::Paused)))
            }
            Fault::Clock { nodes, error } => Some(self.observe_clock(nodes, *error, gone).await),
            _ if !fault.links().is_empty() => {
                self.observe_links(fault, fault.links(), gone, also).await
            }
            _ => None,
        }
    }
}
