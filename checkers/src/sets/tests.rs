//! All small histories against the plain definitions.

use perjury_history::{
    Elements, Entry, Event, EventKind, History, HistoryBuilder, MicroOp, Operation, OperationId,
    Outcome, Process, Value,
};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::*;
use crate::AnomalyKind;
use crate::small_histories::{history_of, orders};

/// What an operation may be, by number: reads of every set of the elements 1 to 3, then adds of the
/// next element that are ok, of unknown outcome or failed.
const KINDS: u64 = 11;

/// A history of operations of these kinds, which begin and end in this order.
fn history(kinds: &[u64], order: &[usize]) -> History {
    let mut next: Value = 0;
    let asked: Vec<(MicroOp, EventKind)> = kinds
        .iter()
        .map(|&kind| match kind {
            0..8 => {
                let elements: Elements = (1..=3).filter(|it| kind >> (it - 1) & 1 == 1).collect();
                (MicroOp::ReadSet { key: 1, result: Some(elements) }, EventKind::Ok)
            }
            _ => {
                next += 1;
                let end = [EventKind::Ok, EventKind::Info, EventKind::Fail][(kind - 8) as usize];
                (MicroOp::Add { key: 1, value: next }, end)
            }
        })
        .collect();
    history_of(&asked, order)
}

/// Whether some order of these operations explains every read; elements not in `known` are ignored.
fn is_linearizable(operations: &[Operation<'_>], known: Option<&[Value]>) -> bool {
    fn search(
        left: &mut Vec<Operation<'_>>,
        set: &mut Vec<Value>,
        known: Option<&[Value]>,
    ) -> bool {
        if left.iter().all(|it| it.outcome == Outcome::Info) {
            return true;
        }
        for index in 0..left.len() {
            if left.iter().any(|it| it.precedes(&left[index])) {
                continue;
            }
            let operation = left.remove(index);
            let found = match operation.single().expect("single") {
                MicroOp::Add { value, .. } => {
                    set.push(*value);
                    let found = search(left, set, known);
                    set.pop();
                    found
                }
                MicroOp::ReadSet { result: Some(elements), .. } => {
                    let counts = |it: &Value| known.is_none_or(|known| known.contains(it));
                    let mut shown: Vec<Value> = elements.iter().copied().filter(counts).collect();
                    let mut held = set.clone();
                    shown.sort_unstable();
                    held.sort_unstable();
                    shown == held && search(left, set, known)
                }
                other => panic!("not among the kinds: {other}"),
            };
            left.insert(index, operation);
            if found {
                return true;
            }
        }
        false
    }
    let mut left: Vec<_> =
        operations.iter().filter(|it| it.outcome != Outcome::Fail).copied().collect();
    search(&mut left, &mut Vec::new(), known)
}

fn shows_only_what_was_added(history: &History) -> bool {
    history.iter().all(|read| {
        let Some(MicroOp::ReadSet { result: Some(elements), .. }) = read.single() else {
            return true;
        };
        elements.iter().all(|element| {
            history.iter().any(|add| {
                let adds =
                    matches!(add.single(), Some(MicroOp::Add { value, .. }) if value == element);
                let began = read.completed.is_some_and(|completed| add.invoked < completed);
                adds && add.outcome != Outcome::Fail && began
            })
        })
    })
}

fn check(history: &History) {
    let verdict = Sets.check(history, &Context::default());
    let operations: Vec<_> = history.iter().collect();
    let drawing = || history.to_notation();
    if verdict.measures["acknowledged_writes"] == 0 {
        let durable = &verdict.models[&Model::Durable];
        assert!(matches!(durable, Judgement::Unknown(_)), "{}", drawing());
    }
    let has_reads = operations.iter().any(|it| it.single().is_some_and(|it| !it.is_mutation()));
    let expected = |held: bool| match held {
        false => "invalid",
        true if has_reads => "valid",
        true => "unknown",
    };
    let linearizable = expected(is_linearizable(&operations, None));
    assert_eq!(verdict.models[&Model::Linearizable].name(), linearizable, "{}", drawing());
    let integrity = expected(shows_only_what_was_added(history));
    assert_eq!(verdict.models[&Model::Integrity].name(), integrity, "{}", drawing());
    for anomaly in &verdict.anomalies {
        if anomaly.kind.rules_out() != Model::Linearizable {
            continue;
        }
        let ids: Vec<OperationId> =
            anomaly.witness.operations.iter().map(|it| it.operation).collect();
        let witness: Vec<_> = ids.iter().map(|id| history.get(*id)).collect();
        let added: Vec<Value> = witness.iter().filter_map(|it| it.single()?.argument()).collect();
        assert!(
            !is_linearizable(&witness, Some(&added)),
            "{} is no proof:\n{}",
            anomaly.explanation,
            drawing()
        );
    }
}

#[test]
fn agrees_with_the_definition_on_every_history_of_up_to_four_operations() {
    for operations in 1..=4_u32 {
        for order in orders(operations as usize) {
            // Of four, a sample: all of them take a minute.
            let step = if operations == 4 { 31 } else { 1 };
            for code in (0..KINDS.pow(operations)).step_by(step) {
                let kinds: Vec<u64> =
                    (0..operations).map(|place| code / KINDS.pow(place) % KINDS).collect();
                check(&history(&kinds, &order));
            }
        }
    }
}

#[test]
fn agrees_with_the_definition_on_random_longer_histories() {
    let mut random = Pcg64Mcg::new(7);
    let (orders, mut found) = ([orders(5), orders(6)], std::collections::BTreeSet::new());
    for _ in 0..30_000 {
        let orders = &orders[random.random_range(0..2)];
        let order = &orders[random.random_range(0..orders.len())];
        let mut adds = 0;
        let kinds: Vec<u64> = (0..order.len() / 2)
            .map(|_| match random.random_bool(0.5) && adds < 3 {
                true => {
                    adds += 1;
                    8 + random.random_range(0..5_u64).saturating_sub(3)
                }
                false => random.random_range(0..1 << adds.max(1)),
            })
            .collect();
        let history = history(&kinds, order);
        check(&history);
        let verdict = Sets.check(&history, &Context::default());
        found.extend(verdict.anomalies.iter().map(|it| it.kind));
    }
    for kind in [AnomalyKind::StaleRead, AnomalyKind::UnexpectedValue, AnomalyKind::Nonlinearizable]
    {
        assert!(found.contains(&kind), "{kind} never came up");
    }
}

#[test]
fn a_large_set_is_soon_judged() {
    let mut builder = HistoryBuilder::new();
    let mut push = |time_ns, kind, micro_op: MicroOp| {
        let micro_ops = vec![micro_op];
        let (process, node) = (Process(0), Some(perjury_history::NodeId(0)));
        let event = Event { time_ns, process, kind, micro_ops, node, version: None, error: None };
        builder.push(Entry::Operation(event)).expect("well formed");
    };
    const ELEMENTS: i64 = 100_000;
    for value in 0..ELEMENTS {
        for kind in [EventKind::Invoke, EventKind::Ok] {
            push(value as u64, kind, MicroOp::Add { key: 1, value });
        }
        if value % 10_000 == 0 {
            push(value as u64, EventKind::Invoke, MicroOp::read_set(1));
            let result = Some((0..=value).rev().collect());
            push(value as u64, EventKind::Ok, MicroOp::ReadSet { key: 1, result });
        }
    }
    push(ELEMENTS as u64, EventKind::Invoke, MicroOp::inspect_set(1));
    let result = Some((1..ELEMENTS).collect());
    push(ELEMENTS as u64, EventKind::Ok, MicroOp::InspectSet { key: 1, result });
    let verdict = Sets.check(&builder.finish(), &Context::default());
    assert_eq!(verdict.models[&Model::Linearizable], Judgement::Valid);
    assert_eq!((verdict.measures["lost_writes"], verdict.anomalies.len()), (1, 1));
}
