//! Jepsen's log, as Porcupine reads it: lines whose fields are separated by tabs.
//!
//! ```text
//! INFO  jepsen.util - 4\t:invoke\t:cas\t[1 2]
//! INFO  jepsen.util - 4\t:info\t:cas\t:timed-out
//! ```
//!
//! Other lines of a log tell no operation and are passed over.

use super::edn;
use super::error::{Problem, excerpt};
use super::event::{Event, Who, named_kind};
use super::tape::{Kind, Tape};
use crate::EventKind;

/// Whether a line is an event.
pub(super) fn is_event(line: &str) -> bool {
    let kind = line.split('\t').nth(1).map(str::trim);
    kind.and_then(|it| it.strip_prefix(':')).and_then(named_kind).is_some()
}

/// The next event. Its value is first on the tape.
pub(super) fn next<'a>(
    tape: &mut Tape<'a>,
    at: &mut usize,
    skipped: &mut usize,
) -> Result<Option<Event<'a>>, Problem> {
    let source = tape.source();
    while *at < source.len() {
        let start = *at;
        let end = memchr::memchr(b'\n', &source.as_bytes()[start..]).map(|it| start + it);
        let line = &source[start..end.unwrap_or(source.len())];
        *at = end.map_or(source.len(), |end| end + 1);
        if is_event(line) {
            return event(tape, start, line).map(Some);
        }
        if line.trim().is_empty() {
            continue;
        }
        if end.is_none() || line.contains("jepsen.util") && line.contains('\t') {
            let text = "expected `process`, `:type`, `:f` and value, separated by tabs, found \
                        another line; was the file cut?";
            return Err(Problem::new(start, text));
        }
        *skipped += 1;
    }
    Ok(None)
}

fn event<'a>(tape: &mut Tape<'a>, start: usize, line: &'a str) -> Result<Event<'a>, Problem> {
    let problem = |byte: usize, expected: &str| {
        let found = excerpt(line, byte);
        Err(Problem::new(start + byte, format!("expected {expected}, found {found}")))
    };
    let mut fields = line.splitn(4, '\t');
    let mut field = || fields.next().unwrap_or("");
    let (prefix, kind, function, value) = (field(), field(), field(), field());
    let process = prefix.rsplit(' ').next().unwrap_or("");
    let process_byte = prefix.len() - process.len();
    let who = match (process.parse(), process.strip_prefix(':')) {
        (Ok(number), _) => Who::Client(number),
        (Err(_), Some(word)) => Who::Other(word),
        (Err(_), None) => return problem(process_byte, "a process before the first tab"),
    };
    let Some(kind) = kind.trim().strip_prefix(':').and_then(named_kind) else {
        return problem(prefix.len() + 1, "`:invoke`, `:ok`, `:fail` or `:info`");
    };
    let Some(word) = function.trim().strip_prefix(':').filter(|word| !word.is_empty()) else {
        return problem(line.len() - value.len(), "a function like `:read`");
    };
    let mut event = Event::new(start, kind, who);
    event.function = Some(word);
    tape.begin(start);
    tape.check_length(start + line.len())?;
    // What a fault or a failure says is for people, not always EDN.
    let told = value.split('\t').next().unwrap_or("").trim_end();
    let value_byte = start + line.len() - value.len();
    let tells = matches!(kind, EventKind::Invoke | EventKind::Ok);
    if told.is_empty() {
        return Ok(event);
    }
    if tells && matches!(who, Who::Client(_)) {
        let mut after = value_byte;
        let form = edn::form(tape, &mut after)?;
        if form.is_none() || after > value_byte + told.len() {
            return problem(line.len() - value.len(), "a value");
        }
        event.value = Some(0);
    } else {
        tape.span(Kind::Symbol, value_byte, value_byte + told.len());
        event.value = Some(0);
        event.error = matches!(who, Who::Client(_)).then_some(0);
    }
    Ok(event)
}
