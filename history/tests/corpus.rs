//! Recorded histories of others, where they are at hand: `PERJURY_CORPUS` names their folder, whose
//! `MANIFEST.tsv` lists them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use perjury_history::export::{self, Syntax};
use perjury_history::foreign::{self, Format, Object, Options};
use perjury_history::{History, MicroOp, Outcome};

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("PERJURY_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: no corpus; set PERJURY_CORPUS to its folder");
    }
    folder
}

/// Paths of the histories whose formats are read, each with the kind that the manifest gives it.
fn listed(folder: &Path) -> Vec<(String, String)> {
    let manifest = fs::read_to_string(folder.join("MANIFEST.tsv")).expect("a corpus has one");
    let rows = manifest.lines().skip(1).filter_map(|line| {
        let mut columns = line.split('\t');
        Some((columns.next()?.to_owned(), columns.next()?.to_owned()))
    });
    let mut listed: Vec<_> = rows.filter(|(path, _)| !path.starts_with("polysi/")).collect();
    for folder_of_calls in ["queue", "stack"] {
        for judged in ["safe", "violation"] {
            let inside = format!("limo/{folder_of_calls}/{judged}");
            for file in fs::read_dir(folder.join(&inside)).expect("a folder") {
                let name = file.expect("an entry").file_name().into_string().expect("UTF-8");
                listed.push((format!("{inside}/{name}"), folder_of_calls.to_owned()));
            }
        }
    }
    listed
}

/// What histories of each kind act upon.
fn objects(kind: &str) -> &'static [Object] {
    match kind {
        "linearizable/cas-register" => &[Object::CasRegister, Object::Register],
        "linearizable/multi-register" | "elle/rw-register" | "jepsen/long-fork" => {
            &[Object::MultiRegister]
        }
        "linearizable/mutex" => &[Object::Mutex],
        "linearizable/kv get-put-append" => &[Object::KeyValue],
        "elle/list-append" => &[Object::ListAppend],
        "jepsen/counter" => &[Object::Counter],
        "jepsen/set" | "jepsen/set-full" | "custom/comments" => &[Object::Set],
        "jepsen/bank" => &[Object::Accounts],
        "queue" => &[Object::Queue],
        "stack" => &[Object::Stack],
        _ => &[],
    }
}

#[test]
fn every_history_is_read() {
    let Some(folder) = corpus() else { return };
    let mut seen: BTreeMap<(String, Object), usize> = BTreeMap::new();
    for (path, kind) in listed(&folder) {
        let file = folder.join(&path);
        match foreign::read(&file, &Options::default()) {
            Ok(foreign) => {
                assert!(objects(&kind).contains(&foreign.object), "{path}: {}", foreign.object);
                exported_and_read_again(&path, &foreign.history);
                plausible(&path, &foreign.history, &fs::read_to_string(&file).expect("text"));
                *seen.entry((kind, foreign.object)).or_default() += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    eprintln!("{seen:#?}");
    let read: usize = seen.values().sum();
    assert!(read > 200, "{read} read");
}

fn exported_and_read_again(path: &str, history: &History) {
    for syntax in [Syntax::Edn, Syntax::Json] {
        let mut text = Vec::new();
        export::write(history, syntax, &mut text).expect("a buffer");
        let read = foreign::read_bytes(&text, path, &Options::default());
        let read = read.unwrap_or_else(|error| panic!("{syntax}: {error}"));
        assert_eq!(read.history, *history, "{path} in {syntax}");
    }
}

/// Compares what was read with what a search for words in the text finds.
fn plausible(path: &str, history: &History, text: &str) {
    // Clients' invocations: no nemesis invokes anything in these files.
    let squeezed: String = text.split_whitespace().collect();
    let invocations = [":type:invoke", "\"type\":\"invoke\"", "-:invoke", "]call"];
    let log = text.matches("\t:invoke\t").count();
    let expected = invocations.iter().map(|it| squeezed.matches(it).count()).sum::<usize>() + log;
    assert_eq!(history.len(), expected, "{path}: operations");
    let ok = [":type:ok", "\"type\":\"ok\"", "]return"];
    let log = text.matches("\t:ok\t").count();
    let expected = ok.iter().map(|it| squeezed.matches(it).count()).sum::<usize>() + log;
    let found = history.iter().filter(|it| it.outcome == Outcome::Ok).count();
    assert_eq!(found, expected, "{path}: operations that are ok");
    // Every answer that was read can be shown; names that nobody uses were never given.
    for operation in history.iter() {
        assert!(!operation.micro_ops.is_empty());
        for micro_op in operation.micro_ops {
            assert!(!history.names().show(micro_op.key()).to_string().is_empty(), "{path}");
        }
    }
}

/// Sessions of transactions, as several tools record them: the counts are those that the files'
/// makers give, and what is exported reads back.
#[test]
fn every_history_of_sessions_is_read() {
    let Some(folder) = corpus() else { return };
    let mut paths = Vec::new();
    for inside in ["isolation", "polysi", "awdit-tests"] {
        files(&folder.join(inside), &mut paths);
    }
    let mut seen: BTreeMap<Format, usize> = BTreeMap::new();
    for path in paths {
        let read = foreign::read(&path, &Options::default());
        let foreign = read.unwrap_or_else(|error| panic!("{error}"));
        let history = &foreign.history;
        assert!(!history.real_time() && foreign.object == Object::MultiRegister);
        exported_and_read_again(&path.display().to_string(), history);
        if foreign.format == Format::Dbcop {
            let bytes = fs::read(&path).expect("a file");
            let sessions = usize::from(bytes[8]) + 256 * usize::from(bytes[9]);
            assert_eq!(history.by_process().len(), sessions, "{}", path.display());
        }
        *seen.entry(foreign.format).or_default() += 1;
    }
    let list = fs::read_to_string(folder.join("ISOLATION.jsonl")).expect("a list");
    for row in list.lines() {
        let entry = |name: &str| {
            let after = row.split_once(&format!("\"{name}\": ")).expect("an entry").1;
            after[..after.find([',', '}']).unwrap_or(after.len())].trim_matches('"').to_owned()
        };
        let foreign = foreign::read(folder.join(entry("f")), &Options::default());
        let foreign = foreign.unwrap_or_else(|error| panic!("{error}"));
        let count = |outcome| foreign.history.iter().filter(|it| it.outcome == outcome).count();
        let found = [count(Outcome::Ok), count(Outcome::Fail), foreign.history.by_process().len()];
        let told = ["txns", "aborted", "sess"].map(|it| entry(it).parse().expect("a number"));
        assert_eq!(found, told, "{row}");
    }
    eprintln!("{seen:?}");
    let expected =
        [(Format::Dbcop, 81), (Format::Cobra, 1), (Format::Plume, 1), (Format::Awdit, 22)];
    assert_eq!(seen, expected.into());
}

/// Files, and folders that are histories.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    if foreign::is_history_folder(folder) {
        found.push(folder.to_owned());
        return;
    }
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files(&path, found),
            false if path.extension().is_some_and(|it| it == "bincode" || it == "txt") => {
                found.push(path);
            }
            false => {}
        }
    }
}

/// The same history in EDN and in JSON is the same but for what its keys are called.
#[test]
fn twins_are_equal() {
    let Some(folder) = corpus() else { return };
    let kinds: BTreeMap<_, _> = listed(&folder).into_iter().collect();
    let mut twins = 0;
    for path in kinds.keys().filter(|path| path.ends_with(".json")) {
        let edn = path.replace(".json", ".edn");
        if !folder.join(&edn).is_file() {
            continue;
        }
        let read = |path: &str| {
            foreign::read(folder.join(path), &Options::default())
                .unwrap_or_else(|it| panic!("{it}"))
        };
        let (one, other) = (read(path), read(&edn));
        let lines = |history: &History| -> Vec<String> {
            let line = |it: perjury_history::Operation<'_>| {
                format!("{} {:?} {:?}", it.process, it.outcome, it.micro_ops)
            };
            history.iter().map(line).collect()
        };
        assert_eq!(lines(&one.history), lines(&other.history), "{path}");
        twins += 1;
    }
    assert!(twins >= 5, "{twins} twins");
}

/// The whole text that a key-value store answers is made of the pieces that were appended.
#[test]
fn texts_of_key_value_stores_are_whole() {
    let Some(folder) = corpus() else { return };
    let path = folder.join("porcupine/test_data/kv/c01-ok.txt");
    let foreign = foreign::read(path, &Options::default()).unwrap_or_else(|it| panic!("{it}"));
    let history = &foreign.history;
    let text = |value| history.names().text(value).expect("values are texts").to_owned();
    let mut held: BTreeMap<i64, String> = BTreeMap::new();
    let mut functions = BTreeSet::new();
    for operation in history.iter() {
        let micro_op = operation.single().expect("one at a time");
        functions.insert(micro_op.function());
        let held = held.entry(micro_op.key()).or_default();
        match micro_op {
            MicroOp::Append { value, .. } => held.push_str(&text(*value)),
            MicroOp::Write { value, .. } => *held = text(*value),
            MicroOp::Read { result, .. } => {
                let value = result.and_then(perjury_history::Reading::value).expect("answered");
                assert_eq!(text(value), *held);
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(functions.into_iter().collect::<Vec<_>>(), ["append", "read", "write"]);
}
