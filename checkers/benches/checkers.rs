//! How long the checkers take on the histories of a long run.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use perjury_checkers::{
    Checker, Context, Convergence, Leaders, Linearizability, LostWrites, Model, SessionGuarantees,
};
use perjury_history::{
    Entry, Event, EventKind, History, HistoryBuilder, Key, MicroOp, NodeId, Process, Reading,
    Value, Version,
};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

/// What to generate.
struct Shape {
    operations: usize,
    keys: usize,
    processes: usize,
    /// Share of mutations whose outcome is unknown.
    unknown: f64,
    /// Share of reads that return what was there a while ago.
    stale: f64,
}

struct Open {
    micro_op: MicroOp,
    version: Option<Version>,
    applied: bool,
}

/// A history of a store that executes each operation at a random moment while it is open.
fn generate(shape: &Shape) -> History {
    let mut random = Pcg64Mcg::new(7);
    let mut builder = HistoryBuilder::new();
    let mut store: Vec<(Option<Value>, Option<Version>)> = vec![(None, None); shape.keys];
    let mut previous = store.clone();
    let mut open: Vec<Option<Open>> = (0..shape.processes).map(|_| None).collect();
    let mut process: Vec<u32> = (0..shape.processes as u32).collect();
    let (mut invoked, mut next, mut position, mut time_ns) = (0, 0, 0, 0);
    while invoked < shape.operations || open.iter().any(Option::is_some) {
        time_ns += 50_000;
        let slot = random.random_range(0..shape.processes);
        let mut push = |process, kind, micro_op, version| {
            let node = Some(NodeId(slot as u32 % 5));
            let event = Event {
                time_ns,
                process,
                kind,
                micro_ops: vec![micro_op],
                node,
                version,
                error: None,
            };
            builder.push(Entry::Operation(event)).expect("well formed");
        };
        match open[slot].take() {
            None if invoked < shape.operations => {
                let key = random.random_range(0..shape.keys) as Key;
                next += 1;
                let micro_op = match (random.random_range(0..10), store[key as usize].0) {
                    (0, Some(old)) => MicroOp::Cas { key, old, new: next },
                    (0..5, _) => MicroOp::Write { key, value: next },
                    _ => MicroOp::read(key),
                };
                push(Process(process[slot]), EventKind::Invoke, micro_op.clone(), None);
                invoked += 1;
                open[slot] = Some(Open { micro_op, version: None, applied: false });
            }
            None => {}
            Some(mut it) if !it.applied => {
                let key = it.micro_op.key() as usize;
                let mut version = || {
                    position += 1;
                    Some(Version { epoch: 1, position })
                };
                it.applied = true;
                match &mut it.micro_op {
                    MicroOp::Read { result, .. } => {
                        let stale = random.random_bool(shape.stale);
                        let (value, of) = if stale { previous[key] } else { store[key] };
                        *result = Some(Reading::from(value));
                        it.version = of;
                    }
                    MicroOp::Write { value, .. } => {
                        it.version = version();
                        previous[key] = store[key];
                        store[key] = (Some(*value), it.version);
                    }
                    MicroOp::Cas { old, new, .. } => {
                        it.applied = store[key].0 == Some(*old);
                        if it.applied {
                            it.version = version();
                            previous[key] = store[key];
                            store[key] = (Some(*new), it.version);
                        } else {
                            push(Process(process[slot]), EventKind::Fail, it.micro_op, None);
                            continue;
                        }
                    }
                    _ => {}
                }
                open[slot] = Some(it);
            }
            Some(it) => {
                let unknown = it.micro_op.written().is_some() && random.random_bool(shape.unknown);
                if unknown {
                    push(Process(process[slot]), EventKind::Info, it.micro_op, None);
                    process[slot] += shape.processes as u32;
                } else {
                    push(Process(process[slot]), EventKind::Ok, it.micro_op, it.version);
                }
            }
        }
    }
    builder.finish()
}

fn bench(criterion: &mut Criterion, name: &str, shape: &Shape, expected: &str) {
    let history = generate(shape);
    let verdict = Linearizability::of_registers().check(&history, &Context::default());
    let judgement = &verdict.models[&Model::Linearizable];
    assert_eq!(judgement.name(), expected, "{judgement:?}");
    eprintln!("{name}: {} {:?}", judgement.name(), verdict.measures);
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_millis(500));
    let checkers: [&dyn Checker; 5] =
        [&Linearizability::of_registers(), &SessionGuarantees, &LostWrites, &Leaders, &Convergence];
    for checker in checkers {
        group.bench_function(checker.name(), |bencher| {
            bencher.iter(|| checker.check(black_box(&history), &Context::default()));
        });
    }
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let usual = Shape { operations: 60_000, keys: 200, processes: 20, unknown: 0.03, stale: 0.0 };
    bench(criterion, "60k operations on 200 keys", &usual, "valid");
    let stale = Shape { stale: 0.02, ..usual };
    bench(criterion, "60k operations on 200 keys, stale reads", &stale, "invalid");
    let large = Shape { operations: 1_000_000, keys: 5_000, ..usual };
    bench(criterion, "1M operations on 5000 keys", &large, "valid");
    let hot = Shape { operations: 60_000, keys: 1, ..usual };
    bench(criterion, "60k operations on 1 key", &hot, "valid");
    let hot_stale = Shape { stale: 0.01, ..hot };
    bench(criterion, "60k operations on 1 key, stale reads", &hot_stale, "invalid");
}

criterion_group!(benches, all);
criterion_main!(benches);
