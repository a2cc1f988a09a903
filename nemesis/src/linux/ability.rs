//! What can be done on a machine, and what it lacks.

use std::collections::BTreeMap;

use perjury_lab::machines::Machine;
use perjury_lab::remote::{Command, RemoteError};

/// What a machine said about itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Ability {
    facts: BTreeMap<String, String>,
}

/// How packets of other nodes are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Firewall {
    Nft,
    Iptables,
}

/// A line for each fact. What is tried is taken back at once.
const ASK: &str = r#"
say() { echo "$1 $2"; }
works() { if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }
say architecture "$(uname -m)"
say boot-id "$(cat /proc/sys/kernel/random/boot_id)"
say nft "$(works nft list tables)"
say iptables "$(works iptables -w -S INPUT)"
say ip6tables "$(works ip6tables -w -S INPUT)"
netem=$(works tc qdisc add dev lo root handle 7e57: netem delay 0)
if [ "$netem" = yes ]; then tc qdisc del dev lo root; fi
say netem "$netem"
iptables -w -N PERJURY_TRY 2>/dev/null
say queue "$(works iptables -w -A PERJURY_TRY -j NFQUEUE --queue-num 4707 --queue-bypass)"
iptables -w -F PERJURY_TRY 2>/dev/null && iptables -w -X PERJURY_TRY
exit 0
"#;

impl Ability {
    pub(super) async fn of(machine: &Machine) -> Result<Self, RemoteError> {
        Ok(Self::read(&machine.run(&Command::script(ASK).as_root()).await?))
    }

    fn read(said: &str) -> Self {
        let facts = said.lines().filter_map(|line| line.split_once(' '));
        Self { facts: facts.map(|(name, fact)| (name.to_owned(), fact.to_owned())).collect() }
    }

    fn fact(&self, name: &str) -> &str {
        self.facts.get(name).map_or("", String::as_str)
    }

    fn works(&self, name: &str) -> bool {
        self.fact(name) == "yes"
    }

    /// Names its kernel as long as it runs.
    pub(super) fn boot_id(&self) -> &str {
        self.fact("boot-id")
    }

    /// Whether the clock of single processes can be set.
    pub(super) fn vdso(&self) -> Result<(), String> {
        match self.fact("architecture") {
            "x86_64" => Ok(()),
            other => Err(format!(
                "shares its kernel with others, and the clock of single processes is set on x86_64 \
                 and not on {other}; use machines of their own"
            )),
        }
    }

    /// With what packets are dropped.
    pub(super) fn firewall(&self) -> Option<Firewall> {
        if self.works("nft") {
            return Some(Firewall::Nft);
        }
        let both = self.works("iptables") && self.works("ip6tables");
        both.then_some(Firewall::Iptables)
    }

    /// Whether it can drop what comes from other nodes.
    pub(super) fn partition(&self) -> Result<(), String> {
        match self.firewall() {
            Some(_) => Ok(()),
            None => Err("has neither a working nft nor iptables; install nftables".to_owned()),
        }
    }

    /// Whether it can impair what it sends.
    pub(super) fn impair(&self) -> Result<(), String> {
        if self.works("netem") || self.works("queue") {
            return Ok(());
        }
        Err("has neither `tc netem` nor an iptables with NFQUEUE; install iproute2 and iptables, \
             or a kernel with one of the two"
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firewall_that_works_is_used_and_none_is_a_reason() {
        let firewall = |said| Ability::read(said).firewall();
        assert_eq!(firewall("nft yes\niptables yes\nip6tables yes\n"), Some(Firewall::Nft));
        assert_eq!(firewall("nft no\niptables yes\nip6tables yes\n"), Some(Firewall::Iptables));
        assert_eq!(firewall("nft no\niptables yes\nip6tables no\n"), None);
        let reason = Ability::read("").partition().expect_err("it has nothing");
        assert!(reason.contains("install nftables"), "{reason}");
    }
}
