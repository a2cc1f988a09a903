//! Processes of a lab, as the host sees them.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::NamespaceError;

/// A process and no other that got its number later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) id: i32,
    /// In ticks since the host's boot.
    started: u64,
}

impl Process {
    /// The process that has this number now.
    fn now(id: i32) -> Option<Self> {
        Some(Self { id, started: started(Path::new("/proc"), id)? })
    }

    /// Reads `ID STARTED` from a file.
    pub(super) fn read(file: &Path) -> Option<Self> {
        let text = fs::read_to_string(file).ok()?;
        let (id, started) = text.trim().split_once(' ')?;
        Some(Self { id: id.parse().ok()?, started: started.parse().ok()? })
    }

    /// Whether it is there and not merely waiting to be forgotten.
    pub(super) fn is_alive(self) -> bool {
        self.is_alive_in(Path::new("/proc"))
    }

    /// The same by another /proc, and so by another PID namespace.
    pub(super) fn is_alive_in(self, proc: &Path) -> bool {
        started(proc, self.id) == Some(self.started)
    }

    fn kill(self) {
        if self.is_alive() {
            // It may end by itself between the look and the deed.
            let _ = kill(Pid::from_raw(self.id), Signal::SIGKILL);
        }
    }
}

/// When a live process began; none if it is a zombie or absent.
fn started(proc: &Path, id: i32) -> Option<u64> {
    let text = fs::read_to_string(proc.join(id.to_string()).join("stat")).ok()?;
    // The name before it may contain anything.
    let (_, fields) = text.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    // Field 22 of the file; `state` is field 3.
    let started = fields.nth(18)?.parse().ok()?;
    (state != "Z" && state != "X").then_some(started)
}

/// All processes in these network namespaces, which are named as `ip netns` does.
fn inside(networks: &[String]) -> Vec<Process> {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &str| fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
    let wanted: Vec<_> =
        networks.iter().filter_map(|name| identity(&format!("/run/netns/{name}"))).collect();
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_inside = |id: &i32| {
        identity(&format!("/proc/{id}/ns/net")).is_some_and(|network| wanted.contains(&network))
    };
    ids.filter(is_inside).filter_map(Process::now).collect()
}

/// Ends first processes of nodes, and with each all of its PID namespace, then whatever else is in
/// these networks. Returns when nothing is left.
pub(super) fn end_all(inits: &[Process], networks: &[String]) -> Result<(), NamespaceError> {
    inits.iter().for_each(|init| init.kill());
    // A second at most in practice; a process may be held up by a disk.
    for _ in 0..600 {
        let left = inside(networks);
        if left.is_empty() && !inits.iter().any(|init| init.is_alive()) {
            return Ok(());
        }
        left.iter().for_each(|process| process.kill());
        sleep(Duration::from_millis(50));
    }
    let left: Vec<_> = inside(networks).iter().map(|it| it.id.to_string()).collect();
    Err(NamespaceError::Tool {
        command: "kill -9".to_owned(),
        problem: format!("processes {} do not end; look at `ps`", left.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_number_and_start() {
        let own = i32::try_from(std::process::id()).expect("a small number");
        let process = Process::now(own).expect("it runs");
        assert!(process.is_alive());
        assert!(!Process { started: process.started + 1, ..process }.is_alive());
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("init");
        fs::write(&file, format!("{own} {}\n", process.started)).expect("it can be written");
        assert_eq!(Process::read(&file), Some(process));
        fs::write(&file, "nonsense").expect("it can be written");
        assert_eq!(Process::read(&file), None);
    }
}
