//! Everything that decides, reduces, shrinks or verifies, against the definition.

mod accumulators;
mod containers;
mod definition;
mod enumeration;
mod locks;
mod register;

use perjury_history::OperationId;

use self::definition::is_linearizable;
use super::object::{Call, Decision, SequentialObject, cut};
use super::search::{Answer, Budget, Effort, search, search_by};
use super::shrink::shrink;
use super::verify;

type Calls<M> = Vec<Call<<M as SequentialObject>::Operation>>;

fn budget() -> Budget<'static> {
    Budget { steps_left: u64::MAX, memory_limit_bytes: usize::MAX, out_of_time: &|| false }
}

/// The calls as lines, for people.
fn drawing<O: std::fmt::Debug>(calls: &[Call<O>]) -> String {
    let line = |call: &Call<O>| {
        let end = call.returned.map_or("?".to_owned(), |at| at.to_string());
        format!("    {:3} .. {end:3}  {:?}\n", call.invoked, call.operation)
    };
    calls.iter().map(line).collect()
}

fn chosen<O: Clone>(calls: &[Call<O>], places: &[u32]) -> Vec<Call<O>> {
    places.iter().map(|at| calls[*at as usize].clone()).collect()
}

/// Whether the search finds an order, which then must be one.
fn searched<M: SequentialObject>(object: &M, calls: &[Call<M::Operation>]) -> bool {
    is_order(object, calls, search(object, calls, &mut budget(), Effort::Thorough))
}

fn is_order<M: SequentialObject>(
    object: &M,
    calls: &[Call<M::Operation>],
    answer: Answer<M::State>,
) -> bool {
    match answer {
        Answer::Linearizable(order) => {
            let verified = verify::order(object, calls, &order);
            assert_eq!(verified, Ok(()), "{order:?} of\n{}", drawing(calls));
            true
        }
        Answer::Contradiction { .. } => false,
        Answer::Exhausted { .. } => panic!("there is no bound"),
    }
}

/// How one history was decided.
#[derive(Clone, Copy, Debug)]
struct Checked {
    linearizable: bool,
    /// Whether it took no search.
    decided: bool,
}

/// The search, the reduction, the decider and the verifier agree with the definition on these calls,
/// and so does everything that is made of them.
fn check<M: SequentialObject>(object: &M, calls: &Calls<M>) -> Checked {
    let expected = is_linearizable(object, calls);
    let assert = |what: &str, found: bool| {
        assert_eq!(found, expected, "linearizable by {what}?\n{}", drawing(calls));
    };
    assert("the search alone", searched(object, calls));
    check_efforts(object, calls, expected);
    let reduced = object.reduce(calls.clone());
    assert("the search after the reduction", searched(object, &reduced));
    let decision = object.decide(&reduced);
    match &decision {
        Decision::Inapplicable => {}
        Decision::Linearizable(order) => {
            assert("the decider", true);
            let verified = verify::order(object, &reduced, order);
            assert_eq!(verified, Ok(()), "{order:?} of\n{}", drawing(&reduced));
        }
        Decision::Contradiction(core) => {
            assert("the decider", false);
            let core = chosen(&reduced, core);
            assert!(!is_linearizable(object, &core), "{}of\n{}", drawing(&core), drawing(calls));
        }
    }
    match expected {
        true => check_removals(object, calls),
        false => check_core(object, calls),
    }
    Checked { linearizable: expected, decided: decision != Decision::Inapplicable }
}

/// A search that may only find one of the two finds nothing else.
fn check_efforts<M: SequentialObject>(object: &M, calls: &Calls<M>, expected: bool) {
    for effort in [Effort::Lavish, Effort::Narrow(1), Effort::Narrow(2)] {
        if effort == Effort::Lavish && object.grows() {
            continue;
        }
        let mut some = Budget { steps_left: 5_000, ..budget() };
        let answer = search(object, calls, &mut some, effort);
        if !matches!(answer, Answer::Exhausted { .. }) {
            let found = is_order(object, calls, answer);
            assert_eq!(found, expected, "linearizable by {effort:?}?\n{}", drawing(calls));
        }
    }
}

/// What may be left out of a linearizable history leaves a linearizable one.
fn check_removals<M: SequentialObject>(object: &M, calls: &Calls<M>) {
    for index in 0..calls.len() {
        let mut gone = vec![false; calls.len()];
        gone[index] = true;
        object.close_removal(calls, &mut gone);
        assert!(gone[index], "what is chosen stays chosen");
        let kept = calls.iter().zip(&gone).filter(|(_, gone)| !**gone);
        let rest: Calls<M> = kept.map(|(call, _)| call.clone()).collect();
        let found = is_linearizable(object, &rest);
        assert!(found, "without {gone:?} it is not linearizable:\n{}", drawing(calls));
    }
}

/// What a contradiction is reduced to is one by itself, with its operations as they were, too.
fn check_core<M: SequentialObject>(object: &M, calls: &Calls<M>) {
    let answer = search(object, &object.reduce(calls.clone()), &mut budget(), Effort::Thorough);
    let Answer::Contradiction { position, .. } = answer else { panic!("it is linearizable") };
    let failing = calls.iter().find(|call| call.returned == Some(position));
    let failing = failing.expect("a completion is the contradiction");
    let core = shrink(object, cut(calls, position), position, &mut budget());
    assert!(core.iter().any(|call| call.id == failing.id), "{}", drawing(calls));
    assert_eq!(verify::contradiction(object, &core, u64::MAX), Ok(()), "{}", drawing(&core));
    let witness: Calls<M> =
        calls.iter().filter(|it| core.iter().any(|call| call.id == it.id)).cloned().collect();
    for kept in [&core, &witness] {
        let found = is_linearizable(object, kept);
        assert!(!found, "not a witness:\n{}of\n{}", drawing(kept), drawing(calls));
    }
}

/// The search with every width of its windows.
fn check_widths<M: SequentialObject>(object: &M, calls: &Calls<M>) {
    let expected = is_linearizable(object, calls);
    for answer in [
        search_by::<M, u64>(object, calls, &mut budget()),
        search_by::<M, u128>(object, calls, &mut budget()),
        search_by::<M, Box<[u64]>>(object, calls, &mut budget()),
    ] {
        assert_eq!(is_order(object, calls, answer), expected, "{}", drawing(calls));
    }
}

fn call<O>(index: u32, operation: O, span: (u32, Option<u32>)) -> Call<O> {
    Call { id: OperationId(index), operation, invoked: span.0, returned: span.1 }
}
