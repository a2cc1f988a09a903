//! What can go wrong between here and an SSH server, by both clients.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use perjury_lab::remote::{
    Command, Endpoint, OpenSshRemote, Remote, RemoteError, Secrets, Ssh2Remote,
};

use crate::server::{Server, skipped};

/// By both clients, the way to a machine.
pub(crate) fn both(endpoint: &Endpoint) -> [Box<dyn Remote>; 2] {
    let ssh2 = Ssh2Remote::new("n1", endpoint.clone());
    let openssh = OpenSshRemote::new("n1", endpoint.clone()).expect("a folder");
    [Box::new(ssh2), Box::new(openssh)]
}

/// Why the machine is not reached, by both clients.
async fn refusals(endpoint: Endpoint) -> [RemoteError; 2] {
    let [ssh2, openssh] = both(&endpoint);
    let command = Command::new("true");
    let (ssh2, openssh) = tokio::join!(ssh2.run(&command), openssh.run(&command));
    [ssh2, openssh].map(|result| result.expect_err("it is refused"))
}

#[tokio::test]
async fn an_unknown_host_key_is_refused_with_the_remedy() {
    if skipped() {
        return;
    }
    let server = Server::start();
    let file = server.path("no_hosts");
    let errors = refusals(Endpoint { known_hosts: Some(file.clone()), ..server.endpoint() }).await;
    let file = file.display().to_string();
    for error in &errors {
        assert!(matches!(error, RemoteError::HostKey { .. }), "{error}");
        let start = format!("n1 shows a host key that is unknown ({file})");
        assert!(error.to_string().starts_with(&start), "{error}");
    }
    let scan = format!("`ssh-keyscan -p {} 127.0.0.1 >>{file}`", server.port);
    let error = errors[0].to_string();
    assert!(error.contains("SHA256:") && error.ends_with(&scan), "{error}");
}

#[tokio::test]
async fn a_changed_host_key_is_refused_with_the_remedy() {
    if skipped() {
        return;
    }
    let server = Server::start();
    server.know_another();
    for error in refusals(server.endpoint()).await {
        assert!(matches!(error, RemoteError::HostKey { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains("is not the known one"), "{error}");
        assert!(error.contains("`ssh-keygen") && error.contains("-R"), "{error}");
    }
}

#[tokio::test]
async fn a_key_of_another_kind_than_the_known_one_is_not_a_changed_key() {
    if skipped() {
        return;
    }
    // It has an Ed25519 key too, which is what one would be shown.
    let server = Server::start();
    server.know("host_key_ecdsa.pub");
    for remote in both(&server.endpoint()) {
        remote.run(&Command::new("true")).await.expect("it is known");
    }
}

#[tokio::test]
async fn a_wrong_key_is_told_and_no_secret() {
    if skipped() {
        return;
    }
    let server = Server::start();
    let identity = server.path("host_key");
    let secrets = Secrets {
        password: Some("open sesame".to_owned()),
        passphrase: Some("open sesame".to_owned()),
        sudo_password: Some("open sesame".to_owned()),
    };
    let wrong = Endpoint { identity: Some(identity.clone()), secrets, ..server.endpoint() };
    assert!(!format!("{wrong:?}").contains("sesame"));
    let errors = refusals(wrong).await;
    for error in &errors {
        assert!(matches!(error, RemoteError::Login { .. }), "{error}");
        assert!(error.to_string().starts_with("n1 does not accept root: "), "{error}");
        assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
    }
    let error = errors[0].to_string();
    assert!(error.contains(&format!("the key {}: ", identity.display())), "{error}");
    assert!(error.contains("the password: "), "{error}");
}

#[tokio::test]
async fn a_key_that_is_not_there_is_told() {
    if skipped() {
        return;
    }
    let server = Server::start();
    let identity = Some(server.path("no_key"));
    for error in refusals(Endpoint { identity, ..server.endpoint() }).await {
        assert!(matches!(error, RemoteError::Login { .. }), "{error}");
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_told() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("it is bound").port();
    drop(free);
    for error in refusals(Endpoint { port: Some(port), ..Endpoint::new("127.0.0.1") }).await {
        assert!(matches!(error, RemoteError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains(&format!("at 127.0.0.1:{port}")), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_costs_the_time_to_connect() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = Some(silent.local_addr().expect("it is bound").port());
    let connect_timeout = Duration::from_secs(1);
    let endpoint = Endpoint { port, connect_timeout, ..Endpoint::new("127.0.0.1") };
    for error in refusals(endpoint).await {
        assert!(matches!(error, RemoteError::Unreachable { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_frozen_machine_costs_its_time_out_and_delays_nobody_else() {
    if skipped() {
        return;
    }
    let (frozen, well) = (Server::start(), Server::start());
    let (ours, theirs) = (both(&frozen.endpoint()), both(&well.endpoint()));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        ours.run(&Command::new("true")).await.expect("it is well");
        frozen.signal(Signal::SIGSTOP);
        // One goes over the connection that there is, the others perhaps over new ones.
        let late = Command::new("true").timeout(Duration::from_secs(120));
        let stuck = async {
            tokio::join!(ours.run(&late), ours.run(&late), ours.run(&late), ours.run(&late))
        };
        let others = async {
            for _ in 0..20 {
                theirs.run(&Command::new("true")).await.expect("it is well");
            }
        };
        // All of the others are done before the first of the stuck ones is given up.
        tokio::select! {
            biased;
            results = stuck => panic!("{results:?} came first"),
            () = others => {}
        }
        let soon = Command::new("true").timeout(Duration::from_secs(2));
        let (first, second) = tokio::join!(ours.run(&soon), ours.run(&soon));
        for result in [first, second] {
            let error = result.expect_err("it is frozen");
            assert!(error.to_string().starts_with("n1"), "{error}");
            let fit =
                matches!(error, RemoteError::TimedOut { .. } | RemoteError::Unreachable { .. });
            assert!(fit, "{error}");
        }
        frozen.signal(Signal::SIGCONT);
        ours.run(&Command::new("true")).await.expect("it is well again");
    }
}

/// Waits for something, but not for ever.
async fn until(what: &str, done: impl Fn() -> bool) {
    let late = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < late, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_lost_connection_is_told_and_the_next_command_connects_again() {
    if skipped() {
        return;
    }
    let mut server = Server::start();
    for remote in both(&server.endpoint()) {
        let runs = server.path("runs");
        let command = Command::script("echo $$ >>\"$1\"; exec sleep 1000");
        let command = command.argument(runs.display().to_string());
        let crash = async {
            until("it to begin", || runs.exists()).await;
            server.stop();
        };
        let (lost, ()) = tokio::join!(remote.run(&command), crash);
        let error = lost.expect_err("the machine is gone");
        assert!(matches!(error, RemoteError::Lost { .. }), "{error}");
        let error = remote.run(&Command::new("true")).await.expect_err("nobody is there");
        assert!(matches!(error, RemoteError::Unreachable { .. }), "{error}");
        server.run();
        remote.run(&Command::new("true")).await.expect("it is there again");
        let lines = std::fs::read_to_string(&runs).expect("it ran");
        assert_eq!(lines.lines().count(), 1, "no command is repeated");
        std::fs::remove_file(&runs).expect("it is ours");
    }
}

#[tokio::test]
async fn an_idle_connection_that_was_lost_is_replaced() {
    if skipped() {
        return;
    }
    let mut server = Server::start();
    for remote in both(&server.endpoint()) {
        remote.run(&Command::new("true")).await.expect("it is well");
        server.stop();
        server.run();
        remote.run(&Command::new("true")).await.expect("nothing was lost but a connection");
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_the_file_as_it_was() {
    if skipped() {
        return;
    }
    let mut server = Server::start();
    for remote in both(&server.endpoint()) {
        // Too large to have arrived before the crash.
        let (here, there) = (server.path("here"), server.path("there"));
        std::fs::write(&there, "as it was").expect("it is ours");
        let file = std::fs::File::create(&here).expect("it is ours");
        file.set_len(1 << 30).expect("a file with a hole needs no room");
        let partial = server.path("there.partial");
        let crash = async {
            until("it to begin", || partial.exists()).await;
            server.cut();
        };
        let to = there.display().to_string();
        let (broken, ()) = tokio::join!(remote.upload(&here, &to, 0o600), crash);
        let error = broken.expect_err("the machine is gone");
        assert!(matches!(error, RemoteError::Lost { .. }), "{error}");
        until("the half of it to be gone", || !partial.exists()).await;
        assert_eq!(std::fs::read_to_string(&there).expect("it is there"), "as it was");
        server.run();
    }
}

#[tokio::test]
async fn fifty_machines_are_reached_at_once() {
    if skipped() {
        return;
    }
    let server = Server::start();
    let remotes: Vec<_> =
        (1..=50).map(|node| Ssh2Remote::new(format!("n{node}"), server.endpoint())).collect();
    // Each waits for all the others, so all are in session at the same time.
    const MEET: &str = r#": >"$1.$2"; until [ "$(ls "$1".* | wc -l)" -eq 50 ]; do sleep 0.1; done"#;
    let place = server.path("met").display().to_string();
    let meet = |node: usize| Command::script(MEET).arguments([place.clone(), node.to_string()]);
    let commands: Vec<_> =
        (0..50).map(|node| meet(node).timeout(Duration::from_secs(120))).collect();
    let all = remotes.iter().zip(&commands).map(|(remote, command)| remote.run(command));
    for result in futures::future::join_all(all).await {
        result.expect("all have met");
    }
}
