//! The levels: what a transaction sees, and whether it may commit.
//!
//! Commits are in one order, and so are the versions of each key. That order is what makes a level
//! right by construction: it is the order that its definition asks for.
//!
//! Lists grow at the commit, after whatever was committed before. A list that is read is then always
//! the beginning of the one that is there in the end, as its readers expect of versions. Where views
//! have gaps, that needs care: a view that sees an element also sees those before it
//! ([`Database::some_commits`], [`Database::commit`]). And where another transaction's append may come
//! between a transaction's own and its commit, it does not read the list again
//! ([`Database::rereads`]).

use perjury_history::{Key, MicroOp, Reading, Value};
use rand::RngExt as _;
use rand_pcg::Pcg64;

use crate::store::{Commit, Store, TransactionId, View};
use crate::{Level, Settings, Workload};

/// How many commits back a view may begin where it may be old.
const COMMITS_BACK_MAX: u32 = 24;

/// A transaction as the database knows it.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) id: TransactionId,
    pub(crate) client: u32,
    pub(crate) micro_ops: Vec<MicroOp>,
    /// What it sees; none where each read sees what is there.
    view: Option<View>,
    /// A key was taken by another.
    doomed: bool,
}

/// When a level looks at the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LooksAt {
    /// When it commits: all of it happens then.
    Commit,
    /// When it begins.
    Begin,
    /// At every step.
    EveryStep,
}

#[derive(Debug)]
pub(crate) struct Database {
    level: Level,
    workload: Workload,
    store: Store,
    commits: Commit,
    /// The keys that each commit wrote, where views have gaps.
    written: Vec<Vec<Key>>,
    /// Of each site, what it has heard of: of every site so many commits.
    heard: Vec<Vec<u32>>,
    /// Of each client, the commits up to its last one or to what it has seen.
    seen: Vec<Commit>,
}

impl Database {
    pub(crate) fn new(settings: &Settings) -> Self {
        let sites = match settings.level {
            Level::ParallelSnapshotIsolation | Level::Causal => settings.sites as usize,
            _ => 0,
        };
        Self {
            level: settings.level,
            workload: settings.workload,
            store: Store::new(sites),
            commits: 0,
            written: Vec::new(),
            heard: vec![vec![0; sites]; sites],
            seen: vec![0; settings.processes as usize],
        }
    }

    pub(crate) fn looks(&self) -> LooksAt {
        match self.level {
            Level::StrictSerializable | Level::StrongSessionSerializable | Level::Serializable => {
                LooksAt::Commit
            }
            Level::SnapshotIsolation
            | Level::ParallelSnapshotIsolation
            | Level::Prefix
            | Level::Causal
            | Level::ReadAtomic => LooksAt::Begin,
            Level::ReadCommitted | Level::ReadUncommitted | Level::NoIsolation => {
                LooksAt::EveryStep
            }
        }
    }

    /// Whether a transaction may read what it wrote itself: not a list to which others may have
    /// appended when it commits.
    pub(crate) fn rereads(&self) -> bool {
        self.workload == Workload::Register
            || !matches!(
                self.level,
                Level::Prefix | Level::Causal | Level::ReadAtomic | Level::ReadCommitted
            )
    }

    /// The site of a client, where there are any.
    pub(crate) fn site(&self, client: u32) -> Option<u32> {
        (self.store.sites.count > 0).then(|| client % self.store.sites.count as u32)
    }

    pub(crate) fn begin(
        &self,
        id: TransactionId,
        client: u32,
        micro_ops: Vec<MicroOp>,
    ) -> Transaction {
        Transaction { id, client, micro_ops, view: None, doomed: false }
    }

    /// Takes the view of a transaction that [looks when it begins](LooksAt::Begin), and reads.
    pub(crate) fn look(&mut self, transaction: &mut Transaction, random: &mut Pcg64) {
        let view = match self.level {
            Level::ParallelSnapshotIsolation | Level::Causal => {
                self.site_view(transaction.client, random)
            }
            Level::ReadAtomic => self.some_commits(transaction.client, random),
            _ => View::Before(self.commits),
        };
        self.read_all(transaction, &view);
        transaction.view = Some(view);
    }

    /// What a client's site knows now. It hears of some of the others' commits first.
    fn site_view(&mut self, client: u32, random: &mut Pcg64) -> View {
        let sites = &self.store.sites;
        let site = client as usize % sites.count;
        for other in (0..sites.count).filter(|other| *other != site) {
            let count = sites.commits[other].len();
            let back = random.random_range(0..=COMMITS_BACK_MAX) as usize;
            if let Some(last) = count.checked_sub(back + 1) {
                // What a commit depends on comes with it.
                let clock = sites.clock(sites.commits[other][last]);
                join(&mut self.heard[site], clock);
            }
        }
        View::Sites(self.heard[site].clone())
    }

    /// Whole transactions: all up to a point, among them the client's own, and some beyond it. One
    /// that wrote a key after a transaction that is missing is missing too.
    fn some_commits(&self, client: u32, random: &mut Pcg64) -> View {
        let back = random.random_range(0..=COMMITS_BACK_MAX);
        let end = self.commits.saturating_sub(back).max(self.seen[client as usize]);
        let (mut more, mut missing): (Vec<Commit>, Vec<Key>) = (Vec::new(), Vec::new());
        for commit in end..self.commits {
            let keys = &self.written[commit as usize];
            match random.random() && !keys.iter().any(|key| missing.contains(key)) {
                true => more.push(commit),
                false => missing.extend(keys),
            }
        }
        View::Some(end, more)
    }

    /// Answers all reads from one view and the transaction's own writes.
    fn read_all(&mut self, transaction: &mut Transaction, view: &View) {
        for index in 0..transaction.micro_ops.len() {
            let (before, rest) = transaction.micro_ops.split_at_mut(index);
            self.read(before, &mut rest[0], view);
        }
    }

    fn read(&mut self, before: &[MicroOp], micro_op: &mut MicroOp, view: &View) {
        match micro_op {
            MicroOp::Read { key, result } => {
                let own = before.iter().rev().find(|it| it.key() == *key && it.is_mutation());
                let own = own.and_then(MicroOp::argument);
                *result = Some(Reading::from(own.or_else(|| self.store.value(*key, view))));
            }
            MicroOp::ReadList { key, result } => {
                let own = before.iter().filter(|it| it.key() == *key);
                let own: Vec<Value> = own.filter_map(MicroOp::argument).collect();
                *result = Some(self.store.list(*key, view, &own));
            }
            _ => {}
        }
    }

    /// Does one step of a transaction that [looks at every step](LooksAt::EveryStep).
    pub(crate) fn step(&mut self, transaction: &mut Transaction, index: usize) {
        let view = View::Before(self.commits);
        let (before, rest) = transaction.micro_ops.split_at_mut(index);
        let micro_op = &mut rest[0];
        let (key, written) = (micro_op.key(), micro_op.argument());
        match (self.level, written) {
            (Level::NoIsolation, Some(value)) => {
                // A commit of its own.
                self.store.push(key, value, self.commits);
                self.commits += 1;
            }
            (Level::NoIsolation, None) => self.read(&[], micro_op, &view),
            (Level::ReadUncommitted, Some(value)) => {
                let doomed =
                    transaction.doomed || !self.store.write_uncommitted(transaction.id, key, value);
                transaction.doomed = doomed;
            }
            (Level::ReadUncommitted, None) => self.read_uncommitted(micro_op, &view),
            (_, Some(_)) => {}
            (_, None) => self.read(before, micro_op, &view),
        }
    }

    /// Reads what is there, committed or not.
    fn read_uncommitted(&mut self, micro_op: &mut MicroOp, view: &View) {
        match micro_op {
            MicroOp::Read { key, result } => {
                let uncommitted = self.store.uncommitted(*key).last().copied();
                let value = uncommitted.or_else(|| self.store.value(*key, view));
                *result = Some(Reading::from(value));
            }
            MicroOp::ReadList { key, result } => {
                let uncommitted = self.store.uncommitted(*key).to_vec();
                *result = Some(self.store.list(*key, view, &uncommitted));
            }
            _ => {}
        }
    }

    /// Commits, if the level allows it.
    pub(crate) fn commit(&mut self, transaction: &mut Transaction, random: &mut Pcg64) -> bool {
        let only_reads = !transaction.micro_ops.iter().any(MicroOp::is_mutation);
        if self.looks() == LooksAt::Commit {
            let end = match only_reads {
                true => self.old(transaction.client, random),
                false => self.commits,
            };
            self.read_all(transaction, &View::Before(end));
            let seen = &mut self.seen[transaction.client as usize];
            *seen = (*seen).max(end);
        }
        let conflicts =
            matches!(self.level, Level::SnapshotIsolation | Level::ParallelSnapshotIsolation)
                && transaction.view.as_ref().is_some_and(|view| {
                    let mut written = transaction.micro_ops.iter().filter(|it| it.is_mutation());
                    written.any(|it| !self.store.sees_newest(view, it.key()))
                });
        if conflicts || transaction.doomed {
            self.abort(transaction);
            return false;
        }
        if !only_reads && self.level != Level::NoIsolation {
            self.write_all(transaction);
        }
        true
    }

    /// Where the view of a transaction that only reads ends.
    fn old(&self, client: u32, random: &mut Pcg64) -> Commit {
        let old = |random: &mut Pcg64| {
            self.commits.saturating_sub(random.random_range(0..=COMMITS_BACK_MAX))
        };
        match self.level {
            Level::StrongSessionSerializable => old(random).max(self.seen[client as usize]),
            Level::Serializable => old(random),
            _ => self.commits,
        }
    }

    fn write_all(&mut self, transaction: &Transaction) {
        let commit = self.commits;
        self.commits += 1;
        let micro_ops = &transaction.micro_ops;
        if self.store.sites.count > 0 {
            self.tell_site(transaction, commit);
        }
        if self.level == Level::ReadAtomic {
            let written = micro_ops.iter().filter(|it| it.is_mutation());
            self.written.push(written.map(MicroOp::key).collect());
        }
        for (index, micro_op) in micro_ops.iter().enumerate() {
            let Some(value) = micro_op.argument() else { continue };
            let key = micro_op.key();
            self.store.release(transaction.id, key);
            // Of a register only the last value is a version.
            let is_last = || !micro_ops[index + 1..].iter().any(|it| overwrites(it, key));
            if self.workload == Workload::Append || is_last() {
                self.store.push(key, value, commit);
            }
        }
        self.seen[transaction.client as usize] = self.commits;
    }

    /// A transaction's site knows it, and before it what its lists had.
    fn tell_site(&mut self, transaction: &Transaction, commit: Commit) {
        let site = transaction.client as usize % self.store.sites.count;
        let heard = &mut self.heard[site];
        if self.workload == Workload::Append {
            for micro_op in transaction.micro_ops.iter().filter(|it| it.is_mutation()) {
                if let Some(newest) = self.store.newest(micro_op.key()) {
                    join(heard, self.store.sites.clock(newest));
                }
            }
        }
        heard[site] += 1;
        self.store.sites.push(site as u32, commit, heard);
    }

    /// Takes back what a transaction did, as far as the level does.
    pub(crate) fn abort(&mut self, transaction: &Transaction) {
        if self.level == Level::ReadUncommitted {
            for micro_op in &transaction.micro_ops {
                self.store.release(transaction.id, micro_op.key());
            }
        }
    }
}

fn overwrites(micro_op: &MicroOp, key: Key) -> bool {
    micro_op.is_mutation() && micro_op.key() == key
}

/// Whatever either knows.
fn join(heard: &mut [u32], clock: &[u32]) {
    for (heard, told) in heard.iter_mut().zip(clock) {
        *heard = (*heard).max(*told);
    }
}
