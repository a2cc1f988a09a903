//! Network namespaces, links and addresses.
//!
//! The bridge has a network namespace of its own, so that neither the host's firewall nor its list
//! of links has to do with what nodes say to each other.

use std::net::Ipv4Addr;
use std::path::Path;

use super::parallel::each;
use super::record::{LabRecord, Node, with_prefix};
use super::tool::{run, run_line};
use super::{NamespaceError, record};

/// A subnet that no other lab and no route of the host uses. To be called while
/// [`lock_subnets`](super::lock::lock_subnets) is held, until the lab's record is written.
pub(super) fn free_subnet() -> Result<u8, NamespaceError> {
    let mut taken = Vec::new();
    for name in super::names()? {
        taken.extend(LabRecord::read(&name)?.map(|lab| lab.subnet));
    }
    let routes = run_line("ip -4 -oneline route show table all")?;
    let is_free = |subnet: &u8| {
        let link = Path::new("/sys/class/net").join(format!("perjury{subnet}"));
        !taken.contains(subnet) && !link.exists() && !is_routed(&routes, *subnet)
    };
    (0..=u8::MAX).find(is_free).ok_or_else(|| {
        let problem = "every subnet 10.77.K.0/24 is taken; remove a lab by `perjury lab down`";
        NamespaceError::Settings(problem.to_owned())
    })
}

/// Whether a route leads to 10.77.`subnet`.0/24, a part of it, or a network around it that is not
/// much larger: those of 10.0.0.0/8, say, are no reason to have no lab, as the smaller goes first.
fn is_routed(routes: &str, subnet: u8) -> bool {
    const LENGTH_MIN: u32 = 16;
    const KINDS: [&str; 7] =
        ["unicast", "local", "broadcast", "multicast", "unreachable", "blackhole", "prohibit"];
    let wanted = u32::from(Ipv4Addr::new(10, 77, subnet, 0));
    routes.lines().any(|line| {
        let target = line.split_whitespace().find(|word| !KINDS.contains(word));
        let (address, length) = match target.map(|it| it.split_once('/').unwrap_or((it, "32"))) {
            Some((address, length)) => (address.parse::<Ipv4Addr>(), length.parse::<u32>()),
            None => return false,
        };
        // `default` is no address.
        let (Ok(address), Ok(length)) = (address, length) else { return false };
        let mask = u32::MAX.checked_shl(32 - length.min(24)).unwrap_or(0);
        length >= LENGTH_MIN && u32::from(address) & mask == wanted & mask
    })
}

/// Makes the bridge and the host's link to it.
pub(super) fn make_switch(lab: &LabRecord) -> Result<(), NamespaceError> {
    let (switch, link) = (lab.switch(), lab.link());
    run("ip", &["netns", "add", &switch])?;
    run_line(&format!("ip -n {switch} link add switch type bridge"))?;
    run_line(&format!("ip -n {switch} link set switch up"))?;
    run_line(&format!("ip link add {link} type veth peer name control netns {switch}"))?;
    run_line(&format!("ip -n {switch} link set control master switch up"))?;
    for address in lab.control() {
        let address = with_prefix(address);
        if address.contains(':') {
            // The host may have IPv6 and not use it.
            let path = format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6");
            let enabled = std::fs::write(&path, "0");
            enabled.map_err(|error| NamespaceError::file(Path::new(&path), error))?;
            run_line(&format!("ip -6 address add {address} dev {link} nodad"))?;
        } else {
            run_line(&format!("ip address add {address} dev {link}"))?;
        }
    }
    run_line(&format!("ip link set {link} up")).map(|_| ())
}

/// Makes a node's network namespace with a link `eth0` to the bridge; its addresses are the node's
/// own business.
pub(super) fn make_node(lab: &LabRecord, node: &Node) -> Result<(), NamespaceError> {
    let (switch, Node { name, network, .. }) = (lab.switch(), node);
    run("ip", &["netns", "add", network])?;
    run_line(&format!(
        "ip link add {name} netns {switch} type veth peer name eth0 netns {network}"
    ))?;
    run_line(&format!("ip -n {switch} link set {name} master switch up")).map(|_| ())
}

/// The network namespaces of a lab that are there.
pub(super) fn networks(lab: &str) -> Vec<String> {
    let prefix = format!("perjury-{lab}-");
    let is_ours = |name: &String| {
        let rest = name.strip_prefix(&prefix).unwrap_or_default();
        let number = rest.strip_prefix('n').unwrap_or_default();
        rest == "switch" || (!number.is_empty() && number.bytes().all(|it| it.is_ascii_digit()))
    };
    record::entries(Path::new("/run/netns")).into_iter().filter(is_ours).collect()
}

/// Removes what is there of a lab's networks.
pub(super) fn remove(lab: &LabRecord, networks: &[String]) -> Result<(), NamespaceError> {
    let link = lab.link();
    if Path::new("/sys/class/net").join(&link).exists() {
        run("ip", &["link", "delete", &link])?;
    }
    each(networks, |network| run("ip", &["netns", "delete", network])).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_that_the_host_uses_is_not_taken() {
        let routes = "default via 172.16.0.1 dev eth0 \n\
                      10.77.3.0/24 dev perjury3 proto kernel scope link src 10.77.3.254 \n\
                      blackhole 10.77.128.0/17\n\
                      local 10.77.9.1 dev eth1 table local proto kernel";
        for (subnet, routed) in [(0, false), (3, true), (9, true), (127, false), (200, true)] {
            assert_eq!(is_routed(routes, subnet), routed, "{subnet}");
        }
        assert!(is_routed("10.77.0.0/16 via 10.1.1.1 dev eth0", 5));
        assert!(!is_routed("10.0.0.0/8 via 10.1.1.1 dev eth0", 5));
        assert!(!is_routed("", 5));
    }
}
