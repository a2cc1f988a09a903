//! Histories of others: every shape that is understood, and every way to be malformed.

use perjury_history::foreign::{self, Foreign, ForeignError, Format, Object, Options};
use perjury_history::{FaultStage, History, Outcome};

fn read_with(text: &str, options: &Options) -> Foreign {
    foreign::read_bytes(text.as_bytes(), "here", options).unwrap_or_else(|error| panic!("{error}"))
}

fn read(text: &str) -> Foreign {
    read_with(text, &Options::default())
}

/// One line per operation: process, micro-operations with names, outcome.
fn lines(history: &History) -> Vec<String> {
    let line = |operation: perjury_history::Operation<'_>| {
        let mut said: Vec<String> = operation.micro_ops.iter().map(ToString::to_string).collect();
        for said in &mut said {
            // Names stand for numbers from far below zero.
            for number in i64::MIN..i64::MIN + 20 {
                if let Some(name) = history.names().text(number) {
                    *said = said.replace(&number.to_string(), name);
                }
            }
        }
        let mark = match operation.outcome {
            Outcome::Ok => "",
            Outcome::Fail => "!",
            Outcome::Info => "?",
        };
        format!("{} {}{mark}", operation.process, said.join("; "))
    };
    history.iter().map(line).collect()
}

/// Function, value that is asked, and value of the answer.
type Step = (&'static str, &'static str, &'static str);

/// Reads a history of one process that does one thing after the other, in EDN.
fn steps(steps: &[(&str, &str, &str)]) -> Foreign {
    let mut text = String::new();
    for (function, asked, told) in steps {
        for (kind, value) in [("invoke", asked), ("ok", told)] {
            text += &format!("{{:process 0 :type :{kind} :f :{function} :value {value}}}\n");
        }
    }
    read(&text)
}

#[track_caller]
fn check(foreign: &Foreign, object: Object, expected: &[&str]) {
    assert_eq!(lines(&foreign.history), expected);
    assert_eq!(foreign.object, object);
}

#[test]
fn words_are_understood_by_what_the_history_is_about() {
    let cases: &[(Object, &[Step], &[&str])] = &[
        (
            Object::Register,
            &[("write", "1", "1"), ("read", "nil", "1"), ("read", "nil", "nil")],
            &["p0 write 0 1", "p0 read 0 -> 1", "p0 read 0 -> nil"],
        ),
        (
            Object::CasRegister,
            &[("cas", "[1 2]", "[1 2]"), ("r", "nil", "2"), ("w", ":x", ":x")],
            &["p0 cas 0 1 2", "p0 read 0 -> 2", "p0 write 0 :x"],
        ),
        (
            Object::CasRegister,
            &[("cas", "[9 [1 2]]", "[9 [1 2]]"), ("read", "[8 nil]", "[8 2]")],
            &["p0 cas 9 1 2", "p0 read 8 -> 2"],
        ),
        (
            Object::MultiRegister,
            &[("txn", "[[:r :x nil] [:w :y 2]]", "[[:r :x 1] [:w :y 2]]")],
            &["p0 read :x -> 1; write :y 2"],
        ),
        (
            Object::MultiRegister,
            &[("read", "[[:r 1 nil] [:r 2 nil]]", "[[:r 1 nil] [:r 2 5]]")],
            &["p0 read 1 -> nil; read 2 -> 5"],
        ),
        (
            Object::ListAppend,
            &[("txn", "[[:append 1 2] [:r 1 nil]]", "[[:append 1 2] [:r 1 [2]]]")],
            &["p0 append 1 2; read-list 1 -> [2]"],
        ),
        (
            Object::ListAppend,
            &[
                ("txn", "[[:r 1 nil]]", "[[:r 1 nil]]"),
                ("txn", "[[:append 1 3]]", "[[:append 1 3]]"),
            ],
            &["p0 read-list 1 -> []", "p0 append 1 3"],
        ),
        (
            Object::Set,
            &[("add", "5", "5"), ("read", "nil", "#{5 :a}")],
            &["p0 add 0 5", "p0 read-set 0 -> {5, :a}"],
        ),
        (
            Object::Set,
            &[("write", "5", "5"), ("read", "nil", "(5)")],
            &["p0 add 0 5", "p0 read-set 0 -> {5}"],
        ),
        (
            Object::Set,
            &[("add", "[0 5]", "[0 5]"), ("read", "[0 nil]", "[0 [5]]")],
            &["p0 add 0 5", "p0 read-set 0 -> {5}"],
        ),
        (
            Object::Counter,
            &[("add", "5", "5"), ("read", "nil", "5")],
            &["p0 increment 0 5", "p0 read-counter 0 -> 5"],
        ),
        (
            Object::Counter,
            &[("increment", "nil", "nil"), ("decrement", "4", "4"), ("read", "nil", "-3")],
            &["p0 increment 0 1", "p0 increment 0 -4", "p0 read-counter 0 -> -3"],
        ),
        (
            Object::Queue,
            &[("enqueue", "5", "5"), ("dequeue", "nil", "5"), ("deq", "nil", "nil")],
            &["p0 enqueue 0 5", "p0 dequeue 0 -> 5", "p0 dequeue 0 -> nil"],
        ),
        (
            Object::Stack,
            &[("push", "\"a b\"", "\"a b\""), ("pop", "nil", "\"a b\"")],
            &["p0 push 0 a b", "p0 pop 0 -> a b"],
        ),
        (
            Object::Mutex,
            &[("acquire", "nil", "nil"), ("release", "nil", "nil")],
            &["p0 lock 0", "p0 unlock 0"],
        ),
        (
            Object::FencedLock,
            &[("acquire", "nil", "7"), ("release", "7", "7")],
            &["p0 acquire 0 -> 7", "p0 release 0 7"],
        ),
        (
            Object::Ids,
            &[("generate", "nil", "\"id\""), ("generate", "nil", "12345678901234567890")],
            &["p0 generate 0 -> id", "p0 generate 0 -> 12345678901234567890"],
        ),
        (
            Object::Accounts,
            &[
                ("read", "nil", "{1 10, 0 20}"),
                ("transfer", "{:from 0, :to 1, :amount 5}", "{:amount 5 :from 0 :to 1}"),
                ("read", "nil", "{0 15 1 15}"),
            ],
            &[
                "p0 read 0 -> 20; read 1 -> 10",
                "p0 transfer 0 1 5",
                "p0 read 0 -> 15; read 1 -> 15",
            ],
        ),
        (
            Object::Accounts,
            &[
                ("transfer", "{:from 0, :to :b, :amount 5}", "{:from 0 :to :b :amount 5}"),
                ("read", "nil", "{0 15 :b 15}"),
            ],
            &["p0 transfer 0 :b 5", "p0 read 0 -> 15; read :b -> 15"],
        ),
    ];
    for (object, operations, expected) in cases {
        check(&steps(operations), *object, expected);
    }
}

#[test]
fn a_transfer_says_from_where_to_where_and_how_much() {
    for (value, found) in [
        ("{:from 0 :to 1}", "`{:from 0 :to 1}}`"),
        ("{:from 0 :to nil :amount 1}", "`{:from 0 :to nil :amount…`"),
        ("{:from 0 :to 1 :amount 1.5}", "`{:from 0 :to 1 :amount 1…`"),
        ("7", "`7}`"),
    ] {
        let text = format!("{{:process 0 :type :invoke :f :transfer :value {value}}}");
        let read = foreign::read_bytes(text.as_bytes(), "here", &Options::default());
        let error = read.expect_err("no transfer").to_string();
        let expected = format!(
            "expected a transfer like {{:from 1, :to 2, :amount 5}}, of a whole number, found {found}"
        );
        assert!(error.ends_with(&expected), "{error}");
    }
}

#[test]
fn a_key_value_store_holds_texts_as_they_are() {
    let mut text = String::new();
    for (function, value) in [("append", "\"7\""), ("append", "\":x\""), ("get", "\"7:x\"")] {
        for kind in ["invoke", "ok"] {
            text += &format!(
                "{{:process 0, :type :{kind}, :f :{function}, :key \"0\", :value {value}}}\n"
            );
        }
    }
    let expected = ["p0 append \"0\" 7", "p0 append \"0\" :x", "p0 read \"0\" -> 7:x"];
    check(&read(&text), Object::KeyValue, &expected);
}

/// Vector, list or stream; commas or none; comments, dropped forms, metadata, tags and records.
#[test]
fn every_shape_of_edn_is_the_same_history() {
    let expected = ["p0 write 0 1", "p1 read 0 -> 1?"];
    let (ask, end) =
        ("{:process 0 :type :invoke :f :write :value 1}", ":process 0 :type :ok :f :write");
    let read_text = "{:process 1, :type :invoke, :f :read}";
    let shapes = [
        format!("{ask} {read_text} {{{end}}}"),
        format!("[{ask},{read_text},{{{end} :value 1}}]"),
        format!("({ask}\r\n ; a comment }}\n {read_text}\n{{{end}, :value nil}})\n"),
        format!(
            "\u{feff}; first\n[{ask} #_ {{:a #_ b 1}} {read_text} #jepsen.history.Op{{{end}}}]"
        ),
        format!(
            "#history/All [^{{:line 1}} {ask} {read_text} {{{end} :ratio 1/2 :c \\] :big 5N}} #_{{}}]"
        ),
        format!(
            "{ask}{read_text}{{{end} :extra {{:a #{{1 2}} [3] \"]\" :s \"a\\\"b\"}} :inst #inst \"x\"}}"
        ),
    ];
    for shape in shapes {
        let foreign = read(&shape);
        let expected = [expected[0], "p1 read 0?"];
        assert_eq!(
            (lines(&foreign.history), foreign.format),
            (expected.map(str::to_owned).to_vec(), Format::Edn),
            "{shape}"
        );
    }
}

#[test]
fn json_is_read_by_the_line_and_as_an_array() {
    let events = [
        r#"{"process": 0, "type": "invoke", "f": "write", "value": "x\u0041"}"#,
        r#"{"process": 0, "type": "ok", "f": "write", "value": "x\u0041"}"#,
        r#"{"process": "nemesis", "type": "info", "f": "start-partition", "value": null}"#,
        r#"{"process": 1, "type": "invoke", "f": "read", "value": null, "time": 5}"#,
        r#"{"process": 1, "type": "ok", "f": "read", "value": "xA", "time": 9}"#,
    ];
    for text in [events.join("\n"), format!("[{}]", events.join(",")), events.join(" , ")] {
        let foreign = read(&text);
        check(&foreign, Object::Register, &["p0 write 0 xA", "p1 read 0 -> xA"]);
        assert_eq!(foreign.format, Format::Json);
        assert_eq!(foreign.history.faults().len(), 1);
    }
}

#[test]
fn logs_are_read_past_their_other_lines() {
    let text = "INFO  jepsen.core - Running test\n\
        INFO  jepsen.util - 0\t:invoke\t:write\t1\n\
        INFO  jepsen.util - :nemesis\t:info\t:start\tcut off n1\n\
        INFO  jepsen.util - 0\t:info\t:write\t:timed-out\n\
        INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\n\
        INFO  jepsen.util - 0\t:ok\t:cas\t[1 2]\n";
    let foreign = read(text);
    check(&foreign, Object::CasRegister, &["p0 write 0 1?", "p1000000 cas 0 1 2"]);
    assert_eq!(foreign.history.iter().next().expect("two").error, Some("timed-out"));
    assert_eq!(foreign.history.faults()[0].detail, "cut off n1");
    assert_eq!(foreign.warnings.len(), 2, "{:?}", foreign.warnings);
}

#[test]
fn calls_and_returns_are_read() {
    let text = "# @object atomic-queue\n\n[1] call enq(a)\n  [2] call deq\n[1] return\n[2] return a\n\
        [2] call deq()\n[2] return empty\n[3] call pop(?<1,2>)\n[3] return\n[1] call push 1\n[1] call deq";
    let expected = [
        "p1 enqueue 0 a",
        "p2 dequeue 0 -> a",
        "p2 dequeue 0 -> nil",
        "p3 pop 0 -> ?<1,2>",
        "p1 push 0 1?",
        "p1000000 dequeue 0?",
    ];
    check(&read(text), Object::Queue, &expected);
}

#[test]
fn a_read_of_nil_tells_nothing_where_the_register_held_something_at_first() {
    let text = "{:process 0, :type :invoke, :f :read}{:process 0, :type :ok, :f :read, :value nil}";
    assert_eq!(lines(&read(text).history), ["p0 read 0 -> nil"]);
    let initial = Options { initial: Some(0), ..Options::default() };
    assert_eq!(lines(&read_with(text, &initial).history), ["p0 read 0"]);
}

#[test]
fn processes_that_are_not_told_are_found_where_there_is_no_doubt() {
    let event = |kind, f, value| format!("{{:type :{kind} :f :{f} :value {value}}}\n");
    let text = event("invoke", "read", "nil")
        + &event("invoke", "write", "1")
        + &event("ok", "write", "1")
        + &event("ok", "read", "1");
    assert_eq!(lines(&read(&text).history), ["p0 read 0 -> 1", "p1 write 0 1"]);
    let text = event("invoke", "read", "nil") + &event("invoke", "read", "nil");
    refused(&(text + &event("ok", "read", "1")), 3, "expected a `process`");
}

#[test]
fn what_the_first_events_tell_may_be_wrong() {
    // For a thousand events it looks like a set, then it is a counter.
    let mut text = String::new();
    for value in 0..600 {
        for kind in ["invoke", "ok"] {
            text += &format!("{{:process 0 :type :{kind} :f :add :value {value}}}\n");
        }
    }
    let read_text = |told| {
        format!(
            "{{:process 1 :type :invoke :f :read}}{{:process 1 :type :ok :f :read :value {told}}}"
        )
    };
    assert_eq!(read(&text).object, Object::Set);
    assert_eq!(read(&(text.clone() + &read_text("9"))).object, Object::Counter);
    assert_eq!(read(&(text + &read_text("[9]"))).object, Object::Set);
}

#[test]
fn unknown_outcomes_retire_processes_unless_nothing_changed() {
    let event = |kind, f| format!("{{:process 4 :type :{kind} :f :{f} :value 1}}\n");
    let text = [
        event("invoke", "read"),
        event("info", "read"),
        event("invoke", "write"),
        event("info", "write"),
        event("invoke", "read"),
    ];
    assert_eq!(
        lines(&read(&text.concat()).history),
        ["p4 read 0?", "p4 write 0 1?", "p1000000 read 0?"]
    );
}

#[test]
fn faults_begin_and_end() {
    let fault = |f: &str| format!("{{:process :nemesis :type :info :f :{f} :value \"x\"}}\n");
    let functions = [
        "start",
        "start",
        "stop",
        "stop",
        "kill",
        "start",
        "start-partition",
        "stop-partition",
        "pause",
        "heal",
    ];
    let foreign = read(&functions.map(fault).concat());
    let faults = foreign.history.faults().iter();
    let told: Vec<_> = faults.map(|it| (it.fault, it.name.as_str(), it.stage)).collect();
    use FaultStage::{Applied, Undone};
    let expected = [
        (0, "start", Applied),
        (0, "start", Applied),
        (0, "start", Undone),
        (0, "start", Undone),
        (1, "kill", Applied),
        (1, "kill", Undone),
        (2, "start-partition", Applied),
        (2, "start-partition", Undone),
        (3, "pause", Applied),
        (3, "pause", Undone),
    ];
    assert_eq!(told, expected);
}

#[test]
fn times_may_go_back_a_little_between_processes_only() {
    let event =
        |process, kind, ns| format!("{{:process {process} :type :{kind} :f :read :time {ns}}}\n");
    let start = event(0, "invoke", 200_000_000);
    let foreign = read(&(start.clone() + &event(1, "invoke", 199_000_000)));
    assert_eq!(foreign.history.end_ns(), 200_000_000);
    assert!(foreign.warnings[0].contains("1 times went back by up to 1000000 ns"));
    refused(&(start.clone() + &event(1, "invoke", 99_999_999)), 2, "by more than 100 ms");
    refused(&(start + &event(0, "ok", 199_999_999)), 2, "expected times that do not go back");
}

#[track_caller]
fn refused(text: &str, line: usize, problem: &str) {
    refused_bytes(text.as_bytes(), line, problem);
}

#[track_caller]
fn refused_bytes(bytes: &[u8], line: usize, expected: &str) {
    match foreign::read_bytes(bytes, "here", &Options::default()) {
        Ok(foreign) => panic!("it was read: {:?}", lines(&foreign.history)),
        Err(ForeignError::Malformed { line: found, byte, problem, .. }) => {
            assert!(problem.contains(expected), "expected `{expected}` in `{problem}`");
            assert_eq!(found, line, "{problem}");
            assert!(byte <= bytes.len());
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_is_malformed_is_refused_with_its_place() {
    let invoke = "{:process 0 :type :invoke :f :write :value 1}\n";
    let ok = "{:process 0 :type :ok :f :write :value 1}\n";
    refused("", 1, "found an empty file");
    refused(" \n\n", 1, "found an empty file");
    refused("; nothing\n[]", 2, "expected at least one operation, found none");
    refused("hello", 1, "found something else");
    refused(&format!("{invoke}{invoke}"), 2, "expected a completion of p0's operation 0");
    refused(ok, 1, "expected an invocation by p0");
    refused(&format!("{invoke}{ok}{ok}"), 3, "expected an invocation by p0");
    refused(
        &format!("{invoke}{}", ok.replace(":value 1", ":value 2")),
        2,
        "found one to (write 0 2)",
    );
    refused(&invoke.replace(":value 1", ""), 1, "expected a value, found none");
    refused(&invoke.replace(":value 1", ":value nil"), 1, "expected a value, found nil");
    refused(&invoke.replace(":write", ":cas"), 1, "expected a compare-and-set like [1 2]");
    refused(&invoke.replace(":write", ":transfer"), 1, "expected a transfer like {:from 1");
    let short = invoke.replace(":write", ":transfer").replace(":value 1", ":value {:from 1 :to 2}");
    refused(&short, 1, "expected a transfer like {:from 1");
    refused(&invoke.replace(":write", ":txn"), 1, "expected a transaction like");
    refused(&invoke.replace(":write", ":drain"), 1, "found `drain`");
    refused(&invoke.replace(":f :write", ""), 1, "expected an operation with a function");
    refused(&invoke.replace(":invoke", ":began"), 1, "expected a type of invoke, ok, fail or info");
    refused(&invoke.replace(":type :invoke", ""), 1, "expected an operation with a `type`");
    refused(&invoke.replace(":process 0", ":process [1]"), 1, "expected a process");
    refused(&format!("{invoke}7"), 2, "expected an operation (a map), found `7`");
    refused(&format!("[{invoke}"), 2, "expected `]`, found the end of the file; was it cut?");
    refused(&format!("[{invoke}]{ok}"), 2, "expected the end of the file after its only vector");
    refused(&format!("{invoke}{ok}}}"), 3, "expected an operation, found `}`");
    refused(&invoke[..20], 1, "expected `}`, found the end of the file");
    refused(&format!("{invoke}{{:a \"b}}"), 2, "expected a `\"` that ends the text");
    refused(&format!("{invoke}{{:a 1 :b}}"), 2, "expected a value for every key of the map");
    refused(&format!("{invoke}{{:a [1 2}}"), 2, "expected `]`, found `}`");
    refused(&format!("{invoke}{{:a 12x}}"), 2, "expected a number, found `12x}`");
    refused(&format!("{invoke}{{:a #tag}}"), 2, "expected a form after the tag");
    refused(&format!("{invoke}{{:a @b}}"), 2, "expected an EDN form, found `@b}`");
    refused_bytes(b"{:process 0\n :a \"\xff\"}", 2, "expected text in UTF-8");
}

#[test]
fn malformed_json_is_refused_with_its_place() {
    let first = "{\"process\": 0, \"type\": \"invoke\", \"f\": \"read\"}\n";
    let cases = [
        ("{\"a\" 1}", "expected `:` after the key, found `1}`"),
        ("{\"a\": 1 \"b\": 2}", "expected `,` or the end"),
        ("{\"a\": [1, ]}", "expected a JSON value, found `]}`"),
        ("{1: 2}", "expected a key of an object, in quotes"),
        ("{\"a\": nil}", "expected a JSON value, found `nil}`"),
        ("{\"a\": [1}", "expected `,` or the end"),
        ("{\"a\": [1", "expected `]`, found the end of the file"),
        ("\"a\"", "expected an operation (a map)"),
    ];
    for (line, problem) in cases {
        refused(&format!("{first}{line}"), 2, problem);
    }
}

#[test]
fn malformed_lines_are_refused_with_their_place() {
    let first = "INFO  jepsen.util - 0\t:invoke\t:write\t1\n";
    refused(&format!("{first}INFO  jepsen.util - 0\t:inv"), 2, "was the file cut?");
    refused(&format!("{first}INFO  jepsen.util - 0\t:ok\n"), 2, "expected a function");
    refused(&format!("{first}INFO  jepsen.util - x\t:ok\t:write\t1\n"), 2, "expected a process");
    refused(&format!("{first}INFO  jepsen.util - 0\t:ok\t:write\t[1\n"), 3, "expected `]`");
    refused(&format!("{first}INFO  jepsen.util - 0\t:ok\t:write\t[1\n]"), 2, "expected a value");
    let first = "[1] call enq(1)\n";
    refused(&format!("{first}[1] went home"), 2, "expected `[thread] call f(x)`");
    refused(&format!("{first}[1] call enq(2"), 2, "expected a call like `push(1)`");
    refused(&format!("{first}[2] return 2"), 2, "expected an invocation by p2");
}

#[test]
fn nesting_has_a_bound() {
    for (open, close) in [("[", "]"), ("(", ")"), ("#{", "}"), ("#a ", ""), ("#_ ", ""), ("^", "")]
    {
        let deep = format!(
            "{{:process 0 :type :invoke :f :write :value {}1{}}}",
            open.repeat(100),
            close.repeat(100)
        );
        refused(&deep, 1, "expected at most 64 levels of nesting");
    }
    let deep = format!("{{\"type\": {}", "[".repeat(1_000_000));
    refused(&deep, 1, "expected at most 64 levels of nesting");
    let fits = format!(
        "{{:process 0 :type :invoke :f :write :value {}1{}}}",
        "[".repeat(60),
        "]".repeat(60)
    );
    assert_eq!(read(&fits).history.len(), 1);
}

#[test]
fn one_operation_has_a_bound() {
    let long = format!("{{:process 0 :type :invoke :f :write :value [{}]}}", "1 ".repeat(40 << 20));
    refused(&long, 1, "expected an operation of at most 64 MiB");
    let text =
        format!("{{:process 0 :type :invoke :f :write :value \"{}\"}}", "x".repeat(70 << 20));
    refused(&text, 1, "expected an operation of at most 64 MiB");
}

#[test]
fn equal_values_have_equal_numbers_and_others_have_not() {
    let same = [
        ("{:a 1 :b 2}", "{:b 2, :a 1}"),
        ("#{1 2}", "#{2 1}"),
        ("(1 2)", "[1, 2]"),
        ("5N", "+5"),
        ("\"\\u0041\"", "\"A\""),
    ];
    for (one, other) in same {
        assert_eq!(lines(&steps(&[("write", one, other)]).history).len(), 1, "{one} {other}");
    }
    let different = [
        ("\":a\"", ":a"),
        ("\"5\"", "5"),
        ("5.0", "5"),
        ("\"nil\"", ":nil"),
        ("[1 2]", "\"[1 2]\""),
        ("[[1] 2]", "[1 [2]]"),
    ];
    for (one, other) in different {
        let text = format!(
            "{{:process 0 :type :invoke :f :write :value {one}}}\n{{:process 0 :type :ok :f :write :value {other}}}"
        );
        refused(&text, 2, "expected an answer to p0's operation 0");
    }
}
