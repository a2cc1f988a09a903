//! A store of texts that can be put and added to, as Porcupine's.

use std::sync::Arc;

use perjury_history::{MicroOp, Names, Operation, Reading, Value};

use crate::linearizability::object::{SequentialObject, Unfit};

/// What is asked of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyValueOperation {
    /// It held this text.
    Get(Arc<str>),
    /// It was set to this text.
    Put(Arc<str>),
    /// This text was added at its end.
    Append(Arc<str>),
}

use KeyValueOperation::{Append, Get, Put};

/// A text for each key, empty at first: read, written, appended to.
#[derive(Clone, Debug, Default)]
pub struct KeyValue {
    names: Names,
}

impl KeyValue {
    /// For a history whose values these names tell.
    pub fn new(names: &Names) -> Self {
        Self { names: names.clone() }
    }

    fn text(&self, value: Value) -> Arc<str> {
        self.names.text(value).map_or_else(|| value.to_string().into(), Into::into)
    }
}

impl SequentialObject for KeyValue {
    type State = Arc<str>;
    type Operation = KeyValueOperation;

    fn name(&self) -> &'static str {
        "key-value"
    }

    fn operation(&self, asked: &Operation<'_>) -> Result<Option<KeyValueOperation>, Unfit> {
        Ok(match *asked.single().ok_or(Unfit)? {
            MicroOp::Read { result: None, .. } | MicroOp::Inspect { .. } => None,
            MicroOp::Read { result: Some(Reading::Nil), .. } => Some(Get("".into())),
            MicroOp::Read { result: Some(Reading::Value(value)), .. } => {
                Some(Get(self.text(value)))
            }
            MicroOp::Write { value, .. } => Some(Put(self.text(value))),
            MicroOp::Append { value, .. } => Some(Append(self.text(value))),
            _ => return Err(Unfit),
        })
    }

    fn initial(&self) -> Arc<str> {
        "".into()
    }

    fn step(&self, state: &Arc<str>, operation: &KeyValueOperation) -> Option<Arc<str>> {
        match operation {
            Get(text) => (text == state).then(|| state.clone()),
            Put(text) => Some(text.clone()),
            Append(text) => Some([&**state, text].concat().into()),
        }
    }

    fn describe(&self, state: &Arc<str>, _names: &Names) -> String {
        const SHOWN_MAX: usize = 60;
        let characters = state.chars().count();
        match characters > SHOWN_MAX {
            false => format!("\"{state}\""),
            true => {
                let end: String = state.chars().skip(characters - SHOWN_MAX).collect();
                format!("{characters} characters that end in \"{end}\"")
            }
        }
    }

    fn observes_only(&self, operation: &KeyValueOperation) -> bool {
        matches!(operation, Get(_))
    }

    fn grows(&self) -> bool {
        true
    }

    fn heap_bytes(&self, state: &Arc<str>) -> usize {
        state.len() + 16
    }
}
