//! The kinds of faults, by name.

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// Links carry nothing.
    Partition,
    /// Processes die.
    Kill,
    /// Processes are told to end, and end in an orderly way.
    Terminate,
    /// Processes die and are started again at once.
    Restart,
    /// Machines lose power, and un-synced writes with it.
    Crash,
    /// Processes stop for a while.
    Pause,
    /// An operator has a node take over as leader.
    Promote,
    /// An operator removes a node from the cluster and adds it again.
    Membership,
    /// Clocks are wrong.
    Clock,
    /// Links are slow.
    Slow,
    /// Links lose, double and reorder.
    Lossy,
    /// Links damage what they carry.
    Corrupt,
    /// Links carry little.
    Bandwidth,
    /// Disks are full, slow, read-only, failing or wrong.
    Disk,
    /// Processes get little processor time.
    Cpu,
    /// Processes get little memory.
    Memory,
}

/// What only one fault at a time can have of a node: two would hide each other's effect and each
/// other's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Its processes and what they need to run at all.
    Processes,
    /// Its clocks.
    Clock,
    /// Its share of the processors.
    Cpu,
    /// Its share of the memory.
    Memory,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [FaultKind; 16] = [
        FaultKind::Partition,
        FaultKind::Kill,
        FaultKind::Terminate,
        FaultKind::Restart,
        FaultKind::Crash,
        FaultKind::Pause,
        FaultKind::Promote,
        FaultKind::Membership,
        FaultKind::Clock,
        FaultKind::Slow,
        FaultKind::Lossy,
        FaultKind::Corrupt,
        FaultKind::Bandwidth,
        FaultKind::Disk,
        FaultKind::Cpu,
        FaultKind::Memory,
    ];

    /// The name in campaign files.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Partition => "partition",
            FaultKind::Kill => "kill",
            FaultKind::Terminate => "terminate",
            FaultKind::Restart => "restart",
            FaultKind::Crash => "crash",
            FaultKind::Pause => "pause",
            FaultKind::Promote => "promote",
            FaultKind::Membership => "membership",
            FaultKind::Clock => "clock",
            FaultKind::Slow => "slow",
            FaultKind::Lossy => "lossy",
            FaultKind::Corrupt => "corrupt",
            FaultKind::Bandwidth => "bandwidth",
            FaultKind::Disk => "disk",
            FaultKind::Cpu => "cpu",
            FaultKind::Memory => "memory",
        }
    }

    /// What it does, in a sentence.
    pub fn describe(self) -> &'static str {
        match self {
            FaultKind::Partition => {
                "links between nodes carry nothing (:halves, :one, :minority, :primaries, :bridge, \
                 :ring, :one-way; /2380 only this port)"
            }
            FaultKind::Kill => "processes die and are restarted later",
            FaultKind::Terminate => "processes are told to end and are restarted later",
            FaultKind::Restart => "processes die and are restarted at once (:rolling one by one)",
            FaultKind::Crash => "machines lose power, and un-synced writes with it",
            FaultKind::Pause => "processes stop in their tracks and go on later",
            FaultKind::Promote => "an operator has a node take over as leader (manual failover)",
            FaultKind::Membership => {
                "an operator removes a node from the cluster and adds it again"
            }
            FaultKind::Clock => "clocks are wrong (:bump, :strobe, :drift)",
            FaultKind::Slow => "links are slow",
            FaultKind::Lossy => "links lose, double and reorder messages",
            FaultKind::Corrupt => "links damage messages",
            FaultKind::Bandwidth => "links carry little",
            FaultKind::Disk => {
                "disks fail (:full, :slow, :read-only, :error, :bit-flip, :truncate)"
            }
            FaultKind::Cpu => "processes get little processor time",
            FaultKind::Memory => "processes get little memory",
        }
    }

    /// What it needs for itself.
    pub(crate) fn claim(self) -> Option<Claim> {
        match self {
            FaultKind::Kill
            | FaultKind::Terminate
            | FaultKind::Restart
            | FaultKind::Crash
            | FaultKind::Pause
            | FaultKind::Promote
            | FaultKind::Membership
            | FaultKind::Disk => Some(Claim::Processes),
            FaultKind::Clock => Some(Claim::Clock),
            FaultKind::Cpu => Some(Claim::Cpu),
            FaultKind::Memory => Some(Claim::Memory),
            FaultKind::Partition
            | FaultKind::Slow
            | FaultKind::Lossy
            | FaultKind::Corrupt
            | FaultKind::Bandwidth => None,
        }
    }
}

/// A way in which a clock can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockKind {
    /// Off by a constant.
    Bump,
    /// Jumping.
    Strobe,
    /// Fast or slow.
    Drift,
}

impl ClockKind {
    pub(crate) const ALL: [ClockKind; 3] = [ClockKind::Bump, ClockKind::Strobe, ClockKind::Drift];

    pub(crate) fn name(self) -> &'static str {
        match self {
            ClockKind::Bump => "bump",
            ClockKind::Strobe => "strobe",
            ClockKind::Drift => "drift",
        }
    }
}

/// A way in which a disk can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskKind {
    /// No space left.
    Full,
    /// Writes wait.
    Slow,
    /// Writes are refused.
    ReadOnly,
    /// Everything is an error.
    Error,
    /// A bit of a file is wrong.
    BitFlip,
    /// A file has lost its end.
    Truncate,
}

impl DiskKind {
    pub(crate) const ALL: [DiskKind; 6] = [
        DiskKind::Full,
        DiskKind::Slow,
        DiskKind::ReadOnly,
        DiskKind::Error,
        DiskKind::BitFlip,
        DiskKind::Truncate,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            DiskKind::Full => "full",
            DiskKind::Slow => "slow",
            DiskKind::ReadOnly => "read-only",
            DiskKind::Error => "error",
            DiskKind::BitFlip => "bit-flip",
            DiskKind::Truncate => "truncate",
        }
    }
}
