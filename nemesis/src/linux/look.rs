//! Looks at links: what arrives, how late, and how much of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use futures::future::join_all;
use perjury_history::NodeId;
use perjury_lab::simulated::Link;

use super::LinuxInjector;
use crate::agent::{Heard, HeardFlow, Listen, Probe, ProbeTarget, Probed, Question};
use crate::{Fault, Observation};

/// The UDP port of listeners.
const PORT: u16 = 47_077;

/// Links that are probed of each fault; a partition of nine nodes cuts dozens alike.
const LINKS_PROBED: usize = 3;

/// How often one looks again if a fault does not show as it should: what a slow link still carries
/// delays what comes after it, chance may look like loss or like none, and a busy machine loses
/// packets itself.
const LOOKS_MAX: u32 = 5;

/// An echo that takes longer is none: more than any link takes by itself.
const PATIENCE_MS: u64 = 500;

/// One address of one link.
struct Flow {
    link: Link,
    address: IpAddr,
    port: u16,
}

/// What was seen of a flow.
struct Seen {
    link: Link,
    /// Where it was sent, for people.
    way: String,
    sent: u32,
    heard: HeardFlow,
    probed: Probed,
    /// Damaged packets of any flow to that node.
    damaged: u64,
}

impl LinuxInjector {
    /// Probes some of the links that no other fault breaks, by every address.
    pub(super) async fn look_at_links(
        &self,
        fault: &Fault,
        gone: bool,
        also: &[&Fault],
    ) -> Option<Observation> {
        let broken = |link: &Link| also.iter().any(|other| other.links().contains(link));
        let clear = |link: &&Link| !broken(link) && (one_way(fault) || !broken(&back(**link)));
        let visible: Vec<Link> = fault.links().iter().filter(clear).copied().collect();
        // Spread over all of them: different nodes, whatever the shape.
        let step = (visible.len() / LINKS_PROBED).max(1);
        let probed: Vec<Link> = visible.into_iter().step_by(step).take(LINKS_PROBED).collect();
        if probed.is_empty() {
            return None;
        }
        let mut looks = 0;
        loop {
            looks += 1;
            let seen = match self.probe_links(fault, &probed).await {
                Ok(seen) => seen,
                Err(detail) => return Some(Observation { as_expected: false, detail }),
            };
            let as_expected = shows(fault, &seen, gone);
            if as_expected || looks == LOOKS_MAX {
                let each: Vec<_> = seen.iter().map(describe).collect();
                return Some(Observation { as_expected, detail: each.join("; ") });
            }
        }
    }

    async fn probe_links(&self, fault: &Fault, links: &[Link]) -> Result<Vec<Seen>, String> {
        let token = self.token();
        let flows = self.flows(fault, links);
        let receivers: BTreeSet<NodeId> = links.iter().map(|link| link.to).collect();
        let senders: BTreeSet<NodeId> = links.iter().map(|link| link.from).collect();
        let ports: BTreeSet<u16> = flows.values().map(|flow| flow.port).collect();
        let before = self.ask_listeners(&receivers, token, &ports).await?;
        let probes = senders.iter().map(|&from| self.send(fault, from, token, &flows));
        let probed: Result<Vec<_>, String> = join_all(probes).await.into_iter().collect();
        let mut probed: BTreeMap<u32, Probed> = probed?.into_iter().flatten().collect();
        let mut after = self.ask_listeners(&receivers, token, &ports).await?;
        let seen = flows.into_iter().map(|(number, Flow { link, address, port })| {
            let at = after.get_mut(&link.to).expect("each was asked");
            let port = if port == PORT { String::new() } else { format!(", port {port}") };
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            Seen {
                link,
                way: format!("{family}{port}"),
                sent: packets(fault),
                heard: at.flows.remove(&number).unwrap_or_default(),
                probed: probed.remove(&number).unwrap_or_default(),
                damaged: at.damaged.saturating_sub(before[&link.to].damaged),
            }
        });
        Ok(seen.collect())
    }

    /// Every way from one end of each link to the other: addresses, and the ports of the fault.
    fn flows(&self, fault: &Fault, links: &[Link]) -> BTreeMap<u32, Flow> {
        let ports = match fault {
            Fault::Partition { ports, .. } if !ports.is_empty() => ports.as_slice(),
            _ => &[PORT],
        };
        let ways = links.iter().flat_map(|&link| {
            let ours = self.lab.machine(link.from).addresses();
            let theirs = self.lab.machine(link.to).addresses().iter();
            // An address of a family that the sender has none of is not a way.
            let reached = theirs.filter(|it| ours.iter().any(|own| own.is_ipv4() == it.is_ipv4()));
            reached.flat_map(move |&address| {
                ports.iter().map(move |&port| Flow { link, address, port })
            })
        });
        (0..).zip(ways).collect()
    }

    async fn send(
        &self,
        fault: &Fault,
        from: NodeId,
        token: u64,
        flows: &BTreeMap<u32, Flow>,
    ) -> Result<BTreeMap<u32, Probed>, String> {
        let own = flows.iter().filter(|(_, flow)| flow.link.from == from);
        let targets = own.map(|(&number, flow)| ProbeTarget {
            flow: number,
            address: flow.address,
            port: flow.port,
        });
        let (size, every_us) = match fault {
            Fault::Bandwidth { .. } => (LARGE, 0),
            _ => (64, 2_000),
        };
        let late_ms = match *fault {
            Fault::Slow { delay_us, jitter_us, .. } => 2 * (delay_us + jitter_us) / 1_000,
            Fault::Bandwidth { .. } => 2 * BURST_MS,
            _ => 0,
        };
        let probe = Probe {
            token,
            targets: targets.collect(),
            packets: packets(fault),
            size,
            every_us,
            patience_ms: PATIENCE_MS + late_ms,
        };
        self.agent.ask(self.lab.machine(from), "probe", &probe).await
    }

    /// Asks the listener of each node, and starts it first where it does not run.
    async fn ask_listeners(
        &self,
        nodes: &BTreeSet<NodeId>,
        token: u64,
        ports: &BTreeSet<u16>,
    ) -> Result<BTreeMap<NodeId, Heard>, String> {
        let question = Question { port: PORT, token, ports: ports.clone() };
        let asked = nodes.iter().map(|&node| {
            let (machine, question) = (self.lab.machine(node), &question);
            async move {
                let ask = || self.agent.ask::<Heard>(machine, "heard", question);
                let heard = match ask().await {
                    Ok(heard) => heard,
                    Err(_) => {
                        let listen = Listen { port: PORT };
                        let daemon = self.agent.daemon(LISTENER, "listen", &listen);
                        machine.start_daemon(&daemon).await.map_err(|error| error.to_string())?;
                        ask().await?
                    }
                };
                match heard.problems.as_slice() {
                    [] => Ok((node, heard)),
                    problems => Err(format!("{machine}: {}", problems.join(", "))),
                }
            }
        });
        join_all(asked).await.into_iter().collect()
    }
}

/// The listener's name as a daemon.
pub(super) const LISTENER: &str = "perjury-listen";

/// Bytes of a packet that is to fill a link, and how long the packets of a look fill it.
const LARGE: usize = 400;
const BURST_MS: u64 = 500;

/// Of UDP and IP, at least.
const HEADERS: usize = 28;

/// Packets that show the fault: loss is seen only in many.
fn packets(fault: &Fault) -> u32 {
    match *fault {
        Fault::Lossy { .. } | Fault::Corrupt { .. } => 300,
        Fault::Bandwidth { rate_kbit, .. } => {
            let bits = u64::from(rate_kbit) * BURST_MS;
            (bits / ((LARGE + HEADERS) as u64 * 8)).max(10) as u32
        }
        _ => 10,
    }
}

/// Whether it shows in what arrives, and not in echoes.
fn one_way(fault: &Fault) -> bool {
    !matches!(fault, Fault::Slow { .. })
}

fn back(link: Link) -> Link {
    Link { from: link.to, to: link.from }
}

/// Whether the fault was in force on all probed links, or (`gone`) on none.
fn shows(fault: &Fault, seen: &[Seen], gone: bool) -> bool {
    match *fault {
        Fault::Slow { delay_us, .. } => seen.iter().all(|seen| {
            let late = seen.probed.round_trip_min_us >= 2 * delay_us * 9 / 10;
            seen.probed.answered > 0 && late != gone
        }),
        Fault::Lossy { loss_ppm, duplicate_ppm, .. } => odd_ppm(seen)
            .is_some_and(|odd_ppm| (odd_ppm >= u64::from(loss_ppm + duplicate_ppm) / 2) != gone),
        Fault::Corrupt { corrupt_ppm, .. } => {
            let damaged = seen.iter().any(|seen| seen.damaged > 0);
            odd_ppm(seen)
                .is_some_and(|odd_ppm| (damaged && odd_ppm >= u64::from(corrupt_ppm) / 2) != gone)
        }
        Fault::Bandwidth { rate_kbit, .. } => {
            let mut by_link: BTreeMap<Link, (u64, u64)> = BTreeMap::new();
            for Seen { link, heard, .. } in seen {
                let headers = u64::from(heard.arrived) * HEADERS as u64;
                let (bytes, span_us) = by_link.entry(*link).or_default();
                *bytes += heard.bytes + headers;
                *span_us = heard.span_us.max(*span_us);
            }
            by_link.values().all(|&(bytes, span_us)| {
                let kbit = bytes * 8_000 / span_us.max(1);
                bytes > 0 && (kbit < u64::from(rate_kbit) * 3 / 2) != gone
            })
        }
        _ => seen.iter().all(|seen| (seen.heard.arrived == 0) != gone),
    }
}

/// What was lost or came twice, in parts per million; `None` if nothing arrived at all.
fn odd_ppm(seen: &[Seen]) -> Option<u64> {
    let sum = |part: fn(&Seen) -> u32| seen.iter().map(|it| u64::from(part(it))).sum::<u64>();
    let arrived = sum(|seen| seen.heard.arrived);
    let odd = sum(|seen| seen.sent.saturating_sub(seen.heard.arrived) + seen.heard.repeated);
    (arrived > 0).then(|| odd * 1_000_000 / sum(|seen| seen.sent))
}

fn describe(seen: &Seen) -> String {
    let Seen { link, way, sent, heard, probed, damaged } = seen;
    let (from, to, arrived) = (link.from, link.to, heard.arrived);
    let mut text = format!("{from} to {to} ({way}): {arrived} of {sent} arrived");
    if heard.repeated > 0 {
        text += &format!(", {} twice", heard.repeated);
    }
    if *damaged > 0 {
        text += &format!(", {damaged} damaged");
    }
    if probed.answered > 0 {
        let ms = probed.round_trip_min_us as f64 / 1_000.0;
        text += &format!(", round trip {ms:.1} ms");
    }
    text
}
