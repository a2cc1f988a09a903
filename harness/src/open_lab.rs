//! The lab of one run, from its opening to its end.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use perjury_lab::machines::{Footprint, MachineLocks, VOLUME_MIB};
use perjury_lab::namespaces::{self, LabLock, NamespaceSettings};
use perjury_lab::remote::RemoteError;
use perjury_lab::{Lab, MachineLab, SimulatedLab, ssh};
use perjury_nemesis::{
    AgentBinary, Injector, Journal, JournalPlace, LinuxInjector, SimulatedInjector,
};
use tracing::{info, warn};

use crate::campaign::{LabSettings, TestPlan};
use crate::error::Error;
use crate::heal::{Broken, broken_runs};
use crate::logs::{self, NodeLog};
use crate::run_folder::RunFolder;

/// The hidden subcommand by which the command runs as an agent on a node.
pub const AGENT: &str = "agent";

/// A lab that is ready for a store, and what must be done with it in the end.
pub struct OpenLab {
    lab: Lab,
    settings: LabSettings,
    injector: Arc<dyn Injector>,
    /// What the injector is on real machines.
    linux: Option<Arc<LinuxInjector>>,
    /// Released when the machines are as they were found.
    locks: Option<MachineLocks>,
    /// Released after them.
    namespaces: Option<Namespaces>,
}

/// A lab of namespaces in use.
struct Namespaces {
    /// Kept while the lab is used.
    lock: Option<LabLock>,
    /// A lab that was not there before is not there afterwards.
    brought_up: bool,
}

impl OpenLab {
    /// Opens the lab that a test asks for, and takes away what an earlier run left on it.
    ///
    /// # Errors
    /// If it cannot be had, or a machine of it cannot be used.
    pub fn open(plan: &TestPlan, runs: &Path) -> Result<Self, Error> {
        let (settings, nodes) = (plan.settings.lab.clone(), plan.settings.nodes);
        if let LabSettings::Simulated(simulated) = &settings {
            let lab = SimulatedLab::new(nodes, simulated, plan.seed);
            let lab = lab.map_err(|problem| {
                Error::usage(format!("test `{}`: {problem}", plan.settings.name))
            })?;
            let injector = Arc::new(SimulatedInjector::new(lab.clone()));
            let lab = Lab::Simulated(lab);
            return Ok(Self {
                lab,
                settings,
                injector,
                linux: None,
                locks: None,
                namespaces: None,
            });
        }
        let namespaces = match &settings {
            LabSettings::Namespaces(wanted) => Some(Namespaces::open(wanted, nodes)?),
            _ => None,
        };
        heal_earlier_runs(&settings, runs);
        let lab = connect(&settings, nodes)?;
        info!("preparing the machines");
        let agent = agent()?;
        let footprint = plan.store.footprint();
        let prepared = lab.run(async {
            let locks = lab.lock().await?;
            lab.reset().await?;
            lab.prepare(VOLUME_MIB).await?;
            let injector = LinuxInjector::open(lab.clone(), footprint, agent).await?;
            lab.each(|machine| injector.sweep(machine)).await?;
            Ok::<_, RemoteError>((Arc::new(injector), locks))
        });
        let (linux, locks) = prepared.map_err(Error::failure)?;
        let (injector, linux, locks) = (linux.clone(), Some(linux), Some(locks));
        Ok(Self { lab: Lab::Machines(lab), settings, injector, linux, locks, namespaces })
    }

    /// The lab.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// What makes faults in it.
    pub fn injector(&self) -> Arc<dyn Injector> {
        self.injector.clone()
    }

    /// The journal of a run's faults.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn journal(&self, path: &Path, footprint: &Footprint) -> Result<Journal, Error> {
        let lab = serde_json::to_value(&self.settings).map_err(Error::failure)?;
        Journal::create(path, &JournalPlace::new(lab, footprint)).map_err(Error::failure)
    }

    /// Fetches what the nodes wrote, and what went wrong with that. `began` is when the record did.
    pub async fn collect_logs(
        &self,
        footprint: &Footprint,
        began: Timestamp,
        folder: &RunFolder,
    ) -> (Vec<NodeLog>, Vec<String>) {
        match &self.lab {
            Lab::Machines(lab) => {
                logs::collect(lab, footprint, began.as_nanosecond(), folder.path()).await
            }
            _ => (Vec::new(), Vec::new()),
        }
    }

    /// Leaves the lab as it was found. Returns what could not be put back.
    pub fn close(self) -> Vec<String> {
        let (Lab::Machines(lab), Some(injector)) = (&self.lab, &self.linux) else {
            return Vec::new();
        };
        info!("clearing the machines");
        // A machine that is gone keeps no other from being cleared.
        let cleared = lab.run(lab.each(|machine| async {
            injector.sweep(machine).await?;
            machine.clear().await
        }));
        let mut left = Vec::new();
        left.extend(cleared.err().map(|error| format!("failed to clear the lab: {error}")));
        if let Some(locks) = self.locks {
            let lost = lab.run(locks.release()).into_iter();
            left.extend(lost.map(|error| format!("during this run {error}")));
        }
        if let Some(mut namespaces) = self.namespaces {
            left.extend(namespaces.close().err().map(|error| error.to_string()));
        }
        left
    }
}

impl Namespaces {
    /// Takes the lab of that name; makes it if it is not there.
    fn open(settings: &NamespaceSettings, nodes: u32) -> Result<Self, Error> {
        namespaces::possible().map_err(Error::failure)?;
        let name = &settings.name;
        let brought_up = !namespaces::names().map_err(Error::failure)?.contains(name);
        let lock = if brought_up {
            info!(lab = name, nodes, "bringing the lab up");
            namespaces::up(settings, nodes)
        } else {
            namespaces::lock(name)
        };
        Ok(Self { lock: Some(lock.map_err(Error::failure)?), brought_up })
    }

    fn close(&mut self) -> Result<(), Error> {
        match self.lock.take() {
            Some(lock) if self.brought_up => lock.down().map_err(Error::failure),
            _ => Ok(()),
        }
    }
}

impl Drop for Namespaces {
    /// Also where something failed or panicked before the lab's end.
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            warn!("failed to take the lab down: {error}");
        }
    }
}

/// Takes back what runs that were killed left on this lab. What cannot be taken back so is swept
/// away with the rest, so that a broken journal keeps nobody from a new run.
fn heal_earlier_runs(settings: &LabSettings, runs: &Path) {
    let here = |broken: &Broken| broken.lab().is_ok_and(|lab| lab == *settings);
    let found = broken_runs(runs).unwrap_or_else(|error| {
        warn!("{error}");
        Vec::new()
    });
    for broken in found.iter().filter(|broken| here(broken)) {
        info!(journal = %broken.journal.display(), "healing what an earlier run left");
        match broken.heal() {
            Ok(report) => report.failed.iter().for_each(|(_, fault, problem)| {
                warn!("`{fault}` could not be undone: {problem}");
            }),
            Err(error) => warn!("{error}"),
        }
    }
}

/// The machines of a lab that is there; all of a cluster if it has no more than `nodes`.
///
/// # Errors
/// If there is no such lab, it is simulated, or a machine cannot be reached.
pub fn connect(settings: &LabSettings, nodes: u32) -> Result<MachineLab, Error> {
    match settings {
        LabSettings::Simulated(_) => Err(not_real()),
        LabSettings::Namespaces(settings) => {
            namespaces::open(settings, nodes).map_err(Error::failure)
        }
        LabSettings::Ssh(settings) => {
            let mut settings = settings.clone();
            settings.nodes.truncate(nodes as usize);
            ssh::open(&settings).map_err(Error::failure)
        }
    }
}

/// All machines of a lab, whether they can be reached or not.
///
/// # Errors
/// If there is no such lab, or it is simulated.
pub fn all_machines(settings: &LabSettings) -> Result<MachineLab, Error> {
    match settings {
        LabSettings::Simulated(_) => Err(not_real()),
        LabSettings::Namespaces(settings) => {
            let status = namespaces::status(&settings.name).map_err(Error::failure)?;
            let nodes = status.nodes.len() as u32;
            namespaces::unopened(settings, nodes).map_err(Error::failure)
        }
        LabSettings::Ssh(settings) => ssh::unopened(settings).map_err(Error::failure),
    }
}

fn not_real() -> Error {
    Error::usage("expected a lab of real machines, found `simulated`")
        .hint("`--lab namespaces`, or `--lab ssh --node HOST ...`")
}

/// This executable, as it runs on the nodes.
///
/// # Errors
/// If it cannot be read.
pub fn agent() -> Result<AgentBinary, Error> {
    let path = std::env::current_exe().map_err(|error| {
        Error::failure(format!("failed to find this program's own file: {error}"))
    })?;
    AgentBinary::new(&path, [AGENT]).map_err(|error| Error::write(&path, &error))
}
