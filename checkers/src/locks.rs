//! Locks: does one client hold it, and does fencing save what happens when two do?
//!
//! ```text
//! p0: acq(l)=33-  ................ (paused) ........  rel(l,33)-
//! p1:                    acq(l)=34-   rel(l,34)-          two holders, and yet properly fenced
//! p2:                                              acq(l)=34-     the token of p1 again
//! ```
//!
//! Two models, because a lock with a lease keeps at most one of them.
//!
//! **Mutual exclusion** (Dijkstra 1965). A client holds a lock from when it learns that it acquired it
//! until it asks for its release with the token it was given, or for ever. No two such times of one
//! lock overlap. That is exact: if none overlap, acquisitions may have taken effect when they were
//! learnt and releases when they were asked for. A lease that runs out while its holder is paused, or
//! believes in a slow clock, breaks it, and no lock service can help that.
//!
//! **Fencing** (Burrows, *The Chubby lock service*, 2006; Kleppmann, *How to do distributed locking*,
//! 2016). Tokens are unique, and an acquisition that was over before another was asked for has the
//! smaller token. Then whatever the lock protects can refuse a holder whose time is over. Nothing
//! excuses a violation of this.
//!
//! Cost: O(n log n).
//!
//! Incomplete: what was acquired by an operation of unknown outcome is held by nobody here. With
//! fewer than two acquisitions there is nothing to judge. Acquisitions without a token leave fencing
//! undecided.
//!
//! A pass does not prove that the lock is ever given to anybody, nor that it is free when it is
//! refused.

use std::collections::BTreeMap;

use perjury_history::{History, Key, MicroOp, Operation, OperationId, Outcome, Value};

use crate::wording::{by, duration, end_ns, seconds};
use crate::{
    Anomaly, AnomalyKind, Checker, Context, Edge, Judgement, Model, Verdict, Witness,
    WitnessOperation,
};

/// Anomalies of a kind listed at most; the measures have the full count.
const LISTED_MAX: usize = 100;

/// Decides [`Model::MutualExclusion`] and [`Model::Fencing`]; see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Locks;

/// A time for which a client holds a lock.
#[derive(Clone, Copy, Debug)]
struct Hold {
    acquire: OperationId,
    token: Option<Value>,
    /// When the acquisition was asked for, as an index into the record.
    asked: u32,
    /// When the client learnt of it.
    from: u32,
    /// The first request to release it.
    release: Option<OperationId>,
    /// When that was asked; `u32::MAX` if it never was.
    until: u32,
}

impl Checker for Locks {
    fn name(&self) -> &'static str {
        "locks"
    }

    fn models(&self) -> &'static [Model] {
        &[Model::MutualExclusion, Model::Fencing]
    }

    fn check(&self, history: &History, _: &Context<'_>) -> Verdict {
        let mut found = Found::new(history);
        for (key, operations) in history.by_key() {
            let holds = holds(history, key, &operations);
            found.acquisitions += holds.len() as u64;
            found.judged |= holds.len() > 1;
            found.without_token += holds.iter().filter(|hold| hold.token.is_none()).count() as u64;
            found.overlaps(key, &holds);
            found.repeated(key, &holds);
            found.order(key, &holds);
        }
        found.verdict()
    }
}

/// By when the clients learnt of them.
fn holds(history: &History, key: Key, operations: &[OperationId]) -> Vec<Hold> {
    let mut releases: BTreeMap<Value, Vec<OperationId>> = BTreeMap::new();
    let each = || operations.iter().map(|id| history.get(*id));
    for operation in each() {
        for micro_op in operation.micro_ops {
            if let MicroOp::Release { key: of, token } = *micro_op
                && of == key
            {
                releases.entry(token).or_default().push(operation.id);
            }
        }
    }
    let mut holds = Vec::new();
    for operation in each().filter(|it| it.outcome == Outcome::Ok) {
        for micro_op in operation.micro_ops {
            let MicroOp::Acquire { key: of, token } = *micro_op else { continue };
            let Some(from) = operation.completed.filter(|_| of == key) else { continue };
            // Of its own process: a repeated token may have been released by another holder.
            let is_own = |id: &&OperationId| {
                let release = history.get(**id);
                release.process == operation.process && release.invoked > from
            };
            let released = token.and_then(|token| releases.get(&token));
            let release = released.and_then(|ids| ids.iter().find(is_own)).copied();
            let until = release.map_or(u32::MAX, |id| history.get(id).invoked);
            let (acquire, asked) = (operation.id, operation.invoked);
            holds.push(Hold { acquire, token, asked, from, release, until });
        }
    }
    holds.sort_by_key(|hold| hold.from);
    holds
}

struct Found<'a> {
    history: &'a History,
    anomalies: BTreeMap<AnomalyKind, Vec<Anomaly>>,
    counts: BTreeMap<AnomalyKind, u64>,
    acquisitions: u64,
    without_token: u64,
    longest_overlap_ns: u64,
    /// Whether some lock was acquired more than once.
    judged: bool,
}

impl<'a> Found<'a> {
    fn new(history: &'a History) -> Self {
        Self {
            history,
            anomalies: BTreeMap::new(),
            counts: BTreeMap::new(),
            acquisitions: 0,
            without_token: 0,
            longest_overlap_ns: 0,
            judged: false,
        }
    }

    /// Each acquisition during another hold, with the one that lasts longest.
    fn overlaps(&mut self, key: Key, holds: &[Hold]) {
        let mut longest: Option<&Hold> = None;
        for hold in holds {
            if let Some(earlier) = longest.filter(|earlier| hold.from < earlier.until) {
                let ends = [earlier, hold].map(|it| self.end_ns(it));
                let began_ns = end_ns(&self.history.get(hold.acquire));
                let lasted_ns = ends[0].min(ends[1]).saturating_sub(began_ns);
                self.longest_overlap_ns = self.longest_overlap_ns.max(lasted_ns);
                self.list(AnomalyKind::TwoHolders, |it| it.overlap(key, earlier, hold, lasted_ns));
            }
            if longest.is_none_or(|earlier| earlier.until < hold.until) {
                longest = Some(hold);
            }
        }
    }

    fn repeated(&mut self, key: Key, holds: &[Hold]) {
        let mut first: BTreeMap<Value, &Hold> = BTreeMap::new();
        for hold in holds {
            let Some(token) = hold.token else { continue };
            if let Some(earlier) = first.get(&token) {
                self.list(AnomalyKind::RepeatedToken, |it| {
                    it.repetition(key, earlier, hold, token)
                });
            }
            first.entry(token).or_insert(hold);
        }
    }

    /// Each acquisition with a smaller token than one that was over before it was asked for, with the
    /// largest of these.
    fn order(&mut self, key: Key, holds: &[Hold]) {
        let mut asked: Vec<&Hold> = holds.iter().collect();
        asked.sort_by_key(|hold| hold.asked);
        let mut over = holds.iter().peekable();
        let mut largest: Option<(Value, &Hold)> = None;
        for hold in asked {
            while let Some(before) = over.next_if(|it| it.from < hold.asked) {
                let token = before.token.map(|token| (token, before));
                if largest.is_none_or(|it| token.is_some_and(|token| it.0 < token.0)) {
                    largest = token.or(largest);
                }
            }
            if let (Some(token), Some((before, earlier))) = (hold.token, largest)
                && token < before
            {
                self.list(AnomalyKind::TokenOrder, |it| it.disorder(key, earlier, hold));
            }
        }
    }

    fn list(&mut self, kind: AnomalyKind, anomaly: impl FnOnce(&Self) -> Anomaly) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= LISTED_MAX as u64 {
            let anomaly = anomaly(self);
            self.anomalies.entry(kind).or_default().push(anomaly);
        }
    }

    fn verdict(mut self) -> Verdict {
        let count = |kind: AnomalyKind| self.counts.get(&kind).copied().unwrap_or(0);
        let overlaps = count(AnomalyKind::TwoHolders);
        let (repeated, disorder) =
            (count(AnomalyKind::RepeatedToken), count(AnomalyKind::TokenOrder));
        let nothing = "no lock was acquired more than once";
        let judge = |violated: bool, reason: Option<String>| match reason {
            _ if violated => Judgement::Invalid,
            _ if !self.judged => Judgement::Unknown(nothing.into()),
            Some(reason) => Judgement::Unknown(reason),
            None => Judgement::Valid,
        };
        let untold = (self.without_token > 0).then(|| {
            format!("{} of {} acquisitions brought no token", self.without_token, self.acquisitions)
        });
        let models = BTreeMap::from([
            (Model::MutualExclusion, judge(overlaps > 0, None)),
            (Model::Fencing, judge(repeated + disorder > 0, untold)),
        ]);
        let mut measures = BTreeMap::from([
            ("acquisitions".to_owned(), self.acquisitions),
            ("two_holders".to_owned(), overlaps),
            ("repeated_tokens".to_owned(), repeated),
            ("token_order_violations".to_owned(), disorder),
        ]);
        if overlaps > 0 {
            measures.insert("longest_two_holders_ms".into(), self.longest_overlap_ns / 1_000_000);
        }
        let order = [AnomalyKind::RepeatedToken, AnomalyKind::TokenOrder, AnomalyKind::TwoHolders];
        let anomalies =
            order.iter().flat_map(|kind| self.anomalies.remove(kind).unwrap_or_default()).collect();
        Verdict { models, anomalies, measures }
    }

    /// When a hold ends, or the run.
    fn end_ns(&self, hold: &Hold) -> u64 {
        hold.release.map_or(self.history.end_ns(), |id| self.history.get(id).invoked_ns)
    }

    fn overlap(&self, key: Key, earlier: &Hold, hold: &Hold, lasted_ns: u64) -> Anomaly {
        let (one, other) = (self.history.get(earlier.acquire), self.history.get(hold.acquire));
        let until = match earlier.release {
            Some(_) => format!("until {}", seconds(self.end_ns(earlier))),
            None => "and never gave it back".to_owned(),
        };
        let explanation = format!(
            "{} acquired lock {key} at {}, though {} held it from {} {until}: both held it for {}.",
            self.holder(hold),
            seconds(end_ns(&other)),
            self.holder(earlier),
            seconds(end_ns(&one)),
            duration(lasted_ns),
        );
        let mut parts = vec![(one.id, "acquired it"), (other.id, "acquired it, too")];
        parts.extend(earlier.release.map(|id| (id, "gave it back only now")));
        parts.extend(hold.release.map(|id| (id, "gave it back")));
        anomaly(AnomalyKind::TwoHolders, key, explanation, parts, None)
    }

    fn repetition(&self, key: Key, earlier: &Hold, hold: &Hold, token: Value) -> Anomaly {
        let explanation = format!(
            "Lock {key} was acquired twice with token {token}: for {}, and for {}.",
            self.acquirer(earlier),
            self.acquirer(hold),
        );
        let parts =
            vec![(earlier.acquire, "brought the token"), (hold.acquire, "brought it again")];
        anomaly(AnomalyKind::RepeatedToken, key, explanation, parts, None)
    }

    fn disorder(&self, key: Key, earlier: &Hold, hold: &Hold) -> Anomaly {
        let token = |hold: &Hold| hold.token.map_or(String::new(), |token| token.to_string());
        let later = self.history.get(hold.acquire);
        let explanation = format!(
            "Lock {key} was acquired with token {} for {}, and later, asked for at {}, with the \
             smaller token {} for {}.",
            token(earlier),
            self.acquirer(earlier),
            seconds(later.invoked_ns),
            token(hold),
            self.acquirer(hold),
        );
        let parts =
            vec![(earlier.acquire, "brought the larger token"), (hold.acquire, "came later")];
        let edge = Edge {
            from: earlier.acquire,
            to: hold.acquire,
            reason: "over before the other was asked".into(),
        };
        anomaly(AnomalyKind::TokenOrder, key, explanation, parts, Some(edge))
    }

    /// `p1 (token 34)`.
    fn holder(&self, hold: &Hold) -> String {
        let process = self.history.get(hold.acquire).process;
        hold.token.map_or(process.to_string(), |token| format!("{process} (token {token})"))
    }

    /// `p1 by n2 at 0.050 s`.
    fn acquirer(&self, hold: &Hold) -> String {
        let operation = self.history.get(hold.acquire);
        let Operation { process, served_by, .. } = operation;
        format!("{process}{} at {}", by(served_by), seconds(end_ns(&operation)))
    }
}

fn anomaly(
    kind: AnomalyKind,
    key: Key,
    explanation: String,
    parts: Vec<(OperationId, &str)>,
    edge: Option<Edge>,
) -> Anomaly {
    let mut operations: Vec<WitnessOperation> = parts
        .into_iter()
        .map(|(operation, role)| WitnessOperation { operation, role: role.into() })
        .collect();
    operations.sort_by_key(|it| it.operation);
    let witness = Witness::of(operations, edge.into_iter().collect());
    Anomaly { kind, key: Some(key), explanation, witness }
}

#[cfg(test)]
mod tests;
