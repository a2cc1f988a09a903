//! Reads JSON, one value at a time, onto a [`Tape`] as if it were EDN: an object is a map whose
//! keys are texts, `null` is nil.
//!
//! Like the reader of EDN it keeps a stack of its own.

use super::error::{Problem, excerpt};
use super::tape::{Frame, Kind, Tape, string};

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
    let mut next = Next::Value;
    loop {
        let start = skip_blank(source, *at);
        *at = start;
        let inner = match tape.frames.last() {
            Some(&Frame::Container { node, items, closer }) => Some((node, items, closer)),
            _ => None,
        };
        let Some(&byte) = bytes.get(start) else {
            let Some((.., closer)) = inner else { return Ok(None) };
            let closer = char::from(closer);
            let text = format!("expected `{closer}`, found the end of the file; was it cut?");
            return Err(Problem::new(start, text));
        };
        tape.check_length(start)?;
        match (next, inner) {
            (_, None) if matches!(byte, b'}' | b']') => return Ok(None),
            (Next::FirstOrEnd | Next::CommaOrEnd, Some((node, items, closer)))
                if byte == closer =>
            {
                tape.close(node as usize, items);
                tape.frames.pop();
                *at = start + 1;
            }
            (Next::Colon, _) | (Next::CommaOrEnd, _) => {
                let (expected, text) = match next {
                    Next::Colon => (b':', "`:` after the key"),
                    _ => (b',', "`,` or the end of the array or object"),
                };
                if byte != expected {
                    return Err(unexpected(source, start, text));
                }
                *at = start + 1;
                next = Next::Value;
                continue;
            }
            (_, Some((_, items, b'}'))) if items % 2 == 0 && byte != b'"' => {
                return Err(unexpected(source, start, "a key of an object, in quotes"));
            }
            _ if matches!(byte, b'{' | b'[') => {
                let (kind, closer) = match byte {
                    b'{' => (Kind::Map, b'}'),
                    _ => (Kind::Vector, b']'),
                };
                let node = tape.len() as u32;
                tape.push_frame(Frame::Container { node, items: 0, closer }, start)?;
                tape.open(kind, start);
                *at = start + 1;
                next = Next::FirstOrEnd;
                continue;
            }
            _ => *at = atom(tape, start, byte)?,
        }
        let Some(Frame::Container { items, closer, .. }) = tape.frames.last_mut() else {
            return Ok(Some(()));
        };
        *items += 1;
        next = match *closer == b'}' && *items % 2 == 1 {
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
