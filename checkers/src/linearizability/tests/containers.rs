//! Queues, bags and stacks.

use perjury_history::{Names, Operation, Value};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::enumeration::Enumeration;
use super::{Checked, budget, call, check, drawing, is_linearizable, is_order, searched};
use crate::linearizability::object::{Call, Decision, SequentialObject, Unfit};
use crate::linearizability::objects::bag::Bag;
use crate::linearizability::objects::container::ContainerOperation::{self, *};
use crate::linearizability::objects::queue::Queue;
use crate::linearizability::objects::stack::Stack;
use crate::linearizability::search::{Answer, Budget, Effort, search};
use crate::linearizability::verify;

type Calls = Vec<Call<ContainerOperation>>;

/// The kinds of containers, as far as tests need to tell them apart.
trait Container: SequentialObject<Operation = ContainerOperation> + Default {
    /// Whether its decider needs to know what was taken.
    const NEEDS_ANSWERS: bool = false;

    /// The element that a sequential one would give next.
    fn next(held: &[Value], random: &mut Pcg64Mcg) -> usize;
}

impl Container for Queue {
    fn next(_: &[Value], _: &mut Pcg64Mcg) -> usize {
        0
    }
}

impl Container for Bag {
    fn next(held: &[Value], random: &mut Pcg64Mcg) -> usize {
        random.random_range(0..held.len())
    }
}

impl Container for Stack {
    const NEEDS_ANSWERS: bool = true;

    fn next(held: &[Value], _: &mut Pcg64Mcg) -> usize {
        held.len() - 1
    }
}

/// Every history of `operations` operations; of those that differ only in which value is called 1
/// and which 2, one.
fn enumerate<M: Container>(operations: usize, unknown: &[ContainerOperation]) -> [u64; 3] {
    let is_first = |calls: &[Call<ContainerOperation>]| {
        calls.iter().find_map(|call| call.operation.value()).is_none_or(|first| first == 1)
    };
    let answered = &[Put(1), Put(2), Take(1), Take(2), Empty];
    let [mut histories, mut linearizable, mut decided] = [0; 3];
    let all = Enumeration { operations, open: 3, answered, unknown, is_first: &is_first };
    all.each(&mut |calls| {
        let checked = check(&M::default(), calls);
        // Where each value is put in once the decider does not leave it to the search.
        let puts = |value| calls.iter().filter(|call| call.operation == Put(value)).count();
        let is_told = |call: &Call<_>| match call.operation {
            Take(_) => call.returned.is_some(),
            TakeAny => !M::NEEDS_ANSWERS,
            _ => true,
        };
        if puts(1) < 2 && puts(2) < 2 && calls.iter().all(is_told) {
            assert!(checked.decided, "{}: {}", M::default().name(), drawing(calls));
        }
        histories += 1;
        linearizable += u64::from(checked.linearizable);
        decided += u64::from(checked.decided);
    });
    [histories, linearizable, decided]
}

/// Unknown takes may take anything; those in a record that was cut are known to take something.
const UNKNOWN: [ContainerOperation; 3] = [Put(1), Put(2), TakeAny];
const CUT: [ContainerOperation; 6] = [Put(1), Put(2), TakeAny, Take(1), Take(2), Empty];

/// How many operations the largest enumerated histories have: `PERJURY_ENUMERATE`, for optimised
/// builds.
pub(super) fn operations_max() -> usize {
    let wanted = std::env::var("PERJURY_ENUMERATE").ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or(4)
}

fn check_enumerated<M: Container>() {
    for operations in 0..=operations_max() {
        let unknown = if operations < 4 { &CUT[..] } else { &UNKNOWN };
        let [histories, linearizable, decided] = enumerate::<M>(operations, unknown);
        let name = M::default().name();
        println!(
            "{name}: {histories} histories of {operations} operations, {linearizable} \
             linearizable, {decided} decided without search"
        );
        assert!(decided * 3 >= histories, "{name}: {decided} of {histories}");
        assert!(operations < 3 || linearizable.min(histories - linearizable) > 1000, "{name}");
    }
}

#[test]
fn queues_agree_with_the_definition_on_all_small_histories() {
    check_enumerated::<Queue>();
}

#[test]
fn bags_agree_with_the_definition_on_all_small_histories() {
    check_enumerated::<Bag>();
}

#[test]
fn stacks_agree_with_the_definition_on_all_small_histories() {
    check_enumerated::<Stack>();
}

/// What random histories are made of.
#[derive(Clone, Copy, Debug)]
struct Shape {
    operations: usize,
    processes: usize,
    /// Of operations that end, how many do so without an answer.
    unknown: f64,
    /// How many times two takes change their answers, or one gives what another gave.
    wrong: u32,
    /// Of operations, how many are puts.
    puts: f64,
    /// Values may be put in again.
    repeats: bool,
}

/// A random history: each operation takes effect at a random moment while it is open.
fn random<M: Container>(random: &mut Pcg64Mcg, shape: &Shape) -> Calls {
    let mut calls: Calls = Vec::new();
    let mut held: Vec<Value> = Vec::new();
    // Calls with whether they took effect.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut position = 0;
    let mut started = 0;
    while started < shape.operations || !open.is_empty() {
        position += 1;
        let may_begin = started < shape.operations && open.len() < shape.processes;
        if may_begin && (open.is_empty() || random.random_bool(0.4)) {
            let operation = match random.random_bool(shape.puts) {
                true if shape.repeats => Put(random.random_range(0..3)),
                true => Put(started as Value),
                false => TakeAny,
            };
            open.push((calls.len(), false));
            calls.push(call(started as u32, operation, (position, None)));
            started += 1;
        } else if !open.is_empty() {
            // The oldest more often than not, so that some are short.
            let at = random.random_range(0..open.len()) * random.random_range(0..2);
            let (index, is_done) = open[at];
            let call = &mut calls[index];
            if is_done {
                open.swap_remove(at);
                if random.random_bool(shape.unknown) {
                    if !matches!(call.operation, Put(_)) {
                        call.operation = TakeAny;
                    }
                } else {
                    call.returned = Some(position);
                }
                continue;
            }
            open[at].1 = true;
            match call.operation {
                Put(value) => held.push(value),
                _ if held.is_empty() => call.operation = Empty,
                _ => {
                    let next = M::next(&held, random);
                    call.operation = Take(held.remove(next));
                }
            }
        }
    }
    let takes = (0..calls.len()).filter(|it| matches!(calls[*it].operation, Take(_) | Empty));
    let takes: Vec<usize> = takes.collect();
    for _ in 0..shape.wrong.min(takes.len() as u32) {
        let [one, other] = [0; 2].map(|_| takes[random.random_range(0..takes.len())]);
        let operation = calls[one].operation;
        calls[one].operation = calls[other].operation;
        if random.random_bool(0.7) {
            calls[other].operation = operation;
        }
    }
    calls
}

fn check_random<M: Container>(repeats: bool) {
    let (mut linearizable, mut contradictions, mut decided) = (0_u64, 0_u64, 0_u64);
    let seeds = 100_000;
    for seed in 0..seeds {
        let mut generator = Pcg64Mcg::new(u128::from(seed) << 1 | 1);
        let shape = Shape {
            operations: generator.random_range(6..=9),
            processes: generator.random_range(2..=4),
            unknown: if generator.random_bool(0.5) { 0.0 } else { 0.25 },
            wrong: generator.random_range(0..3),
            puts: if generator.random_bool(0.5) { 0.5 } else { 0.7 },
            repeats,
        };
        let calls = random::<M>(&mut generator, &shape);
        let checked = std::panic::catch_unwind(|| check(&M::default(), &calls));
        let checked = checked.unwrap_or_else(|panic| {
            eprintln!("seed {seed}, {shape:?}:\n{}", drawing(&calls));
            std::panic::resume_unwind(panic)
        });
        let Checked { linearizable: is_linearizable, decided: is_decided } = checked;
        decided += u64::from(is_decided);
        match is_linearizable {
            true => linearizable += 1,
            false => contradictions += 1,
        }
    }
    println!("{linearizable} linearizable, {contradictions} not, {decided} decided");
    assert!(linearizable.min(contradictions) > seeds / 10, "{linearizable} {contradictions}");
    assert!(repeats || decided > seeds * 3 / 4, "decided only {decided}");
}

#[test]
fn queues_agree_with_the_definition_on_random_histories() {
    check_random::<Queue>(false);
}

#[test]
fn queues_agree_with_the_definition_on_random_histories_of_repeated_values() {
    check_random::<Queue>(true);
}

#[test]
fn bags_agree_with_the_definition_on_random_histories() {
    check_random::<Bag>(false);
}

#[test]
fn bags_agree_with_the_definition_on_random_histories_of_repeated_values() {
    check_random::<Bag>(true);
}

#[test]
fn stacks_agree_with_the_definition_on_random_histories() {
    check_random::<Stack>(false);
}

#[test]
fn stacks_agree_with_the_definition_on_random_histories_of_repeated_values() {
    check_random::<Stack>(true);
}

/// A bag as it is defined: an unknown dequeue takes some element at once, or finds it empty.
#[derive(Clone, Copy, Debug, Default)]
struct PlainBag;

impl SequentialObject for PlainBag {
    type State = Vec<Value>;
    type Operation = ContainerOperation;

    fn name(&self) -> &'static str {
        "plain bag"
    }

    fn operation(&self, _: &Operation<'_>) -> Result<Option<ContainerOperation>, Unfit> {
        Err(Unfit)
    }

    fn initial(&self) -> Vec<Value> {
        Vec::new()
    }

    fn step(&self, state: &Vec<Value>, operation: &ContainerOperation) -> Option<Vec<Value>> {
        let mut next = state.clone();
        match *operation {
            Put(value) => next.push(value),
            Take(value) => _ = next.remove(state.iter().position(|held| *held == value)?),
            Empty if state.is_empty() => {}
            Empty | TakeAny => return None,
        }
        next.sort_unstable();
        Some(next)
    }

    fn unknown_steps(
        &self,
        state: &Vec<Value>,
        operation: &ContainerOperation,
        each: &mut dyn FnMut(Vec<Value>),
    ) {
        match operation {
            TakeAny => state
                .iter()
                .for_each(|held| each(self.step(state, &Take(*held)).expect("it is there"))),
            _ => self.step(state, operation).into_iter().for_each(each),
        }
    }

    fn describe(&self, state: &Vec<Value>, _: &Names) -> String {
        format!("{state:?}")
    }
}

#[test]
fn that_unknown_dequeues_of_a_bag_choose_late_makes_no_difference() {
    let mut chosen = 0;
    let unknown = &[Put(1), TakeAny];
    let answered = &[Put(1), Put(2), Take(1), Empty];
    for operations in 0..=5 {
        let is_first = |calls: &[Call<ContainerOperation>]| match calls {
            // Else nothing is to be chosen.
            [first, ..] => matches!(first.operation, Put(_) | TakeAny),
            [] => true,
        };
        let all = Enumeration { operations, open: 2, answered, unknown, is_first: &is_first };
        all.each(&mut |calls| {
            let expected = is_linearizable(&PlainBag, calls);
            assert_eq!(is_linearizable(&Bag, calls), expected, "{}", drawing(calls));
            chosen += u64::from(expected && calls.iter().any(|call| call.operation == TakeAny));
        });
    }
    assert!(chosen > 10_000, "{chosen}");
}

/// The decider and the search agree on histories that are too long for the definition.
fn check_long<M: Container>(operations: usize, unknown: f64) {
    let object = M::default();
    let (mut linearizable, mut contradictions, mut searched_too) = (0, 0, 0);
    for seed in 0..20 {
        let mut generator = Pcg64Mcg::new(seed << 1 | 1);
        let shape = Shape {
            operations,
            processes: generator.random_range(2..=4),
            unknown,
            wrong: generator.random_range(0..2),
            puts: 0.45,
            repeats: false,
        };
        let reduced = object.reduce(random::<M>(&mut generator, &shape));
        let is_linearizable = match object.decide(&reduced) {
            Decision::Linearizable(order) => {
                assert_eq!(verify::order(&object, &reduced, &order), Ok(()), "seed {seed}");
                true
            }
            Decision::Contradiction(core) => {
                let core = super::chosen(&reduced, &core);
                assert!(core.len() < 200, "seed {seed}: {}", core.len());
                assert!(!searched(&object, &core), "seed {seed}:\n{}", drawing(&core));
                false
            }
            Decision::Inapplicable => panic!("seed {seed}: not decided"),
        };
        let answer = search(
            &object,
            &reduced,
            &mut Budget { steps_left: 400_000, ..budget() },
            Effort::Thorough,
        );
        if !matches!(answer, Answer::Exhausted { .. }) {
            assert_eq!(is_order(&object, &reduced, answer), is_linearizable, "seed {seed}");
            searched_too += 1;
        }
        match is_linearizable {
            true => linearizable += 1,
            false => contradictions += 1,
        }
    }
    println!("{}: {linearizable} {contradictions} {searched_too}", object.name());
    assert!(linearizable > 5 && contradictions > 5, "{linearizable} {contradictions}");
    assert!(searched_too > 5, "{searched_too}");
}

#[test]
fn deciders_agree_with_the_search_on_long_histories() {
    check_long::<Queue>(10_000, 0.0);
    check_long::<Bag>(10_000, 0.0);
    check_long::<Stack>(10_000, 0.0);
}

#[test]
fn deciders_agree_with_the_search_on_long_histories_with_unknown_outcomes() {
    check_long::<Queue>(500, 0.01);
    check_long::<Bag>(500, 0.01);
}
