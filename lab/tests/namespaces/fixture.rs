//! A lab for each test, and what is to be seen of it on this host.

use std::collections::BTreeMap;
use std::process::Command as Program;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use perjury_lab::MachineLab;
use perjury_lab::machines::{Daemon, Machine};
use perjury_lab::namespaces::{NamespaceSettings, down, open, possible, status, up};
use perjury_lab::remote::Command;

/// One test at a time: they compare what the host has before and after.
static HOST: Mutex<()> = Mutex::new(());

/// A lab's name that no other process uses; what it holds is gone when the test ends.
pub(crate) struct Lab {
    pub(crate) settings: NamespaceSettings,
    _host: Option<MutexGuard<'static, ()>>,
}

impl Lab {
    /// None, and a line that says why, where there can be no labs.
    pub(crate) fn new(test: &str) -> Option<Self> {
        if let Err(reason) = possible() {
            println!("skipped: {reason}");
            return None;
        }
        let host = HOST.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lab = Self::beside(test);
        lab._host = Some(host);
        Some(lab)
    }

    /// Another one in the same test.
    pub(crate) fn beside(test: &str) -> Self {
        let name = format!("test-{test}-{}", std::process::id());
        let settings = NamespaceSettings { name, disk_mib: 1024 };
        Self { settings, _host: None }
    }

    pub(crate) fn up(&self, nodes: u32) -> MachineLab {
        up(&self.settings, nodes).expect("it comes up");
        self.open(nodes)
    }

    pub(crate) fn open(&self, nodes: u32) -> MachineLab {
        open(&self.settings, nodes).expect("it is up")
    }

    pub(crate) fn down(&self) {
        down(&self.settings.name).expect("it goes down");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Err(error) = down(&self.settings.name) {
            println!("{error}");
        }
    }
}

/// What a machine says to a constant script.
pub(crate) async fn say(machine: &Machine, script: &'static str) -> String {
    machine.run(&Command::script(script)).await.unwrap_or_else(|error| panic!("{error}"))
}

/// A daemon that does nothing for long.
pub(crate) fn sleeper(user: Option<&'static str>) -> Daemon {
    let arguments = vec!["/bin/sleep".to_owned(), "1000".to_owned()];
    Daemon { name: "sleeper", arguments, user, environment: BTreeMap::new() }
}

/// What a program of this host says.
pub(crate) fn host(program: &str, arguments: &[&str]) -> String {
    let output = Program::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What of a lab could be left on the host, as the host lists it; other labs come and go meanwhile.
pub(crate) fn traces(lab: &str, link: &str) -> Vec<String> {
    let mut traces = Vec::new();
    for (program, arguments) in [
        ("ip", vec!["netns", "list"]),
        ("ip", vec!["-oneline", "address", "show"]),
        ("ip", vec!["route", "show", "table", "all"]),
        ("losetup", vec!["--all"]),
        ("nft", vec!["list", "ruleset"]),
        ("ps", vec!["-eo", "args"]),
        ("cat", vec!["/proc/self/mountinfo"]),
        ("ls", vec!["/var/lib/perjury/labs"]),
    ] {
        let said = host(program, &arguments);
        let is_ours = |line: &&str| {
            line.contains(&format!("{lab}/"))
                || line.contains(&format!("{lab}-"))
                || line.contains(&format!("{link}@"))
                || line.split_whitespace().any(|word| word == link || word.starts_with(lab))
        };
        traces.extend(said.lines().filter(is_ours).map(|line| format!("{program}: {line}")));
    }
    traces
}

/// Waits until nothing is left of a lab. Programs that had begun to make it may take a moment to see
/// that it is gone.
pub(crate) fn expect_no_traces(lab: &str, link: &str) {
    let mut left = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        left = traces(lab, link);
        if left.is_empty() {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("left: {left:#?}");
}

/// The host's link to a lab.
pub(crate) fn link(lab: &str) -> String {
    let control = status(lab).expect("it is up").control[0].to_string();
    format!("perjury{}", control.split('.').nth(2).expect("an IPv4 address"))
}

/// Waits until something holds; a minute is far more than anything takes.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what} never came");
        sleep(Duration::from_millis(50));
    }
}
