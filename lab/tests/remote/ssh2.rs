//! What can go wrong between here and an SSH server.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use perjury_lab::remote::{Command, Endpoint, Remote, RemoteError, Secrets, Ssh2Remote};

use crate::server::{Server, skipped};

async fn refusal(endpoint: Endpoint) -> RemoteError {
    Ssh2Remote::new("n1", endpoint).run(&Command::new("true")).await.expect_err("it is refused")
}

#[tokio::test]
async fn an_unknown_host_key_is_refused_with_the_remedy() {
    if skipped() {
        return;
    }
    let server = Server::start();
    let file = server.path("no_hosts");
    let error = refusal(Endpoint { known_hosts: Some(file.clone()), ..server.endpoint() }).await;
    assert!(matches!(error, RemoteError::HostKey { .. }), "{error}");
    let (error, file) = (error.to_string(), file.display().to_string());
    assert!(error.starts_with(&format!("n1 shows a host key that is unknown ({file})")), "{error}");
    let scan = format!("`ssh-keyscan -p {} 127.0.0.1 >>{file}`", server.port);
    assert!(error.contains("SHA256:") && error.ends_with(&scan), "{error}");
}

#[tokio::test]
async fn a_changed_host_key_is_refused_with_the_remedy() {
    if skipped() {
        return;
    }
    let server = Server::start();
    server.know_another();
    let error = refusal(server.endpoint()).await;
    assert!(matches!(error, RemoteError::HostKey { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("is not the known one"), "{error}");
    assert!(error.contains("ssh-keygen -f") && error.contains("-R '[127.0.0.1]:"), "{error}");
}

#[tokio::test]
async fn a_wrong_key_is_told_with_all_that_was_tried() {
    if skipped() {
        return;
    }
    let server = Server::start();
    let identity = server.path("host_key");
    let secrets = Secrets { password: Some("open sesame".to_owned()), ..Secrets::default() };
    let wrong = Endpoint { identity: Some(identity.clone()), secrets, ..server.endpoint() };
    let error = refusal(wrong).await;
    assert!(matches!(error, RemoteError::Login { .. }), "{error}");
    let error = error.to_string();
    assert!(error.starts_with("n1 does not accept root: the key"), "{error}");
    assert!(error.contains(&identity.display().to_string()), "{error}");
    assert!(error.contains("the password: "), "{error}");
    assert!(!error.contains("sesame"), "{error}");
}

#[tokio::test]
async fn nobody_at_the_address_is_told() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("it is bound").port();
    drop(free);
    let error = refusal(Endpoint { port: Some(port), ..Endpoint::new("127.0.0.1") }).await;
    assert!(matches!(error, RemoteError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&format!("at 127.0.0.1:{port}")), "{error}");
}

#[tokio::test]
async fn a_frozen_machine_costs_its_time_out_and_delays_nobody_else() {
    if skipped() {
        return;
    }
    let (frozen, well) = (Server::start(), Server::start());
    let [ours, theirs] = [&frozen, &well].map(|it| Ssh2Remote::new("n1", it.endpoint()));
    ours.run(&Command::new("true")).await.expect("it is well");
    frozen.signal(Signal::SIGSTOP);
    let command = Command::new("true").timeout(Duration::from_secs(3));
    // One goes over the connection that there is, the others over new ones.
    let stuck = async {
        let began = Instant::now();
        let all = tokio::join!(ours.run(&command), ours.run(&command), ours.run(&command));
        (all, began.elapsed())
    };
    let others = async {
        // As many as can be done meanwhile.
        let mut done = 0;
        while done < 20 {
            theirs.run(&Command::new("true")).await.expect("it is well");
            done += 1;
        }
        Instant::now()
    };
    let began = Instant::now();
    let (((first, second, third), waited), _) = tokio::join!(stuck, others);
    for result in [first, second, third] {
        let error = result.expect_err("it is frozen");
        let named = matches!(error, RemoteError::TimedOut { .. } | RemoteError::Unreachable { .. });
        assert!(named, "{error}");
    }
    assert!(waited >= Duration::from_secs(3), "{waited:?}");
    assert!(began.elapsed() < Duration::from_secs(30), "it costs its time-out and no more");
    frozen.signal(Signal::SIGCONT);
    ours.run(&Command::new("true")).await.expect("it is well again");
}

#[tokio::test]
async fn a_lost_connection_is_told_and_the_next_command_connects_again() {
    if skipped() {
        return;
    }
    let mut server = Server::start();
    let remote = Ssh2Remote::new("n1", server.endpoint());
    let runs = server.path("runs");
    let command = Command::script("echo $$ >>\"$1\"; exec sleep 1000");
    let command = command.argument(runs.display().to_string());
    let crash = async {
        let until = Instant::now() + Duration::from_secs(20);
        while !runs.exists() {
            assert!(Instant::now() < until, "it does not begin");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.stop();
    };
    let (lost, ()) = tokio::join!(remote.run(&command), crash);
    let error = lost.expect_err("the machine is gone");
    assert!(matches!(error, RemoteError::Lost { .. }), "{error}");
    let error = remote.run(&Command::new("true")).await.expect_err("nobody is there");
    assert!(matches!(error, RemoteError::Unreachable { .. }), "{error}");
    server.run();
    remote.run(&Command::new("true")).await.expect("it is there again");
    let runs = std::fs::read_to_string(runs).expect("it ran");
    assert_eq!(runs.lines().count(), 1, "no command is repeated");
}

#[tokio::test]
async fn an_idle_connection_that_was_lost_is_replaced() {
    if skipped() {
        return;
    }
    let mut server = Server::start();
    let remote = Ssh2Remote::new("n1", server.endpoint());
    remote.run(&Command::new("true")).await.expect("it is well");
    server.stop();
    server.run();
    remote.run(&Command::new("true")).await.expect("nothing was lost but a connection");
}
