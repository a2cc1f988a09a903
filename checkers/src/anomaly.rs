//! A violation and its evidence.

use std::fmt;

use perjury_history::{Key, OperationId};
use serde::{Deserialize, Serialize};

use crate::{Isolation, Model, Order};

/// What went wrong, by the field's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum AnomalyKind {
    /// No order of the operations explains what the clients saw.
    Nonlinearizable,
    /// A session missed its own write.
    ReadYourWrites,
    /// A session's reads went back to an older version.
    MonotonicReads,
    /// A session's writes took effect in another order than it issued them.
    MonotonicWrites,
    /// A session's write was ordered before a write that it had read.
    WritesFollowReads,
    /// A write was acknowledged and is gone.
    LostWrite,
    /// Two nodes accepted writes at once.
    TwoLeaders,
    /// Replicas hold different values after a quiet period.
    Divergence,
    /// A read missed what was certainly there before it began.
    StaleRead,
    /// Something was found that nobody had written, or whose write had failed.
    UnexpectedValue,
    /// An element was found twice in one set.
    DuplicateElement,
    /// Two clients held a lock at once.
    TwoHolders,
    /// Two acquisitions of a lock brought the same token.
    RepeatedToken,
    /// A later acquisition of a lock brought a smaller token.
    TokenOrder,
    /// All accounts together held more or less than there is.
    WrongTotal,
    /// An account held less than nothing.
    NegativeBalance,
    /// An account was not there when others were, or one was that nobody opened.
    WrongAccounts,
    /// Transactions were not kept apart as they should be, seen in the given order between them.
    Isolation(Phenomenon, Order),
}

/// How transactions got into each other's way. Names are those of Adya (1999), Berenson et al.
/// (1995), Bailis et al. (2013), Cerone et al. (2015) and Elle (Kingsbury & Alvaro 2020).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phenomenon {
    /// A value was read that no transaction ever wrote.
    GarbageRead,
    /// An element stands twice in one list.
    DuplicateElements,
    /// A cycle of writes.
    G0,
    /// A read of what a transaction wrote that had failed.
    G1a,
    /// A read of what its writer overwrote itself.
    G1b,
    /// A cycle of writes and reads of them.
    G1c,
    /// A read of what the same transaction only wrote later.
    FutureRead,
    /// A write on top of what a transaction wrote that had failed.
    DirtyUpdate,
    /// Two reads of a list of which neither begins with the other.
    IncompatibleOrder,
    /// A transaction did not read what it had written itself.
    Internal,
    /// A transaction saw something of another, and later missed something of it.
    ObservedTransactionVanishes,
    /// A transaction read a key twice and found different values.
    NonRepeatableRead,
    /// A transaction missed something of another that it saw later.
    ReadSkew,
    /// A transaction saw something of another and missed something of it.
    FracturedRead,
    /// A transaction missed what something that it saw depends on.
    CausalityViolation,
    /// Two transactions wrote a key on top of the same version.
    LostUpdate,
    /// Two transactions saw two writes in different orders.
    LongFork,
    /// A cycle with one anti-dependency, none of a predicate.
    GSingleItem,
    /// A cycle with one anti-dependency.
    GSingle,
    /// A cycle without two anti-dependencies in a row, none of a predicate.
    GNonadjacentItem,
    /// A cycle without two anti-dependencies in a row.
    GNonadjacent,
    /// Two transactions each overwrote what the other had read.
    WriteSkew,
    /// A cycle with several anti-dependencies, none of a predicate.
    G2Item,
    /// A cycle with several anti-dependencies.
    G2,
}

impl Phenomenon {
    /// Every phenomenon, those that rule out most first.
    pub const ALL: [Phenomenon; 24] = [
        Phenomenon::GarbageRead,
        Phenomenon::DuplicateElements,
        Phenomenon::G0,
        Phenomenon::G1a,
        Phenomenon::G1b,
        Phenomenon::G1c,
        Phenomenon::FutureRead,
        Phenomenon::DirtyUpdate,
        Phenomenon::IncompatibleOrder,
        Phenomenon::Internal,
        Phenomenon::ObservedTransactionVanishes,
        Phenomenon::NonRepeatableRead,
        Phenomenon::ReadSkew,
        Phenomenon::FracturedRead,
        Phenomenon::CausalityViolation,
        Phenomenon::LostUpdate,
        Phenomenon::LongFork,
        Phenomenon::GSingleItem,
        Phenomenon::GSingle,
        Phenomenon::GNonadjacentItem,
        Phenomenon::GNonadjacent,
        Phenomenon::WriteSkew,
        Phenomenon::G2Item,
        Phenomenon::G2,
    ];

    /// The names as it is seen in no order but that of what was read and written, with the order of
    /// sessions, and with that of time.
    const fn names(self) -> [&'static str; 3] {
        /// A name with each order.
        macro_rules! each {
            ($name:literal) => {
                [$name, concat!($name, "-process"), concat!($name, "-realtime")]
            };
        }
        match self {
            Phenomenon::GarbageRead => each!("garbage-read"),
            Phenomenon::DuplicateElements => each!("duplicate-elements"),
            Phenomenon::G0 => each!("G0"),
            Phenomenon::G1a => each!("G1a"),
            Phenomenon::G1b => each!("G1b"),
            Phenomenon::G1c => each!("G1c"),
            Phenomenon::FutureRead => each!("future-read"),
            Phenomenon::DirtyUpdate => each!("dirty-update"),
            Phenomenon::IncompatibleOrder => each!("incompatible-order"),
            Phenomenon::Internal => each!("internal"),
            Phenomenon::ObservedTransactionVanishes => each!("observed-transaction-vanishes"),
            Phenomenon::NonRepeatableRead => each!("non-repeatable-read"),
            Phenomenon::ReadSkew => each!("read-skew"),
            Phenomenon::FracturedRead => each!("fractured-read"),
            Phenomenon::CausalityViolation => each!("causality-violation"),
            Phenomenon::LostUpdate => each!("lost-update"),
            Phenomenon::LongFork => each!("long-fork"),
            Phenomenon::GSingleItem => each!("G-single-item"),
            Phenomenon::GSingle => each!("G-single"),
            Phenomenon::GNonadjacentItem => each!("G-nonadjacent-item"),
            Phenomenon::GNonadjacent => each!("G-nonadjacent"),
            Phenomenon::WriteSkew => each!("write-skew"),
            Phenomenon::G2Item => each!("G2-item"),
            Phenomenon::G2 => each!("G2"),
        }
    }

    /// The weakest level that it rules out.
    pub const fn rules_out(self) -> Isolation {
        match self {
            Phenomenon::GarbageRead | Phenomenon::DuplicateElements | Phenomenon::G0 => {
                Isolation::ReadUncommitted
            }
            Phenomenon::G1a
            | Phenomenon::G1b
            | Phenomenon::G1c
            | Phenomenon::FutureRead
            | Phenomenon::DirtyUpdate
            | Phenomenon::IncompatibleOrder
            | Phenomenon::Internal => Isolation::ReadCommitted,
            Phenomenon::ObservedTransactionVanishes => Isolation::MonotonicAtomicView,
            Phenomenon::NonRepeatableRead | Phenomenon::ReadSkew | Phenomenon::FracturedRead => {
                Isolation::ReadAtomic
            }
            Phenomenon::CausalityViolation => Isolation::Causal,
            Phenomenon::LostUpdate | Phenomenon::GSingleItem | Phenomenon::GSingle => {
                Isolation::ParallelSnapshotIsolation
            }
            Phenomenon::LongFork => Isolation::Prefix,
            Phenomenon::GNonadjacentItem | Phenomenon::GNonadjacent => Isolation::SnapshotIsolation,
            Phenomenon::WriteSkew | Phenomenon::G2Item => Isolation::RepeatableRead,
            Phenomenon::G2 => Isolation::Serializable,
        }
    }
}

/// The kinds that are not of transactions.
const OTHERS: [AnomalyKind; 17] = [
    AnomalyKind::Nonlinearizable,
    AnomalyKind::ReadYourWrites,
    AnomalyKind::MonotonicReads,
    AnomalyKind::MonotonicWrites,
    AnomalyKind::WritesFollowReads,
    AnomalyKind::LostWrite,
    AnomalyKind::TwoLeaders,
    AnomalyKind::Divergence,
    AnomalyKind::StaleRead,
    AnomalyKind::UnexpectedValue,
    AnomalyKind::DuplicateElement,
    AnomalyKind::TwoHolders,
    AnomalyKind::RepeatedToken,
    AnomalyKind::TokenOrder,
    AnomalyKind::WrongTotal,
    AnomalyKind::NegativeBalance,
    AnomalyKind::WrongAccounts,
];

const KINDS: usize = OTHERS.len() + Phenomenon::ALL.len() * Order::ALL.len();

impl AnomalyKind {
    /// Every kind.
    pub const ALL: [AnomalyKind; KINDS] = {
        let mut all = [AnomalyKind::Nonlinearizable; KINDS];
        let mut next = 0;
        while next < all.len() {
            all[next] = match next.checked_sub(OTHERS.len()) {
                None => OTHERS[next],
                Some(it) => AnomalyKind::Isolation(Phenomenon::ALL[it / 3], Order::ALL[it % 3]),
            };
            next += 1;
        }
        all
    };

    /// The name in campaign files, results and reports.
    pub const fn name(self) -> &'static str {
        match self {
            AnomalyKind::Nonlinearizable => "nonlinearizable",
            AnomalyKind::ReadYourWrites => "read-your-writes",
            AnomalyKind::MonotonicReads => "monotonic-reads",
            AnomalyKind::MonotonicWrites => "monotonic-writes",
            AnomalyKind::WritesFollowReads => "writes-follow-reads",
            AnomalyKind::LostWrite => "lost-write",
            AnomalyKind::TwoLeaders => "two-leaders",
            AnomalyKind::Divergence => "divergence",
            AnomalyKind::StaleRead => "stale-read",
            AnomalyKind::UnexpectedValue => "unexpected-value",
            AnomalyKind::DuplicateElement => "duplicate-element",
            AnomalyKind::TwoHolders => "two-holders",
            AnomalyKind::RepeatedToken => "repeated-token",
            AnomalyKind::TokenOrder => "token-order",
            AnomalyKind::WrongTotal => "wrong-total",
            AnomalyKind::NegativeBalance => "negative-balance",
            AnomalyKind::WrongAccounts => "wrong-accounts",
            AnomalyKind::Isolation(phenomenon, order) => phenomenon.names()[order as usize],
        }
    }

    /// The weakest model that it rules out.
    pub fn rules_out(self) -> Model {
        match self {
            AnomalyKind::Nonlinearizable | AnomalyKind::StaleRead => Model::Linearizable,
            AnomalyKind::ReadYourWrites => Model::ReadYourWrites,
            AnomalyKind::MonotonicReads => Model::MonotonicReads,
            AnomalyKind::MonotonicWrites => Model::MonotonicWrites,
            AnomalyKind::WritesFollowReads => Model::WritesFollowReads,
            AnomalyKind::LostWrite => Model::Durable,
            AnomalyKind::TwoLeaders => Model::SingleLeader,
            AnomalyKind::Divergence => Model::Convergent,
            AnomalyKind::UnexpectedValue
            | AnomalyKind::DuplicateElement
            | AnomalyKind::WrongTotal
            | AnomalyKind::NegativeBalance
            | AnomalyKind::WrongAccounts => Model::Integrity,
            AnomalyKind::TwoHolders => Model::MutualExclusion,
            AnomalyKind::RepeatedToken | AnomalyKind::TokenOrder => Model::Fencing,
            AnomalyKind::Isolation(phenomenon, order) => {
                Model::Isolation(phenomenon.rules_out(), order)
            }
        }
    }
}

impl From<AnomalyKind> for &'static str {
    fn from(kind: AnomalyKind) -> Self {
        kind.name()
    }
}

impl TryFrom<String> for AnomalyKind {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let kind = AnomalyKind::ALL.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| format!("expected a kind of anomaly, found `{name}`"))
    }
}

impl fmt::Display for AnomalyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One violation, with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// What went wrong.
    pub kind: AnomalyKind,
    /// The object it happened to, if it is one.
    pub key: Option<Key>,
    /// What happened, in a sentence or two for people: names the operations, nodes and times.
    pub explanation: String,
    /// The operations that prove it.
    pub witness: Witness,
}

/// The operations that prove an anomaly: enough of them, and as few as the checker could find.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// In order of invocation.
    pub operations: Vec<WitnessOperation>,
    /// What must come before what, and why, where that is the proof.
    pub edges: Vec<Edge>,
    /// What else might have been, each with why it was not, where that is the proof.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub possibilities: Vec<String>,
}

impl Witness {
    /// These operations, in the order that matters.
    pub(crate) fn of(operations: Vec<WitnessOperation>, edges: Vec<Edge>) -> Self {
        Self { operations, edges, possibilities: Vec::new() }
    }
}

/// An operation's part in a witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessOperation {
    /// The operation.
    pub operation: OperationId,
    /// Its part in the story, in a few words: `the acknowledged write`, `read an older value`.
    pub role: String,
}

/// `from` comes before `to`, and why that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The earlier operation.
    pub from: OperationId,
    /// The later operation.
    pub to: OperationId,
    /// The observation that shows it.
    pub reason: String,
}
