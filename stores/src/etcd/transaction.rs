//! Transactions of several micro-operations.
//!
//! etcd's own transactions cannot put what depends on what they read. So there are two requests: one
//! reads all that is needed, at one revision; then all is put, if nothing of what was read has changed
//! since. Somebody who came first makes it fail. What only reads, or only puts, is one request.
//!
//! Lists and counters are values that are read and put anew, so they are transactions even alone.

use std::collections::{BTreeMap, BTreeSet};

use perjury_history::{Key, MicroOp, Reading, Value, Version};
use serde_json::json;
use tokio::time::Instant;

use super::classify::{Effect, classify};
use super::client::{EtcdClient, version};
use super::messages::{self, Place, Ranges};
use crate::Answer;

/// What is read and will be put.
#[derive(Debug, Default)]
struct Workspace {
    /// What was read, with what the transaction itself has done to it: one value at most, but of
    /// lists and sets all elements.
    held: BTreeMap<Place, Vec<Value>>,
    put: BTreeSet<Place>,
    added: BTreeSet<(Key, Value)>,
}

/// What must be known before a micro-operation can be done.
///
/// # Errors
/// If transactions have no such thing.
fn needed(micro_op: &MicroOp) -> Result<Vec<Place>, Answer> {
    Ok(match *micro_op {
        MicroOp::Read { key, .. } | MicroOp::Cas { key, .. } => vec![Place::Register(key)],
        MicroOp::ReadCounter { key, .. } | MicroOp::Increment { key, .. } => {
            vec![Place::Counter(key)]
        }
        MicroOp::ReadList { key, .. } | MicroOp::Append { key, .. } => vec![Place::List(key)],
        MicroOp::ReadSet { key, .. } => vec![Place::Set(key)],
        MicroOp::Transfer { from, to, .. } => vec![Place::Register(from), Place::Register(to)],
        MicroOp::Write { .. } | MicroOp::Add { .. } => Vec::new(),
        ref other => {
            return Err(Answer::Fail(format!("etcd's transactions have no {}", other.function())));
        }
    })
}

impl Workspace {
    fn one(&self, place: Place) -> Option<Value> {
        self.held.get(&place).and_then(|held| held.first()).copied()
    }

    fn all(&self, place: Place) -> &[Value] {
        self.held.get(&place).map_or(&[], Vec::as_slice)
    }

    fn set(&mut self, place: Place, values: Vec<Value>) {
        self.held.insert(place, values);
        self.put.insert(place);
    }

    /// Does a micro-operation; `None` if it must fail.
    fn step(&mut self, micro_op: &MicroOp) -> Option<MicroOp> {
        match *micro_op {
            MicroOp::Read { key, .. } => {
                let held = self.one(Place::Register(key));
                return Some(MicroOp::Read { key, result: Some(Reading::from(held)) });
            }
            MicroOp::ReadCounter { key, .. } => {
                let result = Some(self.one(Place::Counter(key)).unwrap_or(0));
                return Some(MicroOp::ReadCounter { key, result });
            }
            MicroOp::ReadList { key, .. } => {
                let result = Some(self.all(Place::List(key)).into());
                return Some(MicroOp::ReadList { key, result });
            }
            MicroOp::ReadSet { key, .. } => {
                let result = Some(self.all(Place::Set(key)).into());
                return Some(MicroOp::ReadSet { key, result });
            }
            MicroOp::Write { key, value } => self.set(Place::Register(key), vec![value]),
            MicroOp::Cas { key, old, new } => {
                self.one(Place::Register(key)).filter(|held| *held == old)?;
                self.set(Place::Register(key), vec![new]);
            }
            MicroOp::Increment { key, delta } => {
                let before = self.one(Place::Counter(key)).unwrap_or(0);
                self.set(Place::Counter(key), vec![before.checked_add(delta)?]);
            }
            MicroOp::Append { key, value } => {
                let list = [self.all(Place::List(key)), &[value]].concat();
                self.set(Place::List(key), list);
            }
            MicroOp::Add { key, value } => {
                self.added.insert((key, value));
                if let Some(held) = self.held.get_mut(&Place::Set(key))
                    && !held.contains(&value)
                {
                    held.push(value);
                }
            }
            MicroOp::Transfer { from, to, amount } => {
                let held = self.one(Place::Register(from)).filter(|held| *held >= amount)?;
                self.set(Place::Register(from), vec![held.checked_sub(amount)?]);
                let held = self.one(Place::Register(to))?;
                self.set(Place::Register(to), vec![held.checked_add(amount)?]);
            }
            _ => return None,
        }
        Some(micro_op.clone())
    }

    fn puts(&self) -> Vec<serde_json::Value> {
        let places = self.put.iter().map(|&place| messages::put_at(place, self.all(place)));
        let added = self.added.iter().map(|&(key, value)| messages::add(key, value));
        places.chain(added).map(|put| json!({ "request_put": put })).collect()
    }
}

impl EtcdClient {
    /// Does all or nothing; the version is the revision that it made.
    pub(super) async fn transact(
        &mut self,
        operation: &[MicroOp],
        deadline: Instant,
    ) -> Result<(Vec<MicroOp>, Option<Version>), Answer> {
        let mut places = BTreeSet::new();
        for micro_op in operation {
            places.extend(needed(micro_op)?);
        }
        let places: Vec<Place> = places.into_iter().collect();
        let (mut workspace, unchanged) = self.look(&places, deadline).await?;
        let mut done = Vec::with_capacity(operation.len());
        for micro_op in operation {
            let step = workspace.step(micro_op);
            done.push(step.ok_or_else(|| Answer::Fail("mismatch".to_owned()))?);
        }
        let puts = workspace.puts();
        if puts.is_empty() {
            return Ok((done, None));
        }
        let commit = json!({ "compare": unchanged, "success": puts });
        let written = self.change(messages::TXN, &commit, deadline).await?;
        match written.succeeded {
            true => Ok((done, Some(version(written.header.revision)))),
            false => Err(Answer::Fail("another transaction came first".to_owned())),
        }
    }

    /// All that is needed at one revision, and the comparisons that hold as long as it is so.
    async fn look(
        &mut self,
        places: &[Place],
        deadline: Instant,
    ) -> Result<(Workspace, Vec<serde_json::Value>), Answer> {
        let mut workspace = Workspace::default();
        let mut unchanged = Vec::new();
        if places.is_empty() {
            return Ok((workspace, unchanged));
        }
        let reads = self.settings.reads;
        let ranges = places.iter().map(|&place| messages::range_of(place, reads));
        let ranges: Vec<_> = ranges.map(|range| json!({ "request_range": range })).collect();
        let request = json!({ "success": ranges });
        let found: Ranges = self.ask(messages::TXN, &request, Effect::Reads, deadline).await?;
        let unreadable = |error| classify(&error, Effect::Reads);
        let ranges = found.ranges(places.len()).map_err(unreadable)?;
        for (&place, range) in places.iter().zip(ranges) {
            workspace.held.insert(place, range.values(place).map_err(unreadable)?);
            unchanged.push(messages::unchanged(place, range, found.header.revision));
        }
        Ok((workspace, unchanged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_see_what_was_read_and_what_they_did() {
        let mut workspace = Workspace::default();
        workspace.held.insert(Place::Register(1), vec![5]);
        workspace.held.insert(Place::List(1), vec![7]);
        workspace.held.insert(Place::Set(1), vec![]);
        workspace.held.insert(Place::Register(2), vec![0]);
        let steps = [
            MicroOp::Transfer { from: 1, to: 2, amount: 2 },
            MicroOp::read(1),
            MicroOp::Append { key: 1, value: 8 },
            MicroOp::read_list(1),
            MicroOp::Add { key: 1, value: 9 },
            MicroOp::read_set(1),
            MicroOp::Increment { key: 1, delta: 3 },
            MicroOp::read_counter(1),
        ];
        let done = steps.iter().map(|step| workspace.step(step).expect("it can be done"));
        let done: Vec<_> = done.map(|step| step.to_string()).collect();
        let expected = [
            "transfer 1 2 2",
            "read 1 -> 3",
            "append 1 8",
            "read-list 1 -> [7, 8]",
            "add 1 9",
            "read-set 1 -> {9}",
            "increment 1 3",
            "read-counter 1 -> 3",
        ];
        assert_eq!(done, expected);
        assert_eq!(workspace.puts().len(), 5, "two accounts, a list, a counter and an element");
        assert_eq!(workspace.step(&MicroOp::Transfer { from: 1, to: 2, amount: 4 }), None);
        assert_eq!(workspace.step(&MicroOp::Transfer { from: 2, to: 3, amount: 1 }), None);
    }
}
