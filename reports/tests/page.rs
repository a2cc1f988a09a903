//! Reads pages back: everything is there, and whatever a database wrote is only ever text.

use std::collections::BTreeMap;

use perjury_checkers::linearizability::{ObjectKind, ObjectSettings};
use perjury_checkers::{
    Analysis, Anomaly, AnomalyKind, Context, Judgement, Leaders, Model, Verdict, Witness,
    WitnessOperation,
};
use perjury_history::foreign;
use perjury_history::{
    Entry, Event, EventKind, FaultEvent, FaultStage, History, HistoryBuilder, MicroOp, NodeId,
    OperationId, Outcome, Process,
};
use perjury_reports::{
    BoundsFacts, CampaignFacts, CampaignRow, ExpectationResult, LogFacts, ReportError, RunFacts,
    RunReport, SuspiciousFacts, campaign_page, run_page,
};
use serde_json::Value;

#[path = "../examples/synthetic/mod.rs"]
mod synthetic;

fn page(history: &History, analysis: &Analysis, facts: &RunFacts) -> String {
    run_page(&RunReport { title: "a test", history, analysis, facts }).expect("the page is made")
}

fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").expect("the data is embedded");
    let (json, _) = rest.split_once("</script>").expect("its element ends");
    serde_json::from_str(json).expect("it is JSON")
}

fn numbers(column: &Value) -> Vec<i64> {
    let each = column.as_array().expect("a column is an array").iter();
    let number = |it: &Value| it.as_i64().or_else(|| it.as_str()?.parse().ok());
    each.map(|it| number(it).unwrap_or(i64::MIN)).collect()
}

/// Every operation of the history is in the page, with its times.
fn check_columns(history: &History, page: &str) {
    let data = data(page);
    let columns = &data["columns"];
    let column = |name: &str| numbers(&columns[name]);
    assert_eq!(data["operations"], history.len());
    let mut invoked_us = 0;
    let (invoked, took) = (column("invoked"), column("took"));
    let (process, outcome) = (column("process"), column("outcome"));
    let (key, value, served) = (column("key"), column("value"), column("served"));
    assert_eq!(invoked.len(), history.len());
    for (index, operation) in history.iter().enumerate() {
        invoked_us += invoked[index];
        assert_eq!(invoked_us, (operation.invoked_ns / 1_000) as i64, "operation {index}");
        match operation.completed_ns {
            Some(at) => assert_eq!(invoked_us + took[index], (at / 1_000) as i64),
            None => assert_eq!(took[index], -1),
        }
        assert_eq!(process[index], i64::from(operation.process.0));
        let code = [Outcome::Ok, Outcome::Fail, Outcome::Info]
            .iter()
            .position(|it| *it == operation.outcome)
            .expect("one of three");
        assert_eq!(outcome[index], code as i64);
        assert_eq!(key[index], operation.micro_ops[0].key());
        assert_eq!(served[index], operation.served_by.map_or(-1, |node| i64::from(node.0)));
        if let Some(written) = operation.micro_ops[0].written() {
            assert_eq!(value[index], written);
        }
    }
}

#[test]
fn the_page_holds_every_operation() {
    let history = History::parse_notation(
        "
        p0: w(x,1)@n1#1.1-----      r(x)=1@n2--
        p1:        r(x)=nil@n3--!        cas(x,1,-2)@n1#1.2---?
        p7:     r(4)--?
        ",
    )
    .expect("a good drawing");
    let page = page(&history, &Analysis::default(), &RunFacts::default());
    check_columns(&history, &page);
    let columns = &data(&page)["columns"];
    assert_eq!(columns["id"], Value::Null, "all are there, in order");
    assert_eq!(columns["old"], serde_json::json!([1]));
}

#[test]
fn keys_and_values_go_by_their_names() {
    let text = r#"
        {:process 0, :type :invoke, :f :write, :value ["left </script>" 7]}
        {:process 0, :type :ok, :f :write, :value ["left </script>" 7]}
        {:process 1, :type :invoke, :f :write, :value [right "a word"]}
        {:process 1, :type :ok, :f :write, :value [right "a word"]}
        {:process 2, :type :invoke, :f :read, :value [right nil]}
        {:process 2, :type :ok, :f :read, :value [right :nobody-wrote-this]}"#;
    let read = foreign::read_bytes(text.as_bytes(), "named.edn", &foreign::Options::default());
    let history = read.expect("a history").history;
    let checker = ObjectKind::Register.checker(&ObjectSettings::default(), history.names());
    let analysis = Analysis::of(&history, &[checker], &Context::default());
    let page = page(&history, &analysis, &RunFacts::default());
    check_columns(&history, &page);
    let told = "<code class=\"plain\">read right → :nobody-wrote-this</code>";
    assert!(page.contains(told), "{told}");
    let data = data(&page);
    let name_of = |number: &Value| data["names"][number.as_str().expect("a name's number")].clone();
    let (keys, values) = (&data["columns"]["key"], &data["columns"]["value"]);
    assert_eq!(name_of(&keys[0]), "left </script>");
    assert_eq!(values[0], 7, "a number stands for itself");
    assert_eq!(name_of(&keys[1]), "right");
    assert_eq!(name_of(&values[1]), "a word");
    assert_eq!(name_of(&values[2]), ":nobody-wrote-this");
    // Outside the data of the timeline, which is looked up, no number stands for a name.
    let (before, rest) = page.split_once("id=\"data\">").expect("the data is embedded");
    let (_, after) = rest.split_once("</script>").expect("its element ends");
    assert!(![before, after].iter().any(|part| part.contains("922337203685477")));
}

#[test]
fn what_the_object_may_have_held_stands_under_the_diagram() {
    let history = History::parse_notation("p0: w(x,1)- w(x,2)-- r(x)=1-").expect("a good drawing");
    let checker = ObjectKind::Register.checker(&ObjectSettings::default(), history.names());
    let mut analysis = Analysis::of(&history, &[checker], &Context::default());
    let told = analysis.anomalies().next().expect("an anomaly").witness.possibilities.clone();
    assert!(told.len() == 1 && told[0].starts_with("it held 2"), "{told:?}");
    let with = page(&history, &analysis, &RunFacts::default());
    let card = &with[with.find("id=\"anomaly-1\"").expect("a card")..];
    let places: Vec<_> =
        ["class=\"diagram\"", "What the object may have held", "<li><bdi>it held 2"]
            .iter()
            .map(|part| card.find(part).unwrap_or_else(|| panic!("{part} is missing")))
            .collect();
    assert!(places.is_sorted(), "{places:?}");

    for verdict in analysis.verdicts.values_mut() {
        verdict.anomalies.iter_mut().for_each(|it| it.witness.possibilities.clear());
    }
    let without = page(&history, &analysis, &RunFacts::default());
    assert!(!without.contains("What the object may have held"), "there is nothing to tell");
}

#[test]
fn a_history_that_is_no_run_has_no_circumstances() {
    let history = History::parse_notation("p0: w(x,1)- r(x)=1-").expect("a good drawing");
    let facts = RunFacts {
        file: "other/history.edn".into(),
        object: "register".into(),
        bounds: Some(BoundsFacts { time_ms: 300_000, memory_bytes: 3 << 30, steps: 50_000_000 }),
        untimed: true,
        ..RunFacts::default()
    };
    let page = page(&history, &Analysis::default(), &facts);
    for shown in [
        "<bdi>other/history.edn</bdi>",
        "<dt>Object</dt><dd>register</dd>",
        "<dt>Bounds</dt><dd>5 min, 3,072 MiB of memory, 50,000,000 steps of a search</dd>",
        "The history tells no times.",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    for unknown in [
        "Seed <",
        "<dt>seed</dt>",
        "<dt>faults</dt>",
        "<dt>Nodes</dt>",
        "<dt>duration</dt>",
        "id=\"plots\"",
    ] {
        assert!(!page.contains(unknown), "{unknown}");
    }
}

#[test]
fn a_long_run_is_whole_small_and_soon_made() {
    let history = synthetic::history(70_000, 1);
    let analysis = synthetic::analysis(&history);
    let facts = synthetic::facts();
    assert!(history.len() >= 60_000, "{}", history.len());
    let begin = std::time::Instant::now();
    let page = page(&history, &analysis, &facts);
    let elapsed = begin.elapsed();
    println!("{} operations, {} bytes, {elapsed:?}", history.len(), page.len());
    check_columns(&history, &page);
    assert!(page.len() < 6_000_000, "{} bytes", page.len());
    if !cfg!(debug_assertions) {
        assert!(elapsed.as_millis() < 150, "{elapsed:?}");
    }
}

#[test]
fn the_same_run_makes_the_same_page() {
    let make = || {
        let history = synthetic::history(2_000, 3);
        page(&history, &synthetic::analysis(&history), &synthetic::facts())
    };
    assert_eq!(make(), make());
}

#[test]
fn the_verdict_stands_first_and_says_whether_it_was_expected() {
    let history = synthetic::history(20_000, 7);
    let analysis = synthetic::analysis(&history);
    let mut facts = synthetic::facts();
    let unexpected = page(&history, &analysis, &facts);
    let heading = unexpected.split_once("<h1").expect("a heading").1;
    assert!(heading.contains("n1 and n3 both accepted writes for 4"), "{}", &heading[..300]);
    assert!(heading.contains(" acknowledged writes were lost"), "{}", &heading[..300]);
    assert!(unexpected.contains("This was not expected."));
    facts.expectations.retain(|expectation| expectation.met);
    let expected = page(&history, &analysis, &facts);
    assert!(expected.contains("This was expected of this store"));
    let order: Vec<_> = [
        "id=\"verdict\"",
        "id=\"anomalies\"",
        "id=\"leadership\"",
        "id=\"timeline\"",
        "id=\"plots\"",
        "id=\"faults\"",
        "id=\"statistics\"",
        "id=\"reproduce\"",
    ]
    .iter()
    .map(|section| expected.find(section).unwrap_or_else(|| panic!("{section} is missing")))
    .collect();
    assert!(order.is_sorted(), "{order:?}");
    assert!(expected.contains(" more of this kind"), "what is not drawn is counted");
    assert!(expected.contains("n3 took over in epoch 2 at 14."));
}

#[test]
fn an_empty_history_still_makes_a_page() {
    let page = page(&History::default(), &Analysis::default(), &RunFacts::default());
    assert!(page.contains("Nothing was checked."));
    assert!(!page.contains("id=\"lanes\""));
}

#[test]
fn an_analysis_of_another_history_is_refused() {
    let anomaly = Anomaly {
        kind: AnomalyKind::LostWrite,
        key: None,
        explanation: String::new(),
        witness: Witness {
            operations: vec![WitnessOperation { operation: OperationId(5), role: String::new() }],
            ..Witness::default()
        },
    };
    let verdict = Verdict { anomalies: vec![anomaly], ..Verdict::default() };
    let analysis =
        Analysis { verdicts: BTreeMap::from([("all".to_owned(), verdict)]), ..Analysis::default() };
    let (history, facts) = (History::default(), RunFacts::default());
    let report = RunReport { title: "", history: &history, analysis: &analysis, facts: &facts };
    assert!(matches!(run_page(&report), Err(ReportError::ForeignAnalysis { operations: 0, .. })));
}

const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`&\u{2028}\u{202e}evil\u{0}{{ 7*7 }}";

/// A run in which every text that can come from outside is hostile.
fn hostile_run() -> (History, Analysis, RunFacts) {
    let event = |time_ns, kind, error: Option<&str>| {
        Entry::Operation(Event {
            time_ns,
            process: Process(0),
            kind,
            micro_ops: vec![MicroOp::Write { key: i64::MAX, value: i64::MIN }],
            node: Some(NodeId(0)),
            version: None,
            error: error.map(ToOwned::to_owned),
        })
    };
    let fault = |time_ns, stage| {
        Entry::Fault(FaultEvent {
            time_ns,
            fault: 1,
            stage,
            name: HOSTILE.into(),
            nodes: vec![NodeId(0)],
            detail: HOSTILE.into(),
        })
    };
    let mut builder = HistoryBuilder::new();
    for entry in [
        event(1_000, EventKind::Invoke, None),
        fault(2_000, FaultStage::Applied),
        event(3_000_000, EventKind::Info, Some(HOSTILE)),
        fault(4_000_000, FaultStage::Failed),
    ] {
        builder.push(entry).expect("well formed");
    }
    let history = builder.finish();
    let mut analysis = Analysis::of(&history, &[Box::new(Leaders)], &Context::default());
    let operation = WitnessOperation { operation: OperationId(0), role: HOSTILE.into() };
    let edge =
        perjury_checkers::Edge { from: OperationId(0), to: OperationId(0), reason: HOSTILE.into() };
    let anomaly = Anomaly {
        kind: AnomalyKind::LostWrite,
        key: Some(i64::MAX),
        explanation: HOSTILE.into(),
        witness: Witness {
            operations: vec![operation],
            edges: vec![edge],
            possibilities: vec![HOSTILE.into()],
        },
    };
    let verdict = Verdict {
        models: BTreeMap::from([(Model::Linearizable, Judgement::Unknown(HOSTILE.into()))]),
        anomalies: vec![anomaly],
        measures: BTreeMap::from([(HOSTILE.to_owned(), 1)]),
    };
    analysis.verdicts.insert(HOSTILE.into(), verdict);
    let facts = RunFacts {
        test: HOSTILE.into(),
        file: HOSTILE.into(),
        object: HOSTILE.into(),
        store: HOSTILE.into(),
        workload: HOSTILE.into(),
        lab: HOSTILE.into(),
        started_utc: HOSTILE.into(),
        perjury_version: HOSTILE.into(),
        reproduce: vec![HOSTILE.into()],
        settings: HOSTILE.into(),
        expectations: vec![ExpectationResult {
            text: HOSTILE.into(),
            met: false,
            detail: HOSTILE.into(),
        }],
        notes: vec![HOSTILE.into()],
        logs: vec![LogFacts {
            node: HOSTILE.into(),
            name: HOSTILE.into(),
            href: format!("javascript:alert(1)//{HOSTILE}"),
            suspicions: 1,
            suspicious: vec![SuspiciousFacts {
                line: 1,
                time: HOSTILE.into(),
                what: HOSTILE.into(),
                text: HOSTILE.into(),
            }],
            ..LogFacts::default()
        }],
        merged_log: format!("//{HOSTILE}"),
        ..RunFacts::default()
    };
    (history, analysis, facts)
}

fn hostile_pages() -> [String; 2] {
    let (history, analysis, facts) = hostile_run();
    let report =
        RunReport { title: HOSTILE, history: &history, analysis: &analysis, facts: &facts };
    let run = run_page(&report).expect("the page is made");
    let row = CampaignRow {
        test: HOSTILE.into(),
        href: format!("javascript:alert(1)//{HOSTILE}"),
        sentence: HOSTILE.into(),
        judgement: HOSTILE.into(),
        models: BTreeMap::from([(Model::Durable, HOSTILE.to_owned())]),
        violations: vec![HOSTILE.into()],
        ..CampaignRow::default()
    };
    let facts = CampaignFacts {
        started_utc: HOSTILE.into(),
        perjury_version: HOSTILE.into(),
        reproduce: vec![HOSTILE.into()],
        settings: HOSTILE.into(),
        notes: vec![HOSTILE.into()],
        ..CampaignFacts::default()
    };
    [run, campaign_page(HOSTILE, &[row], &facts).expect("the page is made")]
}

#[test]
fn hostile_text_is_only_ever_text() {
    for page in hostile_pages() {
        for markup in
            ["<script>alert", "<img", "\u{2028}", "\u{202e}", "\u{0}", ">49<", "=\"javascript:"]
        {
            assert!(!page.contains(markup), "{markup:?} is in the page");
        }
        assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)"), "it is shown as text");
        assert!(page.contains("{{ 7*7 }}"), "templates in text are text");
    }
    let [run, _] = hostile_pages();
    let data = data(&run);
    assert_eq!(
        data["columns"]["errors"][0],
        HOSTILE
            .replace('\u{2028}', "\\u{2028}")
            .replace('\u{202e}', "\\u{202e}")
            .replace('\u{0}', "\\u{0}")
    );
    assert_eq!(data["columns"]["key"][0], i64::MAX.to_string(), "beyond JavaScript's numbers");
}

#[test]
fn the_nodes_logs_are_linked_and_their_crashes_told() {
    let history = synthetic::history(500, 1);
    let analysis = synthetic::analysis(&history);
    let mut facts = synthetic::facts();
    assert!(!page(&history, &analysis, &facts).contains("id=\"logs\""), "there are none");
    let log = |node: &str, suspicious: Vec<SuspiciousFacts>| LogFacts {
        node: node.to_owned(),
        name: "etcd.log".to_owned(),
        href: format!("logs/{node}/etcd.log"),
        lines: 1_234,
        suspicions: suspicious.len() as u64,
        suspicious,
    };
    let (time, what) = ("2.000 s".to_owned(), "panic".to_owned());
    let text = "panic: index out of range".to_owned();
    let found = SuspiciousFacts { line: 77, time, what, text };
    facts.logs = vec![log("n1", vec![]), log("n2", vec![found])];
    facts.merged_log = "logs/merged.log".to_owned();
    let page = page(&history, &analysis, &facts);
    for part in [
        "href=\"./logs/merged.log\"",
        "href=\"./logs/n1/etcd.log\"",
        "<b>panic</b> at 2.000 s, line 77: <code><bdi>panic: index out of range</bdi></code>",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn pages_load_nothing() {
    let history = synthetic::history(500, 1);
    let run = page(&history, &synthetic::analysis(&history), &synthetic::facts());
    let campaign = campaign_page("c", &[CampaignRow::default()], &CampaignFacts::default())
        .expect("the page is made");
    for page in [run, campaign] {
        // The vendored plotting library names its home in a comment.
        let page = page.replace("https://github.com/leeoniya/uPlot", "");
        let lower = page.to_lowercase();
        for load in [
            "http://",
            "https://",
            "@import",
            "url(h",
            "url(/",
            "url(\"",
            " src=",
            "fetch(",
            "xmlhttprequest",
            "import(",
        ] {
            assert!(!lower.contains(load), "{load} is in the page");
        }
        assert!(
            page.contains("default-src &#x27;none&#x27;") || page.contains("default-src 'none'")
        );
    }
}
