//! What makes a node a machine of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use perjury_lab::machines::DaemonState;
use perjury_lab::namespaces::status;
use perjury_lab::remote::Command;

use crate::fixture::{Lab, host, say, sleeper, wait_until};

#[test]
fn nodes_are_machines_of_their_own() {
    let Some(lab) = Lab::new("machines") else { return };
    let machines = lab.up(3);
    machines.run(async {
        let mut inits = BTreeSet::new();
        for machine in machines.machines() {
            assert_eq!(say(machine, "cat /proc/sys/kernel/hostname").await, machine.to_string());
            assert_eq!(say(machine, "cat /etc/hostname").await, machine.to_string());
            // The first process is the node's sshd, and none of the host's is seen.
            assert_eq!(say(machine, "cat /proc/1/comm").await, "sshd");
            assert!(
                say(machine, "ps -e -o comm=").await.lines().count() < 12,
                "own processes only"
            );
            for kind in ["mnt", "uts", "ipc", "pid", "net"] {
                let read = Command::new("readlink").argument(format!("/proc/self/ns/{kind}"));
                inits.insert(machine.run(&read).await.expect("it has namespaces"));
            }
            // Not even its root may set the clock that all share (capability 25), ...
            let bound = say(machine, "awk '/^CapBnd/ { print $2 }' /proc/self/status").await;
            let bound = u64::from_str_radix(&bound, 16).expect("a hexadecimal number");
            assert_eq!(bound & (1 << 25), 0, "{machine} could set the clock");
            // ... and there is no way out.
            assert_eq!(say(machine, "ip route show default; ip -6 route show default").await, "");
            assert_eq!(say(machine, "ls -A /tmp /root | grep -v ':$' | grep .; true").await, "");
            assert_eq!(say(machine, "ls -A /var/lib/perjury").await, "");
        }
        assert_eq!(inits.len(), 3 * 5, "no two nodes share a namespace");

        // What one writes, others and the host do not see.
        let first = &machines.machines()[0];
        say(first, "echo 1 >/etc/perjury-was-here").await;
        for other in &machines.machines()[1..] {
            assert_eq!(say(other, "ls /etc | grep was-here; true").await, "");
        }
        assert!(!Path::new("/etc/perjury-was-here").exists());
    });
}

#[test]
fn nodes_reach_each_other_and_this_host_by_both_families() {
    let Some(lab) = Lab::new("network") else { return };
    let machines = lab.up(3);
    machines.run(async {
        // An SSH server greets whoever connects: bash can do that without further programs.
        const GREETS: &str = r#"exec 3<>"/dev/tcp/$1/22" && head -c 4 <&3"#;
        for from in machines.machines() {
            for to in machines.machines() {
                assert_eq!(to.addresses().len(), 2, "IPv4 and IPv6");
                for address in to.addresses() {
                    let greet = Command::new("bash").arguments(["-c", GREETS, "bash"]);
                    let said = from.run(&greet.argument(address.to_string())).await;
                    assert_eq!(said.as_deref(), Ok("SSH-"), "{from} to {address}");
                }
            }
            let named = say(from, "getent hosts n1 n2 n3 | awk '{ print $2 }'").await;
            assert_eq!(named, "n1\nn2\nn3");
        }
    });
    for machine in machines.machines() {
        for address in machine.addresses() {
            std::net::TcpStream::connect((*address, 22)).expect("this host reaches it");
        }
    }
}

#[test]
fn killing_everything_on_a_node_harms_no_other_and_it_still_answers() {
    let Some(lab) = Lab::new("kill") else { return };
    let machines = lab.up(3);
    machines.run(async {
        for machine in machines.machines() {
            machine.start_daemon(&sleeper(None)).await.expect("it starts");
        }
        let daemons = || status(&lab.settings.name).expect("it is up").nodes.into_iter();
        assert!(daemons().all(|node| node.daemons == ["sleeper"]));

        // Its own session is among the dead, so whatever comes of it is right.
        let second = &machines.machines()[1];
        let _ = second.output(&Command::script("kill -9 -1")).await;
        wait_until("its end", || daemons().nth(1).is_some_and(|node| node.daemons.is_empty()));
        assert_eq!(say(second, "cat /proc/sys/kernel/hostname").await, "n2");
        let state = async |node: usize| machines.machines()[node].daemon_state("sleeper").await;
        assert_eq!(state(0).await, Ok(DaemonState::Running));
        assert_eq!(state(1).await, Ok(DaemonState::Stopped));
        assert_eq!(state(2).await, Ok(DaemonState::Running));
        assert!(daemons().all(|node| node.pid.is_some()));
    });
}

#[test]
fn a_full_disk_is_one_nodes_own() {
    let Some(lab) = Lab::new("disk") else { return };
    let machines = lab.up(2);
    machines.run(async {
        const FILL: &str = "! fallocate -l 2G /var/tmp/fill && ! echo x >/var/tmp/more";
        let [first, second] = machines.machines() else { panic!("two machines") };
        say(first, FILL).await;
        let error = first.run(&Command::script("head -c 1M /dev/zero >/etc/big")).await;
        let error = error.expect_err("it is full").to_string();
        assert!(error.contains("No space left on device"), "{error}");
        say(second, "head -c 1M /dev/zero >/etc/big").await;
        say(first, "rm -f /var/tmp/fill && head -c 1M /dev/zero >/etc/big").await;
    });
}

#[test]
fn fifty_nodes_and_a_frozen_one_that_delays_nobody() {
    const NODES: u32 = 50;
    const FROZEN: usize = 6;
    let Some(lab) = Lab::new("fifty") else { return };
    let began = Instant::now();
    let machines = lab.up(NODES);
    println!("{NODES} nodes were up and logged in to after {:?}", began.elapsed());
    // All that runs on it, the sshd that serves us included.
    let frozen = format!("perjury-{}-n{}", lab.settings.name, FROZEN + 1);
    let frozen = host("ip", &["netns", "pids", &frozen]);
    let frozen: Vec<_> = frozen.split_whitespace().collect();
    host("kill", &[&["-STOP"], &frozen[..]].concat());
    let order = Mutex::new(Vec::new());
    machines
        .run(async {
            // Longer than fifty commands take, however busy the host is.
            let command = Command::new("true").timeout(Duration::from_secs(20));
            let work = machines.each(async |machine| {
                let result = machine.run(&command).await;
                order
                    .lock()
                    .expect("nobody panics")
                    .push((machine.node().0 as usize, result.is_ok()));
                Ok::<_, ()>(())
            });
            work.await
        })
        .expect("errors are noted");
    host("kill", &[&["-CONT"], &frozen[..]].concat());
    let order = order.into_inner().expect("nobody panicked");
    assert_eq!(order.last(), Some(&(FROZEN, false)), "the frozen one comes last: {order:?}");
    assert!(order.iter().all(|(node, answered)| *answered == (*node != FROZEN)), "{order:?}");
    machines.run(async { say(&machines.machines()[FROZEN], "true").await });
}
