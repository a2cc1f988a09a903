//! Reads EDN, one form at a time, onto a [`Tape`].
//!
//! All of EDN is understood (<https://github.com/edn-format/edn>), with what Clojure prints beside
//! it: metadata, namespaced maps, regular expressions, `##Inf`. Tags are dropped: what they tell is
//! how a program should hold the form, not what the form is.
//!
//! It keeps a stack of its own, so deep nesting costs an error and not the program's stack.

use super::error::{Problem, excerpt};
use super::tape::{Frame, Kind, Tape, string};
use super::texts::NAME;

const BLANK: u8 = 1;
/// Ends a number, a word or a character.
const END: u8 = 2;

/// What each byte is.
static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut blanks: &[u8] = b" \t\r\n,\x0b\x0c\x1c\x1d\x1e\x1f";
    while let [blank, rest @ ..] = blanks {
        class[*blank as usize] = BLANK | END;
        blanks = rest;
    }
    let mut ends: &[u8] = b"()[]{}\";\\";
    while let [end, rest @ ..] = ends {
        class[*end as usize] = END;
        ends = rest;
    }
    class
};

pub(super) fn is_blank(byte: u8) -> bool {
    CLASS[byte as usize] & BLANK != 0
}

fn is_end(byte: u8) -> bool {
    CLASS[byte as usize] & END != 0
}

/// The first byte from `at` that is neither blank nor in a comment.
pub(super) fn skip_blank(source: &str, mut at: usize) -> usize {
    let bytes = source.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        if byte == b';' {
            at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
        } else if !is_blank(byte) {
            break;
        }
        at += 1;
    }
    at.min(bytes.len())
}

/// The first byte of the vector or list at `at`, past its tag if it has one.
pub(super) fn skip_tag(source: &str, at: usize) -> usize {
    if !source[at..].starts_with('#') {
        return at;
    }
    let bracket = skip_blank(source, word_end(source, at + 1));
    match source.as_bytes().get(bracket) {
        Some(b'[' | b'(') if !source[at..].starts_with("#_") => bracket,
        _ => at,
    }
}

/// Reads the form that begins at or after `at` onto the tape, behind what is there, and returns
/// where it ends. `None` if there is none before the text's end or a closing bracket, to which `at`
/// then points.
pub(super) fn form(tape: &mut Tape<'_>, at: &mut usize) -> Result<Option<()>, Problem> {
    let source = tape.source();
    let bytes = source.as_bytes();
    loop {
        let start = skip_blank(source, *at);
        *at = start;
        let Some(&byte) = bytes.get(start) else {
            return match tape.frames.last() {
                None => Ok(None),
                Some(frame) => Err(cut(source, *frame)),
            };
        };
        tape.check_length(start)?;
        let opened = match byte {
            b'{' => Some((Kind::Map, b'}', 1)),
            b'[' => Some((Kind::Vector, b']', 1)),
            b'(' => Some((Kind::Vector, b')', 1)),
            b'#' if bytes.get(start + 1) == Some(&b'{') => Some((Kind::Set, b'}', 2)),
            _ => None,
        };
        if let Some((kind, closer, length)) = opened {
            let frame = Frame::Container { node: tape.len() as u32, items: 0, closer };
            tape.push_frame(frame, start)?;
            tape.open(kind, start);
            *at = start + length;
            continue;
        }
        match byte {
            b'}' | b']' | b')' => {
                let Some(frame) = tape.frames.pop() else { return Ok(None) };
                close(tape, frame, start, byte)?;
                *at = start + 1;
            }
            b'^' | b'#' => match dispatch(source, start)? {
                Dispatch::Frame(end, drops) => {
                    let frame = match drops {
                        true => Frame::Dropped { nodes: tape.len() as u32 },
                        false => Frame::Tag,
                    };
                    tape.push_frame(frame, start)?;
                    *at = end;
                    continue;
                }
                Dispatch::Text(quote) => *at = string(tape, quote)?,
                Dispatch::Name(quote) => {
                    *at = string(tape, quote)?;
                    tape.make_name();
                }
                Dispatch::Symbolic(end) => {
                    tape.span(Kind::Number, start, end);
                    *at = end;
                }
            },
            _ => *at = atom(tape, start, byte)?,
        }
        // A form is whole; so may be those around it that wanted just one.
        loop {
            match tape.frames.last_mut() {
                None => return Ok(Some(())),
                Some(Frame::Tag) => drop(tape.frames.pop()),
                Some(Frame::Container { items, .. }) => {
                    *items += 1;
                    break;
                }
                Some(Frame::Dropped { nodes }) => {
                    let nodes = *nodes as usize;
                    tape.truncate(nodes);
                    tape.frames.pop();
                    break;
                }
            }
        }
    }
}

fn close(tape: &mut Tape<'_>, frame: Frame, at: usize, byte: u8) -> Result<(), Problem> {
    let found = char::from(byte);
    let Frame::Container { node, items, closer } = frame else {
        return Err(Problem::new(at, format!("expected a form after the tag, found `{found}`")));
    };
    if closer != byte {
        let expected = char::from(closer);
        return Err(Problem::new(at, format!("expected `{expected}`, found `{found}`")));
    }
    tape.close(node as usize, items);
    let form = tape.form(node);
    if form.kind() == Kind::Map && items % 2 == 1 {
        let text = "expected a value for every key of the map, found a key without one";
        return Err(Problem::new(form.byte(), text));
    }
    Ok(())
}

fn cut(source: &str, frame: Frame) -> Problem {
    let expected = match frame {
        Frame::Container { closer, .. } => format!("`{}`", char::from(closer)),
        Frame::Dropped { .. } | Frame::Tag => "a form after the tag".into(),
    };
    let text = format!("expected {expected}, found the end of the file; was it cut?");
    Problem::new(source.len(), text)
}

enum Dispatch {
    /// A tag, or what drops the next form (`true`), ends there.
    Frame(usize, bool),
    /// A regular expression's quote.
    Text(usize),
    /// A name's quote.
    Name(usize),
    /// `##Inf` and the like end there.
    Symbolic(usize),
}

/// What `#` or `^` at `start` begins.
fn dispatch(source: &str, start: usize) -> Result<Dispatch, Problem> {
    let bytes = source.as_bytes();
    if bytes[start] == b'^' {
        return Ok(Dispatch::Frame(start + 1, true));
    }
    let end = word_end(source, start + 1);
    match bytes.get(start + 1) {
        Some(b'_') => Ok(Dispatch::Frame(start + 2, true)),
        Some(b'^') => Ok(Dispatch::Frame(start + 2, true)),
        Some(b'"') => Ok(Dispatch::Text(start + 1)),
        Some(b'#') if end > start + 2 => Ok(Dispatch::Symbolic(end)),
        Some(_) if &source[start..end] == NAME => {
            let quote = skip_blank(source, end);
            match bytes.get(quote) {
                Some(b'"') => Ok(Dispatch::Name(quote)),
                _ => Ok(Dispatch::Frame(end, false)),
            }
        }
        Some(byte) if *byte != b'#' && end > start + 1 => Ok(Dispatch::Frame(end, false)),
        _ => {
            let found = excerpt(source, start);
            Err(Problem::new(start, format!("expected a tag after `#`, found {found}")))
        }
    }
}

/// Where the word that begins at `at` ends.
fn word_end(source: &str, at: usize) -> usize {
    let rest = &source.as_bytes()[at..];
    at + rest.iter().position(|byte| is_end(*byte)).unwrap_or(rest.len())
}

/// Reads what is no container.
fn atom(tape: &mut Tape<'_>, start: usize, byte: u8) -> Result<usize, Problem> {
    let source = tape.source();
    let bytes = source.as_bytes();
    match byte {
        b'"' => return string(tape, start),
        b'0'..=b'9' => return number(tape, start),
        b'-' | b'+' if bytes.get(start + 1).is_some_and(u8::is_ascii_digit) => {
            return number(tape, start);
        }
        b'\\' => {
            let first = source[start + 1..].chars().next().map_or(0, char::len_utf8);
            let end = word_end(source, start + 1 + first);
            if first == 0 {
                return Err(Problem::new(start, "expected a character after `\\`, found none"));
            }
            tape.span(Kind::Character, start, end);
            return Ok(end);
        }
        _ => {}
    }
    let end = word_end(source, start);
    let is_word = byte > b' ' && byte != 0x7F && !matches!(byte, b'`' | b'~' | b'@');
    if byte == b':' && start + 1 == source.len() {
        let text = "expected a keyword after `:`, found the end of the file; was it cut?";
        return Err(Problem::new(start, text));
    }
    if !is_word || byte == b':' && end == start + 1 {
        let found = excerpt(source, start);
        return Err(Problem::new(start, format!("expected an EDN form, found {found}")));
    }
    let kind = match &bytes[start..end] {
        b"nil" => Kind::Nil,
        b"true" | b"false" => Kind::Bool,
        _ if byte == b':' => Kind::Keyword,
        _ => Kind::Symbol,
    };
    tape.span(kind, start, end);
    Ok(end)
}

/// Reads a number: whole, with a fraction, a ratio, or too big for 64 bits.
fn number(tape: &mut Tape<'_>, start: usize) -> Result<usize, Problem> {
    const DIGITS_MAX: usize = 18;
    let source = tape.source();
    let bytes = source.as_bytes();
    let negative = bytes[start] == b'-';
    let first = start + usize::from(!bytes[start].is_ascii_digit());
    let mut value: i64 = 0;
    let mut at = first;
    while let Some(digit) = bytes.get(at).filter(|it| it.is_ascii_digit()) {
        // Wraps for numbers that are too long, which are read again below.
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
        at += 1;
    }
    let ends = bytes.get(at).is_none_or(|byte| is_end(*byte));
    if ends && at - first <= DIGITS_MAX {
        tape.integer(start, if negative { -value } else { value });
        return Ok(at);
    }
    let end = word_end(source, at);
    let text = &source[start..end];
    if let Ok(value) = text.strip_suffix('N').unwrap_or(text).parse() {
        tape.integer(start, value);
        return Ok(end);
    }
    let body = &source[first..end];
    let known = |byte: u8| byte.is_ascii_digit() || b".eE+-/MN".contains(&byte);
    if !body.bytes().all(known) {
        let found = excerpt(source, start);
        return Err(Problem::new(start, format!("expected a number, found {found}")));
    }
    tape.span(Kind::Number, start, end);
    Ok(end)
}
