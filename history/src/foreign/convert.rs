//! Makes a [`History`](crate::History) of events, by what their words mean.

use std::collections::BTreeMap;

use super::clock::Clock;
use super::error::{Problem, excerpt};
use super::event::{Event, Who};
use super::facts::{Account, Understanding, word};
use super::faults::Faults;
use super::processes::Processes;
use super::tape::{Form, Kind, Tape};
use super::texts::canonical;
use super::untold::Untold;
use super::words::{Ask, Object, Word};
use super::{Format, Options};
use crate::{
    Elements, Entry, EventKind, EventRef, FaultEvent, FaultStage, HistoryBuilder, Key, MicroOp,
    Names, NodeId, Process, Reading, Value, Version,
};

/// The key of histories of one object.
const ONLY_KEY: Key = 0;

pub(super) struct Converter {
    pub(super) builder: HistoryBuilder,
    pub(super) clock: Clock,
    pub(super) processes: Processes,
    format: Format,
    object: Object,
    keyed: bool,
    /// Whether a read of nil tells nothing, for what the object held at first is known.
    nil_tells_nothing: bool,
    accounts: Vec<Account>,
    untold: Untold,
    faults: Faults,
    /// Of the event at hand.
    micro_ops: Vec<MicroOp>,
}

impl Converter {
    pub(super) fn new(format: Format, understanding: &Understanding, options: &Options) -> Self {
        Self {
            builder: HistoryBuilder::new(),
            clock: Clock::default(),
            processes: Processes::new(understanding.own),
            format,
            object: understanding.object,
            keyed: understanding.keyed,
            nil_tells_nothing: options.initial.is_some(),
            accounts: understanding.accounts.clone(),
            untold: Untold::default(),
            faults: Faults::default(),
            micro_ops: Vec::new(),
        }
    }

    /// Takes the next event.
    pub(super) fn event<'a>(&mut self, event: &Event<'a>, tape: &Tape<'a>) -> Result<(), Problem> {
        let invokes = event.kind == EventKind::Invoke;
        if event.no_real_time {
            self.builder.forget_real_time();
        }
        let (process, time_ns) = match event.who {
            Who::Other(_) => return self.fault(event, tape),
            Who::Untold => {
                let time_ns = self.clock.tell(event.byte, event.time_ns, None)?;
                (None, time_ns)
            }
            Who::Client(number) => {
                // A thread of LiMo that calls again has left its last call for good.
                if invokes && self.format == Format::LiMo {
                    let process = self.processes.client(number, false).process;
                    if self.builder.asked(process).is_some() {
                        self.processes.retire(number);
                    }
                }
                let client = self.processes.client(number, invokes);
                let time_ns = self.clock.tell(event.byte, event.time_ns, client.last_ns)?;
                client.last_ns = event.time_ns.or(client.last_ns);
                (Some(client.process), time_ns)
            }
        };
        self.micro_ops.clear();
        let process = match (process, event.kind) {
            (Some(process), EventKind::Invoke) => {
                self.ask(event, tape)?;
                process
            }
            (None, EventKind::Invoke) => {
                self.ask(event, tape)?;
                self.untold.invoke(&self.micro_ops)
            }
            (Some(process), EventKind::Ok) => {
                self.answer(process, event, tape)?;
                process
            }
            (Some(process), _) => process,
            (None, _) => self.untold_completion(event, tape)?,
        };
        if let (Who::Client(number), EventKind::Info) = (event.who, event.kind)
            && self
                .builder
                .asked(process)
                .is_some_and(|asked| asked.iter().any(MicroOp::is_mutation))
        {
            self.processes.retire(number);
        }
        let node = event.node.and_then(|index| tape.form(index).word()?.parse().ok());
        let error = match invokes {
            true => None,
            false => event.error.map(|index| told(tape.form(index), self.format)),
        };
        let version = event.version.and_then(|index| version(tape.form(index)));
        let micro_ops = match event.kind {
            EventKind::Invoke | EventKind::Ok => self.micro_ops.as_slice(),
            EventKind::Fail | EventKind::Info => &[],
        };
        let kind = event.kind;
        let error = error.as_deref();
        self.builder
            .push_event(&EventRef { time_ns, process, kind, micro_ops, node, version, error })
            .map_err(|error| Problem::new(event.byte, error.problem))
    }

    /// What an event asks.
    fn ask<'a>(&mut self, event: &Event<'a>, tape: &Tape<'a>) -> Result<(), Problem> {
        self.read_micro_ops(event, tape, false)
    }

    /// What an `ok` completion answers. One that says no value repeats what was asked.
    fn answer<'a>(
        &mut self,
        process: Process,
        event: &Event<'a>,
        tape: &Tape<'a>,
    ) -> Result<(), Problem> {
        // Without a question it is refused below, whatever it says.
        let Some(asked) = self.builder.asked(process) else { return Ok(()) };
        let silent = match (event.value(tape), self.keyed) {
            (None, _) => true,
            (Some(value), false) => value.is_nil() && asked.iter().all(is_silent),
            (Some(value), true) => {
                let of_key = value.items().nth(1);
                asked.iter().all(is_silent) && of_key.is_none_or(Form::is_nil)
            }
        };
        if silent {
            self.micro_ops.extend_from_slice(asked);
            return Ok(());
        }
        self.read_micro_ops(event, tape, true)
    }

    fn untold_completion<'a>(
        &mut self,
        event: &Event<'a>,
        tape: &Tape<'a>,
    ) -> Result<Process, Problem> {
        let ok = event.kind == EventKind::Ok;
        let process = match self.untold.only() {
            Some(only) if ok => {
                self.answer(only, event, tape)?;
                Some(only)
            }
            Some(only) => Some(only),
            None => {
                self.read_micro_ops(event, tape, ok)?;
                self.untold.asked(&self.micro_ops)
            }
        };
        let Some(process) = process else {
            let text = "expected a `process`, for this completion could be of several open \
                        operations or of none, found none; give every event its process";
            return Err(Problem::new(event.byte, text));
        };
        self.untold.complete(process, event.kind);
        Ok(process)
    }

    fn read_micro_ops<'a>(
        &mut self,
        event: &Event<'a>,
        tape: &Tape<'a>,
        answered: bool,
    ) -> Result<(), Problem> {
        let value = event.value(tape);
        let Some(word) = word(event.function, value) else {
            return Err(unknown(event, event.function));
        };
        let Some(ask) = word.ask(self.object) else {
            let Some(value) = value.filter(|it| it.is_vector()) else {
                let found = described(value, tape);
                let text =
                    format!("expected a transaction like [[:r 1 nil] [:w 2 3]], found {found}");
                return Err(Problem::new(value.map_or(event.byte, Form::byte), text));
            };
            return value.items().try_for_each(|step| self.step(step, tape, answered));
        };
        if self.object == Object::Accounts && ask == Ask::Read {
            return self.accounts(event, value, answered);
        }
        if ask == Ask::Transfer && !value.is_some_and(Form::is_vector) {
            let transfer = self.transfer(value);
            let place = value.map_or(event.byte, Form::byte);
            let transfer =
                transfer.ok_or_else(|| not_a_transfer(place, &described(value, tape)))?;
            self.micro_ops.push(transfer);
            return Ok(());
        }
        let (key, value) = self.key_and_value(event, tape)?;
        let micro_op = self.micro_op(ask, key, value, answered, event.byte)?;
        self.micro_ops.push(micro_op);
        Ok(())
    }

    fn key_and_value<'t, 'a>(
        &mut self,
        event: &Event<'a>,
        tape: &'t Tape<'a>,
    ) -> Result<(Key, Option<Form<'t, 'a>>), Problem> {
        let value = event.value(tape);
        if let Some(index) = event.key {
            return Ok((self.key(tape.form(index))?, value));
        }
        if !self.keyed {
            return Ok((ONLY_KEY, value));
        }
        let pair = value.filter(|it| it.is_vector() && matches!(it.len(), 1 | 2));
        let mut items = pair.into_iter().flat_map(Form::items);
        match items.next() {
            Some(key) => Ok((self.key(key)?, items.next())),
            None => {
                let found = described(value, tape);
                let text = format!(
                    "expected a pair of key and value, as in other operations, found {found}"
                );
                Err(Problem::new(value.map_or(event.byte, Form::byte), text))
            }
        }
    }

    /// One step of a transaction: `[:w 2 3]`.
    fn step<'a>(
        &mut self,
        step: Form<'_, 'a>,
        tape: &Tape<'a>,
        answered: bool,
    ) -> Result<(), Problem> {
        let mut items = step.items().take(if step.is_vector() { 3 } else { 0 });
        let name = items.next().and_then(Form::word);
        let ask = name.and_then(Word::of).and_then(|word| word.ask(self.object));
        let (Some(ask), Some(key)) = (ask, items.next()) else {
            let found = excerpt(tape.source(), step.byte());
            let text = format!("expected a step of a transaction like [:r 1 nil], found {found}");
            return Err(Problem::new(step.byte(), text));
        };
        let key = self.key(key)?;
        let micro_op = self.micro_op(ask, key, items.next(), answered, step.byte())?;
        self.micro_ops.push(micro_op);
        Ok(())
    }

    /// A read of all accounts at once.
    fn accounts(
        &mut self,
        event: &Event<'_>,
        value: Option<Form<'_, '_>>,
        answered: bool,
    ) -> Result<(), Problem> {
        let map = value.filter(|it| answered && it.kind() == Kind::Map);
        let mut balances = BTreeMap::new();
        let mut items = map.into_iter().flat_map(Form::items);
        while let (Some(account), Some(balance)) = (items.next(), items.next()) {
            balances.insert(Account::of(account), balance);
        }
        let wrong = map.is_none() || !balances.keys().eq(&self.accounts);
        if answered && value.is_some_and(|it| !it.is_nil()) && wrong {
            let text = format!(
                "expected a map of the same {} accounts as in the first read, found another answer",
                self.accounts.len()
            );
            return Err(Problem::new(value.map_or(event.byte, Form::byte), text));
        }
        for index in 0..self.accounts.len() {
            let account = self.accounts[index].clone();
            let key = self.account(&account);
            let balance = balances.get(&account);
            let result = balance.map(|form| self.reading(*form)).transpose()?.flatten();
            self.micro_ops.push(MicroOp::Read { key, result });
        }
        Ok(())
    }

    fn account(&mut self, account: &Account) -> Key {
        let names = self.builder.names();
        match account {
            Account::Number(number) if Names::is_plain(*number) => *number,
            Account::Number(number) => names.number(&number.to_string()),
            Account::Name(name) => names.number(name),
        }
    }

    /// `{:from 1, :to 2, :amount 5}`; `None` if it is not like this.
    fn transfer(&mut self, value: Option<Form<'_, '_>>) -> Option<MicroOp> {
        let map = value.filter(|it| it.kind() == Kind::Map)?;
        let mut parts = [None; 3];
        let mut items = map.items();
        while let (Some(name), Some(value)) = (items.next(), items.next()) {
            let part = ["from", "to", "amount"].iter().position(|it| name.word() == Some(*it));
            if let Some(part) = part {
                parts[part] = Some(value).filter(|it| !it.is_nil());
            }
        }
        let [from, to, amount] = parts;
        let amount = amount?.integer()?;
        let [from, to] = [from?, to?].map(|it| self.account(&Account::of(it)));
        Some(MicroOp::Transfer { from, to, amount })
    }

    fn micro_op(
        &mut self,
        ask: Ask,
        key: Key,
        value: Option<Form<'_, '_>>,
        answered: bool,
        byte: usize,
    ) -> Result<MicroOp, Problem> {
        let answer = value.filter(|_| answered);
        Ok(match ask {
            Ask::Read => MicroOp::Read { key, result: self.optional_reading(answer)? },
            Ask::Inspect => MicroOp::Inspect { key, result: self.optional_reading(answer)? },
            Ask::Write => MicroOp::Write { key, value: self.argument(value, byte)? },
            Ask::Cas => {
                let mut pair = value.filter(|it| it.is_vector() && it.len() == 2).map(Form::items);
                let mut next = || pair.as_mut().and_then(Iterator::next);
                let (Some(old), Some(new)) = (next(), next()) else {
                    let text = "expected a compare-and-set like [1 2], found something else";
                    return Err(Problem::new(value.map_or(byte, Form::byte), text));
                };
                let (old, new) = (self.argument(Some(old), byte)?, self.argument(Some(new), byte)?);
                MicroOp::Cas { key, old, new }
            }
            Ask::Add => MicroOp::Add { key, value: self.argument(value, byte)? },
            Ask::ReadSet => MicroOp::ReadSet { key, result: self.elements(answer)? },
            Ask::InspectSet => MicroOp::InspectSet { key, result: self.elements(answer)? },
            Ask::Increment => MicroOp::Increment { key, delta: delta(value, byte)? },
            Ask::Decrement => {
                let delta = delta(value, byte)?.checked_neg();
                let Some(delta) = delta else {
                    let text =
                        "expected a decrement that can be negated, found the smallest number";
                    return Err(Problem::new(byte, text));
                };
                MicroOp::Increment { key, delta }
            }
            Ask::ReadCounter => MicroOp::ReadCounter { key, result: number(answer)? },
            Ask::InspectCounter => MicroOp::InspectCounter { key, result: number(answer)? },
            Ask::Acquire => MicroOp::Acquire { key, token: number(answer)? },
            Ask::Release => {
                let Some(token) = number(value)? else {
                    let text = "expected the token that the acquisition brought, found none; is it \
                                a mutex without tokens? then say `mutex`";
                    return Err(Problem::new(byte, text));
                };
                MicroOp::Release { key, token }
            }
            Ask::Append => MicroOp::Append { key, value: self.argument(value, byte)? },
            Ask::ReadList => {
                // A list that was never appended to may be nil.
                let result = match answer.is_some_and(Form::is_nil) {
                    true => Some(Elements::from([])),
                    false => self.elements(answer)?,
                };
                MicroOp::ReadList { key, result }
            }
            Ask::Enqueue => MicroOp::Enqueue { key, value: self.argument(value, byte)? },
            Ask::Dequeue => MicroOp::Dequeue { key, result: self.taken(answer)? },
            Ask::Push => MicroOp::Push { key, value: self.argument(value, byte)? },
            Ask::Pop => MicroOp::Pop { key, result: self.taken(answer)? },
            Ask::Lock => MicroOp::Lock { key },
            Ask::Unlock => MicroOp::Unlock { key },
            Ask::Generate => {
                let id = answer.filter(|it| !it.is_nil());
                MicroOp::Generate { key, result: id.map(|it| self.value(it)).transpose()? }
            }
            Ask::Transfer => {
                let pair = value.filter(|it| it.is_vector() && it.len() == 2);
                let mut items = pair.into_iter().flat_map(Form::items);
                let (to, amount) = (items.next(), items.next().and_then(Form::integer));
                let (Some(to), Some(amount)) = (to, amount) else {
                    let place = value.map_or(byte, Form::byte);
                    return Err(not_a_transfer(place, "another value"));
                };
                MicroOp::Transfer { from: key, to: self.key(to)?, amount }
            }
        })
    }

    fn key(&mut self, form: Form<'_, '_>) -> Result<Key, Problem> {
        match form.integer() {
            Some(number) if Names::is_plain(number) => Ok(number),
            _ if form.is_nil() => Err(Problem::new(form.byte(), "expected a key, found nil")),
            _ => Ok(self.builder.names().number(&canonical(form, self.format))),
        }
    }

    /// What a form that is not nil is here: a number for itself, anything else by its text. The
    /// texts of key-value histories are as they are, for what is read is compared with what was
    /// appended piece by piece.
    fn value(&mut self, form: Form<'_, '_>) -> Result<Value, Problem> {
        if let Some(number) = form.integer().filter(|number| Names::is_plain(*number)) {
            return Ok(number);
        }
        if form.is_nil() {
            return Err(Problem::new(form.byte(), "expected a value, found nil"));
        }
        let text = match self.object {
            Object::KeyValue => form.text(),
            _ => None,
        };
        let text = text.unwrap_or_else(|| canonical(form, self.format));
        Ok(self.builder.names().number(&text))
    }

    fn argument(&mut self, value: Option<Form<'_, '_>>, byte: usize) -> Result<Value, Problem> {
        match value {
            Some(form) => self.value(form),
            None => Err(Problem::new(byte, "expected a value, found none")),
        }
    }

    fn reading(&mut self, form: Form<'_, '_>) -> Result<Option<Reading>, Problem> {
        match form.is_nil() {
            true if self.nil_tells_nothing => Ok(None),
            true => Ok(Some(Reading::Nil)),
            false => Ok(Some(Reading::Value(self.value(form)?))),
        }
    }

    fn optional_reading(
        &mut self,
        answer: Option<Form<'_, '_>>,
    ) -> Result<Option<Reading>, Problem> {
        answer.map_or(Ok(None), |form| self.reading(form))
    }

    /// What was taken out of a collection; nil if it was empty.
    fn taken(&mut self, answer: Option<Form<'_, '_>>) -> Result<Option<Reading>, Problem> {
        let Some(form) = answer else { return Ok(None) };
        match form.is_nil() {
            true => Ok(Some(Reading::Nil)),
            false => Ok(Some(Reading::Value(self.value(form)?))),
        }
    }

    fn elements(&mut self, answer: Option<Form<'_, '_>>) -> Result<Option<Elements>, Problem> {
        let Some(form) = answer.filter(|it| !it.is_nil()) else { return Ok(None) };
        if !matches!(form.kind(), Kind::Vector | Kind::Set) {
            let text = "expected the elements that were read (a vector, list or set), found \
                        something else";
            return Err(Problem::new(form.byte(), text));
        }
        form.items().map(|item| self.value(item)).collect::<Result<_, _>>().map(Some)
    }

    fn fault<'a>(&mut self, event: &Event<'a>, tape: &Tape<'a>) -> Result<(), Problem> {
        let time_ns = self.clock.tell(event.byte, event.time_ns, None)?;
        let named = event.name.and_then(|index| tape.form(index).text());
        let function = named.as_deref().or(event.function).unwrap_or("fault");
        let detail = event.value(tape).filter(|it| !it.is_nil());
        let detail = detail.map(|it| told(it, self.format)).unwrap_or_default();
        let stages =
            [FaultStage::Applied, FaultStage::Observed, FaultStage::Failed, FaultStage::Undone];
        let stage = stages.into_iter().find(|stage| Some(stage.name()) == event.stage);
        let (fault, name, stage) = match (event.fault, stage) {
            (Some(fault), Some(stage)) => (fault, function.to_owned(), stage),
            _ => self.faults.named(function),
        };
        let nodes = event.nodes.map(|index| tape.form(index));
        let nodes = nodes.into_iter().flat_map(Form::items);
        let nodes = nodes.filter_map(|node| node.word()?.parse::<NodeId>().ok()).collect();
        let fault = FaultEvent { time_ns, fault, stage, name, nodes, detail };
        self.builder
            .push(Entry::Fault(fault))
            .map_err(|error| Problem::new(event.byte, error.problem))
    }
}

fn not_a_transfer(byte: usize, found: &str) -> Problem {
    let text = format!(
        "expected a transfer like {{:from 1, :to 2, :amount 5}}, of a whole number, found {found}"
    );
    Problem::new(byte, text)
}

/// Whether nothing can be answered to it.
fn is_silent(micro_op: &MicroOp) -> bool {
    micro_op.argument().is_some()
        || matches!(micro_op, MicroOp::Lock { .. } | MicroOp::Unlock { .. })
}

/// What an error or a fault says, for people.
fn told(form: Form<'_, '_>, format: Format) -> String {
    match (form.text(), form.word()) {
        (Some(text), _) => text.into_owned(),
        (None, Some(word)) => word.trim_start_matches(':').to_owned(),
        (None, None) => canonical(form, format).into_owned(),
    }
}

fn version(form: Form<'_, '_>) -> Option<Version> {
    let mut items = form.items();
    let mut number = || items.next().and_then(|item| item.raw().parse().ok());
    Some(Version { epoch: number()?, position: number()? })
}

/// By how much a counter is incremented; by one if nothing is said.
fn delta(value: Option<Form<'_, '_>>, byte: usize) -> Result<Value, Problem> {
    match value.filter(|it| !it.is_nil()) {
        None => Ok(1),
        Some(form) => form.integer().ok_or_else(|| {
            let byte = byte.max(form.byte());
            Problem::new(byte, "expected a whole number to add, found something else")
        }),
    }
}

fn number(answer: Option<Form<'_, '_>>) -> Result<Option<Value>, Problem> {
    match answer.filter(|it| !it.is_nil()) {
        None => Ok(None),
        Some(form) => form.integer().map(Some).ok_or_else(|| {
            Problem::new(form.byte(), "expected a whole number, found something else")
        }),
    }
}

fn described(value: Option<Form<'_, '_>>, tape: &Tape<'_>) -> String {
    value.map_or("none".to_owned(), |form| excerpt(tape.source(), form.byte()))
}

fn unknown(event: &Event<'_>, function: Option<&str>) -> Problem {
    let text = match function {
        None => "expected an operation with a function (`f`), found none".to_owned(),
        Some(function) => format!(
            "expected a function of registers, key-value stores, lists, sets, counters, queues, \
             stacks, locks, ids, accounts or transactions of reads and writes, found `{function}`; what it \
             does cannot be said here: leave such operations out, or write them as transactions"
        ),
    };
    Problem::new(event.byte, text)
}
