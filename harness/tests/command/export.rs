//! Histories go out and come back.

use perjury_history::arrow;
use perjury_history::foreign::{self, Object, Options};

use crate::support::Place;

#[test]
fn a_run_is_exported_and_read_again() {
    let place = Place::new();
    let run = place.short_run();
    let recorded = arrow::read(run.join("history.arrow")).expect("a recording").history;
    for format in ["edn", "json"] {
        let called = place.perjury(&["export", "runs/latest", "--format", format]);
        assert_eq!(called.code, 0, "{}", called.stderr);
        let read = foreign::read_bytes(called.stdout.as_bytes(), "stdout", &Options::default());
        assert_eq!(read.expect("what was exported").history, recorded, "{format}");
    }
    // A file of a run, and what was exported, are histories too.
    let file = run.join("history.arrow").display().to_string();
    assert_eq!(place.perjury(&["export", &file, "-o", "one.edn"]).code, 0);
    assert_eq!(place.perjury(&["export", "one.edn", "--output", "two.edn"]).code, 0);
    let text = |name: &str| std::fs::read_to_string(place.path(name)).expect("a file");
    assert_eq!(text("one.edn"), text("two.edn"));
    // Nothing is overwritten.
    place.refuses(&["export", "runs/latest", "-o", "one.edn"], 64, "expected no file at one.edn");
    assert_eq!(text("one.edn"), text("two.edn"));
}

#[test]
fn histories_of_others_are_translated() {
    let place = Place::new();
    place.write("queue.hist", "[1] call enq(a)\n[1] return\n[2] call deq\n[2] return a\n");
    let called = place.perjury(&["export", "queue.hist", "--format", "json"]);
    assert_eq!(called.code, 0, "{}", called.stderr);
    let first = r#"{"process":1,"type":"invoke","f":"enqueue","value":"a","time":0,"index":0,"object":"queue"}"#;
    assert_eq!(called.stdout.lines().next(), Some(first));
    let read = foreign::read_bytes(called.stdout.as_bytes(), "stdout", &Options::default());
    assert_eq!(read.expect("what was exported").object, Object::Queue);
}

#[test]
fn what_is_no_history_is_refused_with_its_place() {
    let place = Place::new();
    let event = "{:process 0 :type :invoke :f :write :value 1}\n";
    place.write("twice.edn", format!("{event}{event}"));
    let complaint = "read twice.edn: line 2, byte 46: expected a completion of p0's operation 0";
    place.refuses(&["export", "twice.edn"], 64, complaint);
    place.write("cut.edn", &event[..30]);
    place.refuses(
        &["export", "cut.edn"],
        64,
        "line 1, byte 29: expected a keyword after `:`, found the end",
    );
    place.write("bytes.bin", "\u{0}\u{1}\u{2}");
    place.refuses(&["export", "bytes.bin"], 64, "expected a history in EDN, in JSON");
    place.refuses(&["export", "absent.edn"], 64, "expected a file that can be read, found");
    place.refuses(
        &["export", "twice.edn", "--format", "xml"],
        64,
        "expected `edn`, `json` or `plume`",
    );
}
