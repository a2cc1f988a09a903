//! The usual objects by name.

use std::fmt;
use std::str::FromStr;

use perjury_history::{History, Names, Reading, Value};
use serde::{Deserialize, Serialize};

use super::bag::Bag;
use super::counter::Counter;
use super::fenced_lock::FencedLock;
use super::id_generator::IdGenerator;
use super::key_value::KeyValue;
use super::multi_register::MultiRegister;
use super::mutex::Mutex;
use super::queue::Queue;
use super::reentrant_mutex::ReentrantMutex;
use super::register::Register;
use super::semaphore::Semaphore;
use super::set::Set;
use super::stack::Stack;
use super::together::Together;
use crate::linearizability::{Certificate, Linearizability, SequentialObject};
use crate::{Checker, Context};

/// An object that operations can be linearizable on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// Read and written.
    Register,
    /// Read, written, compared and set. (The same object: a register is one without the last.)
    CasRegister,
    /// Registers under transactions.
    MultiRegister,
    /// Texts that are put and appended to.
    KeyValue,
    /// First in, first out.
    Queue,
    /// A queue without an order.
    Bag,
    /// Last in, first out.
    Stack,
    /// Held by one at a time.
    Mutex,
    /// Held by one process at a time, as often as it likes.
    ReentrantMutex,
    /// Held by so many at a time.
    Semaphore,
    /// Held by one at a time, each time with a larger token.
    FencedLock,
    /// Added to, read as a whole.
    Set,
    /// Incremented, read.
    Counter,
    /// Gives out no id twice.
    IdGenerator,
}

/// What is not the same for every object of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectSettings {
    /// What registers hold at first, if anything.
    pub initial: Option<Value>,
    /// Permits of a semaphore; one if it is not given. How often a re-entrant mutex can be taken at
    /// once; as often as one likes if it is not given.
    pub permits: Option<u32>,
    /// Whether all keys are decided together.
    pub together: bool,
}

/// Decides linearizability of some kind of object, whichever it is.
pub trait Judge: Checker {
    /// As [`Linearizability::certify`].
    fn certify(&self, history: &History, context: &Context<'_>) -> Vec<Certificate>;

    /// As [`Linearizability::verify`].
    ///
    /// # Errors
    /// Why the certificate proves nothing about this history.
    fn verify(&self, history: &History, certificate: &Certificate) -> Result<(), String>;
}

impl<M: SequentialObject> Judge for Linearizability<M> {
    fn certify(&self, history: &History, context: &Context<'_>) -> Vec<Certificate> {
        Linearizability::certify(self, history, context)
    }

    fn verify(&self, history: &History, certificate: &Certificate) -> Result<(), String> {
        Linearizability::verify(self, history, certificate)
    }
}

impl ObjectKind {
    /// All of them.
    pub const ALL: [ObjectKind; 14] = [
        ObjectKind::Register,
        ObjectKind::CasRegister,
        ObjectKind::MultiRegister,
        ObjectKind::KeyValue,
        ObjectKind::Queue,
        ObjectKind::Bag,
        ObjectKind::Stack,
        ObjectKind::Mutex,
        ObjectKind::ReentrantMutex,
        ObjectKind::Semaphore,
        ObjectKind::FencedLock,
        ObjectKind::Set,
        ObjectKind::Counter,
        ObjectKind::IdGenerator,
    ];

    /// The name in options and results.
    pub fn name(self) -> &'static str {
        match self {
            ObjectKind::Register => "register",
            ObjectKind::CasRegister => "cas-register",
            ObjectKind::MultiRegister => "multi-register",
            ObjectKind::KeyValue => "key-value",
            ObjectKind::Queue => "queue",
            ObjectKind::Bag => "bag",
            ObjectKind::Stack => "stack",
            ObjectKind::Mutex => "mutex",
            ObjectKind::ReentrantMutex => "reentrant-mutex",
            ObjectKind::Semaphore => "semaphore",
            ObjectKind::FencedLock => "fenced-lock",
            ObjectKind::Set => "set",
            ObjectKind::Counter => "counter",
            ObjectKind::IdGenerator => "id-generator",
        }
    }

    /// What the object is asked, in a few words.
    pub fn describe(self) -> &'static str {
        match self {
            ObjectKind::Register => "read, write",
            ObjectKind::CasRegister => "read, write, compare-and-set",
            ObjectKind::MultiRegister => {
                "transactions of reads, writes and compare-and-sets on several keys"
            }
            ObjectKind::KeyValue => "get, put and append of texts",
            ObjectKind::Queue => "enqueue, dequeue; first in, first out",
            ObjectKind::Bag => "enqueue, dequeue of any element",
            ObjectKind::Stack => "push, pop; last in, first out",
            ObjectKind::Mutex => "lock, unlock, by anybody",
            ObjectKind::ReentrantMutex => "lock, unlock, by the process that holds it",
            ObjectKind::Semaphore => "lock, unlock, so many at a time",
            ObjectKind::FencedLock => "acquire with a growing token, release",
            ObjectKind::Set => "add, read of all elements",
            ObjectKind::Counter => "increment, read",
            ObjectKind::IdGenerator => "generate; no id twice",
        }
    }

    /// What decides linearizability of histories on such an object. The names are those of the
    /// history.
    pub fn checker(self, settings: &ObjectSettings, names: &Names) -> Box<dyn Checker> {
        self.judge(settings, names)
    }

    /// The same, to prove what it decides and to verify proofs.
    pub fn judge(self, settings: &ObjectSettings, names: &Names) -> Box<dyn Judge> {
        fn of<M: SequentialObject + 'static>(object: M, together: bool) -> Box<dyn Judge> {
            match together {
                true => Box::new(Linearizability::of(Together(object))),
                false => Box::new(Linearizability::of(object)),
            }
        }
        let ObjectSettings { initial, permits, together } = *settings;
        let initial = Reading::from(initial);
        match self {
            ObjectKind::Register | ObjectKind::CasRegister if !together => {
                Box::new(Linearizability::of_register(Register::holding(initial)))
            }
            ObjectKind::Register | ObjectKind::CasRegister => {
                of(Register::holding(initial), together)
            }
            ObjectKind::MultiRegister => {
                Box::new(Linearizability::of(MultiRegister::holding(initial)))
            }
            ObjectKind::KeyValue => of(KeyValue::new(names), together),
            ObjectKind::Queue if !together => Box::new(Linearizability::of_queues()),
            ObjectKind::Bag if !together => Box::new(Linearizability::of_bags()),
            ObjectKind::Stack if !together => Box::new(Linearizability::of_stacks()),
            ObjectKind::Queue => of(Queue, together),
            ObjectKind::Bag => of(Bag, together),
            ObjectKind::Stack => of(Stack, together),
            ObjectKind::Mutex => of(Mutex, together),
            ObjectKind::ReentrantMutex => {
                let mutex =
                    permits.map_or_else(ReentrantMutex::default, ReentrantMutex::with_limit);
                of(mutex, together)
            }
            ObjectKind::Semaphore => of(Semaphore::new(permits.unwrap_or(1)), together),
            ObjectKind::FencedLock => of(FencedLock, together),
            ObjectKind::Set => of(Set, together),
            ObjectKind::Counter => of(Counter, together),
            ObjectKind::IdGenerator => of(IdGenerator, together),
        }
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ObjectKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        ObjectKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let known = ObjectKind::ALL.map(ObjectKind::name).join(", ");
            format!("expected an object ({known}), found `{name}`")
        })
    }
}
