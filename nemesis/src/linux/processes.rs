//! Processes that die, end or stand still.

use std::time::Duration;

use perjury_history::NodeId;
use perjury_lab::machines::{DaemonState, Machine, Signal};
use perjury_lab::remote::RemoteError;
use tokio::time::{Instant, sleep};

use super::LinuxInjector;
use crate::fault::list;
use crate::{Fault, Observation};

/// How long a process that was told to end may take, and one that was started.
const CHANGE_LIMIT: Duration = Duration::from_secs(10);
const CHANGE_POLL: Duration = Duration::from_millis(50);

impl LinuxInjector {
    /// Sends the store's daemons on some nodes what the fault sends them.
    pub(super) async fn stop_processes(&self, fault: &Fault) -> Result<(), String> {
        let signal = match fault {
            Fault::Pause { .. } => Signal::Stop,
            Fault::Terminate { .. } => Signal::Terminate,
            _ => Signal::Kill,
        };
        self.on_each(fault.nodes(), |machine| self.signal_all(machine, signal)).await
    }

    pub(super) async fn resume_processes(&self, nodes: &[NodeId]) -> Result<(), String> {
        self.on_each(nodes, |machine| self.signal_all(machine, Signal::Continue)).await
    }

    pub(super) async fn signal_all(
        &self,
        machine: &Machine,
        signal: Signal,
    ) -> Result<(), RemoteError> {
        for daemon in &self.footprint.daemons {
            machine.signal_daemon(daemon, signal).await?;
        }
        Ok(())
    }

    /// Whether every daemon is as expected, after some time if it need be.
    pub(super) async fn look_at_processes(&self, fault: &Fault, gone: bool) -> Observation {
        let expected = match fault {
            _ if gone => DaemonState::Running,
            Fault::Pause { .. } => DaemonState::Paused,
            _ => DaemonState::Stopped,
        };
        // Only these take their own time.
        let patient = gone || matches!(fault, Fault::Terminate { .. });
        let began = Instant::now();
        loop {
            let seen = self.observe_processes(fault.nodes(), expected).await;
            if seen.as_expected || !patient || began.elapsed() >= CHANGE_LIMIT {
                return seen;
            }
            sleep(CHANGE_POLL).await;
        }
    }

    pub(super) async fn observe_processes(
        &self,
        nodes: &[NodeId],
        expected: DaemonState,
    ) -> Observation {
        let mut odd = Vec::new();
        for machine in self.machines(nodes) {
            for daemon in &self.footprint.daemons {
                match machine.daemon_state(daemon).await {
                    Ok(state) if state == expected => {}
                    Ok(state) => odd.push(format!("{machine}'s {daemon} is {}", word(state))),
                    Err(error) => odd.push(error.to_string()),
                }
            }
        }
        let detail = match odd.is_empty() {
            true => format!("{}: {}", list(nodes), word(expected)),
            false => format!("expected {}, saw that {}", word(expected), odd.join(", ")),
        };
        Observation { as_expected: odd.is_empty(), detail }
    }
}

fn word(state: DaemonState) -> &'static str {
    match state {
        DaemonState::Running => "running",
        DaemonState::Paused => "paused",
        DaemonState::Stopped => "not running",
    }
}
