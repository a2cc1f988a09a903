//! The nodes' network: a link for each ordered pair, with a latency and whatever impairs it now.

use std::collections::{BTreeMap, BTreeSet};

use perjury_history::NodeId;
use rand::RngExt;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

/// How long a message takes: at least `min_us`, evenly spread up to `max_us`. One message in a
/// hundred takes up to ten times as long, but no more than 20 ms longer: it holds up all that is
/// sent after it, so that few of them would make a far link much farther than it is said to be.
/// Whole numbers only: logarithms differ between machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Latency {
    /// Microseconds.
    pub min_us: u64,
    /// Microseconds.
    pub max_us: u64,
}

const STRETCH_MAX_NS: u64 = 20_000_000;

impl Latency {
    /// Draws one, in nanoseconds.
    fn draw_ns(self, rng: &mut Pcg64) -> u64 {
        let (min_ns, max_ns) = (self.min_us * 1_000, self.max_us.max(self.min_us) * 1_000);
        let usual = rng.random_range(min_ns..=max_ns);
        let stretched = rng.random_range(0..100) == 0;
        if stretched {
            usual + (usual * rng.random_range(1..=9)).min(STRETCH_MAX_NS)
        } else {
            usual
        }
    }
}

/// One direction between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// The sender.
    pub from: NodeId,
    /// The receiver.
    pub to: NodeId,
}

/// How fast and how good the network is while nothing impairs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct NetworkSettings {
    /// Between any two nodes, one way.
    pub latency: Latency,
    /// Between clients and nodes, one way.
    pub client_latency: Latency,
    /// Links that differ from `latency`, as `"n1->n4" = { min-us = 40000, max-us = 45000 }`.
    pub links: BTreeMap<String, Latency>,
    /// Messages lost, in parts per million.
    pub loss_ppm: u32,
    /// Messages that arrive twice, in parts per million. The copy arrives with the first or later.
    pub duplicate_ppm: u32,
    /// Messages that may overtake earlier ones of their link, in parts per million. The others
    /// arrive in the order in which they were sent, as over TCP.
    pub reorder_ppm: u32,
}

impl Default for NetworkSettings {
    /// One data centre: 0.2 to 0.8 ms between nodes, 0.1 to 0.4 ms to clients, nothing lost.
    fn default() -> Self {
        Self {
            latency: Latency { min_us: 200, max_us: 800 },
            client_latency: Latency { min_us: 100, max_us: 400 },
            links: BTreeMap::new(),
            loss_ppm: 0,
            duplicate_ppm: 0,
            reorder_ppm: 0,
        }
    }
}

impl NetworkSettings {
    /// Whether the figures make sense.
    ///
    /// # Errors
    /// If a latency is over an hour or turned round, or a share over a million.
    pub fn check(&self) -> Result<(), String> {
        const HOUR_US: u64 = 3_600_000_000;
        for latency in [&self.latency, &self.client_latency].into_iter().chain(self.links.values())
        {
            let Latency { min_us, max_us } = *latency;
            if min_us > max_us || max_us > HOUR_US {
                return Err(format!(
                    "expected a latency with min-us <= max-us <= {HOUR_US}, found {min_us} and {max_us}"
                ));
            }
        }
        match [self.loss_ppm, self.duplicate_ppm, self.reorder_ppm].iter().max() {
            Some(&ppm) if ppm > 1_000_000 => {
                Err(format!("expected at most 1000000 parts per million, found {ppm}"))
            }
            _ => Ok(()),
        }
    }

    /// The links that differ, read from their names.
    ///
    /// # Errors
    /// If a name is not a link between two nodes of the lab.
    pub fn link_latencies(&self, nodes: u32) -> Result<BTreeMap<Link, Latency>, String> {
        let known = |name: &str| name.parse().ok().filter(|node: &NodeId| node.0 < nodes);
        let parse = |name: &str| {
            let (from, to) = name.split_once("->")?;
            Some(Link { from: known(from.trim())?, to: known(to.trim())? })
        };
        let named = self.links.iter().map(|(name, latency)| match parse(name) {
            Some(link) => Ok((link, *latency)),
            None => {
                Err(format!("expected a link like `n1->n2` among n1 to n{nodes}, found `{name}`"))
            }
        });
        named.collect()
    }
}

/// What is wrong with some links for a while. Impairments add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Impairment {
    /// Nothing arrives.
    pub cut: bool,
    /// Everything arrives this much later, in microseconds.
    pub delay_us: u64,
    /// And up to this much later still, at random, in microseconds.
    pub jitter_us: u64,
    /// Messages lost, in parts per million.
    pub loss_ppm: u32,
    /// Messages that arrive twice, in parts per million.
    pub duplicate_ppm: u32,
    /// Messages that may overtake earlier ones, in parts per million.
    pub reorder_ppm: u32,
}

struct Wire {
    latency: Latency,
    /// All impairments in force, added up.
    impaired: Impairment,
    last_arrival_ns: u64,
}

/// All links between the nodes.
pub(super) struct Network {
    nodes: u32,
    settings: NetworkSettings,
    wires: Vec<Wire>,
    impairments: BTreeMap<u64, (BTreeSet<Link>, Impairment)>,
    rng: Pcg64,
}

impl Network {
    pub(super) fn new(
        nodes: u32,
        settings: NetworkSettings,
        latencies: &BTreeMap<Link, Latency>,
        rng: Pcg64,
    ) -> Self {
        let wire = |index: u32| {
            let link = Link { from: NodeId(index / nodes), to: NodeId(index % nodes) };
            Wire {
                latency: *latencies.get(&link).unwrap_or(&settings.latency),
                impaired: settings.impairment(),
                last_arrival_ns: 0,
            }
        };
        let wires = (0..nodes * nodes).map(wire).collect();
        Self { nodes, settings, wires, impairments: BTreeMap::new(), rng }
    }

    /// When a message sent now on `link` arrives: never, once, or twice.
    pub(super) fn arrivals(
        &mut self,
        link: Link,
        now_ns: u64,
    ) -> impl Iterator<Item = u64> + use<> {
        let index = self.index(link);
        let wire = &mut self.wires[index];
        let Impairment { cut, delay_us, jitter_us, .. } = wire.impaired;
        let mut chance = |ppm: u32| ppm > 0 && self.rng.random_range(0..1_000_000) < ppm;
        if cut || chance(wire.impaired.loss_ppm) {
            return [None, None].into_iter().flatten();
        }
        let twice = chance(wire.impaired.duplicate_ppm);
        let overtakes = chance(wire.impaired.reorder_ppm);
        let mut draw = || {
            let jitter_ns = match jitter_us {
                0 => 0,
                _ => self.rng.random_range(0..=jitter_us.saturating_mul(1_000)),
            };
            let late_ns = delay_us.saturating_mul(1_000).saturating_add(jitter_ns);
            (now_ns + wire.latency.draw_ns(&mut self.rng)).saturating_add(late_ns)
        };
        let mut first = draw();
        if !overtakes {
            first = first.max(wire.last_arrival_ns);
            wire.last_arrival_ns = first;
        }
        // The copy may be late, but it is not ahead of what was sent before.
        let second = twice.then(|| draw().max(first));
        [Some(first), second].into_iter().flatten()
    }

    /// When a client's message to or from a node arrives.
    pub(super) fn client_arrival(&mut self, now_ns: u64) -> u64 {
        now_ns + self.settings.client_latency.draw_ns(&mut self.rng)
    }

    /// How fast a link is and what is wrong with it while nothing impairs it.
    pub(super) fn at_best(&self, link: Link) -> (Latency, Impairment) {
        (self.wires[self.index(link)].latency, self.settings.impairment())
    }

    /// Impairs links until [`Network::clear`] with the same id.
    pub(super) fn impair(&mut self, id: u64, links: BTreeSet<Link>, impairment: Impairment) {
        self.impairments.insert(id, (links, impairment));
        self.add_up();
    }

    pub(super) fn clear(&mut self, id: u64) {
        self.impairments.remove(&id);
        self.add_up();
    }

    fn index(&self, link: Link) -> usize {
        index(self.nodes, link)
    }

    fn add_up(&mut self) {
        for wire in &mut self.wires {
            wire.impaired = self.settings.impairment();
        }
        for (links, impairment) in self.impairments.values() {
            for link in links {
                let index = index(self.nodes, *link);
                self.wires[index].impaired.add(impairment);
            }
        }
    }
}

fn index(nodes: u32, link: Link) -> usize {
    (link.from.0 * nodes + link.to.0) as usize
}

impl NetworkSettings {
    /// What is wrong with every link at the best of times.
    fn impairment(&self) -> Impairment {
        Impairment {
            loss_ppm: self.loss_ppm,
            duplicate_ppm: self.duplicate_ppm,
            reorder_ppm: self.reorder_ppm,
            ..Impairment::default()
        }
    }
}

impl Impairment {
    fn add(&mut self, other: &Impairment) {
        self.cut |= other.cut;
        self.delay_us = self.delay_us.saturating_add(other.delay_us);
        self.jitter_us = self.jitter_us.saturating_add(other.jitter_us);
        self.loss_ppm = self.loss_ppm.saturating_add(other.loss_ppm);
        self.duplicate_ppm = self.duplicate_ppm.saturating_add(other.duplicate_ppm);
        self.reorder_ppm = self.reorder_ppm.saturating_add(other.reorder_ppm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link = Link { from: NodeId(0), to: NodeId(1) };

    fn network() -> Network {
        Network::new(2, NetworkSettings::default(), &BTreeMap::new(), Pcg64::new(1, 1))
    }

    fn arrivals(network: &mut Network, messages: u64) -> Vec<u64> {
        (0..messages).flat_map(|index| network.arrivals(LINK, index * 1_000)).collect()
    }

    #[test]
    fn messages_of_a_link_keep_their_order_until_reordering_is_asked_for() {
        let mut network = network();
        assert!(arrivals(&mut network, 10_000).is_sorted());
        network.impair(
            7,
            [LINK].into(),
            Impairment { reorder_ppm: 100_000, ..Impairment::default() },
        );
        assert!(!arrivals(&mut network, 10_000).is_sorted());
    }

    #[test]
    fn a_copy_of_a_message_does_not_overtake_what_was_sent_before() {
        let mut network = network();
        let all = Impairment { duplicate_ppm: 1_000_000, ..Impairment::default() };
        network.impair(1, [LINK].into(), all);
        let mut newest_first = 0;
        for index in 0..10_000 {
            for at_ns in network.arrivals(LINK, index * 1_000) {
                assert!(at_ns >= newest_first, "message {index}");
                newest_first = newest_first.max(network.wires[1].last_arrival_ns);
            }
        }
    }

    #[test]
    fn huge_delays_do_not_overflow() {
        let mut network = network();
        let huge = Impairment { delay_us: u64::MAX, jitter_us: u64::MAX, ..Impairment::default() };
        network.impair(1, [LINK].into(), huge);
        assert_eq!(network.arrivals(LINK, 7).collect::<Vec<_>>(), [u64::MAX]);
    }

    #[test]
    fn overlapping_cuts_end_only_when_the_last_is_cleared() {
        let cut = Impairment { cut: true, ..Impairment::default() };
        let mut network = network();
        network.impair(1, [LINK].into(), cut);
        network.impair(2, [LINK].into(), cut);
        network.clear(1);
        assert!(arrivals(&mut network, 100).is_empty());
        let back = Link { from: LINK.to, to: LINK.from };
        assert_eq!(network.arrivals(back, 0).count(), 1, "a cut is one-way");
        network.clear(2);
        assert_eq!(arrivals(&mut network, 100).len(), 100);
    }

    #[test]
    fn loss_and_duplication_come_at_about_their_rate() {
        let count = |impairment| {
            let mut network = network();
            network.impair(1, [LINK].into(), impairment);
            arrivals(&mut network, 10_000).len()
        };
        let lossy = count(Impairment { loss_ppm: 300_000, ..Impairment::default() });
        assert!((6_800..7_200).contains(&lossy), "{lossy}");
        let doubled = count(Impairment { duplicate_ppm: 300_000, ..Impairment::default() });
        assert!((12_800..13_200).contains(&doubled), "{doubled}");
    }

    #[test]
    fn a_busy_far_link_is_as_far_as_it_is_said_to_be() {
        let far = Latency { min_us: 60_000, max_us: 90_000 };
        let settings = NetworkSettings { latency: far, ..NetworkSettings::default() };
        let mut network = Network::new(2, settings, &BTreeMap::new(), Pcg64::new(1, 1));
        // A message every millisecond.
        let latest_ns = (0..10_000).flat_map(|ms| {
            let sent_ns = ms * 1_000_000;
            network.arrivals(LINK, sent_ns).map(|at_ns| at_ns - sent_ns).collect::<Vec<_>>()
        });
        assert!(latest_ns.max().is_some_and(|latest_ns| latest_ns <= 110_000_000));
    }

    #[test]
    fn a_link_may_have_a_latency_of_its_own() {
        let slow = Latency { min_us: 40_000, max_us: 41_000 };
        let links = BTreeMap::from([("n1->n2".to_owned(), slow)]);
        let settings = NetworkSettings { links, ..NetworkSettings::default() };
        let latencies = settings.link_latencies(2).expect("a good link");
        let mut network = Network::new(2, settings.clone(), &latencies, Pcg64::new(1, 1));
        assert!(arrivals(&mut network, 100).iter().all(|&at| at >= 40_000_000));
        let problem = settings.link_latencies(1).expect_err("there is no n2");
        assert_eq!(problem, "expected a link like `n1->n2` among n1 to n1, found `n1->n2`");
    }
}
