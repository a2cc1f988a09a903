//! What is most often wrong with a queue, a bag or a stack, told as it happened.

use perjury_history::{MicroOp, Operation, Outcome, Reading, Value};

use super::{Contradiction, Story};
use crate::Edge;
use crate::linearizability::object::{Call, SequentialObject};
use crate::linearizability::objects::bag::Bag;
use crate::linearizability::objects::container::ContainerOperation::{self, Empty, Put, Take};
use crate::linearizability::objects::queue::Queue;
use crate::linearizability::objects::stack::Stack;
use crate::wording::{by, end_ns, list, mutation_in, seconds};

/// Values that are told one by one at most.
const TOLD_MAX: usize = 3;

/// The story of a queue, if it is one of those that have a name.
pub(crate) fn of_queue(contradiction: &Contradiction<'_, Queue>) -> Option<Story> {
    contradiction.in_any_container().or_else(|| contradiction.out_of_turn())
}

/// The story of a bag.
pub(crate) fn of_bag(contradiction: &Contradiction<'_, Bag>) -> Option<Story> {
    contradiction.in_any_container()
}

/// The story of a stack.
pub(crate) fn of_stack(contradiction: &Contradiction<'_, Stack>) -> Option<Story> {
    contradiction.in_any_container().or_else(|| contradiction.lay_below())
}

impl Contradiction<'_, Queue> {
    /// It took a value although another one was ahead.
    fn out_of_turn(&self) -> Option<Story> {
        let (value, other) = self.only_other()?;
        let (put, other_put) = (self.put(value)?, self.put(other)?);
        if !self.ended(other_put).precedes(&self.history.get(put.id)) {
            return None;
        }
        let (shown, other_shown) = (self.show(value), self.show(other));
        let mut story = Story::new(format!(
            ", though {other_shown} was ahead of it: {} at {}, before the {} was asked for; {}",
            self.was_put(other_put),
            seconds(end_ns(&self.history.get(other_put.id))),
            self.mutation(put),
            self.until(other),
        ));
        story.edges.push(self.edge(other_put, put));
        story.roles = vec![
            (other_put.id, format!("put in {other_shown} first")),
            (put.id, format!("put in {shown} afterwards")),
            (self.failing.id, format!("took {shown} first")),
        ];
        Some(story)
    }
}

impl Contradiction<'_, Stack> {
    /// It took a value although another one lay on top.
    fn lay_below(&self) -> Option<Story> {
        let (value, other) = self.only_other()?;
        let (put, other_put) = (self.put(value)?, self.put(other)?);
        let in_order = self.ended(put).precedes(&self.history.get(other_put.id))
            && self.ended(other_put).precedes(&self.history.get(self.failing.id));
        if !in_order {
            return None;
        }
        let (shown, other_shown) = (self.show(value), self.show(other));
        let mut story = Story::new(format!(
            ", though {other_shown} lay on top of it: {} at {}, before the {} was asked for, and that \
             one at {}, before the {} began; {}",
            self.was_put(put),
            seconds(end_ns(&self.history.get(put.id))),
            self.mutation(other_put),
            seconds(end_ns(&self.history.get(other_put.id))),
            self.function(),
            self.until(other),
        ));
        story.edges.extend([self.edge(put, other_put), self.edge(other_put, self.failing)]);
        story.roles = vec![
            (put.id, format!("put in {shown} first")),
            (other_put.id, format!("put {other_shown} on top")),
            (self.failing.id, format!("took {shown} from below")),
        ];
        Some(story)
    }
}

impl<M: SequentialObject<Operation = ContainerOperation>> Contradiction<'_, M> {
    fn in_any_container(&self) -> Option<Story> {
        match self.failing.operation {
            Take(value) => self.never_put(value).or_else(|| self.taken_twice(value)),
            Empty => self.never_empty(),
            _ => None,
        }
    }

    /// It took a value that nobody had put in.
    fn never_put(&self, value: Value) -> Option<Story> {
        if self.put(value).is_some() {
            return None;
        }
        let puts = |micro_op: &MicroOp| match *micro_op {
            MicroOp::Enqueue { value: it, .. } | MicroOp::Push { value: it, .. } => it == value,
            _ => false,
        };
        let operations = self.operations.iter().map(|id| self.history.get(*id));
        let puts: Vec<Operation<'_>> =
            operations.filter(|it| it.micro_ops.iter().any(puts)).collect();
        let failed = puts.iter().find(|it| it.outcome == Outcome::Fail);
        let names = self.history.names();
        let (though, role) = match (failed, puts.first()) {
            (Some(failed), _) => (
                format!(
                    ", though {}'s {} had failed at {}{}",
                    failed.process,
                    mutation_in(names, failed),
                    seconds(end_ns(failed)),
                    failed.error.map_or(String::new(), |error| format!(" ({error})")),
                ),
                Some((failed.id, format!("failed to put in {}", self.show(value)))),
            ),
            (None, Some(later)) => (
                format!(
                    ", before anyone had asked for that: {}'s {} was asked at {}",
                    later.process,
                    mutation_in(names, later),
                    seconds(later.invoked_ns),
                ),
                Some((later.id, format!("put in {}, later", self.show(value)))),
            ),
            (None, None) => (format!(", a value that nobody {}", self.put_in()), None),
        };
        Some(Story { though, roles: role.into_iter().collect(), ..Story::default() })
    }

    /// It took a value that was put in once and that another had taken.
    fn taken_twice(&self, value: Value) -> Option<Story> {
        let of_value = |call: &&Call<ContainerOperation>| call.operation.value() == Some(value);
        let is_other = |call: &&Call<ContainerOperation>| {
            call.operation == Take(value) && call.id != self.failing.id && call.returned.is_some()
        };
        let other = self.core.iter().find(is_other)?;
        if self.core.iter().filter(of_value).filter(|it| it.operation == Put(value)).count() > 1 {
            return None;
        }
        let (put, taken) = (self.put(value)?, self.history.get(other.id));
        let shown = self.show(value);
        let mut story = Story::new(format!(
            ", though {} {} it, too, at {}, and it was {} only once",
            taken.process,
            self.taken(),
            seconds(end_ns(&taken)),
            self.put_in(),
        ));
        story.roles = vec![
            (put.id, format!("put in {shown}")),
            (other.id, format!("took {shown}")),
            (self.failing.id, format!("took {shown} again")),
        ];
        Some(story)
    }

    /// It found the container empty although something was inside all the time.
    fn never_empty(&self) -> Option<Story> {
        let mut puts: Vec<&Call<ContainerOperation>> =
            self.core.iter().filter(|call| matches!(call.operation, Put(_))).collect();
        puts.sort_by_key(|call| call.returned);
        // Only known puts, takes and this one: else it is not so simple.
        let takes = self.core.iter().filter(|call| matches!(call.operation, Take(_))).count();
        if puts.len() + takes + 1 != self.core.len() || puts.len() > TOLD_MAX {
            return None;
        }
        let value = |put: &&Call<ContainerOperation>| put.operation.value();
        if let [put] = puts[..] {
            let value = value(&put)?;
            let mut story = Story::new(format!(
                ", though {} was in it: {} at {}, before the {} began; {}",
                self.show(value),
                self.was_put(put),
                seconds(end_ns(&self.history.get(put.id))),
                self.function(),
                self.until(value),
            ));
            story.edges.push(self.edge(put, self.failing));
            story.roles = vec![
                (
                    put.id,
                    format!("put in {}, before the {} began", self.show(value), self.function()),
                ),
                (self.failing.id, "found nothing".into()),
            ];
            return Some(story);
        }
        let mut told = Vec::new();
        for put in &puts {
            let value = value(put)?;
            let take = self.core.iter().find(|call| call.operation == Take(value));
            let until = take.map_or_else(
                || "on".to_owned(),
                |take| format!("to {}", seconds(self.history.get(take.id).invoked_ns)),
            );
            let from = seconds(end_ns(&self.history.get(put.id)));
            told.push(format!("{} from {from} {until}", self.show(value)));
        }
        let mut story = Story::new(format!(
            ", though it was never empty while the {} was under way: what was certainly in it was {}",
            self.function(),
            list(&told, "and"),
        ));
        story.roles = vec![(self.failing.id, "found nothing".into())];
        Some(story)
    }

    /// The value that was taken, and the only other one, which nobody can have taken by then.
    fn only_other(&self) -> Option<(Value, Value)> {
        let Take(value) = self.failing.operation else { return None };
        let is_of_value = |call: &&Call<ContainerOperation>| call.operation.value() == Some(value);
        let mut others = self.core.iter().filter(|call| !is_of_value(call));
        match (others.next()?.operation, others.next(), self.core.len()) {
            (Put(other), None, 3) => Some((value, other)),
            _ => None,
        }
    }

    fn put(&self, value: Value) -> Option<&Call<ContainerOperation>> {
        self.core.iter().find(|call| call.operation == Put(value))
    }

    /// When a value was taken that should have been gone.
    fn until(&self, value: Value) -> String {
        let took = |operation: &Operation<'_>| match operation.single() {
            Some(MicroOp::Dequeue { result, .. } | MicroOp::Pop { result, .. }) => {
                result.and_then(Reading::value) == Some(value)
            }
            _ => false,
        };
        let later = self.operations.iter().map(|id| self.history.get(*id)).find(took);
        match later {
            Some(later) => format!(
                "{} was {} only later: {} asked at {}",
                self.show(value),
                self.taken(),
                later.process,
                seconds(later.invoked_ns)
            ),
            None => format!("nobody {} {}", self.taken(), self.show(value)),
        }
    }

    fn edge(&self, from: &Call<ContainerOperation>, to: &Call<ContainerOperation>) -> Edge {
        Edge { from: from.id, to: to.id, reason: "ended before the other began".into() }
    }

    fn show(&self, value: Value) -> String {
        self.history.names().show(value).to_string()
    }

    fn mutation(&self, call: &Call<ContainerOperation>) -> String {
        mutation_in(self.history.names(), &self.history.get(call.id))
    }

    /// `p2's enqueue of 19 had been acknowledged by n1`.
    fn was_put(&self, call: &Call<ContainerOperation>) -> String {
        let operation = self.history.get(call.id);
        let (process, by) = (operation.process, by(operation.served_by));
        format!("{process}'s {} had been acknowledged{by}", self.mutation(call))
    }

    fn is_of_stack(&self) -> bool {
        matches!(self.history.get(self.failing.id).single(), Some(MicroOp::Pop { .. }))
    }

    fn function(&self) -> &'static str {
        if self.is_of_stack() { "pop" } else { "dequeue" }
    }

    fn taken(&self) -> &'static str {
        if self.is_of_stack() { "popped" } else { "dequeued" }
    }

    fn put_in(&self) -> &'static str {
        if self.is_of_stack() { "pushed" } else { "enqueued" }
    }
}
