//! Every combinator under the simulated clock.

use std::collections::{BTreeMap, BTreeSet};

use perjury_history::{History, MicroOp, NodeId, Operation, Outcome, Process};
use perjury_workloads::generator::{
    CATCH_UP_NS, each_node, list, mix, nothing, on_nodes, once, operations, per_process, phases,
    repeat, rng, sleep,
};
use perjury_workloads::simulate::Simulation;
use perjury_workloads::{Context, FreeProcess, Generator, Invocation, Next};

const SECOND_NS: u64 = 1_000_000_000;
const SEED: u64 = 7;

fn read(key: i64) -> Vec<MicroOp> {
    vec![MicroOp::read(key)]
}

/// Endless reads of one key.
fn reads(key: i64) -> impl Generator + 'static {
    operations(rng(SEED, "reads"), move |_| read(key))
}

fn run(mut generator: impl Generator) -> History {
    run_in(Simulation::default(), &mut generator)
}

fn run_in(simulation: Simulation, generator: &mut dyn Generator) -> History {
    let mut simulator = simulation.start();
    simulator.run(generator).expect("the generator keeps the rules");
    simulator.history()
}

fn keys(history: &History) -> Vec<i64> {
    history.iter().map(|operation| operation.micro_ops[0].key()).collect()
}

fn invoked_ns(history: &History) -> Vec<u64> {
    history.iter().map(|operation| operation.invoked_ns).collect()
}

#[test]
fn rate_is_exact() {
    let history = run(reads(1).rate(250.0).time_limit(2 * SECOND_NS));
    let expected: Vec<u64> = (0..500).map(|beat| beat * 4_000_000).collect();
    assert_eq!(invoked_ns(&history), expected);
}

#[test]
fn stagger_holds_its_mean_and_varies() {
    let history = run(reads(1).stagger(1_000.0, rng(SEED, "stagger")).time_limit(20 * SECOND_NS));
    assert!((19_400..20_600).contains(&history.len()), "{}", history.len());
    let times = invoked_ns(&history);
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    let short = gaps.filter(|&gap_ns| gap_ns < 1_000_000).count() as f64 / times.len() as f64;
    assert!((short - 0.632).abs() < 0.02, "1 - 1/e of the gaps are below the mean, not {short}");
}

#[test]
fn zero_rates_give_nothing_for_the_time_limit() {
    for rate_hz in [0.0, -1.0, f64::NAN] {
        assert!(run(reads(1).rate(rate_hz)).is_empty());
        let paced = reads(1).stagger(rate_hz, rng(SEED, "stagger")).time_limit(SECOND_NS);
        let history = run(phases([paced.boxed(), once(read(2)).boxed()]));
        assert_eq!((keys(&history), invoked_ns(&history)), (vec![2], vec![SECOND_NS]), "{rate_hz}");
    }
}

#[test]
fn an_infinite_rate_keeps_every_process_busy() {
    let simulation =
        Simulation { latency_ns_min: 1_000_000, latency_ns_max: 1_000_000, ..Default::default() };
    let paced = reads(1).stagger(f64::INFINITY, rng(SEED, "stagger"));
    let history = run_in(simulation, &mut paced.time_limit(SECOND_NS));
    assert_eq!(history.len(), 10 * 1_000);
}

#[test]
fn a_stall_is_not_followed_by_a_burst() {
    let stall_ns = SECOND_NS..6 * SECOND_NS;
    let simulation = Simulation { stall_ns: Some(stall_ns.clone()), ..Default::default() };
    let history = run_in(simulation, &mut reads(1).rate(1_000.0).time_limit(8 * SECOND_NS));
    let within = |from_ns: u64, to_ns: u64| {
        invoked_ns(&history).iter().filter(|&&at_ns| (from_ns..to_ns).contains(&at_ns)).count()
    };
    assert_eq!(within(stall_ns.start, stall_ns.end), 10, "one for each process");
    let first_second = within(stall_ns.end, stall_ns.end + SECOND_NS);
    let caught_up_max = (CATCH_UP_NS / 1_000_000) as usize;
    assert!((990..=1_000 + caught_up_max).contains(&first_second), "{first_second}");
}

#[test]
fn late_timers_do_not_lower_the_rate() {
    let mut generator = reads(1).rate(1_000.0);
    let free = [FreeProcess { thread: 0, process: Process(0) }];
    let mut given = 0;
    // Asked every 3 ms only.
    for now_ns in (0..SECOND_NS).step_by(3_000_000) {
        let context = Context { now_ns, free: &free, concurrency: 1, nodes: 1 };
        while let Next::Invoke(invocation) = generator.next(&context) {
            assert!(invocation.at_ns <= now_ns && now_ns - invocation.at_ns < 3_000_000);
            given += 1;
        }
    }
    assert_eq!(given, 1_000);
}

#[test]
fn time_limits_hold() {
    let history = run(reads(1).time_limit(SECOND_NS));
    assert!(invoked_ns(&history).iter().all(|&at_ns| at_ns < SECOND_NS));
    assert!(invoked_ns(&history).last().is_some_and(|&at_ns| at_ns > SECOND_NS - 10_000_000));
    assert!(run(reads(1).time_limit(0)).is_empty());
}

#[test]
fn a_time_limit_counts_from_the_first_question() {
    let limited = || reads(1).rate(10.0).time_limit(SECOND_NS).boxed();
    let history = run(phases([sleep(5 * SECOND_NS).boxed(), limited()]));
    assert_eq!(history.len(), 10);
}

#[test]
fn a_time_limit_does_not_wait_for_what_comes_after_it() {
    let slow = reads(1).rate(0.1).time_limit(SECOND_NS);
    let history = run(phases([slow.boxed(), once(read(2)).boxed()]));
    assert_eq!((keys(&history), invoked_ns(&history)), (vec![1, 2], vec![0, SECOND_NS]));
}

#[test]
fn operation_limits_hold() {
    for limit in [0, 1, 7, 1_000] {
        assert_eq!(run(reads(1).operation_limit(limit)).len() as u64, limit);
    }
}

#[test]
fn phases_do_not_overlap() {
    let phase = |key| reads(key).operation_limit(25).boxed();
    let history = run(phases([phase(1), nothing().boxed(), phase(2), phase(3)]));
    assert_eq!(history.len(), 75);
    for one in history.iter() {
        for other in history.iter().filter(|other| other.micro_ops[0].key() > key_of(&one)) {
            assert!(one.precedes(&other), "{one:?} overlaps {other:?}");
        }
    }
}

fn key_of(operation: &Operation<'_>) -> i64 {
    operation.micro_ops[0].key()
}

#[test]
fn a_phase_waits_for_unknown_operations_only_until_their_clients_give_up() {
    let simulation = Simulation { info_share: 1.0, ..Default::default() };
    let phase = |key| reads(key).operation_limit(5).boxed();
    let history = run_in(simulation, &mut phases([phase(1), phase(2)]));
    assert_eq!(keys(&history), [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
    assert!(history.iter().all(|operation| operation.outcome == Outcome::Info));
}

#[test]
fn mix_keeps_its_shares_even_of_slow_generators() {
    let generators = [
        (3.0, reads(1).boxed()),
        (1.0, reads(2).rate(50.0).boxed()),
        (0.0, reads(3).boxed()),
        (-1.0, reads(4).boxed()),
    ];
    let history = run(mix(rng(SEED, "mix"), generators).operation_limit(4_000));
    let of = |key| keys(&history).iter().filter(|&&found| found == key).count();
    assert!((900..1_100).contains(&of(2)), "{}", of(2));
    assert_eq!((of(1) + of(2), of(3) + of(4)), (4_000, 0));
}

#[test]
fn mix_goes_on_without_those_that_are_done() {
    let generators = [
        (1.0, reads(1).operation_limit(3).boxed()),
        (1.0, reads(2).rate(0.0).boxed()),
        (1.0, reads(3).operation_limit(50).boxed()),
    ];
    let history = run(mix(rng(SEED, "mix"), generators));
    assert_eq!(history.len(), 53);
    assert!(run(mix(rng(SEED, "mix"), [])).is_empty());
}

#[test]
fn every_thread_has_its_own_generator_and_keeps_it_when_its_process_is_retired() {
    let simulation = Simulation { info_share: 0.3, ..Default::default() };
    let mut generator = per_process(|thread| reads(i64::from(thread)).operation_limit(20).boxed());
    let history = run_in(simulation, &mut generator);
    assert_eq!(history.len(), 200);
    let processes: BTreeSet<Process> = history.iter().map(|operation| operation.process).collect();
    assert!(processes.len() > 10, "some were retired");
    for operation in history.iter() {
        assert_eq!(i64::from(operation.process.0 % 10), key_of(&operation));
    }
}

#[test]
fn a_sleeping_thread_does_not_hold_up_the_others() {
    let history = run(per_process(|thread| {
        reads(i64::from(thread))
            .operation_limit(1)
            .delay(u64::from(10 - thread) * SECOND_NS)
            .boxed()
    }));
    let expected: Vec<u64> = (1..=10).map(|second| second * SECOND_NS).collect();
    assert_eq!(invoked_ns(&history), expected);
    assert_eq!(keys(&history), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
}

#[test]
fn phases_of_one_thread_do_not_wait_for_the_others() {
    let history = run(per_process(|thread| {
        let first = reads(1).operation_limit(u64::from(thread) * 100).boxed();
        phases([first, once(read(2)).boxed()]).boxed()
    }));
    assert_eq!(history.len(), 10 + 100 * (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9));
    let seconds = keys(&history).into_iter().enumerate().filter(|&(_, key)| key == 2);
    let (earliest, _) = seconds.clone().next().expect("ten of them");
    assert!(earliest < 10, "the thread without a first phase begins its second at once");
    assert_eq!(seconds.count(), 10);
}

#[test]
fn threads_that_are_done_leave_nothing_to_wait_for() {
    let each = per_process(|_| once(read(1)).boxed()).time_limit(5 * SECOND_NS);
    let history = run(phases([each.boxed(), once(read(2)).boxed()]));
    assert_eq!(history.len(), 11);
    assert!(history.end_ns() < SECOND_NS, "{} ns", history.end_ns());
}

#[test]
fn a_list_is_spread_over_the_threads() {
    let history = run(list((0..20).map(read)).rate(10.0));
    let threads: Vec<u32> = history.iter().map(|operation| operation.process.0).collect();
    assert_eq!(threads, (0..20).map(|index| index % 10).collect::<Vec<_>>());
}

#[test]
fn until_ok_ends_with_the_first_success() {
    let simulation =
        || Simulation { concurrency: 1, fail_share: 0.9, seed: 3, ..Default::default() };
    let history = run_in(simulation(), &mut reads(1).until_ok());
    let outcomes: Vec<Outcome> = history.iter().map(|operation| operation.outcome).collect();
    let (last, before) = outcomes.split_last().expect("not empty");
    assert_eq!(*last, Outcome::Ok);
    assert!(before.len() > 2 && before.iter().all(|&outcome| outcome == Outcome::Fail));
    let history = run_in(
        Simulation { fail_share: 1.0, ..simulation() },
        &mut reads(1).operation_limit(4).until_ok(),
    );
    assert_eq!(history.len(), 4, "it also ends when there is nothing left to try");
}

#[test]
fn repeat_begins_again_and_notices_that_nothing_comes() {
    let round = |round| list([read(round as i64), read(100)]);
    let history = run(repeat(Some(3), round).time_limit(SECOND_NS));
    assert_eq!(keys(&history), [0, 100, 1, 100, 2, 100]);
    assert!(run(repeat(None, |_| nothing())).is_empty());
    assert!(run(repeat(Some(0), round)).is_empty());
    let pauses = repeat(Some(3), |_| sleep(SECOND_NS)).boxed();
    let history = run(phases([pauses, once(read(1)).boxed()]));
    assert_eq!(invoked_ns(&history), [3 * SECOND_NS]);
}

/// How often each (node, key) succeeded.
fn successes(history: &History) -> BTreeMap<(NodeId, i64), usize> {
    let mut successes = BTreeMap::new();
    for operation in history.iter().filter(|operation| operation.outcome == Outcome::Ok) {
        *successes.entry((operation.node.expect("asked"), key_of(&operation))).or_default() += 1;
    }
    successes
}

#[test]
fn each_node_is_asked_everything_until_it_succeeds() {
    let questions: Vec<_> = (0..20).map(|key| vec![MicroOp::inspect(key)]).collect();
    for (info_share, fail_share) in [(0.0, 0.0), (0.0, 0.2), (0.2, 0.0), (0.2, 0.2)] {
        let simulation = Simulation { info_share, fail_share, ..Default::default() };
        let history = run_in(simulation, &mut each_node(5, &questions, 60 * SECOND_NS));
        let successes = successes(&history);
        assert_eq!(successes.len(), 5 * 20);
        assert!(successes.values().all(|&count| count == 1));
        let threads: BTreeSet<u32> = history.iter().map(|one| one.process.0 % 10).collect();
        assert!(threads.len() > 4, "spread over {threads:?}");
    }
}

#[test]
fn without_patience_everything_is_asked_once() {
    let simulation = Simulation { fail_share: 1.0, ..Default::default() };
    let tasks = (0..10).map(|key| (NodeId(key as u32 % 2), read(key)));
    let history = run_in(simulation, &mut on_nodes(tasks, 0));
    assert_eq!(keys(&history).into_iter().collect::<BTreeSet<_>>(), (0..10).collect());
    assert_eq!(history.len(), 10);
    assert!(history.end_ns() < SECOND_NS, "and without pauses");
}

#[test]
fn a_node_that_fails_now_and_then_is_not_given_up() {
    let simulation = Simulation { fail_share: 0.2, ..Simulation::default() };
    let questions: Vec<_> = (0..300).map(read).collect();
    let history = run_in(simulation, &mut each_node(1, &questions, 5 * SECOND_NS));
    assert!(history.end_ns() > 20 * SECOND_NS, "failures went on for longer than the patience");
    let answered = history.iter().filter(|operation| operation.outcome == Outcome::Ok);
    assert_eq!(answered.count(), 300);
}

#[test]
fn an_operation_that_never_succeeds_does_not_take_its_node_along() {
    // Key 0 expects a value that the register never holds.
    let mut questions = vec![vec![MicroOp::Cas { key: 0, old: 1, new: 2 }]];
    questions.extend((1..50).map(read));
    let simulation = Simulation { fail_share: 0.2, ..Simulation::default() };
    let history = run_in(simulation, &mut each_node(1, &questions, 3 * SECOND_NS));
    assert_eq!(successes(&history).len(), 49);
    assert_eq!(keys(&history).iter().filter(|&&key| key == 0).count(), 7);
}

#[test]
fn dead_nodes_are_given_up() {
    let simulation = Simulation { fail_share: 1.0, ..Default::default() };
    let questions: Vec<_> = (0..1_000).map(read).collect();
    let history = run_in(simulation, &mut each_node(5, &questions, 10 * SECOND_NS));
    assert!(history.end_ns() < 12 * SECOND_NS, "{} ns", history.end_ns());
    assert!(history.len() < 5 * 30, "{} operations", history.len());
}

#[test]
fn the_referee_refuses_a_bad_generator() {
    struct Bad(fn(&Context<'_>) -> Next);
    impl Generator for Bad {
        fn next(&mut self, context: &Context<'_>) -> Next {
            (self.0)(context)
        }
    }
    let refused = |next, expected: &str| {
        let error = Simulation::default().start().run(&mut Bad(next)).expect_err("it is refused");
        assert!(error.to_string().contains(expected), "{error}");
    };
    let stranger = |context: &Context<'_>| {
        context.invoke(FreeProcess { thread: 3, process: Process(77) }, read(1))
    };
    refused(stranger, "expected a free process, found p77");
    let early = |context: &Context<'_>| match context.invoke(context.free[0], read(1)) {
        Next::Invoke(invocation) => Next::Invoke(Invocation { at_ns: 1, ..invocation }),
        next => next,
    };
    refused(early, "expected an operation that is due, found one due at 1 ns");
    let empty = |context: &Context<'_>| context.invoke(context.free[0], Vec::new());
    refused(empty, "at least one micro-operation");
    let past = |context: &Context<'_>| Next::Wait { until_ns: Some(context.now_ns) };
    refused(past, "expected a wait for a later time");
    let endless = |_: &Context<'_>| Next::Wait { until_ns: Some(u64::MAX) };
    refused(endless, "expected the generator to end");
    let again = |context: &Context<'_>| match context.now_ns {
        0 => Next::Done,
        _ => context.invoke(context.free[0], read(1)),
    };
    refused(again, "expected done to be for ever");
}
