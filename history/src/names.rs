//! Names of keys and values that are not whole numbers.
//!
//! Everything here counts in 64-bit numbers, which are small, quick and compared at once. What a
//! foreign history calls by a word, a text or anything else gets a number from the far end of those
//! below zero, and is shown by its name again. Numbers of the history itself keep their own, so only
//! one that would fall among those gets a name.

use std::fmt;

use rustc_hash::FxHashMap;

use crate::Value;

/// The first number that stands for a name.
const FIRST: Value = Value::MIN;

/// How many numbers are kept for names.
const ROOM: Value = 1 << 32;

/// The names of one history. Empty for histories of our own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    texts: Vec<String>,
    numbers: FxHashMap<String, Value>,
}

impl Names {
    /// The number that stands for a text; the same for the same text.
    pub fn number(&mut self, text: &str) -> Value {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = FIRST + self.texts.len() as Value;
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    /// Whether nothing has a name.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Whether a number of a history can stand for itself: it is none of those kept for names.
    pub fn is_plain(number: Value) -> bool {
        number >= FIRST + ROOM
    }

    /// The text that a number stands for, if it stands for one.
    pub fn text(&self, number: Value) -> Option<&str> {
        let index = usize::try_from(number.checked_sub(FIRST)?).ok()?;
        self.texts.get(index).map(String::as_str)
    }

    /// The number that stands for a text, if there is one.
    pub fn find(&self, text: &str) -> Option<Value> {
        self.numbers.get(text).copied()
    }

    /// What to show for a number: its name, or itself.
    pub fn show(&self, number: Value) -> Shown<'_> {
        self.text(number).map_or(Shown::Number(number), Shown::Text)
    }
}

/// Bytes of a name that are shown: of a longer one, half of them from each end.
const SHOWN_MAX: usize = 160;

/// A key or a value as people know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// It is a number.
    Number(Value),
    /// It has a name.
    Text(&'a str),
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Number(number) => number.fmt(f),
            // An empty text is nothing to see.
            Shown::Text("") => f.write_str("\"\""),
            Shown::Text(text) if text.len() > SHOWN_MAX => {
                let half = SHOWN_MAX / 2;
                let (begin, end) =
                    (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
                write!(f, "{} … {}", &text[..begin], &text[end..])
            }
            Shown::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number_and_a_number_stands_for_itself() {
        let mut names = Names::default();
        let (x, y) = (names.number("x"), names.number("y"));
        assert_eq!((names.number("x"), names.find("y"), names.find("z")), (x, Some(y), None));
        assert_eq!([x, y].map(|it| names.show(it).to_string()), ["x", "y"]);
        assert!(!Names::is_plain(x) && Names::is_plain(-1));
        assert_eq!(names.show(-1).to_string(), "-1");
        let empty = names.number("");
        assert_eq!((names.text(empty), names.show(empty).to_string()), (Some(""), "\"\"".into()));
        let long = names.number(&format!("first{}last", "é".repeat(1_000)));
        let shown = names.show(long).to_string();
        assert!(shown.starts_with("firsté") && shown.ends_with("élast") && shown.len() < 170);
        assert_eq!([names.text(Value::MAX), names.text(x + 4)], [None, None]);
    }
}
