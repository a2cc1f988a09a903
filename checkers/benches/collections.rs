//! How long linearizability takes on queues, bags and stacks whose values are put in once.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use perjury_checkers::{Checker, Context, Linearizability, Model};
use perjury_history::{
    Entry, Event, EventKind, History, HistoryBuilder, MicroOp, Process, Reading, Value,
};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

const KEY: i64 = 0;

/// Who takes which element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Queue,
    Bag,
    Stack,
}

/// One container under load: about as much is put in as is taken out.
#[derive(Clone, Copy, Debug)]
struct Load {
    kind: Kind,
    operations: usize,
    processes: usize,
    /// Share of operations whose outcome is unknown; they happen.
    unknown: f64,
    /// Whether half-way an operation gives what another one has given already.
    is_wrong: bool,
}

impl Load {
    fn history(self) -> History {
        let mut random = Pcg64Mcg::new(7);
        let mut builder = HistoryBuilder::new();
        let mut held: std::collections::VecDeque<Value> = [].into();
        let mut open: Vec<Option<(MicroOp, bool)>> = vec![None; self.processes];
        let mut process: Vec<u32> = (0..self.processes as u32).collect();
        let (mut invoked, mut next, mut time_ns) = (0, 0, 0);
        let mut last = None;
        let mut is_wrong = self.is_wrong;
        while invoked < self.operations || open.iter().any(Option::is_some) {
            time_ns += 10_000;
            let slot = random.random_range(0..self.processes);
            let mut push = |process, kind, micro_op| {
                let (process, micro_ops) = (Process(process), vec![micro_op]);
                let (node, version, error) = (None, None, None);
                let event = Event { time_ns, process, kind, micro_ops, node, version, error };
                builder.push(Entry::Operation(event)).expect("well formed");
            };
            match open[slot].take() {
                None if invoked < self.operations => {
                    next += 1;
                    let micro_op = match (random.random_bool(0.5), self.kind) {
                        (true, Kind::Stack) => MicroOp::Push { key: KEY, value: next },
                        (true, _) => MicroOp::Enqueue { key: KEY, value: next },
                        (false, Kind::Stack) => MicroOp::pop(KEY),
                        (false, _) => MicroOp::dequeue(KEY),
                    };
                    push(process[slot], EventKind::Invoke, micro_op.clone());
                    invoked += 1;
                    open[slot] = Some((micro_op, false));
                }
                None => {}
                Some((mut micro_op, false)) => {
                    match &mut micro_op {
                        MicroOp::Enqueue { value, .. } | MicroOp::Push { value, .. } => {
                            held.push_back(*value);
                        }
                        MicroOp::Dequeue { result, .. } | MicroOp::Pop { result, .. } => {
                            let taken = match self.kind {
                                Kind::Queue => held.pop_front(),
                                Kind::Stack => held.pop_back(),
                                Kind::Bag if held.is_empty() => None,
                                Kind::Bag => {
                                    held.swap_remove_back(random.random_range(0..held.len()))
                                }
                            };
                            *result = Some(Reading::from(taken));
                            if is_wrong && invoked * 2 > self.operations && last.is_some() {
                                is_wrong = false;
                                *result = Some(Reading::from(last));
                            }
                            last = taken.or(last);
                        }
                        _ => {}
                    }
                    open[slot] = Some((micro_op, true));
                }
                Some((micro_op, true)) => {
                    if random.random_bool(self.unknown) {
                        push(process[slot], EventKind::Info, micro_op);
                        process[slot] += self.processes as u32;
                    } else {
                        push(process[slot], EventKind::Ok, micro_op);
                    }
                }
            }
        }
        builder.finish()
    }
}

/// The most memory that this process ever had, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or_default() >> 10
}

fn bench(criterion: &mut Criterion, load: Load, expected: &str) {
    let history = load.history();
    let checker: &dyn Checker = match load.kind {
        Kind::Queue => &Linearizability::of_queues(),
        Kind::Bag => &Linearizability::of_bags(),
        Kind::Stack => &Linearizability::of_stacks(),
    };
    let before = peak_mib();
    let verdict = checker.check(&history, &Context::default());
    let judgement = &verdict.models[&Model::Linearizable];
    assert_eq!(judgement.name(), expected, "{load:?}: {judgement:?}");
    let after = peak_mib();
    eprintln!("{load:?}: {}, {:?}, {before} MiB, then {after}", judgement.name(), verdict.measures);
    let mut group = criterion.benchmark_group("collections");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_millis(500));
    let name = format!(
        "{:?}, {} operations, {} processes, {}% unknown{}",
        load.kind,
        load.operations,
        load.processes,
        load.unknown * 100.0,
        if load.is_wrong { ", one taken twice" } else { "" }
    );
    group.bench_function(name, |bencher| {
        bencher.iter(|| black_box(checker.check(&history, &Context::default())));
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    for kind in [Kind::Queue, Kind::Bag, Kind::Stack] {
        let (operations, processes) = (1_000_000, 16);
        let load = Load { kind, operations, processes, unknown: 0.0, is_wrong: false };
        bench(criterion, load, "valid");
        bench(criterion, Load { is_wrong: true, ..load }, "invalid");
        // Unknown pops of a stack are the search's.
        if kind != Kind::Stack {
            bench(criterion, Load { unknown: 0.01, ..load }, "valid");
        }
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
