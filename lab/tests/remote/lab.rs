//! A lab of machines over SSH.

use perjury_history::NodeId;
use perjury_lab::remote::{Command, RemoteError};
use perjury_lab::ssh::{SshClient, SshSettings, open};

use crate::server::{Server, skipped};

fn settings(servers: &[&Server], client: SshClient) -> SshSettings {
    SshSettings {
        nodes: servers.iter().map(|it| format!("root@127.0.0.1:{}", it.port)).collect(),
        identity: Some(servers[0].identity()),
        known_hosts: Some(servers[0].path("known_hosts")),
        client,
        ..SshSettings::default()
    }
}

#[test]
fn a_lab_has_been_reached_when_it_opens() {
    if skipped() {
        return;
    }
    let servers = [Server::start(), Server::start()];
    let [first, second] = &servers;
    first.trust(second);
    for client in [SshClient::Ssh2, SshClient::Openssh] {
        let lab = open(&settings(&[first, second], client)).expect("both are there");
        assert_eq!((lab.name(), lab.nodes()), ("ssh", vec![NodeId(0), NodeId(1)]));
        let command = Command::new("hostname");
        let said = lab.run(lab.each(|machine| machine.run(&command)));
        assert_eq!(said.expect("they answer").len(), 2);
        assert!(lab.machine(NodeId(1)).address().is_loopback());
    }
}

#[test]
fn the_first_node_that_fails_is_named() {
    if skipped() {
        return;
    }
    let mut servers = [Server::start(), Server::start(), Server::start()];
    let [first, second, third] = &mut servers;
    first.trust(second);
    second.stop();
    for client in [SshClient::Ssh2, SshClient::Openssh] {
        let error = open(&settings(&[first, second, third], client)).err().expect("two fail");
        let (named, port) = (error.to_string(), second.port);
        assert!(matches!(error, RemoteError::Unreachable { .. }), "{error}");
        assert!(
            named.starts_with(&format!("n2 (root@127.0.0.1:{port}) cannot be reached")),
            "{named}"
        );
    }
}

#[test]
fn settings_that_name_no_lab_are_refused() {
    let node = || vec!["localhost".to_owned()];
    let refused = [
        (SshSettings::default(), "found none"),
        (SshSettings { nodes: vec!["a:b".to_owned()], ..SshSettings::default() }, "the port `b`"),
        (SshSettings { nodes: [node(), node()].concat(), ..SshSettings::default() }, "twice"),
        (
            SshSettings { nodes: node(), connect_timeout: 0, ..SshSettings::default() },
            "at least 1 s",
        ),
        (
            SshSettings {
                nodes: node(),
                addresses: [node(), node()].concat(),
                ..SshSettings::default()
            },
            "found 2 for 1",
        ),
    ];
    for (settings, problem) in refused {
        let error = open(&settings).err().expect(problem);
        assert!(matches!(error, RemoteError::Settings { .. }), "{error}");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn settings_are_read_as_they_are_written() {
    let written = r#"{"nodes": ["db1"], "known-hosts": "k", "client": "openssh", "sudo": true}"#;
    let settings: SshSettings = serde_json::from_str(written).expect("these are settings");
    assert_eq!((settings.client, settings.sudo), (SshClient::Openssh, true));
    assert_eq!(settings.connect_timeout, 10);
    let error = serde_json::from_str::<SshSettings>(r#"{"password": "x"}"#);
    assert!(error.expect_err("a secret is no setting").to_string().contains("unknown field"));
}
