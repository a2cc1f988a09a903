//! How fast histories of others are read: from text in memory to a finished history.
//!
//! A million operations of ten clients each, as Jepsen writes them: registers with their times and
//! indices, the same without, the same in JSON, Elle's transactions on lists, and sessions of
//! transactions of 20 steps in Plume's and AWDIT's lines.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use perjury_history::foreign::{Options, read_bytes};

const OPERATIONS: u64 = 1_000_000;

/// A generator of our own, so that the figures compare from one version of `rand` to the next.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[derive(Clone, Copy)]
enum Style {
    Edn,
    ShortEdn,
    Json,
}

fn registers(style: Style) -> String {
    let mut random = Random(1);
    let mut text = String::new();
    let mut event = |number: u64, process: u64, kind: &str, function: &str, value: &str| {
        let time = 7_000_000_000 + number * 13_579;
        match style {
            Style::Edn => writeln!(
                text,
                "{{:process {process}, :type :{kind}, :f :{function}, :value {value}, \
                 :time {time}, :index {number}}}"
            ),
            Style::ShortEdn => writeln!(
                text,
                "{{:process {process}, :type :{kind}, :f :{function}, :value {value}}}"
            ),
            Style::Json => writeln!(
                text,
                "{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"{function}\",\
                 \"value\":{},\"time\":{time},\"index\":{number}}}",
                value.replace("nil", "null").replace(' ', ",")
            ),
        }
        .expect("a string takes everything");
    };
    for pair in 0..OPERATIONS {
        let (process, value) = (pair % 10, random.below(5).to_string());
        let (function, asked, told) = match random.below(10) {
            0..5 => ("read", "nil".to_owned(), value),
            5..9 => ("write", value.clone(), value),
            _ => {
                let cas = format!("[{value} {}]", random.below(5));
                ("cas", cas.clone(), cas)
            }
        };
        event(2 * pair, process, "invoke", function, &asked);
        event(2 * pair + 1, process, "ok", function, &told);
    }
    text
}

fn lists() -> String {
    let mut random = Random(1);
    let mut text = String::new();
    for pair in 0..OPERATIONS / 2 {
        let (mut asked, mut told) = (String::new(), String::new());
        for step in 0..1 + random.below(4) {
            let key = random.below(100);
            match random.below(2) {
                0 => {
                    let append = format!("[:append {key} {}] ", 4 * pair + step);
                    asked += &append;
                    told += &append;
                }
                _ => {
                    asked += &format!("[:r {key} nil] ");
                    let elements: Vec<String> =
                        (0..random.below(12)).map(|it| (pair / 2 + it).to_string()).collect();
                    told += &format!("[:r {key} [{}]] ", elements.join(" "));
                }
            }
        }
        for (kind, value, number) in [("invoke", asked, 2 * pair), ("ok", told, 2 * pair + 1)] {
            let time = 7_000_000_000 + number * 13_579;
            writeln!(
                text,
                "{{:index {number}, :time {time}, :type :{kind}, :process {}, :f :txn, \
                 :value [{}]}}",
                pair % 10,
                value.trim_end()
            )
            .expect("a string takes everything");
        }
    }
    text
}

/// A hundred sessions.
fn sessions(line: impl Fn(&mut String, char, [u64; 4]), session_ends: &str, ends: &str) -> String {
    const STEPS: u64 = 20;
    let mut random = Random(1);
    let mut text = String::new();
    let transactions = OPERATIONS / STEPS;
    for number in 0..transactions {
        let session = number * 100 / transactions;
        match number {
            0 => {}
            _ if (number - 1) * 100 / transactions < session => text += session_ends,
            _ => text += ends,
        }
        for step in 0..STEPS {
            let (name, value) = match random.below(2) {
                0 => ('r', random.below(number * STEPS + 1)),
                _ => ('w', number * STEPS + step + 1),
            };
            line(&mut text, name, [random.below(1_000), value, session, number]);
        }
    }
    text
}

fn plume(text: &mut String, name: char, [key, value, session, number]: [u64; 4]) {
    writeln!(text, "{name}({key},{value},{session},{number})").expect("a string takes everything");
}

fn awdit(text: &mut String, name: char, [key, value, ..]: [u64; 4]) {
    writeln!(text, "{name} {key} {value}").expect("a string takes everything");
}

fn foreign(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("foreign");
    group.sample_size(10).warm_up_time(Duration::from_secs(1));
    let texts = [
        ("registers in EDN", registers(Style::Edn)),
        ("registers in EDN without times", registers(Style::ShortEdn)),
        ("registers in JSON", registers(Style::Json)),
        ("lists in EDN", lists()),
        ("sessions in Plume's lines", sessions(plume, "", "")),
        ("sessions in AWDIT's lines", sessions(awdit, "=====\n", "-----\n")),
    ];
    for (name, text) in texts {
        // Millions of bytes a second, not MiB.
        println!("{name}: {} MB", text.len() / 1_000_000);
        group.throughput(Throughput::BytesDecimal(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let read = read_bytes(black_box(text.as_bytes()), "memory", &Options::default());
                read.expect("well formed").history.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, foreign);
criterion_main!(benches);
