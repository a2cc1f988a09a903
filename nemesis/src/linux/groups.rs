//! Little processor time, little memory: control groups for the store's processes.

use futures::future::join_all;
use perjury_history::NodeId;
use perjury_lab::machines::{Facts, Machine, layout};
use perjury_lab::remote::{Command, RemoteError};

use super::LinuxInjector;
use crate::{Fault, Observation};

const SCRIPT: &str = include_str!("groups.sh");

/// The faults whose groups were written down, and their controllers.
const SAVED: &str = r#"
cd "$1" 2>/dev/null && ls | sed -n 's/^perjury-group-\([a-z]*\)-\([0-9]*\)$/\1 \2/p'
exit 0
"#;

/// The controller that a fault needs.
fn controller(fault: &Fault) -> &'static str {
    match fault {
        Fault::Cpu { .. } => "cpu",
        _ => "memory",
    }
}

/// Whether a machine has a controller.
pub(super) fn can(facts: &Facts, controller: &str) -> Result<(), String> {
    match facts.cgroup_controllers.contains(controller) {
        true => Ok(()),
        false => Err(format!(
            "has no control groups for {controller}; it needs a kernel and a boot that enable them"
        )),
    }
}

fn command(action: &str, controller: &str, number: &str) -> Command {
    Command::script(SCRIPT).arguments([action, controller, number]).as_root()
}

impl LinuxInjector {
    async fn processes(&self, machine: &Machine) -> Result<Vec<String>, RemoteError> {
        let mut pids = Vec::new();
        for daemon in &self.footprint.daemons {
            let own = machine.daemon_processes(daemon).await?;
            pids.extend(own.iter().map(ToString::to_string));
        }
        Ok(pids)
    }

    pub(super) async fn limit_processes(&self, number: u32, fault: &Fault) -> Result<(), String> {
        let limit = match *fault {
            // Of each 100 ms.
            Fault::Cpu { percent, .. } => u64::from(percent) * 1_000,
            Fault::Memory { mib, .. } => u64::from(mib) << 20,
            _ => return Ok(()),
        };
        self.on_each(fault.nodes(), |machine| async move {
            let pids = self.processes(machine).await?;
            if pids.is_empty() {
                return Ok(());
            }
            let apply = command("apply", controller(fault), &number.to_string());
            let apply = apply.argument(limit.to_string()).arguments(pids);
            machine.run(&apply).await.map(|_| ())
        })
        .await
    }

    pub(super) async fn free_processes(&self, number: u32, fault: &Fault) -> Result<(), String> {
        self.on_each(fault.nodes(), |machine| async move {
            let undo = command("undo", controller(fault), &number.to_string());
            machine.run(&undo).await.map(|_| ())
        })
        .await
    }

    /// Takes every limit of ours off a machine.
    pub(super) async fn free_all_processes(&self, machine: &Machine) -> Result<(), RemoteError> {
        let saved = Command::script(SAVED).argument(layout::RUN).as_root();
        for line in machine.run(&saved).await?.lines() {
            if let Some((controller, number)) = line.split_once(' ') {
                machine.run(&command("undo", controller, number)).await?;
            }
        }
        Ok(())
    }

    /// Whether all processes of the nodes are in a group of ours, or (`gone`) none; nothing where no
    /// process runs.
    pub(super) async fn look_at_groups(&self, fault: &Fault, gone: bool) -> Option<Observation> {
        let looks = self.machines(fault.nodes()).into_iter().map(|machine| async move {
            let look = command("look", controller(fault), "0");
            let look = look.arguments(self.processes(machine).await?);
            Ok::<_, RemoteError>((machine.node(), machine.run(&look).await?))
        });
        let (mut as_expected, mut details) = (true, Vec::new());
        for seen in join_all(looks).await {
            let (node, said): (NodeId, String) = match seen {
                Ok(seen) => seen,
                Err(error) => {
                    let detail = error.to_string();
                    return Some(Observation { as_expected: false, detail });
                }
            };
            let (limited, free) = said.split_once(' ').unwrap_or(("0", "0"));
            if (limited, free) != ("0", "0") {
                as_expected &= if gone { limited == "0" } else { free == "0" };
                details.push(format!("{node}: {limited} processes limited, {free} not"));
            }
        }
        let detail = details.join(", ");
        (!detail.is_empty()).then_some(Observation { as_expected, detail })
    }
}
