//! Links that are slow, lossy, damaging or narrow: an agent at each sender makes them so.
//!
//! A fault is a file on each sender; the agent combines all that are there.

use std::collections::BTreeMap;

use perjury_history::NodeId;
use perjury_lab::machines::{Machine, layout};
use perjury_lab::remote::{Command, RemoteError};

use super::LinuxInjector;
use crate::Fault;
use crate::agent::{Impairment, LinkFault, Links};

/// The agent's name as a daemon.
pub(super) const LINK: &str = "perjury-link";

/// Where the faults are.
fn folder() -> String {
    format!("{}/perjury-links", layout::RUN)
}

/// Waits until the agent has fault $2 of folder $1 in force (`$3` is `in`) or not any more.
const AWAIT: &str = r#"
for attempt in $(seq 100); do
    if [ -r "$1/loaded" ]; then
        if grep -qx "$2" "$1/loaded"; then now=in; else now=out; fi
        [ "$now" = "$3" ] && exit 0
    fi
    sleep 0.05
done
echo "the agent did not answer; the end of its log:" >&2
tail -n 5 "$4" >&2
exit 1
"#;

/// Removes file $1; says whether there are others in its folder.
const REMOVE: &str = r#"
rm -f "$1"
for other in "${1%/*}"/*.json; do
    [ -e "$other" ] && echo others && exit 0
done
echo none
"#;

fn impairment(fault: &Fault) -> Impairment {
    let none = Impairment::default();
    match *fault {
        Fault::Slow { delay_us, jitter_us, .. } => Impairment { delay_us, jitter_us, ..none },
        Fault::Lossy { loss_ppm, duplicate_ppm, reorder_ppm, .. } => {
            Impairment { loss_ppm, duplicate_ppm, reorder_ppm, ..none }
        }
        Fault::Corrupt { corrupt_ppm, .. } => Impairment { corrupt_ppm, ..none },
        Fault::Bandwidth { rate_kbit, .. } => Impairment { rate_kbit: Some(rate_kbit), ..none },
        _ => none,
    }
}

impl LinuxInjector {
    /// What each sender does to what it sends.
    fn link_faults(&self, fault: &Fault) -> BTreeMap<NodeId, LinkFault> {
        let mut senders = BTreeMap::new();
        for link in fault.links() {
            let none = || LinkFault { peers: BTreeMap::new(), impairment: impairment(fault) };
            let addresses = self.lab.machine(link.to).addresses().to_vec();
            senders.entry(link.from).or_insert_with(none).peers.insert(link.to.0, addresses);
        }
        senders
    }

    pub(super) async fn impair_links(&self, number: u32, fault: &Fault) -> Result<(), String> {
        let senders = self.link_faults(fault);
        let nodes: Vec<NodeId> = senders.keys().copied().collect();
        self.on_each(&nodes, |machine| {
            let content = serde_json::to_vec(&senders[&machine.node()]);
            let content = content.expect("it has nothing but addresses and numbers");
            async move {
                machine.write(&format!("{}/{number}.json", folder()), content).await?;
                let order = Links { folder: folder().into() };
                machine.start_daemon(&self.agent.daemon(LINK, "link", &order)).await?;
                self.await_agent(machine, number, "in").await
            }
        })
        .await
    }

    pub(super) async fn restore_links(&self, number: u32, fault: &Fault) -> Result<(), String> {
        let nodes: Vec<NodeId> = self.link_faults(fault).into_keys().collect();
        self.on_each(&nodes, |machine| self.restore_link(machine, number)).await
    }

    async fn restore_link(&self, machine: &Machine, number: u32) -> Result<(), RemoteError> {
        let file = format!("{}/{number}.json", folder());
        let left = machine.run(&Command::script(REMOVE).argument(file).as_root()).await?;
        match left.as_str() {
            "others" => {
                // It may have been killed; then the others are in force no more, and come back.
                let order = Links { folder: folder().into() };
                machine.start_daemon(&self.agent.daemon(LINK, "link", &order)).await?;
                self.await_agent(machine, number, "out").await
            }
            _ => self.restore_all_links(machine).await,
        }
    }

    /// Ends whatever is done to what a machine sends.
    pub(super) async fn restore_all_links(&self, machine: &Machine) -> Result<(), RemoteError> {
        self.end_agent(machine, LINK).await?;
        machine.run(&self.agent.command("link-reset", &())).await?;
        let remove = Command::script(r#"rm -rf "$1""#).argument(folder()).as_root();
        machine.run(&remove).await.map(|_| ())
    }

    async fn await_agent(
        &self,
        machine: &Machine,
        number: u32,
        state: &str,
    ) -> Result<(), RemoteError> {
        let wait = Command::script(AWAIT).argument(folder()).argument(number.to_string());
        let wait = wait.argument(state).argument(layout::log_file(LINK)).as_root();
        machine.run(&wait).await.map(|_| ())
    }
}
