//! Locks of every kind, transactions on registers, and texts.

use std::fmt::Debug;
use std::sync::Arc;

use perjury_history::{MicroOp, Names, Process, Reading};

use super::enumeration::Enumeration;
use super::{check, check_widths};
use crate::linearizability::object::SequentialObject;
use crate::linearizability::objects::fenced_lock::{FencedLock, FencedLockOperation};
use crate::linearizability::objects::key_value::{KeyValue, KeyValueOperation};
use crate::linearizability::objects::multi_register::MultiRegister;
use crate::linearizability::objects::mutex::{LockOperation, Mutex};
use crate::linearizability::objects::reentrant_mutex::ReentrantMutex;
use crate::linearizability::objects::semaphore::Semaphore;
use crate::linearizability::objects::together::Together;

/// Compares everything with the definition on all histories of up to so many operations.
fn agrees<M: SequentialObject>(
    object: &M,
    operations: usize,
    answered: &[M::Operation],
    unknown: &[M::Operation],
) {
    let (mut linearizable, mut not) = (0_u64, 0_u64);
    for operations in 0..=operations {
        let all = Enumeration { operations, open: 3, answered, unknown, is_first: &|_| true };
        all.each(&mut |calls| {
            if operations < 4 {
                check_widths(object, calls);
            }
            match check(object, calls).linearizable {
                true => linearizable += 1,
                false => not += 1,
            }
        });
    }
    assert!(linearizable.min(not) > 100, "{linearizable} {not}");
}

#[test]
fn mutexes_agree_with_the_definition() {
    let operations = [LockOperation::Lock, LockOperation::Unlock];
    agrees(&Mutex, 5, &operations, &operations);
}

#[test]
fn semaphores_agree_with_the_definition() {
    let operations = [LockOperation::Lock, LockOperation::Unlock];
    agrees(&Semaphore::new(2), 5, &operations, &operations);
}

#[test]
fn reentrant_mutexes_agree_with_the_definition() {
    let each = |process| [LockOperation::Lock, LockOperation::Unlock].map(|it| (process, it));
    let operations = [each(Process(0)), each(Process(1))].concat();
    agrees(&ReentrantMutex::default(), 4, &operations, &operations);
    agrees(&ReentrantMutex::with_limit(1), 4, &operations, &operations);
}

#[test]
fn fenced_locks_agree_with_the_definition() {
    use FencedLockOperation::{Acquire, Release};
    let answered = [Acquire(Some(1)), Acquire(Some(2)), Release(1), Release(2)];
    agrees(&FencedLock, 4, &answered, &[Acquire(None), Release(1), Release(2)]);
}

#[test]
fn transactions_agree_with_the_definition() {
    let read = |key, value| MicroOp::Read { key, result: Some(value) };
    let write = |key, value| MicroOp::Write { key, value };
    let transactions: Vec<Box<[MicroOp]>> = vec![
        [write(0, 1), write(1, 1)].into(),
        [read(0, Reading::Nil), write(1, 2)].into(),
        [read(0, Reading::Value(1)), read(1, Reading::Value(1))].into(),
        [read(0, Reading::Value(1)), read(1, Reading::Value(2))].into(),
        [MicroOp::Cas { key: 1, old: 1, new: 2 }].into(),
    ];
    let mutations = [0, 1, 4].map(|index: usize| transactions[index].clone());
    agrees(&MultiRegister::default(), 4, &transactions, &mutations);
    agrees(&MultiRegister::holding(Reading::Value(1)), 3, &transactions, &mutations);
}

#[test]
fn texts_agree_with_the_definition() {
    use KeyValueOperation::{Append, Get, Put};
    let text = |text: &str| Arc::<str>::from(text);
    let mutations = [Put(text("")), Append(text("a")), Append(text("b"))];
    let answered = [&mutations[..], &[Get(text("")), Get(text("a")), Get(text("ab"))]].concat();
    agrees(&KeyValue::new(&Names::default()), 4, &answered, &mutations);
}

#[test]
fn keys_together_are_what_they_are_one_by_one() {
    fn on<O: Clone + Debug>(key: i64, operations: &[O]) -> Vec<(i64, O)> {
        operations.iter().map(|it| (key, it.clone())).collect()
    }
    let operations = [LockOperation::Lock, LockOperation::Unlock];
    let operations = [on(1, &operations), on(2, &operations)].concat();
    agrees(&Together(Mutex), 4, &operations, &operations);
}
