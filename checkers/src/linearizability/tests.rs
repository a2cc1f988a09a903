//! The search, the reductions and the shrinking against the definition.

use perjury_history::{Entry, Event, EventKind, History, HistoryBuilder, MicroOp, OperationId};
use perjury_history::{Process, Reading};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::register::{Register, RegisterOperation, RegisterOperation::*};
use super::search::{Answer, Budget, Plan, Search, search};
use super::sequential::{Call, SequentialModel, cut};
use super::shrink::shrink;
use super::window::Window;
use super::zones::{Zones, zones};
use crate::{Checker as _, Context, Judgement, Linearizability};

type Calls = Vec<Call<RegisterOperation>>;

fn budget() -> Budget<'static> {
    Budget { steps_left: u64::MAX, memory_limit_bytes: usize::MAX, out_of_time: &|| false }
}

/// The definition: some order of all calls that returned and some of the unknown ones respects real
/// time and is one that a register could have had. Orders that lead to the same calls in the same
/// state go on alike and are tried once.
fn is_linearizable(calls: &[Call<RegisterOperation>]) -> bool {
    fn try_from(
        calls: &[Call<RegisterOperation>],
        done: usize,
        state: Reading,
        tried: &mut Vec<(usize, Reading)>,
    ) -> bool {
        let is_done = |index: usize| done >> index & 1 == 1;
        let waiting = |index: &usize| !is_done(*index) && calls[*index].returned.is_some();
        if !(0..calls.len()).any(|index| waiting(&index)) {
            return true;
        }
        if tried.contains(&(done, state)) {
            return false;
        }
        tried.push((done, state));
        let ended_first = |call: &Call<_>| {
            (0..calls.len())
                .filter(waiting)
                .any(|other| calls[other].returned.is_some_and(|end| end < call.invoked))
        };
        (0..calls.len()).any(|index| {
            let call = &calls[index];
            !is_done(index)
                && !ended_first(call)
                && Register
                    .step(state, call.operation)
                    .is_some_and(|state| try_from(calls, done | 1 << index, state, tried))
        })
    }
    try_from(calls, 0, Reading::Nil, &mut Vec::new())
}

fn is_contradiction<W: Window>(calls: &[Call<RegisterOperation>]) -> bool {
    let plan = Plan::of(calls);
    match Search::<Register, W>::new(&Register, calls, &plan, &mut budget()).run() {
        Answer::Linearizable => false,
        Answer::Contradiction { .. } => true,
        Answer::Exhausted { .. } => panic!("there is no bound"),
    }
}

/// The calls as a history, for people.
fn drawing(calls: &[Call<RegisterOperation>]) -> String {
    history(calls).to_notation()
}

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

/// Search, reduction and window widths agree with the definition; true if linearizable.
fn check_search(calls: &[Call<RegisterOperation>]) -> bool {
    let expected = is_linearizable(calls);
    let assert = |what: &str, found: bool| {
        assert_eq!(found, expected, "linearizable by {what}?\n{}", drawing(calls));
    };
    assert("the search alone", !is_contradiction::<u64>(calls));
    let reduced = Register.reduce(calls);
    if reduced != calls {
        assert("the search after the reduction", !is_contradiction::<u64>(&reduced));
    }
    match zones(&reduced) {
        Zones::Inapplicable => {}
        Zones::Linearizable => assert("the zones", true),
        Zones::Contradiction(blocks) => {
            let blocks: Calls = blocks.into_iter().map(|index| reduced[index]).collect();
            assert("the zones", false);
            assert("the blocks alone", is_linearizable(&blocks));
        }
    }
    expected
}

/// What may be left out of a linearizable history leaves a linearizable one.
fn check_removals(calls: &[Call<RegisterOperation>]) {
    for index in 0..calls.len() {
        let mut chosen = vec![false; calls.len()];
        chosen[index] = true;
        Register.close_removal(calls, &mut chosen);
        let kept = calls.iter().zip(&chosen).filter(|(_, gone)| !**gone);
        let rest: Calls = kept.map(|(call, _)| *call).collect();
        let found = is_linearizable(&rest);
        assert!(found, "without {chosen:?} it is not linearizable:\n{}", drawing(calls));
    }
}

/// The witness of a contradiction is one by itself, with its operations as they were.
fn check_witness(calls: &[Call<RegisterOperation>]) {
    let answer = search(&Register, &Register.reduce(calls), &mut budget());
    let Answer::Contradiction { position, .. } = answer else { panic!("it is linearizable") };
    let failing = calls.iter().find(|call| call.returned == Some(position));
    let failing = failing.expect("a completion is the contradiction");
    assert!(failing.operation.observed().is_some(), "a blind write is always possible");
    let core = shrink(&Register, cut(calls, position), position, &mut budget());
    assert!(core.iter().any(|call| call.id == failing.id), "{}", drawing(calls));
    let witness: Calls =
        calls.iter().filter(|it| core.iter().any(|call| call.id == it.id)).copied().collect();
    for kept in [&core, &witness] {
        let alone = drawing(kept);
        assert!(!is_linearizable(kept), "not a witness:\n{alone}of\n{}", drawing(calls));
    }
}

/// So is the witness that the checker names, which the zones help to find.
fn check_anomaly(calls: &[Call<RegisterOperation>]) {
    let verdict = Linearizability.check(&history(calls), &Context::default());
    let [anomaly] = &verdict.anomalies[..] else { panic!("one key, one anomaly: {verdict:?}") };
    let named =
        |call: &&Call<_>| anomaly.witness.operations.iter().any(|it| it.operation == call.id);
    let witness: Calls = calls.iter().filter(named).copied().collect();
    let alone = drawing(&witness);
    assert!(!is_linearizable(&witness), "not a witness:\n{alone}of\n{}", drawing(calls));
}

/// Calls every history of `operations` operations by the given alphabet, of which at most `open`
/// ok ones are open at a time. Of histories that differ only in which value is called 1 and which 2,
/// one.
struct Enumeration<'a> {
    operations: usize,
    open: usize,
    alphabet: &'a [RegisterOperation],
    found: &'a mut dyn FnMut(&[Call<RegisterOperation>]),
}

impl Enumeration<'_> {
    fn run(&mut self, calls: &mut Calls, position: u32, ones: bool) {
        let open: Vec<usize> =
            (0..calls.len()).filter(|index| calls[*index].returned == Some(u32::MAX)).collect();
        if calls.len() == self.operations && open.is_empty() {
            (self.found)(calls);
            return;
        }
        for &index in &open {
            calls[index].returned = Some(position);
            self.run(calls, position + 1, ones);
            calls[index].returned = Some(u32::MAX);
        }
        if calls.len() == self.operations {
            return;
        }
        for &operation in self.alphabet {
            let first = match operation {
                Read(Reading::Value(value)) | Write(value) | Cas(value, _) => Some(value),
                Read(Reading::Nil) => None,
            };
            if !ones && first.is_some_and(|value| value != 1) {
                continue;
            }
            let unknown = !Register.observes_only(operation);
            let returns = (open.len() < self.open).then_some(Some(u32::MAX));
            for returned in returns.into_iter().chain(unknown.then_some(None)) {
                let id = OperationId(calls.len() as u32);
                calls.push(Call { id, operation, invoked: position, returned });
                self.run(calls, position + 1, ones || first.is_some());
                calls.pop();
            }
        }
    }
}

fn enumerate(
    operations: usize,
    alphabet: &[RegisterOperation],
    found: &mut dyn FnMut(&[Call<RegisterOperation>]),
) {
    Enumeration { operations, open: 3, alphabet, found }.run(&mut Vec::new(), 0, false);
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
    enumerate(4, &CHAINS, &mut |calls| {
        histories += 1;
        check_search(calls);
        decided += u64::from(zones(&Register.reduce(calls)) != Zones::Inapplicable);
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
    let (mut histories, mut linearizable) = (0, 0);
    for operations in 0..=3 {
        // With compare-and-sets that change nothing.
        let alphabet = [&ALPHABET[..], &[Cas(1, 1), Cas(2, 2)]].concat();
        enumerate(operations, &alphabet, &mut |calls| {
            histories += 1;
            for widths in [is_contradiction::<u128>, is_contradiction::<Box<[u64]>>] {
                assert_eq!(widths(calls), !is_linearizable(calls), "{}", drawing(calls));
            }
            if check_search(calls) {
                linearizable += 1;
                check_removals(calls);
            } else {
                check_witness(calls);
            }
        });
    }
    assert!(linearizable > 1000 && histories - linearizable > 1000, "{linearizable} {histories}");
}

#[test]
fn agrees_with_the_definition_on_all_histories_of_four_operations() {
    let mut histories = 0_u64;
    enumerate(4, &ALPHABET, &mut |calls| {
        histories += 1;
        match check_search(calls) {
            true => check_removals(calls),
            false => check_witness(calls),
        }
    });
    assert!(histories > 100_000, "only {histories}");
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
            state = Register.step(state, calls[index].operation).unwrap_or(state);
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
        let checked = std::panic::catch_unwind(|| match check_search(&calls) {
            true => check_removals(&calls),
            false => {
                check_witness(&calls);
                check_anomaly(&calls);
            }
        });
        if let Err(panic) = checked {
            eprintln!("seed {seed}:\n{}", drawing(&calls));
            std::panic::resume_unwind(panic);
        }
        let is_decided = zones(&Register.reduce(&calls)) != Zones::Inapplicable;
        decided += u64::from(is_decided);
        match is_linearizable(&calls) {
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

fn call(
    index: u32,
    operation: RegisterOperation,
    span: (u32, Option<u32>),
) -> Call<RegisterOperation> {
    Call { id: OperationId(index), operation, invoked: span.0, returned: span.1 }
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
        assert_eq!(search(&Register, &calls, &mut budget()), Answer::Linearizable, "{open}");
        calls.push(call(open + 1, Read(Reading::Nil), (3001, Some(3002))));
        let Answer::Contradiction { position, states } = search(&Register, &calls, &mut budget())
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
    assert!(matches!(search(&Register, &calls, &mut few), Answer::Exhausted { .. }));
    assert_eq!(zones(&calls), Zones::Linearizable);
    let history = history(&calls);
    let verdict = Linearizability.check(&history, &Context::default());
    assert_eq!(verdict.judgement(), Judgement::Valid, "{:?}", verdict.measures);
    // A stale read at the end: a small witness all the same.
    let stale = Read(Reading::Value(3));
    calls.push(call(50_000, stale, (50_000, Some(50_001))));
    let verdict = Linearizability.check(&self::history(&calls), &Context::default());
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
    assert_eq!(search(&Register, &Register.reduce(&calls), &mut budget), Answer::Linearizable);
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
        (Budget { steps_left: 1000, ..budget() }, super::Limit::Steps),
        (Budget { memory_limit_bytes: 100_000, ..budget() }, super::Limit::Memory),
        (Budget { out_of_time: &|| true, ..budget() }, super::Limit::Time),
    ];
    for (mut budget, expected) in limits {
        let answer = search(&Register, &calls, &mut budget);
        let Answer::Exhausted { limit, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(limit, expected);
    }
}
