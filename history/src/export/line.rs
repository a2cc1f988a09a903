//! One line of an exported history: a map in EDN or an object in JSON.

use std::fmt::{Display, Write as _};

use super::Syntax;
use crate::foreign::Format;
use crate::foreign::texts::{NAME, is_ambiguous, is_form, quoted};

pub(super) struct Line {
    syntax: Syntax,
    text: String,
}

impl Line {
    pub(super) fn new(syntax: Syntax) -> Self {
        Self { syntax, text: String::new() }
    }

    pub(super) fn begin(&mut self) {
        self.text.clear();
        self.text.push('{');
    }

    /// The whole line.
    pub(super) fn end(&mut self) -> &str {
        self.text.push_str("}\n");
        &self.text
    }

    pub(super) fn key(&mut self, key: &str) {
        let first = self.text.len() == 1;
        match self.syntax {
            Syntax::Edn => self.push(format_args!("{}:{key} ", if first { "" } else { ", " })),
            Syntax::Json => self.push(format_args!("{}\"{key}\":", if first { "" } else { "," })),
        }
    }

    /// A word of ours, or one made of letters, digits and hyphens.
    pub(super) fn word(&mut self, word: &str) {
        match self.syntax {
            Syntax::Edn => self.push(format_args!(":{word}")),
            Syntax::Json => self.push(format_args!("\"{word}\"")),
        }
    }

    pub(super) fn number(&mut self, number: impl Display) {
        self.push(format_args!("{number}"));
    }

    pub(super) fn nil(&mut self) {
        self.text.push_str(match self.syntax {
            Syntax::Edn => "nil",
            Syntax::Json => "null",
        });
    }

    pub(super) fn text(&mut self, text: &str) {
        self.text.push_str(&quoted(text));
    }

    /// What a key or a value is known by, as the form whose name it is.
    pub(super) fn name(&mut self, name: &str) {
        let format = match self.syntax {
            Syntax::Edn => Format::Edn,
            Syntax::Json => Format::Json,
        };
        match (is_ambiguous(name, format), self.syntax) {
            (false, _) => self.text(name),
            (true, Syntax::Edn) if is_form(name) => self.text.push_str(name),
            (true, Syntax::Edn) => {
                self.push(format_args!("{NAME} "));
                self.text(name);
            }
            (true, Syntax::Json) => {
                self.push(format_args!("{{\"{NAME}\":"));
                self.text(name);
                self.text.push('}');
            }
        }
    }

    pub(super) fn open(&mut self) {
        self.text.push('[');
    }

    /// Between two items of a vector.
    pub(super) fn between(&mut self) {
        self.text.push(match self.syntax {
            Syntax::Edn => ' ',
            Syntax::Json => ',',
        });
    }

    pub(super) fn close(&mut self) {
        self.text.push(']');
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("a string takes everything");
    }
}
