//! Everything of ours off a machine, whatever is known about it.

use perjury_lab::machines::{Machine, Signal};
use perjury_lab::remote::{Command, RemoteError};

use super::LinuxInjector;
use super::look::LISTENER;

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
        self.signal_all(machine, Signal::Continue).await
    }
}
