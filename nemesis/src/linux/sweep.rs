//! Everything of ours off a machine, whatever is known about it.

use perjury_lab::machines::{Machine, Signal, layout};
use perjury_lab::remote::{Command, RemoteError};

use super::LinuxInjector;
use super::clock::{MACHINE_CLOCK, PROCESS_CLOCK};
use super::disk::STALL;
use super::links::LINK;
use super::look::LISTENER;

/// Every agent that runs in the background.
const AGENTS: [&str; 5] = [LISTENER, LINK, PROCESS_CLOCK, MACHINE_CLOCK, STALL];

/// Removes the tables and chains whose names are ours.
const FIREWALL: &str = r#"
nft list tables 2>/dev/null | while read -r _ family table; do
    case $table in perjury_*) nft delete table "$family" "$table" ;; esac
done
for tool in iptables ip6tables; do
    $tool -w -S 2>/dev/null | while read -r option chain rest; do
        case "$option $chain" in
        "-N PERJURY_"*)
            while $tool -w -D INPUT -j "$chain" 2>/dev/null; do :; done
            $tool -w -F "$chain" && $tool -w -X "$chain"
            ;;
        esac
    done
done
exit 0
"#;

impl LinuxInjector {
    /// Takes every effect of faults off a machine, and every agent. Daemons that are paused go on;
    /// those that were ended are not started.
    ///
    /// # Errors
    /// If the machine cannot be told.
    pub async fn sweep(&self, machine: &Machine) -> Result<(), RemoteError> {
        machine.run(&Command::script(FIREWALL).as_root()).await?;
        machine.signal_daemon(LISTENER, Signal::Kill).await?;
        self.restore_all_links(machine).await?;
        self.restore_clock(machine).await?;
        self.signal_all(machine, Signal::Continue).await?;
        self.free_all_processes(machine).await?;
        self.mend_disk(machine).await?;
        let files = AGENTS.map(layout::process_file);
        let forget = Command::new("rm").argument("-f").arguments(files).as_root();
        machine.run(&forget).await.map(|_| ())
    }
}
