//! One controller at a time.
//!
//! Two controllers on one cluster would take each other's faults for the store's doing, and erase each
//! other's data. So each of the machines that a run uses has a lock: a file that is locked
//! (`flock`) by a process on that machine, for as long as it hears the controller's [`Pulse`]. A
//! controller that ends, is killed or loses its connection lets go at once; one whose machine is gone,
//! or cut off, when it has not been heard for [`SILENCE_MAX`].
//!
//! Invariant: what is locked is the file with that name, and the name goes before the lock does.

use std::time::Duration;

use futures::future::join_all;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{Machine, MachineLab, layout};
use crate::remote::{Command, Pulse, RemoteError, SILENCE_MAX, current_user};

const SCRIPT: &str = include_str!("lock.sh");

/// The status with which the script says that somebody else has the lock.
const TAKEN: i32 = 75;

/// How long the lock of another is waited for: the machine may not have heard yet that a controller
/// has ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longer than any run.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);

/// Before a lock that was lost with its connection is taken again.
const RETRY: Duration = Duration::from_secs(1);

/// How long a machine may take to say that it has let go.
const RELEASE_LIMIT: Duration = Duration::from_secs(10);

/// All machines of a lab for this controller alone. Who drops it lets go without waiting for it.
#[derive(Debug)]
pub struct MachineLocks {
    pulse: Pulse,
    /// One task for each machine. It ends with the pulse, or when another controller came in between.
    keepers: Vec<JoinHandle<Result<(), RemoteError>>>,
}

impl MachineLab {
    /// Takes every machine for this controller, all at once. To be called within
    /// [`MachineLab::run`].
    ///
    /// # Errors
    /// The first that another controller has, that cannot be reached, or does not let us become
    /// root. Then none is taken.
    pub async fn lock(&self) -> Result<MachineLocks, RemoteError> {
        let pulse = Pulse::default();
        let (keepers, taken): (Vec<_>, Vec<_>) = self
            .machines()
            .iter()
            .map(|machine| {
                let (told, taken) = oneshot::channel();
                (tokio::spawn(keep(machine.clone(), pulse.clone(), told)), taken)
            })
            .unzip();
        let locks = MachineLocks { pulse, keepers };
        let mut taken = join_all(taken).await.into_iter();
        let outcome = taken.try_for_each(|it| it.expect("a keeper tells what came of it"));
        match outcome {
            Ok(()) => Ok(locks),
            Err(error) => {
                locks.release().await;
                Err(error)
            }
        }
    }
}

impl MachineLocks {
    /// Lets go of all machines. What went wrong with the locks, in the order of nodes: while a
    /// connection was broken, another controller may have taken its machine.
    pub async fn release(mut self) -> Vec<RemoteError> {
        self.pulse.end();
        let ended = self.keepers.drain(..).map(async |keeper| {
            // A machine that says nothing lets go by itself.
            timeout(RELEASE_LIMIT, keeper).await.ok()?.ok()?.err()
        });
        join_all(ended).await.into_iter().flatten().collect()
    }
}

impl Drop for MachineLocks {
    fn drop(&mut self) {
        self.pulse.end();
    }
}

/// Keeps a machine locked until the pulse ends; tells whether it could be locked at first.
async fn keep(
    machine: Machine,
    pulse: Pulse,
    told: oneshot::Sender<Result<(), RemoteError>>,
) -> Result<(), RemoteError> {
    let mut told = Some(told);
    loop {
        let ended = hold(&machine, &pulse, &mut told).await;
        match (ended, told.take()) {
            (Err(error), Some(told)) => {
                // Nobody may wait for it any more.
                let _ = told.send(Err(error));
                return Ok(());
            }
            (Err(error @ RemoteError::InUse { .. }), None) => return Err(error),
            _ if pulse.has_ended() => return Ok(()),
            // Its connection broke, or it restarted.
            _ => sleep(RETRY).await,
        }
    }
}

/// Locks a machine once, tells so, and returns when the lock is gone.
async fn hold(
    machine: &Machine,
    pulse: &Pulse,
    told: &mut Option<oneshot::Sender<Result<(), RemoteError>>>,
) -> Result<(), RemoteError> {
    let command = command(layout::LOCK, SILENCE_MAX).as_root();
    let mut said = Vec::new();
    let mut hear = |piece: &[u8]| {
        said.extend_from_slice(piece);
        if said == b"held\n" {
            let _ = told.take().map(|told| told.send(Ok(())));
        }
    };
    let output = machine.remote().attend(&command, pulse, &mut hear).await?;
    let node = machine.remote().name();
    match output.status {
        0 => Ok(()),
        TAKEN => {
            let by = match String::from_utf8_lossy(&said).trim() {
                "" => "somebody who does not say so".to_owned(),
                by => by.to_owned(),
            };
            Err(RemoteError::InUse { node: node.to_owned(), by })
        }
        _ => Err(RemoteError::failed(node, &command, &output)),
    }
}

/// Holds a file until nothing was heard for so long.
fn command(file: &str, silence: Duration) -> Command {
    let seconds = [PATIENCE, silence].map(|it| it.as_secs().to_string());
    let command = Command::script(SCRIPT).argument(file).argument(owner());
    command.arguments(seconds).timeout(FOREVER)
}

/// Who this is, for whoever is refused.
fn owner() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let (host, process) = (host.to_string_lossy(), std::process::id());
    format!("{}@{host} (process {process})", current_user())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::{LocalRemote, Remote};

    #[tokio::test]
    async fn a_controller_that_falls_silent_loses_its_lock() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("lock");
        // A pulse beats once, and then rests for longer than that.
        let command = command(&file.display().to_string(), Duration::from_secs(1));
        let mut owner = None;
        let mut hear = |_: &[u8]| owner = std::fs::read_to_string(&file).ok();
        let output = LocalRemote.attend(&command, &Pulse::default(), &mut hear).await;
        assert_eq!(output.expect("it runs").status, 0);
        assert!(owner.expect("it was held").contains("(process "));
        assert!(!file.exists());
    }
}
