//! A disk that hangs again and again: its file system is frozen for a while.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::stop::Stop;

/// Has the file system at a folder hang until told to end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stall {
    /// Where it is mounted.
    pub(crate) folder: PathBuf,
    /// How long at a time, in milliseconds.
    pub(crate) stall_ms: u64,
    /// Between the beginnings of two stalls, in milliseconds.
    pub(crate) every_ms: u64,
}

/// Writes and syncs for a while.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StallLook {
    /// Where.
    pub(crate) folder: PathBuf,
    /// How long, in milliseconds.
    pub(crate) for_ms: u64,
}

/// How long that took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stalled {
    /// The longest write, in milliseconds.
    pub(crate) longest_ms: u64,
}

/// Freezes and thaws.
pub(super) fn stall(order: &Stall) -> Result<(), String> {
    let stop = Stop::new()?;
    let frozen = Duration::from_millis(order.stall_ms);
    let free = Duration::from_millis(order.every_ms.saturating_sub(order.stall_ms).max(1));
    loop {
        is_mounted(&order.folder)?;
        fsfreeze("-f", &order.folder)?;
        let told = stop.within(frozen);
        fsfreeze("-u", &order.folder)?;
        if told || stop.within(free) {
            return Ok(());
        }
    }
}

/// Whether a file system begins at a folder. If not, a freeze would be one of the whole machine.
fn is_mounted(folder: &Path) -> Result<(), String> {
    let device = |path: &Path| fs::metadata(path).map(|it| it.dev());
    let parent = folder.parent().unwrap_or(folder);
    match (device(folder), device(parent)) {
        (Ok(own), Ok(above)) if own != above => Ok(()),
        _ => Err(format!("{}: expected a file system of its own there", folder.display())),
    }
}

fn fsfreeze(action: &str, folder: &Path) -> Result<(), String> {
    let output = Command::new("fsfreeze").arg(action).arg(folder).output();
    let output = output.map_err(|error| format!("fsfreeze: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// Writes and syncs for a while.
pub(super) fn look(order: &StallLook) -> Result<Stalled, String> {
    const REST: Duration = Duration::from_millis(5);
    let path = order.folder.join(".perjury-try");
    let said = |error: std::io::Error| format!("{}: {error}", path.display());
    let began = Instant::now();
    let mut longest = Duration::ZERO;
    while began.elapsed() < Duration::from_millis(order.for_ms) {
        let one = Instant::now();
        let mut file = File::create(&path).map_err(said)?;
        file.write_all(b"perjury").and_then(|()| file.sync_data()).map_err(said)?;
        longest = longest.max(one.elapsed());
        std::thread::sleep(REST);
    }
    fs::remove_file(&path).map_err(said)?;
    Ok(Stalled { longest_ms: longest.as_millis() as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_system_of_its_own_is_never_frozen() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("data");
        fs::create_dir(&own).expect("a folder");
        let stall_it =
            |folder: &Path| stall(&Stall { folder: folder.to_owned(), stall_ms: 1, every_ms: 2 });
        assert!(stall_it(&own).expect_err("a folder").contains("a file system of its own"));
        assert!(stall_it(Path::new("/")).is_err(), "the machine's own");
        assert!(stall_it(&folder.path().join("none")).is_err());
    }

    #[test]
    fn writes_are_timed() {
        let folder = tempfile::tempdir().expect("a folder");
        look(&StallLook { folder: folder.path().to_owned(), for_ms: 20 })
            .expect("it can be written");
        let entries = fs::read_dir(folder.path()).expect("it is there").count();
        assert_eq!(entries, 0, "nothing stays");
    }
}
