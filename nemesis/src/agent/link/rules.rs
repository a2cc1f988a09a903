//! The rules that send packets for other nodes through a queue.

use std::process::Command;

use super::Peers;

/// The queue, by number.
pub(super) const QUEUE: u16 = 4_707;

/// What marks packets that have been through it.
pub(super) const MARK: u32 = 0x5045_524a;

const CHAIN: &str = "PERJURY_LINK";

/// Each, and whether it is for IPv4.
const TOOLS: [(&str, bool); 2] = [("iptables", true), ("ip6tables", false)];

/// Runs a tool; what it said if it failed.
pub(super) fn run(tool: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(tool).args(arguments).output();
    let output = output.map_err(|error| format!("{tool}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("`{tool} {}`: {}", arguments.join(" "), said.trim()))
        }
    }
}

/// Sends packets for these nodes through the queue, and no others. Without somebody at its other
/// end they pass.
pub(super) fn set(peers: &Peers) -> Result<(), String> {
    remove()?;
    for (tool, four) in TOOLS {
        let addresses = peers.values().flat_map(|peer| &peer.addresses);
        let mut addresses = addresses.filter(|address| address.is_ipv4() == four).peekable();
        if addresses.peek().is_none() {
            continue;
        }
        run(tool, &["-w", "-N", CHAIN])?;
        for address in addresses {
            let (address, mark) = (address.to_string(), format!("{MARK:#x}"));
            let queue = QUEUE.to_string();
            let matched = ["-d", &address, "-m", "mark", "!", "--mark", &mark];
            let target = ["-j", "NFQUEUE", "--queue-num", &queue, "--queue-bypass"];
            run(tool, &[&["-w", "-A", CHAIN], &matched[..], &target].concat())?;
        }
        run(tool, &["-w", "-I", "OUTPUT", "-j", CHAIN])?;
    }
    Ok(())
}

/// Removes the rules, if they are there.
pub(super) fn remove() -> Result<(), String> {
    for (tool, _) in TOOLS {
        if run(tool, &["-w", "-S", CHAIN]).is_err() {
            continue;
        }
        while run(tool, &["-w", "-D", "OUTPUT", "-j", CHAIN]).is_ok() {}
        run(tool, &["-w", "-F", CHAIN])?;
        run(tool, &["-w", "-X", CHAIN])?;
    }
    Ok(())
}
