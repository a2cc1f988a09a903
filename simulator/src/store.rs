//! The versions of every key, in the order of commits, and which of them a view sees.

use perjury_history::{Elements, Key, Value};

/// Position in the order of commits, from 0.
pub(crate) type Commit = u32;

/// Number of a transaction in the order in which they began.
pub(crate) type TransactionId = u32;

/// What a transaction may read.
#[derive(Clone, Debug)]
pub(crate) enum View {
    /// All commits before this one.
    Before(Commit),
    /// Of each site, so many commits.
    Sites(Vec<u32>),
    /// All commits before the first, and these beyond it.
    Some(Commit, Vec<Commit>),
}

/// Where a commit was made, where the database has sites: the site, which commit of the site it is
/// (from 1), and of every site how many commits it depends on, itself included.
#[derive(Debug, Default)]
pub(crate) struct Sites {
    pub(crate) count: usize,
    origins: Vec<(u32, u32)>,
    clocks: Vec<u32>,
    /// The commits of each site.
    pub(crate) commits: Vec<Vec<Commit>>,
}

impl Sites {
    pub(crate) fn new(count: usize) -> Self {
        Self { count, commits: vec![Vec::new(); count], ..Self::default() }
    }

    pub(crate) fn clock(&self, commit: Commit) -> &[u32] {
        let start = commit as usize * self.count;
        &self.clocks[start..start + self.count]
    }

    /// Adds the next commit. `clock` is what its site knows, itself included.
    pub(crate) fn push(&mut self, site: u32, commit: Commit, clock: &[u32]) {
        self.origins.push((site, clock[site as usize]));
        self.clocks.extend_from_slice(clock);
        self.commits[site as usize].push(commit);
    }
}

#[derive(Clone, Copy, Debug)]
struct Version {
    value: Value,
    commit: Commit,
}

#[derive(Debug, Default)]
struct Versions {
    all: Vec<Version>,
    /// Lists that were read, by how many versions they have.
    lists: Vec<Option<Elements>>,
    /// What is written and not committed, and by whom.
    uncommitted: Option<(TransactionId, Vec<Value>)>,
}

/// All versions of all keys.
#[derive(Debug)]
pub(crate) struct Store {
    keys: Vec<Versions>,
    pub(crate) sites: Sites,
}

impl Store {
    /// An empty store on so many sites.
    pub(crate) fn new(sites: usize) -> Self {
        Self { keys: Vec::new(), sites: Sites::new(sites) }
    }

    fn versions(&self, key: Key) -> Option<&Versions> {
        self.keys.get(key as usize)
    }

    fn versions_mut(&mut self, key: Key) -> &mut Versions {
        let index = key as usize;
        if index >= self.keys.len() {
            self.keys.resize_with(index + 1, Versions::default);
        }
        &mut self.keys[index]
    }

    /// Adds a version, the newest of its key.
    pub(crate) fn push(&mut self, key: Key, value: Value, commit: Commit) {
        self.versions_mut(key).all.push(Version { value, commit });
    }

    /// The newest commit of a key.
    pub(crate) fn newest(&self, key: Key) -> Option<Commit> {
        self.versions(key)?.all.last().map(|version| version.commit)
    }

    fn sees(&self, view: &View, commit: Commit) -> bool {
        match view {
            View::Before(end) => commit < *end,
            View::Sites(clock) => {
                let (site, number) = self.sites.origins[commit as usize];
                number <= clock[site as usize]
            }
            View::Some(end, more) => commit < *end || more.contains(&commit),
        }
    }

    /// Whether a view has the newest version of a key.
    pub(crate) fn sees_newest(&self, view: &View, key: Key) -> bool {
        self.newest(key).is_none_or(|commit| self.sees(view, commit))
    }

    /// How many versions there are up to the newest that a view sees.
    fn visible(&self, key: Key, view: &View) -> usize {
        let versions = self.versions(key).map_or(&[][..], |it| &it.all);
        versions.iter().rposition(|it| self.sees(view, it.commit)).map_or(0, |index| index + 1)
    }

    /// The value that a register has in a view.
    pub(crate) fn value(&self, key: Key, view: &View) -> Option<Value> {
        let newest = self.visible(key, view).checked_sub(1)?;
        Some(self.versions(key)?.all[newest].value)
    }

    /// The elements that a list has in a view, then `more`.
    pub(crate) fn list(&mut self, key: Key, view: &View, more: &[Value]) -> Elements {
        let length = self.visible(key, view);
        let versions = self.versions_mut(key);
        if versions.lists.len() <= length {
            versions.lists.resize(length + 1, None);
        }
        let elements = versions.all[..length].iter().map(|it| it.value);
        if !more.is_empty() {
            return elements.chain(more.iter().copied()).collect();
        }
        versions.lists[length].get_or_insert_with(|| elements.collect()).clone()
    }

    /// What is written to a key and not committed.
    pub(crate) fn uncommitted(&self, key: Key) -> &[Value] {
        let uncommitted = self.versions(key).and_then(|it| it.uncommitted.as_ref());
        uncommitted.map_or(&[], |(_, values)| values)
    }

    /// Writes without committing, unless another transaction has done so.
    pub(crate) fn write_uncommitted(&mut self, id: TransactionId, key: Key, value: Value) -> bool {
        let (writer, values) =
            self.versions_mut(key).uncommitted.get_or_insert_with(|| (id, Vec::new()));
        if *writer != id {
            return false;
        }
        values.push(value);
        true
    }

    /// Takes back what a transaction wrote and did not commit.
    pub(crate) fn release(&mut self, id: TransactionId, key: Key) {
        let uncommitted = &mut self.versions_mut(key).uncommitted;
        if uncommitted.as_ref().is_some_and(|(writer, _)| *writer == id) {
            *uncommitted = None;
        }
    }
}
