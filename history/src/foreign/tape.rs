//! One form of a text, EDN or JSON, as a flat array of nodes that is used again for the next form.
//!
//! A node points into the text; nothing is copied and, once the array has grown, nothing is
//! allocated. A container's node stands before those of its items and knows where they end:
//!
//! ```text
//! {:value [1 nil]}   Map(2 items) | Keyword ":value" | Vector(2 items) | Integer 1 | Nil
//! ```

use std::borrow::Cow;

use super::error::{Problem, excerpt};

/// How deep forms may be nested. Histories need about six levels.
pub(super) const DEPTH_MAX: usize = 64;

/// How long one form may be: an operation is one, so a set that was read has room for millions.
pub(super) const FORM_BYTES_MAX: usize = 64 << 20;

/// What a node is. Lists are vectors here: no history tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nil,
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits.
    Integer,
    /// Any other number; it stands for its text.
    Number,
    Keyword,
    Symbol,
    /// A text between quotes, without escapes.
    Text,
    /// A text between quotes, with escapes.
    EscapedText,
    /// A text that is a name as it stands: `#name "7"`.
    Name,
    Character,
    Vector,
    Set,
    Map,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// An integer's value; a text's length; a container's items and, shifted, its end.
    data: u64,
    /// Offset from the form's beginning.
    start: u32,
    kind: Kind,
}

/// What is open around the form that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frame {
    /// A container, with its node, its items so far and the byte that ends it.
    Container { node: u32, items: u32, closer: u8 },
    /// The next form is dropped: `#_` or metadata. The tape had this many nodes.
    Dropped { nodes: u32 },
    /// A tag, whose form must follow.
    Tag,
}

#[derive(Clone, Debug)]
pub(super) struct Tape<'a> {
    source: &'a str,
    base: usize,
    nodes: Vec<Node>,
    /// The readers' stack, kept here so that it is made once.
    pub(super) frames: Vec<Frame>,
}

impl<'a> Tape<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, base: 0, nodes: Vec::new(), frames: Vec::new() }
    }

    pub(super) fn source(&self) -> &'a str {
        self.source
    }

    /// Forgets the last form; the next one begins at `byte`.
    pub(super) fn begin(&mut self, byte: usize) {
        self.base = byte;
        self.nodes.clear();
        self.frames.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.nodes.truncate(len);
    }

    /// Whether a node may begin at `byte`.
    #[inline]
    pub(super) fn check_length(&self, byte: usize) -> Result<(), Problem> {
        match byte - self.base <= FORM_BYTES_MAX {
            true => Ok(()),
            false => Err(self.too_long()),
        }
    }

    #[cold]
    fn too_long(&self) -> Problem {
        Problem::new(
            self.base,
            format!(
                "expected an operation of at most {} MiB, found a longer form: {}; \
                 is a bracket left open?",
                FORM_BYTES_MAX >> 20,
                excerpt(self.source, self.base)
            ),
        )
    }

    /// Something is open around the form that begins at `byte`.
    #[inline]
    pub(super) fn push_frame(&mut self, frame: Frame, byte: usize) -> Result<(), Problem> {
        if self.frames.len() == DEPTH_MAX {
            let text = format!(
                "expected at most {DEPTH_MAX} levels of nesting, found more; histories need about \
                 six"
            );
            return Err(Problem::new(byte, text));
        }
        self.frames.push(frame);
        Ok(())
    }

    pub(super) fn integer(&mut self, start: usize, value: i64) {
        self.push(Kind::Integer, start, value.cast_unsigned());
    }

    /// A node that stands for the text between two bytes.
    pub(super) fn span(&mut self, kind: Kind, start: usize, end: usize) {
        self.push(kind, start, (end - start) as u64);
    }

    /// Begins a container.
    pub(super) fn open(&mut self, kind: Kind, start: usize) {
        self.push(kind, start, 0);
    }

    /// Ends the container at `node`; all nodes since are its items'.
    pub(super) fn close(&mut self, node: usize, items: u32) {
        self.nodes[node].data = u64::from(items) | (self.nodes.len() as u64) << 32;
    }

    /// Makes a name of the text that was put on the tape last.
    pub(super) fn make_name(&mut self) {
        if let Some(node) = self.nodes.last_mut() {
            node.kind = Kind::Name;
        }
    }

    #[inline]
    fn push(&mut self, kind: Kind, start: usize, data: u64) {
        let start = (start - self.base) as u32;
        self.nodes.push(Node { data, start, kind });
    }

    /// The form whose node is at `index`.
    pub(super) fn form(&self, index: u32) -> Form<'_, 'a> {
        Form { tape: self, index }
    }
}

/// Reads a text whose opening quote is at `quote`, and returns where it ends.
pub(super) fn string(tape: &mut Tape<'_>, quote: usize) -> Result<usize, Problem> {
    let bytes = tape.source().as_bytes();
    let mut kind = Kind::Text;
    let mut at = quote + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at..]) {
        at += found;
        if bytes[at] == b'"' {
            tape.check_length(at)?;
            tape.span(kind, quote, at + 1);
            return Ok(at + 1);
        }
        kind = Kind::EscapedText;
        at = (at + 2).min(bytes.len());
    }
    let text = "expected a `\"` that ends the text, found the end of the file; was it cut?";
    Err(Problem::new(quote, text))
}

/// A form on a tape.
#[derive(Clone, Copy)]
pub(super) struct Form<'t, 'a> {
    tape: &'t Tape<'a>,
    index: u32,
}

impl<'t, 'a> Form<'t, 'a> {
    #[inline]
    fn node(self) -> Node {
        self.tape.nodes[self.index as usize]
    }

    pub(super) fn index(self) -> u32 {
        self.index
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        self.node().kind
    }

    /// Where it begins in the text.
    pub(super) fn byte(self) -> usize {
        self.tape.base + self.node().start as usize
    }

    pub(super) fn is_nil(self) -> bool {
        self.kind() == Kind::Nil
    }

    pub(super) fn is_vector(self) -> bool {
        self.kind() == Kind::Vector
    }

    pub(super) fn is_container(self) -> bool {
        matches!(self.kind(), Kind::Vector | Kind::Set | Kind::Map)
    }

    pub(super) fn integer(self) -> Option<i64> {
        let node = self.node();
        (node.kind == Kind::Integer).then_some(node.data.cast_signed())
    }

    /// As it stands in the text; of a container, its opening bracket.
    #[inline]
    pub(super) fn raw(self) -> &'a str {
        let start = self.byte();
        let end = match self.kind() {
            Kind::Vector | Kind::Set | Kind::Map => start + 1,
            Kind::Integer => {
                let digits = |byte: &u8| matches!(byte, b'+' | b'-' | b'0'..=b'9');
                let bytes = &self.tape.source.as_bytes()[start..];
                start + bytes.iter().take_while(|byte| digits(byte)).count()
            }
            _ => start + self.node().data as usize,
        };
        &self.tape.source[start..end]
    }

    /// What a keyword (without its colon), symbol or text without escapes says.
    #[inline]
    pub(super) fn word(self) -> Option<&'a str> {
        let raw = self.raw();
        match self.kind() {
            Kind::Keyword => Some(&raw[1..]),
            Kind::Symbol => Some(raw),
            Kind::Text => Some(&raw[1..raw.len() - 1]),
            _ => None,
        }
    }

    /// What a text says.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        let raw = self.raw();
        match self.kind() {
            Kind::Text => Some(Cow::Borrowed(&raw[1..raw.len() - 1])),
            Kind::EscapedText | Kind::Name => Some(Cow::Owned(unescaped(&raw[1..raw.len() - 1]))),
            _ => None,
        }
    }

    /// How many items a container has; of a map, keys and values.
    pub(super) fn len(self) -> usize {
        match self.is_container() {
            true => self.node().data as u32 as usize,
            false => 0,
        }
    }

    /// A container's items; of a map, keys and values by turns.
    pub(super) fn items(self) -> Items<'t, 'a> {
        let items = self.len() as u32;
        Items { next: Form { tape: self.tape, index: self.index + 1 }, items }
    }

    #[inline]
    fn after(self) -> u32 {
        match self.is_container() {
            true => (self.node().data >> 32) as u32,
            false => self.index + 1,
        }
    }
}

pub(super) struct Items<'t, 'a> {
    next: Form<'t, 'a>,
    items: u32,
}

impl<'t, 'a> Iterator for Items<'t, 'a> {
    type Item = Form<'t, 'a>;

    #[inline]
    fn next(&mut self) -> Option<Form<'t, 'a>> {
        self.items = self.items.checked_sub(1)?;
        let item = self.next;
        // After the last item there may be no node.
        self.next = Form { tape: item.tape, index: item.after() };
        Some(item)
    }
}

/// Escapes of EDN and of JSON. The reader has seen that each is whole; what is no character (half
/// of a surrogate pair) becomes the replacement character.
fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    let mut high: Option<u32> = None;
    while let Some(character) = rest.next() {
        let escape = if character == '\\' { rest.next() } else { None };
        let code = match escape {
            None => u32::from(character),
            Some('u') => {
                let code = u32::from_str_radix(rest.as_str().get(..4).unwrap_or(""), 16);
                rest.by_ref().take(4).for_each(drop);
                code.unwrap_or(0xFFFD)
            }
            Some(digit @ '0'..='7') => {
                let mut code = u32::from(digit) - u32::from('0');
                for _ in 0..2 {
                    let Some(next) = rest.clone().next().and_then(|it| it.to_digit(8)) else {
                        break;
                    };
                    code = code * 8 + next;
                    rest.next();
                }
                code
            }
            Some('n') => u32::from('\n'),
            Some('t') => u32::from('\t'),
            Some('r') => u32::from('\r'),
            Some('b') => 8,
            Some('f') => 12,
            Some(other) => u32::from(other),
        };
        let is_unit = escape == Some('u');
        match (high.take(), code) {
            (Some(first), 0xDC00..=0xDFFF) if is_unit => {
                let code = 0x10000 + ((first - 0xD800) << 10) + (code - 0xDC00);
                text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                continue;
            }
            (Some(_), _) => text.push(char::REPLACEMENT_CHARACTER),
            (None, _) => {}
        }
        match code {
            0xD800..=0xDBFF if is_unit => high = Some(code),
            _ => text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
    }
    if high.is_some() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_understood() {
        let cases = [
            (r#"a\"b\\c\/"#, "a\"b\\c/"),
            (r"\n\t\r\b\f", "\n\t\r\u{8}\u{c}"),
            (r"\u0041\101\u00e9", "AA\u{e9}"),
            (r"\uD83D\uDE00!", "\u{1F600}!"),
            (r"\uD83D-\uDE00", "\u{FFFD}-\u{FFFD}"),
            (r"\uD83D", "\u{FFFD}"),
        ];
        for (raw, expected) in cases {
            assert_eq!(unescaped(raw), expected, "{raw}");
        }
    }
}
