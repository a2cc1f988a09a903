//! One server on this machine, in a folder and at a port of its own.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::time::Instant as Deadline;
use tokio_postgres::Row;

use super::super::connection::{Connection, Endpoint};
use super::super::files::{OPERATOR, SCHEMA};
use super::super::settings::PostgresSettings;

const PASSWORD: &str = "secret";

pub(super) struct Server {
    /// `None` once it was killed.
    process: Option<Child>,
    pub(super) endpoint: Endpoint,
    folder: TempDir,
}

/// A program of PostgreSQL, as a user that it accepts.
fn program(name: &str) -> Command {
    let path = Path::new(&PostgresSettings::default().programs).join(name);
    let root = std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|it| it.starts_with("Uid:\t0")));
    if !root {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]).arg(path);
    command
}

fn run(mut command: Command, input: &str) {
    use std::io::Write;
    let mut child = command
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be started");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

impl Server {
    /// Starts a server with more settings, as `postgresql.conf` has them; `None` (with the reason
    /// printed) where there is no PostgreSQL.
    pub(super) fn start(settings: &[&str]) -> Option<Self> {
        let programs = PostgresSettings::default().programs;
        if !Path::new(&programs).join("postgres").exists() {
            println!("skipped: no PostgreSQL in {programs}; scripts/install-stores postgres");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let (data, pwfile) = (folder.path().join("data"), folder.path().join("pwfile"));
        std::fs::create_dir(&data).expect("a folder");
        std::fs::write(&pwfile, PASSWORD).expect("a file");
        let _ = Command::new("chown")
            .args([OsStr::new("-R"), OsStr::new("postgres")])
            .arg(folder.path())
            .status();
        let mut initdb = program("initdb");
        initdb.args([
            "-U",
            OPERATOR,
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-A",
            "scram-sha-256",
            "-N",
        ]);
        initdb.arg("-D").arg(&data).arg("--pwfile").arg(&pwfile);
        run(initdb, "");
        let mut single = program("postgres");
        single.args(["--single", "-j", "-D"]).arg(&data).arg("postgres");
        let role = format!("create role perjury login password '{PASSWORD}';\n\n");
        run(single, &(role + SCHEMA));
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = port.local_addr().expect("bound").port();
        let mut postgres = program("postgres");
        postgres.arg("-D").arg(&data).arg("-c").arg(format!("port={port}"));
        postgres.args(["-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1"]);
        postgres.args(settings.iter().flat_map(|setting| ["-c", setting]));
        postgres.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Some(postgres.spawn().expect("it can be started"));
        let endpoint =
            Endpoint { address: Ipv4Addr::LOCALHOST.into(), port, password: PASSWORD.to_owned() };
        let server = Self { process, endpoint, folder };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "the server does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }

    /// Ends it as a power failure would.
    pub(super) fn kill(&mut self) {
        let lock_file = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid"));
        self.end("-KILL");
        // The key and the number of its shared memory, which nobody else takes away now.
        let memory = lock_file.expect("it runs").lines().nth(6).map(str::to_owned);
        if let Some(number) = memory.as_deref().and_then(|it| it.split_whitespace().nth(1)) {
            let _ = Command::new("ipcrm").args(["-m", number]).status();
        }
    }

    fn end(&mut self, signal: &str) {
        if let Some(mut process) = self.process.take() {
            let told = Command::new("kill").arg(signal).arg(process.id().to_string()).status();
            assert!(told.is_ok_and(|it| it.success()), "it runs");
            process.wait().expect("it ends");
        }
    }

    /// A connection of an operator's. The server may still be starting.
    pub(super) async fn console(&self) -> Connection {
        let began = Instant::now();
        loop {
            match Connection::open(&self.endpoint, OPERATOR, soon()).await {
                Ok(connection) => return connection,
                Err(problem) => {
                    assert!(began.elapsed() < Duration::from_secs(60), "{problem}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    /// Waits until a statement's first column is true.
    pub(super) async fn until(&self, statement: &str) {
        let console = self.console().await;
        let began = Instant::now();
        loop {
            let rows: Vec<Row> = console.run(statement, &[], soon()).await.expect("it answers");
            if rows.first().is_some_and(|row| row.get(0)) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "never true: {statement}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end("-QUIT");
    }
}

pub(super) fn soon() -> Deadline {
    Deadline::now() + Duration::from_secs(30)
}
