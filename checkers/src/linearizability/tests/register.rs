//! Registers.

use perjury_history::{Entry, Event, EventKind, History, HistoryBuilder, MicroOp, OperationId};
use perjury_history::{Process, Reading};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::enumeration::Enumeration;
use super::{budget, call, check, check_widths, drawing, is_linearizable};
use crate::linearizability::object::{Call, Decision, SequentialObject as _};
use crate::linearizability::objects::register::{
    Register, RegisterOperation, RegisterOperation::*,
};
use crate::linearizability::search::{Answer, Budget, Effort, Limit, search};
use crate::{Checker as _, Context, Judgement, Linearizability};

type Calls = Vec<Call<RegisterOperation>>;

const EMPTY: fn() -> Register = Register::default;

fn history(calls: &[Call<RegisterOperation>]) -> History {
    let mut events = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        let micro_op = match call.operation {
            Read(reading) => MicroOp::Read { key: 23, result: Some(reading) },
            Write(value) => MicroOp::Write { key: 23, value },
            Cas(old, new) => MicroOp::Cas { key: 23, old, new },
        };
        let event = |position: u32, kind| Event {
            time_ns: u64::from(position) * 1_000_000,
            process: Process(index as u32),
            kind,
            micro_ops: vec![micro_op.clone()],
            node: None,
            version: None,
            error: None,
        };
        events.push(event(call.invoked, EventKind::Invoke));
        events.extend(call.returned.map(|position| event(position, EventKind::Ok)));
    }
    events.sort_by_key(|event| event.time_ns);
    let mut builder = HistoryBuilder::new();
    for event in events {
        builder.push(Entry::Operation(event)).expect("well formed");
    }
    builder.finish()
}

/// So is the witness that the checker names, which the decider helps to find.
fn check_anomaly(calls: &[Call<RegisterOperation>]) {
    let verdict = Linearizability::of_registers().check(&history(calls), &Context::default());
    let [anomaly] = &verdict.anomalies[..] else { panic!("one key, one anomaly: {verdict:?}") };
    let named =
        |call: &&Call<_>| anomaly.witness.operations.iter().any(|it| it.operation == call.id);
    let witness: Calls = calls.iter().filter(named).copied().collect();
    let alone = drawing(&witness);
    assert!(!is_linearizable(&EMPTY(), &witness), "not a witness:\n{alone}of\n{}", drawing(calls));
}

/// Every history of `operations` operations; of those that differ only in which value is called 1
/// and which 2, one.
fn enumerate(
    object: &Register,
    operations: usize,
    alphabet: &[RegisterOperation],
    each: &mut dyn FnMut(&Calls),
) {
    let value = |operation: &RegisterOperation| match *operation {
        Read(reading) => reading.value(),
        Write(value) | Cas(value, _) => Some(value),
    };
    let is_first = |calls: &[Call<RegisterOperation>]| {
        calls.iter().find_map(|call| value(&call.operation)).is_none_or(|first| first == 1)
    };
    let mutations: Vec<_> =
        alphabet.iter().filter(|it| !object.observes_only(it)).copied().collect();
    let (answered, unknown) = (alphabet, &mutations[..]);
    let is_first = &is_first;
    Enumeration { operations, open: 3, answered, unknown, is_first }.each(each);
}

/// Each value has at most one writer here more often than not, and chains are long.
const CHAINS: [RegisterOperation; 9] = [
    Write(1),
    Write(4),
    Cas(1, 2),
    Cas(2, 3),
    Cas(1, 5),
    Read(Reading::Nil),
    Read(Reading::Value(1)),
    Read(Reading::Value(2)),
    Read(Reading::Value(4)),
];

#[test]
fn zones_agree_with_the_definition_on_all_histories_of_chains() {
    let (mut decided, mut histories) = (0, 0_u64);
    enumerate(&EMPTY(), 4, &CHAINS, &mut |calls| {
        histories += 1;
        decided += u64::from(check(&EMPTY(), calls).decided);
    });
    assert!(decided * 2 > histories, "{decided} of {histories}");
}

const ALPHABET: [RegisterOperation; 7] = [
    Write(1),
    Write(2),
    Read(Reading::Nil),
    Read(Reading::Value(1)),
    Read(Reading::Value(2)),
    Cas(1, 2),
    Cas(2, 1),
];

#[test]
fn agrees_with_the_definition_on_all_histories_of_up_to_three_operations() {
    let (mut histories, mut linearizable) = (0_u64, 0_u64);
    for operations in 0..=3 {
        // With compare-and-sets that change nothing.
        let alphabet = [&ALPHABET[..], &[Cas(1, 1), Cas(2, 2)]].concat();
        enumerate(&EMPTY(), operations, &alphabet, &mut |calls| {
            histories += 1;
            check_widths(&EMPTY(), calls);
            linearizable += u64::from(check(&EMPTY(), calls).linearizable);
        });
    }
    assert!(linearizable > 1000 && histories - linearizable > 1000, "{linearizable} {histories}");
}

#[test]
fn agrees_with_the_definition_on_all_histories_of_four_operations() {
    let mut histories = 0_u64;
    enumerate(&EMPTY(), 4, &ALPHABET, &mut |calls| {
        histories += 1;
        check(&EMPTY(), calls);
    });
    assert!(histories > 100_000, "only {histories}");
}

#[test]
fn agrees_with_the_definition_on_registers_that_hold_something_at_first() {
    let object = Register::holding(Reading::Value(2));
    let mut decided = 0_u64;
    for operations in 0..=3 {
        enumerate(&object, operations, &ALPHABET, &mut |calls| {
            decided += u64::from(check(&object, calls).decided);
        });
    }
    assert!(decided > 1000, "{decided}");
}

/// A random history: operations of up to `processes` processes on values of a small range, or each
/// written once. What they answer is a guess that is right more often than not.
fn random(random: &mut Pcg64Mcg, operations: usize, processes: usize, unique: bool) -> Calls {
    let mut calls: Calls = Vec::new();
    let mut state = Reading::Nil;
    let mut open: Vec<usize> = Vec::new();
    let mut unapplied: Vec<usize> = Vec::new();
    let mut position = 0;
    let values = 3;
    while calls.len() < operations || !open.is_empty() {
        position += 1;
        let may_invoke = calls.len() < operations && open.len() < processes;
        if may_invoke && (open.is_empty() || random.random_bool(0.5)) {
            let fresh = if unique { calls.len() as i64 } else { random.random_range(0..values) };
            let operation = match random.random_range(0..4) {
                0 => Write(fresh),
                1 => Cas(state.value().unwrap_or(0), fresh),
                _ => Read(state),
            };
            let ok = matches!(operation, Read(_)) || random.random_bool(0.7);
            if ok {
                open.push(calls.len());
            }
            if !matches!(operation, Read(_)) {
                unapplied.push(calls.len());
            }
            let id = OperationId(calls.len() as u32);
            let returned = ok.then_some(u32::MAX);
            calls.push(Call { id, operation, invoked: position, returned });
        } else if !open.is_empty() && random.random_bool(0.6) {
            let index = open.swap_remove(random.random_range(0..open.len()));
            calls[index].returned = Some(position);
        }
        // Some mutation takes effect; some reads see it, and some see what was long ago.
        if !unapplied.is_empty() && random.random_bool(0.5) {
            let index = unapplied.swap_remove(random.random_range(0..unapplied.len()));
            state = EMPTY().step(&state, &calls[index].operation).unwrap_or(state);
        }
        for &index in &open {
            if matches!(calls[index].operation, Read(_)) && random.random_bool(0.4) {
                calls[index].operation = Read(state);
            }
        }
    }
    calls
}

fn check_random(seeds: u64, operations: std::ops::RangeInclusive<usize>, unique: bool) {
    let (mut linearizable, mut contradictions, mut decided) = (0_u64, 0_u64, 0_u64);
    for seed in 0..seeds {
        let mut generator = Pcg64Mcg::new(u128::from(seed) << 1 | 1);
        let operations = generator.random_range(operations.clone());
        let processes = generator.random_range(2..=4);
        let calls = random(&mut generator, operations, processes, unique);
        let checked = std::panic::catch_unwind(|| {
            let checked = check(&EMPTY(), &calls);
            if !checked.linearizable {
                check_anomaly(&calls);
            }
            checked
        });
        let checked = checked.unwrap_or_else(|panic| {
            eprintln!("seed {seed}:\n{}", drawing(&calls));
            std::panic::resume_unwind(panic)
        });
        decided += u64::from(checked.decided);
        match checked.linearizable {
            true => linearizable += 1,
            false => contradictions += 1,
        }
    }
    assert!(linearizable.min(contradictions) > seeds / 10, "{linearizable} {contradictions}");
    assert!(!unique || decided > seeds / 2, "the zones decided only {decided}");
}

#[test]
fn agrees_with_the_definition_on_random_histories_of_repeated_values() {
    check_random(100_000, 6..=8, false);
}

#[test]
fn agrees_with_the_definition_on_random_histories_of_unique_values() {
    check_random(100_000, 6..=8, true);
}

#[test]
fn hundreds_of_open_operations_are_no_obstacle() {
    for open in [60, 64, 65, 128, 129, 300] {
        // All reads overlap the only write: some before it, some after.
        let read =
            |index: u32| if index.is_multiple_of(2) { Reading::Nil } else { Reading::Value(7) };
        let mut calls: Calls =
            (0..open).map(|at| call(at, Read(read(at)), (at, Some(2000 + at)))).collect();
        calls.push(call(open, Write(7), (open, Some(3000))));
        let found = search(&EMPTY(), &calls, &mut budget(), Effort::Thorough);
        assert!(matches!(found, Answer::Linearizable(_)), "{open}");
        calls.push(call(open + 1, Read(Reading::Nil), (3001, Some(3002))));
        let Answer::Contradiction { position, states } =
            search(&EMPTY(), &calls, &mut budget(), Effort::Thorough)
        else {
            panic!("a stale read is accepted with {open} operations open")
        };
        assert_eq!((position, states), (3002, vec![Reading::Value(7)]));
    }
}

#[test]
fn zones_decide_what_the_search_does_not() {
    // Thirty writes at a time, each read by someone while the others are open.
    let mut calls: Calls = Vec::new();
    for round in 0..50 {
        let base = round * 1000;
        for at in 0..30 {
            let value = i64::from(round * 30 + at);
            calls.push(call(base + at, Write(value), (base + at, Some(base + 500 + at))));
        }
        for at in 0..30 {
            let value = Reading::Value(i64::from(round * 30 + at * 7 % 30));
            calls.push(call(base + 30 + at, Read(value), (base + 100 + at, Some(base + 400 - at))));
        }
    }
    let mut few = Budget { steps_left: 100_000, ..budget() };
    assert!(matches!(
        search(&EMPTY(), &calls, &mut few, Effort::Thorough),
        Answer::Exhausted { .. }
    ));
    assert!(matches!(EMPTY().decide(&calls), Decision::Linearizable(_)));
    let history = history(&calls);
    let verdict = Linearizability::of_registers().check(&history, &Context::default());
    assert_eq!(verdict.judgement(), Judgement::Valid, "{:?}", verdict.measures);
    // A stale read at the end: a small witness all the same.
    let stale = Read(Reading::Value(3));
    calls.push(call(50_000, stale, (50_000, Some(50_001))));
    let verdict =
        Linearizability::of_registers().check(&self::history(&calls), &Context::default());
    assert_eq!(verdict.judgement(), Judgement::Invalid);
    assert!(verdict.anomalies[0].witness.operations.len() <= 4);
}

#[test]
fn unknown_writes_cost_little() {
    // 300 unknown writes of 3 values, all of which may take effect at any time.
    let mut calls: Calls =
        (0..300).map(|at| call(at, Write(i64::from(at % 3)), (at, None))).collect();
    for at in 0..300 {
        let value = i64::from(at * 7 % 3);
        calls.push(call(300 + at, Read(Reading::Value(value)), (400 + 2 * at, Some(401 + 2 * at))));
    }
    let mut budget = Budget { steps_left: 1_000_000, ..budget() };
    let found = search(&EMPTY(), &EMPTY().reduce(calls), &mut budget, Effort::Thorough);
    assert!(matches!(found, Answer::Linearizable(_)), "{found:?}");
}

#[test]
fn every_bound_ends_a_search() {
    // 20 writes at once, read in an order that leaves every choice open until the end.
    let mut calls: Calls =
        (0..20).map(|at| call(at, Write(i64::from(at)), (at, Some(500 + at)))).collect();
    for at in 0..20 {
        let value = Reading::Value(i64::from(19 - at));
        calls.push(call(20 + at, Read(value), (100 + 2 * at, Some(101 + 2 * at))));
    }
    calls.push(call(40, Read(Reading::Nil), (600, Some(601))));
    let limits = [
        (Budget { steps_left: 1000, ..budget() }, Limit::Steps),
        (Budget { memory_limit_bytes: 100_000, ..budget() }, Limit::Memory),
        (Budget { out_of_time: &|| true, ..budget() }, Limit::Time),
    ];
    for (mut budget, expected) in limits {
        let answer = search(&EMPTY(), &calls, &mut budget, Effort::Thorough);
        let Answer::Exhausted { limit, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(limit, expected);
    }
}
