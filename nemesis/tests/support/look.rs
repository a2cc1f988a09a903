//! What all witnesses saw in a while, compared with what the faults in force should do to them.

use std::collections::BTreeMap;

use futures::future::join_all;
use perjury_history::NodeId;
use perjury_lab::simulated::{ClockFault, Link};
use perjury_nemesis::Fault;

use super::{TestBed, Testimony, Tolerances};

/// What was asked of one witness, and when by the controller's clock.
#[derive(Clone)]
struct Asked {
    at_ns: u64,
    testimony: Option<Testimony>,
}

/// What every witness said at the beginning and at the end of a while.
pub(crate) struct Look {
    before: BTreeMap<NodeId, Asked>,
    after: BTreeMap<NodeId, Asked>,
    tolerances: Tolerances,
}

impl Look {
    /// Looks for as long as given.
    pub(crate) async fn take<B: TestBed>(bed: &B, for_ns: u64) -> Self {
        let before = ask(bed).await;
        let clock = bed.clock();
        clock.sleep_until(clock.now_ns() + for_ns).await;
        Self { before, after: ask(bed).await, tolerances: bed.tolerances() }
    }

    pub(crate) fn testimony(&self, node: NodeId) -> Option<&Testimony> {
        self.after[&node].testimony.as_ref()
    }

    /// Whether just these faults, and no others, were in force all the time. `usual` was taken
    /// before any was.
    ///
    /// # Errors
    /// With everything that was seen and should not have been, or the other way round.
    pub(crate) fn shows<'a>(
        &self,
        faults: impl IntoIterator<Item = &'a Fault>,
        usual: &Look,
    ) -> Result<(), String> {
        let faults: Vec<&Fault> = faults.into_iter().collect();
        let mut problems = Vec::new();
        for &node in self.after.keys() {
            let runs = !faults.iter().any(|it| it.stops_processes() && it.nodes().contains(&node));
            let testimony = self.testimony(node);
            if testimony.is_some() != runs {
                let word = if runs { "answer" } else { "be silent" };
                problems.push(format!("expected {node} to {word}"));
            }
            if let Some(testimony) = testimony.filter(|_| runs) {
                problems.extend(self.links_into(node, testimony, &faults));
                problems.extend(self.clock_of(node, &faults, usual));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
    }

    fn links_into(&self, to: NodeId, testimony: &Testimony, faults: &[&Fault]) -> Vec<String> {
        let mut problems = Vec::new();
        for &from in self.after.keys().filter(|&&from| from != to) {
            let mut expect = |what: &str, expected: bool, seen: bool| {
                if seen != expected {
                    let word = if expected { "expected" } else { "did not expect" };
                    problems.push(format!("{word} {from} to {to} to be {what}"));
                }
            };
            let (there, back) = (Link { from, to }, Link { from: to, to: from });
            let (one_way, other_way) = (Expected::of(there, faults), Expected::of(back, faults));
            let heard = testimony.heard.get(&from).copied().unwrap_or_default();
            expect("heard", !one_way.silent, heard.pings > 0);
            if !one_way.silent {
                expect("lossy", one_way.lossy, heard.lost + heard.repeated > 0);
            }
            if let Some(round_trip_ns) = heard.round_trip_min_ns.filter(|_| !one_way.silent) {
                let delay_ns = (one_way.delay_us + other_way.delay_us) * 1_000;
                expect("slow", delay_ns > 0, round_trip_ns > self.tolerances.round_trip_max_ns);
                // By a clock that may be slow itself.
                expect("as slow as that", true, round_trip_ns >= delay_ns / 10 * 6);
            }
        }
        problems
    }

    fn clock_of(&self, node: NodeId, faults: &[&Fault], usual: &Look) -> Option<String> {
        let error = faults.iter().find_map(|fault| match fault {
            Fault::Clock { nodes, error } if nodes.contains(&node) => Some(*error),
            _ => None,
        });
        let (before, after) = (&self.before[&node], &self.after[&node]);
        let (first, last) = (before.testimony.as_ref()?, after.testimony.as_ref()?);
        let usual_lead_ns = usual.wall_lead_ns(node)?;
        let offset_ns = self.wall_lead_ns(node)? - usual_lead_ns;
        let jumps_ns = last.lead_max_ns - last.lead_min_ns;
        let took_ns = i128::from(after.at_ns - before.at_ns);
        let shown_ns = i128::from(last.monotonic_ns) - i128::from(first.monotonic_ns);
        let wall_ns = i128::from(last.wall_ns) - i128::from(first.wall_ns);
        let fast_ppm = (shown_ns - took_ns) * 1_000_000 / took_ns;
        let Tolerances { asking_ns, jump_ns, speed_ppm, .. } = self.tolerances;
        let near = |seen: i128, expected: i128, error: i128| (seen - expected).abs() <= error;
        let as_expected = match error {
            None => {
                near(offset_ns, 0, asking_ns)
                    && near(jumps_ns, 0, jump_ns)
                    && near(fast_ppm, 0, speed_ppm)
            }
            Some(ClockFault::Bump { offset_ns: expected_ns }) => {
                near(offset_ns, i128::from(expected_ns), asking_ns)
                    && near(jumps_ns, 0, jump_ns)
                    && near(fast_ppm, 0, speed_ppm)
            }
            Some(ClockFault::Strobe { offset_ns: expected_ns, .. }) => {
                near(jumps_ns, i128::from(expected_ns).abs(), jump_ns)
                    && near(fast_ppm, 0, speed_ppm)
            }
            // Real machines' monotonic clocks cannot be made wrong, only the wall clocks.
            Some(ClockFault::Drift { ppm }) if self.tolerances.monotonic_stays => {
                let drift_ppm = (wall_ns - shown_ns) * 1_000_000 / shown_ns;
                near(fast_ppm, 0, speed_ppm) && near(drift_ppm, i128::from(ppm), speed_ppm)
            }
            Some(ClockFault::Drift { ppm }) => near(fast_ppm, i128::from(ppm), speed_ppm),
        };
        (!as_expected).then(|| {
            format!(
                "expected {error:?} on {node}, saw {offset_ns} ns off, jumps of {jumps_ns} ns, \
                 {fast_ppm} ppm fast"
            )
        })
    }

    /// By how much a machine's wall clock is ahead of the controller's clock.
    fn wall_lead_ns(&self, node: NodeId) -> Option<i128> {
        let Asked { at_ns, testimony } = &self.after[&node];
        Some(i128::from(testimony.as_ref()?.wall_ns) - i128::from(*at_ns))
    }
}

/// What faults should do to a link.
struct Expected {
    silent: bool,
    lossy: bool,
    delay_us: u64,
}

impl Expected {
    fn of(link: Link, faults: &[&Fault]) -> Self {
        let mut expected = Self { silent: false, lossy: false, delay_us: 0 };
        for fault in faults {
            match fault {
                // Witnesses use none of the ports that are cut by themselves.
                Fault::Partition { links, ports, .. } => {
                    expected.silent |= ports.is_empty() && links.contains(&link);
                }
                Fault::Lossy { links, .. } | Fault::Corrupt { links, .. } => {
                    expected.lossy |= links.contains(&link);
                }
                Fault::Slow { links, delay_us, .. } if links.contains(&link) => {
                    expected.delay_us += delay_us;
                }
                fault if fault.stops_processes() => {
                    expected.silent |= fault.nodes().contains(&link.from);
                }
                _ => {}
            }
        }
        expected
    }
}

/// Asks every witness at once.
async fn ask<B: TestBed>(bed: &B) -> BTreeMap<NodeId, Asked> {
    let clock = bed.clock();
    let each = bed.nodes().into_iter().map(|node| {
        let clock = clock.clone();
        async move {
            let sent_ns = clock.now_ns();
            let testimony = bed.testimony(node).await;
            let at_ns = sent_ns.midpoint(clock.now_ns());
            (node, Asked { at_ns, testimony })
        }
    });
    join_all(each).await.into_iter().collect()
}
