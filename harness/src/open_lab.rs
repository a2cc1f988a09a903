//! The lab of one run, from its opening to its end.

use std::path::Path;

use jiff::Timestamp;
use perjury_lab::machines::Footprint;
use perjury_lab::{Lab, SimulatedLab};
use perjury_nemesis::{Injector, Journal, JournalPlace, SimulatedInjector};

use crate::campaign::{LabSettings, TestPlan};
use crate::error::Error;
use crate::logs::{self, NodeLog};
use crate::run_folder::RunFolder;

/// A lab that is ready for a store, and what must be done with it in the end.
pub struct OpenLab {
    lab: Lab,
}

impl OpenLab {
    /// Opens the lab that a test asks for.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn open(plan: &TestPlan, _runs: &Path) -> Result<Self, Error> {
        let LabSettings::Simulated(settings) = &plan.settings.lab;
        let lab = SimulatedLab::new(plan.settings.nodes, settings, plan.seed)
            .map_err(|problem| Error::usage(format!("test `{}`: {problem}", plan.settings.name)))?;
        Ok(Self { lab: Lab::Simulated(lab) })
    }

    /// The lab.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// What makes faults in it.
    ///
    /// # Errors
    /// If that cannot be had.
    pub fn injector(&self, _footprint: Footprint) -> Result<Box<dyn Injector>, Error> {
        match &self.lab {
            Lab::Simulated(lab) => Ok(Box::new(SimulatedInjector::new(lab.clone()))),
            other => Err(Error::usage(format!("no faults are known for the lab {}", other.name()))),
        }
    }

    /// The journal of a run's faults.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn journal(&self, path: &Path, footprint: Footprint) -> Result<Journal, Error> {
        let place = JournalPlace::new(serde_json::Value::Null, footprint);
        Journal::create(path, &place).map_err(Error::failure)
    }

    /// Fetches what the nodes wrote, and what went wrong with that. `began` is when the record did.
    pub async fn collect_logs(
        &self,
        footprint: Footprint,
        began: Timestamp,
        folder: &RunFolder,
    ) -> (Vec<NodeLog>, Vec<String>) {
        match &self.lab {
            Lab::Machines(lab) => {
                logs::collect(lab, &footprint, began.as_nanosecond(), folder.path()).await
            }
            _ => (Vec::new(), Vec::new()),
        }
    }

    /// Leaves the lab as it was found. Returns what could not be put back.
    pub fn close(self) -> Vec<String> {
        Vec::new()
    }
}
