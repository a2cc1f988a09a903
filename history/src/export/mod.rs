//! Writes histories for others: Jepsen's maps, one per line, in EDN or JSON, or the lines of Plume.
//!
//! ```
//! use perjury_history::export::{self, Syntax};
//! use perjury_history::foreign::{self, Options};
//! use perjury_history::History;
//!
//! let history = History::parse_notation("p0: w(a,1)--")?;
//! let mut text = Vec::new();
//! export::write(&history, Syntax::Edn, &mut text)?;
//! assert!(text.starts_with(b"{:process 0, :type :invoke, :f :write, :value 1, :time "));
//!
//! let read = foreign::read_bytes(&text, "history.edn", &Options::default())?;
//! assert_eq!(read.history, history);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The words are those that Jepsen, Knossos and Elle use (`words.rs`). Where a history is about one
//! object, key 0, its values stand alone; else they are pairs `[key value]`, as Jepsen's
//! independent keys are, and lists and registers with transactions are written as `txn`. Faults are
//! lines of the nemesis. Beside the usual entries stand `:node`, `:version` and `:error` where they
//! are known, and on the first line `:object`, and `:keyed` if values are pairs and
//! `:real-time false` if the order between processes means nothing: so that
//! [`foreign`](crate::foreign) reads back what was written, whatever the history is about.
//!
//! What is read back is equal, but for what no operation uses: names that nobody mentions are gone,
//! and names are numbered in the order in which they appear.

mod line;
mod plume;
mod words;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

pub use plume::write as write_plume;

use line::Line;

use crate::foreign::Object;
use crate::{
    EventKind, FaultEvent, History, Key, MicroOp, NodeId, Operation, Outcome, Reading, Value,
};

/// How an exported history is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Syntax {
    /// A map of EDN per line.
    #[default]
    Edn,
    /// An object of JSON per line.
    Json,
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Syntax::Edn => "edn",
            Syntax::Json => "json",
        })
    }
}

impl FromStr for Syntax {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "edn" => Ok(Syntax::Edn),
            "json" => Ok(Syntax::Json),
            _ => Err(format!("expected `edn` or `json`, found `{text}`")),
        }
    }
}

/// Writes a history, one line per event.
///
/// # Errors
/// If `out` does not take it.
pub fn write(history: &History, syntax: Syntax, out: &mut impl Write) -> io::Result<()> {
    let object = words::object(history);
    let only_transactions = words::only_transactions(object);
    let alone = |operation: &Operation<'_>| operation.single().is_some_and(|it| it.key() != 0);
    let keyed = !only_transactions && history.iter().any(|operation| alone(&operation));
    let mut writer = Writer { history, object, keyed, line: Line::new(syntax) };
    let mut faults = history.faults().iter();
    for (index, entry) in history.record().into_iter().enumerate() {
        let line = match entry {
            Some((id, completes)) => writer.event(history.get(id), completes, index),
            None => match faults.next() {
                Some(fault) => writer.fault(fault, index),
                None => continue,
            },
        };
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

struct Writer<'a> {
    history: &'a History,
    object: Object,
    keyed: bool,
    line: Line,
}

impl Writer<'_> {
    fn event(&mut self, operation: Operation<'_>, completes: bool, index: usize) -> &str {
        let kind = match (completes, operation.outcome) {
            (false, _) => EventKind::Invoke,
            (true, Outcome::Ok) => EventKind::Ok,
            (true, Outcome::Fail) => EventKind::Fail,
            (true, Outcome::Info) => EventKind::Info,
        };
        let answered = kind == EventKind::Ok;
        let single = match words::only_transactions(self.object) {
            true => None,
            false => operation.single(),
        };
        let function = single.map_or("txn", |it| words::function(self.object, it));
        self.line.begin();
        self.line.key("process");
        self.line.number(operation.process.0);
        self.line.key("type");
        self.line.word(kind.name());
        self.line.key("f");
        self.line.word(function);
        match single {
            Some(micro_op) if self.keyed => {
                self.line.key("value");
                self.line.open();
                self.key(micro_op.key());
                self.argument(micro_op, answered, Line::between);
                self.line.close();
            }
            Some(micro_op) => self.argument(micro_op, answered, |line| line.key("value")),
            None => {
                self.line.key("value");
                self.transaction(operation.micro_ops, answered);
            }
        }
        let time_ns = match completes {
            false => operation.invoked_ns,
            true => operation.completed_ns.unwrap_or(operation.invoked_ns),
        };
        self.place(time_ns, index);
        let node = if completes { operation.served_by } else { operation.node };
        if let Some(node) = node {
            self.line.key("node");
            self.line.text(&node.to_string());
        }
        if let Some(version) = operation.version.filter(|_| completes) {
            self.line.key("version");
            self.line.open();
            self.line.number(version.epoch);
            self.line.between();
            self.line.number(version.position);
            self.line.close();
        }
        if let Some(error) = operation.error.filter(|_| completes) {
            self.line.key("error");
            self.line.text(error);
        }
        self.line.end()
    }

    /// When and where in the record; on the first line also what the whole history is about.
    fn place(&mut self, time_ns: u64, index: usize) {
        self.line.key("time");
        self.line.number(time_ns);
        self.line.key("index");
        self.line.number(index);
        if index == 0 {
            self.line.key("object");
            self.line.word(self.object.name());
            if self.keyed {
                self.line.key("keyed");
                self.line.number(true);
            }
            if !self.history.real_time() {
                self.line.key("real-time");
                self.line.number(false);
            }
        }
    }

    fn transaction(&mut self, steps: &[MicroOp], answered: bool) {
        self.line.open();
        for (index, step) in steps.iter().enumerate() {
            if index > 0 {
                self.line.between();
            }
            self.line.open();
            self.line.word(words::step(self.object, step));
            self.line.between();
            self.key(step.key());
            self.argument(step, answered, Line::between);
            self.line.close();
        }
        self.line.close();
    }

    /// What a micro-operation brings along or, if it is answered, the answer; `before` comes first.
    /// An answer that is unknown is left out.
    fn argument(&mut self, micro_op: &MicroOp, answered: bool, before: impl Fn(&mut Line)) {
        if answered && !is_told(micro_op) {
            return;
        }
        before(&mut self.line);
        match micro_op {
            MicroOp::Cas { old, new, .. } => {
                self.line.open();
                self.value(*old);
                self.line.between();
                self.value(*new);
                self.line.close();
            }
            MicroOp::Transfer { to, amount, .. } => {
                self.line.open();
                self.key(*to);
                self.line.between();
                self.line.number(amount);
                self.line.close();
            }
            MicroOp::Write { value, .. }
            | MicroOp::Add { value, .. }
            | MicroOp::Append { value, .. }
            | MicroOp::Enqueue { value, .. }
            | MicroOp::Push { value, .. } => self.value(*value),
            MicroOp::Increment { delta: number, .. } | MicroOp::Release { token: number, .. } => {
                self.line.number(number);
            }
            _ if !answered => self.line.nil(),
            MicroOp::Read { result: Some(Reading::Value(value)), .. }
            | MicroOp::Inspect { result: Some(Reading::Value(value)), .. }
            | MicroOp::Dequeue { result: Some(Reading::Value(value)), .. }
            | MicroOp::Pop { result: Some(Reading::Value(value)), .. }
            | MicroOp::Generate { result: Some(value), .. } => self.value(*value),
            MicroOp::ReadCounter { result: Some(number), .. }
            | MicroOp::InspectCounter { result: Some(number), .. }
            | MicroOp::Acquire { token: Some(number), .. } => self.line.number(number),
            MicroOp::ReadSet { result: Some(elements), .. }
            | MicroOp::InspectSet { result: Some(elements), .. }
            | MicroOp::ReadList { result: Some(elements), .. } => {
                self.line.open();
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        self.line.between();
                    }
                    self.value(*element);
                }
                self.line.close();
            }
            _ => self.line.nil(),
        }
    }

    fn key(&mut self, key: Key) {
        match self.history.names().text(key) {
            None => self.line.number(key),
            Some(name) => self.line.name(name),
        }
    }

    /// A number, or what it is called.
    fn value(&mut self, value: Value) {
        match self.history.names().text(value) {
            None => self.line.number(value),
            // Texts of key-value stores are texts, whatever they look like.
            Some(name) if self.object == Object::KeyValue => self.line.text(name),
            Some(name) => self.line.name(name),
        }
    }

    fn fault(&mut self, fault: &FaultEvent, index: usize) -> &str {
        let plain = |it: char| it.is_ascii_alphanumeric() || it == '-';
        let is_word = fault.name.starts_with(|it: char| it.is_ascii_alphabetic())
            && fault.name.chars().all(plain);
        self.line.begin();
        self.line.key("process");
        self.line.word("nemesis");
        self.line.key("type");
        self.line.word("info");
        self.line.key("f");
        self.line.word(if is_word { &fault.name } else { "fault" });
        self.line.key("value");
        self.line.text(&fault.detail);
        self.place(fault.time_ns, index);
        self.line.key("fault");
        self.line.number(fault.fault);
        self.line.key("stage");
        self.line.word(fault.stage.name());
        if !is_word {
            self.line.key("name");
            self.line.text(&fault.name);
        }
        self.line.key("nodes");
        self.nodes(&fault.nodes);
        self.line.end()
    }

    fn nodes(&mut self, nodes: &[NodeId]) {
        self.line.open();
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                self.line.between();
            }
            self.line.text(&node.to_string());
        }
        self.line.close();
    }
}

/// Whether the answer to a question is known, or none is to be expected.
fn is_told(micro_op: &MicroOp) -> bool {
    let asks_nothing = matches!(micro_op, MicroOp::Lock { .. } | MicroOp::Unlock { .. });
    asks_nothing || micro_op.argument().is_some() || micro_op.answer().is_some()
}
