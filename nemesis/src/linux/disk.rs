//! Faults of the volume that holds the store's data, and the loss of power.
//!
//! Nothing here is ever done to a folder that is no volume of ours: it would be done to the machine.

use std::time::Duration;

use futures::future::join_all;
use perjury_lab::machines::{DaemonState, Machine, Signal, VolumeState, layout};
use perjury_lab::remote::{Command, RemoteError};
use tokio::time::{Instant, sleep};

use super::LinuxInjector;
use crate::agent::{Stall, StallLook, Stalled};
use crate::fault::list;
use crate::{DiskHarm, Fault, Observation};

/// The agent's name as a daemon.
pub(super) const STALL: &str = "perjury-stall";

/// How long one looks for the end of a fault.
const LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

/// Takes all space, to the last block.
const FILL: &str = r#"
file=$1/.perjury-full
fallocate -l "$(df -Pk "$1" | awk 'NR == 2 { print $4 }')K" "$file" 2>/dev/null
head -c 1G /dev/zero >>"$file" 2>/dev/null
sync -f "$1"
exit 0
"#;

/// Has the file system find an error, which makes it read-only.
const READ_ONLY: &str = r#"
set -e
device=$(awk -v data="$1" '$2 == data { it = $1 } END { print it }' /proc/mounts)
mount -o remount,errors=remount-ro "$1"
echo 1 >"/sys/fs/ext4/${device#/dev/}/trigger_fs_error"
"#;

/// Files of folder $1 that match the other arguments and hold something: size and name of each.
const FILES: &str = r#"
cd "$1" || exit 1
shift
IFS=
for pattern; do
    for file in $pattern; do
        if [ -f "$file" ] && [ -s "$file" ]; then stat -c '%s %n' -- "$file"; fi
    done
done | sort -u -k 2
"#;

/// Flips bit $3 of byte $2 of file $1, and looks whether it is different.
const FLIP: &str = r#"
set -e
byte() { od -A n -t u1 -j "$2" -N 1 -- "$1" | tr -d ' '; }
old=$(byte "$1" "$2")
new=$((old ^ (1 << $3)))
printf "\\$(printf %03o "$new")" | dd of="$1" bs=1 seek="$2" conv=notrunc,fsync status=none
[ "$(byte "$1" "$2")" = "$new" ]
"#;

/// Writes a block and syncs it; what the system says if that fails.
const WRITE: &str = r#"
file=$1/.perjury-try
said=$(LC_ALL=C dd if=/dev/zero of="$file" bs=4096 count=1 conv=fsync status=none 2>&1) && said=written
rm -f "$file"
echo "$said"
"#;

impl LinuxInjector {
    /// Has machines lose power, as far as the store can tell: what was not synced is gone.
    pub(super) async fn crash(&self, fault: &Fault) -> Result<(), String> {
        self.on_each(fault.nodes(), |machine| async {
            machine.shut_down_volume().await?;
            self.signal_all(machine, Signal::Kill).await
        })
        .await
    }

    pub(super) async fn harm_disks(&self, fault: &Fault, harm: DiskHarm) -> Result<(), String> {
        self.on_each(fault.nodes(), |machine| self.harm_disk(machine, harm)).await
    }

    async fn harm_disk(&self, machine: &Machine, harm: DiskHarm) -> Result<(), RemoteError> {
        let state = machine.volume_state().await?;
        if state != VolumeState::Mounted {
            return Err(RemoteError::Missing {
                node: machine.to_string(),
                what: format!("volume that can be harmed (it is {state:?})"),
                remedy: "see `perjury lab check`".to_owned(),
            });
        }
        let script = |text| Command::script(text).argument(layout::DATA).as_root();
        match harm {
            DiskHarm::Full => machine.run(&script(FILL)).await.map(|_| ()),
            DiskHarm::ReadOnly => machine.run(&script(READ_ONLY)).await.map(|_| ()),
            DiskHarm::Error => machine.shut_down_volume().await,
            DiskHarm::Slow { stall_ms, every_ms } => {
                self.end_agent(machine, STALL).await?;
                let stall = Stall { folder: layout::DATA.into(), stall_ms, every_ms };
                machine.start_daemon(&self.agent.daemon(STALL, "stall", &stall)).await
            }
            DiskHarm::BitFlip { choice } => {
                self.signal_all(machine, Signal::Kill).await?;
                let (size, file) = self.choose_file(machine, choice).await?;
                let byte = (choice / 8) % size;
                let flip = Command::script(FLIP).argument(file).argument(byte.to_string());
                let flip = flip.argument((choice % 8).to_string()).as_root();
                machine.run(&flip).await.map(|_| ())
            }
            DiskHarm::Truncate { choice, bytes } => {
                self.signal_all(machine, Signal::Kill).await?;
                let (size, file) = self.choose_file(machine, choice).await?;
                let left = size.saturating_sub(bytes).to_string();
                let truncate = Command::new("truncate").arguments(["-s", &left, &file]).as_root();
                machine.run(&truncate).await.map(|_| ())
            }
        }
    }

    /// A file that holds what clients wrote: its size and its path.
    async fn choose_file(
        &self,
        machine: &Machine,
        choice: u64,
    ) -> Result<(u64, String), RemoteError> {
        let folder = format!("{}/{}", layout::DATA, self.footprint.data);
        let patterns = self.footprint.data_files.iter().copied();
        let list = Command::script(FILES).argument(&folder).arguments(patterns).as_root();
        let said = machine.run(&list).await?;
        let files: Vec<(u64, &str)> = said
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter_map(|(size, name)| Some((size.parse().ok()?, name)))
            .collect();
        if files.is_empty() {
            return Err(RemoteError::Missing {
                node: machine.to_string(),
                what: format!("file in {folder} that could be damaged"),
                remedy: "write something first".to_owned(),
            });
        }
        let (size, name) = files[(choice % files.len() as u64) as usize];
        Ok((size, format!("{folder}/{name}")))
    }

    pub(super) async fn mend_disks(&self, fault: &Fault) -> Result<(), String> {
        self.on_each(fault.nodes(), |machine| self.mend_disk(machine)).await
    }

    /// Takes back whatever is wrong with a machine's volume, but for what files hold. Daemons that
    /// could only fail on it are killed.
    pub(super) async fn mend_disk(&self, machine: &Machine) -> Result<(), RemoteError> {
        self.end_agent(machine, STALL).await?;
        machine.thaw_volume().await?;
        match machine.volume_state().await? {
            VolumeState::Mounted => {
                let full = format!("{}/.perjury-full", layout::DATA);
                let remove = Command::new("rm").arguments(["-f", &full]).as_root();
                machine.run(&remove).await.map(|_| ())
            }
            VolumeState::Absent | VolumeState::Impossible(_) => Ok(()),
            VolumeState::ReadOnly | VolumeState::ShutDown | VolumeState::Unmounted => {
                self.signal_all(machine, Signal::Kill).await?;
                machine.remount_volume().await
            }
        }
    }

    /// Whether the power is gone (or back): no process, and a volume that is not there.
    pub(super) async fn look_at_power(&self, fault: &Fault, gone: bool) -> Observation {
        let (daemon, volume) = match gone {
            true => (DaemonState::Running, VolumeState::Mounted),
            false => (DaemonState::Stopped, VolumeState::ShutDown),
        };
        let mut seen = self.observe_processes(fault.nodes(), daemon).await;
        let began = Instant::now();
        while gone && !seen.as_expected && began.elapsed() < LIMIT {
            sleep(POLL).await;
            seen = self.observe_processes(fault.nodes(), daemon).await;
        }
        for machine in self.machines(fault.nodes()) {
            match machine.volume_state().await {
                Ok(state) if state == volume => {}
                odd => {
                    let expected = format!("expected {machine}'s volume to be {volume:?}");
                    let detail = format!("{expected}, found {odd:?}");
                    return Observation { as_expected: false, detail };
                }
            }
        }
        seen
    }

    /// What becomes of a write on each volume.
    pub(super) async fn look_at_disks(
        &self,
        fault: &Fault,
        harm: DiskHarm,
        gone: bool,
    ) -> Observation {
        if matches!(harm, DiskHarm::BitFlip { .. } | DiskHarm::Truncate { .. }) {
            return self.look_at_processes(fault, gone).await;
        }
        let began = Instant::now();
        loop {
            let looks = self
                .machines(fault.nodes())
                .into_iter()
                .map(|it| self.look_at_disk(it, harm, gone));
            let odd: Vec<String> =
                join_all(looks).await.into_iter().filter_map(Result::err).collect();
            let as_expected = odd.is_empty();
            if as_expected || began.elapsed() >= LIMIT {
                let detail = match as_expected {
                    true if gone => format!("{}: writes are written", list(fault.nodes())),
                    true => format!("{}: {}", list(fault.nodes()), symptom(harm)),
                    false => odd.join(", "),
                };
                return Observation { as_expected, detail };
            }
            sleep(POLL).await;
        }
    }

    async fn look_at_disk(
        &self,
        machine: &Machine,
        harm: DiskHarm,
        gone: bool,
    ) -> Result<(), String> {
        let error = |error: RemoteError| error.to_string();
        let seen = if let DiskHarm::Slow { stall_ms, every_ms } = harm {
            let look = StallLook { folder: layout::DATA.into(), for_ms: 2 * every_ms };
            let stalled: Stalled = self.agent.ask(machine, "stall-look", &look).await?;
            match stalled.longest_ms >= stall_ms / 2 {
                true => symptom(harm).to_owned(),
                false => "written".to_owned(),
            }
        } else {
            let write = Command::script(WRITE).argument(layout::DATA).as_root();
            machine.run(&write).await.map_err(error)?
        };
        let expected = if gone { "written" } else { symptom(harm) };
        match seen.contains(expected) {
            true => Ok(()),
            false => Err(format!("{machine}: expected a write to be `{expected}`, saw `{seen}`")),
        }
    }
}

/// What a write on such a disk says.
fn symptom(harm: DiskHarm) -> &'static str {
    match harm {
        DiskHarm::Full => "No space left on device",
        DiskHarm::Slow { .. } => "writes wait",
        DiskHarm::ReadOnly => "Read-only file system",
        DiskHarm::Error => "Input/output error",
        DiskHarm::BitFlip { .. } | DiskHarm::Truncate { .. } => "data is damaged",
    }
}
