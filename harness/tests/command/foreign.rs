//! Histories of other tools: judged, bounded, proved.

use std::fmt::Write as _;
use std::fs;

use crate::support::Place;

const STALE: &str = "\
{:process 0, :type :invoke, :f :write, :value 1}
{:process 0, :type :ok, :f :write, :value 1}
{:process 0, :type :invoke, :f :write, :value 2}
{:process 0, :type :ok, :f :write, :value 2}
{:process 1, :type :invoke, :f :read, :value nil}
{:process 1, :type :ok, :f :read, :value 1}
";

#[test]
fn each_history_is_judged_as_what_it_is_about() {
    let place = Place::new();
    fs::create_dir(place.path("histories")).expect("a folder");
    let write = |name: &str, text: &str| {
        fs::write(place.path("histories").join(name), text).expect("written");
    };
    write("stale.edn", STALE);
    write(
        "queue.hist",
        "# @object atomic-queue\n[0] call enq(1)\n[0] return\n[1] call deq\n[1] return 1\n",
    );
    write("good.edn", &STALE[..STALE.len() / 6 * 2]);
    write("notes.md", "nothing");
    let checked = place.perjury(&["check", "histories"]);
    assert_eq!(checked.code, 1, "{}{}", checked.stdout, checked.stderr);
    let told = "though p0's write of 2 had been acknowledged at 0.003 s, before the read began";
    assert!(checked.stdout.contains(told), "{}", checked.stdout);
    for verdict in ["register  3           invalid", "queue     2           valid"] {
        assert!(checked.stdout.contains(verdict), "{}", checked.stdout);
    }
    let as_json = place.perjury(&["check", "histories", "--json"]);
    let parsed: Vec<serde_json::Value> = serde_json::from_str(&as_json.stdout).expect("JSON");
    let verdicts: Vec<_> = parsed.iter().map(|it| it["verdict"].as_str()).collect();
    assert_eq!(verdicts, [Some("valid"), Some("valid"), Some("invalid")]);
    // Asked of it as a counter, the words mean nothing.
    place.refuses(&["check", "histories/stale.edn", "--model", "counter"], 2, "a counter is asked");
    place.refuses(&["check", "histories/notes.md"], 64, "notes.md");
    place.refuses(&["check", "histories/stale.edn", "--model", "nonsense"], 64, "cas-register");
    // What could not act is not passed over.
    for (options, complaint) in [
        (&["--permits", "2"][..], "`--permits`"),
        (&["--workload", "register", "--together"], "`--together`"),
        (&["--model", "queue", "--model", "stack"], "one kind of object"),
    ] {
        let arguments = [&["check", "histories/stale.edn"], options].concat();
        place.refuses(&arguments, 64, complaint);
    }
    place.short_run();
    let proved = ["check", "runs/latest", "--model", "register", "--certificate", "proof.json"];
    place.refuses(&proved, 64, "no run");
}

#[cfg(target_os = "linux")]
#[test]
fn a_verdict_that_cannot_be_printed_is_one_all_the_same() {
    let place = Place::new();
    place.write("stale.edn", STALE);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_perjury"))
        .args(["check", "stale.edn"])
        .current_dir(place.path("."))
        .stdout(full)
        .stderr(std::process::Stdio::null())
        .status();
    assert_eq!(status.expect("it runs").code(), Some(1));
}

#[test]
fn a_verdict_is_proved_and_a_false_proof_is_refused() {
    let place = Place::new();
    fs::write(place.path("stale.edn"), STALE).expect("written");
    fs::write(place.path("good.edn"), STALE.replace(":read, :value 1", ":read, :value 2"))
        .expect("written");
    for (history, code, proof) in [
        ("stale.edn", 1, "key 0: not linearizable, by 3 operations: verified"),
        ("good.edn", 0, "key 0: linearizable, by an order of 3 operations: verified"),
    ] {
        let file = format!("{history}.json");
        let checked = place.perjury(&["check", history, "--certificate", &file]);
        assert_eq!(checked.code, code, "{}{}", checked.stdout, checked.stderr);
        let verified = place.perjury(&["verify", history, &file]);
        assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
        assert!(verified.stdout.contains(proof), "{}", verified.stdout);
        place.refuses(&["check", history, "--certificate", &file], 64, &file);
    }
    // Each proves nothing of the other history.
    for (history, file) in [("good.edn", "stale.edn.json"), ("stale.edn", "good.edn.json")] {
        let verified = place.perjury(&["verify", history, file]);
        assert_eq!(verified.code, 1, "{}", verified.stdout);
        assert!(verified.stdout.contains("refused"), "{}", verified.stdout);
    }
    place.refuses(&["verify", "good.edn", "good.edn"], 64, "--certificate");
}

/// Many writes that are all open while each is read: what was written unseen in between can be
/// anything.
fn hard() -> String {
    let (writes, mut text) = (26, String::new());
    let mut event = |process: i32, kind: &str, function: &str, value: &str| {
        let told = format!(":type :{kind}, :f :{function}, :value {value}");
        writeln!(text, "{{:process {process}, {told}}}").expect("a string takes everything");
    };
    // Values are written twice, so that only a search can decide.
    for value in 0..writes {
        event(100, "invoke", "write", &value.to_string());
        event(100, "ok", "write", &value.to_string());
    }
    (0..writes).for_each(|it| event(it, "invoke", "write", &it.to_string()));
    for value in (0..writes).rev() {
        event(100, "invoke", "read", "nil");
        event(100, "ok", "read", &value.to_string());
    }
    (0..writes).for_each(|it| event(it, "ok", "write", &it.to_string()));
    text
}

#[test]
fn a_search_without_end_stops_at_its_bounds() {
    let place = Place::new();
    fs::write(place.path("hard.edn"), hard()).expect("written");
    for (bound, told) in [
        (["--step-limit", "100000"], "the limit of 100000 steps"),
        (["--memory-limit", "8MiB"], "the limit of 8 MiB"),
        (["--time-limit", "0s"], "the time limit"),
    ] {
        let arguments = [&["check", "hard.edn"][..], &bound[..]].concat();
        let checked = place.perjury(&arguments);
        assert_eq!(checked.code, 2, "{}{}", checked.stdout, checked.stderr);
        assert!(checked.stdout.contains(told), "{}", checked.stdout);
    }
    place.refuses(&["check", "hard.edn", "--memory-limit", "lots"], 64, "512MiB");
}

/// Each client wrote its own log, so nobody knows which operation ended before another began.
#[test]
fn sessions_are_read_and_not_judged_by_real_time() {
    let place = Place::new();
    place.write("plume.txt", "w(1,1,1,1)\nr(1,0,2,2)\n");
    fs::create_dir(place.path("cobra")).expect("a folder");
    let number = |number: u64| number.to_be_bytes();
    let log = [&b"S"[..], &number(7), b"W", &number(1), &number(2), &number(3), b"C", &number(7)];
    place.write("cobra/T0.log", log.concat());
    let complaint = "expected a history that tells which operations ended before others began";
    for arguments in
        [&["plume.txt", "--workload", "register"][..], &["plume.txt", "--model", "multi-register"]]
    {
        place.refuses(&[&["check"], arguments].concat(), 64, complaint);
    }
    // What can be judged is how transactions are kept apart, with the order of each session.
    for arguments in [&["plume.txt"][..], &["cobra"], &["--format", "cobra", "cobra"], &["."]] {
        let checked = place.perjury(&[&["check"], arguments].concat());
        assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    }
    place.write("skew.txt", "r(1,0,1,1)\nw(2,1,1,1)\nr(2,0,2,2)\nw(1,2,2,2)\n");
    let skewed = place.perjury(&["check", "skew.txt"]);
    assert_eq!(skewed.code, 1, "{}{}", skewed.stdout, skewed.stderr);
    assert!(skewed.stdout.contains("write-skew"), "{}", skewed.stdout);
    let snapshots = ["check", "skew.txt", "--model", "strong-session-snapshot-isolation"];
    assert_eq!(place.perjury(&snapshots).code, 0);
    let strict = ["check", "skew.txt", "--model", "strong-snapshot-isolation"];
    assert_eq!(place.perjury(&strict).code, 2, "time is not told");
    let exported = place.perjury(&["export", "cobra"]);
    let first =
        ":value [2 1], :time 0, :index 0, :object :register, :keyed true, :real-time false}";
    assert_eq!(exported.code, 0, "{}", exported.stderr);
    assert!(
        exported.stdout.lines().next().is_some_and(|it| it.ends_with(first)),
        "{}",
        exported.stdout
    );
    place.write("cobra/T1.log", "S");
    place.refuses(&["export", "cobra"], 64, "T1.log: byte 1: expected the transaction's number");
}
