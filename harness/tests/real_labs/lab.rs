//! A lab of namespaces for one test, and a folder to run the command in.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use perjury_lab::namespaces::{self, LabStatus};

use crate::place::{Called, Place};

/// One lab at a time: two cores have enough to do.
static TURN: Mutex<()> = Mutex::new(());

/// A lab that is up for as long as this lives.
pub(crate) struct Lab {
    pub(crate) place: Place,
    pub(crate) name: String,
    status: LabStatus,
    _turn: MutexGuard<'static, ()>,
}

impl Lab {
    /// Brings up so many nodes. `None`, said, where that is impossible or a program is missing.
    pub(crate) fn up(nodes: u32, programs: &[&str]) -> Option<Self> {
        let missing = programs.iter().find(|program| !Path::new(program).exists());
        let missing = missing.map(|it| format!("no {it}; scripts/install-stores installs it"));
        if let Some(reason) = namespaces::possible().err().or(missing) {
            println!("skipped: {reason}");
            return None;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (place, name) = (Place::new(), format!("test-{}", std::process::id()));
        let nodes = nodes.to_string();
        let up = place.perjury(&["lab", "up", "--name", &name, "--nodes", &nodes]);
        assert_eq!(up.code, 0, "{}", up.stderr);
        let status = namespaces::status(&name).expect("it is up");
        Some(Self { place, name, status, _turn: turn })
    }

    /// Runs a campaign on it.
    pub(crate) fn run(&self, campaign: &str, arguments: &[&str]) -> Called {
        self.place.write("campaign.toml", campaign);
        let lab = format!("lab={{ kind = \"namespaces\", name = \"{}\" }}", self.name);
        let all = [&["run", "campaign.toml", "--set", &lab], arguments].concat();
        self.place.perjury(&all)
    }

    /// Runs a campaign on its machines as on a cluster's.
    pub(crate) fn run_over_ssh(&self, campaign: &str, arguments: &[&str]) -> Called {
        self.place.write("campaign.toml", campaign);
        let all = self.over_ssh(&["run", "campaign.toml"], arguments);
        self.place.perjury(&all.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Checks its machines as those of a cluster.
    pub(crate) fn check_over_ssh(&self, arguments: &[&str]) -> Called {
        let all = self.over_ssh(&["lab", "check"], arguments);
        self.place.perjury(&all.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// A command with the flags by which the machines are reached as a cluster's.
    pub(crate) fn over_ssh(&self, command: &[&str], arguments: &[&str]) -> Vec<String> {
        let hosts = self.addresses().into_iter().flat_map(|it| ["--node".to_owned(), it]);
        let (key, known) = (self.file("key"), self.file("known_hosts"));
        let usual = ["--user", "root", "--identity", &key, "--known-hosts", &known];
        let given = |flag: &str| arguments.contains(&flag);
        let hosts = hosts.filter(|_| !given("--node"));
        // What the test says replaces what is usual; a flag may stand only once.
        let usual = usual.chunks(2).filter(|pair| !given(pair[0])).flatten();
        let owned = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let usual = usual.map(|it| (*it).to_owned());
        owned(command).into_iter().chain(hosts).chain(usual).chain(owned(arguments)).collect()
    }

    /// The addresses of its machines, in order.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.status.nodes.iter().map(|node| node.addresses[0].to_string()).collect()
    }

    /// A file of the lab.
    pub(crate) fn file(&self, name: &str) -> String {
        let folder = self.status.ssh_config.parent().expect("it is in the lab's folder");
        folder.join(name).display().to_string()
    }

    /// Does something on a node, as root; what it said.
    pub(crate) fn on(&self, node: &str, command: &str) -> String {
        let output = Command::new("ssh")
            .arg("-F")
            .arg(&self.status.ssh_config)
            .args([node, command])
            .output()
            .expect("there is an ssh");
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let complained = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{node}: `{command}`: {said}{complained}");
        said
    }

    /// The process id, on this machine, of a node's first process.
    pub(crate) fn process(&self, node: usize) -> i32 {
        let process = self.status.nodes[node].pid.expect("it is up");
        i32::try_from(process).expect("a process id")
    }

    /// Nothing of ours is left on a node.
    #[track_caller]
    pub(crate) fn is_clean(&self, node: &str) {
        let tables = self.on(node, "nft list tables");
        assert!(!tables.contains("perjury"), "{node}: {tables}");
        let rest = self.on(node, "ls -A /var/lib/perjury 2>/dev/null || true");
        assert_eq!(rest, "", "{node}: files are left");
        let mounts = self.on(node, "grep -c ' /var/lib/perjury/data' /proc/mounts || true");
        assert_eq!(mounts, "0", "{node}: mounts are left");
        let processes = self.on(node, "ps -e -o comm=");
        for left in ["etcd", "redis-server", "postgres", "agent"] {
            assert!(!processes.contains(left), "{node}: {processes}");
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let down = self.place.perjury(&["lab", "down", "--name", &self.name]);
        // A second panic while one is on its way would hide it.
        if down.code != 0 {
            println!("failed to take the lab down: {}", down.stderr);
        }
    }
}
