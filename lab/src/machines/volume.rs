//! A volume of its own for what a store keeps.
//!
//! It is a file with a file system (ext4 with a journal), mounted at [`layout::DATA`]. Shutting that
//! file system down is what a loss of power does to a disk: what had been synced is there after it
//! is mounted again, and what had not been is gone. Nothing else on the machine is touched.
//!
//! A machine without loop devices has a plain folder there instead; why is kept on the machine, so
//! that faults of the disk can be refused with that reason.

use super::{Machine, layout};
use crate::remote::{Command, RemoteError};

/// What has become of a machine's volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeState {
    /// It is there and can be written.
    Mounted,
    /// It is there and can only be read.
    ReadOnly,
    /// Its file system has been shut down: every access fails.
    ShutDown,
    /// Its file is there, but not mounted.
    Unmounted,
    /// It has not been made.
    Absent,
    /// The machine cannot have one; why.
    Impossible(String),
}

const SCRIPT: &str = include_str!("volume.sh");

impl Machine {
    fn volume_command(action: &str) -> Command {
        Command::script(SCRIPT).as_root().arguments([action, layout::VOLUME, layout::DATA])
    }

    async fn volume(&self, command: &Command) -> Result<VolumeState, RemoteError> {
        let said = self.run(command).await?;
        Ok(match said.as_str() {
            "mounted" => VolumeState::Mounted,
            "read-only" => VolumeState::ReadOnly,
            "shut-down" => VolumeState::ShutDown,
            "unmounted" => VolumeState::Unmounted,
            "absent" => VolumeState::Absent,
            other => {
                let reason = other.strip_prefix("none").unwrap_or(other).trim();
                VolumeState::Impossible(reason.to_owned())
            }
        })
    }

    /// Makes and mounts a volume of so many MiB, which take up what is written to them. One of that
    /// size that is there is kept with all that it holds, and mounted anew if it is not well; one of
    /// another size is replaced. If the machine cannot have one, that is an answer and no error.
    ///
    /// # Errors
    /// If the machine cannot be told, or the old volume is in use.
    pub async fn make_volume(&self, size_mib: u32) -> Result<VolumeState, RemoteError> {
        self.volume(&Self::volume_command("make").argument(size_mib.to_string())).await
    }

    /// What has become of it. Writes nothing, and does not wait for a frozen file system.
    ///
    /// # Errors
    /// If the machine cannot be asked.
    pub async fn volume_state(&self) -> Result<VolumeState, RemoteError> {
        self.volume(&Self::volume_command("state")).await
    }

    /// Shuts the file system down: whatever has not been synced is lost, and every access fails until
    /// it is [mounted again](Machine::remount_volume). Harmless if it is shut down already.
    ///
    /// # Errors
    /// If there is no volume, the machine has no `xfs_io`, or it cannot be told.
    pub async fn shut_down_volume(&self) -> Result<(), RemoteError> {
        self.run(&Self::volume_command("shutdown")).await.map(|_| ())
    }

    /// Ends a freeze of its file system; harmless if there is none. Who waits for a frozen disk
    /// cannot be killed.
    ///
    /// # Errors
    /// If the machine cannot be told.
    pub async fn thaw_volume(&self) -> Result<(), RemoteError> {
        self.run(&Self::volume_command("thaw")).await.map(|_| ())
    }

    /// Mounts it again, unless it is well or the machine has none. Those who have files open on it
    /// must have been killed; they are waited for.
    ///
    /// # Errors
    /// If it is in use for ten seconds, cannot be mounted, or the machine cannot be told.
    pub async fn remount_volume(&self) -> Result<(), RemoteError> {
        self.run(&Self::volume_command("remount")).await.map(|_| ())
    }

    /// Takes it away with all that it holds. Harmless if there is none.
    ///
    /// # Errors
    /// If it is in use for ten seconds, or the machine cannot be told.
    pub async fn remove_volume(&self) -> Result<(), RemoteError> {
        self.run(&Self::volume_command("remove")).await.map(|_| ())
    }
}
