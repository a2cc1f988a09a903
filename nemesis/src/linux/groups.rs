//! Little processor time, little memory: control groups for the store's processes.

use futures::future::join_all;
use perjury_lab::machines::{Facts, Machine, layout};
use perjury_lab::remote::{Command, RemoteError};

use super::LinuxInjector;
use crate::agent::{Strain, Strained};
use crate::{Fault, Observation};

const SCRIPT: &str = include_str!("groups.sh");

/// The only group that a machine has for a controller.
const ANY: &str = "any";

/// How long one of ours wants a whole processor, in milliseconds: several periods of a limit.
const STRAIN_MS: u64 = 600;

/// By how much one of ours wants more memory than there is left.
const STRAIN_BYTES: u64 = 4 << 20;

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
        let (controller, number) = (controller(fault), number.to_string());
        let limit = match *fault {
            // Of each 100 ms.
            Fault::Cpu { percent, .. } => u64::from(percent) * 1_000,
            Fault::Memory { mib, .. } => u64::from(mib) << 20,
            _ => return Ok(()),
        };
        let files: Vec<_> =
            self.footprint.daemons.iter().map(|name| layout::groups_file(name)).collect();
        let make = command("make", controller, &number).argument(limit.to_string());
        let (make, number) = (&make.arguments(files), &number);
        self.on_each(fault.nodes(), |machine| async move {
            machine.run(make).await?;
            // Children that come into being meanwhile are met the second time.
            for _ in 0..2 {
                let place = command("place", controller, number);
                machine.run(&place.arguments(self.processes(machine).await?)).await?;
            }
            Ok(())
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

    /// Whether all processes of the nodes are in the group of the fault and it holds them back, or
    /// (`gone`) none is in a group of ours.
    pub(super) async fn look_at_groups(&self, fault: &Fault, gone: bool) -> Observation {
        let looks = self.machines(fault.nodes()).into_iter().map(|machine| async move {
            let look = command("look", controller(fault), ANY);
            let look = look.arguments(self.processes(machine).await?);
            let said = machine.run(&look).await?;
            // An answer that says nothing shows neither the effect nor its end.
            let (limited, free) = said.split_once(' ').unwrap_or(("?", "?"));
            let members = format!("{machine}: {limited} processes limited, {free} not");
            if gone {
                return Ok::<_, RemoteError>((limited == "0", members));
            }
            let (held, how) = self.look_at_limit(machine, fault).await?;
            Ok((held && free == "0", format!("{members}, {how}")))
        });
        let (mut as_expected, mut details) = (true, Vec::new());
        for seen in join_all(looks).await {
            let (good, detail) = seen.unwrap_or_else(|error| (false, error.to_string()));
            as_expected &= good;
            details.push(detail);
        }
        Observation { as_expected, detail: details.join("; ") }
    }

    /// Whether a group is held back by its limit, and how that shows. If its processes have not come
    /// up against it by themselves, one of ours does.
    async fn look_at_limit(
        &self,
        machine: &Machine,
        fault: &Fault,
    ) -> Result<(bool, String), RemoteError> {
        let (mut times, mut bytes) = held(machine, fault).await?;
        let strain = match *fault {
            Fault::Cpu { .. } => Strain::Cpu { for_ms: STRAIN_MS },
            _ => {
                let room = (limit_mib(fault) << 20).saturating_sub(bytes) + STRAIN_BYTES;
                Strain::Memory { bytes: usize::try_from(room).unwrap_or(usize::MAX) }
            }
        };
        let mut said = String::new();
        if times == 0 {
            let within = command("within", controller(fault), ANY);
            let within = within.arguments(self.agent.arguments("strain", &strain));
            // Whoever wants too much memory is killed.
            said = machine.output(&within).await?.text();
            (times, bytes) = held(machine, fault).await?;
        }
        let strained: Option<Strained> = serde_json::from_str(&said).ok();
        Ok(match *fault {
            Fault::Cpu { percent, .. } => {
                let had = strained.map(|it| it.cpu_permille);
                let most = 10 * u64::from(percent) * 2 + 20;
                let share = had.map_or(String::new(), |had| {
                    format!(", a busy one had {}.{} % of a processor", had / 10, had % 10)
                });
                let within = had.is_none_or(|had| had <= most);
                (times > 0 && within, format!("held back {times} times{share}"))
            }
            _ => {
                let within = bytes <= limit_mib(fault) << 20;
                let kib = bytes >> 10;
                (times > 0 && within, format!("held back {times} times, has {kib} KiB"))
            }
        })
    }
}

fn limit_mib(fault: &Fault) -> u64 {
    match *fault {
        Fault::Memory { mib, .. } => u64::from(mib),
        _ => 0,
    }
}

/// How often a group was held back so far, and the bytes that it has (of memory). An answer that says
/// nothing does not show that it was.
async fn held(machine: &Machine, fault: &Fault) -> Result<(u64, u64), RemoteError> {
    let said = machine.run(&command("held", controller(fault), ANY)).await?;
    let (times, bytes) = said.split_once(' ').unwrap_or_default();
    Ok((times.parse().unwrap_or(0), bytes.parse().unwrap_or(u64::MAX)))
}
