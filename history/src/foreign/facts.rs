//! What kind of history a text holds, told from all its functions and the shapes of its values.
//!
//! The rules are a table that reads from top to bottom ([`Facts::object`]). They look at the whole
//! history: a `read` alone does not say whether it reads a register or a set, its answers do.

use super::Format;
use super::event::{Event, Who};
use super::tape::{Form, Kind, Tape};
use super::texts::canonical;
use super::words::{Object, Word};
use crate::EventKind;

/// How a history is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Understanding {
    pub(super) object: Object,
    /// Whether values are pairs `[key value]`, as Jepsen's independent keys are.
    pub(super) keyed: bool,
    /// The accounts that a read of accounts sees.
    pub(super) accounts: Vec<Account>,
    /// Whether the text is our own export, whose numbers of processes are kept.
    pub(super) own: bool,
}

/// What an account is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Account {
    Number(i64),
    Name(String),
}

impl Account {
    /// In JSON a number that is a key stands in quotes.
    pub(super) fn of(form: Form<'_, '_>) -> Account {
        let word = form.word().unwrap_or_default();
        match form.integer().or_else(|| word.parse().ok()) {
            Some(number) => Account::Number(number),
            None => Account::Name(canonical(form, Format::Edn).into_owned()),
        }
    }
}

const INTEGERS: u8 = 1;
const COLLECTIONS: u8 = 2;
const MAPS: u8 = 4;
const TEXTS: u8 = 8;

/// What the events so far have shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// A bit for each [`Word`].
    words: u32,
    /// What reads answered: a bit for each shape.
    answers: u8,
    /// The same, if values are pairs of key and value.
    keyed_answers: u8,
    /// Transactions append, or read lists.
    lists: bool,
    /// Acquisitions bring numbers.
    tokens: bool,
    last_added: Option<i64>,
    /// A number was added twice in a row.
    repeats: bool,
    /// A value could be a pair of key and value.
    pairs: bool,
    /// A value could not.
    others: bool,
    accounts: Vec<Account>,
    pub(super) events: usize,
}

impl Facts {
    pub(super) fn note(&mut self, event: &Event<'_>, tape: &Tape<'_>) {
        self.events += 1;
        if matches!(event.who, Who::Other(_))
            || matches!(event.kind, EventKind::Fail | EventKind::Info)
        {
            return;
        }
        let value = event.value(tape);
        let Some(word) = word(event.function, value) else { return };
        self.words |= 1 << word as u32;
        if word == Word::Transaction {
            self.others = true;
            self.lists = self.lists || value.is_some_and(speaks_of_lists);
            return;
        }
        let pair = value
            .and_then(pair)
            .filter(|(_, of_key)| word != Word::Cas || of_key.is_some_and(Form::is_vector));
        // A completion need not say again what was asked.
        let silent = event.kind == EventKind::Ok && value.is_none_or(Form::is_nil);
        match pair {
            Some(_) if event.key.is_none() => self.pairs = true,
            _ => self.others |= !silent,
        }
        let answered = event.kind == EventKind::Ok;
        match word {
            Word::Read | Word::Get if answered => {
                self.answers |= value.map_or(0, shape);
                self.keyed_answers |= pair.and_then(|(_, it)| it).map_or(0, shape);
                if self.accounts.is_empty()
                    && let Some(map) = value.filter(|it| it.kind() == Kind::Map)
                {
                    self.accounts = map.items().step_by(2).map(Account::of).collect();
                    self.accounts.sort();
                    self.accounts.dedup();
                }
            }
            Word::Acquire if answered => {
                let token = |it: Option<Form<'_, '_>>| it.is_some_and(|it| it.integer().is_some());
                self.tokens |= token(value) || token(pair.and_then(|(_, it)| it));
            }
            Word::Add if !answered => {
                let added = value.and_then(Form::integer);
                self.repeats |= added.is_some() && added == self.last_added;
                self.last_added = added;
            }
            _ => {}
        }
    }

    pub(super) fn understanding(&self) -> Understanding {
        let keyed = self.pairs && !self.others;
        let object = self.object(if keyed { self.keyed_answers } else { self.answers });
        let accounts = match object {
            Object::Accounts => self.accounts.clone(),
            _ => Vec::new(),
        };
        Understanding { object, keyed, accounts, own: false }
    }

    /// Maps are read that nobody writes as they are.
    fn is_of_accounts(&self) -> bool {
        let writes = [Word::Write, Word::Put, Word::Cas].iter().any(|&word| self.says(word));
        self.answers & MAPS != 0 && !writes && (!self.pairs || self.others)
    }

    fn says(&self, word: Word) -> bool {
        self.words & 1 << word as u32 != 0
    }

    fn object(&self, answers: u8) -> Object {
        let says = |words: &[Word]| words.iter().any(|&word| self.says(word));
        let answers = |shape: u8| answers & shape != 0;
        if says(&[Word::Transaction]) {
            return if self.lists { Object::ListAppend } else { Object::MultiRegister };
        }
        let rules = [
            (says(&[Word::Append]), Object::KeyValue),
            (says(&[Word::Enqueue, Word::Dequeue]), Object::Queue),
            (says(&[Word::Push, Word::Pop]), Object::Stack),
            (says(&[Word::Acquire, Word::Release]) && self.tokens, Object::FencedLock),
            (says(&[Word::Acquire, Word::Release, Word::Lock, Word::Unlock]), Object::Mutex),
            (says(&[Word::Generate]), Object::Ids),
            (says(&[Word::Increment, Word::Decrement]), Object::Counter),
            (says(&[Word::Add]) && answers(COLLECTIONS), Object::Set),
            (says(&[Word::Add]) && answers(INTEGERS), Object::Counter),
            (says(&[Word::Add]) && self.repeats, Object::Counter),
            (says(&[Word::Add]), Object::Set),
            (says(&[Word::Transfer]) || self.is_of_accounts(), Object::Accounts),
            (says(&[Word::Cas]), Object::CasRegister),
            (answers(COLLECTIONS), Object::Set),
            (says(&[Word::Get, Word::Put]) && answers(TEXTS), Object::KeyValue),
        ];
        rules.iter().find(|(holds, _)| *holds).map_or(Object::Register, |(_, object)| *object)
    }
}

/// What an event asks. Long-fork histories call a transaction `read` or `write`, and some histories
/// leave its function out.
pub(super) fn word(function: Option<&str>, value: Option<Form<'_, '_>>) -> Option<Word> {
    let word = function.map(Word::of);
    match word {
        Some(Some(word @ (Word::Read | Word::Write))) => match value.is_some_and(is_transaction) {
            true => Some(Word::Transaction),
            false => Some(word),
        },
        Some(word) => word,
        None => value.is_some_and(is_transaction).then_some(Word::Transaction),
    }
}

/// `[[:r 1 nil] [:w 2 3]]`
fn is_transaction(value: Form<'_, '_>) -> bool {
    let step = |item: Form<'_, '_>| {
        let name = item.items().next().filter(|_| item.is_vector() && item.len() >= 2);
        name.and_then(Form::word).is_some_and(|name| Word::of(name).is_some())
    };
    value.is_vector() && value.len() > 0 && value.items().all(step)
}

fn speaks_of_lists(transaction: Form<'_, '_>) -> bool {
    transaction.items().any(|step| {
        let mut items = step.items();
        let name = items.next().and_then(Form::word);
        let answer = items.nth(1);
        name == Some("append")
            || matches!(name, Some("r" | "read")) && answer.is_some_and(Form::is_vector)
    })
}

/// `[key value]`
fn pair<'t, 'a>(value: Form<'t, 'a>) -> Option<(Form<'t, 'a>, Option<Form<'t, 'a>>)> {
    let mut items = value.items();
    let key = items.next()?;
    let is_pair = value.is_vector() && value.len() == 2 && !key.is_container() && !key.is_nil();
    is_pair.then(|| (key, items.next()))
}

fn shape(answer: Form<'_, '_>) -> u8 {
    match answer.kind() {
        Kind::Integer => INTEGERS,
        Kind::Vector | Kind::Set => COLLECTIONS,
        Kind::Map => MAPS,
        Kind::Text | Kind::EscapedText => TEXTS,
        _ => 0,
    }
}
