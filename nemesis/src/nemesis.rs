//! Runs a schedule of faults and records what each one did.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use perjury_history::{FaultEvent, FaultStage, NodeId};
use perjury_lab::Clock;
use rand_pcg::Pcg64;

use crate::journal::{Journal, JournalEntry, JournalError, JournalStage};
use crate::schedule::{Moment, Schedule};
use crate::{Fault, FaultKind, FaultSpec, Injector};

/// What a nemesis must know of the store, and do to it.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// The nodes that take themselves for a leader now.
    async fn primaries(&self) -> Vec<NodeId>;

    /// Starts the store on a node again.
    ///
    /// # Errors
    /// With what went wrong.
    async fn restart(&self, node: NodeId) -> Result<(), String>;
}

/// Where fault events are recorded.
pub trait Record: Send + Sync {
    /// Appends an event to the history. Its `time_ns` is set by the recorder.
    fn fault(&self, event: FaultEvent);
}

/// Injects faults and takes them back.
pub struct Nemesis {
    clock: Arc<dyn Clock>,
    nodes: Vec<NodeId>,
    injector: Box<dyn Injector>,
    cluster: Arc<dyn Cluster>,
    record: Arc<dyn Record>,
    journal: Journal,
    /// Faults in force.
    active: BTreeMap<u32, Fault>,
    rng: Pcg64,
}

impl Nemesis {
    /// A nemesis for one run. All its randomness comes from `seed`.
    pub fn new(
        clock: Arc<dyn Clock>,
        nodes: Vec<NodeId>,
        injector: Box<dyn Injector>,
        cluster: Arc<dyn Cluster>,
        record: Arc<dyn Record>,
        journal: Journal,
        seed: u64,
    ) -> Self {
        let rng = Pcg64::new(u128::from(seed), 0xFA17);
        Self { clock, nodes, injector, cluster, record, journal, active: BTreeMap::new(), rng }
    }

    /// Runs a schedule until `end_ns`. What is in force then stays, for [`Nemesis::heal`]. May be
    /// dropped at any await: what is in force is known.
    ///
    /// # Errors
    /// If the journal cannot be written: no fault acts without it.
    pub async fn run(&mut self, schedule: &Schedule, end_ns: u64) -> Result<(), JournalError> {
        let start_ns = self.clock.now_ns();
        let moments = schedule.moments(end_ns.saturating_sub(start_ns), &mut self.rng);
        for (after_ns, moment) in moments {
            self.clock.sleep_until(start_ns + after_ns).await;
            match moment {
                Moment::Begin(number, spec) => self.begin(number, &spec).await?,
                Moment::End(number) => self.end(number).await?,
            }
        }
        Ok(())
    }

    /// Takes back everything that is in force, the newest first.
    ///
    /// # Errors
    /// If the journal cannot be written; everything is taken back all the same.
    pub async fn heal(&mut self) -> Result<(), JournalError> {
        let numbers: Vec<u32> = self.active.keys().rev().copied().collect();
        let mut outcome = Ok(());
        for number in numbers {
            let ended = self.end(number).await;
            outcome = outcome.and(ended);
        }
        outcome
    }

    async fn begin(&mut self, number: u32, spec: &FaultSpec) -> Result<(), JournalError> {
        let primaries = self.cluster.primaries().await;
        // Two faults of one kind on one node would hide each other's effect and each other's end.
        let kind = spec.kind();
        let alike = self.active.values().filter(|fault| match kind {
            FaultKind::Kill | FaultKind::Crash | FaultKind::Pause => fault.stops_processes(),
            FaultKind::Clock => matches!(fault, Fault::Clock { .. }),
            FaultKind::Partition | FaultKind::Slow | FaultKind::Lossy => false,
        });
        let busy = alike.flat_map(|fault| fault.nodes().to_vec()).collect();
        let drawn = spec.draw(&self.nodes, &primaries, &busy, &mut self.rng);
        let Some(fault) = drawn else {
            let detail = format!("no node to aim `{spec}` at");
            self.note(number, FaultStage::Failed, kind.name(), &[], detail);
            return Ok(());
        };
        self.journal(number, JournalStage::Applying { fault: fault.clone() })?;
        self.active.insert(number, fault.clone());
        if let Err(problem) = self.injector.apply(number, &fault).await {
            self.note_fault(number, FaultStage::Failed, &fault, problem);
            return Ok(());
        }
        self.note_fault(number, FaultStage::Applied, &fault, fault.to_string());
        self.journal(number, JournalStage::Applied)?;
        let seen = self.injector.observe(&fault, false, &[]).await;
        let stage = if seen.as_expected { FaultStage::Observed } else { FaultStage::Failed };
        self.note_fault(number, stage, &fault, seen.detail);
        Ok(())
    }

    async fn end(&mut self, number: u32) -> Result<(), JournalError> {
        // It may not be there: there was nobody to aim at.
        let Some(fault) = self.active.get(&number).cloned() else {
            return Ok(());
        };
        let mut outcome = self.injector.undo(number, &fault).await;
        if matches!(fault, Fault::Kill { .. } | Fault::Crash { .. }) {
            for &node in fault.nodes() {
                outcome = outcome.and(self.cluster.restart(node).await);
            }
        }
        if let Err(problem) = outcome {
            // It stays in force and in the journal, so that healing tries again.
            self.note_fault(number, FaultStage::Failed, &fault, problem);
            return Ok(());
        }
        self.active.remove(&number);
        let also: Vec<&Fault> = self.active.values().collect();
        let seen = self.injector.observe(&fault, true, &also).await;
        let stage = if seen.as_expected { FaultStage::Undone } else { FaultStage::Failed };
        self.note_fault(number, stage, &fault, seen.detail);
        self.journal(number, JournalStage::Undone)
    }

    fn journal(&mut self, number: u32, stage: JournalStage) -> Result<(), JournalError> {
        let time_ns = self.clock.now_ns();
        self.journal.append(&JournalEntry { number, time_ns, stage })
    }

    fn note_fault(&self, number: u32, stage: FaultStage, fault: &Fault, detail: String) {
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
