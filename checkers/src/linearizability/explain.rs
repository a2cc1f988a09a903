//! A contradiction in words.

use perjury_history::{History, Key, MicroOp, Operation, OperationId, Outcome, Reading, Value};

use super::register::RegisterOperation;
use super::sequential::Call;
use crate::wording::{by, end_ns, list, mutation, seconds};
use crate::{Anomaly, AnomalyKind, Edge, Witness, WitnessOperation};

type Calls<'a> = &'a [Call<RegisterOperation>];

/// What is known of one key's contradiction.
pub(crate) struct Contradiction<'a> {
    pub(crate) history: &'a History,
    pub(crate) key: Key,
    /// All operations on the key.
    pub(crate) operations: &'a [OperationId],
    /// Those that contradict each other by themselves.
    pub(crate) core: Calls<'a>,
    /// The one whose completion nothing explains; it is in the core.
    pub(crate) failing: Call<RegisterOperation>,
    /// What the key may have held just before.
    pub(crate) states: &'a [Reading],
}

/// Why it is a contradiction: the sentence, parts for some operations, and the order that counts.
struct Story {
    though: String,
    roles: Vec<(OperationId, String)>,
    edges: Vec<Edge>,
}

impl Story {
    fn new(though: String) -> Self {
        Self { though, roles: Vec::new(), edges: Vec::new() }
    }
}

impl Contradiction<'_> {
    pub(crate) fn anomaly(&self) -> Anomaly {
        let story = self
            .unwritten()
            .or_else(|| self.lost_update())
            .or_else(|| self.stale())
            .unwrap_or_else(|| self.no_order());
        let mut ids: Vec<OperationId> = self.core.iter().map(|call| call.id).collect();
        ids.extend(story.roles.iter().map(|(id, _)| *id));
        ids.sort_unstable();
        ids.dedup();
        let role = |id: OperationId| {
            let told = story.roles.iter().find(|(told, _)| *told == id);
            told.map_or_else(|| self.plain_role(id), |(_, role)| role.clone())
        };
        let operations =
            ids.into_iter().map(|id| WitnessOperation { operation: id, role: role(id) }).collect();
        Anomaly {
            kind: AnomalyKind::Nonlinearizable,
            key: Some(self.key),
            explanation: format!("{}{}.", self.event(), story.though),
            witness: Witness { operations, edges: story.edges },
        }
    }

    /// What the failing operation found in the register.
    fn observed(&self) -> Reading {
        self.failing.operation.observed().expect("only what observes can contradict")
    }

    /// `p7 read 12 from key 3 on n2 at 14.203 s`.
    fn event(&self) -> String {
        let operation = self.history.get(self.failing.id);
        let place = operation.served_by.map_or(String::new(), |node| format!(" on {node}"));
        let (process, key, at) = (operation.process, self.key, seconds(end_ns(&operation)));
        match self.failing.operation {
            RegisterOperation::Read(Reading::Nil) => {
                format!("{process} found key {key} empty{place} at {at}")
            }
            RegisterOperation::Read(Reading::Value(value)) => {
                format!("{process} read {value} from key {key}{place} at {at}")
            }
            RegisterOperation::Write(value) => {
                format!("{process} wrote {value} to key {key}{place} at {at}")
            }
            RegisterOperation::Cas(old, new) => format!(
                "{process}'s compare-and-set of key {key} from {old} to {new} \
                 succeeded{place} at {at}"
            ),
        }
    }

    /// It found a value that nobody had written.
    fn unwritten(&self) -> Option<Story> {
        let value = self.observed().value()?;
        if self.core.iter().any(|call| call.operation.written() == Some(value)) {
            return None;
        }
        let operations = self.operations.iter().map(|id| self.history.get(*id));
        let writers =
            operations.filter(|it| it.micro_ops.iter().any(|op| op.written() == Some(value)));
        let writers: Vec<Operation<'_>> = writers.collect();
        let failed = writers.iter().find(|it| it.outcome == Outcome::Fail);
        Some(match (failed, writers.first()) {
            (Some(failed), _) => {
                let mut story = Story::new(format!(
                    ", though {}'s {} had failed at {}{}",
                    failed.process,
                    self.words(failed),
                    seconds(end_ns(failed)),
                    failed.error.map_or(String::new(), |error| format!(" ({error})")),
                ));
                story.roles.push((failed.id, format!("failed to write {value}")));
                story
            }
            (None, Some(later)) => {
                let mut story = Story::new(format!(
                    ", before anyone had asked for that value: {}'s {} was asked at {}",
                    later.process,
                    self.words(later),
                    seconds(later.invoked_ns),
                ));
                story.roles.push((later.id, format!("wrote {value}, later")));
                story
            }
            (None, None) => Story::new(", a value that nobody wrote".into()),
        })
    }

    /// Two compare-and-sets replaced the same value.
    fn lost_update(&self) -> Option<Story> {
        let RegisterOperation::Cas(old, _) = self.failing.operation else { return None };
        let is_update = |call: &&Call<RegisterOperation>| matches!(call.operation, RegisterOperation::Cas(from, to) if from == old && to != old);
        let updates: Vec<_> = self.core.iter().filter(is_update).collect();
        let others = self.core.iter().filter(|call| !is_update(call));
        let plain = others.clone().filter(|call| call.operation.written().is_some()).count() == 1;
        let [one, other] = updates[..] else { return None };
        let other = self.history.get(if one.id == self.failing.id { other.id } else { one.id });
        if !plain || other.outcome != Outcome::Ok {
            return None;
        }
        let mut story = Story::new(format!(
            ", though {}'s {} had succeeded too ({}), and {old} was written once: one update is lost",
            other.process,
            self.words(&other),
            seconds(end_ns(&other)),
        ));
        story.roles.push((self.failing.id, format!("replaced {old}")));
        story.roles.push((other.id, format!("replaced {old} too")));
        Some(story)
    }

    /// It found a value although a newer one was known to be in place: some operation on the newer
    /// value had ended before it began, and some operation on the newer value began only after one
    /// on the older value had ended.
    fn stale(&self) -> Option<Story> {
        let failing = self.history.get(self.failing.id);
        let touches = |call: &Call<RegisterOperation>, value: Value| {
            call.operation.written() == Some(value)
                || call.operation.observed() == Some(Reading::Value(value))
        };
        let old = self.observed();
        let known = self.core.iter().filter(|call| self.ended(call).precedes(&failing));
        // A write tells more than a read, and a later one more than an earlier one.
        let mut known: Vec<_> = known.collect();
        known.sort_by_key(|call| {
            (call.operation.written().is_none(), std::cmp::Reverse(call.returned))
        });
        for seen in known {
            let latest = seen.operation.written().map(Reading::Value);
            let new = latest.or(seen.operation.observed()).filter(|new| *new != old);
            let Some(Reading::Value(new)) = new else { continue };
            if self.writers(new) != 1 {
                continue;
            }
            let Reading::Value(old) = old else { return Some(self.tell_stale(seen, new, None)) };
            if self.writers(old) != 1 {
                continue;
            }
            let before = self.core.iter().filter(|call| touches(call, old));
            for earlier in before {
                let follows = |call: &&Call<RegisterOperation>| {
                    touches(call, new) && self.ended(earlier).precedes(&self.history.get(call.id))
                };
                // The write itself, if it will do.
                let follower = self.core.iter().filter(follows).min_by_key(|call| call.invoked);
                if let Some(follower) = follower {
                    return Some(self.tell_stale(seen, new, Some((earlier, follower))));
                }
            }
        }
        None
    }

    fn tell_stale(
        &self,
        seen: &Call<RegisterOperation>,
        new: Value,
        order: Option<(&Call<RegisterOperation>, &Call<RegisterOperation>)>,
    ) -> Story {
        let mut story =
            Story::new(format!(", though {}, before {} began", self.had(seen), self.it()));
        story
            .roles
            .push((seen.id, format!("{}, before {} began", self.plain_role(seen.id), self.it())));
        story.edges.push(Edge {
            from: seen.id,
            to: self.failing.id,
            reason: format!("ended before {} began", self.it()),
        });
        let old = self.observed();
        story.roles.push((
            self.failing.id,
            match self.failing.operation {
                RegisterOperation::Cas(..) => format!("found the older {old}"),
                _ if old == Reading::Nil => "found nothing".into(),
                _ => format!("read the older {old}"),
            },
        ));
        if let Some((earlier, follower)) = order {
            let began = self.history.get(follower.id);
            story.though += &format!(
                "; {old} is older than {new}: {} at {}, before {}",
                self.had_without_time(earlier),
                seconds(end_ns(&self.history.get(earlier.id))),
                match follower.operation.written() {
                    Some(_) => format!("the {} was asked for", self.words(&began)),
                    None => format!("{} began to read {new}", began.process),
                },
            );
            story.edges.push(Edge {
                from: earlier.id,
                to: follower.id,
                reason: "ended before the other began".into(),
            });
        }
        story
    }

    /// Whatever else: what the key may have held.
    fn no_order(&self) -> Story {
        let mut states: Vec<String> = self
            .states
            .iter()
            .take(5)
            .map(|it| match it {
                Reading::Nil => "nothing".into(),
                Reading::Value(value) => value.to_string(),
            })
            .collect();
        let more = self.states.len() - states.len();
        if more > 0 {
            states.push(format!("one of {more} other values"));
        }
        Story::new(format!(
            ", but in every order of the earlier operations that explains their answers, key {} then \
             held {}",
            self.key,
            list(&states, "or"),
        ))
    }

    /// The operation as it stood at the contradiction: what was open then had not ended.
    fn ended(&self, call: &Call<RegisterOperation>) -> Operation<'_> {
        let operation = self.history.get(call.id);
        match call.returned {
            Some(_) => operation,
            None => Operation { outcome: Outcome::Info, completed: None, ..operation },
        }
    }

    fn writers(&self, value: Value) -> usize {
        self.core.iter().filter(|call| call.operation.written() == Some(value)).count()
    }

    /// What sentences call the failing operation.
    fn it(&self) -> &'static str {
        match self.failing.operation {
            RegisterOperation::Read(_) => "the read",
            RegisterOperation::Write(_) => "the write",
            RegisterOperation::Cas(..) => "the compare-and-set",
        }
    }

    fn words(&self, operation: &Operation<'_>) -> String {
        operation.single().map_or_else(|| "transaction".into(), mutation)
    }

    /// `p2's write of 19 had been acknowledged by n1 at 14.150 s`, `p3 had read 19 at 14.150 s`.
    fn had(&self, call: &Call<RegisterOperation>) -> String {
        let operation = self.history.get(call.id);
        format!("{} at {}", self.had_without_time(call), seconds(end_ns(&operation)))
    }

    fn had_without_time(&self, call: &Call<RegisterOperation>) -> String {
        let operation = self.history.get(call.id);
        match operation.single() {
            Some(MicroOp::Read { result, .. }) => {
                let found = result.unwrap_or(Reading::Nil);
                format!("{} had read {found}", operation.process)
            }
            _ => format!(
                "{}'s {} had been acknowledged{}",
                operation.process,
                self.words(&operation),
                by(operation.served_by)
            ),
        }
    }

    fn plain_role(&self, id: OperationId) -> String {
        let operation = self.history.get(id);
        let Some(only) = operation.single() else { return "took part".into() };
        let unknown = operation.outcome == Outcome::Info;
        match *only {
            MicroOp::Read { result, .. } | MicroOp::Inspect { result, .. } => {
                format!("read {}", result.unwrap_or(Reading::Nil))
            }
            MicroOp::Write { value, .. } if unknown => format!("wrote {value}, or not"),
            MicroOp::Write { value, .. } => format!("wrote {value}"),
            MicroOp::Cas { old, new, .. } if unknown => format!("replaced {old} by {new}, or not"),
            MicroOp::Cas { old, new, .. } => format!("replaced {old} by {new}"),
            ref other => mutation(other),
        }
    }
}
