//! The processes of daemons, from their files, and all processes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// What the kernel says of a process.
struct Stat {
    parent: u32,
    started: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // A program's name may contain anything.
    let mut fields = text.rsplit_once(") ")?.1.split_whitespace().skip(1);
    let parent = fields.next()?.parse().ok()?;
    Some(Stat { parent, started: fields.nth(17)?.parse().ok()? })
}

/// Every process.
pub(super) fn all() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The daemons of these files, those that run, with all their descendants.
pub(super) fn families(files: &[PathBuf]) -> Vec<u32> {
    let mut family: Vec<u32> = files.iter().filter_map(daemon).collect();
    let parents: BTreeMap<u32, u32> =
        all().into_iter().filter_map(|pid| Some((pid, stat(pid)?.parent))).collect();
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        let children = parents.iter().filter(|(_, above)| **above == parent);
        let children: Vec<u32> = children.map(|(&pid, _)| pid).collect();
        family.extend(children.into_iter().filter(|pid| !family.contains(pid)).collect::<Vec<_>>());
        next += 1;
    }
    family
}

/// The process of a file with its id and start time, if it is still the same.
fn daemon(file: &PathBuf) -> Option<u32> {
    let text = fs::read_to_string(file).ok()?;
    let (pid, started) = text.trim().split_once(' ')?;
    let pid = pid.parse().ok()?;
    let started: u64 = started.parse().ok()?;
    (stat(pid)?.started == started).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_merely_has_the_number_is_not_the_daemon() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("it.process");
        let pid = std::process::id();
        let started = stat(pid).expect("it runs").started;
        let family = |text: String| {
            fs::write(&file, text).expect("it can be written");
            families(&[file.clone(), folder.path().join("none.process")])
        };
        assert_eq!(family(format!("{pid} {started}\n")).first(), Some(&pid));
        assert_eq!(family(format!("{pid} {}\n", started + 1)), [0; 0]);
        assert_eq!(family("rubbish".to_owned()), [0; 0]);
    }
}
