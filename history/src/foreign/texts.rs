//! The one text by which a form is known, so that equal forms get equal numbers.
//!
//! A text is known by what it says, everything else by its EDN: `x`, `:x`, `1.5`, `[1 :a]`,
//! `{:a 1, :b 2}`. A text that says what is the EDN of something else keeps its quotes: `":x"`,
//! `"7"`. Maps and sets are sorted, lists are vectors.

use std::borrow::Cow;

use super::tape::{Form, Kind, Tape};
use super::{Format, edn};

/// The key that holds a name which would be taken for something else, in JSON: `{"#name": ":x"}`.
/// In EDN it is a tag, `#name ":x"`.
pub(crate) const NAME: &str = "#name";

/// The text that a key or a value is known by.
pub(super) fn canonical<'a>(form: Form<'_, 'a>, format: Format) -> Cow<'a, str> {
    match form.kind() {
        Kind::Text | Kind::EscapedText => {
            let text = form.text().unwrap_or_default();
            match is_ambiguous(&text, format) {
                true => Cow::Owned(quoted(&text)),
                false => text,
            }
        }
        Kind::Name => form.text().unwrap_or_default(),
        Kind::Map if form.len() == 2 && format == Format::Json => {
            let mut items = form.items();
            let (key, value) = (items.next(), items.next());
            match key.and_then(Form::word) {
                Some(NAME) => value.and_then(Form::text).unwrap_or_default(),
                _ => in_edn(form),
            }
        }
        _ => in_edn(form),
    }
}

/// Whether a name is the EDN, in the one way of writing it, of something that is no vector.
pub(crate) fn is_form(name: &str) -> bool {
    let mut tape = Tape::new(name);
    let mut end = 0;
    let read = edn::form(&mut tape, &mut end);
    matches!(read, Ok(Some(()))) && end == name.len() && {
        let form = tape.form(0);
        !form.is_vector()
            && form.integer().is_none()
            && !form.is_nil()
            && canonical(form, Format::Edn) == name
    }
}

/// Whether a text says what is the EDN of something that is no text. JSON has no keywords: there,
/// `":x"` is one.
pub(crate) fn is_ambiguous(text: &str, format: Format) -> bool {
    let mut characters = text.chars();
    let first = characters.next();
    let second = characters.next();
    let digit = |it: Option<char>| it.is_some_and(|it| it.is_ascii_digit());
    match first {
        None => false,
        Some(':') => format != Format::Json,
        Some('[' | '(' | '{' | '#' | '"' | '\\') => true,
        Some('-' | '+') => digit(second),
        Some(_) => digit(first) || matches!(text, "nil" | "true" | "false"),
    }
}

/// A text between quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            other if other < ' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(other))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A form's EDN, in the one way of writing it. It is as deep as forms may be.
fn in_edn<'a>(form: Form<'_, 'a>) -> Cow<'a, str> {
    let list = |items: Vec<Cow<'a, str>>, [open, close]: [&str; 2], separator| {
        Cow::Owned(format!("{open}{}{close}", items.join(separator)))
    };
    let mut items: Vec<_> = match form.kind() {
        Kind::Text | Kind::EscapedText | Kind::Name => {
            return Cow::Owned(quoted(&form.text().unwrap_or_default()));
        }
        Kind::Integer => return Cow::Owned(form.integer().unwrap_or_default().to_string()),
        Kind::Number => return Cow::Borrowed(form.raw().trim_start_matches('+')),
        Kind::Nil => return Cow::Borrowed("nil"),
        Kind::Vector | Kind::Set | Kind::Map => form.items().map(in_edn).collect(),
        Kind::Bool | Kind::Keyword | Kind::Symbol | Kind::Character => {
            return Cow::Borrowed(form.raw());
        }
    };
    match form.kind() {
        Kind::Map => {
            let mut pairs: Vec<_> =
                items.chunks(2).map(|pair| Cow::Owned(pair.join(" "))).collect();
            pairs.sort_unstable();
            list(pairs, ["{", "}"], ", ")
        }
        Kind::Set => {
            items.sort_unstable();
            list(items, ["#{", "}"], " ")
        }
        _ => list(items, ["[", "]"], " "),
    }
}
