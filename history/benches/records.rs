//! How fast recordings are written and read, and how large they are: 1,000,000 entries of a
//! register workload, at rates that fill a batch (100 ms) with 20 to 65,536 rows.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use perjury_history::arrow::{Recorder, read_from};
use perjury_history::{Entry, Event, EventKind, MicroOp, NodeId, Process, Reading, Version};

const ENTRIES: u64 = 1_000_000;

/// Ten clients, five nodes, ten keys; reads, writes and a few `cas`; one in fifty times out.
fn entries(entries_per_second: u64) -> Vec<Entry> {
    // A generator of our own, so that the figures compare from one version of `rand` to the next.
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut entries = Vec::with_capacity(ENTRIES as usize);
    let step_ns = 1_000_000_000 / entries_per_second;
    for pair in 0..ENTRIES / 2 {
        let key = random(10) as i64;
        let value = pair as i64;
        let (asked, answered) = match random(10) {
            0..5 => {
                let result = Some(Reading::Value(value - random(10) as i64));
                (MicroOp::read(key), MicroOp::Read { key, result })
            }
            5..9 => (MicroOp::Write { key, value }, MicroOp::Write { key, value }),
            _ => {
                let cas = MicroOp::Cas { key, old: value - 7, new: value };
                (cas.clone(), cas)
            }
        };
        let kind = if random(50) == 0 { EventKind::Info } else { EventKind::Ok };
        let invocation = Event {
            time_ns: 2 * pair * step_ns + random(step_ns),
            process: Process(random(10) as u32),
            kind: EventKind::Invoke,
            micro_ops: vec![asked.clone()],
            node: Some(NodeId(random(5) as u32)),
            version: None,
            error: None,
        };
        let completion = Event {
            time_ns: (2 * pair + 1) * step_ns + random(step_ns),
            kind,
            micro_ops: vec![if kind == EventKind::Ok { answered } else { asked }],
            version: (kind == EventKind::Ok)
                .then_some(Version { epoch: pair / 10_000, position: pair }),
            error: (kind == EventKind::Info).then(|| "timeout".to_owned()),
            ..invocation.clone()
        };
        entries.extend([Entry::Operation(invocation), Entry::Operation(completion)]);
    }
    entries
}

fn record(entries: &[Entry]) -> Vec<u8> {
    let mut recorder = Recorder::new(Vec::new(), "memory").expect("a buffer");
    for entry in entries {
        recorder.push(entry).expect("a buffer");
    }
    recorder.finish().expect("a buffer")
}

fn records(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("records");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .throughput(Throughput::Elements(ENTRIES));
    for entries_per_second in [200, 2_000, 20_000, 1_000_000] {
        let entries = entries(entries_per_second);
        let recorded = record(&entries);
        println!(
            "{entries_per_second} entries/s: {:.1} bytes per entry",
            recorded.len() as f64 / ENTRIES as f64
        );
        let id = |name| BenchmarkId::new(name, format!("{entries_per_second} per second"));
        group.bench_function(id("write"), |bencher| {
            bencher.iter(|| black_box(record(&entries)));
        });
        group.bench_function(id("read"), |bencher| {
            bencher.iter(|| black_box(read_from(&recorded[..], "memory").expect("sound")));
        });
    }
    group.finish();
}

criterion_group!(benches, records);
criterion_main!(benches);
