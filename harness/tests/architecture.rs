//! The arrows between the crates are those of ARCHITECTURE.md, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Each crate with the crates of ours that it may use.
const ARROWS: [(&str, &[&str]); 10] = [
    ("history", &[]),
    ("simulator", &["history"]),
    ("checkers", &["history"]),
    ("workloads", &["history", "checkers"]),
    ("lab", &["history"]),
    ("nemesis", &["history", "lab"]),
    ("replica", &[]),
    ("stores", &["history", "lab", "replica"]),
    ("reports", &["history", "checkers"]),
    (
        "harness",
        &["history", "simulator", "checkers", "workloads", "lab", "nemesis", "stores", "reports"],
    ),
];

/// What pure crates must not use: runtimes, files' formats, clocks.
const IMPURE: [&str; 6] = ["tokio", "futures", "arrow-ipc", "jiff", "tracing", "ctrlc"];

fn dependencies(folder: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).expect("every crate has a manifest");
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    manifest["dependencies"].as_table().expect("a table").keys().cloned().collect()
}

#[test]
fn crates_use_only_what_the_map_allows() {
    for (folder, allowed) in ARROWS {
        let ours = dependencies(folder);
        let ours = ours.iter().filter_map(|name| name.strip_prefix("perjury-"));
        let forbidden: Vec<_> = ours.filter(|name| !allowed.contains(name)).collect();
        assert!(forbidden.is_empty(), "{folder} must not use {forbidden:?}");
    }
}

#[test]
fn checkers_and_replica_are_pure() {
    for folder in ["checkers", "replica", "simulator", "workloads"] {
        let used = dependencies(folder);
        let impure: Vec<_> = IMPURE.iter().filter(|name| used.contains(**name)).collect();
        assert!(impure.is_empty(), "{folder} must not use {impure:?}");
    }
}

#[test]
fn every_crate_is_on_the_map() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let text = std::fs::read_to_string(root).expect("a workspace");
    let workspace: toml::Table = text.parse().expect("a manifest is TOML");
    let members = workspace["workspace"]["members"].as_array().expect("a list");
    let members: BTreeSet<_> = members.iter().filter_map(toml::Value::as_str).collect();
    let map: BTreeMap<_, _> = ARROWS.into_iter().collect();
    assert_eq!(members, map.keys().copied().collect());
}
