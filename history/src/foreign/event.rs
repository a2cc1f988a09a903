//! One line of a foreign history: who said what, and where in the text it stands.

use super::error::{Problem, excerpt};
use super::tape::{Form, Kind, Tape};
use crate::EventKind;

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who<'a> {
    /// The history does not tell.
    Untold,
    /// A client.
    Client(i64),
    /// The nemesis, or whatever else is called by a word.
    Other(&'a str),
}

/// An event. Forms are on the tape and named by their position there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'a> {
    pub(super) byte: usize,
    pub(super) kind: EventKind,
    pub(super) who: Who<'a>,
    pub(super) function: Option<&'a str>,
    /// `None` if there is no such entry; an entry that says nil is a form.
    pub(super) value: Option<u32>,
    pub(super) key: Option<u32>,
    pub(super) time_ns: Option<u64>,
    pub(super) error: Option<u32>,
    pub(super) node: Option<u32>,
    pub(super) version: Option<u32>,
    /// Of the first event only: what our own export says of the whole history.
    pub(super) object: Option<&'a str>,
    pub(super) keyed: bool,
    /// Whether it says that the order between processes means nothing.
    pub(super) no_real_time: bool,
    /// Of faults that our own export wrote.
    pub(super) fault: Option<u32>,
    pub(super) name: Option<u32>,
    pub(super) stage: Option<&'a str>,
    pub(super) nodes: Option<u32>,
}

impl<'a> Event<'a> {
    pub(super) fn new(byte: usize, kind: EventKind, who: Who<'a>) -> Self {
        Event {
            byte,
            kind,
            who,
            function: None,
            value: None,
            key: None,
            time_ns: None,
            error: None,
            node: None,
            version: None,
            object: None,
            keyed: false,
            no_real_time: false,
            fault: None,
            name: None,
            stage: None,
            nodes: None,
        }
    }

    /// Reads the map that is first on the tape.
    pub(super) fn of_map(tape: &Tape<'a>) -> Result<Self, Problem> {
        let map = tape.form(0);
        if map.kind() != Kind::Map {
            let found = excerpt(tape.source(), map.byte());
            let text = format!("expected an operation (a map), found {found}");
            return Err(Problem::new(map.byte(), text));
        }
        let mut event = Event::new(map.byte(), EventKind::Invoke, Who::Untold);
        let mut kind = None;
        let mut items = map.items();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            let Some(name) = key.word() else { continue };
            match name {
                "type" => kind = Some(event_kind(value, tape.source())?),
                "process" => event.who = who(value, tape.source())?,
                "f" => event.function = value.word(),
                "value" => event.value = Some(value.index()),
                "key" => event.key = Some(value.index()),
                "time" => event.time_ns = time_ns(value, tape.source())?,
                "error" => event.error = Some(value.index()),
                "node" => event.node = Some(value.index()),
                "version" => event.version = Some(value.index()),
                "object" => event.object = value.word(),
                "keyed" => event.keyed = value.kind() == Kind::Bool && value.raw() == "true",
                "real-time" => {
                    event.no_real_time = value.kind() == Kind::Bool && value.raw() == "false";
                }
                "fault" => event.fault = value.integer().and_then(|it| u32::try_from(it).ok()),
                "name" => event.name = Some(value.index()),
                "stage" => event.stage = value.word(),
                "nodes" => event.nodes = Some(value.index()),
                _ => {}
            }
        }
        event.kind = kind.ok_or_else(|| {
            let text = "expected an operation with a `type` (invoke, ok, fail or info), found \
                        none; is this a history?";
            Problem::new(map.byte(), text)
        })?;
        Ok(event)
    }

    pub(super) fn value<'t>(&self, tape: &'t Tape<'a>) -> Option<Form<'t, 'a>> {
        self.value.map(|index| tape.form(index))
    }
}

pub(super) fn named_kind(name: &str) -> Option<EventKind> {
    Some(match name {
        "invoke" => EventKind::Invoke,
        "ok" => EventKind::Ok,
        "fail" => EventKind::Fail,
        "info" => EventKind::Info,
        _ => return None,
    })
}

fn event_kind(form: Form<'_, '_>, source: &str) -> Result<EventKind, Problem> {
    form.word().and_then(named_kind).ok_or_else(|| {
        let found = excerpt(source, form.byte());
        let text = format!("expected a type of invoke, ok, fail or info, found {found}");
        Problem::new(form.byte(), text)
    })
}

fn who<'a>(form: Form<'_, 'a>, source: &str) -> Result<Who<'a>, Problem> {
    match (form.integer(), form.word()) {
        (Some(number), _) => Ok(Who::Client(number)),
        (None, Some(word)) => Ok(Who::Other(word)),
        (None, None) if form.is_nil() => Ok(Who::Untold),
        (None, None) => {
            let found = excerpt(source, form.byte());
            let text =
                format!("expected a process (a number, or a word like `nemesis`), found {found}");
            Err(Problem::new(form.byte(), text))
        }
    }
}

/// A negative time is none: what happened before the clock was started.
fn time_ns(form: Form<'_, '_>, source: &str) -> Result<Option<u64>, Problem> {
    let told = match form.integer() {
        Some(number) => Some(u64::try_from(number).ok()),
        None if form.is_nil() => Some(None),
        None => form.raw().parse().ok().map(Some),
    };
    told.ok_or_else(|| {
        let found = excerpt(source, form.byte());
        let text = format!("expected a time in whole nanoseconds, found {found}");
        Problem::new(form.byte(), text)
    })
}
