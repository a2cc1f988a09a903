//! What machines are and can do, found out in one round trip each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, SystemTime};

use perjury_history::NodeId;

use super::{Machine, MachineLab, layout};
use crate::remote::{Command, RemoteError};

/// Whether a machine can do something; why not, if it cannot.
pub type Ability = Result<(), String>;

/// What a machine is and can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Names this boot of this kernel.
    pub boot_id: String,
    /// Who else has the same kernel, and so the same clock: that clock must never be set.
    pub shares_kernel_with: Option<String>,
    /// The kernel's release.
    pub kernel: String,
    /// As `uname -m` says it.
    pub architecture: String,
    /// What installs packages, if it is one that we know.
    pub package_manager: Option<String>,
    /// Free space where our folders are, in MiB.
    pub free_mib: u64,
    /// What its kernel reads the time from.
    pub clock_source: String,
    /// Its clock against the one here; none if its `date` knows no nanoseconds.
    pub clock_offset: Option<ClockOffset>,
    /// The service that sets its clock, if one runs.
    pub time_service: Option<String>,
    /// The version of control groups, 1 or 2.
    pub cgroup_version: u32,
    /// Their controllers.
    pub cgroup_controllers: BTreeSet<String>,
    /// nftables, for partitions.
    pub nft: Ability,
    /// iptables, in its place. Tried only where there is no nftables.
    pub iptables: Ability,
    /// `tc netem`, for slow and lossy links.
    pub netem: Ability,
    /// iptables and NFQUEUE, in its place. Tried only where there is no netem.
    pub nfqueue: Ability,
    /// Loop devices, for a volume.
    pub loop_devices: Ability,
    /// `xfs_io`, for what a loss of power does to a volume.
    pub shutdown: Ability,
    /// `fsfreeze`, for slow disks.
    pub freeze: Ability,
}

/// How far a machine's clock is ahead of the one here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// The best guess in nanoseconds.
    pub offset_ns: i64,
    /// How far that may be off, as the answer took its time.
    pub uncertainty_ns: u64,
}

const SCRIPT: &str = include_str!("facts.sh");

impl MachineLab {
    /// The facts of each machine, in the order of nodes.
    ///
    /// # Errors
    /// The first that cannot be reached or does not let us become root.
    pub async fn facts(&self) -> Result<Vec<Facts>, RemoteError> {
        let mut facts = self.each(Machine::own_facts).await?;
        name_kernels(self.nodes().into_iter().zip(&mut facts).collect());
        Ok(facts)
    }
}

/// Notes with whom each shares its kernel.
pub(super) fn name_kernels(mut facts: Vec<(NodeId, &mut Facts)>) {
    let here = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let boots: Vec<_> = facts.iter().map(|(node, it)| (*node, it.boot_id.clone())).collect();
    for (node, facts) in &mut facts {
        facts.shares_kernel_with = shares_kernel(*node, &facts.boot_id, &boots, here.trim());
    }
}

/// Who else is in the same boot of the same kernel as a node.
fn shares_kernel(
    node: NodeId,
    own: &str,
    boots: &[(NodeId, String)],
    here: &str,
) -> Option<String> {
    // What cannot be told apart counts as shared: a clock that others go by must never be set.
    if own.is_empty() {
        return Some("an unknown machine".to_owned());
    }
    if own == here {
        return Some("this machine".to_owned());
    }
    let other = boots.iter().find(|(other, boot)| *other != node && boot == own);
    other.map(|(other, _)| other.to_string())
}

impl Machine {
    /// All but who shares its kernel, which one machine alone cannot know.
    pub(super) async fn own_facts(&self) -> Result<Facts, RemoteError> {
        let command = Command::script(SCRIPT).as_root().argument(layout::ROOT);
        let asked = SystemTime::now();
        let (mut answered, mut said) = (None, Vec::new());
        let mut hear = |piece: &[u8]| {
            // The clock is the first thing that it says.
            answered.get_or_insert_with(SystemTime::now);
            said.extend_from_slice(piece);
        };
        let output = self.remote().stream(&command, &mut hear).await?;
        if output.status != 0 {
            return Err(RemoteError::failed(self.remote().name(), &command, &output));
        }
        let mut facts = parse(&String::from_utf8_lossy(&said));
        facts.clock_offset = facts.clock_offset.and_then(|clock| {
            offset(clock.offset_ns, asked, answered.unwrap_or_else(SystemTime::now))
        });
        Ok(facts)
    }
}

/// Reads what the script says; `clock_offset` is the machine's clock until it has been compared.
fn parse(text: &str) -> Facts {
    let said: BTreeMap<_, _> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let word = |name: &str| said.get(name).map_or("", |it| it.trim()).to_owned();
    let optional = |name: &str| Some(word(name)).filter(|it| !it.is_empty());
    let ability = |name: &str| match said.get(name).map(|it| it.trim()) {
        Some("yes") => Ok(()),
        Some(no) => Err(no.strip_prefix("no").unwrap_or(no).trim().to_owned()),
        None => Err("not tried, as something better is there".to_owned()),
    };
    let cgroup = word("cgroup");
    let mut cgroup = cgroup.split_whitespace();
    Facts {
        boot_id: word("boot-id"),
        shares_kernel_with: None,
        kernel: word("kernel"),
        architecture: word("architecture"),
        package_manager: optional("package-manager"),
        free_mib: word("free-mib").parse().unwrap_or(0),
        clock_source: word("clock-source"),
        clock_offset: word("clock")
            .parse()
            .ok()
            .map(|offset_ns| ClockOffset { offset_ns, uncertainty_ns: 0 }),
        time_service: optional("time-service"),
        cgroup_version: cgroup.next().and_then(|it| it.parse().ok()).unwrap_or(0),
        cgroup_controllers: cgroup.map(str::to_owned).collect(),
        nft: ability("nft"),
        iptables: ability("iptables"),
        netem: ability("netem"),
        nfqueue: ability("nfqueue"),
        loop_devices: ability("loop"),
        shutdown: ability("shutdown"),
        freeze: ability("freeze"),
    }
}

/// What a clock that showed `clock_ns` at some time between two times of ours is ahead.
fn offset(clock_ns: i64, before: SystemTime, after: SystemTime) -> Option<ClockOffset> {
    let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
    let ns = |time: Duration| i64::try_from(time.as_nanos()).ok();
    let (before, after) = (ns(since(before)?)?, ns(since(after)?)?);
    let uncertainty = after.saturating_sub(before) / 2;
    Some(ClockOffset {
        offset_ns: clock_ns.saturating_sub(before).saturating_sub(uncertainty),
        uncertainty_ns: u64::try_from(uncertainty).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_says_is_understood() {
        let facts = parse(
            "clock=1795558239875506078\nboot-id=b\nkernel=6.1\npackage-manager=apt-get\n\
             free-mib=46549\ncgroup=1 cpu memory\nnft=yes\n\
             netem=no Error: Specified qdisc kind is unknown. \nnonsense\nloop=no\n",
        );
        assert_eq!((facts.boot_id.as_str(), facts.free_mib), ("b", 46_549));
        assert_eq!(facts.clock_offset.map(|it| it.offset_ns), Some(1_795_558_239_875_506_078));
        assert_eq!(facts.package_manager.as_deref(), Some("apt-get"));
        assert_eq!((facts.cgroup_version, facts.cgroup_controllers.len()), (1, 2));
        assert_eq!(facts.nft, Ok(()));
        assert_eq!(facts.netem, Err("Error: Specified qdisc kind is unknown.".to_owned()));
        assert_eq!(facts.loop_devices, Err(String::new()));
        assert_eq!(facts.time_service, None);
        assert!(facts.iptables.expect_err("not tried").contains("not tried"));
    }

    #[test]
    fn a_date_without_nanoseconds_is_no_clock() {
        assert_eq!(parse("clock=1795558239N\n").clock_offset, None);
    }

    #[test]
    fn an_offset_is_as_good_as_the_answer_was_quick() {
        let at = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        let offset = offset(5_000_000_000, at(1_000), at(1_200)).expect("sane times");
        assert_eq!((offset.offset_ns, offset.uncertainty_ns), (3_900_000_000, 100_000_000));
    }

    #[test]
    fn machines_with_one_kernel_are_told_apart_from_others() {
        let boots = [(0, "a"), (1, "b"), (2, "a")].map(|(node, it)| (NodeId(node), it.to_owned()));
        assert_eq!(shares_kernel(NodeId(0), "a", &boots, "x"), Some("n3".to_owned()));
        assert_eq!(shares_kernel(NodeId(2), "a", &boots, "x"), Some("n1".to_owned()));
        assert_eq!(shares_kernel(NodeId(1), "b", &boots, "x"), None);
        assert_eq!(shares_kernel(NodeId(1), "b", &boots, "b"), Some("this machine".to_owned()));
        assert_eq!(
            shares_kernel(NodeId(1), "", &boots, "x"),
            Some("an unknown machine".to_owned())
        );
    }
}
