//! Wrong clocks: of a whole machine where it has its kernel for itself, else of the store's
//! processes there.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use perjury_history::NodeId;
use perjury_lab::machines::{DaemonState, Machine, Signal, layout};
use perjury_lab::remote::{Command, RemoteError};
use perjury_lab::simulated::ClockFault;
use tokio::time::sleep;

use super::LinuxInjector;
use crate::Observation;
use crate::agent::{ClockLook, ClockSeen, MachineClock, ProcessClock, Restore};

/// The agents' names as daemons.
pub(super) const PROCESS_CLOCK: &str = "perjury-clock";
pub(super) const MACHINE_CLOCK: &str = "perjury-machine-clock";

/// How long an agent may take to begin, and to end.
const LOOKS_MAX: u32 = 100;
const REST: Duration = Duration::from_millis(50);

/// How well clocks of two machines can be compared by asking, besides the time that it takes.
const COMPARING_NS: i64 = 5_000_000;

fn truth_file() -> String {
    format!("{}/perjury-clock.json", layout::RUN)
}

impl LinuxInjector {
    /// The kernels that a machine does not have for itself: ours, and those of the others.
    fn kernels_but_of(&self, node: NodeId) -> BTreeSet<String> {
        let others = self.facts.iter().filter(|(other, _)| **other != node);
        let others = others.map(|(_, facts)| facts.boot_id.clone());
        others.chain([self.our_boot_id.clone()]).collect()
    }

    /// Whether nobody else goes by a machine's clock.
    fn owns_kernel(&self, node: NodeId) -> bool {
        self.facts[&node].shares_kernel_with.is_none()
    }

    fn process_files(&self) -> Vec<std::path::PathBuf> {
        self.footprint.daemons.iter().map(|name| layout::process_file(name).into()).collect()
    }

    pub(super) async fn disturb_clocks(
        &self,
        nodes: &[NodeId],
        error: ClockFault,
    ) -> Result<(), String> {
        self.on_each(nodes, |machine| async move {
            self.restore_clock(machine).await?;
            let node = machine.node();
            let daemon = if self.owns_kernel(node) {
                let shared = self.kernels_but_of(node);
                let order = MachineClock { error, shared, file: truth_file().into() };
                self.agent.daemon(MACHINE_CLOCK, "machine-clock", &order)
            } else {
                let order = ProcessClock { error, daemons: self.process_files() };
                self.agent.daemon(PROCESS_CLOCK, "clock", &order)
            };
            machine.start_daemon(&daemon).await
        })
        .await
    }

    pub(super) async fn restore_clocks(&self, nodes: &[NodeId]) -> Result<(), String> {
        self.on_each(nodes, |machine| self.restore_clock(machine)).await
    }

    /// Ends what makes a clock wrong, and sets it right in case that it did not.
    pub(super) async fn restore_clock(&self, machine: &Machine) -> Result<(), RemoteError> {
        for name in [PROCESS_CLOCK, MACHINE_CLOCK] {
            self.end_agent(machine, name).await?;
        }
        machine.run(&self.agent.command("clock-reset", &())).await?;
        let restore = Restore { file: truth_file().into() };
        machine.run(&self.agent.command("machine-clock-reset", &restore)).await.map(|_| ())
    }

    /// Has an agent end, which undoes what it did, or be killed if it does not.
    pub(super) async fn end_agent(&self, machine: &Machine, name: &str) -> Result<(), RemoteError> {
        if machine.daemon_state(name).await? == DaemonState::Stopped {
            return Ok(());
        }
        machine.signal_daemon(name, Signal::Terminate).await?;
        // In case that it stands still.
        machine.signal_daemon(name, Signal::Continue).await?;
        for _ in 0..LOOKS_MAX {
            if machine.daemon_state(name).await? == DaemonState::Stopped {
                return Ok(());
            }
            sleep(REST).await;
        }
        machine.signal_daemon(name, Signal::Kill).await
    }

    /// What the processes see, or the machines show; `None` if no process runs.
    pub(super) async fn look_at_clocks(
        &self,
        nodes: &[NodeId],
        error: ClockFault,
        gone: bool,
    ) -> Option<Observation> {
        let mut seen = None;
        for _ in 0..LOOKS_MAX {
            seen = self.observe_clocks(nodes, error, gone).await;
            if seen.as_ref().is_none_or(|it| it.as_expected) {
                break;
            }
            sleep(REST).await;
        }
        seen
    }

    async fn observe_clocks(
        &self,
        nodes: &[NodeId],
        error: ClockFault,
        gone: bool,
    ) -> Option<Observation> {
        let looks = self.machines(nodes).into_iter().map(|machine| async move {
            match self.owns_kernel(machine.node()) {
                true => self.look_at_machine(machine, error).await,
                false => self.look_at_process_clocks(machine, error).await,
            }
        });
        let (mut as_expected, mut details) = (true, Vec::new());
        for (&node, seen) in nodes.iter().zip(join_all(looks).await) {
            match seen {
                Ok((seen, tolerance_ns)) => {
                    as_expected &= seen.iter().all(|it| shows(*it, error, gone, tolerance_ns));
                    details.extend(seen.first().map(|it| describe(node, *it)));
                }
                Err(problem) => {
                    as_expected = false;
                    details.push(problem);
                }
            }
        }
        let detail = details.join(", ");
        (!detail.is_empty()).then_some(Observation { as_expected, detail })
    }

    async fn look_at_process_clocks(
        &self,
        machine: &Machine,
        error: ClockFault,
    ) -> Result<(Vec<ClockSeen>, i64), String> {
        let look = ClockLook { daemons: self.process_files(), for_ms: look_ms(error) };
        Ok((self.agent.ask(machine, "clock-look", &look).await?, 0))
    }

    /// Compares a machine's clock with ours, some times.
    async fn look_at_machine(
        &self,
        machine: &Machine,
        error: ClockFault,
    ) -> Result<(Vec<ClockSeen>, i64), String> {
        const SAMPLES: u32 = 8;
        let usual = self.facts[&machine.node()].clock_offset;
        let mut tolerance_ns = COMPARING_NS;
        tolerance_ns += usual.map_or(0, |clock| clock.uncertainty_ns as i64);
        let mut offsets_ns = Vec::new();
        for _ in 0..SAMPLES {
            let (lead_ns, error_ns) = lead_ns(machine).await.map_err(|error| error.to_string())?;
            offsets_ns.push(lead_ns - usual.map_or(0, |clock| clock.offset_ns));
            tolerance_ns = tolerance_ns.max(error_ns + COMPARING_NS);
            sleep(Duration::from_millis(look_ms(error) / u64::from(SAMPLES) + 1)).await;
        }
        let pick = |it: Option<&i64>| *it.expect("there are some");
        let seen = ClockSeen {
            first_ns: pick(offsets_ns.first()),
            last_ns: pick(offsets_ns.last()),
            min_ns: pick(offsets_ns.iter().min()),
            max_ns: pick(offsets_ns.iter().max()),
        };
        Ok((vec![seen], tolerance_ns))
    }
}

/// By how much a machine's clock is ahead of ours, and how well that is known, in nanoseconds.
async fn lead_ns(machine: &Machine) -> Result<(i64, i64), RemoteError> {
    let now_ns = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| since.as_nanos() as i64)
    };
    let before_ns = now_ns();
    let said = machine.run(&Command::new("date").argument("+%s%N")).await?;
    let after_ns = now_ns();
    let there_ns = said.trim().parse().unwrap_or(0_i64);
    Ok((there_ns - before_ns.midpoint(after_ns), (after_ns - before_ns) / 2))
}

/// How long one must look to see that a clock jumps or drifts.
fn look_ms(error: ClockFault) -> u64 {
    match error {
        ClockFault::Bump { .. } => 0,
        ClockFault::Strobe { period_ns, .. } => period_ns * 5 / 2 / 1_000_000 + 10,
        ClockFault::Drift { .. } => 30,
    }
}

/// Whether a clock is wrong as the fault wants it, or (`gone`) not at all.
fn shows(seen: ClockSeen, error: ClockFault, gone: bool, tolerance_ns: i64) -> bool {
    let near = |offset_ns: i64, expected_ns: i64| (offset_ns - expected_ns).abs() <= tolerance_ns;
    match error {
        _ if gone => near(seen.min_ns, 0) && near(seen.max_ns, 0),
        ClockFault::Bump { offset_ns } => {
            near(seen.min_ns, offset_ns) && near(seen.max_ns, offset_ns)
        }
        ClockFault::Strobe { offset_ns, .. } => near(seen.max_ns - seen.min_ns, offset_ns.abs()),
        ClockFault::Drift { ppm } => (seen.last_ns - seen.first_ns).signum() == ppm.signum(),
    }
}

fn describe(node: NodeId, seen: ClockSeen) -> String {
    let ms = |offset_ns: i64| offset_ns as f64 / 1e6;
    match seen.min_ns == seen.max_ns {
        true => format!("{node} is {:.1} ms off", ms(seen.first_ns)),
        false => format!("{node} is {:.1} to {:.1} ms off", ms(seen.min_ns), ms(seen.max_ns)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(offsets_ns: &[i64]) -> ClockSeen {
        ClockSeen {
            first_ns: offsets_ns[0],
            last_ns: offsets_ns[offsets_ns.len() - 1],
            min_ns: *offsets_ns.iter().min().expect("some"),
            max_ns: *offsets_ns.iter().max().expect("some"),
        }
    }

    #[test]
    fn each_error_is_told_from_a_right_clock() {
        let bump = ClockFault::Bump { offset_ns: 50 };
        let strobe = ClockFault::Strobe { offset_ns: -50, period_ns: 7 };
        let drift = ClockFault::Drift { ppm: -1 };
        for (error, wrong) in
            [(bump, seen(&[50])), (strobe, seen(&[0, -50])), (drift, seen(&[0, -3]))]
        {
            assert!(shows(wrong, error, false, 0) && !shows(wrong, error, true, 0), "{error:?}");
            assert!(!shows(seen(&[0]), error, false, 0) && shows(seen(&[0]), error, true, 0));
        }
        assert!(!shows(seen(&[49]), bump, false, 0) && shows(seen(&[49]), bump, false, 1));
    }
}
