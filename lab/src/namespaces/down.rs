//! Removing a lab.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::lock::{LabLock, lock};
use super::process::{Process, end_all};
use super::record::{LabRecord, Node, entries};
use super::tool::run;
use super::{NamespaceError, network};

/// Removes a lab, whatever is left of it: after a run, after an [`up`](super::up) that was killed,
/// after a reboot. Harmless if there is none.
///
/// # Errors
/// If a run uses it, or something of it cannot be removed.
pub fn down(name: &str) -> Result<(), NamespaceError> {
    lock(name)?.down()
}

impl LabLock {
    /// As [`down`], by who has the lab; nobody else can take it in between.
    ///
    /// # Errors
    /// If something of it cannot be removed.
    pub fn down(self) -> Result<(), NamespaceError> {
        let name = self.name();
        // Nothing is made before the record is there.
        if let Some(lab) = LabRecord::read(name)? {
            let folder = lab.folder();
            // A node that is just being started by an `up` that was killed sees it, and ends.
            let mark = folder.join(MARK);
            fs::write(&mark, "").map_err(|error| NamespaceError::file(&mark, error))?;
            let inits = if lab.of_this_boot() { inits(&lab.nodes()) } else { vec![] };
            // A program of that `up` may still be making a network while we look, but only one.
            for _ in 0..2 {
                let networks = network::networks(name);
                end_all(&inits, &networks)?;
                network::remove(&lab, &networks)?;
            }
            remove_folder(&folder)?;
        }
        self.remove()
    }
}

/// In the lab's folder while it is being removed. `node.sh` looks for it.
const MARK: &str = "down";

fn inits(nodes: &[Node]) -> Vec<Process> {
    nodes.iter().filter_map(|node| Process::read(&node.folder.join("init"))).collect()
}

/// Removes the lab's files, once no loop device has any of them open: the kernel lets go of a dead
/// node's mounts in its own time.
fn remove_folder(folder: &Path) -> Result<(), NamespaceError> {
    for attempt in 0..200 {
        let devices = loop_devices(folder);
        if devices.is_empty() {
            break;
        }
        if attempt == 199 {
            let problem = format!("{} still use it; look at `losetup`", devices.join(", "));
            return Err(NamespaceError::file(folder, problem));
        }
        if attempt % 20 == 19 {
            // Nobody has it mounted, or it is let go of when nobody has.
            devices.iter().for_each(|it| drop(run("losetup", &["-d", it])));
        }
        sleep(Duration::from_millis(50));
    }
    // The record last, so that this can be done again if it fails half-way; and the mark after all
    // nodes.
    for entry in entries(folder).iter().filter(|it| !["lab.json", MARK].contains(&it.as_str())) {
        let path = folder.join(entry);
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|error| NamespaceError::file(&path, error))?;
    }
    fs::remove_dir_all(folder).map_err(|error| NamespaceError::file(folder, error))
}

/// The loop devices whose files are in a folder.
fn loop_devices(folder: &Path) -> Vec<String> {
    let is_in_folder = |device: &String| {
        let file = format!("/sys/block/{device}/loop/backing_file");
        fs::read_to_string(file).is_ok_and(|file| Path::new(file.trim_end()).starts_with(folder))
    };
    let devices = entries(Path::new("/sys/block")).into_iter();
    devices
        .filter(|it| it.starts_with("loop"))
        .filter(is_in_folder)
        .map(|it| format!("/dev/{it}"))
        .collect()
}
