//! One simulated machine: its process, disk and clocks.

use std::collections::BTreeSet;

use serde::Serialize;

use super::disk::Disk;
use super::machine_clock::MachineClock;
use super::{CallId, Input, Program, Start};

/// What a machine's process does, as its operating system sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineState {
    /// The process runs.
    Running,
    /// The process is stopped; what is sent to it waits.
    Paused,
    /// The machine is on and no process runs: connections are refused.
    Stopped,
    /// The machine has no power: nothing answers.
    Off,
}

/// One simulated machine.
#[derive(Default)]
pub(super) struct Machine {
    pub(super) start: Option<Start>,
    pub(super) process: Option<Box<dyn Program>>,
    pub(super) paused: bool,
    pub(super) powered_off: bool,
    pub(super) disk: Disk,
    pub(super) clock: MachineClock,
    /// What arrived while the process was paused.
    pub(super) waiting: Vec<Input>,
    /// Requests that reached the process and that it has not answered; if it is paused, they wait.
    pub(super) accepted: BTreeSet<CallId>,
    /// How often a process was started; events meant for an earlier one are void.
    pub(super) generation: u64,
    /// True time of the earliest tick that is on its way.
    pub(super) tick_due_ns: Option<u64>,
}

impl Machine {
    pub(super) fn state(&self) -> MachineState {
        match (&self.process, self.paused) {
            _ if self.powered_off => MachineState::Off,
            (None, _) => MachineState::Stopped,
            (Some(_), true) => MachineState::Paused,
            (Some(_), false) => MachineState::Running,
        }
    }

    /// Ends the process, whatever it was doing. Returns the requests that it leaves unanswered.
    pub(super) fn end_process(&mut self) -> BTreeSet<CallId> {
        self.process = None;
        self.paused = false;
        self.generation += 1;
        self.tick_due_ns = None;
        self.waiting.clear();
        std::mem::take(&mut self.accepted)
    }
}
