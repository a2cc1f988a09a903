//! Small histories against the plain definitions.

use std::collections::BTreeSet;

use perjury_history::{EventKind, Operation, OperationId, Outcome};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::*;
use crate::small_histories::{history_of, orders};

/// What an operation may be, by number: increments that are ok, of unknown outcome or failed, then
/// reads of 0 to 3.
const KINDS: u64 = 7;

fn history(kinds: &[u64], deltas: &[Value], order: &[usize]) -> History {
    let ends = [EventKind::Ok, EventKind::Info, EventKind::Fail];
    let asked: Vec<(MicroOp, EventKind)> = kinds
        .iter()
        .zip(deltas)
        .map(|(&kind, &delta)| match kind {
            0..3 => (MicroOp::Increment { key: 1, delta }, ends[kind as usize]),
            _ => {
                let result = Some((kind - 3) as Value * deltas[0].signum());
                (MicroOp::ReadCounter { key: 1, result }, EventKind::Ok)
            }
        })
        .collect();
    history_of(&asked, order)
}

/// Whether some order of these operations explains every read.
fn is_linearizable(operations: &[Operation<'_>]) -> bool {
    fn search(left: &mut Vec<Operation<'_>>, value: Value) -> bool {
        if left.iter().all(|it| it.outcome == Outcome::Info) {
            return true;
        }
        for index in 0..left.len() {
            if left.iter().any(|it| it.precedes(&left[index])) {
                continue;
            }
            let operation = left.remove(index);
            let found = match *operation.single().expect("single") {
                MicroOp::Increment { delta, .. } => search(left, value + delta),
                MicroOp::ReadCounter { result, .. } => result == Some(value) && search(left, value),
                ref other => panic!("not among the kinds: {other}"),
            };
            left.insert(index, operation);
            if found {
                return true;
            }
        }
        false
    }
    let happened = operations.iter().filter(|it| it.outcome != Outcome::Fail);
    search(&mut happened.copied().collect(), 0)
}

fn check(history: &History, found: &mut BTreeSet<AnomalyKind>) {
    let verdict = Counters.check(history, &Context::default());
    let operations: Vec<_> = history.iter().collect();
    let drawing = || history.to_notation();
    let linearizable = is_linearizable(&operations);
    match &verdict.models[&Model::Linearizable] {
        Judgement::Valid => assert!(linearizable, "{}", drawing()),
        Judgement::Invalid => assert!(!linearizable, "{}", drawing()),
        Judgement::Unknown(reason) if reason.contains("different sizes") => {}
        Judgement::Unknown(_) => {
            assert!(operations.iter().all(|it| it.micro_ops[0].is_mutation()), "{}", drawing());
        }
    }
    for anomaly in &verdict.anomalies {
        found.insert(anomaly.kind);
        let ids: Vec<OperationId> =
            anomaly.witness.operations.iter().map(|it| it.operation).collect();
        // What had been acknowledged before all of the reads is told as a number.
        let first = ids.iter().map(|id| history.get(*id));
        let first = first.filter(|it| !it.micro_ops[0].is_mutation()).map(|it| it.invoked).min();
        let witness: Vec<_> = operations
            .iter()
            .filter(|it| {
                let before = it.outcome == Outcome::Ok && it.completed < first;
                let counted = anomaly.kind == AnomalyKind::Nonlinearizable && before;
                ids.contains(&it.id) || counted && it.micro_ops[0].is_mutation()
            })
            .copied()
            .collect();
        assert!(!is_linearizable(&witness), "{}\n{}", anomaly.explanation, drawing());
    }
}

#[test]
fn agrees_with_the_definition_on_every_history_of_up_to_four_operations() {
    let mut found = BTreeSet::new();
    for operations in 1..=4_u32 {
        for order in orders(operations as usize) {
            // Of four, a sample.
            let step = if operations == 4 { 5 } else { 1 };
            for code in (0..KINDS.pow(operations)).step_by(step) {
                let kinds: Vec<u64> =
                    (0..operations).map(|place| code / KINDS.pow(place) % KINDS).collect();
                check(&history(&kinds, &[1; 4], &order), &mut found);
            }
        }
    }
    assert!(found.contains(&AnomalyKind::UnexpectedValue), "{found:?}");
    assert!(found.contains(&AnomalyKind::StaleRead), "{found:?}");
}

#[test]
fn agrees_with_the_definition_on_random_longer_histories() {
    let mut random = Pcg64Mcg::new(7);
    let (orders, mut found) = (orders(6), BTreeSet::new());
    for round in 0..40_000 {
        let order = &orders[random.random_range(0..orders.len())];
        let kinds: Vec<u64> = (0..6)
            .map(|_| match random.random_bool(0.5) {
                true => random.random_range(0..5_u64).saturating_sub(3),
                false => random.random_range(3..KINDS),
            })
            .collect();
        let deltas: Vec<Value> = (0..6)
            .map(|_| match round % 4 {
                0 => random.random_range(-1..=2),
                1 => -1,
                2 => 2,
                _ => 1,
            })
            .collect();
        check(&history(&kinds, &deltas, order), &mut found);
    }
    assert!(found.contains(&AnomalyKind::Nonlinearizable), "{found:?}");
}
