//! Shows the processes of a store another time than the machine's.

use std::io;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use perjury_lab::simulated::ClockFault;
use serde::{Deserialize, Serialize};

use super::super::processes::{all, families};
use super::super::stop::Stop;
use super::vdso::Patched;
use super::{next_step, offset_ns};

/// Between two searches for processes that have come into being.
const SEARCH_EVERY: Duration = Duration::from_millis(20);

/// Has the clock of some daemons be wrong until told to end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ProcessClock {
    /// In which way.
    pub(crate) error: ClockFault,
    /// The daemons' process files.
    pub(crate) daemons: Vec<PathBuf>,
}

/// Looks at the clocks of daemons.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClockLook {
    /// The daemons' process files.
    pub(crate) daemons: Vec<PathBuf>,
    /// For how long, in milliseconds.
    pub(crate) for_ms: u64,
}

/// By how much the clock of a process was ahead, in nanoseconds, while it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClockSeen {
    pub(crate) first_ns: i64,
    pub(crate) last_ns: i64,
    pub(crate) min_ns: i64,
    pub(crate) max_ns: i64,
}

/// Processes come and go: one that is gone has no clock to be set.
fn is_gone(error: &io::Error) -> bool {
    const NO_SUCH_PROCESS: i32 = 3;
    // Its memory ends where it ended, or where it began to run another program.
    let kinds = [io::ErrorKind::NotFound, io::ErrorKind::UnexpectedEof, io::ErrorKind::WriteZero];
    kinds.contains(&error.kind()) || error.raw_os_error() == Some(NO_SUCH_PROCESS)
}

/// Sets the clocks of all processes of some daemons, those that start meanwhile too.
pub(in super::super) fn disturb_processes(order: &ProcessClock) -> Result<(), String> {
    if std::env::consts::ARCH != "x86_64" {
        let arch = std::env::consts::ARCH;
        return Err(format!("expected a processor of the kind x86_64, found {arch}"));
    }
    let stop = Stop::new()?;
    let began = Instant::now();
    let mut patched: Vec<Patched> = Vec::new();
    let mut next_search = began;
    let outcome = loop {
        if Instant::now() >= next_search {
            next_search = Instant::now() + SEARCH_EVERY;
            let found = families(&order.daemons).into_iter().map(Patched::of);
            let found = found.filter(|it| !it.as_ref().is_err_and(is_gone));
            match found.collect() {
                Ok(found) => patched = found,
                Err(error) => break Err(error.to_string()),
            }
        }
        let offset_ns = offset_ns(order.error, began.elapsed());
        for process in &mut patched {
            // If it is gone, the next search forgets it.
            if process.offset_ns().is_ok_and(|now_ns| now_ns != offset_ns) {
                let _ = process.set(offset_ns);
            }
        }
        if stop.within(next_step(order.error, began.elapsed())) {
            break Ok(());
        }
    };
    outcome.and(restore_processes())
}

/// Has every process whose clock was set see the true time again.
pub(in super::super) fn restore_processes() -> Result<(), String> {
    // A second time for those that were born of one that was not done yet.
    for _ in 0..2 {
        for pid in all() {
            // Most have nothing of ours, and some are none of our business.
            if let Ok(Some(mut patched)) = Patched::find(pid)
                && patched.offset_ns().is_ok_and(|offset_ns| offset_ns != 0)
            {
                match patched.set(0) {
                    Err(error) if !is_gone(&error) => return Err(format!("{pid}: {error}")),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// What the processes of some daemons see.
pub(in super::super) fn look_at_processes(order: &ClockLook) -> Result<Vec<ClockSeen>, String> {
    const EVERY: Duration = Duration::from_micros(500);
    let began = Instant::now();
    let offset_ns = |pid: &u32| match Patched::find(*pid) {
        Ok(Some(patched)) => patched.offset_ns().map(|it| (Some(patched), it)),
        Ok(None) => Ok((None, 0)),
        Err(error) => Err(error),
    };
    let mut seen = Vec::new();
    for pid in families(&order.daemons) {
        match offset_ns(&pid) {
            Ok((patched, first_ns)) => {
                let (last_ns, min_ns, max_ns) = (first_ns, first_ns, first_ns);
                seen.push((patched, ClockSeen { first_ns, last_ns, min_ns, max_ns }));
            }
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(format!("process {pid}: {error}")),
        }
    }
    while began.elapsed() < Duration::from_millis(order.for_ms) {
        sleep(EVERY);
        for (patched, seen) in &mut seen {
            if let Some(Ok(now_ns)) = patched.as_ref().map(Patched::offset_ns) {
                seen.last_ns = now_ns;
                seen.min_ns = seen.min_ns.min(now_ns);
                seen.max_ns = seen.max_ns.max(now_ns);
            }
        }
    }
    Ok(seen.into_iter().map(|(_, seen)| seen).collect())
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, Command, Stdio};
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// A shell that tells the time by `gettimeofday` and by `time`.
    struct Shell {
        child: Child,
        answers: BufReader<std::process::ChildStdout>,
    }

    impl Shell {
        fn start() -> Self {
            let mut bash = Command::new("bash");
            let bash = bash.args(["--norc", "-s"]).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = bash.spawn().expect("there is a shell");
            let answers = BufReader::new(child.stdout.take().expect("it was asked for"));
            Self { child, answers }
        }

        /// By how much the clocks are ahead, in nanoseconds; the second one in whole seconds.
        fn offsets_ns(&mut self) -> [i64; 2] {
            let asked = b"printf '%s %(%s)T\\n' \"$EPOCHREALTIME\" -1\n";
            self.child.stdin.as_mut().expect("it is open").write_all(asked).expect("it reads");
            let mut line = String::new();
            self.answers.read_line(&mut line).expect("it answers");
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_nanos()
                as i64;
            let (precise, seconds) = line.trim().split_once(' ').expect("two times");
            let precise: i64 = precise.replace(['.', ','], "").parse().expect("microseconds");
            let seconds: i64 = seconds.parse().expect("seconds");
            [precise * 1_000 - now, seconds * SECOND - now / SECOND * SECOND]
        }
    }

    impl Drop for Shell {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    #[test]
    fn a_process_sees_the_time_that_it_is_shown_by_every_function() {
        let mut shell = Shell::start();
        let [precise_ns, _] = shell.offsets_ns();
        assert!(precise_ns.abs() < SECOND, "{precise_ns}");
        let pid = shell.child.id();
        assert!(Patched::find(pid).expect("it runs").is_none(), "nothing is there yet");
        let offsets_ns = [3_600 * SECOND, -86_400 * SECOND + 1, 1_500_000_000, -1, -1_999_999_999];
        for offset_ns in offsets_ns {
            Patched::of(pid).expect("it runs").set(offset_ns).expect("it runs");
            let patched = Patched::find(pid).expect("it runs").expect("the code is there");
            assert_eq!(patched.offset_ns().expect("it runs"), offset_ns);
            let [precise_ns, coarse_ns] = shell.offsets_ns();
            assert!((precise_ns - offset_ns).abs() < SECOND, "{precise_ns}, not {offset_ns}");
            assert!((coarse_ns - offset_ns).abs() <= 2 * SECOND, "{coarse_ns}, not {offset_ns}");
        }
        Patched::of(pid).expect("it runs").set(0).expect("it runs");
        let [precise_ns, _] = shell.offsets_ns();
        assert!(precise_ns.abs() < SECOND, "{precise_ns}");
    }

    #[test]
    fn a_process_that_was_stopped_stays_stopped() {
        let mut shell = Shell::start();
        shell.offsets_ns();
        let pid = nix::unistd::Pid::from_raw(shell.child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).expect("it is ours");
        let stopped = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
            stat.contains(") T ")
        };
        while !stopped() {
            sleep(Duration::from_millis(1));
        }
        Patched::of(shell.child.id()).expect("it is there").set(9 * SECOND).expect("it is there");
        assert!(stopped());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).expect("it is ours");
        assert!((shell.offsets_ns()[0] - 9 * SECOND).abs() < SECOND);
    }

    #[test]
    fn what_a_process_runs_afterwards_is_out_of_reach() {
        let mut shell = Shell::start();
        shell.offsets_ns();
        let mut patched = Patched::of(shell.child.id()).expect("it runs");
        let stdin = shell.child.stdin.as_mut().expect("it is open");
        stdin.write_all(b"exec bash --norc -s\n").expect("it reads");
        shell.offsets_ns();
        // The page that it knows is gone with the program, whatever lies there now.
        let _ = patched.set(SECOND);
        assert!(Patched::find(shell.child.id()).expect("it runs").is_none());
        assert!(shell.offsets_ns()[0].abs() < SECOND);
    }
}
