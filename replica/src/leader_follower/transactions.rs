//! Transactions of the levels below `serializable`, which take time: one step after the other.
//!
//! - **Snapshot isolation** reads everything when it begins, and commits when its time is over.
//!   Whether another one came first is seen where the commit stands in the log.
//! - **Read committed** reads at each step what is applied then. What it writes is locked for
//!   others from that step until the commit is applied. A step that finds something locked tries
//!   again later, and gives up after [`TRIES_MAX`] times, which also ends deadlocks.
//! - **Read uncommitted** does the same, but sees what others have written and not committed.
//!
//! Increments and transfers read in one step and write in the next: what others do in between is
//! lost where nothing forbids it. A transaction is gone without a trace if its leader is deposed
//! before it commits.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use rand::RngExt;

use super::{NS_PER_MS, Part, Replica};
use crate::transaction::View;
use crate::{
    Command, Found, Isolation, NodeId, Operation, Outcome, Refusal, Reply, Request, Step, Writes,
};

/// How often a step tries to lock what another transaction has locked.
const TRIES_MAX: u32 = 10;

/// A transaction that has begun.
#[derive(Clone, Debug)]
struct Open {
    gateway: NodeId,
    request: Request,
    steps: Arc<[Step]>,
    /// Of the steps that are done.
    found: Vec<Found>,
    /// What the steps have written that are done. Others' locks.
    writes: Writes,
    /// What will be written with the step at hand, which has read already.
    staged: Option<Writes>,
    /// Of snapshot isolation: up to where the log had been applied when it began.
    snapshot: Option<u64>,
    tries: u32,
    /// When it goes on.
    due_ns: u64,
    /// Where its commit stands in the log.
    committed: Option<u64>,
}

/// The transactions that have begun on this node, in the order in which they did.
#[derive(Clone, Debug, Default)]
pub(super) struct Transactions {
    open: BTreeMap<u64, Open>,
    begun: u64,
}

/// What came of letting a transaction go on.
enum Progress {
    GoesOn,
    Commits,
    Ends(Outcome),
}

impl Transactions {
    pub(super) fn deadline_ns(&self) -> u64 {
        let waiting = self.open.values().filter(|open| open.committed.is_none());
        waiting.map(|open| open.due_ns).min().unwrap_or(u64::MAX)
    }

    fn others(&self, number: u64) -> impl Iterator<Item = &Writes> {
        let others = self.open.iter().filter(move |(other, _)| **other != number);
        others.map(|(_, open)| &open.writes)
    }

    /// Forgets those whose commits are applied: what they locked is free.
    pub(super) fn settle(&mut self, applied: u64) {
        self.open.retain(|_, open| open.committed.is_none_or(|position| position > applied));
    }
}

impl Replica {
    /// Whether a request is a transaction that takes time.
    pub(super) fn takes_steps(&self, command: &Command) -> bool {
        let Command::Transaction(_) = command else { return false };
        match self.settings.isolation {
            Isolation::Serializable => false,
            // A snapshot is read at once.
            Isolation::SnapshotIsolation => command.is_mutation(),
            Isolation::ReadCommitted | Isolation::ReadUncommitted => true,
        }
    }

    /// Begins a transaction on this node: the leader, unless it only reads.
    pub(super) fn begin_transaction(&mut self, gateway: NodeId, request: Request) {
        let Command::Transaction(steps) = &request.command else { return };
        let steps = steps.clone();
        let mut open = Open {
            gateway,
            request,
            steps,
            found: Vec::new(),
            writes: Writes::default(),
            staged: None,
            snapshot: None,
            tries: 0,
            due_ns: self.now.monotonic_ns,
            committed: None,
        };
        if self.settings.isolation == Isolation::SnapshotIsolation {
            let view = View { state: &self.state, dirty: Vec::new() };
            let Some((writes, found)) = view.run(&open.steps) else {
                self.end(&open, Outcome::Mismatch);
                return;
            };
            open.writes = writes;
            open.found = found.to_vec();
            open.snapshot = Some(self.applied);
            open.due_ns = self.after_steps(open.steps.len() as u64);
        }
        self.transactions.begun += 1;
        self.transactions.open.insert(self.transactions.begun, open);
        self.tick_transactions();
    }

    /// When so many steps are done. Steps of equal length would keep pace with each other.
    fn after_steps(&mut self, count: u64) -> u64 {
        let step_ns = self.settings.step_ms * NS_PER_MS;
        (0..count).fold(self.now.monotonic_ns, |due_ns, _| {
            due_ns.saturating_add(self.random.random_range(1..2 * step_ns))
        })
    }

    /// Lets those go on whose time has come.
    pub(super) fn tick_transactions(&mut self) {
        let now_ns = self.now.monotonic_ns;
        let due = |open: &Open| open.committed.is_none() && open.due_ns <= now_ns;
        let due = self.transactions.open.iter().filter(|(_, open)| due(open));
        let due: Vec<u64> = due.map(|(number, _)| *number).collect();
        for number in due {
            let Some(mut open) = self.transactions.open.remove(&number) else { continue };
            open.due_ns = self.after_steps(1);
            match self.go_on(number, &mut open) {
                Progress::GoesOn => {
                    self.transactions.open.insert(number, open);
                }
                Progress::Commits => self.commit_transaction(number, open),
                Progress::Ends(outcome) => self.end(&open, outcome),
            }
        }
    }

    /// The next step, or the end.
    fn go_on(&self, number: u64, open: &mut Open) -> Progress {
        let Some(&step) = open.steps.get(open.found.len()) else {
            return match open.writes.is_empty() {
                true => Progress::Ends(Outcome::Committed(mem::take(&mut open.found).into())),
                false => Progress::Commits,
            };
        };
        let dirty = match self.settings.isolation {
            Isolation::ReadUncommitted => self.transactions.others(number).collect(),
            _ => Vec::new(),
        };
        let view = View { state: &self.state, dirty };
        let (writes, found) = match open.staged.take() {
            Some(staged) => (staged, Found::Nothing),
            None => {
                let mut writes = open.writes.clone();
                let Some(found) = view.step(&mut writes, step) else {
                    return Progress::Ends(Outcome::Mismatch);
                };
                if step.reads_and_writes() {
                    open.staged = Some(writes);
                    return Progress::GoesOn;
                }
                (writes, found)
            }
        };
        if self.transactions.others(number).any(|other| other.overlaps(&writes)) {
            open.tries += 1;
            if open.tries > TRIES_MAX {
                return Progress::Ends(Outcome::Refused(Refusal::Locked));
            }
            if step.reads_and_writes() {
                open.staged = Some(writes);
            }
            return Progress::GoesOn;
        }
        open.tries = 0;
        open.writes = writes;
        open.found.push(found);
        Progress::GoesOn
    }

    fn commit_transaction(&mut self, number: u64, mut open: Open) {
        if !matches!(self.part, Part::Leader(_)) {
            self.end(&open, Outcome::Refused(Refusal::NotLeader));
            return;
        }
        let found = mem::take(&mut open.found).into();
        let operation =
            Operation::Commit { snapshot: open.snapshot, writes: Arc::new(open.writes.clone()) };
        open.committed = Some(self.log.last_position() + 1);
        let (gateway, request) = (open.gateway, open.request.clone());
        self.transactions.open.insert(number, open);
        self.propose(gateway, request, operation, Some(found));
        self.transactions.settle(self.applied);
    }

    /// Answers the client.
    fn end(&mut self, open: &Open, outcome: Outcome) {
        let reply: Reply = self.reply(&open.request, outcome);
        self.answer(open.gateway, reply);
    }

    /// Ends those that write, for this node no longer leads. Of those that wait for their commit
    /// the clients have been told.
    pub(super) fn abandon_transactions(&mut self) {
        let open = mem::take(&mut self.transactions.open);
        for (number, open) in open {
            if !open.request.command.is_mutation() {
                self.transactions.open.insert(number, open);
            } else if open.committed.is_none() {
                self.end(&open, Outcome::Refused(Refusal::NotLeader));
            }
        }
    }
}
