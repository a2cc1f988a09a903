//! Histories that are no runs have pages too.

use crate::support::Place;

const READ_WHAT_NOBODY_WROTE: &str = "
    {:process 0, :type :invoke, :f :write, :value \"first\"}
    {:process 0, :type :ok, :f :write, :value \"first\"}
    {:process 1, :type :invoke, :f :read, :value nil}
    {:process 1, :type :ok, :f :read, :value \"second\"}";

#[test]
fn a_page_tells_the_contradiction_and_what_is_known_of_the_history() {
    let place = Place::new();
    place.write("it's.edn", READ_WHAT_NOBODY_WROTE);
    let arguments = ["check", "it's.edn", "--time-limit", "1m", "--report", "page.html"];
    let called = place.perjury(&arguments);
    assert_eq!(called.code, 1, "{}{}", called.stdout, called.stderr);
    let page = std::fs::read_to_string(place.path("page.html")).expect("the page");
    for part in [
        "<dt>History</dt><dd><bdi>it&#x27;s.edn (edn)</bdi></dd>",
        "<dt>Object</dt><dd>register</dd>",
        "<dt>Bounds</dt><dd>1 min, ",
        "What the object may have held",
        "read 0 → second",
        "href=\"#timeline\" data-anomaly=\"1\"",
        "The history tells no times",
        // The command, as a shell reads it.
        "perjury check &#x27;it&#x27;\\&#x27;&#x27;s.edn&#x27; --time-limit 1m",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for unknown in ["Seed <", "<dt>Lab</dt>", "<dt>Nodes</dt>", "<dt>Workload</dt>"] {
        assert!(!page.contains(unknown), "{unknown}");
    }
    // Nothing is overwritten, and nobody waits for a verdict to be told so.
    place.refuses(&arguments, 64, "expected no file at page.html, found one");
    assert_eq!(std::fs::read_to_string(place.path("page.html")).expect("the page"), page);
}

#[test]
fn a_history_with_times_and_a_workload_is_told_as_such() {
    let place = Place::new();
    let timed = READ_WHAT_NOBODY_WROTE.replace("value nil}", "value nil, :time 5000000}");
    place.write("timed.edn", timed);
    let arguments = ["check", "timed.edn", "--workload", "register", "--report", "page.html"];
    assert_eq!(place.perjury(&arguments).code, 1);
    let page = std::fs::read_to_string(place.path("page.html")).expect("the page");
    assert!(page.contains("<dt>Workload</dt><dd>register</dd>"));
    assert!(!page.contains("The history tells no times") && !page.contains("<dt>Object</dt>"));
}

#[test]
fn one_page_is_of_one_history_that_is_no_run() {
    let place = Place::new();
    place.write("one.edn", READ_WHAT_NOBODY_WROTE);
    place.write("two.edn", READ_WHAT_NOBODY_WROTE);
    let several = ["check", "one.edn", "two.edn", "--report", "page.html"];
    place.refuses(&several, 64, "expected one history with `--report`, found 2");
    place.short_run();
    let run = ["check", "runs/latest", "--report", "page.html"];
    place.refuses(&run, 64, "expected a history that is no run, found the run runs/latest");
    assert!(!place.path("page.html").exists());
}

#[test]
fn a_page_that_cannot_be_written_does_not_cost_the_verdict() {
    let place = Place::new();
    place.write("one.edn", READ_WHAT_NOBODY_WROTE);
    let arguments = ["check", "one.edn", "--report", "absent/page.html"];
    place.refuses(&arguments, 1, "unexpected: failed to write absent/page.html");
    let judged = place.perjury(&arguments).stdout;
    assert!(judged.contains("nonlinearizable"), "{judged}");
}
