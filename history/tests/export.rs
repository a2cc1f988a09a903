//! Whatever is exported reads back to the same history.

use perjury_history::export::{self, Syntax};
use perjury_history::foreign::{self, Options};
use perjury_history::{
    Elements, Entry, EventKind, EventRef, FaultEvent, FaultStage, History, HistoryBuilder, MicroOp,
    Names, NodeId, OperationId, Process, Reading, Value, Version,
};
use proptest::prelude::*;

fn exported(history: &History, syntax: Syntax) -> String {
    let mut text = Vec::new();
    export::write(history, syntax, &mut text).expect("a buffer");
    String::from_utf8(text).expect("UTF-8")
}

fn read(text: &str) -> History {
    foreign::read_bytes(text.as_bytes(), "exported", &Options::default())
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
        .history
}

#[test]
fn one_object_is_written_as_jepsen_does() {
    let drawing = "p0: w(a,1)----- cas(a,1,2)--!\np1:    r(a)=1----- r(a)=nil--?";
    let history = History::parse_notation(drawing).expect("a drawing");
    let lines = [
        "{:process 0, :type :invoke, :f :write, :value 1, :time 4000000, :index 0, :object :cas-register}",
        "{:process 1, :type :invoke, :f :read, :value nil, :time 7000000, :index 1}",
        "{:process 0, :type :ok, :f :write, :value 1, :time 14000000, :index 2}",
        "{:process 0, :type :invoke, :f :cas, :value [1 2], :time 16000000, :index 3}",
        "{:process 1, :type :ok, :f :read, :value 1, :time 17000000, :index 4}",
        "{:process 1, :type :invoke, :f :read, :value nil, :time 19000000, :index 5}",
        "{:process 0, :type :fail, :f :cas, :value [1 2], :time 28000000, :index 6}",
        "{:process 1, :type :info, :f :read, :value nil, :time 29000000, :index 7}",
    ];
    assert_eq!(exported(&history, Syntax::Edn).lines().collect::<Vec<_>>(), lines);
    assert_eq!(read(&lines.join("\n")), history);
}

#[test]
fn several_objects_are_written_as_pairs_and_transactions() {
    let history = History::parse_notation("p0: w(b,1)-- r(b)=1;w(c,2)@n2#3.4").expect("a drawing");
    let lines = [
        r#"{"process":0,"type":"invoke","f":"txn","value":[["w",1,1]],"time":4000000,"index":0,"object":"multi-register"}"#,
        r#"{"process":0,"type":"ok","f":"txn","value":[["w",1,1]],"time":11000000,"index":1}"#,
        r#"{"process":0,"type":"invoke","f":"txn","value":[["r",1,null],["w",2,2]],"time":13000000,"index":2}"#,
        r#"{"process":0,"type":"ok","f":"txn","value":[["r",1,1],["w",2,2]],"time":32000000,"index":3,"node":"n2","version":[3,4]}"#,
    ];
    assert_eq!(exported(&history, Syntax::Json).lines().collect::<Vec<_>>(), lines);
    let history = History::parse_notation("p0: add(b,1)-- rs(b)={1}--").expect("a drawing");
    let text = exported(&history, Syntax::Edn);
    assert!(text.contains(":f :read, :value [1 [1]]") && text.contains(":keyed true"), "{text}");
    assert_eq!(read(&text), history);
}

/// What keys and values may be called; a template holds their place in this list.
const TEXTS: [&str; 30] = [
    "x",
    "",
    ":k",
    ":a/b",
    "a b",
    "\"7\"",
    "7",
    "-7",
    "+",
    "nil",
    "true",
    "[1 2]",
    "[oops",
    "{:a 1}",
    "{:b 1, :a 1}",
    "#{1}",
    "#name",
    "#name \"x\"",
    "1.5",
    "+1.5",
    "5N",
    "1e3",
    "\\c",
    "\\c ;",
    "quo\"te \\ \n\t\u{1}",
    "ünïcödé",
    "\u{1F600}",
    "{\"#name\" \"x\"}",
    ";",
    "12345678901234567890",
];

/// Where numbers stand for texts in templates.
const FIRST_TEXT: Value = 1_000;

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => -3..3_i64,
        2 => FIRST_TEXT..FIRST_TEXT + TEXTS.len() as Value,
        1 => any::<i64>().prop_filter("numbers of names", |it| Names::is_plain(*it)),
    ]
}

fn any_key() -> impl Strategy<Value = Value> {
    prop_oneof![Just(0), any_value()]
}

/// A function with its answer; `function` chooses among all.
fn any_micro_op(function: usize) -> BoxedStrategy<MicroOp> {
    let key = any_key;
    let result = || {
        let reading = prop_oneof![Just(Reading::Nil), any_value().prop_map(Reading::Value)];
        prop::option::weighted(0.8, reading)
    };
    let set = || {
        prop::option::weighted(
            0.8,
            prop::collection::vec(any_value(), 0..4).prop_map(Elements::from),
        )
    };
    let number = || prop::option::weighted(0.8, any::<i64>());
    match function {
        0 => (key(), result()).prop_map(|(key, result)| MicroOp::Read { key, result }).boxed(),
        1 => (key(), any_value()).prop_map(|(key, value)| MicroOp::Write { key, value }).boxed(),
        2 => (key(), any_value(), any_value())
            .prop_map(|(key, old, new)| MicroOp::Cas { key, old, new })
            .boxed(),
        3 => (key(), any_value()).prop_map(|(key, value)| MicroOp::Append { key, value }).boxed(),
        4 => (key(), set()).prop_map(|(key, result)| MicroOp::ReadList { key, result }).boxed(),
        5 => (key(), any_value()).prop_map(|(key, value)| MicroOp::Add { key, value }).boxed(),
        6 => (key(), set()).prop_map(|(key, result)| MicroOp::ReadSet { key, result }).boxed(),
        7 => (key(), set()).prop_map(|(key, result)| MicroOp::InspectSet { key, result }).boxed(),
        8 => {
            (key(), any::<i64>()).prop_map(|(key, delta)| MicroOp::Increment { key, delta }).boxed()
        }
        9 => {
            (key(), number()).prop_map(|(key, result)| MicroOp::ReadCounter { key, result }).boxed()
        }
        10 => (key(), number())
            .prop_map(|(key, result)| MicroOp::InspectCounter { key, result })
            .boxed(),
        11 => (key(), any_value()).prop_map(|(key, value)| MicroOp::Enqueue { key, value }).boxed(),
        12 => (key(), result()).prop_map(|(key, result)| MicroOp::Dequeue { key, result }).boxed(),
        13 => (key(), any_value()).prop_map(|(key, value)| MicroOp::Push { key, value }).boxed(),
        14 => (key(), result()).prop_map(|(key, result)| MicroOp::Pop { key, result }).boxed(),
        15 => key().prop_map(|key| MicroOp::Lock { key }).boxed(),
        16 => key().prop_map(|key| MicroOp::Unlock { key }).boxed(),
        17 => (key(), number()).prop_map(|(key, token)| MicroOp::Acquire { key, token }).boxed(),
        18 => {
            (key(), any::<i64>()).prop_map(|(key, token)| MicroOp::Release { key, token }).boxed()
        }
        19 => (key(), prop::option::weighted(0.8, any_value()))
            .prop_map(|(key, result)| MicroOp::Generate { key, result })
            .boxed(),
        20 => (key(), key(), any::<i64>())
            .prop_map(|(from, to, amount)| MicroOp::Transfer { from, to, amount })
            .boxed(),
        _ => (key(), result()).prop_map(|(key, result)| MicroOp::Inspect { key, result }).boxed(),
    }
}

const FUNCTIONS: usize = 22;

/// Functions of one family, so that its words are written, or all of them.
fn any_functions() -> impl Strategy<Value = Vec<usize>> {
    let families: [&[usize]; 10] = [
        &[0, 1],
        &[0, 1, 2],
        &[3, 4],
        &[0, 1, 3],
        &[5, 6, 7],
        &[8, 9, 10],
        &[11, 12],
        &[13, 14],
        &[15, 16],
        &[17, 18],
    ];
    prop_oneof![
        4 => prop::sample::select(families.map(<[usize]>::to_vec).to_vec()),
        1 => Just(vec![19]),
        2 => Just((0..FUNCTIONS).collect()),
    ]
}

/// One step of a process, or a fault.
#[derive(Clone, Debug)]
struct Step {
    process: u32,
    later_ns: u64,
    micro_ops: Vec<MicroOp>,
    completion: EventKind,
    node: Option<NodeId>,
    version: Option<Version>,
    error: Option<String>,
    fault: Option<FaultEvent>,
}

fn any_step(
    functions: Vec<usize>,
    keyed: bool,
    transactions: usize,
) -> impl Strategy<Value = Step> {
    let micro_op = prop::sample::select(functions).prop_flat_map(any_micro_op);
    let micro_op = micro_op.prop_map(move |it| if keyed { it } else { with_key_zero(it) });
    let kinds = vec![EventKind::Ok, EventKind::Ok, EventKind::Fail, EventKind::Info];
    let version =
        (any::<u64>(), any::<u64>()).prop_map(|(epoch, position)| Version { epoch, position });
    (
        0..4_u32,
        prop_oneof![0..3_u64, Just(1 << 40)],
        prop::collection::vec(micro_op, 1..=transactions),
        prop::sample::select(kinds),
        prop::option::of(any::<u32>().prop_map(NodeId)),
        prop::option::of(version),
        prop::option::of(prop_oneof![Just("timeout".to_owned()), ".*"]),
        prop::option::weighted(0.1, any_fault()),
    )
        .prop_map(|(process, later_ns, micro_ops, completion, node, version, error, fault)| {
            Step { process, later_ns, micro_ops, completion, node, version, error, fault }
        })
}

fn any_fault() -> impl Strategy<Value = FaultEvent> {
    let stages =
        vec![FaultStage::Applied, FaultStage::Observed, FaultStage::Failed, FaultStage::Undone];
    let name = prop_oneof![Just("partition".to_owned()), Just("clock-bump".to_owned()), ".*"];
    let nodes = prop::collection::vec(any::<u32>().prop_map(NodeId), 0..3);
    (any::<u32>(), prop::sample::select(stages), name, nodes, ".*").prop_map(
        |(fault, stage, name, nodes, detail)| FaultEvent {
            time_ns: 0,
            fault,
            stage,
            name,
            nodes,
            detail,
        },
    )
}

fn with_key_zero(mut micro_op: MicroOp) -> MicroOp {
    each_value(&mut micro_op, |part, value| {
        if part == Part::Key {
            *value = 0;
        }
    });
    micro_op
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Key,
    Value,
}

/// Visits all that may have a name, in the order in which it is written.
fn each_value(micro_op: &mut MicroOp, mut visit: impl FnMut(Part, &mut Value)) {
    use Part::{Key, Value};
    match micro_op {
        MicroOp::Read { key, result }
        | MicroOp::Inspect { key, result }
        | MicroOp::Dequeue { key, result }
        | MicroOp::Pop { key, result } => {
            visit(Key, key);
            if let Some(Reading::Value(value)) = result {
                visit(Value, value);
            }
        }
        MicroOp::Write { key, value }
        | MicroOp::Add { key, value }
        | MicroOp::Append { key, value }
        | MicroOp::Enqueue { key, value }
        | MicroOp::Push { key, value } => {
            visit(Key, key);
            visit(Value, value);
        }
        MicroOp::Cas { key, old, new } => {
            visit(Key, key);
            visit(Value, old);
            visit(Value, new);
        }
        MicroOp::ReadSet { key, result }
        | MicroOp::InspectSet { key, result }
        | MicroOp::ReadList { key, result } => {
            visit(Key, key);
            if let Some(elements) = result {
                let mut named = elements.to_vec();
                named.iter_mut().for_each(|value| visit(Value, value));
                *elements = named.into();
            }
        }
        MicroOp::Generate { key, result } => {
            visit(Key, key);
            if let Some(value) = result {
                visit(Value, value);
            }
        }
        MicroOp::Transfer { from, to, .. } => {
            visit(Key, from);
            visit(Key, to);
        }
        MicroOp::Increment { key, .. }
        | MicroOp::ReadCounter { key, .. }
        | MicroOp::InspectCounter { key, .. }
        | MicroOp::Acquire { key, .. }
        | MicroOp::Release { key, .. }
        | MicroOp::Lock { key }
        | MicroOp::Unlock { key } => visit(Key, key),
    }
}

/// Each step is an invocation of its process, or the completion of what it has open. Some
/// operations never end.
fn history(steps: Vec<Step>) -> History {
    let mut builder = HistoryBuilder::new();
    let mut open: [Option<Vec<MicroOp>>; 4] = Default::default();
    let mut time_ns = 0;
    for step in steps {
        time_ns += step.later_ns;
        if let Some(fault) = step.fault {
            builder.push(Entry::Fault(FaultEvent { time_ns, ..fault })).expect("a fault");
            continue;
        }
        let slot = &mut open[step.process as usize];
        let (kind, templates) = match slot.take() {
            None => {
                *slot = Some(step.micro_ops.clone());
                let asked = step.micro_ops.iter().map(MicroOp::without_result);
                (EventKind::Invoke, asked.collect())
            }
            Some(asked) => (step.completion, asked),
        };
        let mut micro_ops: Vec<MicroOp> = match kind {
            EventKind::Invoke | EventKind::Ok => templates,
            _ => Vec::new(),
        };
        for micro_op in &mut micro_ops {
            each_value(micro_op, |_, value| {
                let text = usize::try_from(*value - FIRST_TEXT).ok().and_then(|it| TEXTS.get(it));
                if let Some(text) = text {
                    *value = builder.names().number(text);
                }
            });
        }
        let event = EventRef {
            time_ns,
            process: Process(step.process),
            kind,
            micro_ops: &micro_ops,
            node: step.node,
            version: step.version.filter(|_| kind != EventKind::Invoke),
            error: step.error.as_deref().filter(|_| kind != EventKind::Invoke),
        };
        builder.push_event(&event).expect("well formed");
    }
    builder.finish()
}

fn any_history() -> impl Strategy<Value = History> {
    (any_functions(), any::<bool>(), 1..4_usize)
        .prop_flat_map(|(functions, keyed, transactions)| {
            prop::collection::vec(any_step(functions, keyed, transactions), 1..30)
        })
        .prop_map(history)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_is_written_is_read_back(history in any_history()) {
        for syntax in [Syntax::Edn, Syntax::Json] {
            let text = exported(&history, syntax);
            prop_assert_eq!(&read(&text), &history, "{}", text);
        }
    }
}

fn plume(history: &History) -> Result<(String, usize), String> {
    let mut text = Vec::new();
    let left_out = export::write_plume(history, &mut text).map_err(|error| error.to_string())?;
    Ok((String::from_utf8(text).expect("UTF-8"), left_out))
}

/// Transactions, each of its own process: outcome and steps.
fn transactions(all: &[(EventKind, &[MicroOp])]) -> History {
    let mut builder = HistoryBuilder::new();
    for (process, &(kind, micro_ops)) in (0..).map(Process).zip(all) {
        for kind in [EventKind::Invoke, kind] {
            let (time_ns, node, version, error) = (0, None, None, None);
            let event = EventRef { time_ns, process, kind, micro_ops, node, version, error };
            builder.push_event(&event).expect("well formed");
        }
    }
    builder.finish()
}

#[test]
fn plume_has_what_happened() {
    let write = |key, value| MicroOp::Write { key, value };
    let found = |key, value| MicroOp::Read { key, result: Some(Reading::from(value)) };
    let history = transactions(&[
        (EventKind::Ok, &[write(1, 10), found(2, None)]),
        (EventKind::Fail, &[write(1, 11)]),
        (EventKind::Info, &[write(1, 12), found(1, Some(10))]),
        (EventKind::Info, &[write(1, 13)]),
        (EventKind::Ok, &[found(1, Some(12))]),
    ]);
    let (text, left_out) = plume(&history).expect("registers");
    assert_eq!(text, "w(1,10,0,0)\nr(2,0,0,0)\nw(1,12,2,2)\nr(1,12,4,4)\n");
    assert_eq!(left_out, 2);
    let steps = |history: &History| history.get(OperationId(0)).micro_ops.to_vec();
    assert_eq!(steps(&read(&text)), steps(&history));
}

#[test]
fn plume_refuses_what_it_cannot_tell() {
    let refused = |micro_op: MicroOp, found: &str| {
        let error = plume(&transactions(&[(EventKind::Ok, &[micro_op])])).expect_err(found);
        assert!(error.contains(found), "{error}");
    };
    refused(MicroOp::Append { key: 1, value: 2 }, "found `append`");
    refused(MicroOp::Write { key: 1, value: 0 }, "found a value of 0");
    refused(MicroOp::Read { key: 1, result: Some(Reading::Value(0)) }, "found a value of 0");
    let named = "{:process 0 :type :invoke :f :txn :value [[:w :x 1]]}";
    assert!(plume(&read(named)).expect_err("a name").contains("found `:x`"));
}
