//! Recorded transactions of others, each with the verdicts that other tools came to.
//!
//! They are not part of this project: `PERJURY_CORPUS` names their folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use perjury_checkers::transactions::Transactions;
use perjury_checkers::{Checker as _, Context, Isolation, Judgement, Model, Order, Verdict};
use perjury_history::History;
use perjury_history::foreign::{self, Options};

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("PERJURY_CORPUS").map(PathBuf::from);
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let folder = folder.unwrap_or(default);
    if folder.join("ISOLATION.jsonl").is_file() {
        return Some(folder);
    }
    println!("skipped: no corpus (PERJURY_CORPUS names its folder)");
    None
}

fn read(path: &Path) -> History {
    let read = foreign::read(path, &Options::default());
    read.unwrap_or_else(|error| panic!("{}: {error}", path.display())).history
}

/// What others call these levels includes the order of sessions, and what some call read committed
/// is what is called monotonic atomic view here.
const LEVELS: [(&str, Isolation); 5] = [
    ("ser", Isolation::Serializable),
    ("si", Isolation::SnapshotIsolation),
    ("cc", Isolation::Causal),
    ("ra", Isolation::ReadAtomic),
    ("rc", Isolation::MonotonicAtomicView),
];

fn judge(history: &History, level: Isolation) -> (Judgement, Duration) {
    let model = Model::Isolation(level, Order::Session);
    let begin = Instant::now();
    let verdict = Transactions::of(BTreeSet::from([model])).check(history, &Context::default());
    (verdict.models[&model].clone(), begin.elapsed())
}

#[test]
fn every_verdict_on_isolation_is_that_of_its_source() {
    let Some(folder) = corpus() else { return };
    let text = std::fs::read_to_string(folder.join("ISOLATION.jsonl")).expect("rows");
    let mut wrong = Vec::new();
    let (mut judged, mut took, mut slowest) = (0, Duration::ZERO, (Duration::ZERO, String::new()));
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("a row");
        let path = row["f"].as_str().expect("a path");
        let history = read(&folder.join(path));
        for (name, level) in LEVELS {
            let Some(expected) = row[name].as_str() else { continue };
            let (found, time) = judge(&history, level);
            let is_right = match expected {
                "ok" => found == Judgement::Valid,
                _ => found == Judgement::Invalid,
            };
            if !is_right {
                wrong.push(format!("{path}: {name}: expected {expected}, found {found:?}"));
            }
            judged += 1;
            if !path.contains("bench10k") {
                took += time;
            }
            if time > slowest.0 {
                slowest = (time, format!("{path}: {name}"));
            }
        }
    }
    println!("{judged} verdicts, mean {:?}; slowest {slowest:?}", took / judged);
    assert!(wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(judged > 300, "only {judged} verdicts");
}

fn all(path: &Path) -> Verdict {
    Transactions::default().check(&read(path), &Context::default())
}

#[test]
fn small_histories_satisfy_the_level_that_they_are_named_after() {
    let Some(folder) = corpus() else { return };
    let folders = ["none", "read-committed", "read-atomic", "causal"];
    let levels = [Isolation::MonotonicAtomicView, Isolation::ReadAtomic, Isolation::Causal];
    let mut judged = 0;
    for (strongest, name) in folders.into_iter().enumerate() {
        let folder = folder.join("awdit-tests").join(name);
        for folder in [folder.join("generated"), folder] {
            let Ok(files) = std::fs::read_dir(&folder) else { continue };
            let paths = files.map(|file| file.expect("a file").path());
            for path in paths.filter(|it| it.is_file()) {
                let verdict = all(&path);
                for (index, level) in levels.into_iter().enumerate() {
                    let found = &verdict.models[&Model::Isolation(level, Order::Session)];
                    let expected =
                        if index < strongest { Judgement::Valid } else { Judgement::Invalid };
                    assert_eq!(*found, expected, "{}: {level:?}", path.display());
                    judged += 1;
                }
            }
        }
    }
    assert!(judged > 40, "only {judged} verdicts");
}

#[test]
fn elle_and_polysi_agree() {
    let Some(folder) = corpus() else { return };
    let text = std::fs::read_to_string(folder.join("MANIFEST.tsv")).expect("a manifest");
    let mut judged = 0;
    for line in text.lines().map(|line| line.split('\t').collect::<Vec<_>>()) {
        let (level, order) = match line[1] {
            "elle/list-append" | "elle/rw-register" => (Isolation::Serializable, Order::RealTime),
            "elle-like/rw-register txn sessions" => (Isolation::SnapshotIsolation, Order::Session),
            _ => continue,
        };
        let wanted = BTreeSet::from([Model::Isolation(level, order)]);
        let history = read(&folder.join(line[0]));
        let verdict = Transactions::of(wanted).check(&history, &Context::default());
        let found = &verdict.models[&Model::Isolation(level, order)];
        // Elle's verdict on registers is that nothing was found without promises about keys.
        let expected = match line[2] {
            _ if line[1] == "elle/rw-register" => continue,
            "valid" => Judgement::Valid,
            _ => Judgement::Invalid,
        };
        // A search may end without an answer, but not with another one.
        if let Judgement::Unknown(reason) = found {
            println!("{}: {reason}", line[0]);
            continue;
        }
        assert_eq!(*found, expected, "{}: {:#?}", line[0], verdict.anomalies);
        judged += 1;
    }
    // Snapshot isolation without a circle of one anti-dependency: not repeatable read.
    let verdict = all(&folder.join("elle/histories/si-without-g-single.edn"));
    let plain = |level| &verdict.models[&Model::Isolation(level, Order::Free)];
    assert_eq!(*plain(Isolation::SnapshotIsolation), Judgement::Valid);
    assert_eq!(*plain(Isolation::RepeatableRead), Judgement::Invalid);
    assert!(judged >= 8, "only {judged} verdicts");
}
