//! Links that carry nothing.
//!
//! A receiver drops what comes from the senders that it must not hear, in a table of its own for
//! each fault, so that faults add up and each ends by itself. What a link carries for a port is
//! what goes to that port and what comes from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::IpAddr;

use perjury_history::NodeId;
use perjury_lab::machines::Machine;
use perjury_lab::remote::{Command, RemoteError};

use super::LinuxInjector;
use super::ability::{Firewall, firewall};
use crate::Fault;

/// Removes what an iptables chain did, in both families, if it is there.
const IPTABLES_REMOVE: &str = r#"
for tool in iptables ip6tables; do
    $tool -w -S "$1" >/dev/null 2>&1 || continue
    while $tool -w -D INPUT -j "$1" 2>/dev/null; do :; done
    $tool -w -F "$1" && $tool -w -X "$1" || exit 1
done
"#;

/// Puts rules, one a line with the tool's name, into a chain that is heard first.
const IPTABLES_ADD: &str = r#"
set -e
chain=$1
iptables -w -N "$chain"
ip6tables -w -N "$chain"
while read -r tool rule; do $tool -w -A "$chain" $rule -j DROP; done
iptables -w -I INPUT -j "$chain"
ip6tables -w -I INPUT -j "$chain"
"#;

impl LinuxInjector {
    /// Cuts the links of a partition.
    pub(super) async fn cut(&self, number: u32, fault: &Fault) -> Result<(), String> {
        let Fault::Partition { links, ports, .. } = fault else {
            return Ok(());
        };
        let mut senders: BTreeMap<NodeId, BTreeSet<IpAddr>> = BTreeMap::new();
        for link in links {
            let addresses = self.lab.machine(link.from).addresses();
            senders.entry(link.to).or_default().extend(addresses);
        }
        let receivers: Vec<NodeId> = senders.keys().copied().collect();
        self.on_each(&receivers, |machine| {
            self.drop_from(machine, number, &senders[&machine.node()], ports)
        })
        .await
    }

    async fn drop_from(
        &self,
        machine: &Machine,
        number: u32,
        senders: &BTreeSet<IpAddr>,
        ports: &[u16],
    ) -> Result<(), RemoteError> {
        match firewall(&self.facts[&machine.node()]) {
            Some(Firewall::Iptables) => {
                self.drop_nothing(machine, number).await?;
                let add = Command::script(IPTABLES_ADD).argument(chain(number));
                let add = add.input(iptables_rules(senders, ports)).as_root();
                machine.run(&add).await.map(|_| ())
            }
            _ => {
                let rules = nft_rules(number, senders, ports);
                let load = Command::new("nft").arguments(["-f", "-"]).input(rules).as_root();
                machine.run(&load).await.map(|_| ())
            }
        }
    }

    /// Ends a partition, everywhere: links may be cut that the fault does not tell.
    pub(super) async fn mend(&self, number: u32, fault: &Fault) -> Result<(), String> {
        let receivers: BTreeSet<NodeId> = fault.links().iter().map(|link| link.to).collect();
        let receivers: Vec<NodeId> = receivers.into_iter().collect();
        self.on_each(&receivers, |machine| self.drop_nothing(machine, number)).await
    }

    async fn drop_nothing(&self, machine: &Machine, number: u32) -> Result<(), RemoteError> {
        let remove = match firewall(&self.facts[&machine.node()]) {
            Some(Firewall::Iptables) => Command::script(IPTABLES_REMOVE).argument(chain(number)),
            _ => Command::new("nft").arguments(["-f", "-"]).input(nft_remove(number)),
        };
        machine.run(&remove.as_root()).await.map(|_| ())
    }
}

/// The name of a fault's table.
fn table(number: u32) -> String {
    format!("perjury_{number}")
}

/// The name of a fault's chain.
fn chain(number: u32) -> String {
    format!("PERJURY_{number}")
}

/// Removes a table that may not be there.
fn nft_remove(number: u32) -> String {
    let table = table(number);
    format!("add table inet {table}\ndelete table inet {table}\n")
}

/// A table in place of what was there, all at once.
fn nft_rules(number: u32, senders: &BTreeSet<IpAddr>, ports: &[u16]) -> String {
    let mut text = nft_remove(number);
    let table = table(number);
    // Before anybody else's rules can accept.
    let _ = write!(
        text,
        "table inet {table} {{\nchain input {{\ntype filter hook input priority -200; policy accept;\n"
    );
    let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
    for (family, is_of) in
        [("ip", IpAddr::is_ipv4 as fn(&IpAddr) -> bool), ("ip6", IpAddr::is_ipv6)]
    {
        let addresses: Vec<_> =
            senders.iter().filter(|it| is_of(it)).map(ToString::to_string).collect();
        if addresses.is_empty() {
            continue;
        }
        let from = format!("{family} saddr {{ {} }}", addresses.join(", "));
        if ports.is_empty() {
            let _ = writeln!(text, "{from} drop");
        }
        for end in ["dport", "sport"].iter().filter(|_| !ports.is_empty()) {
            let ports = ports.join(", ");
            let _ =
                writeln!(text, "{from} meta l4proto {{ tcp, udp }} th {end} {{ {ports} }} drop");
        }
    }
    text += "}\n}\n";
    text
}

/// What follows `-A CHAIN`, each after the tool that it is for.
fn iptables_rules(senders: &BTreeSet<IpAddr>, ports: &[u16]) -> String {
    let mut text = String::new();
    for sender in senders {
        let tool = if sender.is_ipv4() { "iptables" } else { "ip6tables" };
        if ports.is_empty() {
            let _ = writeln!(text, "{tool} -s {sender}");
        }
        for port in ports {
            for protocol in ["tcp", "udp"] {
                for end in ["--dport", "--sport"] {
                    let _ = writeln!(text, "{tool} -s {sender} -p {protocol} {end} {port}");
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn senders() -> BTreeSet<IpAddr> {
        ["10.77.0.1", "10.77.0.2", "fd77::1"].map(|it| it.parse().expect("an address")).into()
    }

    #[test]
    fn a_table_drops_what_comes_from_the_senders_in_both_families() {
        assert_eq!(
            nft_rules(7, &senders(), &[]),
            "add table inet perjury_7\ndelete table inet perjury_7\n\
             table inet perjury_7 {\nchain input {\n\
             type filter hook input priority -200; policy accept;\n\
             ip saddr { 10.77.0.1, 10.77.0.2 } drop\n\
             ip6 saddr { fd77::1 } drop\n}\n}\n"
        );
        let at_ports = nft_rules(7, &senders(), &[2379, 2380]);
        let rule = "ip6 saddr { fd77::1 } meta l4proto { tcp, udp } th sport { 2379, 2380 } drop\n";
        assert!(at_ports.contains(rule), "{at_ports}");
        assert!(!at_ports.contains("} drop\nip6 saddr { fd77::1 } drop"), "{at_ports}");
    }

    #[test]
    fn a_chain_does_the_same_where_there_are_no_tables() {
        assert_eq!(
            iptables_rules(&senders(), &[]),
            "iptables -s 10.77.0.1\niptables -s 10.77.0.2\nip6tables -s fd77::1\n"
        );
        let at_port = iptables_rules(&senders(), &[2380]);
        assert_eq!(at_port.lines().count(), 3 * 4);
        assert!(at_port.contains("ip6tables -s fd77::1 -p tcp --sport 2380\n"), "{at_port}");
    }
}
