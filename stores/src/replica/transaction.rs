//! Transactions of the embedded store, and its words that are transactions of one step.

use perjury_history::{MicroOp, Reading};
use perjury_replica::{Found, Step};

/// A micro-operation as a step of a transaction; `None` if it cannot be one.
pub(super) fn step(micro_op: &MicroOp) -> Option<Step> {
    Some(match *micro_op {
        MicroOp::Read { key, .. } | MicroOp::ReadCounter { key, .. } => Step::Read { key },
        MicroOp::Write { key, value } => Step::Write { key, value },
        MicroOp::Increment { key, delta } => Step::Increment { key, delta },
        MicroOp::ReadList { key, .. } => Step::ReadList { key },
        MicroOp::Append { key, value } => Step::Append { key, element: value },
        MicroOp::ReadSet { key, .. } => Step::ReadSet { key },
        MicroOp::Add { key, value } => Step::Add { key, element: value },
        MicroOp::Transfer { from, to, amount } => Step::Transfer { from, to, amount },
        _ => return None,
    })
}

/// A micro-operation with what its step found; `None` if that answers another question.
pub(super) fn answered(micro_op: &MicroOp, found: &Found) -> Option<MicroOp> {
    Some(match (micro_op, found) {
        (&MicroOp::Read { key, .. }, &Found::Register(value)) => {
            MicroOp::Read { key, result: Some(Reading::from(value)) }
        }
        (&MicroOp::ReadCounter { key, .. }, Found::Register(value)) => {
            MicroOp::ReadCounter { key, result: Some(value.unwrap_or(0)) }
        }
        (&MicroOp::ReadList { key, .. }, Found::List(elements)) => {
            MicroOp::ReadList { key, result: Some(elements.clone()) }
        }
        (&MicroOp::ReadSet { key, .. }, Found::Set(elements)) => {
            MicroOp::ReadSet { key, result: Some(elements.clone()) }
        }
        (mutation, Found::Nothing) if mutation.is_mutation() => mutation.clone(),
        _ => return None,
    })
}
