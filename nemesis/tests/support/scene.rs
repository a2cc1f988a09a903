//! A nemesis on a test bed, with its record and its journal; and injectors that fail.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use perjury_history::{FaultEvent, FaultStage, NodeId};
use perjury_lab::Clock;
use perjury_nemesis::{
    Cluster, Fault, FaultSpec, Injector, Journal, JournalPlace, Nemesis, Observation, Record,
    Schedule, ScriptedFault,
};

use super::TestBed;

/// Everything around a nemesis.
pub(crate) struct Scene<B> {
    pub(crate) bed: B,
    /// The restarts that will still fail.
    pub(crate) restarts_fail: Arc<AtomicU32>,
    /// Whether nodes that are promoted stay what they are.
    pub(crate) promotions_vain: Arc<AtomicBool>,
    /// The members of the cluster.
    members: Arc<Mutex<BTreeSet<NodeId>>>,
    record: Arc<Memory>,
    journal: PathBuf,
    /// Where the journal is, if nobody else says so.
    _folder: Option<tempfile::TempDir>,
}

impl<B: TestBed> Scene<B> {
    pub(crate) fn new(seed: u64) -> Self {
        Self::on(B::new(seed))
    }

    pub(crate) fn on(bed: B) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = folder.path().join("faults.jsonl");
        Self { _folder: Some(folder), ..Self::with_journal(bed, journal) }
    }

    /// Keeps its journal in a certain place.
    pub(crate) fn with_journal(bed: B, journal: PathBuf) -> Self {
        let record = Arc::new(Memory { clock: bed.clock(), events: Mutex::default() });
        let members = Arc::new(Mutex::new(bed.nodes().into_iter().collect()));
        let (restarts_fail, promotions_vain) = (Arc::default(), Arc::default());
        Self { bed, restarts_fail, promotions_vain, members, record, journal, _folder: None }
    }

    /// The nemesis under test.
    pub(crate) fn nemesis(&self, seed: u64) -> Nemesis {
        self.nemesis_with(self.bed.injector(), seed)
    }

    pub(crate) fn nemesis_with(&self, injector: Box<dyn Injector>, seed: u64) -> Nemesis {
        let cluster = Witnesses {
            bed: self.bed.clone(),
            fail: self.restarts_fail.clone(),
            vain: self.promotions_vain.clone(),
            members: self.members.clone(),
            leader: AtomicU32::new(1),
        };
        Nemesis::new(
            self.bed.clock(),
            self.bed.nodes(),
            injector,
            Arc::new(cluster),
            self.record.clone(),
            Journal::create(&self.journal, &JournalPlace::default()).expect("a new file"),
            seed,
        )
    }

    /// What the journal says is in force.
    pub(crate) fn left_behind(&self) -> BTreeMap<u32, Fault> {
        Journal::left_behind(&self.journal).expect("a journal").faults
    }

    /// The members of the cluster now.
    pub(crate) fn members(&self) -> Vec<NodeId> {
        self.members.lock().expect("nobody panicked").iter().copied().collect()
    }

    /// The record, with the controller's time of each event.
    pub(crate) fn events(&self) -> Vec<FaultEvent> {
        self.record.events.lock().expect("nobody panicked").clone()
    }

    /// The stages that a fault went through.
    pub(crate) fn stages(&self, fault: u32) -> Vec<&'static str> {
        let events = self.events().into_iter().filter(|event| event.fault == fault);
        events.map(|event| event.stage.name()).collect()
    }

    /// When a fault came to a stage first.
    pub(crate) fn time_ns(&self, fault: u32, stage: FaultStage) -> u64 {
        let found = self.events().into_iter().find(|it| it.fault == fault && it.stage == stage);
        found.unwrap_or_else(|| panic!("expected {stage:?} of #{fault}")).time_ns
    }

    pub(crate) async fn sleep_until(&self, time_ns: u64) {
        self.bed.clock().sleep_until(time_ns).await;
    }
}

/// A schedule of faults, each with its beginning and its length in milliseconds.
pub(crate) fn script<'a>(faults: impl IntoIterator<Item = (u64, u64, &'a str)>) -> Schedule {
    let scripted = faults.into_iter().map(|(at_ms, lasts_ms, fault)| ScriptedFault {
        at_ns: at_ms * super::MS,
        lasts_ns: lasts_ms * super::MS,
        fault: fault.parse().expect("a good spec"),
    });
    Schedule::Script(scripted.collect())
}

struct Memory {
    clock: Arc<dyn Clock>,
    events: Mutex<Vec<FaultEvent>>,
}

impl Record for Memory {
    fn fault(&self, mut event: FaultEvent) {
        event.time_ns = self.clock.now_ns();
        self.events.lock().expect("nobody panicked").push(event);
    }
}

struct Witnesses<B> {
    bed: B,
    fail: Arc<AtomicU32>,
    vain: Arc<AtomicBool>,
    members: Arc<Mutex<BTreeSet<NodeId>>>,
    leader: AtomicU32,
}

#[async_trait]
impl<B: TestBed> Cluster for Witnesses<B> {
    async fn primaries(&self) -> Vec<NodeId> {
        vec![NodeId(self.leader.load(Ordering::Relaxed))]
    }

    async fn restart(&self, node: NodeId) -> Result<(), String> {
        let fewer = |left: u32| left.checked_sub(1);
        match self.fail.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer) {
            Ok(_) => Err(format!("{node} does not start")),
            Err(_) => {
                self.bed.restart(node).await;
                Ok(())
            }
        }
    }

    async fn promote(&self, node: NodeId) -> Result<(), String> {
        if !self.vain.load(Ordering::Relaxed) {
            self.leader.store(node.0, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn members(&self) -> Option<Vec<NodeId>> {
        Some(self.members.lock().expect("nobody panicked").iter().copied().collect())
    }

    async fn remove_member(&self, node: NodeId) -> Result<(), String> {
        self.members.lock().expect("nobody panicked").remove(&node);
        Ok(())
    }

    async fn add_member(&self, node: NodeId) -> Result<(), String> {
        self.members.lock().expect("nobody panicked").insert(node);
        Ok(())
    }
}

/// Does nothing about faults from this number on, and looks honestly.
pub(crate) struct Idle {
    pub(crate) honest: Box<dyn Injector>,
    pub(crate) from_number: u32,
}

#[async_trait]
impl Injector for Idle {
    fn can(&self, spec: &FaultSpec) -> Result<(), String> {
        self.honest.can(spec)
    }

    async fn apply(&self, number: u32, fault: &Fault) -> Result<(), String> {
        if number >= self.from_number {
            return Ok(());
        }
        self.honest.apply(number, fault).await
    }

    async fn undo(&self, number: u32, fault: &Fault) -> Result<(), String> {
        if number >= self.from_number {
            return Ok(());
        }
        self.honest.undo(number, fault).await
    }

    async fn observe(&self, fault: &Fault, gone: bool, also: &[&Fault]) -> Option<Observation> {
        self.honest.observe(fault, gone, also).await
    }
}

/// Says that it undid a fault at the first attempt, and does it at the second.
pub(crate) struct Stubborn {
    pub(crate) honest: Box<dyn Injector>,
    pub(crate) tried: Mutex<BTreeSet<u32>>,
}

#[async_trait]
impl Injector for Stubborn {
    fn can(&self, spec: &FaultSpec) -> Result<(), String> {
        self.honest.can(spec)
    }

    async fn apply(&self, number: u32, fault: &Fault) -> Result<(), String> {
        self.honest.apply(number, fault).await
    }

    async fn undo(&self, number: u32, fault: &Fault) -> Result<(), String> {
        if self.tried.lock().expect("nobody panicked").insert(number) {
            return Ok(());
        }
        self.honest.undo(number, fault).await
    }

    async fn observe(&self, fault: &Fault, gone: bool, also: &[&Fault]) -> Option<Observation> {
        self.honest.observe(fault, gone, also).await
    }
}

/// Takes its time over each look at a paused process.
pub(crate) struct SlowLook {
    pub(crate) honest: Box<dyn Injector>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) takes_ns: u64,
}

#[async_trait]
impl Injector for SlowLook {
    fn can(&self, spec: &FaultSpec) -> Result<(), String> {
        self.honest.can(spec)
    }

    async fn apply(&self, number: u32, fault: &Fault) -> Result<(), String> {
        self.honest.apply(number, fault).await
    }

    async fn undo(&self, number: u32, fault: &Fault) -> Result<(), String> {
        self.honest.undo(number, fault).await
    }

    async fn observe(&self, fault: &Fault, gone: bool, also: &[&Fault]) -> Option<Observation> {
        if matches!(fault, Fault::Pause { .. }) {
            self.clock.sleep_until(self.clock.now_ns() + self.takes_ns).await;
        }
        self.honest.observe(fault, gone, also).await
    }
}
