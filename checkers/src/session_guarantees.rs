//! The four session guarantees (Terry, Demers, Petersen, Spreitzer, Theimer & Welch, *Session
//! guarantees for weakly consistent replicated data*, 1994), key by key. A session is a process.
//!
//! - **Read your writes**: after its own write a session reads nothing older.
//! - **Monotonic reads**: a session reads nothing older than what it has read.
//! - **Monotonic writes**: a session's write is ordered after its earlier ones.
//! - **Writes follow reads**: a session's write is ordered after what it has read.
//!
//! ```text
//! p0: w(x,1)-  w(x,2)-  r(x)=1-            read your writes is broken: 1 is older than 2
//! p1:                            r(x)=2-  r(x)=1-     monotonic reads are broken
//! p2: r(x)=2#2.9-   w(x,3)@n1#1.7-         writes follow reads is broken: 1.7 is older than 2.9
//! ```
//!
//! "Older" needs an order of a key's versions. Two are relied on:
//! - the store's own, where it reports the versions of both: by epoch, then position;
//! - else real time: of two writes that do not overlap, the one that ended first is older, which
//!   holds for a store that promises one copy of its data.
//!
//! An empty key is older than all values: nothing is deleted here. Only what these orders prove is a
//! violation; an unproved one is let pass. Of a compare-and-set only the write counts. Inspections
//! are not a session's reads.
//!
//! Cost: linear. For each session and key the newest thing seen is kept, once by version and once by
//! the beginning of its write.
//!
//! Incomplete: writes that overlap and have no versions are not compared; orders that follow only
//! from several reads together are not derived; keys on which a value is written twice, and
//! transactions of several micro-operations, are not judged. Without versions two writes of one
//! session cannot be told to be out of order, so the two guarantees on writes are then unknown.
//!
//! A pass does not prove that sessions would be safe across keys, nor across processes of one user.

use perjury_history::Version;
use perjury_history::{History, Key, MicroOp, Operation, OperationId, Outcome, Process, Reading};
use rustc_hash::FxHashMap;

use crate::origins::{Origin, Origins};
use crate::wording::{by, end_ns, mutation_in, seconds};
use crate::{
    Anomaly, AnomalyKind, Checker, Context, Edge, Judgement, Model, Verdict, Witness,
    WitnessOperation,
};

/// Anomalies of each kind listed at most; the measures have the full count.
const LISTED_MAX: usize = 100;

const KINDS: [AnomalyKind; 4] = [
    AnomalyKind::ReadYourWrites,
    AnomalyKind::MonotonicReads,
    AnomalyKind::MonotonicWrites,
    AnomalyKind::WritesFollowReads,
];

/// Decides the four session guarantees; see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionGuarantees;

impl Checker for SessionGuarantees {
    fn name(&self) -> &'static str {
        "session-guarantees"
    }

    fn models(&self) -> &'static [Model] {
        &[
            Model::ReadYourWrites,
            Model::MonotonicReads,
            Model::MonotonicWrites,
            Model::WritesFollowReads,
        ]
    }

    fn check(&self, history: &History, _: &Context<'_>) -> Verdict {
        let mut found = Found::default();
        for (key, operations) in history.by_key() {
            found.key(history, key, &operations);
        }
        found.verdict(history)
    }
}

/// Something a session did that goes against something it had done before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Violation {
    kind: AnomalyKind,
    key: Key,
    earlier: (OperationId, Origin),
    later: (OperationId, Origin),
}

#[derive(Default)]
struct Found {
    violations: Vec<Violation>,
    reads: u64,
    writes: u64,
    versions: u64,
    /// Why a key is not judged.
    unknown: Option<String>,
}

impl Found {
    fn key(&mut self, history: &History, key: Key, operations: &[OperationId]) {
        let origins = Origins::of(history, operations);
        if let Some(value) = origins.repeated {
            self.unknown.get_or_insert(format!(
                "key {key}: {value} was written more than once, so a read of it does not tell which \
                 write it saw; write every value once"
            ));
            return;
        }
        let mut sessions: FxHashMap<Process, Session> = FxHashMap::default();
        for &id in operations {
            let operation = history.get(id);
            if operation.outcome != Outcome::Ok {
                continue;
            }
            let Some(only) = operation.single() else {
                self.unknown.get_or_insert(format!(
                    "key {key}: transactions of several micro-operations touch it, and they are \
                     not judged here"
                ));
                continue;
            };
            let (is_write, held) = match *only {
                MicroOp::Read { result: Some(held), .. } => (false, held),
                MicroOp::Write { value, .. } | MicroOp::Cas { new: value, .. } => {
                    (true, Reading::Value(value))
                }
                _ => continue,
            };
            let origin = origins.origin(held);
            self.reads += u64::from(!is_write);
            self.writes += u64::from(is_write);
            self.versions += u64::from(is_write && origin.version.is_some());
            let session = sessions.entry(operation.process).or_default();
            let (after_writes, after_reads) = match is_write {
                true => (AnomalyKind::MonotonicWrites, AnomalyKind::WritesFollowReads),
                false => (AnomalyKind::ReadYourWrites, AnomalyKind::MonotonicReads),
            };
            for (kind, seen) in [(after_writes, &session.writes), (after_reads, &session.reads)] {
                if let Some(earlier) = seen.newer_than(history, &origin) {
                    self.violations.push(Violation { kind, key, earlier, later: (id, origin) });
                }
            }
            let seen = if is_write { &mut session.writes } else { &mut session.reads };
            seen.add(history, id, origin);
        }
    }

    fn verdict(mut self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        self.violations.sort_by_key(|it| (it.kind, it.later.0));
        for kind in KINDS {
            let of_kind = self.violations.iter().filter(|it| it.kind == kind);
            let count = of_kind.clone().count();
            let name = format!("{}_violations", kind.name().replace('-', "_"));
            verdict.measures.insert(name, count as u64);
            verdict.anomalies.extend(of_kind.take(LISTED_MAX).map(|it| it.anomaly(history)));
            let judgement = if count > 0 { Judgement::Invalid } else { self.unless_found(kind) };
            verdict.models.insert(kind.rules_out(), judgement);
        }
        verdict.measures.insert("judged_reads".into(), self.reads);
        verdict.measures.insert("judged_writes".into(), self.writes);
        verdict
    }

    /// The judgement on a guarantee that was never seen broken.
    fn unless_found(&self, kind: AnomalyKind) -> Judgement {
        let on_writes =
            matches!(kind, AnomalyKind::MonotonicWrites | AnomalyKind::WritesFollowReads);
        let nothing = "nothing to judge: no";
        match &self.unknown {
            Some(reason) => Judgement::Unknown(reason.clone()),
            None if self.reads == 0 => Judgement::Unknown(format!("{nothing} read succeeded")),
            None if self.writes == 0 => Judgement::Unknown(format!("{nothing} write succeeded")),
            None if on_writes && self.versions == 0 => Judgement::Unknown(
                "the store reports no versions, so the order of its writes is not known".into(),
            ),
            None => Judgement::Valid,
        }
    }
}

#[derive(Default)]
struct Session {
    reads: Seen,
    writes: Seen,
}

/// The newest of what a session has seen, in each of the ways in which it can be known to be newer.
#[derive(Default)]
struct Seen {
    /// The last that was not empty.
    some: Option<(OperationId, Origin)>,
    by_version: Option<(Version, (OperationId, Origin))>,
    /// By the beginning of the write.
    by_time: Option<(u32, (OperationId, Origin))>,
    /// Of those without a version: the others are compared with these in no other way.
    by_time_alone: Option<(u32, (OperationId, Origin))>,
}

impl Seen {
    fn add(&mut self, history: &History, id: OperationId, origin: Origin) {
        if origin.held == Reading::Nil {
            return;
        }
        fn keep_newest<T: Copy, O: PartialOrd>(newest: &mut Option<(O, T)>, order: O, seen: T) {
            if newest.as_ref().is_none_or(|(known, _)| *known < order) {
                *newest = Some((order, seen));
            }
        }
        self.some = Some((id, origin));
        if let Some(version) = origin.version {
            keep_newest(&mut self.by_version, version, (id, origin));
        }
        if let Some(writer) = origin.writer {
            let invoked = history.get(writer).invoked;
            keep_newest(&mut self.by_time, invoked, (id, origin));
            if origin.version.is_none() {
                keep_newest(&mut self.by_time_alone, invoked, (id, origin));
            }
        }
    }

    /// Something seen that is certainly newer than `origin`.
    fn newer_than(&self, history: &History, origin: &Origin) -> Option<(OperationId, Origin)> {
        if origin.held == Reading::Nil {
            return self.some;
        }
        let newer = |(version, _): &(Version, _)| origin.version.is_some_and(|own| own < *version);
        if let Some((_, seen)) = self.by_version.filter(newer) {
            return Some(seen);
        }
        let comparable = if origin.version.is_some() { self.by_time_alone } else { self.by_time };
        let writer = history.get(origin.writer?);
        let ended = writer.completed.filter(|_| writer.outcome == Outcome::Ok)?;
        comparable.filter(|(invoked, _)| ended < *invoked).map(|(_, seen)| seen)
    }
}

impl Violation {
    fn anomaly(&self, history: &History) -> Anomaly {
        let (earlier, later) = (history.get(self.earlier.0), history.get(self.later.0));
        let explanation = format!(
            "{} {}, though it had {} before{}.",
            later.process,
            did(&later, self.key, &self.later.1),
            did_before(&earlier, &self.earlier.1),
            self.why(history),
        );
        let mut operations = vec![
            WitnessOperation {
                operation: earlier.id,
                role: role(&earlier, &self.earlier.1, "earlier"),
            },
            WitnessOperation { operation: later.id, role: role(&later, &self.later.1, "later") },
        ];
        for (of, age) in [(&self.earlier.1, "newer"), (&self.later.1, "older")] {
            let writer = of.writer.filter(|id| *id != earlier.id && *id != later.id);
            operations.extend(writer.map(|operation| WitnessOperation {
                operation,
                role: format!("wrote the {age} {}", of.held),
            }));
        }
        operations.sort_by_key(|it| it.operation);
        let edge = Edge { from: earlier.id, to: later.id, reason: "the same session".into() };
        Anomaly {
            kind: self.kind,
            key: Some(self.key),
            explanation,
            witness: Witness::of(operations, vec![edge]),
        }
    }

    /// Why the later is known to be older.
    fn why(&self, history: &History) -> String {
        let (new, old) = (&self.earlier.1, &self.later.1);
        if old.held == Reading::Nil {
            return String::new();
        }
        if let (Some(newer), Some(older)) = (new.version, old.version) {
            return format!(
                "; {} is older: it has version {older}, {} has {newer}",
                old.held, new.held
            );
        }
        let (Some(newer), Some(older)) = (new.writer, old.writer) else { return String::new() };
        let (newer, older) = (history.get(newer), history.get(older));
        format!(
            "; {} is older: {}'s {} was acknowledged{} at {}, before {} asked for {} at {}",
            old.held,
            older.process,
            mutation_in(history.names(), &older),
            by(older.served_by),
            seconds(end_ns(&older)),
            newer.process,
            new.held,
            seconds(newer.invoked_ns),
        )
    }
}

fn on(operation: &Operation<'_>) -> String {
    operation.served_by.map_or(String::new(), |node| format!(" on {node}"))
}

fn did(operation: &Operation<'_>, key: Key, origin: &Origin) -> String {
    let (place, at) = (on(operation), seconds(end_ns(operation)));
    match (operation.single(), origin.held) {
        (Some(MicroOp::Read { .. }), Reading::Nil) => {
            format!("found key {key} empty{place} at {at}")
        }
        (Some(MicroOp::Read { .. }), value) => {
            format!("read {value} from key {key}{place} at {at}")
        }
        (_, value) => format!("wrote {value} to key {key}{place} at {at}"),
    }
}

fn did_before(operation: &Operation<'_>, origin: &Origin) -> String {
    let verb = match operation.single() {
        Some(MicroOp::Read { .. }) => "read",
        _ => "written",
    };
    format!("{verb} {}{} at {}", origin.held, on(operation), seconds(end_ns(operation)))
}

/// `the session's later read of 12`.
fn role(operation: &Operation<'_>, origin: &Origin, age: &str) -> String {
    let what = match operation.single() {
        Some(MicroOp::Read { .. }) => "read",
        _ => "write",
    };
    format!("the session's {age} {what} of {}", origin.held)
}

#[cfg(test)]
mod tests;
