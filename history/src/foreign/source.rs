//! The events of a text, one by one, whatever its format.

use super::error::{Problem, excerpt};
use super::event::Event;
use super::limo::Calls;
use super::tape::Tape;
use super::{Format, edn, json, log};

/// Reads a text from its beginning to its end.
pub(super) struct Source<'a> {
    format: Format,
    at: usize,
    /// The bracket that ends the vector or list around all events.
    closer: Option<u8>,
    /// Whether there was such a bracket and it is closed.
    closed: bool,
    calls: Calls<'a>,
    /// Lines that tell no event.
    pub(super) skipped: usize,
}

impl<'a> Source<'a> {
    pub(super) fn new(source: &'a str, format: Format) -> Self {
        let at = if source.starts_with('\u{feff}') { 3 } else { 0 };
        Source { format, at, closer: None, closed: false, calls: Calls::default(), skipped: 0 }
    }

    /// The next event, whose forms it puts on the tape.
    pub(super) fn next(&mut self, tape: &mut Tape<'a>) -> Result<Option<Event<'a>>, Problem> {
        match self.format {
            Format::Edn | Format::Json => self.next_map(tape),
            Format::PorcupineLog => log::next(tape, &mut self.at, &mut self.skipped),
            Format::LiMo => self.calls.next(tape, &mut self.at),
            // Sessions have readers of their own.
            Format::Dbcop | Format::Cobra | Format::Plume | Format::Awdit => Ok(None),
        }
    }

    fn next_map(&mut self, tape: &mut Tape<'a>) -> Result<Option<Event<'a>>, Problem> {
        let source = tape.source();
        let bytes = source.as_bytes();
        loop {
            self.at = self.skip_blank(source);
            let start = self.at;
            let Some(&byte) = bytes.get(start) else {
                return match self.closer {
                    None => Ok(None),
                    Some(closer) => {
                        let closer = char::from(closer);
                        let text =
                            format!("expected `{closer}`, found the end of the file; was it cut?");
                        Err(Problem::new(start, text))
                    }
                };
            };
            if self.closer.is_none() && !self.closed {
                // The vector around all events may have a tag, like the events themselves.
                self.at = edn::skip_tag(source, start);
            }
            let byte = bytes.get(self.at).copied().unwrap_or(byte);
            if self.closer.is_none() && !self.closed && matches!(byte, b'[' | b'(') {
                self.closer = Some(if byte == b'[' { b']' } else { b')' });
                self.at += 1;
                continue;
            }
            if matches!(byte, b']' | b')' | b'}') {
                if self.closer != Some(byte) {
                    let found = char::from(byte);
                    return Err(Problem::new(
                        start,
                        format!("expected an operation, found `{found}`"),
                    ));
                }
                (self.closer, self.closed) = (None, true);
                self.at += 1;
                continue;
            }
            if self.closed {
                let found = excerpt(source, start);
                let text =
                    format!("expected the end of the file after its only vector, found {found}");
                return Err(Problem::new(start, text));
            }
            tape.begin(start);
            let form = match self.format {
                Format::Json => json::form(tape, &mut self.at)?,
                _ => edn::form(tape, &mut self.at)?,
            };
            // Without a form, what was there has been dropped (`#_`) and an end follows.
            if form.is_some() {
                return Event::of_map(tape).map(Some);
            }
        }
    }

    fn skip_blank(&self, source: &str) -> usize {
        match self.format {
            // Between operations commas may stand or not.
            Format::Json => {
                let rest = &source.as_bytes()[self.at..];
                let is_blank = |byte: u8| json::is_blank(byte) || byte == b',';
                self.at + rest.iter().position(|it| !is_blank(*it)).unwrap_or(rest.len())
            }
            _ => edn::skip_blank(source, self.at),
        }
    }
}
