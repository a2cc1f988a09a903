//! Packets that the kernel delays, loses and damages itself.
//!
//! ```text
//! prio 7e57: --- bands 1 to 3 as without us
//!             +- 7e57:4  netem of the first node, chosen by destination
//!             +- 7e57:5  netem of the second
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use super::rules::run;
use super::{Impairment, Peer, Peers};

/// Names our queueing discipline among others.
const HANDLE: &str = "7e57:";

/// The bands that packets go to as without us, and all that there can be.
const BANDS_OWN: usize = 3;
const BANDS_MAX: usize = 16;

/// The impairments that the kernel has been told.
pub(super) struct Netem;

/// Whether the kernel knows how; tried where it harms nobody.
pub(super) fn works() -> bool {
    let try_it = ["qdisc", "add", "dev", "lo", "root", "handle", HANDLE, "netem", "delay", "0"];
    let works = run("tc", &try_it).is_ok();
    if works {
        let _ = run("tc", &["qdisc", "del", "dev", "lo", "root"]);
    }
    works
}

impl Netem {
    /// Impairs packets for these nodes from now on.
    pub(super) fn set(&mut self, peers: &Peers) -> Result<(), String> {
        remove()?;
        let mut by_device: BTreeMap<String, Vec<&Peer>> = BTreeMap::new();
        for peer in peers.values() {
            let Some(address) = peer.addresses.first() else { continue };
            let route = run("ip", &["-o", "route", "get", &address.to_string()])?;
            let device = device(&route).ok_or_else(|| format!("there is no way to {address}"))?;
            by_device.entry(device.to_owned()).or_default().push(peer);
        }
        for (device, peers) in by_device {
            batch(&commands(&device, &peers)?)?;
        }
        Ok(())
    }
}

/// Removes our queueing disciplines, wherever they are.
pub(super) fn remove() -> Result<(), String> {
    // Where there is no tc there is nothing of ours.
    let Ok(listed) = run("tc", &["qdisc", "show"]) else {
        return Ok(());
    };
    for device in ours(&listed) {
        run("tc", &["qdisc", "del", "dev", device, "root"])?;
    }
    Ok(())
}

/// The devices with a queueing discipline of ours.
fn ours(listed: &str) -> Vec<&str> {
    let words = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let own = words.filter(|words| words.get(2) == Some(&HANDLE));
    own.filter_map(|words| {
        let device = words.iter().position(|word| *word == "dev")?;
        words.get(device + 1).copied()
    })
    .collect()
}

/// The device in what `ip route get` says.
fn device(route: &str) -> Option<&str> {
    let mut words = route.split_whitespace();
    words.find(|word| *word == "dev")?;
    words.next()
}

/// What tc is to do on a device, a line each.
fn commands(device: &str, peers: &[&Peer]) -> Result<String, String> {
    let bands = BANDS_OWN + peers.len();
    if bands > BANDS_MAX {
        let most = BANDS_MAX - BANDS_OWN;
        return Err(format!("expected at most {most} other nodes, found {}", peers.len()));
    }
    let mut text = format!(
        "qdisc add dev {device} root handle {HANDLE} prio bands {bands} \
         priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1\n"
    );
    for (band, peer) in (BANDS_OWN + 1..).zip(peers) {
        let impairment = arguments(&peer.impairment);
        let _ = writeln!(text, "qdisc add dev {device} parent {HANDLE}{band:x} netem {impairment}");
        for address in &peer.addresses {
            let (protocol, field, bits, priority) = match address {
                IpAddr::V4(_) => ("ip", "ip", 32, 1),
                IpAddr::V6(_) => ("ipv6", "ip6", 128, 2),
            };
            let _ = writeln!(
                text,
                "filter add dev {device} parent {HANDLE} protocol {protocol} prio {priority} u32 \
                 match {field} dst {address}/{bits} flowid {HANDLE}{band:x}"
            );
        }
    }
    Ok(text)
}

/// An impairment as netem's arguments.
fn arguments(impairment: &Impairment) -> String {
    /// Without a delay nothing can be overtaken.
    const OVERTAKING_US: u64 = 5_000;
    let Impairment { mut delay_us, jitter_us, .. } = *impairment;
    if impairment.reorder_ppm > 0 {
        delay_us = delay_us.max(OVERTAKING_US);
    }
    let mut text = "limit 10000".to_owned();
    if delay_us + jitter_us > 0 {
        // netem varies both ways around the middle.
        let (middle_us, spread_us) = (delay_us + jitter_us / 2, jitter_us / 2);
        let _ = write!(text, " delay {middle_us}us {spread_us}us");
    }
    let percent = |ppm: u32| f64::from(ppm) / 10_000.0;
    for (name, ppm) in [
        ("loss", impairment.loss_ppm),
        ("duplicate", impairment.duplicate_ppm),
        ("corrupt", impairment.corrupt_ppm),
        ("reorder", impairment.reorder_ppm),
    ] {
        if ppm > 0 {
            let _ = write!(text, " {name} {:.4}%", percent(ppm));
        }
    }
    if let Some(rate_kbit) = impairment.rate_kbit {
        let _ = write!(text, " rate {rate_kbit}kbit");
    }
    text
}

fn batch(commands: &str) -> Result<(), String> {
    use std::io::Write as _;
    let said = |error: std::io::Error| format!("tc: {error}");
    let mut tc = Command::new("tc");
    let tc = tc.args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = tc.spawn().map_err(said)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(commands.as_bytes()).map_err(said)?;
    }
    let output = child.wait_with_output().map_err(said)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("tc: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(addresses: &[&str], impairment: Impairment) -> Peer {
        let addresses = addresses.iter().map(|it| it.parse().expect("an address")).collect();
        Peer { addresses, impairment }
    }

    #[test]
    fn each_node_has_a_band_of_its_own() {
        let slow = Impairment { delay_us: 50_000, jitter_us: 20_000, ..Impairment::default() };
        let lossy = Impairment { loss_ppm: 12_500, rate_kbit: Some(64), ..Impairment::default() };
        let one = peer(&["10.0.0.2", "fd77::2"], slow);
        let other = peer(&["10.0.0.3"], lossy);
        assert_eq!(
            commands("eth0", &[&one, &other]).expect("two are few"),
            "qdisc add dev eth0 root handle 7e57: prio bands 5 \
             priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1\n\
             qdisc add dev eth0 parent 7e57:4 netem limit 10000 delay 60000us 10000us\n\
             filter add dev eth0 parent 7e57: protocol ip prio 1 u32 match ip dst 10.0.0.2/32 \
             flowid 7e57:4\n\
             filter add dev eth0 parent 7e57: protocol ipv6 prio 2 u32 match ip6 dst fd77::2/128 \
             flowid 7e57:4\n\
             qdisc add dev eth0 parent 7e57:5 netem limit 10000 loss 1.2500% rate 64kbit\n\
             filter add dev eth0 parent 7e57: protocol ip prio 1 u32 match ip dst 10.0.0.3/32 \
             flowid 7e57:5\n"
        );
        let many = vec![&one; 14];
        assert!(commands("eth0", &many).expect_err("too many").contains("at most 13 other nodes"));
    }

    #[test]
    fn overtaking_needs_a_delay() {
        let reorder = Impairment { reorder_ppm: 250_000, ..Impairment::default() };
        assert_eq!(arguments(&reorder), "limit 10000 delay 5000us 0us reorder 25.0000%");
        assert_eq!(arguments(&Impairment::default()), "limit 10000");
    }

    #[test]
    fn only_ours_are_removed() {
        let listed = "qdisc noqueue 0: dev lo root refcnt 2\n\
                      qdisc prio 7e57: dev eth0 root refcnt 2 bands 5 priomap 1 2\n\
                      qdisc netem 8001: dev eth0 parent 7e57:4 limit 10000\n\
                      qdisc htb 1: dev eth1 root refcnt 2\n";
        assert_eq!(ours(listed), ["eth0"]);
        assert_eq!(device("10.0.0.2 dev eth0 src 10.0.0.1 uid 0 \\    cache"), Some("eth0"));
        assert_eq!(device("unreachable"), None);
    }
}
