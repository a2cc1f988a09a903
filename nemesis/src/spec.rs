//! What a person writes to ask for faults: `kind[:detail][/ports][@targets]`.
//!
//! ```text
//! partition            any shape, a new one each time
//! partition:ring       this shape: halves, one, minority, primaries, bridge, ring, one-way
//! partition:one/2380   only this port; several as /2379+2380
//! kill@primaries       these nodes: one, minority, majority, primaries, all, n2+n4
//! restart:rolling@all  one after the other
//! clock:strobe@all     this error: bump, strobe, drift
//! disk:full            this harm: full, slow, read-only, error, bit-flip, truncate
//! ```

use std::fmt;
use std::str::FromStr;

use perjury_history::NodeId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::kind::{ClockKind, DiskKind};
use crate::{FaultKind, Shape, Targets};

/// A fault as a person asks for it; targets and sizes are drawn each time it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultSpec {
    /// A partition.
    Partition {
        /// Of this shape, or of any.
        shape: Option<Shape>,
        /// At these ports, or at all if there are none.
        ports: Vec<u16>,
    },
    /// A restart.
    Restart {
        /// Whether one node waits for the other.
        rolling: bool,
        /// Of these.
        targets: Targets,
    },
    /// A clock error of this kind, or of any.
    Clock(Option<ClockKind>, Targets),
    /// A failure of the disk of this kind, or of any.
    Disk(Option<DiskKind>, Targets),
    /// Any other kind; it has no details.
    Plain(FaultKind, Targets),
}

/// A fault that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SpecError(String);

impl FaultSpec {
    /// Its kind.
    pub fn kind(&self) -> FaultKind {
        match self {
            FaultSpec::Partition { .. } => FaultKind::Partition,
            FaultSpec::Restart { .. } => FaultKind::Restart,
            FaultSpec::Clock(..) => FaultKind::Clock,
            FaultSpec::Disk(..) => FaultKind::Disk,
            FaultSpec::Plain(kind, _) => *kind,
        }
    }

    /// What it is aimed at; the shape of a partition says that by itself.
    pub(crate) fn targets(&self) -> &Targets {
        match self {
            FaultSpec::Partition { .. } => &Targets::One,
            FaultSpec::Restart { targets, .. }
            | FaultSpec::Clock(_, targets)
            | FaultSpec::Disk(_, targets)
            | FaultSpec::Plain(_, targets) => targets,
        }
    }

    /// The ports that a partition is about; none if it is about all, or no partition.
    pub fn ports(&self) -> &[u16] {
        match self {
            FaultSpec::Partition { ports, .. } => ports,
            _ => &[],
        }
    }

    /// Whether it is aimed at leaders, so that the store must be able to tell them.
    pub fn needs_primaries(&self) -> bool {
        match self {
            FaultSpec::Partition { shape, .. } => *shape == Some(Shape::Primaries),
            _ => *self.targets() == Targets::Primaries,
        }
    }

    /// The nodes that it names, if it names any.
    pub fn named_nodes(&self) -> &[NodeId] {
        match self.targets() {
            Targets::These(nodes) => nodes,
            _ => &[],
        }
    }
}

impl FromStr for FaultSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let refuse = |problem: String| Err(SpecError(format!("fault `{text}`: {problem}")));
        let (rest, targets) = match text.split_once('@') {
            Some((rest, targets)) => match targets.parse() {
                Ok(targets) => (rest, Some(targets)),
                Err(problem) => return refuse(problem),
            },
            None => (text, None),
        };
        let (rest, ports) = match rest.split_once('/') {
            Some((rest, ports)) => match ports.split('+').map(str::parse).collect() {
                Ok(ports) => (rest, ports),
                Err(_) => {
                    return refuse(format!("expected ports like /2379+2380, found `/{ports}`"));
                }
            },
            None => (rest, Vec::new()),
        };
        let (kind, detail) = match rest.split_once(':') {
            Some((kind, detail)) => (kind, Some(detail)),
            None => (rest, None),
        };
        let Some(known) = FaultKind::ALL.into_iter().find(|it| it.name() == kind) else {
            let kinds = FaultKind::ALL.map(FaultKind::name).join(", ");
            return refuse(format!("expected one of {kinds}, found `{kind}`"));
        };
        if known == FaultKind::Partition && targets.is_some() {
            let problem = "a partition has a shape and no targets; expected for instance \
                           `partition:primaries`";
            return refuse(problem.to_owned());
        }
        if known != FaultKind::Partition && !ports.is_empty() {
            return refuse("only a partition has ports".to_owned());
        }
        let targets = targets.unwrap_or_default();
        let spec = match known {
            FaultKind::Partition => named(&Shape::ALL, Shape::name, detail)
                .map(|shape| FaultSpec::Partition { shape, ports }),
            FaultKind::Restart => named(&["rolling"], |name| name, detail)
                .map(|rolling| FaultSpec::Restart { rolling: rolling.is_some(), targets }),
            FaultKind::Clock => named(&ClockKind::ALL, ClockKind::name, detail)
                .map(|kind| FaultSpec::Clock(kind, targets)),
            FaultKind::Disk => named(&DiskKind::ALL, DiskKind::name, detail)
                .map(|kind| FaultSpec::Disk(kind, targets)),
            _ => match detail {
                Some(detail) => Err(format!("expected no detail after `{kind}`, found `{detail}`")),
                None => Ok(FaultSpec::Plain(known, targets)),
            },
        };
        spec.or_else(refuse)
    }
}

fn named<T: Copy>(
    all: &[T],
    name: impl Fn(T) -> &'static str,
    wanted: Option<&str>,
) -> Result<Option<T>, String> {
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let found = all.iter().copied().find(|&it| name(it) == wanted);
    found.map(Some).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|&it| name(it)).collect();
        format!("expected one of {}, found `{wanted}`", names.join(", "))
    })
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name())?;
        let detail = match self {
            FaultSpec::Partition { shape, .. } => shape.map(Shape::name),
            FaultSpec::Restart { rolling, .. } => rolling.then_some("rolling"),
            FaultSpec::Clock(kind, _) => kind.map(ClockKind::name),
            FaultSpec::Disk(kind, _) => kind.map(DiskKind::name),
            FaultSpec::Plain(..) => None,
        };
        if let Some(detail) = detail {
            write!(f, ":{detail}")?;
        }
        if let FaultSpec::Partition { ports, .. } = self
            && !ports.is_empty()
        {
            let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
            write!(f, "/{}", ports.join("+"))?;
        }
        match self.targets() {
            Targets::One => Ok(()),
            targets => write!(f, "@{targets}"),
        }
    }
}

impl Serialize for FaultSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FaultSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand_pcg::Pcg64;

    use super::*;
    use crate::Fault;

    #[test]
    fn what_is_written_is_read_and_written_again() {
        for text in [
            "partition",
            "partition:ring",
            "partition:one-way",
            "kill",
            "kill@primaries",
            "crash@minority",
            "pause@n2+n4",
            "promote@n3",
            "clock",
            "clock:drift",
            "clock:strobe@all",
            "slow@majority",
            "lossy",
            "partition:halves/2380",
            "partition/2379+2380",
            "terminate@all",
            "restart",
            "restart:rolling@all",
            "membership",
            "corrupt",
            "bandwidth@primaries",
            "disk",
            "disk:bit-flip@minority",
            "cpu",
            "memory@all",
        ] {
            let spec: FaultSpec = text.parse().expect("a good spec");
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_read_says_what_was_expected() {
        let problem = |text: &str| text.parse::<FaultSpec>().expect_err("a bad spec").to_string();
        assert_eq!(
            problem("partion"),
            "fault `partion`: expected one of partition, kill, terminate, restart, crash, pause, \
             promote, membership, clock, slow, lossy, corrupt, bandwidth, disk, cpu, memory, \
             found `partion`"
        );
        assert!(problem("partition:star").contains("halves, one, minority"));
        assert!(problem("partition@all").contains("has a shape and no targets"));
        assert!(problem("kill:hard").contains("expected no detail"));
        assert!(problem("kill/2380").contains("only a partition has ports"));
        assert!(problem("partition:one/x").contains("ports like /2379+2380, found `/x`"));
        assert!(problem("restart:slowly").contains("expected one of rolling, found `slowly`"));
        assert!(problem("disk:warm").contains("full, slow, read-only"));
        assert!(problem("kill@n0").contains("nodes like n2+n4"));
    }

    #[test]
    fn any_partition_cuts_something_among_three_nodes() {
        let all: Vec<_> = (0..3).map(NodeId).collect();
        let any: FaultSpec = "partition".parse().expect("a good spec");
        for seed in 0..100 {
            let fault = any.draw(&all, &[], &BTreeSet::new(), &mut Pcg64::new(seed, 1));
            assert!(fault.is_some(), "seed {seed}");
        }
        let nobody_else = any.draw(&all[..1], &[], &BTreeSet::new(), &mut Pcg64::new(1, 1));
        assert_eq!(nobody_else, None);
    }

    #[test]
    fn a_node_that_is_isolated_for_want_of_a_leader_is_not_called_one() {
        let all: Vec<_> = (0..3).map(NodeId).collect();
        let draw = |primaries: &[NodeId]| {
            let spec: FaultSpec = "partition:primaries".parse().expect("a good spec");
            let fault = spec.draw(&all, primaries, &BTreeSet::new(), &mut Pcg64::new(1, 1));
            fault.expect("there are nodes").to_string()
        };
        assert_eq!(draw(&[NodeId(1)]), "isolated the leader n2 (4 links cut)");
        assert!(draw(&[]).starts_with("isolated n"), "{}", draw(&[]));
    }

    #[test]
    fn stopped_processes_are_not_stopped_again() {
        let all: Vec<_> = (0..3).map(NodeId).collect();
        let busy = BTreeSet::from([NodeId(0), NodeId(2)]);
        let draw = |text: &str| {
            let spec: FaultSpec = text.parse().expect("a good spec");
            spec.draw(&all, &[NodeId(0)], &busy, &mut Pcg64::new(1, 1))
        };
        assert_eq!(draw("kill@all"), Some(Fault::Kill { nodes: vec![NodeId(1)] }));
        assert_eq!(draw("kill@primaries"), None);
        assert_eq!(draw("promote@all"), Some(Fault::Promote { nodes: vec![NodeId(1)] }));
    }
}
