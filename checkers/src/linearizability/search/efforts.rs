//! Which searches are tried, in which order.

use super::{Answer, Budget, Effort, Limit, search};
use crate::linearizability::object::{Call, SequentialObject};

/// Steps of the first search: enough for most.
const FIRST_STEPS: u64 = 50_000;
const FIRST_STEPS_PER_CALL: u64 = 100;

/// A lavish search that takes much longer than the first one does not end at all, perhaps.
const LAVISH_TIMES: u64 = 16;

/// Configurations that narrow searches keep.
const NARROW: usize = 8;
const LESS_NARROW: usize = 64;

/// Searches for an order of `calls`: shortly and thoroughly; if that is not enough, shortly for what
/// may only be a contradiction or only an order; then thoroughly with all that is left.
pub(crate) fn find<M: SequentialObject>(
    object: &M,
    calls: &[Call<M::Operation>],
    budget: &mut Budget<'_>,
) -> Answer<M::State> {
    let first = FIRST_STEPS + FIRST_STEPS_PER_CALL * calls.len() as u64;
    let share = budget.steps_left / 4;
    let efforts = [
        (Effort::Thorough, first),
        (Effort::Lavish, share.min(LAVISH_TIMES * first)),
        (Effort::Narrow(NARROW), share),
        (Effort::Narrow(LESS_NARROW), share),
        (Effort::Thorough, u64::MAX),
    ];
    // Without unknown calls nothing can be lavished, and where there is no end to it nothing should.
    let cannot_lavish = object.grows() || calls.iter().all(|call| call.returned.is_some());
    let mut answer = Answer::Exhausted { limit: Limit::Steps, proved: 0, unknown: 0 };
    for (effort, steps) in efforts {
        if budget.steps_left == 0 || effort == Effort::Lavish && cannot_lavish {
            continue;
        }
        let given = steps.min(budget.steps_left);
        let mut part = Budget { steps_left: given, ..*budget };
        let found = search(object, calls, &mut part, effort);
        budget.steps_left -= given - part.steps_left;
        match (&answer, &found) {
            // The longest prefix that was proved is what is told in the end.
            (
                Answer::Exhausted { proved: before, .. },
                Answer::Exhausted { limit: Limit::Steps | Limit::Memory, proved, .. },
            ) => {
                if effort != Effort::Lavish && proved >= before {
                    answer = found;
                }
            }
            _ => return found,
        }
    }
    answer
}
