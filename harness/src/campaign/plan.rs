//! What is to be run: every test with every seed, checked before anything starts.

use std::sync::Arc;

use perjury_nemesis::{FaultKind, Schedule};
use perjury_stores::Store;
use perjury_workloads::{RunPlan, Workload};

use super::{Duration, LabSettings, TestSettings};
use crate::error::Error;
use crate::run_folder::{CAMPAIGN_PAGES, LATEST};

/// The tests of a campaign.
pub struct Campaign {
    /// The file's name without its ending, or what stands for it.
    pub name: String,
    /// The file as it stands.
    pub text: String,
    /// One for each test and seed.
    pub plans: Vec<TestPlan>,
}

/// One run to be.
#[derive(Clone)]
pub struct TestPlan {
    /// The test; its `seeds` are only this run's.
    pub settings: TestSettings,
    /// The run's seed.
    pub seed: u64,
    /// The system under test.
    pub store: Arc<dyn Store>,
    /// What clients do and who judges it.
    pub workload: Arc<dyn Workload>,
    /// When which faults happen.
    pub schedule: Schedule,
}

impl TestPlan {
    /// Checks that lab, store, workload and faults fit together.
    ///
    /// # Errors
    /// If a name or a setting is unknown, a figure is out of range, or the store cannot do what the
    /// workload or the nemesis needs.
    pub fn new(settings: &TestSettings, seed: u64) -> Result<Self, Error> {
        let mut settings = settings.clone();
        settings.seeds = vec![seed];
        // A cluster has the machines that it has.
        if let LabSettings::Ssh(lab) = &settings.lab
            && !lab.nodes.is_empty()
        {
            settings.nodes = settings.nodes.min(lab.nodes.len() as u32);
        }
        check_ranges(&settings)?;
        check_lab(&settings)?;
        let store_settings = serde_json::Value::Object(settings.store.settings.clone());
        let store = perjury_stores::store(&settings.store.kind, store_settings, settings.nodes)
            .map_err(|error| {
                refused(&settings, &super::suggest::with_suggestion(&error.to_string()))
            })?;
        let options = serde_json::Value::Object(settings.workload.settings.clone());
        let workload =
            perjury_workloads::workload(&settings.workload.kind, options).map_err(|error| {
                refused(&settings, &super::suggest::with_suggestion(&error.to_string()))
            })?;
        let schedule = settings.schedule();
        check_fit(&settings, store.as_ref(), workload.as_ref(), &schedule)?;
        let (store, workload) = (Arc::from(store), Arc::from(workload));
        Ok(Self { settings, seed, store, workload, schedule })
    }

    /// What the workload's generators need to know.
    pub fn run_plan(&self) -> RunPlan {
        RunPlan {
            seed: self.seed,
            rate_hz: self.settings.rate,
            time_limit_ns: self.settings.time_limit.ns,
            operation_limit: self.settings.operation_limit,
            concurrency: self.settings.concurrency,
            nodes: self.settings.nodes,
        }
    }
}

fn refused(settings: &TestSettings, problem: &str) -> Error {
    Error::usage(format!("test `{}`: {problem}", settings.name))
}

/// How many operations a load may have: a history in memory takes some 200 bytes for each.
pub const OPERATIONS_MAX: u64 = 20_000_000;

/// How many faults a run may have.
const FAULTS_MAX: u64 = 100_000;

const NAME_BYTES_MAX: usize = 150;

fn check_ranges(settings: &TestSettings) -> Result<(), Error> {
    check_name(&settings.name)?;
    let refuse = |problem: String| Err(refused(settings, &problem));
    let counts = [("nodes", settings.nodes, 100), ("concurrency", settings.concurrency, 10_000)];
    for (what, found, most) in counts {
        if !(1..=most).contains(&found) {
            return refuse(format!("expected `{what}` to be from 1 to {most}, found {found}"));
        }
    }
    if !settings.rate.is_finite() || settings.rate <= 0.0 {
        let found = settings.rate;
        return refuse(format!("expected `rate` to be above 0 a second, found {found}"));
    }
    // A run waits for these whatever happens.
    let waits = [
        ("operation-timeout", settings.operation_timeout, Duration::seconds(3_600)),
        ("recovery-limit", settings.recovery_limit, Duration::seconds(86_400)),
        ("quiet-period", settings.quiet_period, Duration::seconds(86_400)),
    ];
    for (what, found, most) in waits {
        if found > most {
            return refuse(format!("expected `{what}` to be at most {most}, found {found}"));
        }
    }
    if settings.operation_timeout.ns == 0 {
        return refuse("expected an `operation-timeout` above 0, found 0s".to_owned());
    }
    if !settings.nemesis.is_empty() && !settings.script.is_empty() {
        let problem = "expected `nemesis` or `script`, found both; put all faults into one of them";
        return refuse(problem.to_owned());
    }
    check_amounts(settings)
}

/// That a run of these settings fits into memory.
fn check_amounts(settings: &TestSettings) -> Result<(), Error> {
    let TestSettings { rate, time_limit, nemesis_interval: interval, .. } = settings;
    let planned = rate * (time_limit.ns as f64 / 1e9);
    let operations = settings.operation_limit.map_or(planned, |limit| limit as f64);
    if operations > OPERATIONS_MAX as f64 {
        let problem = match settings.operation_limit {
            Some(found) => {
                format!("expected `operation-limit` to be at most {OPERATIONS_MAX}, found {found}")
            }
            None => format!(
                "expected at most {OPERATIONS_MAX} operations, found a `rate` of {rate} for \
                 {time_limit}"
            ),
        };
        return Err(refused(settings, &problem)
            .hint("lower `rate` or `time-limit`, or end the load by an `operation-limit`"));
    }
    if let Some(late) = settings.script.iter().find(|scripted| scripted.at >= *time_limit) {
        let problem = format!(
            "expected the script's faults before the `time-limit` of {time_limit}, found `{}` at {}",
            late.fault, late.at
        );
        return Err(refused(settings, &problem));
    }
    if !settings.nemesis.is_empty() && time_limit.ns / FAULTS_MAX >= interval.ns {
        let problem = format!(
            "expected at most {FAULTS_MAX} faults, found a `nemesis-interval` of {interval} for \
             {time_limit}"
        );
        return Err(refused(settings, &problem));
    }
    Ok(())
}

/// A name is also a folder's, beside others.
fn check_name(name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(Error::usage(format!(
            "expected a test's name of letters, digits, `-`, `_` and `.` (it names a folder), \
             found `{name}`"
        )));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(Error::usage(format!(
            "expected a test's name of at most {NAME_BYTES_MAX} characters (it names a folder), \
             found {}: `{name}`",
            name.len()
        )));
    }
    if [LATEST, CAMPAIGN_PAGES].contains(&name) {
        return Err(Error::usage(format!(
            "expected a test's name other than `{LATEST}` and `{CAMPAIGN_PAGES}`, which have \
             their place beside the tests' folders, found `{name}`"
        )));
    }
    Ok(())
}

/// The lab's figures, before anything starts.
fn check_lab(settings: &TestSettings) -> Result<(), Error> {
    let refuse = |problem: String| refused(settings, &problem);
    let lab = match &settings.lab {
        LabSettings::Simulated(lab) => lab,
        LabSettings::Namespaces(_) => return Ok(()),
        LabSettings::Ssh(lab) if lab.nodes.is_empty() => {
            let problem = "expected the lab `ssh` to list its `nodes`, found none";
            return Err(refuse(problem.to_owned())
                .hint("`--lab ssh --node db1.example --node db2.example`, or `nodes` in `lab`"));
        }
        LabSettings::Ssh(_) => return Ok(()),
    };
    lab.network.check().map_err(refuse)?;
    lab.network.link_latencies(settings.nodes).map_err(refuse)?;
    let (min_us, max_us) = (lab.disk.sync_min_us, lab.disk.sync_max_us);
    if min_us > max_us || max_us > SYNC_US_MAX {
        return Err(refuse(format!(
            "expected a disk with sync-min-us <= sync-max-us <= {SYNC_US_MAX}, found {min_us} and \
             {max_us}"
        )));
    }
    Ok(())
}

/// An hour, as the longest latency of a network.
const SYNC_US_MAX: u64 = 3_600_000_000;

fn check_fit(
    settings: &TestSettings,
    store: &dyn Store,
    workload: &dyn Workload,
    schedule: &Schedule,
) -> Result<(), Error> {
    let lab = settings.lab.name();
    if !store.labs().contains(&lab) {
        let (store, labs) = (store.name(), store.labs().join(" or "));
        let problem = format!("the store `{store}` lives on the lab {labs}, found `{lab}`");
        return Err(refused(settings, &problem)
            .hint("`lab = \"namespaces\"` in the test, or `--lab namespaces`, for example"));
    }
    let offers = store.capabilities();
    let needs = workload.needs();
    let missing: Vec<_> = needs.difference(&offers.functions).copied().collect();
    if !missing.is_empty() {
        let offered: Vec<_> = offers.functions.iter().copied().collect();
        return Err(refused(
            settings,
            &format!(
                "the workload `{}` needs {}, which the store `{}` cannot do; it offers {}",
                workload.name(),
                missing.join(", "),
                store.name(),
                offered.join(", ")
            ),
        )
        .hint("choose another workload, or options of it that do without"));
    }
    for fault in schedule.faults() {
        if fault.needs_primaries() && !offers.primaries {
            let store = store.name();
            let problem = format!("`{fault}` is aimed at leaders and the store `{store}` has none");
            return Err(refused(settings, &problem));
        }
        if fault.kind() == FaultKind::Promote && !offers.promotion {
            let store = store.name();
            let problem =
                format!("`{fault}`: nobody can be promoted in the store `{store}` as set");
            return Err(refused(settings, &problem)
                .hint("the replica needs `failover = \"manual\"` or `\"automatic\"` for it"));
        }
        if fault.kind() == FaultKind::Membership && !offers.membership {
            let store = store.name();
            let problem = format!("`{fault}`: the members of the store `{store}` are fixed");
            return Err(refused(settings, &problem));
        }
        if let Some(node) = fault.named_nodes().iter().find(|node| node.0 >= settings.nodes) {
            let nodes = settings.nodes;
            let problem =
                format!("`{fault}` is aimed at {node}, and there are only n1 to n{nodes}");
            return Err(refused(settings, &problem));
        }
    }
    Ok(())
}
