//! How fast histories are simulated: a hundred thousand transactions at every level.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use perjury_simulator::{Level, Settings, Workload, simulate};

const TRANSACTIONS: u32 = 100_000;

fn simulator(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulator");
    group.sample_size(10).throughput(Throughput::Elements(TRANSACTIONS.into()));
    for workload in Workload::ALL {
        for level in Level::ALL {
            let settings =
                Settings { level, workload, transactions: TRANSACTIONS, ..Settings::default() };
            group.bench_function(format!("{workload} {level}"), |bencher| {
                bencher.iter(|| simulate(black_box(&settings)).expect("sound settings").len());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, simulator);
criterion_main!(benches);
