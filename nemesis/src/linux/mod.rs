//! Faults on real Linux machines.
//!
//! ```text
//! partition                          nftables or iptables, at the receiver   partition.rs
//! slow, lossy, corrupt, bandwidth    tc netem or an agent, at the sender     links.rs
//! kill, terminate, restart, pause    signals                                 processes.rs
//! clock                              an agent                                clock.rs
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
use perjury_lab::machines::{Footprint, Machine, MachineLab};
use perjury_lab::remote::RemoteError;

use ability::Ability;
pub use binary::AgentBinary;

use crate::{Fault, FaultKind, FaultSpec, Injector, Observation};

/// Makes faults on machines that run Linux.
pub struct LinuxInjector {
    lab: MachineLab,
    footprint: Footprint,
    agent: AgentBinary,
    abilities: BTreeMap<NodeId, Ability>,
    our_boot_id: String,
    /// By how much each machine's clock is ahead of ours by itself, in nanoseconds.
    usual_leads_ns: BTreeMap<NodeId, i64>,
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
        let ready = lab.each(|machine| async {
            agent.install(machine).await?;
            let (lead_ns, _) = clock::lead_ns(machine).await?;
            Ok::<_, RemoteError>((machine.node(), Ability::of(machine).await?, lead_ns))
        });
        let (mut abilities, mut usual_leads_ns) = (BTreeMap::new(), BTreeMap::new());
        for (node, ability, lead_ns) in ready.await? {
            abilities.insert(node, ability);
            usual_leads_ns.insert(node, lead_ns);
        }
        // Elsewhere than on Linux there is no such file, and no machine with the same kernel.
        let our_boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let our_boot_id = our_boot_id.map_or_else(|_| "none".to_owned(), |it| it.trim().to_owned());
        // Packets of looks by an earlier controller may still be under way.
        let first = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let first = first.map_or(0, |since| since.as_nanos() as u64);
        let next_token = AtomicU64::new(first);
        Ok(Self { lab, footprint, agent, abilities, our_boot_id, usual_leads_ns, next_token })
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
    fn all_can(&self, can: impl Fn(&Ability) -> Result<(), String>) -> Result<(), String> {
        self.abilities.iter().try_for_each(|(node, ability)| {
            can(ability).map_err(|reason| format!("{node} {reason}"))
        })
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
            FaultKind::Partition => self.all_can(Ability::partition),
            FaultKind::Slow | FaultKind::Lossy | FaultKind::Corrupt | FaultKind::Bandwidth => {
                self.all_can(Ability::impair)
            }
            FaultKind::Clock => self.can_disturb_clocks(),
            FaultKind::Kill
            | FaultKind::Terminate
            | FaultKind::Restart
            | FaultKind::Pause
            | FaultKind::Promote
            | FaultKind::Membership => Ok(()),
            kind => Err(format!("{} is not made on real machines; leave it out", kind.name())),
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
            Fault::Clock { nodes, error } => self.disturb_clocks(nodes, *error).await,
            // The store's business.
            Fault::Promote { .. } | Fault::Membership { .. } => Ok(()),
            other => Err(format!("expected a fault that can be made here, found {}", other.name())),
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
            Fault::Clock { nodes, error } => self.look_at_clocks(nodes, *error, gone).await,
            _ => None,
        }
    }
}
