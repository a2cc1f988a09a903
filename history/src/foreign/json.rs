//! Reads JSON, one value at a time, onto a [`Tape`] as if it were EDN: an object is a map whose keys
//! are texts, `null` is nil.
//!
//! Like the reader of EDN it keeps a stack of its own.

use super::error::{Problem, excerpt};
use super::tape::{DEPTH_MAX, Kind, Tape, string};

/// What the grammar allows next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A value, or the end of the container that has just begun.
    FirstOrEnd,
    Value,
    Colon,
    /// Another item, or the end.
    CommaOrEnd,
}

#[derive(Clone, Copy)]
struct Frame {
    node: u32,
    items: u32,
    closer: u8,
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The first byte from `at` that is no blank.
pub(super) fn skip_blank(source: &str, at: usize) -> usize {
    let rest = &source.as_bytes()[at..];
    at + rest.iter().position(|byte| !is_blank(*byte)).unwrap_or(rest.len())
}

/// Reads the value that begins at or after `at` onto the tape and returns where it ends. `None` if
/// there is none before the text's end or a closing bracket, to which `at` then points.
pub(super) fn form(tape: &mut Tape<'_>, at: &mut usize) -> Result<Option<()>, Problem> {
    let source = tape.source();
    let bytes = source.as_bytes();
    let mut frames = [Frame { node: 0, items: 0, closer: 0 }; DEPTH_MAX];
    let mut depth = 0;
    let mut next = Next::Value;
    loop {
        let start = skip_blank(source, *at);
        *at = start;
        let Some(&byte) = bytes.get(start) else {
            let Some(frame) = frames[..depth].last() else { return Ok(None) };
            let expected = char::from(frame.closer);
            let text = format!("expected `{expected}`, found the end of the file; was it cut?");
            return Err(Problem::new(start, text));
        };
        tape.check_length(start)?;
        let inner = frames[..depth].last_mut();
        let in_map = inner.as_ref().is_some_and(|frame| frame.closer == b'}');
        let ends = matches!(next, Next::FirstOrEnd | Next::CommaOrEnd);
        match (byte, inner) {
            (b'}' | b']', None) => return Ok(None),
            (_, Some(frame)) if ends && byte == frame.closer => {
                tape.close(frame.node as usize, frame.items);
                depth -= 1;
                *at = start + 1;
            }
            (b',', Some(_)) if next == Next::CommaOrEnd => {
                *at = start + 1;
                next = Next::Value;
                continue;
            }
            (b':', _) if next == Next::Colon => {
                *at = start + 1;
                next = Next::Value;
                continue;
            }
            (b'{' | b'[', inner) if matches!(next, Next::Value | Next::FirstOrEnd) => {
                if inner.is_some_and(|frame| frame.closer == b'}' && frame.items % 2 == 0) {
                    return Err(unexpected(source, start, "a key of an object, in quotes"));
                }
                let closer = if byte == b'{' { b'}' } else { b']' };
                let Some(frame) = frames.get_mut(depth) else {
                    let text = format!("expected at most {DEPTH_MAX} levels of nesting");
                    return Err(Problem::new(
                        start,
                        text + ", found more; histories need about six",
                    ));
                };
                *frame = Frame { node: tape.len() as u32, items: 0, closer };
                depth += 1;
                tape.open(if byte == b'{' { Kind::Map } else { Kind::Vector }, start);
                *at = start + 1;
                next = Next::FirstOrEnd;
                continue;
            }
            (_, inner) if matches!(next, Next::Value | Next::FirstOrEnd) => {
                let is_key = inner.is_some_and(|frame| in_map && frame.items % 2 == 0);
                if is_key && byte != b'"' {
                    return Err(unexpected(source, start, "a key of an object, in quotes"));
                }
                *at = atom(tape, start, byte)?;
            }
            _ => {
                let expected = match next {
                    Next::Colon => "`:` after the key",
                    _ => "`,` or the end of the array or object",
                };
                return Err(unexpected(source, start, expected));
            }
        }
        let Some(frame) = frames[..depth].last_mut() else { return Ok(Some(())) };
        frame.items += 1;
        next = match frame.closer == b'}' && frame.items % 2 == 1 {
            true => Next::Colon,
            false => Next::CommaOrEnd,
        };
    }
}

fn unexpected(source: &str, at: usize, expected: &str) -> Problem {
    Problem::new(at, format!("expected {expected}, found {}", excerpt(source, at)))
}

/// Reads a text, a number or a word.
fn atom(tape: &mut Tape<'_>, start: usize, byte: u8) -> Result<usize, Problem> {
    let source = tape.source();
    if byte == b'"' {
        return string(tape, start);
    }
    let rest = &source.as_bytes()[start..];
    let is_end = |byte: &u8| is_blank(*byte) || b",:[]{}\"".contains(byte);
    let end = start + rest.iter().position(is_end).unwrap_or(rest.len());
    let text = &source[start..end];
    let kind = match text {
        "null" => Kind::Nil,
        "true" | "false" => Kind::Bool,
        _ if is_number(text) => match text.parse() {
            Ok(value) => {
                tape.integer(start, value);
                return Ok(end);
            }
            Err(_) => Kind::Number,
        },
        _ => return Err(unexpected(source, start, "a JSON value")),
    };
    tape.span(kind, start, end);
    Ok(end)
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
}
