//! Every mode of the store, right and wrong, as a table that a campaign file can hold.
//!
//! The defaults are the correct combination (Raft, Ongaro & Ousterhout 2014): linearizable under
//! partitions, crashes, pauses, message loss and clock faults. Each setting relaxes one rule.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How copies of the data are kept. Other families will be further variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replication {
    /// One leader orders all writes in a log; the others copy it.
    #[default]
    LeaderFollower,
}

/// When the leader tells a client that its write is done. In TOML: `"async"`,
/// `{ semi-sync = 1 }`, `"sync"`, `"quorum"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acknowledge {
    /// As soon as the leader has it. A failover loses what was not yet copied.
    Async,
    /// When the leader and this many followers have it. Safe only if the follower that is promoted
    /// is one of those.
    SemiSync(u32),
    /// When every node has it. One unreachable follower blocks all writes.
    Sync,
    /// When a majority has it, and only then is it visible: consensus.
    #[default]
    Quorum,
}

impl Acknowledge {
    /// Whether an entry takes effect when it is committed, rather than as soon as it is received.
    #[must_use]
    pub fn applies_when_committed(self) -> bool {
        self == Self::Quorum
    }
}

/// Who replaces a leader that is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failover {
    /// Nobody. Node 0 is the leader for ever and takes its role back when it restarts.
    None,
    /// An operator ([`Input::Promote`](crate::Input::Promote)): that node leads a new epoch at
    /// once, without asking anyone. Whether the old leader is really gone is the operator's risk.
    /// If others know of a newer epoch that this node does not (a leader promoted while this node
    /// was cut off), it learns of it and steps down; promoted again, it takes a newer one still.
    /// A leader that restarts comes back as a follower and waits to be promoted.
    Manual,
    /// Followers that hear nothing from the leader elect one of them by majority.
    #[default]
    Automatic,
}

/// Which candidates a voter accepts (only `failover = "automatic"` votes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promote {
    /// Those whose log is at least as up to date as the voter's.
    #[default]
    MostUpToDate,
    /// Any: acknowledged writes are lost when a straggler wins.
    Any,
}

/// Whether a leader believes it when it hears that it was replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fencing {
    /// It ignores the news until its process restarts, and goes on serving the clients that reach
    /// it: two leaders, durably.
    None,
    /// It steps down when it hears of a higher epoch.
    #[default]
    Epoch,
}

/// What a node does when its log has entries the leader's log does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rejoin {
    /// Drops them. In the weak acknowledge modes, acknowledged writes among them are lost.
    #[default]
    Truncate,
    /// Keeps them: replication goes by log position alone, so the node skips whatever the leader
    /// has at positions it already holds. The replicas differ for ever.
    Keep,
    /// Leaves the cluster, durably, until an operator wipes its disk.
    Refuse,
}

/// Where a read goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum ReadRoute {
    /// To the leader.
    #[default]
    Leader,
    /// To a follower chosen at random for each read.
    AnyFollower,
    /// To the same follower for all reads of a client.
    StickyFollower,
    /// To the leader while the client's last acknowledged write is younger than the window, else
    /// to any follower.
    LeaderAfterWrite {
        /// The window.
        window_ms: u64,
    },
    /// To any follower, which hands it to the leader unless it has everything that the client's
    /// [`SessionToken`](crate::SessionToken) has seen.
    SessionToken,
    /// To a write-through cache on the node the client talks to; what is not there comes from any
    /// follower.
    Cache {
        /// For how long a cached value is answered.
        ttl_ms: u64,
    },
}

/// How a leader makes sure that it still is one before it answers a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaderReads {
    /// Not at all. A leader that was cut off answers with old values: the mistake of several
    /// consensus systems.
    Local,
    /// It relies on nobody being elected for an election time-out after a majority heard from it,
    /// and measures that with its *wall* clock. Right while clocks behave; a clock that is set
    /// back makes the lease of a deposed leader last, and it answers with old values.
    Lease,
    /// It has a majority confirm that it leads, after the read arrived (Raft's `ReadIndex`,
    /// section 6.4 of Ongaro's thesis).
    Confirmed,
}

/// What transactions see of each other. Those that only read do so by the read route; all others
/// run on the leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Nothing: a transaction is one entry of the log, and reads where it stands. With the other
    /// defaults that is strict serializability.
    #[default]
    Serializable,
    /// Reads see what was committed when the transaction began. It fails if another one has since
    /// committed to what it writes (the first committer wins). Allows write skew.
    SnapshotIsolation,
    /// Each read sees what is committed by then; what was written is locked until the end. Allows
    /// read skew and lost updates.
    ReadCommitted,
    /// Reads see what others have written and not committed, and perhaps never will; what was
    /// written is locked until the end. Allows dirty reads.
    ReadUncommitted,
}

/// When a node's log reaches its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fsync {
    /// Before anything that depends on it is said to anyone.
    #[default]
    Always,
    /// Every [`Settings::fsync_interval_ms`]. A crash loses acknowledged writes. (Epochs and votes
    /// are still synced before they are used: the mistake is confined to the data.)
    Periodic,
}

/// Every mode of the store. The default is the correct combination.
///
/// ```
/// use perjury_replica::{Acknowledge, Settings};
///
/// let settings: Settings =
///     serde_json::from_str(r#"{ "acknowledge": { "semi-sync": 1 }, "fsync": "periodic" }"#)?;
/// assert_eq!(settings.acknowledge, Acknowledge::SemiSync(1));
/// settings.check(5)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// How copies of the data are kept.
    pub replication: Replication,
    /// When a write is done.
    pub acknowledge: Acknowledge,
    /// Who replaces a leader that is gone.
    pub failover: Failover,
    /// Which candidates get votes.
    pub promote: Promote,
    /// Whether a replaced leader stops.
    pub fencing: Fencing,
    /// What becomes of a log that has diverged.
    pub rejoin: Rejoin,
    /// Where a read goes.
    pub reads: ReadRoute,
    /// How a leader reads. By default `confirmed` if `acknowledge = "quorum"`, else `local`; see
    /// [`Settings::leader_reads`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader_reads: Option<LeaderReads>,
    /// What transactions see of each other.
    pub isolation: Isolation,
    /// How long a transaction takes for each step, on average; at the level `serializable` it takes
    /// no time.
    pub step_ms: u64,
    /// When the log reaches the disk.
    pub fsync: Fsync,
    /// How often the disk is synced when `fsync = "periodic"`.
    pub fsync_interval_ms: u64,
    /// How often a leader says that it is alive.
    pub heartbeat_ms: u64,
    /// How long a follower waits for the leader before it does something; each wait is drawn at
    /// random between this and twice this.
    pub election_timeout_ms: u64,
    /// How often followers get new entries; 0 sends them at once.
    pub replication_interval_ms: u64,
    /// How many entries the log holds before the older half of them becomes a snapshot. Only
    /// committed entries do, unless there are four times as many.
    pub snapshot_after: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            replication: Replication::default(),
            acknowledge: Acknowledge::default(),
            failover: Failover::default(),
            promote: Promote::default(),
            fencing: Fencing::default(),
            rejoin: Rejoin::default(),
            reads: ReadRoute::default(),
            leader_reads: None,
            isolation: Isolation::default(),
            step_ms: 5,
            fsync: Fsync::default(),
            fsync_interval_ms: 1_000,
            heartbeat_ms: 50,
            election_timeout_ms: 300,
            replication_interval_ms: 0,
            snapshot_after: 10_000,
        }
    }
}

/// Why settings cannot work.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// There is nothing to replicate on.
    #[error("expected at least 1 node, found 0: give the cluster nodes")]
    NoNodes,
    /// Semi-synchronous replication waits for followers that do not exist.
    #[error(
        "acknowledge = {{ semi-sync = {replicas} }} waits for {replicas} followers, but {nodes} \
         nodes have {}: wait for fewer, or use more nodes",
        nodes - 1
    )]
    TooManyReplicas {
        /// How many followers it waits for.
        replicas: u32,
        /// How many nodes there are.
        nodes: u32,
    },
    /// Semi-synchronous replication that waits for nobody.
    #[error("acknowledge = {{ semi-sync = 0 }} waits for no follower: write \"async\" instead")]
    NoReplicas,
    /// A duration or size that must not be 0.
    #[error("expected {setting} of at least 1, found 0: remove it to get the default")]
    Zero {
        /// The setting's name.
        setting: &'static str,
    },
    /// A duration whose nanoseconds overflow any sensible clock.
    #[error("expected {setting} of at most a day ({max_ms} ms), found {found_ms}: lower it")]
    TooLong {
        /// The setting's name.
        setting: &'static str,
        /// What was found.
        found_ms: u64,
        /// The limit.
        max_ms: u64,
    },
    /// Followers would give the leader up between two heartbeats.
    #[error(
        "expected election-timeout-ms of at least twice heartbeat-ms ({heartbeat_ms}), found \
         {election_timeout_ms}: raise it, or lower heartbeat-ms"
    )]
    ElectionTooEager {
        /// The heartbeat interval.
        heartbeat_ms: u64,
        /// The election time-out.
        election_timeout_ms: u64,
    },
}

/// A day: longer intervals are surely a mistake in the unit.
const MAX_MS: u64 = 86_400_000;

impl Settings {
    /// How a leader reads: as set, or what suits the acknowledge mode.
    #[must_use]
    pub fn leader_reads(&self) -> LeaderReads {
        self.leader_reads.unwrap_or(match self.acknowledge {
            Acknowledge::Quorum => LeaderReads::Confirmed,
            _ => LeaderReads::Local,
        })
    }

    /// Whether these settings can work on so many nodes.
    ///
    /// Modes that lose data are fine: they are what the store is for. Errors are for modes that
    /// could not do what they say.
    ///
    /// # Errors
    ///
    /// Says what was expected, what was found and what to do.
    pub fn check(&self, nodes: u32) -> Result<(), SettingsError> {
        if nodes == 0 {
            return Err(SettingsError::NoNodes);
        }
        match self.acknowledge {
            Acknowledge::SemiSync(0) => return Err(SettingsError::NoReplicas),
            Acknowledge::SemiSync(replicas) if replicas >= nodes => {
                return Err(SettingsError::TooManyReplicas { replicas, nodes });
            }
            _ => {}
        }
        for (setting, value) in [
            ("fsync-interval-ms", self.fsync_interval_ms),
            ("heartbeat-ms", self.heartbeat_ms),
            ("election-timeout-ms", self.election_timeout_ms),
            ("snapshot-after", self.snapshot_after),
            ("step-ms", self.step_ms),
        ] {
            if value == 0 {
                return Err(SettingsError::Zero { setting });
            }
        }
        let route_ms = match self.reads {
            ReadRoute::LeaderAfterWrite { window_ms } => ("window-ms", window_ms),
            ReadRoute::Cache { ttl_ms } => ("ttl-ms", ttl_ms),
            _ => ("reads", 0),
        };
        for (setting, found_ms) in [
            ("fsync-interval-ms", self.fsync_interval_ms),
            ("heartbeat-ms", self.heartbeat_ms),
            ("election-timeout-ms", self.election_timeout_ms),
            ("replication-interval-ms", self.replication_interval_ms),
            ("step-ms", self.step_ms),
            route_ms,
        ] {
            if found_ms > MAX_MS {
                return Err(SettingsError::TooLong { setting, found_ms, max_ms: MAX_MS });
            }
        }
        if self.election_timeout_ms < 2 * self.heartbeat_ms {
            return Err(SettingsError::ElectionTooEager {
                heartbeat_ms: self.heartbeat_ms,
                election_timeout_ms: self.election_timeout_ms,
            });
        }
        Ok(())
    }
}
