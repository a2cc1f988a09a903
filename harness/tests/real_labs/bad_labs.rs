//! Whatever is wrong with a lab costs exit code 3, and a message that names the node and says what
//! to do; everything is healed.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::place::Called;

const ETCD: &str = r#"
[[test]]
name = "etcd"
store = "etcd"
nodes = 2
time-limit = "2s"
"#;

#[track_caller]
fn fails(called: &Called, parts: &[&str]) {
    let said = format!("{}{}", called.stdout, called.stderr);
    assert_eq!(called.code, 3, "{said}");
    for part in parts {
        assert!(said.contains(part), "expected `{part}` in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn machines_that_cannot_be_had_are_named_with_the_remedy() {
    let Some(lab) = Lab::up(2, &["/usr/bin/etcd"]) else { return };
    let absent = ["--set", "lab.nodes=[\"10.255.255.1\"]", "--set", "lab.connect-timeout=2"];
    let unreachable = lab.run_over_ssh(ETCD, &absent);
    fails(&unreachable, &["n1", "cannot be reached", "is the machine up"]);

    let key = lab.place.path("another").display().to_string();
    let make_key = ["-q", "-t", "ed25519", "-N", "", "-f", &key];
    let made = Command::new("ssh-keygen").args(make_key).status();
    assert!(made.expect("there is ssh-keygen").success());
    let wrong_key = lab.run_over_ssh(ETCD, &["--identity", &key]);
    fails(&wrong_key, &["n1", "does not accept root"]);

    let known = std::fs::read_to_string(lab.file("known_hosts")).expect("known hosts");
    let other = std::fs::read_to_string(format!("{key}.pub")).expect("a public key");
    let other = other.split_whitespace().nth(1).expect("a key").to_owned();
    let changed = known.lines().map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        format!("{} {} {other}\n", fields[0], fields[1])
    });
    let changed = lab.place.write("changed", changed.collect::<String>()).display().to_string();
    fails(&lab.run_over_ssh(ETCD, &["--known-hosts", &changed]), &["n1", "host key", "changed"]);
    let unknown = lab.place.write("unknown", "").display().to_string();
    fails(&lab.run_over_ssh(ETCD, &["--known-hosts", &unknown]), &["n1", "host key", "unknown"]);
    ["n1", "n2"].iter().for_each(|node| lab.is_clean(node));
}

#[test]
fn a_user_that_cannot_become_root_is_named_with_the_remedy() {
    let Some(lab) = Lab::up(2, &["/usr/bin/etcd"]) else { return };
    // For root there is a server already.
    const LET_IN: &str = "useradd --create-home --password '*' plain && cd /etc/perjury && chmod 755 . && \
        chmod 644 authorized_keys && sed 's/^Port 22/Port 2222/; s/^AllowUsers root/AllowUsers plain/' \
        sshd_config >plain_config && /usr/sbin/sshd -f /etc/perjury/plain_config";
    // It wants a password that nobody gave.
    const SUDO: &str = "printf '#!/bin/sh\\necho a password is required >&2; exit 1\\n' \
        >/usr/bin/sudo && chmod 755 /usr/bin/sudo";
    let known = std::fs::read_to_string(lab.file("known_hosts")).expect("known hosts");
    let known: String = known
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(hosts, key)| format!("[{}]:2222 {key}\n", hosts.split(',').next().unwrap_or(hosts)))
        .collect();
    let known = lab.place.write("known", known).display().to_string();
    let nodes: Vec<String> = lab.addresses().iter().map(|it| format!("{it}:2222")).collect();
    ["n1", "n2"].iter().for_each(|node| _ = lab.on(node, LET_IN));
    let plain = ["--user", "plain", "--known-hosts", &known];
    let plain = [&plain[..], &["--node", &nodes[0], "--node", &nodes[1]]].concat();
    let refused = lab.run_over_ssh(ETCD, &plain);
    fails(&refused, &["n1", "does not let plain become root", "allow `sudo -n` there"]);

    ["n1", "n2"].iter().for_each(|node| _ = lab.on(node, SUDO));
    let with_sudo = [&plain[..], &["--sudo"]].concat();
    let refused = lab.run_over_ssh(ETCD, &with_sudo);
    fails(&refused, &["n1", "does not let plain become root: a password is required"]);
    // A check says it of both.
    let checked = lab.check_over_ssh(&with_sudo);
    fails(&checked, &["n1", "n2", "does not let plain become root", "2 findings"]);
    ["n1", "n2"].iter().for_each(|node| lab.is_clean(node));
}

#[test]
fn a_check_names_every_machine_that_cannot_be_reached_and_what_the_others_lack() {
    let Some(lab) = Lab::up(3, &[]) else { return };
    lab.on("n3", "mkdir /usr/local/none && mv /usr/sbin/nft /usr/sbin/xfs_io /usr/local/none");
    let node = nix::unistd::Pid::from_raw(lab.process(1));
    nix::sys::signal::kill(node, nix::sys::signal::Signal::SIGKILL).expect("it is ours");
    let checked = lab.place.perjury(&["lab", "check", "--name", &lab.name]);
    fails(&checked, &["n2", "is down", "perjury lab up", "no crashes (xfs_io is not installed)"]);
    assert!(checked.stdout.contains("n1"), "{}", checked.stdout);

    let mut nodes = lab.addresses();
    nodes.push("no-such-machine.invalid".to_owned());
    let nodes: Vec<&str> = nodes.iter().flat_map(|it| ["--node", it]).collect();
    let checked = lab.check_over_ssh(&nodes);
    let said =
        ["n2", "cannot be reached", "n4", "no crashes (xfs_io is not installed)", "2 findings"];
    fails(&checked, &said);
}

#[test]
fn machines_that_cannot_carry_a_store_are_named_with_the_remedy() {
    let Some(lab) = Lab::up(2, &["/usr/bin/etcd"]) else { return };
    lab.on("n2", "fallocate -l 10G /filler || true");
    fails(&lab.run(ETCD, &[]), &["n2", "MiB are free", "make room"]);
    lab.on("n2", "rm /filler");

    let take = "setsid perl -MIO::Socket::INET -e \
                'my $taken = IO::Socket::INET->new(LocalPort => 2379, Listen => 1) or die; sleep 600' \
                </dev/null >/dev/null 2>&1 & echo $!";
    let taker = lab.on("n1", take);
    fails(&lab.run(ETCD, &[]), &["n1", "address already in use"]);
    lab.on("n1", &format!("kill {taker}"));

    lab.on("n2", "rm /usr/bin/etcd");
    fails(&lab.run(ETCD, &[]), &["n2", "etcd-server"]);
    ["n1", "n2"].iter().for_each(|node| lab.is_clean(node));
}

#[test]
fn a_machine_that_dies_in_mid_run_costs_no_verdict() {
    let Some(lab) = Lab::up(3, &["/usr/bin/etcd"]) else { return };
    lab.place.write("campaign.toml", ETCD);
    let settings = format!("lab={{ kind = \"namespaces\", name = \"{}\" }}", lab.name);
    let run = Command::new(assert_cmd::cargo::cargo_bin!("perjury"))
        .args(["run", "campaign.toml", "--set", &settings, "--nodes", "3"])
        .args(["--time-limit", "8s", "--set", "recovery-limit=5s"])
        .current_dir(lab.place.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // Not a matter of speed: only a run that hangs reaches this.
    let patience = Instant::now() + Duration::from_secs(120);
    let grown = || {
        let runs = std::fs::read_dir(lab.place.path("runs/etcd")).ok()?;
        let run = runs.flatten().next()?.path();
        let length = std::fs::metadata(run.join("history.arrow")).ok()?.len();
        (length > 20_000).then_some(run)
    };
    let folder = loop {
        if let Some(folder) = grown() {
            break folder;
        }
        assert!(Instant::now() < patience, "the history does not grow");
        std::thread::sleep(Duration::from_millis(50));
    };
    let node = nix::unistd::Pid::from_raw(lab.process(2));
    nix::sys::signal::kill(node, nix::sys::signal::Signal::SIGKILL).expect("it is ours");
    let output = run.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let called = Called {
        code: output.status.code().expect("it was not killed"),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    };
    fails(&called, &["n3"]);
    assert!(folder.join("results.json").is_file(), "what was recorded is judged");
    assert!(called.stdout.contains("No violation was found"), "{}", called.stdout);
    ["n1", "n2"].iter().for_each(|node| lab.is_clean(node));
}
