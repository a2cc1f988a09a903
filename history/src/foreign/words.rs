//! What the words of a history mean.
//!
//! Most functions say what they do (`cas`, `enqueue`, `read-set`). Five do not: whether `read`
//! reads a register, a set or a counter, whether `add` adds to a set or a counter, whether `write`
//! writes or adds, whether `acquire` and `release` come with tokens. That depends on the
//! [`Object`].

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// What a history's operations act upon; decides what the words mean that say too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// Registers that are read and written.
    Register,
    /// Registers with compare-and-set.
    CasRegister,
    /// Registers, several of them in one transaction.
    MultiRegister,
    /// Keys that are read by `get`, set by `put`, and whose texts grow by `append`.
    KeyValue,
    /// Lists that transactions read and append to.
    ListAppend,
    /// Sets.
    Set,
    /// Counters.
    Counter,
    /// Queues, first in, first out.
    Queue,
    /// Queues without an order.
    Bag,
    /// Stacks.
    Stack,
    /// Mutexes, re-entrant mutexes and semaphores.
    Mutex,
    /// Locks whose acquisitions bring fencing tokens.
    FencedLock,
    /// Generators of ids.
    Ids,
    /// Accounts that a read sees all at once, as a map.
    Accounts,
    /// Several of these: every function is one of [`MicroOp::function`](crate::MicroOp::function).
    Mixed,
}

impl Object {
    /// All of them.
    pub const ALL: [Object; 15] = [
        Object::Register,
        Object::CasRegister,
        Object::MultiRegister,
        Object::KeyValue,
        Object::ListAppend,
        Object::Set,
        Object::Counter,
        Object::Queue,
        Object::Bag,
        Object::Stack,
        Object::Mutex,
        Object::FencedLock,
        Object::Ids,
        Object::Accounts,
        Object::Mixed,
    ];

    /// The name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Object::Register => "register",
            Object::CasRegister => "cas-register",
            Object::MultiRegister => "multi-register",
            Object::KeyValue => "key-value",
            Object::ListAppend => "list-append",
            Object::Set => "set",
            Object::Counter => "counter",
            Object::Queue => "queue",
            Object::Bag => "bag",
            Object::Stack => "stack",
            Object::Mutex => "mutex",
            Object::FencedLock => "fenced-lock",
            Object::Ids => "ids",
            Object::Accounts => "accounts",
            Object::Mixed => "mixed",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Object::ALL.into_iter().find(|object| object.name() == name)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Object {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Object::named(text).ok_or_else(|| {
            let known = Object::ALL.map(Object::name).join(", ");
            format!("expected one of {known}, found `{text}`")
        })
    }
}

/// A function as a history may call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Read,
    Get,
    Write,
    Put,
    Cas,
    Inspect,
    Add,
    ReadSet,
    InspectSet,
    Increment,
    Decrement,
    ReadCounter,
    InspectCounter,
    Acquire,
    Release,
    Append,
    ReadList,
    Enqueue,
    Dequeue,
    Push,
    Pop,
    Lock,
    Unlock,
    Generate,
    Transfer,
    Transaction,
}

impl Word {
    pub(super) fn of(function: &str) -> Option<Self> {
        Some(match function {
            "read" | "r" => Word::Read,
            "get" => Word::Get,
            "write" | "w" => Word::Write,
            "put" | "set" => Word::Put,
            "cas" | "compare-and-set" => Word::Cas,
            "inspect" => Word::Inspect,
            "add" => Word::Add,
            "read-set" => Word::ReadSet,
            "inspect-set" => Word::InspectSet,
            "increment" | "inc" | "incr" => Word::Increment,
            "decrement" | "dec" | "decr" => Word::Decrement,
            "read-counter" => Word::ReadCounter,
            "inspect-counter" => Word::InspectCounter,
            "acquire" => Word::Acquire,
            "release" => Word::Release,
            "append" => Word::Append,
            "read-list" => Word::ReadList,
            "enqueue" | "enq" => Word::Enqueue,
            "dequeue" | "deq" => Word::Dequeue,
            "push" => Word::Push,
            "pop" => Word::Pop,
            "lock" => Word::Lock,
            "unlock" => Word::Unlock,
            "generate" => Word::Generate,
            "transfer" => Word::Transfer,
            "txn" => Word::Transaction,
            _ => return None,
        })
    }

    /// What it asks of an object. `None` for a transaction or a transfer, which ask several things.
    pub(super) fn ask(self, object: Object) -> Option<Ask> {
        Some(match (self, object) {
            (Word::Read | Word::Get, Object::Set) => Ask::ReadSet,
            (Word::Read | Word::Get, Object::Counter) => Ask::ReadCounter,
            (Word::Read | Word::Get, Object::ListAppend) => Ask::ReadList,
            (Word::Write | Word::Put, Object::Set) => Ask::Add,
            (Word::Add, Object::Counter) => Ask::Increment,
            (Word::Acquire, Object::Mutex) | (Word::Lock, _) => Ask::Lock,
            (Word::Release, Object::Mutex) | (Word::Unlock, _) => Ask::Unlock,
            (Word::Read | Word::Get, _) => Ask::Read,
            (Word::Write | Word::Put, _) => Ask::Write,
            (Word::Cas, _) => Ask::Cas,
            (Word::Inspect, _) => Ask::Inspect,
            (Word::Add, _) => Ask::Add,
            (Word::ReadSet, _) => Ask::ReadSet,
            (Word::InspectSet, _) => Ask::InspectSet,
            (Word::Increment, _) => Ask::Increment,
            (Word::Decrement, _) => Ask::Decrement,
            (Word::ReadCounter, _) => Ask::ReadCounter,
            (Word::InspectCounter, _) => Ask::InspectCounter,
            (Word::Acquire, _) => Ask::Acquire,
            (Word::Release, _) => Ask::Release,
            (Word::Append, _) => Ask::Append,
            (Word::ReadList, _) => Ask::ReadList,
            (Word::Enqueue, _) => Ask::Enqueue,
            (Word::Dequeue, _) => Ask::Dequeue,
            (Word::Push, _) => Ask::Push,
            (Word::Pop, _) => Ask::Pop,
            (Word::Generate, _) => Ask::Generate,
            (Word::Transfer, _) => Ask::Transfer,
            (Word::Transaction, _) => return None,
        })
    }
}

/// What one micro-operation asks, without key and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Read,
    Write,
    Cas,
    Inspect,
    Add,
    ReadSet,
    InspectSet,
    Increment,
    /// An increment by so much less.
    Decrement,
    ReadCounter,
    InspectCounter,
    Acquire,
    Release,
    Append,
    ReadList,
    Enqueue,
    Dequeue,
    Push,
    Pop,
    Lock,
    Unlock,
    Generate,
    Transfer,
}
