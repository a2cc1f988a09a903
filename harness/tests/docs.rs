//! The book keeps up with the code: its campaigns load, its histories show what it says, and its
//! reference has every name that there is and no other.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use perjury::campaign::{Overrides, load};
use perjury_checkers::transactions::Transactions;
use perjury_checkers::{Analysis, AnomalyKind, Checker as _, Context, Model};
use perjury_history::History;
use perjury_history::export::{self, Syntax};
use perjury_history::foreign::{self, Format, Object, Options};
use perjury_nemesis::{FaultKind, FaultSpec, Shape};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The files with this ending in a folder of the workspace, each with its text.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let paths = std::fs::read_dir(root().join(folder)).expect("a folder");
    let paths = paths.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension() == Some(ending.as_ref())).collect();
    paths.sort();
    let text = |path: &PathBuf| std::fs::read_to_string(path).expect("a text file");
    paths.iter().map(|path| (path.display().to_string(), text(path))).collect()
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).expect("a page of the book")
}

/// The blocks whose fence begins with `language`: the rest of the fence, and the text.
fn blocks<'a>(markdown: &'a str, language: &str) -> Vec<(&'a str, &'a str)> {
    let parts = markdown.split("\n```").skip(1).step_by(2);
    let parts = parts.filter_map(|part| part.split_once('\n'));
    let wanted = parts.filter_map(|(fence, text)| Some((fence.strip_prefix(language)?, text)));
    wanted.collect()
}

/// The text under a heading, up to the next of the same rank.
fn section<'a>(markdown: &'a str, heading: &str) -> &'a str {
    let start = markdown.find(&format!("\n## {heading}\n")).expect("the heading");
    let rest = &markdown[start + 4..];
    &rest[..rest.find("\n## ").unwrap_or(rest.len())]
}

/// The names in the first column of a section's tables.
fn first_column(section: &str) -> BTreeSet<&str> {
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    cells
        .flat_map(|cell| cell.split('`').step_by(2))
        .filter(|name| !name.starts_with(','))
        .collect()
}

/// What serde knows in the place of an unknown name in this test.
fn known(test: &str) -> Vec<String> {
    let text = format!("[[test]]\nname = 'nonsense'\n{test}");
    let Err(error) = load("nonsense.toml", &text, &Overrides::default()) else {
        panic!("`nonsense` is known: {test}")
    };
    let message = error.to_string();
    assert!(message.contains("nonsense`, expected"), "{message}");
    let (_, expected) = message.rsplit_once("nonsense`, expected").expect("just found");
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The names that the message about an unknown fault lists.
fn known_of_fault(fault: &str, before: &str, after: &str) -> Vec<String> {
    let message = fault.parse::<FaultSpec>().expect_err("nonsense").to_string();
    let (_, rest) = message.split_once(before).expect("it lists what it knows");
    let (names, _) = rest.split_once(after).expect("the list ends");
    names.split(", ").map(|name| name.trim_start_matches("or nodes like ").to_owned()).collect()
}

#[test]
fn every_campaign_in_the_book_and_beside_it_loads() {
    let mut campaigns = files("campaigns", "toml");
    let mut pages = files("docs", "md");
    let readme = root().join("README.md");
    pages.extend(std::fs::read_to_string(&readme).ok().map(|text| ("README.md".into(), text)));
    for (name, text) in &pages {
        let blocks = blocks(text, "toml").into_iter().map(|(_, text)| text);
        let whole = blocks.filter(|text| text.contains("[[test]]"));
        campaigns.extend(whole.map(|text| (name.clone(), text.to_owned())));
    }
    assert!(campaigns.len() >= 5, "only {}", campaigns.len());
    for (name, text) in campaigns {
        if let Err(error) = load(&name, &text, &Overrides::default()) {
            panic!("{error}\n{text}");
        }
    }
}

#[test]
fn every_drawn_anomaly_is_one() {
    let results = page("results.md");
    let checkers: Vec<_> = perjury_workloads::names()
        .iter()
        .map(|name| perjury_workloads::workload(name, perjury_workloads::no_options()))
        .flat_map(|workload| workload.expect("a workload").checkers())
        .collect();
    let mut drawn = BTreeSet::new();
    for (kind, drawing) in blocks(&results, "history ") {
        let history = History::parse_notation(drawing);
        let history = history.unwrap_or_else(|error| panic!("{kind}: {error}\n{drawing}"));
        let analysis = Analysis::of(&history, &checkers, &Context::default());
        let found: Vec<_> = analysis.anomalies().map(|anomaly| anomaly.kind.name()).collect();
        assert!(found.contains(&kind), "{kind}: found {found:?} in\n{drawing}");
        drawn.insert(kind);
    }
    let others = AnomalyKind::ALL.into_iter().filter(|it| !is_of_transactions(*it));
    assert_eq!(drawn, others.map(AnomalyKind::name).collect());
    for kind in drawn {
        assert!(results.contains(&format!("\n### `{kind}`\n")), "{kind} has no heading");
    }
}

fn is_of_transactions(kind: AnomalyKind) -> bool {
    matches!(kind, AnomalyKind::Isolation(..))
}

#[test]
fn every_anomaly_of_transactions_is_drawn_as_it_is() {
    let transactions = page("transactions.md");
    let mut drawn = BTreeSet::new();
    for (kind, drawing) in blocks(&transactions, "history ") {
        let history = History::parse_notation(drawing);
        let history = history.unwrap_or_else(|error| panic!("{kind}: {error}\n{drawing}"));
        let verdict = Transactions::default().check(&history, &Context::default());
        let found: Vec<_> = verdict.anomalies.iter().map(|anomaly| anomaly.kind.name()).collect();
        assert!(found.contains(&kind), "{kind}: found {found:?} in\n{drawing}");
        assert!(transactions.contains(&format!("\n### `{kind}`\n")), "{kind} has no heading");
        drawn.insert(kind);
    }
    // In whichever order they are seen, one drawing is enough.
    let plain = AnomalyKind::ALL.into_iter().filter(|it| is_of_transactions(*it)).step_by(3);
    assert_eq!(drawn, plain.map(AnomalyKind::name).collect());
    for level in Model::ISOLATIONS {
        assert!(transactions.contains(&format!("`{level}`")), "{level} is not there");
    }
}

#[test]
fn the_reference_has_every_key_and_value_and_no_other() {
    let reference = page("campaigns.md");
    let cases: [(&str, &[&str]); 12] = [
        ("Keys of a test", &["nonsense = 1"]),
        ("The store `replica`", &["store = { kind = 'replica', nonsense = 1 }"]),
        (
            "The workload `register`",
            &["store = 'replica'\nworkload = { kind = 'register', nonsense = 1 }"],
        ),
        ("The workload `set`", &["store = 'replica'\nworkload = { kind = 'set', nonsense = 1 }"]),
        (
            "The workload `counter`",
            &["store = 'replica'\nworkload = { kind = 'counter', nonsense = 1 }"],
        ),
        ("The workload `lock`", &["store = 'replica'\nworkload = { kind = 'lock', nonsense = 1 }"]),
        (
            "The workloads `append` and `wr`",
            &["store = 'replica'\nworkload = { kind = 'append', nonsense = 1 }"],
        ),
        ("The workload `bank`", &["store = 'replica'\nworkload = { kind = 'bank', nonsense = 1 }"]),
        (
            "The workload `long-fork`",
            &["store = 'replica'\nworkload = { kind = 'long-fork', nonsense = 1 }"],
        ),
        (
            "The workload `monotonic`",
            &["store = 'replica'\nworkload = { kind = 'monotonic', nonsense = 1 }"],
        ),
        (
            "The workload `causal-reverse`",
            &["store = 'replica'\nworkload = { kind = 'causal-reverse', nonsense = 1 }"],
        ),
        ("Expectations", &["store = 'replica'\nexpect.nonsense = 1"]),
    ];
    for (heading, tests) in cases {
        let known: BTreeSet<String> = tests.iter().flat_map(|test| known(test)).collect();
        let written = first_column(section(&reference, heading));
        let written: BTreeSet<String> = written.into_iter().map(str::to_owned).collect();
        let missing: Vec<_> = known.difference(&written).collect();
        assert!(missing.is_empty(), "{heading}: without {missing:?}");
        let models = Model::ALL.map(|it| it.name().to_owned());
        let extra: Vec<_> = written.difference(&known).filter(|it| !models.contains(it)).collect();
        assert!(extra.is_empty(), "{heading}: nobody knows {extra:?}");
    }
}

#[test]
fn the_reference_has_every_choice() {
    let reference = page("campaigns.md");
    let settings = [
        "replication",
        "acknowledge",
        "failover",
        "promote",
        "fencing",
        "rejoin",
        "reads",
        "leader-reads",
        "isolation",
        "fsync",
    ];
    let store = section(&reference, "The store `replica`");
    for setting in settings {
        for value in known(&format!("store = {{ kind = 'replica', {setting} = 'nonsense' }}")) {
            let written = [format!("`\"{value}\"`"), format!("`{{ {value} = ")];
            let found = written.iter().any(|it| store.contains(it));
            assert!(found, "{setting} = {value} is not in the reference");
        }
    }
    let lab = section(&reference, "The lab");
    for (test, prefix) in [
        ("lab = { kind = 'simulated', network.nonsense = 1 }", "network."),
        ("lab = { kind = 'simulated', disk.nonsense = 1 }", "disk."),
    ] {
        for key in known(&format!("store = 'replica'\n{test}")) {
            assert!(lab.contains(&format!("`{prefix}{key}`")), "{prefix}{key}");
        }
    }
    for pace in known("store = 'replica'\nnemesis-pace = 'nonsense'") {
        assert!(section(&reference, "Schedules").contains(&format!("| `\"{pace}\"` |")), "{pace}");
    }
    let expectations = section(&reference, "Expectations");
    // Those of transactions have a page of their own.
    let models = Model::ALL.into_iter().filter(|it| !matches!(it, Model::Isolation(..)));
    let kinds = AnomalyKind::ALL.into_iter().filter(|it| !is_of_transactions(*it));
    for name in models.map(Model::name).chain(kinds.map(AnomalyKind::name)) {
        assert!(expectations.contains(&format!("`{name}`")), "{name} is not in the reference");
    }
}

#[test]
fn the_reference_has_every_fault_and_no_other() {
    let reference = page("campaigns.md");
    let written = first_column(section(&reference, "Faults"));
    let mut known: BTreeSet<String> = FaultKind::ALL.map(|it| it.name().to_owned()).into();
    known.extend(Shape::ALL.map(|it| it.name().to_owned()));
    known.extend(known_of_fault("clock:nonsense", "expected one of ", ", found"));
    known.extend(known_of_fault("kill@nonsense", "targets (", ")"));
    let written: BTreeSet<String> = written.into_iter().map(str::to_owned).collect();
    assert_eq!(written, known);
}

#[test]
fn the_page_on_other_tools_has_every_name_and_its_sample_reads_back() {
    let page = page("foreign-histories.md");
    let names = Format::ALL.map(Format::name).into_iter().chain(Object::ALL.map(Object::name));
    // `mixed` is what Perjury's own histories are about if nothing else fits.
    for name in names.filter(|name| *name != Object::Mixed.name()) {
        assert!(page.contains(&format!("`{name}`")), "`{name}` is not on the page");
    }
    let samples = blocks(&page, "clojure");
    assert_eq!(samples.len(), 1);
    let sample = samples[0].1;
    let read = foreign::read_bytes(sample.as_bytes(), "sample", &Options::default());
    let mut written = Vec::new();
    export::write(&read.expect("a history").history, Syntax::Edn, &mut written).expect("a buffer");
    assert_eq!(String::from_utf8_lossy(&written).trim(), sample.trim());
}
