//! Faults that are done through the store, as an operator would, and not through an injector.
//!
//! Promotions and restarts are over as soon as they were seen, so that there is nothing to take back.

use perjury_history::{FaultStage, NodeId};

use crate::fault::list;
use crate::journal::{JournalError, JournalStage};
use crate::{Fault, Nemesis, Observation};

/// How long what an operator did has to show, and between two looks at it.
const SHOWS_LIMIT_NS: u64 = 1_000_000_000;
const SHOWS_POLL_NS: u64 = 20_000_000;

impl Nemesis {
    /// Has a node take over as leader.
    pub(crate) async fn promote(&mut self, number: u32, fault: &Fault) -> Result<(), JournalError> {
        let nodes = fault.nodes();
        let mut outcome = Ok(());
        for &node in nodes {
            outcome = outcome.and(self.cluster.promote(node).await);
        }
        self.active.remove(&number);
        match outcome {
            Err(problem) => self.note_fault(number, FaultStage::Failed, fault, problem),
            Ok(()) => {
                self.note_fault(number, FaultStage::Applied, fault, fault.to_string());
                let began_ns = self.clock.now_ns();
                let mut primaries = self.cluster.primaries().await;
                while !nodes.iter().all(|node| primaries.contains(node))
                    && self.clock.now_ns() - began_ns < SHOWS_LIMIT_NS
                {
                    self.clock.sleep_until(self.clock.now_ns() + SHOWS_POLL_NS).await;
                    primaries = self.cluster.primaries().await;
                }
                let leads = nodes.iter().all(|node| primaries.contains(node));
                let stage = if leads { FaultStage::Observed } else { FaultStage::Failed };
                let detail = match primaries.as_slice() {
                    [] => "no node takes itself for the leader".to_owned(),
                    leaders => format!("leaders now: {}", list(leaders)),
                };
                self.note_fault(number, stage, fault, detail);
                let nothing = "over; nothing is to be undone".to_owned();
                self.note_fault(number, FaultStage::Undone, fault, nothing);
            }
        }
        self.journal(number, JournalStage::Undone)
    }

    /// Kills processes and starts them again at once, all together or (`rolling`) node by node. If
    /// a node does not start again, the fault stays in force and healing tries again.
    pub(crate) async fn restart(
        &mut self,
        number: u32,
        fault: &Fault,
        rolling: bool,
    ) -> Result<(), JournalError> {
        let at_once = if rolling { 1 } else { fault.nodes().len() };
        let (mut died, mut runs) = (true, Vec::new());
        for nodes in fault.nodes().chunks(at_once.max(1)) {
            let one = Fault::Restart { nodes: nodes.to_vec(), rolling: false };
            match self.restart_together(number, &one).await {
                Err(problem) => {
                    self.note_fault(number, FaultStage::Failed, fault, problem);
                    return Ok(());
                }
                Ok((dead, alive)) => {
                    died &= dead.is_none_or(|seen| seen.as_expected);
                    runs.extend(alive);
                }
            }
        }
        self.note_fault(number, FaultStage::Applied, fault, fault.to_string());
        self.journal(number, JournalStage::Applied)?;
        let detail: Vec<_> = runs.iter().map(|seen| seen.detail.clone()).collect();
        if !runs.iter().all(|seen| seen.as_expected) {
            self.note_fault(number, FaultStage::Failed, fault, detail.join("; "));
            return Ok(());
        }
        let (stage, seen) = match died {
            true => (FaultStage::Observed, "the processes died"),
            false => (FaultStage::Failed, "expected the processes to die, saw them running"),
        };
        self.note_fault(number, stage, fault, seen.to_owned());
        self.active.remove(&number);
        self.note_fault(number, FaultStage::Undone, fault, detail.join("; "));
        self.journal(number, JournalStage::Undone)
    }

    /// What was seen after the deaths, and after the starts.
    async fn restart_together(
        &self,
        number: u32,
        fault: &Fault,
    ) -> Result<(Option<Observation>, Option<Observation>), String> {
        let others = self.others(number);
        self.injector.apply(number, fault).await?;
        let dead = self.injector.observe(fault, false, &others).await;
        for &node in fault.nodes() {
            self.cluster.restart(node).await?;
        }
        Ok((dead, self.injector.observe(fault, true, &others).await))
    }

    /// Whether nodes are members no more, or (`gone`) again. It may take a moment.
    pub(crate) async fn observe_members(
        &self,
        nodes: &[NodeId],
        gone: bool,
    ) -> Option<Observation> {
        let began_ns = self.clock.now_ns();
        loop {
            let members = self.cluster.members().await?;
            let as_expected = nodes.iter().all(|node| members.contains(node) == gone);
            if as_expected || self.clock.now_ns() - began_ns >= SHOWS_LIMIT_NS {
                let detail = format!("members now: {}", list(&members));
                return Some(Observation { as_expected, detail });
            }
            self.clock.sleep_until(self.clock.now_ns() + SHOWS_POLL_NS).await;
        }
    }
}
