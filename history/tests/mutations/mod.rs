//! Damaged histories of others: seeds of every shape, changed a little or a lot, and what must hold
//! of whatever a reader makes of them.
//!
//! A damaged text is read, or refused with a place inside it; a reader never panics. What was read
//! can be exported in every syntax and reads back to the same history.

mod sessions;

use std::panic::{AssertUnwindSafe, catch_unwind};

use perjury_history::History;
use perjury_history::export::{self, Syntax};
use perjury_history::foreign::{self, ForeignError, Format, Object, Options};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// Operations of all kinds: function, what is asked, what is answered.
const EDN_STEPS: &[(&str, &str, &str)] = &[
    ("read", "nil", "1"),
    ("write", "1", "1"),
    ("cas", "[1 2]", "[1 2]"),
    ("read", "[:k nil]", "[:k \"v\"]"),
    ("write", "[:k \"v\"]", "[:k \"v\"]"),
    ("txn", "[[:r :x nil] [:w :y 2]]", "[[:r :x 1] [:w :y 2]]"),
    ("txn", "[[:append 1 2] [:r 1 nil]]", "[[:append 1 2] [:r 1 [2 3]]]"),
    ("read", "[[:r 1 nil] [:r 2 nil]]", "[[:r 1 4] [:r 2 nil]]"),
    ("add", "5", "5"),
    ("read", "nil", "#{5 6}"),
    ("read", "nil", "{0 10, 1 20}"),
    ("transfer", "{:from 0 :to :k :amount 5}", "{:from 0 :to :k :amount 5}"),
    ("increment", "nil", "nil"),
    ("decrement", "-4", "-4"),
    ("enqueue", "{:a 1 \"b\" #{2}}", "{:a 1 \"b\" #{2}}"),
    ("dequeue", "nil", "{\"b\" #{2} :a 1}"),
    ("push", "\"a\\\"b\\u0041\"", "\"a\\\"bA\""),
    ("pop", "nil", "nil"),
    ("acquire", "nil", "7"),
    ("release", "7", "7"),
    ("lock", "nil", "nil"),
    ("generate", "nil", "12345678901234567890N"),
    ("read-set", "nil", "[1 1 1.5]"),
    ("inspect-counter", "nil", "3"),
    ("append", "\"x 0 0 y\"", "\"x 0 0 y\""),
    ("get", "nil", "\"x 0 0 y\""),
];

/// Pieces that are put where they do not belong.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "#{",
    "#_",
    "#name ",
    "#tag ",
    "^",
    "\"",
    "\\",
    "\\u",
    ":",
    ";",
    ",",
    "\n",
    "\t",
    " ",
    "nil",
    "null",
    "true",
    "-9223372036854775808",
    "9223372036854775808",
    "0",
    "-1",
    "1e9",
    "1/2",
    "5N",
    "\\a",
    "\u{e9}",
    "\u{1F600}",
    "\0",
    "\u{feff}",
    "##Inf",
    "{\"#name\":\"7\"}",
    ":ok",
    ":fail",
    ":info",
    ":invoke",
    ":type",
    ":process",
    ":f",
    ":value",
    ":time",
    ":key",
    ":error",
    ":object :mixed",
    ":keyed true",
    ":nemesis",
    ":read",
    ":write",
    ":txn",
    ":cas",
    ":add",
    "\"type\":",
    "\"ok\"",
    "call ",
    "return ",
    "[1] ",
    "# ",
    "empty",
    "jepsen.util - 0\t:ok\t:read\t",
    "-----\n",
    "=====\n",
    "r 1 2\n",
    "w 1 0\n",
    "r(1,2,3,4)\n",
    "w(1,0,3,5)\n",
    "S\0\0\0\0\0\0\0\u{1}",
    "C\0\0\0\0\0\0\0\u{1}",
    "W\0\0\0\0\0\0\0\u{1}\0\0\0\0\0\0\0\u{2}\0\0\0\0\0\0\0\u{3}",
    "\u{1}\0\0\0\0\0\0\0",
    "\0\0\0\0\0\0\0\u{1}",
    "\0\0\0\0\0\0\0\0",
    "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((",
];

fn pick<'a, T: ?Sized>(random: &mut Pcg64, from: &[&'a T]) -> &'a T {
    from[random.random_range(0..from.len())]
}

/// A sound history, or nearly, of any format.
fn seed(random: &mut Pcg64, format: Format) -> Vec<u8> {
    match format {
        Format::Edn | Format::Json | Format::PorcupineLog | Format::LiMo => {
            events(random, format).into_bytes()
        }
        Format::Dbcop | Format::Cobra | Format::Plume | Format::Awdit => {
            sessions::seed(random, format)
        }
    }
}

/// A few operations by a few processes.
fn events(random: &mut Pcg64, format: Format) -> String {
    let mut text = String::new();
    let kinds = ["ok", "ok", "ok", "fail", "info"];
    let (style, count) = (random.random_range(0..4), random.random_range(1..8));
    if style == 1 && matches!(format, Format::Edn | Format::Json) {
        text.push('[');
    }
    let family = random.random_range(0..EDN_STEPS.len());
    for number in 0..count {
        let near = (family + random.random_range(0..3)) % EDN_STEPS.len();
        let (function, asked, told) = EDN_STEPS[near];
        let (process, kind) = (random.random_range(0..3), pick(random, &kinds));
        for (kind, value) in [("invoke", asked), (kind, told)] {
            let event = SeedEvent { process, kind, function, value, time: number * 10 };
            if style == 1 && number > 0 && format == Format::Json {
                text.push(',');
            }
            text += &event.line(format, style);
            text.push('\n');
        }
        if random.random_range(0..8) == 0 {
            text += match format {
                Format::Edn => "{:process :nemesis :type :info :f :start :value \"x\"}\n",
                Format::PorcupineLog => "INFO  jepsen.util - :nemesis\t:info\t:start\tx y\nother\n",
                Format::LiMo => "# @object atomic-queue\n",
                _ => "",
            };
        }
    }
    if text.starts_with('[') && matches!(format, Format::Edn | Format::Json) {
        text.push(']');
    }
    text
}

struct SeedEvent<'a> {
    process: u32,
    kind: &'a str,
    function: &'a str,
    value: &'a str,
    time: u32,
}

impl SeedEvent<'_> {
    fn line(&self, format: Format, style: u32) -> String {
        let SeedEvent { process, kind, function, value, time } = *self;
        match format {
            Format::Edn => {
                let tag = if style == 2 { "#jepsen.history.Op" } else { "" };
                let more = if style == 3 { ":key \"0\" :time " } else { ":time " };
                format!(
                    "{tag}{{:process {process}, :type :{kind}, :f :{function}, :value {value} \
                     {more} {time}}}"
                )
            }
            Format::Json => format!(
                "{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"{function}\",\
                 \"value\":{},\"time\":{time}}}",
                in_json(value)
            ),
            Format::PorcupineLog => {
                format!("INFO  jepsen.util - {process}\t:{kind}\t:{function}\t{value}")
            }
            Format::LiMo if kind == "invoke" => {
                format!("[{process}] call {function}({})", value.replace("nil", ""))
            }
            _ => format!("[{process}] return {}", value.replace("nil", "empty")),
        }
    }
}

/// Roughly the same value; what is no JSON is refused, which is a case too.
fn in_json(value: &str) -> String {
    let value = value.replace("#{", "[").replace("nil", "null").replace("] [", "],[");
    let mut json = String::new();
    for word in value.split(' ') {
        if !json.is_empty() && !json.ends_with(',') {
            json.push(',');
        }
        json += &match word.strip_prefix(':') {
            Some(word) => format!("\"{word}\""),
            None => word.replace("[:", "[\"").replace('}', "]"),
        };
    }
    json
}

/// A text of the format, damaged.
pub(crate) fn damaged(seed_number: u64, format: Format) -> Vec<u8> {
    let random = &mut Pcg64::seed_from_u64(seed_number);
    let mut bytes = seed(random, format);
    for _ in 0..random.random_range(0..6) {
        let at = random.random_range(0..=bytes.len());
        let end = at + random.random_range(0..=(bytes.len() - at).min(40));
        match random.random_range(0..9) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            3 => {
                let to = random.random_range(0..=bytes.len());
                let moved = bytes[at..end].to_vec();
                drop(bytes.splice(to..to, moved));
            }
            4 if at < bytes.len() => bytes[at] = random.random(),
            5 => {
                let other = seed(random, format);
                let to = random.random_range(0..=other.len());
                drop(bytes.splice(at..end, other[..to].iter().copied()));
            }
            6 => {
                // A line twice, or one less.
                let mut lines: Vec<_> = bytes.split_inclusive(|it| *it == b'\n').collect();
                let line = random.random_range(0..lines.len().max(1));
                if line < lines.len() {
                    match random.random::<bool>() {
                        true => lines.insert(line, lines[line]),
                        false => drop(lines.remove(line)),
                    }
                }
                bytes = lines.concat();
            }
            _ => {
                let piece = pick(random, PIECES).bytes();
                drop(bytes.splice(at..if random.random() { end } else { at }, piece));
            }
        }
    }
    bytes
}

/// Reads what is damaged and checks what must hold. Whether it was read, or what is wrong.
pub(crate) fn check(bytes: &[u8], format: Format) -> Result<bool, String> {
    let options = [
        Options::default(),
        Options { format: Some(format), ..Options::default() },
        Options { format: Some(format), keyed: Some(true), initial: Some(0), ..Options::default() },
        Options { format: Some(format), object: Some(Object::Mixed), ..Options::default() },
        Options { format: Some(format), object: Some(Object::ListAppend), ..Options::default() },
    ];
    let mut read = false;
    for options in &options {
        let result = catch_unwind(AssertUnwindSafe(|| foreign::read_bytes(bytes, "fuzz", options)));
        match result {
            Err(_) => return Err(format!("panicked with {options:?}")),
            Ok(Ok(foreign)) => {
                read = true;
                read_back(&foreign.history)?;
            }
            Ok(Err(ForeignError::Malformed { line, byte, .. })) => {
                let lines = 1 + bytes.iter().filter(|it| **it == b'\n').count();
                if byte > bytes.len() || line > lines {
                    return Err(format!("place line {line}, byte {byte} is not in the text"));
                }
            }
            Ok(Err(ForeignError::MalformedBinary { byte, .. })) if byte <= bytes.len() => {}
            Ok(Err(other)) => return Err(other.to_string()),
        }
    }
    Ok(read)
}

fn read_back(history: &History) -> Result<(), String> {
    for syntax in [Syntax::Edn, Syntax::Json] {
        let mut text = Vec::new();
        export::write(history, syntax, &mut text).map_err(|error| error.to_string())?;
        let shown = String::from_utf8_lossy(&text);
        match foreign::read_bytes(&text, "exported", &Options::default()) {
            Ok(foreign) if foreign.history == *history => {}
            Ok(_) => return Err(format!("reads back to another history:\n{shown}")),
            Err(error) => return Err(format!("does not read back: {error}\n{shown}")),
        }
    }
    Ok(())
}
