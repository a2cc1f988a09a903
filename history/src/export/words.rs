//! Which words an exported history uses: those that others use for the same thing, as far as there
//! are any, and such that reading it back understands them as they were meant.

use crate::foreign::Object;
use crate::{History, MicroOp};

/// What each object's histories may hold.
const FAMILIES: [(Object, &[&str]); 11] = [
    (Object::Register, &["read", "write"]),
    (Object::CasRegister, &["read", "write", "cas"]),
    (Object::ListAppend, &["append", "read-list"]),
    (Object::KeyValue, &["append", "read", "write"]),
    (Object::Set, &["add", "read-set", "inspect-set"]),
    (Object::Counter, &["increment", "read-counter", "inspect-counter"]),
    (Object::Queue, &["enqueue", "dequeue"]),
    (Object::Stack, &["push", "pop"]),
    (Object::Mutex, &["lock", "unlock"]),
    (Object::FencedLock, &["acquire", "release"]),
    (Object::Ids, &["generate"]),
];

/// The object that a history's micro-operations speak of.
pub(super) fn object(history: &History) -> Object {
    let mut functions: Vec<&'static str> = Vec::new();
    let mut transactions = false;
    for operation in history.iter() {
        transactions |= operation.micro_ops.len() > 1;
        for micro_op in operation.micro_ops {
            let function = micro_op.function();
            if !functions.contains(&function) {
                functions.push(function);
            }
        }
    }
    let said_by = |words: &[&str]| functions.iter().all(|function| words.contains(function));
    match FAMILIES.iter().find(|(_, words)| said_by(words)) {
        Some((Object::Register, _)) if transactions => Object::MultiRegister,
        Some((object, _)) => *object,
        None => Object::Mixed,
    }
}

/// Whether all operations of such histories are written as transactions, as Elle has them.
pub(super) fn only_transactions(object: Object) -> bool {
    matches!(object, Object::MultiRegister | Object::ListAppend)
}

/// What an operation of one micro-operation is called.
pub(super) fn function(object: Object, micro_op: &MicroOp) -> &'static str {
    match (object, micro_op) {
        (Object::Set, MicroOp::ReadSet { .. }) | (Object::Counter, MicroOp::ReadCounter { .. }) => {
            "read"
        }
        (Object::Counter, MicroOp::Increment { .. }) => "add",
        (Object::Mutex, MicroOp::Lock { .. }) => "acquire",
        (Object::Mutex, MicroOp::Unlock { .. }) => "release",
        (Object::KeyValue, MicroOp::Read { .. }) => "get",
        (Object::KeyValue, MicroOp::Write { .. }) => "put",
        _ => micro_op.function(),
    }
}

/// What a step of a transaction is called.
pub(super) fn step(object: Object, micro_op: &MicroOp) -> &'static str {
    match (object, micro_op) {
        (_, MicroOp::Read { .. }) | (Object::ListAppend, MicroOp::ReadList { .. }) => "r",
        (_, MicroOp::Write { .. }) => "w",
        _ => function(object, micro_op),
    }
}
