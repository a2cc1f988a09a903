//! Calls and returns of threads, one per line, as the LiMo tool records concurrent collections.
//!
//! ```text
//! # @object atomic-queue
//! [1] call enq(1)
//! [2] call deq
//! [1] return
//! [2] return 1
//! ```
//!
//! A thread is a process; one that calls again without having returned has left its call for good.
//! `call pop(1)` says already what the call returned; a return that says nothing, or `empty`, found
//! the collection empty.

use rustc_hash::FxHashMap;

use super::error::{Problem, excerpt};
use super::event::{Event, Who};
use super::tape::{Kind, Tape};
use crate::EventKind;

/// Part of the text, from one byte to another.
type Span = (usize, usize);

/// The calls that have not returned: what each thread called, and the argument.
#[derive(Debug, Default)]
pub(super) struct Calls<'a> {
    open: FxHashMap<i64, (&'a str, Option<Span>)>,
}

/// Whether a line is a call or a return.
pub(super) fn is_event(line: &str) -> bool {
    let after = line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    after.is_some_and(|(thread, rest)| {
        let rest = rest.trim_start();
        thread.parse::<i64>().is_ok() && (rest.starts_with("call") || rest.starts_with("return"))
    })
}

impl<'a> Calls<'a> {
    /// The next event. Its value is first on the tape.
    pub(super) fn next(
        &mut self,
        tape: &mut Tape<'a>,
        at: &mut usize,
    ) -> Result<Option<Event<'a>>, Problem> {
        let source = tape.source();
        while *at < source.len() {
            let start = *at;
            let end = memchr::memchr(b'\n', &source.as_bytes()[start..]);
            let line = &source[start..end.map_or(source.len(), |end| start + end)];
            *at = start + line.len() + 1;
            let told = line.trim();
            if told.is_empty() || told.starts_with('#') {
                continue;
            }
            if !is_event(line) {
                let found = excerpt(line, 0);
                let text =
                    format!("expected `[thread] call f(x)` or `[thread] return x`, found {found}");
                return Err(Problem::new(start, text));
            }
            return self.event(tape, start, line).map(Some);
        }
        Ok(None)
    }

    fn event(
        &mut self,
        tape: &mut Tape<'a>,
        start: usize,
        line: &'a str,
    ) -> Result<Event<'a>, Problem> {
        let (head, rest) = line.split_once(']').unwrap_or((line, ""));
        let thread = head.trim_start().trim_start_matches('[').parse().unwrap_or_default();
        let who = Who::Client(thread);
        let words = rest.trim_start();
        let words_byte = start + line.len() - words.len();
        tape.begin(start);
        tape.check_length(start + line.len())?;
        if let Some(call) = words.strip_prefix("call") {
            let call_byte = start + line.len() - call.trim_start().len();
            let call = call.trim();
            let name_len =
                call.find(|it: char| it == '(' || it.is_whitespace()).unwrap_or(call.len());
            let (name, argument) = call.split_at(name_len);
            let bracketed = argument.trim().strip_prefix('(').map(|it| it.strip_suffix(')'));
            if name.is_empty() || bracketed == Some(None) {
                let found = excerpt(call, 0);
                let text = format!("expected a call like `push(1)`, found {found}");
                return Err(Problem::new(call_byte, text));
            }
            let argument = bracketed.flatten().unwrap_or(argument).trim();
            let argument_byte = call_byte + call.rfind(argument).unwrap_or(0);
            let argument =
                (!argument.is_empty()).then_some((argument_byte, argument_byte + argument.len()));
            self.open.insert(thread, (name, argument));
            let mut event = Event::new(start, EventKind::Invoke, who);
            event.function = Some(name);
            event.value = argument.map(|span| value(tape, span));
            return Ok(event);
        }
        let answer = words.strip_prefix("return").unwrap_or("").trim();
        let answer_byte = words_byte + words.len() - words["return".len()..].trim_start().len();
        let (function, argument) = self.open.remove(&thread).unzip();
        let mut event = Event::new(start, EventKind::Ok, who);
        event.function = function;
        let span = match answer {
            "" => argument.flatten(),
            "empty" => None,
            _ => Some((answer_byte, answer_byte + answer.len())),
        };
        event.value = Some(match span {
            Some(span) => value(tape, span),
            None => {
                tape.span(Kind::Nil, answer_byte, answer_byte);
                0
            }
        });
        Ok(event)
    }
}

/// Puts a value on the tape: a number, or a word. It may stand in the line of the call.
fn value(tape: &mut Tape<'_>, (start, end): Span) -> u32 {
    tape.begin(start);
    match tape.source()[start..end].parse() {
        Ok(number) => tape.integer(start, number),
        Err(_) => tape.span(Kind::Symbol, start, end),
    }
    0
}
