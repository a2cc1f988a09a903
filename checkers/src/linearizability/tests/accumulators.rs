//! Sets, counters and generators of ids: what only ever gains.

use std::sync::Arc;

use perjury_history::Value;
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::containers::operations_max;
use super::enumeration::Enumeration;
use super::{Checked, call, check, drawing};
use crate::linearizability::object::{Call, SequentialObject};
use crate::linearizability::objects::counter::{Counter, CounterOperation};
use crate::linearizability::objects::id_generator::IdGenerator;
use crate::linearizability::objects::set::{Set, SetOperation};

fn show(elements: &[Value]) -> SetOperation {
    SetOperation::Read(Arc::from(elements))
}

/// How many histories there are, how many of them are linearizable, and how many were decided
/// without search.
fn enumerate<M: SequentialObject + Default>(
    operations: usize,
    answered: &[M::Operation],
    unknown: &[M::Operation],
) -> [u64; 3] {
    let [mut histories, mut linearizable, mut decided] = [0; 3];
    let all = Enumeration { operations, open: 3, answered, unknown, is_first: &|_| true };
    all.each(&mut |calls| {
        let checked = check(&M::default(), calls);
        histories += 1;
        linearizable += u64::from(checked.linearizable);
        decided += u64::from(checked.decided);
    });
    println!(
        "{}: {histories} histories of {operations} operations, {linearizable} linearizable, \
         {decided} decided without search",
        M::default().name()
    );
    [histories, linearizable, decided]
}

#[test]
fn sets_agree_with_the_definition_on_all_small_histories() {
    use SetOperation::Add;
    let answered = [Add(1), Add(2), show(&[]), show(&[1]), show(&[2]), show(&[1, 2])];
    for operations in 0..=4 {
        let [histories, linearizable, decided] =
            enumerate::<Set>(operations, &answered, &[Add(1), Add(2)]);
        assert!(operations < 4 || linearizable.min(histories - linearizable) > 10_000);
        assert!(decided * 2 > histories);
    }
}

#[test]
fn counters_agree_with_the_definition_on_all_small_histories() {
    use CounterOperation::{Increment, Read};
    let answered = [Increment(1), Increment(-2), Read(0), Read(1), Read(2), Read(-1)];
    for operations in 0..=4 {
        let [histories, linearizable, _] =
            enumerate::<Counter>(operations, &answered, &[Increment(1), Increment(2)]);
        assert!(operations < 4 || linearizable.min(histories - linearizable) > 10_000);
    }
}

#[test]
fn generators_of_ids_agree_with_the_definition_on_all_small_histories() {
    for operations in 0..=operations_max() {
        let [histories, linearizable, decided] =
            enumerate::<IdGenerator>(operations, &[1, 2, 3], &[1]);
        assert!(operations < 4 || linearizable.min(histories - linearizable) > 500);
        assert_eq!(decided, histories);
    }
}

/// A random history of a set: each operation takes effect while it is open, and some reads forget
/// an element, or come from a moment before.
fn random_set(random: &mut Pcg64Mcg, operations: usize, repeats: bool) -> Vec<Call<SetOperation>> {
    let mut calls = Vec::new();
    let mut held: Vec<Vec<Value>> = vec![Vec::new()];
    let mut open: Vec<(usize, bool)> = Vec::new();
    let unknown = if random.random_bool(0.5) { 0.2 } else { 0.0 };
    let wrong = if random.random_bool(0.5) { 0.3 } else { 0.0 };
    let mut position = 0;
    while calls.len() < operations || !open.is_empty() {
        position += 1;
        let may_begin = calls.len() < operations && open.len() < 4;
        if may_begin && (open.is_empty() || random.random_bool(0.4)) {
            let value = if repeats { random.random_range(0..3) } else { calls.len() as Value };
            let operation =
                if random.random_bool(0.5) { SetOperation::Add(value) } else { show(&[]) };
            open.push((calls.len(), false));
            calls.push(call(calls.len() as u32, operation, (position, None)));
            continue;
        }
        if open.is_empty() {
            continue;
        }
        let at = random.random_range(0..open.len());
        let (index, is_done) = open[at];
        let call: &mut Call<SetOperation> = &mut calls[index];
        if is_done {
            open.swap_remove(at);
            let is_lost = random.random_bool(unknown);
            call.returned = Some(position).filter(|_| !is_lost);
            continue;
        }
        open[at].1 = true;
        let now = held.last().expect("one at least").clone();
        match call.operation {
            SetOperation::Add(value) => {
                let mut next = now;
                next.push(value);
                next.sort_unstable();
                next.dedup();
                held.push(next);
            }
            SetOperation::Read(_) => {
                let mut found = now;
                if random.random_bool(wrong) {
                    found = held[random.random_range(0..held.len())].clone();
                } else if !found.is_empty() && random.random_bool(wrong) {
                    found.remove(random.random_range(0..found.len()));
                }
                call.operation = show(&found);
            }
        }
    }
    calls
}

fn check_random_sets(repeats: bool) {
    let (mut linearizable, mut contradictions, mut decided) = (0_u64, 0_u64, 0_u64);
    let seeds = 100_000;
    for seed in 0..seeds {
        let mut generator = Pcg64Mcg::new(u128::from(seed) << 1 | 1);
        let operations = generator.random_range(6..=9);
        let calls = random_set(&mut generator, operations, repeats);
        let checked = std::panic::catch_unwind(|| check(&Set, &calls));
        let Checked { linearizable: is_linearizable, decided: is_decided } = checked
            .unwrap_or_else(|panic| {
                eprintln!("seed {seed}:\n{}", drawing(&calls));
                std::panic::resume_unwind(panic)
            });
        decided += u64::from(is_decided);
        match is_linearizable {
            true => linearizable += 1,
            false => contradictions += 1,
        }
    }
    println!("{linearizable} linearizable, {contradictions} not, {decided} decided");
    assert!(linearizable.min(contradictions) > seeds / 10, "{linearizable} {contradictions}");
    assert!(repeats || decided == seeds, "{decided}");
}

#[test]
fn sets_agree_with_the_definition_on_random_histories() {
    check_random_sets(false);
}

#[test]
fn sets_agree_with_the_definition_on_random_histories_of_repeated_elements() {
    check_random_sets(true);
}
