//! What stands in the way of a run, before it begins.

use std::fmt;

use futures::future::join_all;
use perjury_history::NodeId;

use super::facts::name_kernels;
use super::{Facts, Machine, MachineLab};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Some faults cannot be made.
    Limit,
    /// Nothing can be run.
    Fatal,
}

/// Something about a machine that one should know, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// On which node.
    pub node: NodeId,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub problem: String,
    /// What to do; empty if nothing is to be done, or the problem says it.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.node, self.problem)?;
        match self.remedy.as_str() {
            "" => Ok(()),
            remedy => write!(f, "; {remedy}"),
        }
    }
}

/// What a machine must have room for besides its volume: logs, and what stores unpack.
const ROOM_MIB: u64 = 256;

/// A clock that is further off than this makes the times of nodes' logs misleading.
const OFFSET_NS_MAX: u64 = 500_000_000;

const INSTALL: &str = "run scripts/install-lab there";

/// Looks at every machine of a lab: what it lacks for a run with volumes of `volume_mib`, and which
/// faults it cannot have. In the order of nodes; a machine that cannot be reached is a finding too.
pub async fn check(lab: &MachineLab, volume_mib: u32) -> Vec<Finding> {
    let asked = lab.machines().iter().map(Machine::own_facts);
    let (mut findings, mut facts) = (Vec::new(), Vec::new());
    for (machine, answer) in lab.machines().iter().zip(join_all(asked).await) {
        match answer {
            Ok(answer) => facts.push((machine.node(), answer)),
            Err(error) => findings.push(Finding {
                node: machine.node(),
                severity: Severity::Fatal,
                problem: without_name(&error.to_string(), machine.remote().name()),
                remedy: String::new(),
            }),
        }
    }
    name_kernels(facts.iter_mut().map(|(node, facts)| (*node, facts)).collect());
    for (node, facts) in &facts {
        findings.extend(judge(*node, facts, volume_mib));
    }
    findings.sort_by_key(|it| it.node);
    findings
}

/// A message about a machine, where its name stands before it anyway.
fn without_name(message: &str, name: &str) -> String {
    let rest = message.strip_prefix(name).unwrap_or(message);
    rest.trim_start_matches([':', ' ']).to_owned()
}

/// What is to be said of one machine.
pub(super) fn judge(node: NodeId, facts: &Facts, volume_mib: u32) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |severity, problem: String, remedy: &str| {
        findings.push(Finding { node, severity, problem, remedy: remedy.to_owned() });
    };
    let needed = u64::from(volume_mib) + ROOM_MIB;
    if facts.free_mib < needed {
        let free = facts.free_mib;
        let problem = format!("{free} MiB are free for /var/lib/perjury, expected {needed}");
        found(Severity::Fatal, problem, "make room, or choose a smaller volume");
    }
    if let (Err(nft), Err(iptables)) = (&facts.nft, &facts.iptables) {
        let problem = format!("no partitions: neither nft ({nft}) nor iptables ({iptables}) works");
        found(Severity::Limit, problem, INSTALL);
    }
    match (&facts.netem, &facts.nfqueue) {
        (Ok(()), _) => {}
        (Err(netem), Ok(())) => {
            let problem = format!("no tc netem ({netem}): a program delays and drops in its place");
            found(Severity::Note, problem, "");
        }
        (Err(netem), Err(nfqueue)) => {
            let problem = format!(
                "no slow or lossy links: neither tc netem ({netem}) nor NFQUEUE ({nfqueue}) works"
            );
            found(Severity::Limit, problem, INSTALL);
        }
    }
    if let Err(reason) = &facts.loop_devices {
        let problem = format!("no volume ({reason}), so no crashes and no faults of the disk");
        found(Severity::Limit, problem, "load the kernel's module `loop`");
    } else if let Err(reason) = &facts.shutdown {
        found(Severity::Limit, format!("no crashes ({reason})"), INSTALL);
    }
    if let Some(other) = &facts.shares_kernel_with {
        let problem =
            format!("it has one kernel with {other}: clocks are moved for single processes only");
        found(Severity::Note, problem, "");
    }
    if let Some(service) = &facts.time_service {
        let problem = format!("{service} sets its clock, and is stopped while a fault does");
        found(Severity::Note, problem, "");
    }
    if let Some(clock) = facts.clock_offset {
        let certain = clock.offset_ns.unsigned_abs().saturating_sub(clock.uncertainty_ns);
        if certain > OFFSET_NS_MAX {
            let seconds = clock.offset_ns as f64 / 1e9;
            let problem = format!("its clock is {seconds:+.1} s off");
            found(Severity::Limit, problem, "set it, or let a time service do so");
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machines::ClockOffset;

    fn facts() -> Facts {
        Facts {
            boot_id: "b".to_owned(),
            shares_kernel_with: None,
            kernel: "6.1".to_owned(),
            architecture: "x86_64".to_owned(),
            package_manager: None,
            free_mib: 10_000,
            clock_source: "tsc".to_owned(),
            clock_offset: Some(ClockOffset {
                offset_ns: -600_000_000,
                uncertainty_ns: 200_000_000,
            }),
            time_service: None,
            cgroup_version: 2,
            cgroup_controllers: ["cpu".to_owned()].into(),
            nft: Ok(()),
            iptables: Err("not tried".to_owned()),
            netem: Ok(()),
            nfqueue: Err("not tried".to_owned()),
            loop_devices: Ok(()),
            shutdown: Ok(()),
            freeze: Ok(()),
        }
    }

    fn said(facts: &Facts) -> Vec<(Severity, String)> {
        let found = judge(NodeId(1), facts, 512);
        found.iter().map(|it| (it.severity, it.to_string())).collect()
    }

    #[test]
    fn nothing_is_said_of_a_machine_that_has_everything() {
        assert_eq!(said(&facts()), []);
    }

    #[test]
    fn what_is_missing_is_said_with_what_to_do() {
        let no = |why: &str| Err(why.to_owned());
        let facts = Facts {
            free_mib: 700,
            shares_kernel_with: Some("n1".to_owned()),
            clock_offset: Some(ClockOffset {
                offset_ns: -900_000_000,
                uncertainty_ns: 200_000_000,
            }),
            time_service: Some("chrony".to_owned()),
            nft: no("nft is not installed"),
            iptables: no("iptables is not installed"),
            netem: no("unknown"),
            nfqueue: Ok(()),
            shutdown: no("xfs_io is not installed"),
            ..facts()
        };
        let said: Vec<_> =
            said(&facts).iter().map(|(severity, it)| format!("{severity:?} {it}")).collect();
        assert_eq!(
            said,
            [
                "Fatal n2: 700 MiB are free for /var/lib/perjury, expected 768; \
                 make room, or choose a smaller volume",
                "Limit n2: no partitions: neither nft (nft is not installed) nor iptables \
                 (iptables is not installed) works; run scripts/install-lab there",
                "Note n2: no tc netem (unknown): a program delays and drops in its place",
                "Limit n2: no crashes (xfs_io is not installed); run scripts/install-lab there",
                "Note n2: it has one kernel with n1: clocks are moved for single processes only",
                "Note n2: chrony sets its clock, and is stopped while a fault does",
                "Limit n2: its clock is -0.9 s off; set it, or let a time service do so",
            ]
        );
    }

    #[test]
    fn a_name_is_not_said_twice() {
        assert_eq!(without_name("n1 cannot be reached", "n1"), "cannot be reached");
        assert_eq!(without_name("n1: `true` failed", "n1"), "`true` failed");
        assert_eq!(without_name("`true` failed", "n1"), "`true` failed");
    }
}
