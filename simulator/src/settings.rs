//! What can be chosen.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// What the database promises. It keeps that, and as little more as is simple.
///
/// Definitions: Adya 1999 and Berenson et al. 1995 for those of databases, Sovran et al. 2011 for
/// parallel snapshot isolation, Biswas and Enea 2019 for prefix, causal and read atomic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// A transaction happens at one instant between its invocation and its completion.
    StrictSerializable,
    /// The same, but one that only reads may see the database as it was a while ago, though never
    /// before what its session has done and seen.
    StrongSessionSerializable,
    /// The same, but even before that.
    Serializable,
    /// A transaction reads what was committed when it began and commits unless another one has since
    /// committed a write of one of its keys: write skew.
    SnapshotIsolation,
    /// The database has sites. A transaction reads what its site has heard of, in causal order, and
    /// commits unless there is a write of one of its keys that its site had not heard of: long forks.
    ParallelSnapshotIsolation,
    /// A transaction reads what was committed when it began and always commits: lost updates.
    Prefix,
    /// As with parallel snapshot isolation, but every transaction commits.
    Causal,
    /// A transaction reads from a set of whole transactions, among them those of its session, that
    /// may lack what others in it depend on: causality is violated.
    ReadAtomic,
    /// Each read sees what is committed by then: fractured and unrepeatable reads.
    ReadCommitted,
    /// Reads also see what is not committed, and may never be; a key is written by one transaction at
    /// a time. One that finds a key taken aborts.
    ReadUncommitted,
    /// Every step acts at once, and is not taken back if the transaction aborts.
    NoIsolation,
}

impl Level {
    /// All of them, the strongest first.
    pub const ALL: [Level; 11] = [
        Level::StrictSerializable,
        Level::StrongSessionSerializable,
        Level::Serializable,
        Level::SnapshotIsolation,
        Level::ParallelSnapshotIsolation,
        Level::Prefix,
        Level::Causal,
        Level::ReadAtomic,
        Level::ReadCommitted,
        Level::ReadUncommitted,
        Level::NoIsolation,
    ];

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Level::StrictSerializable => "strict-serializable",
            Level::StrongSessionSerializable => "strong-session-serializable",
            Level::Serializable => "serializable",
            Level::SnapshotIsolation => "snapshot-isolation",
            Level::ParallelSnapshotIsolation => "parallel-snapshot-isolation",
            Level::Prefix => "prefix",
            Level::Causal => "causal",
            Level::ReadAtomic => "read-atomic",
            Level::ReadCommitted => "read-committed",
            Level::ReadUncommitted => "read-uncommitted",
            Level::NoIsolation => "none",
        }
    }
}

/// What transactions do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Workload {
    /// They append to lists and read them. No element is appended twice to a list.
    Append,
    /// They write and read registers.
    Register,
}

impl Workload {
    /// All of them.
    pub const ALL: [Workload; 2] = [Workload::Append, Workload::Register];

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Workload::Append => "append",
            Workload::Register => "register",
        }
    }
}

/// How often each key is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Distribution {
    /// All alike.
    Uniform,
    /// The second half as often as the first, the third a third as often, and so on.
    Zipf,
    /// Each half as often as the one before.
    Exponential,
}

impl Distribution {
    /// All of them.
    pub const ALL: [Distribution; 3] =
        [Distribution::Uniform, Distribution::Zipf, Distribution::Exponential];

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Distribution::Uniform => "uniform",
            Distribution::Zipf => "zipf",
            Distribution::Exponential => "exponential",
        }
    }
}

macro_rules! named {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                <$type>::ALL.into_iter().find(|it| it.name() == text).ok_or_else(|| {
                    let known = <$type>::ALL.map(<$type>::name).join(", ");
                    format!("expected one of {known}, found `{text}`")
                })
            }
        }
    )*};
}

named!(Level, Workload, Distribution);

/// What is simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What the database promises.
    pub level: Level,
    /// Where all chance comes from.
    pub seed: u64,
    /// What transactions do.
    pub workload: Workload,
    /// Clients that are at work at the same time.
    pub processes: u32,
    /// How many transactions they begin in all.
    pub transactions: u32,
    /// Keys that are in use at the same time.
    pub keys: u32,
    /// How often each of them is chosen.
    pub distribution: Distribution,
    /// Reads and writes of a transaction, at most; at least one, each number alike.
    pub operations_max: u32,
    /// Share of reads among them.
    pub read_share: f64,
    /// After so many writes a key is replaced by a new one.
    pub writes_per_key: u32,
    /// Registers get values from 1 to this, again and again; without it every value once per key.
    pub values: Option<u32>,
    /// Share of transactions whose outcome no client learns. Half of them happen, perhaps late.
    pub unknown_share: f64,
    /// Share of transactions that their clients abort, beside those that the level has to.
    pub abort_share: f64,
    /// Sites of the database, where the level knows any; clients are spread over them.
    pub sites: u32,
}

impl Default for Settings {
    /// Strict-serializable; 1,000 transactions of up to 4 appends and reads by 10 clients on 10 keys;
    /// all outcomes known.
    fn default() -> Self {
        Self {
            level: Level::StrictSerializable,
            seed: 1,
            workload: Workload::Append,
            processes: 10,
            transactions: 1_000,
            keys: 10,
            distribution: Distribution::Uniform,
            operations_max: 4,
            read_share: 0.5,
            writes_per_key: 32,
            values: None,
            unknown_share: 0.0,
            abort_share: 0.0,
            sites: 3,
        }
    }
}

/// Why settings make no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl Settings {
    /// # Errors
    /// If something is out of its bounds.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let refuse = |text: String| Err(SettingsError(text));
        for (name, number, most) in [
            ("processes", self.processes, 1_000_000),
            ("transactions", self.transactions, u32::MAX / 2 - 1),
            ("keys", self.keys, 100_000_000),
            ("operations", self.operations_max, 1_000_000),
            ("writes-per-key", self.writes_per_key, u32::MAX),
            ("values", self.values.unwrap_or(1), u32::MAX),
            ("sites", self.sites, 100),
        ] {
            if number == 0 || number > most {
                return refuse(format!("expected `{name}` from 1 to {most}, found {number}"));
            }
        }
        for (name, share) in [
            ("read-share", self.read_share),
            ("unknown-share", self.unknown_share),
            ("abort-share", self.abort_share),
            ("unknown-share and abort-share together", self.unknown_share + self.abort_share),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return refuse(format!("expected `{name}` from 0 to 1, found {share}"));
            }
        }
        let operations = u64::from(self.transactions) * u64::from(self.operations_max);
        if operations >= u64::from(u32::MAX) {
            return refuse(format!(
                "expected `transactions` times `operations` to be below {}, found {operations}; \
                 a history has no room for more",
                u32::MAX
            ));
        }
        if self.values.is_some() && self.workload == Workload::Append {
            return refuse(
                "expected `values` with registers only, found it with lists; an element is \
                 appended once"
                    .into(),
            );
        }
        Ok(())
    }
}
