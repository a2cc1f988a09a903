//! Recorded histories of others, each with the verdict that its source states.
//!
//! They are not part of this project: `PERJURY_CORPUS` names their folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use perjury_checkers::linearizability::{Evidence, ObjectKind, ObjectSettings};
use perjury_checkers::{Context, Judgement, Model, Verdict};
use perjury_history::foreign::{self, Object, Options};
use perjury_history::{History, Value};

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("PERJURY_CORPUS").map(PathBuf::from);
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let folder = folder.unwrap_or(default);
    if folder.join("MANIFEST.tsv").is_file() {
        return Some(folder);
    }
    println!("skipped: no corpus (PERJURY_CORPUS names its folder)");
    None
}

/// A recorded history, what it is of, and whether it is linearizable.
struct Recorded {
    path: PathBuf,
    kind: ObjectKind,
    initial: Option<Value>,
    is_valid: bool,
}

fn manifest(folder: &Path) -> Vec<Recorded> {
    let text = std::fs::read_to_string(folder.join("MANIFEST.tsv")).expect("a manifest");
    let lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let of_objects = lines.filter_map(|line| {
        let kind = match line[1].strip_prefix("linearizable/")? {
            "cas-register" => ObjectKind::CasRegister,
            "multi-register" => ObjectKind::MultiRegister,
            "mutex" => ObjectKind::Mutex,
            "kv get-put-append" => ObjectKind::KeyValue,
            other => panic!("expected an object that is known here, found `{other}`"),
        };
        let from_zero = line[3].contains("=0") || line[3].contains(":0");
        let is_valid = match line[2] {
            "valid" => true,
            "invalid" => false,
            other => panic!("expected a verdict, found `{other}`"),
        };
        let initial = from_zero.then_some(0);
        Some(Recorded { path: folder.join(line[0]), kind, initial, is_valid })
    });
    of_objects.collect()
}

fn limo(folder: &Path) -> Vec<Recorded> {
    let mut found = Vec::new();
    for (name, kind) in [("queue", ObjectKind::Queue), ("stack", ObjectKind::Stack)] {
        for (verdict, is_valid) in [("safe", true), ("violation", false)] {
            let files = std::fs::read_dir(folder.join("limo").join(name).join(verdict));
            for file in files.expect("a folder") {
                let path = file.expect("a file").path();
                found.push(Recorded { path, kind, initial: None, is_valid });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn read(recorded: &Recorded) -> History {
    let object = match recorded.kind {
        ObjectKind::CasRegister => Object::CasRegister,
        ObjectKind::MultiRegister => Object::MultiRegister,
        ObjectKind::Mutex => Object::Mutex,
        ObjectKind::KeyValue => Object::KeyValue,
        ObjectKind::Queue => Object::Queue,
        ObjectKind::Stack => Object::Stack,
        other => panic!("no history of a {other}"),
    };
    let options = Options { object: Some(object), initial: recorded.initial, ..Options::default() };
    let read = foreign::read(&recorded.path, &options);
    read.unwrap_or_else(|error| panic!("{error}")).history
}

fn judge(recorded: &Recorded, history: &History, context: &Context<'_>) -> Verdict {
    let initial = recorded.initial;
    let settings = ObjectSettings { initial, ..ObjectSettings::default() };
    recorded.kind.checker(&settings, history.names()).check(history, context)
}

/// Every verdict has a certificate that holds, and one that is tampered with does not.
fn certify(recorded: &Recorded, history: &History, decided: u64) {
    let initial = recorded.initial;
    let settings = ObjectSettings { initial, ..ObjectSettings::default() };
    let judge = recorded.kind.judge(&settings, history.names());
    let certificates = judge.certify(history, &Context::default());
    assert_eq!(certificates.len() as u64, decided, "{}", recorded.path.display());
    for mut certificate in certificates {
        let verified = judge.verify(history, &certificate);
        assert_eq!(verified, Ok(()), "{}: {certificate:?}", recorded.path.display());
        match &mut certificate.evidence {
            Evidence::Valid { order } => drop(order.remove(order.len() / 2)),
            Evidence::Invalid { core } => drop(core.pop()),
        }
        let unknown_may_go = matches!(certificate.evidence, Evidence::Valid { .. });
        let refused = judge.verify(history, &certificate).is_err();
        assert!(refused || unknown_may_go, "{}: {certificate:?}", recorded.path.display());
    }
}

#[test]
fn every_verdict_on_one_object_is_that_of_its_source() {
    let Some(folder) = corpus() else { return };
    let mut recorded = manifest(&folder);
    recorded.extend(limo(&folder));
    let mut wrong = Vec::new();
    let mut took: BTreeMap<u128, &Path> = BTreeMap::new();
    for it in &recorded {
        let history = read(it);
        let begin = Instant::now();
        let verdict = judge(it, &history, &Context::default());
        certify(it, &history, verdict.measures["keys_decided"]);
        took.insert(begin.elapsed().as_micros(), &it.path);
        let nothing = verdict.measures["operations"] == 0;
        let expected = if it.is_valid { "valid" } else { "invalid" };
        let judgement = &verdict.models[&Model::Linearizable];
        // Of a history without operations nothing can be said; its source says that it is valid.
        let is_right = judgement.name() == expected || nothing && it.is_valid;
        if !is_right {
            wrong.push(format!("{}: expected {expected}, found {judgement:?}", it.path.display()));
        }
        if *judgement == Judgement::Invalid {
            let [anomaly] = &verdict.anomalies[..] else { continue };
            assert!(!anomaly.explanation.is_empty() && !anomaly.witness.operations.is_empty());
        }
    }
    println!("{} histories; the slowest (in microseconds):", recorded.len());
    took.iter().rev().take(8).for_each(|(us, path)| println!("{us:9} {}", path.display()));
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), recorded.len(), wrong.join("\n"));
    assert!(recorded.len() > 200, "only {} histories", recorded.len());
}
