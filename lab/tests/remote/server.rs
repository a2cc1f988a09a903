//! An SSH server of our own on the loopback: its own keys, its own configuration, its own folder.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use perjury_lab::remote::{Endpoint, Secrets};
use tempfile::TempDir;

const SSHD: &str = "/usr/sbin/sshd";

/// A server. It ends, with all that runs in its sessions, when dropped.
pub(crate) struct Server {
    folder: TempDir,
    pub(crate) port: u16,
    process: Option<Child>,
}

/// Why there can be no server here, if so. The test says it and ends.
pub(crate) fn skipped() -> bool {
    let why = match (Path::new(SSHD).exists(), nix::unistd::geteuid().is_root()) {
        (false, _) => "there is no sshd (scripts/install-lab installs it)",
        (_, false) => "only root can start an sshd that lets somebody in",
        _ => return false,
    };
    println!("skipped: {why}");
    true
}

/// Runs a program of this machine that must succeed; what it said.
pub(crate) fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Makes a key, locked unless the passphrase is empty.
pub(crate) fn new_key(kind: &str, file: &Path, passphrase: &str) {
    let file = file.display().to_string();
    said("ssh-keygen", &["-q", "-t", kind, "-N", passphrase, "-f", &file]);
}

impl Server {
    /// A server that lets in whoever there is by the key `identity`, and by password. Programs in
    /// its folder `bin` come before those of the machine.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("perjury-sshd").tempdir().expect("a folder");
        // Other users log in too, and sshd reads as them.
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), open).expect("it is ours");
        fs::create_dir_all("/run/sshd").expect("sshd wants it");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let mut server = Self { folder, port, process: None };
        new_key("ed25519", &server.path("host_key"), "");
        new_key("ecdsa", &server.path("host_key_ecdsa"), "");
        new_key("ed25519", &server.identity(), "");
        fs::copy(server.path("identity.pub"), server.path("authorized_keys")).expect("a copy");
        let folder = server.folder.path();
        let at = |name: &str| server.path(name).display().to_string();
        let all = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nHostKey {}\nPidFile none\n\
             AuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             MaxStartups 200\nSetEnv PATH={}:/usr/sbin:/usr/bin:/sbin:/bin \
             HOME={}\n",
            at("host_key"),
            at("host_key_ecdsa"),
            at("authorized_keys"),
            at("bin"),
            // What users have their shells do first is not for us, and may take long.
            folder.display(),
        );
        fs::write(server.path("sshd_config"), all).expect("it is ours");
        server.know("host_key.pub");
        server.run();
        server
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.path("identity")
    }

    /// Makes this key (a file of the folder) the known one.
    pub(crate) fn know(&self, key: &str) {
        let key = fs::read_to_string(self.path(key)).expect("there is one");
        let line = format!("[127.0.0.1]:{} {key}", self.port);
        fs::write(self.path("known_hosts"), line).expect("it is ours");
    }

    /// Knows the other server too, and has it let in those that we let in.
    pub(crate) fn trust(&self, other: &Server) {
        let (ours, theirs) = (self.path("known_hosts"), other.path("known_hosts"));
        let read = |file: &Path| fs::read_to_string(file).expect("there is one");
        fs::write(&ours, read(&ours) + &read(&theirs)).expect("it is ours");
        fs::copy(self.path("authorized_keys"), other.path("authorized_keys")).expect("a copy");
    }

    /// Makes another key the known one.
    pub(crate) fn know_another(&self) {
        new_key("ed25519", &self.path("another_key"), "");
        self.know("another_key.pub");
    }

    /// Starts the server, again if it has been stopped.
    pub(crate) fn run(&mut self) {
        use std::os::unix::process::CommandExt;
        let log = fs::File::create(self.path("log")).expect("it is ours");
        let process = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(self.path("sshd_config"))
            .stdin(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn();
        self.process = Some(process.expect("sshd starts"));
        let until = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(Instant::now() < until, "sshd does not listen: {log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The server's process and those of its connections.
    fn processes(&self) -> Vec<Pid> {
        let Some(process) = &self.process else { return Vec::new() };
        let mut all = vec![process.id().to_string()];
        let table = said("ps", &["-e", "-o", "pid=", "-o", "ppid="]);
        // Parents have been started before their children, but their numbers may be anything.
        loop {
            let child = table.lines().filter_map(|line| line.trim().split_once(' ')).find(
                |(pid, parent)| {
                    all.iter().any(|it| it == parent.trim()) && !all.iter().any(|it| it == pid)
                },
            );
            match child {
                Some((pid, _)) => all.push(pid.to_owned()),
                None => break,
            }
        }
        all.iter().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
    }

    /// Sends a signal to the server and all its connections.
    pub(crate) fn signal(&self, signal: Signal) {
        for process in self.processes() {
            // It may have ended just now.
            let _ = kill(process, signal);
        }
    }

    /// Ends the server and its connections, but not what runs in their sessions.
    pub(crate) fn cut(&mut self) {
        let table = said("ps", &["-e", "-o", "pid=", "-o", "comm="]);
        let is_sshd = |pid: &Pid| {
            let mut lines = table.lines().map(|line| line.split_whitespace());
            lines.any(|mut it| it.next() == Some(&pid.to_string()) && it.next() == Some("sshd"))
        };
        for process in self.processes().iter().filter(|pid| is_sshd(pid)) {
            let _ = kill(*process, Signal::SIGKILL);
        }
        if let Some(mut process) = self.process.take() {
            let _ = process.wait();
        }
    }

    /// Ends the server and all its connections, as a crash of the machine would.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::SIGKILL);
        if let Some(mut process) = self.process.take() {
            let _ = killpg(Pid::from_raw(process.id() as i32), Signal::SIGKILL);
            let _ = process.wait();
        }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint {
            port: Some(self.port),
            user: Some("root".to_owned()),
            identity: Some(self.identity()),
            known_hosts: Some(self.path("known_hosts")),
            connect_timeout: Duration::from_secs(20),
            agent: None,
            secrets: Secrets::default(),
            ..Endpoint::new("127.0.0.1")
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
