//! Registers under transactions that happen at one instant.

use std::collections::BTreeMap;

use perjury_history::{Key, MicroOp, Names, Operation, Reading};

use crate::linearizability::object::{SequentialObject, Unfit};

/// All registers of a history together: a transaction of reads, writes and compare-and-sets is one
/// operation, which takes effect at one instant. Linearizability of this object is strict
/// serializability.
#[derive(Clone, Copy, Debug)]
pub struct MultiRegister {
    initial: Reading,
}

impl Default for MultiRegister {
    fn default() -> Self {
        Self::holding(Reading::Nil)
    }
}

impl MultiRegister {
    /// Registers that hold this at first.
    pub fn holding(initial: Reading) -> Self {
        Self { initial }
    }
}

impl SequentialObject for MultiRegister {
    /// What the registers hold that were written.
    type State = BTreeMap<Key, Reading>;
    type Operation = Box<[MicroOp]>;

    fn name(&self) -> &'static str {
        "multi-register"
    }

    /// Reads without an answer say nothing, beside what else the transaction does.
    fn operation(&self, asked: &Operation<'_>) -> Result<Option<Box<[MicroOp]>>, Unfit> {
        let mut told = Vec::new();
        for micro_op in asked.micro_ops {
            match micro_op {
                MicroOp::Read { result: None, .. } | MicroOp::Inspect { .. } => {}
                MicroOp::Read { .. } | MicroOp::Write { .. } | MicroOp::Cas { .. } => {
                    told.push(micro_op.clone());
                }
                _ => return Err(Unfit),
            }
        }
        Ok((!told.is_empty()).then(|| told.into()))
    }

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(&self, state: &Self::State, operation: &Box<[MicroOp]>) -> Option<Self::State> {
        let mut next = state.clone();
        for micro_op in operation {
            let held = next.get(&micro_op.key()).copied().unwrap_or(self.initial);
            let written = match *micro_op {
                MicroOp::Read { result: Some(read), .. } if read == held => continue,
                MicroOp::Write { value, .. } => value,
                MicroOp::Cas { old, new, .. } if Reading::Value(old) == held => new,
                _ => return None,
            };
            next.insert(micro_op.key(), Reading::Value(written));
        }
        Some(next)
    }

    fn describe(&self, state: &Self::State, names: &Names) -> String {
        let held = |(key, held): (&Key, &Reading)| {
            let held = held.value().map_or("nil".to_owned(), |it| names.show(it).to_string());
            format!("{} = {held}", names.show(*key))
        };
        match state.is_empty() {
            true => "nothing that was written".to_owned(),
            false => state.iter().map(held).collect::<Vec<_>>().join(", "),
        }
    }

    fn spans_keys(&self) -> bool {
        true
    }

    fn observes_only(&self, operation: &Box<[MicroOp]>) -> bool {
        operation.iter().all(|it| matches!(it, MicroOp::Read { .. }))
    }

    fn heap_bytes(&self, state: &Self::State) -> usize {
        state.len() * 48
    }
}
