//! Bad input is normal input: a message that says what was expected and what was found, the
//! documented exit code, and nothing overwritten.

use crate::support::{Place, contents};
use perjury_history::arrow::Recorder;
use perjury_history::{Entry, Event, EventKind, MicroOp, Process};

#[test]
fn a_misspelt_key_is_suggested() {
    let place = Place::new();
    let test = "[[test]]\nname = 'x'\nstore = 'replica'\n";
    place.write("key.toml", format!("{test}nemisis = ['kill']"));
    place.refuses(&["run", "key.toml"], 64, "unknown field `nemisis`");
    place.refuses(&["run", "key.toml"], 64, "did you mean `nemesis`?");
    place.write(
        "store.toml",
        test.replace("'replica'", "{ kind = 'replica', acknowlege = 'sync' }"),
    );
    place.refuses(&["run", "store.toml"], 64, "did you mean `acknowledge`?");
    place.write("workload.toml", format!("{test}workload = {{ kind = 'register', key = 3 }}"));
    place.refuses(&["run", "workload.toml"], 64, "unknown field `key`");
    place.write("fault.toml", format!("{test}nemesis = ['partition:star']"));
    place.refuses(&["run", "fault.toml"], 64, "expected one of halves, one, minority");
    place.write("expect.toml", format!("{test}expect = {{ models = ['linearisable'] }}"));
    place.refuses(&["run", "expect.toml"], 64, "did you mean `linearizable`?");
    place.write("syntax.toml", "x = {");
    place.refuses(&["run", "syntax.toml"], 64, "expected `}`");
    place.write("empty.toml", "");
    place.refuses(&["run", "empty.toml"], 64, "expected at least one test, found none");
    assert!(!place.path("runs").exists(), "nothing was started");
}

#[test]
fn figures_out_of_range_are_refused() {
    let place = Place::new();
    let cases = [
        ("nodes=0", "expected `nodes` to be from 1 to 100, found 0"),
        ("rate=-1", "expected `rate` to be above 0"),
        ("time-limit=60", "expected"),
        ("time-limit=soon", "expected a duration like `60s`"),
        ("workload.keys=0", "expected `keys` to be at least 1"),
        ("nemesis=['kill@n9']", "`kill@n9` is aimed at n9, and there are only n1 to n5"),
        ("lab={kind='simulated',network={loss-ppm=2000000}}", "expected at most 1000000"),
        ("lab.network.loss-ppm=2000000", "expected at most 1000000"),
        ("lab.netwrk.loss-ppm=2", "did you mean `network`?"),
        ("store.acknowledge={semi-sync=9}", "semi-sync"),
        ("lab={kind='simulated',disk={sync-max-us=9000000000000000000}}", "sync-max-us <= "),
        ("concurrency=100000", "expected `concurrency` to be from 1 to 10000"),
        ("time-limit='5000000h'", "expected a duration of at most a year"),
        ("nemesis-duration='5000000h'", "expected a duration of at most a year"),
        ("nemesis-interval='1ns'", "expected at most 100000 faults"),
        ("nemesis-interval='0s'", "expected at most 100000 faults"),
        ("quiet-period='8000h'", "expected `quiet-period` to be at most 24h"),
        ("operation-timeout='2h'", "expected `operation-timeout` to be at most 1h"),
        ("rate=1e308", "expected at most 20000000 operations"),
        ("operation-limit=1000000000", "expected `operation-limit` to be at most 20000000"),
        ("operation-limit=-1", "expected u64"),
        ("seeds=[-1]", "expected u64"),
        ("workload.keys-max=9000000000000000000", "expected `keys-max` to be at most 1000000"),
        ("workload.read-share=1e308", "expected `read-share` to be 0 or a positive number"),
    ];
    for (setting, complaint) in cases {
        place.refuses(&["run", "--test", "consensus", "--set", setting], 64, complaint);
    }
    let late = "script=[{ at='99s', fault='kill', lasts='1s' }]";
    let complaint = "expected the script's faults before the `time-limit` of 30s, found `kill`";
    place.refuses(&["run", "--test", "any-follower", "--set", late], 64, complaint);
    let test = "[[test]]\nname = 'x'\nstore = 'replica'\n";
    place.write("twice.toml", format!("{test}{test}"));
    place.refuses(&["run", "twice.toml"], 64, "found `x` twice");
    let deep = format!("{}b=1", "a.".repeat(50_000));
    place.refuses(&["run", "--set", &deep], 64, "expected a setting's name, found `a.a.");
    place.write("name.toml", "[[test]]\nname = '../../etc'\nstore = 'replica'");
    place.refuses(&["run", "name.toml"], 64, "expected a test's name of letters");
    place.refuses(&["run", "--seed", "5..1"], 64, "or a range like `1..100`, found `5..1`");
    place.refuses(&["run", "--store", "replika"], 64, "found `replika`");
}

#[test]
fn a_campaign_of_more_runs_than_anybody_wants_is_refused() {
    let place = Place::new();
    place.refuses(&["run", "--seed", "1..1000000000000"], 64, "expected at most 100000");
    place.refuses(&["run", "--seed", "1..60000"], 64, "expected at most 100000 runs");
    let (tens, test) = ("[1,2,3,4,5,6,7,8,9,10]", "[[test]]\nname = 'x'\nstore = 'replica'\n");
    let keys = ["nodes", "concurrency", "rate", "operation-limit", "about", "script"];
    let matrix: String = keys.map(|key| format!("matrix.{key} = {tens}\n")).concat();
    place.write("million.toml", format!("{test}{matrix}"));
    place.refuses(&["run", "million.toml"], 64, "a matrix of at most 10000 combinations");
    place.write("none.toml", format!("{test}matrix.nodes = []"));
    place.refuses(&["run", "none.toml"], 64, "`matrix.nodes` to list at least one value");
}

#[test]
fn names_that_would_be_mistaken_for_something_else_are_refused() {
    let place = Place::new();
    for name in ["latest", "campaigns"] {
        place.write("name.toml", format!("[[test]]\nname = '{name}'\nstore = 'replica'"));
        place.refuses(&["run", "name.toml"], 64, "expected a test's name other than");
    }
    let long = "x".repeat(300);
    place.write("name.toml", format!("[[test]]\nname = '{long}'\nstore = 'replica'"));
    place.refuses(&["run", "name.toml"], 64, "at most 150 characters");
    place.refuses(&["run", "--store", "a\"b"], 64, "expected a test's name of letters");
}

#[test]
fn missing_files_are_named() {
    let place = Place::new();
    place.refuses(&["run", "none.toml"], 64, "failed to read the campaign none.toml");
    place.refuses(&["show", "none"], 64, "none");
    place.refuses(&["check", "none.arrow"], 64, "none.arrow");
    place.refuses(&["replay", "none"], 64, "expected a run's folder with a history.arrow");
    place.refuses(&["report", "none"], 64, "expected a run's folder with a history.arrow");
}

#[test]
fn a_damaged_history_is_told_from_one_that_was_cut() {
    let place = Place::new();
    let run = place.short_run();
    let path = run.join("history.arrow");
    let whole = std::fs::read(&path).expect("a history");

    std::fs::write(&path, &whole[..whole.len() / 2]).expect("it can be written");
    let cut = place.perjury(&["show", "runs/latest"]);
    assert_eq!(cut.code, 0, "what is there is shown: {}", cut.stderr);
    assert!(cut.stdout.lines().count() > 100);
    assert!(cut.stderr.contains("ends before its time"), "{}", cut.stderr);

    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    std::fs::write(&path, &flipped).expect("it can be written");
    std::fs::remove_file(run.join("perjury.log")).expect("it is there");
    let before = contents(&run);
    place.refuses(&["check", "runs/latest"], 64, "history.arrow");
    place.refuses(&["show", "runs/latest"], 64, "history.arrow");
    place.refuses(&["report", "runs/latest"], 64, "history.arrow");
    assert!(contents(&run) == before, "nothing was overwritten");

    std::fs::write(&path, "this is no history").expect("it can be written");
    place.refuses(&["check", "runs/latest"], 64, "history.arrow");
    std::fs::write(&path, "").expect("it can be written");
    place.refuses(&["check", "runs/latest"], 64, "history.arrow");
}

#[test]
fn damaged_files_beside_the_history_are_named() {
    let place = Place::new();
    let run = place.short_run();
    std::fs::write(run.join("results.json"), "{").expect("it can be written");
    place.refuses(
        &["report", "runs/latest"],
        64,
        "results.json: expected a file that perjury wrote",
    );
    place.refuses(&["report", "runs/latest"], 64, "perjury check");
    assert_eq!(place.perjury(&["check", "runs/latest"]).code, 0, "check writes the results anew");
    assert_eq!(place.perjury(&["report", "runs/latest"]).code, 0);
    let test = std::fs::read_to_string(run.join("test.json")).expect("test.json");
    std::fs::write(run.join("test.json"), test.replace("\"format\": 1", "\"format\": 99"))
        .expect("it can be written");
    place.refuses(&["check", "runs/latest"], 64, "expected format 1, found 99");
}

#[test]
fn a_process_with_two_operations_open_is_refused() {
    let place = Place::new();
    let path = place.path("twice.arrow");
    let mut recorder = Recorder::create(&path).expect("a new file");
    for time_ns in 0..2 {
        let entry = Entry::Operation(Event {
            time_ns,
            process: Process(3),
            kind: EventKind::Invoke,
            micro_ops: vec![MicroOp::read(1)],
            node: None,
            version: None,
            error: None,
        });
        recorder.push(&entry).expect("the recorder takes what it is given");
    }
    recorder.finish().expect("it can be written");
    place.refuses(&["check", "twice.arrow"], 64, "p3");
    place.refuses(&["check", "twice.arrow"], 64, "a process does one thing at a time");
}

#[test]
fn a_folder_that_cannot_be_written_is_a_failure() {
    let place = Place::new();
    place.write("runs", "a file where the folder should be");
    let called = place.perjury(&["run", "--test", "consensus", "--time-limit", "1s"]);
    assert_eq!(called.code, 3, "{}{}", called.stdout, called.stderr);
    let said = called.stdout + &called.stderr;
    assert!(said.contains("failed to write runs"), "{said}");
    assert!(said.contains("--runs DIR"), "{said}");
}

#[test]
fn bad_arguments_are_told_from_everything_else() {
    let place = Place::new();
    place.refuses(&["rum"], 64, "unrecognized subcommand 'rum'");
    place.refuses(&["run", "--sed", "3"], 64, "unexpected argument '--sed'");
    assert_eq!(place.perjury(&["--help"]).code, 0);
    assert_eq!(place.perjury(&["--version"]).code, 0);
    assert_eq!(place.perjury(&["completions", "bash"]).code, 0);
    assert!(place.perjury(&["list", "faults"]).stdout.contains("partition"));
}
