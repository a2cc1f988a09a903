//! What a store may promise, and which promise is part of which.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// A consistency model or another promise about replication, by the field's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "&'static str")]
pub enum Model {
    /// Every operation takes effect at one instant between its invocation and its completion
    /// (Herlihy & Wing 1990).
    Linearizable,
    /// A session's reads see its own earlier writes (Terry et al. 1994).
    ReadYourWrites,
    /// A session's successive reads do not go back (Terry et al. 1994).
    MonotonicReads,
    /// A session's writes take effect in its order (Terry et al. 1994).
    MonotonicWrites,
    /// A session's writes are ordered after the writes that it had read (Terry et al. 1994).
    WritesFollowReads,
    /// No acknowledged write is lost.
    Durable,
    /// At no time do two nodes accept writes as leader.
    SingleLeader,
    /// After a quiet period all replicas hold the same.
    Convergent,
    /// What is found was put there: nothing that nobody wrote or whose write had failed, and
    /// nothing twice.
    Integrity,
    /// At no time do two clients hold a lock (Dijkstra 1965).
    MutualExclusion,
    /// Each acquisition of a lock brings a larger token than all that were over before it began
    /// (Burrows 2006, Kleppmann 2016).
    Fencing,
    /// How transactions are kept apart, and which order between them is kept.
    Isolation(Isolation, Order),
}

/// How transactions are kept apart. What each means for a history is defined in
/// [`transactions`](crate::transactions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isolation {
    /// Writes of transactions do not interleave (PL-1, Adya 1999).
    ReadUncommitted,
    /// What is read was committed, and no transaction depends on itself (PL-2, Adya 1999).
    ReadCommitted,
    /// Once a transaction has seen something of another, it sees all of it (Bailis et al. 2013).
    MonotonicAtomicView,
    /// A transaction sees all of another or nothing (Bailis et al. 2014).
    ReadAtomic,
    /// What a transaction sees includes all that this depends on (Cerone et al. 2015).
    Causal,
    /// Each transaction sees a prefix of one order of all (Burckhardt et al. 2015).
    Prefix,
    /// Snapshots that include their causes, and no two concurrent writers of a key (Sovran et al.
    /// 2011). Without sessions this is consistent view, PL-2+ of Adya.
    ParallelSnapshotIsolation,
    /// Each transaction sees a prefix of one order of all, and no other writes what it writes before
    /// it commits (Berenson et al. 1995).
    SnapshotIsolation,
    /// No cycle of dependencies but through predicates (PL-2.99, Adya 1999).
    RepeatableRead,
    /// As if one after the other (Papadimitriou 1979).
    Serializable,
}

/// Which order between transactions a level must keep besides that of what they read and wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// None.
    Free,
    /// That of each session.
    Session,
    /// That of time: what had ended before another began came before it.
    RealTime,
}

impl Isolation {
    /// Every level, weaker ones first.
    pub const ALL: [Isolation; 10] = [
        Isolation::ReadUncommitted,
        Isolation::ReadCommitted,
        Isolation::MonotonicAtomicView,
        Isolation::ReadAtomic,
        Isolation::Causal,
        Isolation::Prefix,
        Isolation::ParallelSnapshotIsolation,
        Isolation::SnapshotIsolation,
        Isolation::RepeatableRead,
        Isolation::Serializable,
    ];

    /// The levels that it is just above.
    pub const fn implies(self) -> &'static [Isolation] {
        use Isolation::*;
        match self {
            ReadUncommitted => &[],
            ReadCommitted => &[ReadUncommitted],
            MonotonicAtomicView => &[ReadCommitted],
            ReadAtomic => &[MonotonicAtomicView],
            Causal => &[ReadAtomic],
            Prefix | ParallelSnapshotIsolation => &[Causal],
            SnapshotIsolation => &[Prefix, ParallelSnapshotIsolation],
            RepeatableRead => &[ReadCommitted],
            Serializable => &[RepeatableRead, SnapshotIsolation],
        }
    }

    /// The names without any order, with that of sessions, and with that of time. Causal consistency
    /// is one of sessions by definition.
    const fn names(self) -> [&'static str; 3] {
        match self {
            Isolation::ReadUncommitted => {
                ["read-uncommitted", "strong-session-read-uncommitted", "strong-read-uncommitted"]
            }
            Isolation::ReadCommitted => {
                ["read-committed", "strong-session-read-committed", "strong-read-committed"]
            }
            Isolation::MonotonicAtomicView => [
                "monotonic-atomic-view",
                "strong-session-monotonic-atomic-view",
                "strong-monotonic-atomic-view",
            ],
            Isolation::ReadAtomic => {
                ["read-atomic", "strong-session-read-atomic", "strong-read-atomic"]
            }
            Isolation::Causal => ["sessionless-causal", "causal", "real-time-causal"],
            Isolation::Prefix => ["prefix", "strong-session-prefix", "strong-prefix"],
            Isolation::ParallelSnapshotIsolation => [
                "parallel-snapshot-isolation",
                "strong-session-parallel-snapshot-isolation",
                "strong-parallel-snapshot-isolation",
            ],
            Isolation::SnapshotIsolation => [
                "snapshot-isolation",
                "strong-session-snapshot-isolation",
                "strong-snapshot-isolation",
            ],
            Isolation::RepeatableRead => {
                ["repeatable-read", "strong-session-repeatable-read", "strong-repeatable-read"]
            }
            Isolation::Serializable => {
                ["serializable", "strong-session-serializable", "strict-serializable"]
            }
        }
    }
}

impl Order {
    /// Every order, weaker ones first.
    pub const ALL: [Order; 3] = [Order::Free, Order::Session, Order::RealTime];
}

/// The models of single objects and of replication.
const OTHERS: [Model; 11] = [
    Model::Linearizable,
    Model::ReadYourWrites,
    Model::MonotonicReads,
    Model::MonotonicWrites,
    Model::WritesFollowReads,
    Model::Durable,
    Model::SingleLeader,
    Model::Convergent,
    Model::Integrity,
    Model::MutualExclusion,
    Model::Fencing,
];

const ISOLATIONS: [Model; 30] = {
    let mut all = [Model::Linearizable; 30];
    let mut next = 0;
    while next < all.len() {
        all[next] = Model::Isolation(Isolation::ALL[next / 3], Order::ALL[next % 3]);
        next += 1;
    }
    all
};

impl Model {
    /// Every model that some checker decides.
    pub const ALL: [Model; 41] = {
        let mut all = [Model::Linearizable; 41];
        let mut next = 0;
        while next < all.len() {
            all[next] = match next < OTHERS.len() {
                true => OTHERS[next],
                false => ISOLATIONS[next - OTHERS.len()],
            };
            next += 1;
        }
        all
    };

    /// The levels of isolation, each with every order.
    pub const ISOLATIONS: [Model; 30] = ISOLATIONS;

    /// The name in campaign files, results and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Model::Linearizable => "linearizable",
            Model::ReadYourWrites => "read-your-writes",
            Model::MonotonicReads => "monotonic-reads",
            Model::MonotonicWrites => "monotonic-writes",
            Model::WritesFollowReads => "writes-follow-reads",
            Model::Durable => "durable",
            Model::SingleLeader => "single-leader",
            Model::Convergent => "convergent",
            Model::Integrity => "integrity",
            Model::MutualExclusion => "mutual-exclusion",
            Model::Fencing => "fencing",
            Model::Isolation(level, order) => level.names()[order as usize],
        }
    }

    /// The models that it is just above: a history that satisfies this one satisfies them.
    ///
    /// Every serializable history is one of snapshot isolation by the definitions used here, which
    /// are of histories and not of how a store makes them (as Elle has it, and Cerone et al. 2015);
    /// some authors define snapshot isolation by its snapshots in time instead.
    pub fn implies(self) -> Vec<Model> {
        let Model::Isolation(level, order) = self else {
            return match self {
                // Of one register at a time.
                Model::Linearizable => vec![
                    Model::ReadYourWrites,
                    Model::MonotonicReads,
                    Model::MonotonicWrites,
                    Model::WritesFollowReads,
                ],
                _ => Vec::new(),
            };
        };
        let below = level.implies().iter().map(|below| Model::Isolation(*below, order));
        let weaker = match order {
            Order::Free => None,
            Order::Session => Some(Order::Free),
            Order::RealTime => Some(Order::Session),
        };
        let mut implied: Vec<Model> = below.collect();
        implied.extend(weaker.map(|order| Model::Isolation(level, order)));
        match (level, order) {
            (Isolation::Serializable, Order::RealTime) => implied.push(Model::Linearizable),
            (Isolation::Causal, Order::Session) => implied.extend([
                Model::ReadYourWrites,
                Model::MonotonicReads,
                Model::MonotonicWrites,
                Model::WritesFollowReads,
            ]),
            _ => {}
        }
        implied
    }

    /// All that it implies, itself included.
    pub fn all_implied(self) -> BTreeSet<Model> {
        let mut all = BTreeSet::new();
        let mut new = vec![self];
        while let Some(model) = new.pop() {
            if all.insert(model) {
                new.extend(model.implies());
            }
        }
        all
    }

    /// Those of `models` that none of the others implies.
    pub fn strongest(models: &BTreeSet<Model>) -> BTreeSet<Model> {
        let implied =
            |model: &Model| models.iter().any(|it| it != model && it.all_implied().contains(model));
        models.iter().copied().filter(|model| !implied(model)).collect()
    }

    /// Those of `models` that imply none of the others.
    pub fn weakest(models: &BTreeSet<Model>) -> BTreeSet<Model> {
        let implies = |model: &Model| {
            let below = model.all_implied();
            models.iter().any(|it| it != model && below.contains(it))
        };
        models.iter().copied().filter(|model| !implies(model)).collect()
    }
}

impl From<Model> for &'static str {
    fn from(model: Model) -> Self {
        model.name()
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const NAMES: [&str; Model::ALL.len()] = {
            let mut names = [""; Model::ALL.len()];
            let mut next = 0;
            while next < names.len() {
                names[next] = Model::ALL[next].name();
                next += 1;
            }
            names
        };
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|_| D::Error::unknown_variant(&name, &NAMES))
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Model {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Model::ALL.into_iter().find(|model| model.name() == name).ok_or_else(|| {
            let known = OTHERS.map(Model::name).join(", ");
            format!(
                "expected a model ({known}; or a level of isolation such as `snapshot-isolation`), \
                 found `{name}`"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for model in Model::ALL {
            assert_eq!(model.name().parse(), Ok(model));
            let json = serde_json::to_string(&model).expect("a name");
            assert_eq!(serde_json::from_str::<Model>(&json).expect("a model"), model);
        }
        let names: BTreeSet<_> = Model::ALL.map(Model::name).into();
        assert_eq!(names.len(), Model::ALL.len());
    }

    #[test]
    fn the_strongest_and_the_weakest_of_some() {
        let named = |names: &[&str]| -> BTreeSet<Model> {
            names.iter().map(|name| name.parse().expect("a model")).collect()
        };
        let some = named(&["serializable", "causal", "read-atomic", "snapshot-isolation"]);
        assert_eq!(Model::strongest(&some), named(&["serializable", "causal"]));
        assert_eq!(Model::weakest(&some), named(&["read-atomic"]));
        let all: BTreeSet<Model> = Model::ISOLATIONS.into();
        assert_eq!(Model::strongest(&all), named(&["strict-serializable"]));
        assert_eq!(Model::weakest(&all), named(&["read-uncommitted"]));
    }
}
