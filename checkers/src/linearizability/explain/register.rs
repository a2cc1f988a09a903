//! What is most often wrong with a register, told as it happened.

use perjury_history::{MicroOp, Operation, Outcome, Reading, Value};

use super::{Contradiction, Story};
use crate::Edge;
use crate::linearizability::object::Call;
use crate::linearizability::object::SequentialObject as _;
use crate::linearizability::objects::register::{Register, RegisterOperation};
use crate::wording::{by, end_ns, mutation_in, seconds};

/// The story, if it is one of those that have a name.
pub(crate) fn story(contradiction: &Contradiction<'_, Register>) -> Option<Story> {
    contradiction
        .unwritten()
        .or_else(|| contradiction.lost_update())
        .or_else(|| contradiction.stale())
}

impl Contradiction<'_, Register> {
    /// What the failing operation found in the register.
    fn observed(&self) -> Reading {
        self.failing.operation.observed().expect("only what observes can contradict")
    }

    fn show(&self, value: Value) -> String {
        self.history.names().show(value).to_string()
    }

    /// It found a value that nobody had written.
    fn unwritten(&self) -> Option<Story> {
        let value = self.observed().value()?;
        if self.observed() == self.object.initial() {
            return None;
        }
        let shown = self.show(value);
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
                    self.mutation(failed),
                    seconds(end_ns(failed)),
                    failed.error.map_or(String::new(), |error| format!(" ({error})")),
                ));
                story.roles.push((failed.id, format!("failed to write {shown}")));
                story
            }
            (None, Some(later)) => {
                let mut story = Story::new(format!(
                    ", before anyone had asked for that value: {}'s {} was asked at {}",
                    later.process,
                    self.mutation(later),
                    seconds(later.invoked_ns),
                ));
                story.roles.push((later.id, format!("wrote {shown}, later")));
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
            self.mutation(&other),
            seconds(end_ns(&other)),
            old = self.show(old),
        ));
        let old = self.show(old);
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
        let old = self.observed().value().map(|old| self.show(old));
        story.roles.push((
            self.failing.id,
            match (self.failing.operation, &old) {
                (RegisterOperation::Cas(..), Some(old)) => format!("found the older {old}"),
                (_, Some(old)) => format!("read the older {old}"),
                (_, None) => "found nothing".into(),
            },
        ));
        if let Some((earlier, follower)) = order {
            let began = self.history.get(follower.id);
            let (old, new) = (old.unwrap_or_default(), self.show(new));
            story.though += &format!(
                "; {old} is older than {new}: {} at {}, before {}",
                self.had_without_time(earlier),
                seconds(end_ns(&self.history.get(earlier.id))),
                match follower.operation.written() {
                    Some(_) => format!("the {} was asked for", self.mutation(&began)),
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

    fn mutation(&self, operation: &Operation<'_>) -> String {
        mutation_in(self.history.names(), operation)
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
                let found = result.and_then(Reading::value);
                let found = found.map_or_else(|| "nil".to_owned(), |value| self.show(value));
                format!("{} had read {found}", operation.process)
            }
            _ => format!(
                "{}'s {} had been acknowledged{}",
                operation.process,
                self.mutation(&operation),
                by(operation.served_by)
            ),
        }
    }
}
