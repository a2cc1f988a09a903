//! How long linearizability takes on what is hard for others: `docs/performance.md` has the table.

mod generate;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use perjury_checkers::{Checker, Context, Linearizability, Model};

use self::generate::{RegisterLoad, Wrong};

fn bench(criterion: &mut Criterion, name: &str, load: &RegisterLoad, expected: &str) {
    let history = load.history();
    let check = || Linearizability::of_registers().check(&history, &Context::default());
    let verdict = check();
    let judgement = &verdict.models[&Model::Linearizable];
    assert_eq!(judgement.name(), expected, "{judgement:?}");
    eprintln!("{name}: {} {:?}", judgement.name(), verdict.measures);
    let mut group = criterion.benchmark_group("linearizability");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_millis(500));
    group.bench_function(name, |bencher| bencher.iter(|| black_box(check())));
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let unique = RegisterLoad {
        operations: 1_000_000,
        processes: 100,
        values: None,
        cas: 0.1,
        unknown: 0.01,
        wrong: Wrong::Nothing,
        seed: 3,
    };
    bench(criterion, "1M operations, 100 processes, 1% unknown", &unique, "valid");
    let wrong = RegisterLoad { wrong: Wrong::LastRead, ..unique };
    bench(criterion, "1M operations, 100 processes, 1% unknown, one stale read", &wrong, "invalid");
    let repeated = RegisterLoad {
        operations: 10_000,
        processes: 10,
        values: Some(5),
        cas: 0.25,
        unknown: 0.0,
        wrong: Wrong::Nothing,
        seed: 3,
    };
    bench(criterion, "10k operations, 10 processes, 5 values", &repeated, "valid");
    let unknown = RegisterLoad { operations: 2_000, processes: 5, unknown: 0.05, ..repeated };
    bench(criterion, "2k operations, 5 processes, 5 values, 5% unknown", &unknown, "valid");
    let wrong = RegisterLoad { wrong: Wrong::LastRead, ..unknown };
    bench(
        criterion,
        "2k operations, 5 processes, 5 values, 5% unknown, one wrong read",
        &wrong,
        "invalid",
    );
}

criterion_group!(benches, all);
criterion_main!(benches);
