//! How users log in, and how those that are not root become so.
//!
//! `sudo` is played by a script that asks as it would: whether a real one lets somebody in depends
//! on the machine that the tests run on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use perjury_lab::remote::{Command, Endpoint, Remote, RemoteError, Secrets, Ssh2Remote};

use crate::connections::both;
use crate::server::{Server, new_key, said, skipped};

const PASSWORD: &str = "o'pen $esame";

/// A user of this machine for one test, gone when dropped.
struct User(String);

impl User {
    fn new(test: &str) -> Self {
        let name = format!("perjury-{test}-{}", std::process::id());
        let hash = said("perl", &["-e", "print crypt($ARGV[0], '$6$perjury$')", PASSWORD]);
        said("useradd", &["--no-create-home", "--shell", "/bin/sh", "--password", &hash, &name]);
        Self(name)
    }

    fn endpoint(&self, server: &Server) -> Endpoint {
        Endpoint { user: Some(self.0.clone()), ..server.endpoint() }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // `--force`, for its last session may not be over yet.
        let gone = Process::new("userdel").args(["--force", &self.0]).output();
        if !gone.is_ok_and(|gone| gone.status.success()) {
            println!("the user {} is left; remove it by `userdel`", self.0);
        }
    }
}

/// Asks for a password, and makes nobody root: it only says so.
const ASKING: &str = r#"#!/bin/sh
asks=yes
while :; do
    case $1 in
    -n) asks=no ;;
    -p) shift ;;
    -S | -k) ;;
    --) shift; break ;;
    *) break ;;
    esac
    shift
done
if [ "$asks" = no ]; then
    echo 'sudo: a password is required' >&2
    exit 1
fi
IFS= read -r given
if [ "$given" != "$(cat "$(dirname "$0")/password")" ]; then
    echo 'sudo: 1 incorrect password attempt' >&2
    exit 1
fi
BECAME=root exec "$@"
"#;

/// Lets in everybody.
const OPEN: &str = r#"#!/bin/sh
while [ "$1" = -n ] || [ "$1" = -- ]; do shift; done
BECAME=root exec "$@"
"#;

fn with_sudo(script: &str) -> Server {
    let server = Server::start();
    fs::create_dir(server.path("bin")).expect("it is ours");
    fs::write(server.path("bin/password"), PASSWORD).expect("it is ours");
    let sudo = server.path("bin/sudo");
    fs::write(&sudo, script).expect("it is ours");
    fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755)).expect("it is ours");
    server
}

fn whoami() -> Command {
    Command::script("printf %s \"$BECAME\"; cat").input(" with input").as_root()
}

#[tokio::test]
async fn without_sudo_nobody_becomes_root() {
    if skipped() {
        return;
    }
    let (server, user) = (with_sudo(ASKING), User::new("none"));
    let allowed = Endpoint { sudo: true, ..user.endpoint(&server) };
    let cases = [
        (user.endpoint(&server), "the settings allow no sudo"),
        (allowed, "a password is required"),
    ];
    for (endpoint, problem) in cases {
        for remote in both(&endpoint) {
            let error = remote.run(&whoami()).await.expect_err("it is refused");
            assert!(matches!(error, RemoteError::Root { .. }), "{error}");
            let error = error.to_string();
            let start = format!("n1 does not let {} become root: ", user.0);
            assert!(error.starts_with(&start) && error.contains(problem), "{error}");
            assert!(error.ends_with("allow `sudo -n` there, or log in as root"), "{error}");
            let said = remote.run(&Command::script("id -un")).await.expect("it needs no root");
            assert_eq!(said, user.0);
        }
    }
}

#[tokio::test]
async fn sudo_that_asks_for_nothing_is_given_nothing() {
    if skipped() {
        return;
    }
    let (server, user) = (with_sudo(OPEN), User::new("open"));
    let secrets = Secrets { sudo_password: Some(PASSWORD.to_owned()), ..Secrets::default() };
    let without = Endpoint { sudo: true, ..user.endpoint(&server) };
    let with = Endpoint { secrets, ..without.clone() };
    for remote in both(&without).iter().chain(&both(&with)) {
        let said = remote.run(&whoami()).await.expect("it becomes root");
        assert_eq!(said, "root with input", "the password is no part of the input");
    }
}

#[tokio::test]
async fn sudo_reads_its_password_and_nothing_more() {
    if skipped() {
        return;
    }
    let (server, user) = (with_sudo(ASKING), User::new("asking"));
    let secrets = Secrets { sudo_password: Some(PASSWORD.to_owned()), ..Secrets::default() };
    let endpoint = Endpoint { sudo: true, secrets, ..user.endpoint(&server) };
    for remote in both(&endpoint) {
        let said = remote.run(&whoami()).await.expect("it becomes root");
        assert_eq!(said, "root with input");
        let seen = remote.run(&Command::script("ps -e -o args=; env").as_root()).await;
        let seen = seen.expect("it becomes root");
        assert!(seen.contains("BECAME=root") && !seen.contains("esame"), "{seen}");
        let status = remote.output(&Command::script("exit 7").as_root()).await.expect("it runs");
        assert_eq!(status.status, 7);

        // A file goes the same way.
        let (here, there) = (server.path("here"), format!("/tmp/{}", user.0));
        fs::write(&here, [7; 100_000]).expect("it is ours");
        remote.upload(&here, &there, 0o600).await.expect("it is copied");
        assert!(fs::read(&there).expect("it is there") == [7; 100_000]);
        fs::remove_file(&there).expect("it is ours");
    }
}

#[tokio::test]
async fn a_wrong_password_for_sudo_is_told_but_not_shown() {
    if skipped() {
        return;
    }
    let (server, user) = (with_sudo(ASKING), User::new("wrong"));
    let secrets = Secrets { sudo_password: Some("sesame?".to_owned()), ..Secrets::default() };
    let endpoint = Endpoint { sudo: true, secrets, ..user.endpoint(&server) };
    for remote in both(&endpoint) {
        let error = remote.run(&whoami()).await.expect_err("it is refused");
        assert!(matches!(error, RemoteError::Root { .. }), "{error}");
        assert!(error.to_string().contains("1 incorrect password attempt"), "{error}");
        assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
    }
}

#[tokio::test]
async fn a_late_command_of_root_is_ended_too() {
    if skipped() {
        return;
    }
    let (server, user) = (with_sudo(ASKING), User::new("late"));
    let secrets = Secrets { sudo_password: Some(PASSWORD.to_owned()), ..Secrets::default() };
    let endpoint = Endpoint { sudo: true, secrets, ..user.endpoint(&server) };
    for remote in both(&endpoint) {
        remote.run(&whoami()).await.expect("it becomes root");
        let sleeper = format!("{}.5", 1000 + server.port);
        let late = Command::new("sleep").argument(sleeper.as_str()).as_root();
        let error = remote.run(&late.timeout(Duration::from_secs(4))).await.expect_err("too slow");
        assert!(matches!(error, RemoteError::TimedOut { .. }), "{error}");
        let late = Instant::now() + Duration::from_secs(20);
        while said("ps", &["-e", "-o", "args="]).contains(&format!("sleep {sleeper}")) {
            assert!(Instant::now() < late, "it goes on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_password_lets_in() {
    if skipped() {
        return;
    }
    let (server, user) = (Server::start(), User::new("login"));
    let secrets =
        |password: &str| Secrets { password: Some(password.to_owned()), ..Secrets::default() };
    let no_key = Endpoint { identity: Some(server.path("no_key")), ..user.endpoint(&server) };
    let right = Endpoint { secrets: secrets(PASSWORD), ..no_key.clone() };
    let said = Ssh2Remote::new("n1", right).run(&Command::script("id -un")).await;
    assert_eq!(said.expect("the password is right"), user.0);
    let wrong = Endpoint { secrets: secrets("sesame?"), ..no_key };
    let error = Ssh2Remote::new("n1", wrong).run(&Command::new("true")).await;
    let error = error.expect_err("the password is wrong");
    assert!(matches!(error, RemoteError::Login { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
}

#[tokio::test]
async fn a_locked_key_needs_its_passphrase() {
    if skipped() {
        return;
    }
    let server = Server::start();
    let locked = server.path("locked");
    new_key("ed25519", &locked, PASSWORD);
    fs::copy(server.path("locked.pub"), server.path("authorized_keys")).expect("a copy");
    let without = Endpoint { identity: Some(locked), ..server.endpoint() };
    for remote in both(&without) {
        let error = remote.run(&Command::new("true")).await.expect_err("it is locked");
        assert!(matches!(error, RemoteError::Login { .. }), "{error}");
    }
    let secrets = Secrets { passphrase: Some(PASSWORD.to_owned()), ..Secrets::default() };
    let with = Endpoint { secrets, ..without };
    Ssh2Remote::new("n1", with).run(&Command::new("true")).await.expect("it is unlocked");
}

/// An agent with a key, gone when dropped.
struct Agent(Child);

impl Agent {
    fn with(socket: &Path, key: &Path) -> Self {
        let [socket, key] = [socket, key].map(|path| path.display().to_string());
        let agent =
            Process::new("ssh-agent").args(["-D", "-a", &socket]).stdout(Stdio::null()).spawn();
        let agent = Self(agent.expect("there is ssh-agent"));
        let late = Instant::now() + Duration::from_secs(20);
        loop {
            let added = Process::new("ssh-add").env("SSH_AUTH_SOCK", &socket).arg(&key).output();
            if added.is_ok_and(|it| it.status.success()) {
                return agent;
            }
            assert!(Instant::now() < late, "the agent takes no key");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn an_agent_lets_in() {
    if skipped() {
        return;
    }
    let server = Server::start();
    let socket = server.path("agent");
    let _agent = Agent::with(&socket, &server.identity());
    let endpoint = Endpoint { identity: None, agent: Some(socket), ..server.endpoint() };
    for remote in both(&endpoint) {
        remote.run(&Command::new("true")).await.expect("it has the key");
    }
}
