//! Faults on real Linux machines.
//!
//! ```text
//! partition                          nftables or iptables, at the receiver   partition.rs
//! slow, lossy, corrupt, bandwidth    tc netem or an agent, at the sender     links.rs
//! kill, terminate, restart, pause    signals                                 processes.rs
//! clock                              an agent                                clock.rs
//! crash, disk                        the volume of the store's data          disk.rs
//! cpu, memory                        control groups                          groups.rs
//! ```
//!
//! What an injector does is found again by names on the machine (`perjury_7` for fault 7) and not by
//! what the injector remembers, so that one that was made later can undo it. [`sweep`] takes
//! everything of ours off a machine, whatever is known about it.
//!
//! Invariants
//! - Only traffic between nodes is touched: never that of clients, nor the way by which we come.
//! - Only our own tables, chains, folders and processes are removed.
//!
//! [`sweep`]: LinuxInjector::sweep

mod ability;
mod binary;
mod clock;
mod disk;
mod groups;
mod links;
mod look;
mod partition;
mod processes;
mod sweep;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::future::join_all;
use perjury_history::NodeId;
use perjury_lab::machines::{Facts, Footprint, Machine, MachineLab};
use perjury_lab::remote::RemoteError;

pub use binary::AgentBinary;

use crate::kind::DiskKind;
use crate::{Fault, FaultKind, FaultSpec, Injector, Observation};

/// Makes faults on machines that run Linux.
pub struct LinuxInjector {
    lab: MachineLab,
    footprint: Footprint,
    agent: AgentBinary,
    facts: BTreeMap<NodeId, Facts>,
    our_boot_id: String,
    /// Names the next look at links.
    next_token: AtomicU64,
}

impl LinuxInjector {
    /// For the machines of a lab, and the store that has `footprint` there. Copies the agent to
    /// them and finds out what can be done on each.
    ///
    /// # Errors
    /// If a machine cannot be reached, or the agent does not run on it.
    pub async fn open(
        lab: MachineLab,
        footprint: Footprint,
        agent: AgentBinary,
    ) -> Result<Self, RemoteError> {
        lab.each(|machine| agent.install(machine)).await?;
        let facts = lab.nodes().into_iter().zip(lab.facts().await?).collect();
        // Elsewhere than on Linux there is no such file, and no machine with the same kernel.
        let our_boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let our_boot_id = our_boot_id.map_or_else(|_| "none".to_owned(), |it| it.trim().to_owned());
        // Packets of looks by an earlier controller may still be under way.
        let first = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let first = first.map_or(0, |since| since.as_nanos() as u64);
        let next_token = AtomicU64::new(first);
        Ok(Self { lab, footprint, agent, facts, our_boot_id, next_token })
    }

    fn machines(&self, nodes: &[NodeId]) -> Vec<&Machine> {
        nodes.iter().map(|&node| self.lab.machine(node)).collect()
    }

    fn token(&self) -> u64 {
        self.next_token.fetch_add(1, Ordering::Relaxed)
    }

    /// Does the same on the machines of some nodes at once; the first error, once all are done.
    async fn on_each<'a, F: Future<Output = Result<(), RemoteError>>>(
        &'a self,
        nodes: &[NodeId],
        work: impl Fn(&'a Machine) -> F,
    ) -> Result<(), String> {
        let done = join_all(self.machines(nodes).into_iter().map(work)).await;
        done.into_iter().collect::<Result<(), _>>().map_err(|error| error.to_string())
    }

    /// The first reason why one of the machines cannot.
    fn all_can(&self, can: impl Fn(&Facts) -> Result<(), String>) -> Result<(), String> {
        self.facts
            .iter()
            .try_for_each(|(node, facts)| can(facts).map_err(|reason| format!("{node} {reason}")))
    }
}

/// Whether another fault has what this one needs of a node, so that nothing can be seen of it.
fn hidden_by(fault: &Fault, also: &[&Fault]) -> bool {
    let claim = fault.kind().claim();
    let same_nodes = |other: &Fault| fault.nodes().iter().any(|node| other.nodes().contains(node));
    claim.is_some() && also.iter().any(|it| it.kind().claim() == claim && same_nodes(it))
}

#[async_trait]
impl Injector for LinuxInjector {
    fn can(&self, spec: &FaultSpec) -> Result<(), String> {
        match spec.kind() {
            FaultKind::Partition => self.all_can(ability::partition),
            FaultKind::Slow | FaultKind::Lossy | FaultKind::Corrupt | FaultKind::Bandwidth => {
                self.all_can(ability::impair)
            }
            FaultKind::Clock => self.all_can(ability::clock),
            FaultKind::Cpu => self.all_can(|facts| groups::can(facts, "cpu")),
            FaultKind::Memory => self.all_can(|facts| groups::can(facts, "memory")),
            FaultKind::Crash => self.all_can(ability::shutdown),
            FaultKind::Disk => {
                let data_files = !self.footprint.data_files.is_empty();
                let can = |harm| match harm {
                    DiskKind::Full | DiskKind::ReadOnly => self.all_can(ability::volume),
                    DiskKind::Error => self.all_can(ability::shutdown),
                    DiskKind::Slow => self.all_can(ability::freeze),
                    DiskKind::BitFlip | DiskKind::Truncate if data_files => {
                        self.all_can(ability::volume)
                    }
                    DiskKind::BitFlip | DiskKind::Truncate => {
                        Err("the store names no files to damage; take another store".to_owned())
                    }
                };
                match spec {
                    FaultSpec::Disk(Some(harm), _) => can(*harm),
                    _ => DiskKind::ALL.into_iter().try_for_each(can),
                }
            }
            FaultKind::Kill
            | FaultKind::Terminate
            | FaultKind::Restart
            | FaultKind::Pause
            | FaultKind::Promote
            | FaultKind::Membership => Ok(()),
        }
    }

    async fn apply(&self, number: u32, fault: &Fault) -> Result<(), String> {
        match fault {
            Fault::Partition { .. } => self.cut(number, fault).await,
            Fault::Slow { .. }
            | Fault::Lossy { .. }
            | Fault::Corrupt { .. }
            | Fault::Bandwidth { .. } => self.impair_links(number, fault).await,
            Fault::Kill { .. }
            | Fault::Terminate { .. }
            | Fault::Restart { .. }
            | Fault::Pause { .. } => self.stop_processes(fault).await,
            Fault::Crash { .. } => self.crash(fault).await,
            Fault::Disk { harm, .. } => self.harm_disks(fault, *harm).await,
            Fault::Clock { nodes, error } => self.disturb_clocks(nodes, *error).await,
            // The store's business.
            Fault::Promote { .. } | Fault::Membership { .. } => Ok(()),
            Fault::Cpu { .. } | Fault::Memory { .. } => self.limit_processes(number, fault).await,
        }
    }

    async fn undo(&self, number: u32, fault: &Fault) -> Result<(), String> {
        match fault {
            Fault::Partition { .. } => self.mend(number, fault).await,
            Fault::Slow { .. }
            | Fault::Lossy { .. }
            | Fault::Corrupt { .. }
            | Fault::Bandwidth { .. } => self.restore_links(number, fault).await,
            Fault::Pause { nodes } => self.resume_processes(nodes).await,
            Fault::Crash { .. } | Fault::Disk { .. } => self.mend_disks(fault).await,
            Fault::Cpu { .. } | Fault::Memory { .. } => self.free_processes(number, fault).await,
            Fault::Clock { nodes, .. } => self.restore_clocks(nodes).await,
            _ => Ok(()),
        }
    }

    async fn observe(&self, fault: &Fault, gone: bool, also: &[&Fault]) -> Option<Observation> {
        if hidden_by(fault, also) {
            return None;
        }
        match fault {
            Fault::Partition { .. }
            | Fault::Slow { .. }
            | Fault::Lossy { .. }
            | Fault::Corrupt { .. }
            | Fault::Bandwidth { .. } => self.look_at_links(fault, gone, also).await,
            Fault::Kill { .. }
            | Fault::Terminate { .. }
            | Fault::Restart { .. }
            | Fault::Pause { .. } => Some(self.look_at_processes(fault, gone).await),
            Fault::Cpu { .. } | Fault::Memory { .. } => {
                Some(self.look_at_groups(fault, gone).await)
            }
            Fault::Crash { .. } => Some(self.look_at_power(fault, gone).await),
            Fault::Disk { harm, .. } => Some(self.look_at_disks(fault, *harm, gone).await),
            Fault::Clock { nodes, error } => self.look_at_clocks(nodes, *error, gone).await,
            _ => None,
        }
    }
}
