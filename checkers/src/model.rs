//! What a store may promise.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A consistency model or another promise about replication, by the field's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
}

impl Model {
    /// Every model that some checker decides.
    pub const ALL: [Model; 11] = [
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

    /// The name in campaign files, results and reports.
    pub fn name(self) -> &'static str {
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
        }
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
            let known = Model::ALL.map(Model::name).join(", ");
            format!("expected a model ({known}), found `{name}`")
        })
    }
}
