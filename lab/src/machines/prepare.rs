//! What is done to machines before a run and after the last.

use super::check::judge;
use super::{Facts, Machine, MachineLab, Severity, Signal, layout};
use crate::remote::{Command, RemoteError};

/// How large a store's volume is unless somebody says otherwise, in MiB.
pub const VOLUME_MIB: u32 = 512;

const FOLDERS: &str = r#"mkdir -p "$@" && chmod 755 "$@""#;

const DAEMONS: &str = r#"cd "$1" 2>/dev/null && ls | sed -n 's/\.process$//p'; exit 0"#;

const REMOVE: &str = r#"rm -rf --one-file-system "$@""#;

/// The folder itself may hold what is not a machine's, such as labs that this machine has made.
const REMOVE_AGENTS: &str = r#"rm -f "$1"/agent-* || exit 1
rmdir "$1" 2>/dev/null || true"#;

impl MachineLab {
    /// Makes every machine ready for a run, all at once: looks whether it can be used, makes our
    /// folders and a volume of so many MiB. What lies on a volume of that size stays there. The
    /// facts of each machine, in the order of nodes.
    ///
    /// # Errors
    /// If a machine cannot be reached, or lacks what no run can do without.
    pub async fn prepare(&self, volume_mib: u32) -> Result<Vec<Facts>, RemoteError> {
        let facts = self.facts().await?;
        for (machine, facts) in self.machines().iter().zip(&facts) {
            let findings = judge(machine.node(), facts, volume_mib);
            if let Some(fatal) = findings.into_iter().find(|it| it.severity == Severity::Fatal) {
                return Err(RemoteError::Missing {
                    node: machine.remote().name().to_owned(),
                    what: format!("room: {}", fatal.problem),
                    remedy: fatal.remedy,
                });
            }
        }
        self.each(|machine| machine.prepare(volume_mib)).await?;
        Ok(facts)
    }

    /// Takes what a run leaves away from every machine, all at once: our daemons are killed, the
    /// volume and our folders are removed. Programs of ours stay, for the next run. Harmless where
    /// there is nothing.
    ///
    /// # Errors
    /// If a machine cannot be reached, or something cannot be removed.
    pub async fn reset(&self) -> Result<(), RemoteError> {
        self.each(Machine::reset).await.map(|_| ())
    }

    /// Takes everything of ours away from every machine, all at once.
    ///
    /// # Errors
    /// As [`MachineLab::reset`].
    pub async fn clear(&self) -> Result<(), RemoteError> {
        self.each(Machine::clear).await.map(|_| ())
    }
}

impl Machine {
    async fn prepare(&self, volume_mib: u32) -> Result<(), RemoteError> {
        let folders = [layout::ROOT, layout::DATA, layout::RUN, layout::LOG];
        self.run(&Command::script(FOLDERS).arguments(folders).as_root()).await?;
        self.make_volume(volume_mib).await.map(|_| ())
    }

    async fn reset(&self) -> Result<(), RemoteError> {
        self.thaw_volume().await?;
        let daemons = Command::script(DAEMONS).argument(layout::RUN).as_root();
        for daemon in self.run(&daemons).await?.lines() {
            self.signal_daemon(daemon, Signal::Kill).await?;
        }
        self.remove_volume().await?;
        let folders = [layout::DATA, layout::RUN, layout::LOG];
        self.run(&Command::script(REMOVE).arguments(folders).as_root()).await.map(|_| ())
    }

    /// Takes everything of ours away. Harmless where there is nothing.
    ///
    /// # Errors
    /// If it cannot be reached, or something cannot be removed.
    pub async fn clear(&self) -> Result<(), RemoteError> {
        self.reset().await?;
        let remove = Command::script(REMOVE_AGENTS).argument(layout::ROOT).as_root();
        self.run(&remove).await.map(|_| ())
    }
}
