//! Sets the clock of a whole machine, one that has its kernel for itself.
//!
//! What the clock should show is known from the monotonic clock, which cannot be set: the distance
//! between the two is written down before the clock is touched, together with the kernel's boot id,
//! so that it is known for worthless after a restart of the machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::{ClockId, clock_gettime, clock_settime};
use perjury_lab::simulated::ClockFault;
use serde::{Deserialize, Serialize};

use super::super::stop::Stop;
use super::{next_step, offset_ns};

/// Services that set the clock, any of which may be there.
const TIME_SERVICES: [&str; 6] =
    ["chrony", "chronyd", "systemd-timesyncd", "ntp", "ntpd", "ntpsec"];

/// Has the machine's clock be wrong until told to end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MachineClock {
    /// In which way.
    pub(crate) error: ClockFault,
    /// The kernels whose clocks are others' too: never to be set.
    pub(crate) shared: BTreeSet<String>,
    /// Where to write down what is right.
    pub(crate) file: PathBuf,
}

/// Sets the clock right again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Restore {
    /// Where it was written down.
    pub(crate) file: PathBuf,
}

/// What was right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Truth {
    boot_id: String,
    /// By how much the true time is ahead of the monotonic clock, in nanoseconds.
    lead_ns: i64,
    /// Services that were stopped.
    services: Vec<String>,
}

fn boot_id() -> Result<String, String> {
    const FILE: &str = "/proc/sys/kernel/random/boot_id";
    let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    Ok(text.trim().to_owned())
}

fn read_ns(clock: ClockId) -> Result<i64, String> {
    let time = clock_gettime(clock).map_err(|error| error.to_string())?;
    Ok(time.num_nanoseconds())
}

/// Whether a kernel's clock may be set.
fn may_set(boot_id: &str, shared: &BTreeSet<String>) -> Result<(), String> {
    match shared.contains(boot_id) {
        true => Err("this kernel is not this machine's alone: its clock is never set".to_owned()),
        false if shared.is_empty() => {
            Err("expected the kernels of the others, found none".to_owned())
        }
        false => Ok(()),
    }
}

/// Sets the clock, again and again, and right in the end.
pub(in super::super) fn disturb_machine(order: &MachineClock) -> Result<(), String> {
    let boot_id = boot_id()?;
    may_set(&boot_id, &order.shared)?;
    let stop = Stop::new()?;
    let running = TIME_SERVICES.iter().filter(|name| systemctl("is-active", name));
    let services: Vec<String> = running.map(|&name| name.to_owned()).collect();
    let lead_ns = read_ns(ClockId::CLOCK_REALTIME)? - read_ns(ClockId::CLOCK_MONOTONIC)?;
    let truth = Truth { boot_id, lead_ns, services };
    write(&order.file, &truth)?;
    for service in &truth.services {
        systemctl("stop", service);
    }
    let began = Instant::now();
    let mut last_ns = None;
    let outcome = loop {
        let offset_ns = offset_ns(order.error, began.elapsed());
        if last_ns != Some(offset_ns) {
            if let Err(problem) = set(truth.lead_ns, offset_ns) {
                break Err(problem);
            }
            last_ns = Some(offset_ns);
        }
        if stop.within(next_step(order.error, began.elapsed()).max(Duration::from_millis(1))) {
            break Ok(());
        }
    };
    outcome.and(restore_machine(&Restore { file: order.file.clone() }))
}

/// Sets the clock right, if it was set and the machine has not been restarted since.
pub(in super::super) fn restore_machine(order: &Restore) -> Result<(), String> {
    let Some(truth) = read(&order.file)? else {
        return Ok(());
    };
    if truth.boot_id == boot_id()? {
        set(truth.lead_ns, 0)?;
    }
    for service in &truth.services {
        systemctl("start", service);
    }
    fs::remove_file(&order.file).map_err(|error| format!("{}: {error}", order.file.display()))
}

fn set(lead_ns: i64, offset_ns: i64) -> Result<(), String> {
    let right_ns = read_ns(ClockId::CLOCK_MONOTONIC)?.saturating_add(lead_ns);
    let time = TimeSpec::nanoseconds(right_ns.saturating_add(offset_ns));
    let set = clock_settime(ClockId::CLOCK_REALTIME, time);
    set.map_err(|error| format!("the clock cannot be set: {error}"))
}

fn systemctl(action: &str, service: &str) -> bool {
    let status = Command::new("systemctl").args(["--quiet", action, service]).output();
    status.is_ok_and(|output| output.status.success())
}

fn write(file: &Path, truth: &Truth) -> Result<(), String> {
    let text = serde_json::to_string(truth).map_err(|error| error.to_string())?;
    let partial = file.with_extension("partial");
    let written = fs::write(&partial, text)
        .and_then(|()| fs::File::open(&partial)?.sync_all())
        .and_then(|()| fs::rename(&partial, file));
    written.map_err(|error| format!("{}: {error}", file.display()))
}

fn read(file: &Path) -> Result<Option<Truth>, String> {
    match fs::read_to_string(file) {
        Ok(text) => {
            let truth = serde_json::from_str(&text);
            truth.map(Some).map_err(|error| format!("{}: {error}", file.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_shared_kernel_is_never_set() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("clock.json");
        let error = ClockFault::Bump { offset_ns: 1 };
        let own = boot_id().expect("this is Linux");
        for shared in [BTreeSet::from([own, "other".to_owned()]), BTreeSet::new()] {
            let order = MachineClock { error, shared, file: file.clone() };
            disturb_machine(&order).expect_err("this machine's kernel has other users");
            assert!(!file.exists());
        }
        may_set("own", &BTreeSet::from(["other".to_owned()])).expect("it is its own");
    }

    #[test]
    fn what_is_right_is_written_down_and_worthless_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("clock.json");
        let truth =
            Truth { boot_id: "an earlier one".to_owned(), lead_ns: -5, services: Vec::new() };
        write(&file, &truth).expect("it can be written");
        assert_eq!(read(&file), Ok(Some(truth)));
        restore_machine(&Restore { file: file.clone() }).expect("there is nothing to be set");
        assert_eq!(read(&file), Ok(None));
        restore_machine(&Restore { file }).expect("nothing was ever written");
    }
}
