//! Runs a schedule of faults and records what each one did.

use std::collections::BTreeMap;
use std::sync::Arc;

use perjury_history::{FaultEvent, FaultStage, NodeId};
use perjury_lab::Clock;
use rand_pcg::Pcg64;

use crate::journal::{Journal, JournalEntry, JournalError, JournalStage};
use crate::schedule::{Moment, Schedule};
use crate::{Cluster, Fault, FaultSpec, Injector, Observation};

/// Where fault events are recorded.
pub trait Record: Send + Sync {
    /// Appends an event to the history. Its `time_ns` is set by the recorder.
    fn fault(&self, event: FaultEvent);
}

/// Injects faults and takes them back.
pub struct Nemesis {
    pub(crate) clock: Arc<dyn Clock>,
    nodes: Vec<NodeId>,
    pub(crate) injector: Box<dyn Injector>,
    pub(crate) cluster: Arc<dyn Cluster>,
    record: Arc<dyn Record>,
    journal: Journal,
    /// When the run began: the journal's times count from there, as the history's do.
    start_ns: u64,
    /// Faults in force.
    pub(crate) active: BTreeMap<u32, Fault>,
    /// Number of the next schedule's first fault.
    next_number: u32,
    rng: Pcg64,
}

impl Nemesis {
    /// A nemesis for one run, which begins now. All its randomness comes from `seed`.
    pub fn new(
        clock: Arc<dyn Clock>,
        nodes: Vec<NodeId>,
        injector: Box<dyn Injector>,
        cluster: Arc<dyn Cluster>,
        record: Arc<dyn Record>,
        mut journal: Journal,
        seed: u64,
    ) -> Self {
        if !injector.outlives_controller() {
            journal.forget_power_loss();
        }
        let rng = Pcg64::new(u128::from(seed), 0xFA17);
        Self {
            start_ns: clock.now_ns(),
            clock,
            nodes,
            injector,
            cluster,
            record,
            journal,
            active: BTreeMap::new(),
            next_number: 0,
            rng,
        }
    }

    /// The faults in force, by number; after [`Nemesis::heal`], those that could not be taken back.
    pub fn in_force(&self) -> &BTreeMap<u32, Fault> {
        &self.active
    }

    /// Runs a schedule until `end_ns`. What is in force then stays, for [`Nemesis::heal`]. May be
    /// dropped at any await: what is in force is known.
    ///
    /// One thing is done at a time, so that a look at one fault is not disturbed by the next. A
    /// fault that begins late for that reason ends as much later: it lasts as long as it should.
    ///
    /// # Errors
    /// If the journal cannot be written: no fault acts without it.
    pub async fn run(&mut self, schedule: &Schedule, end_ns: u64) -> Result<(), JournalError> {
        let start_ns = self.clock.now_ns();
        let first_number = self.next_number;
        let mut ends = BTreeMap::new();
        // Those of the same instant in the order in which they were planned.
        let mut moments = BTreeMap::new();
        let planned = schedule.moments(end_ns.saturating_sub(start_ns), &mut self.rng);
        for (order, (after_ns, moment)) in planned.into_iter().enumerate() {
            let when = (start_ns + after_ns, order);
            match moment {
                Moment::Begin(..) => self.next_number += 1,
                Moment::End(number) => _ = ends.insert(number, when),
            }
            moments.insert(when, moment);
        }
        while let Some(((at_ns, _), moment)) = moments.pop_first() {
            self.clock.sleep_until(at_ns).await;
            if self.clock.now_ns() >= end_ns {
                break;
            }
            match moment {
                Moment::Begin(number, spec) => {
                    let begun_ns = self.begin(first_number + number, &spec).await?;
                    if let Some((ends_ns, order)) = ends.remove(&number)
                        && let Some(end) = moments.remove(&(ends_ns, order))
                    {
                        moments.insert((ends_ns + begun_ns.saturating_sub(at_ns), order), end);
                    }
                }
                Moment::End(number) => self.end(first_number + number).await?,
            }
        }
        Ok(())
    }

    /// Takes back everything that is in force, the newest first, and again what could not be taken
    /// back before something else was: a store may not start with little memory. What is left stays
    /// [in force](Nemesis::in_force) and in the journal, and may be tried again.
    ///
    /// # Errors
    /// If the journal cannot be written; everything is taken back all the same.
    pub async fn heal(&mut self) -> Result<(), JournalError> {
        let mut outcome = Ok(());
        loop {
            let numbers: Vec<u32> = self.active.keys().rev().copied().collect();
            for &number in &numbers {
                let ended = self.end(number).await;
                outcome = outcome.and(ended);
            }
            if self.active.is_empty() || self.active.len() == numbers.len() {
                return outcome;
            }
        }
    }

    /// Begins a fault. Returns when it did.
    async fn begin(&mut self, number: u32, spec: &FaultSpec) -> Result<u64, JournalError> {
        let primaries = self.cluster.primaries().await;
        // Two faults of one claim on one node would hide each other's effect and each other's end.
        let claim = spec.kind().claim();
        let alike = |fault: &&Fault| claim.is_some() && fault.kind().claim() == claim;
        let alike = self.active.values().filter(alike);
        let busy = alike.flat_map(|fault| fault.nodes().to_vec()).collect();
        let drawn = spec.draw(&self.nodes, &primaries, &busy, &mut self.rng);
        let Some(fault) = drawn else {
            let detail = format!("no node to aim `{spec}` at");
            self.note(number, FaultStage::Failed, spec.kind().name(), &[], detail);
            return Ok(self.clock.now_ns());
        };
        let begun_ns = self.clock.now_ns();
        self.journal(number, JournalStage::Applying { fault: fault.clone() })?;
        self.active.insert(number, fault.clone());
        match &fault {
            Fault::Promote { .. } => {
                return self.promote(number, &fault).await.map(|()| begun_ns);
            }
            Fault::Restart { rolling, .. } => {
                return self.restart(number, &fault, *rolling).await.map(|()| begun_ns);
            }
            _ => {}
        }
        if let Err(problem) = self.apply(number, &fault).await {
            self.note_fault(number, FaultStage::Failed, &fault, problem);
            return Ok(begun_ns);
        }
        self.note_fault(number, FaultStage::Applied, &fault, fault.to_string());
        self.journal(number, JournalStage::Applied)?;
        // If other faults hide it, nothing was observed and nothing is said.
        if let Some(seen) = self.observe(number, &fault, false).await {
            let stage = if seen.as_expected { FaultStage::Observed } else { FaultStage::Failed };
            self.note_fault(number, stage, &fault, seen.detail);
        }
        Ok(begun_ns)
    }

    async fn end(&mut self, number: u32) -> Result<(), JournalError> {
        // It may not be there: there was nobody to aim at.
        let Some(fault) = self.active.get(&number).cloned() else {
            return Ok(());
        };
        let outcome = self.undo(number, &fault).await;
        if let Err(problem) = outcome {
            // It stays in force and in the journal, so that healing tries again.
            self.note_fault(number, FaultStage::Failed, &fault, problem);
            return Ok(());
        }
        // Until it was seen to be over it counts as in force, in case this is dropped here.
        let detail = match self.observe(number, &fault, true).await {
            Some(seen) if !seen.as_expected => {
                self.note_fault(number, FaultStage::Failed, &fault, seen.detail);
                return Ok(());
            }
            Some(seen) => seen.detail,
            None => "undone; other faults hide whether it is over".to_owned(),
        };
        self.active.remove(&number);
        self.note_fault(number, FaultStage::Undone, &fault, detail);
        self.journal(number, JournalStage::Undone)
    }

    /// Has a fault act: by the injector, but for what only the store can do.
    async fn apply(&self, number: u32, fault: &Fault) -> Result<(), String> {
        match fault {
            Fault::Membership { nodes } => {
                let mut outcome = Ok(());
                for &node in nodes {
                    outcome = outcome.and(self.cluster.remove_member(node).await);
                }
                outcome
            }
            _ => self.injector.apply(number, fault).await,
        }
    }

    async fn undo(&self, number: u32, fault: &Fault) -> Result<(), String> {
        let mut outcome = match fault {
            Fault::Membership { .. } => Ok(()),
            _ => self.injector.undo(number, fault).await,
        };
        for &node in fault.nodes() {
            if fault.ends_processes() {
                outcome = outcome.and(self.cluster.restart(node).await);
            }
            if matches!(fault, Fault::Membership { .. }) {
                outcome = outcome.and(self.cluster.add_member(node).await);
            }
        }
        outcome
    }

    /// Looks whether a fault is in force, or (`gone`) over.
    pub(crate) async fn observe(
        &self,
        number: u32,
        fault: &Fault,
        gone: bool,
    ) -> Option<Observation> {
        match fault {
            Fault::Membership { nodes } => self.observe_members(nodes, gone).await,
            _ => self.injector.observe(fault, gone, &self.others(number)).await,
        }
    }

    pub(crate) fn others(&self, number: u32) -> Vec<&Fault> {
        let others = self.active.iter().filter(|&(&other, _)| other != number);
        others.map(|(_, fault)| fault).collect()
    }

    pub(crate) fn journal(&mut self, number: u32, stage: JournalStage) -> Result<(), JournalError> {
        let time_ns = self.clock.now_ns() - self.start_ns;
        self.journal.append(&JournalEntry { number, time_ns, stage })
    }

    pub(crate) fn note_fault(&self, number: u32, stage: FaultStage, fault: &Fault, detail: String) {
        self.note(number, stage, fault.name(), fault.nodes(), detail);
    }

    fn note(&self, number: u32, stage: FaultStage, name: &str, nodes: &[NodeId], detail: String) {
        self.record.fault(FaultEvent {
            time_ns: 0,
            fault: number,
            stage,
            name: name.to_owned(),
            nodes: nodes.to_vec(),
            detail,
        });
    }
}
