//! How long recorded histories of others take; `PERJURY_CORPUS` names their folder.
//!
//! The histories are in memory when the clock starts, as they are for others' figures.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use perjury_checkers::linearizability::{ObjectKind, ObjectSettings};
use perjury_checkers::{Context, Judgement};
use perjury_history::History;
use perjury_history::foreign::{self, Object, Options};

fn read(path: &Path, object: Object, initial: Option<i64>) -> History {
    let options = Options { object: Some(object), initial, ..Options::default() };
    foreign::read(path, &options).unwrap_or_else(|error| panic!("{error}")).history
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path, extension)),
            false if path.extension().is_some_and(|it| it == extension) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

fn bench(
    criterion: &mut Criterion,
    name: &str,
    kind: ObjectKind,
    settings: &ObjectSettings,
    histories: &[History],
) {
    let check = || {
        let each = histories.iter().map(|history| {
            kind.checker(settings, history.names()).check(history, &Context::default()).judgement()
        });
        each.filter(|judgement| *judgement == Judgement::Valid).count()
    };
    eprintln!("{name}: {} of {} are linearizable", check(), histories.len());
    let mut group = criterion.benchmark_group("corpus");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(2))
        .warm_up_time(Duration::from_millis(300));
    group.bench_function(name, |bencher| bencher.iter(|| black_box(check())));
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let Some(folder) = std::env::var_os("PERJURY_CORPUS").map(PathBuf::from) else {
        println!("skipped: no corpus (PERJURY_CORPUS names its folder)");
        return;
    };
    let plain = ObjectSettings::default();
    let logs = files(&folder.join("porcupine/test_data/jepsen"), "log");
    let logs: Vec<History> =
        logs.iter().map(|path| read(path, Object::CasRegister, None)).collect();
    let cas = ObjectKind::CasRegister;
    bench(criterion, "etcd_002.log", cas, &plain, &logs[2..3]);
    bench(criterion, "etcd_007.log", cas, &plain, &logs[7..8]);
    bench(criterion, "etcd_000.log to etcd_059.log", cas, &plain, &logs);
    let knossos = files(&folder.join("knossos/data/cas-register"), "edn");
    let knossos: Vec<History> =
        knossos.iter().map(|path| read(path, Object::CasRegister, Some(0))).collect();
    let from_zero = ObjectSettings { initial: Some(0), ..ObjectSettings::default() };
    bench(criterion, "Knossos's cas-register histories", cas, &from_zero, &knossos);
    let texts = |name: &str| {
        vec![read(&folder.join("porcupine/test_data/kv").join(name), Object::KeyValue, None)]
    };
    let together = ObjectSettings { together: true, ..ObjectSettings::default() };
    for name in ["c10-ok.txt", "c10-bad.txt"] {
        let kind = ObjectKind::KeyValue;
        bench(criterion, &format!("{name}, key by key"), kind, &plain, &texts(name));
        bench(criterion, &format!("{name}, all keys together"), kind, &together, &texts(name));
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
