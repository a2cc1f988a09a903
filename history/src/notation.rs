//! A history as a drawing: one line per process, time runs to the right.
//!
//! ```text
//! p0: w(x,1)-----      r(x)=1--
//! p1:        r(x)=nil--!
//! p2:   cas(x,1,2)--?            i(x)=1@n3
//! ```
//!
//! An operation lasts from its first column to its last; dashes make it longer. It ends `ok`, or
//! with `!` as `fail`, with `?` as `info` (unknown). After the operation may stand `@n3`, the node
//! that executed it, and `#2.57`, its version (epoch and position). Functions: `w(key,value)`,
//! `r(key)=value`, `cas(key,old,new)`, `i(key)=value` (inspect); of sets `add(key,element)`,
//! `rs(key)={1,2}` (read-set), `is(key)={1,2}` (inspect-set); of counters `inc(key,delta)`,
//! `rc(key)=5` (read-counter), `ic(key)=5` (inspect-counter); of locks `acq(key)=token` and
//! `rel(key,token)`; of accounts `move(from,to,amount)`. A transaction of several is
//! `w(x,1);r(y)=2`. A key is a letter or a number
//! (`a` is 0, `x` is 23); a value is a number or `nil`; an unanswered read has no `=`.
//! Where an end and a beginning share a column, the two overlap. A line's name is its process.
//! A column is a millisecond. Every test of the workspace that needs a history writes it so.

use std::fmt::{Display, Write as _};
use std::str::FromStr;

use thiserror::Error;

use crate::{
    Elements, Entry, Event, EventKind, History, HistoryBuilder, Key, MicroOp, Operation, Outcome,
    Process, Reading, Value, Version,
};

const COLUMN_NS: u64 = 1_000_000;

/// What is wrong with a drawing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct NotationError {
    /// Line of the drawing, from 1.
    pub line: usize,
    /// Column of the line, from 1.
    pub column: usize,
    /// What was expected and what was found.
    pub problem: String,
}

/// The name of a key in drawings and reports: a letter for the first 26, else its number.
pub fn key_name(key: Key) -> String {
    match u8::try_from(key) {
        Ok(letter) if letter < 26 => char::from(b'a' + letter).to_string(),
        _ => key.to_string(),
    }
}

impl History {
    /// Reads a drawing; see the module `notation` for its rules.
    ///
    /// # Errors
    /// If a line has no process, an operation cannot be read, or the history is malformed.
    pub fn parse_notation(drawing: &str) -> Result<History, NotationError> {
        let mut drawn = Vec::new();
        for (index, line) in drawing.lines().enumerate() {
            parse_line(index + 1, line, &mut drawn).map_err(|(column, problem)| NotationError {
                line: index + 1,
                column: column + 1,
                problem,
            })?;
        }
        // Beginnings come before ends in the same column: touching operations overlap.
        let mut events: Vec<(usize, bool, usize, Event)> = Vec::new();
        for operation in drawn {
            let Drawn { line, begin, end, completion } = operation;
            let mut invocation = completion.clone();
            invocation.kind = EventKind::Invoke;
            invocation.node = None;
            invocation.version = None;
            events.push((begin, false, line, invocation));
            events.push((end, true, line, completion));
        }
        events.sort_by_key(|(column, is_end, ..)| (*column, *is_end));
        let mut builder = HistoryBuilder::new();
        for (column, _, line, mut event) in events {
            event.time_ns = column as u64 * COLUMN_NS;
            builder.push(Entry::Operation(event)).map_err(|error| NotationError {
                line,
                column: column + 1,
                problem: error.problem,
            })?;
        }
        Ok(builder.finish())
    }

    /// Draws the history, so that a failing test can be read and its history pasted into another.
    /// Only the order of events is kept, not the distances between them; faults and errors are left
    /// out, and an operation whose completion was never recorded ends with `?` like any other whose
    /// outcome is unknown.
    pub fn to_notation(&self) -> String {
        let mut drawing = String::new();
        let columns = self.event_columns();
        let processes = self.by_process();
        let label = |process: &Process| format!("{process}: ");
        let start = processes.keys().map(|process| label(process).len()).max().unwrap_or(0);
        for (process, ids) in processes {
            let mut line = label(&process);
            for id in ids {
                let operation = self.get(id);
                while line.len() < start + columns[operation.invoked as usize] {
                    line.push(' ');
                }
                line.push_str(&operation_text(&operation));
                let end = operation.completed.map_or(0, |entry| columns[entry as usize]);
                let mark = match operation.outcome {
                    Outcome::Ok => "-",
                    Outcome::Fail => "!",
                    Outcome::Info => "?",
                };
                while line.len() < start + end {
                    line.push('-');
                }
                line.push_str(mark);
            }
            drawing.push_str(&line);
            drawing.push('\n');
        }
        drawing
    }

    /// A column for each entry, with room for the text of the operations that begin there.
    fn event_columns(&self) -> Vec<usize> {
        let mut columns = vec![0; self.entries()];
        let mut ends = vec![None; self.entries()];
        let mut begins = vec![false; self.entries()];
        for operation in self.iter() {
            begins[operation.invoked as usize] = true;
            if let Some(completed) = operation.completed {
                ends[completed as usize] = Some(operation);
            }
        }
        let mut column = 0;
        for entry in 0..columns.len() {
            if let Some(operation) = ends[entry] {
                let begin = columns[operation.invoked as usize];
                column = column.max(begin + operation_text(&operation).len());
            }
            columns[entry] = column;
            column += 1 + usize::from(!begins[entry]);
        }
        columns
    }
}

fn operation_text(operation: &Operation<'_>) -> String {
    let mut text = String::new();
    for (index, micro_op) in operation.micro_ops.iter().enumerate() {
        if index > 0 {
            text.push(';');
        }
        let key = key_name(micro_op.key());
        // Writing into a string cannot fail.
        let _ = match micro_op {
            MicroOp::Read { result, .. } => write!(text, "r({key}){}", answer(*result)),
            MicroOp::Inspect { result, .. } => write!(text, "i({key}){}", answer(*result)),
            MicroOp::Write { value, .. } => write!(text, "w({key},{value})"),
            MicroOp::Cas { old, new, .. } => write!(text, "cas({key},{old},{new})"),
            MicroOp::Add { value, .. } => write!(text, "add({key},{value})"),
            MicroOp::ReadSet { result, .. } => {
                write!(text, "rs({key}){}", answer(result.as_ref().map(set)))
            }
            MicroOp::InspectSet { result, .. } => {
                write!(text, "is({key}){}", answer(result.as_ref().map(set)))
            }
            MicroOp::Increment { delta, .. } => write!(text, "inc({key},{delta})"),
            MicroOp::ReadCounter { result, .. } => write!(text, "rc({key}){}", answer(*result)),
            MicroOp::InspectCounter { result, .. } => write!(text, "ic({key}){}", answer(*result)),
            MicroOp::Acquire { token, .. } => write!(text, "acq({key}){}", answer(*token)),
            MicroOp::Release { token, .. } => write!(text, "rel({key},{token})"),
            MicroOp::Append { value, .. } => write!(text, "app({key},{value})"),
            MicroOp::ReadList { result, .. } => {
                write!(text, "rl({key}){}", answer(result.as_ref().map(set)))
            }
            MicroOp::Enqueue { value, .. } => write!(text, "enq({key},{value})"),
            MicroOp::Dequeue { result, .. } => write!(text, "deq({key}){}", answer(*result)),
            MicroOp::Push { value, .. } => write!(text, "push({key},{value})"),
            MicroOp::Pop { result, .. } => write!(text, "pop({key}){}", answer(*result)),
            MicroOp::Lock { .. } => write!(text, "lock({key})"),
            MicroOp::Unlock { .. } => write!(text, "unlock({key})"),
            MicroOp::Generate { result, .. } => write!(text, "gen({key}){}", answer(*result)),
            MicroOp::Transfer { to, amount, .. } => {
                write!(text, "move({key},{},{amount})", key_name(*to))
            }
        };
    }
    if let Some(node) = operation.served_by {
        let _ = write!(text, "@{node}");
    }
    if let Some(version) = operation.version {
        let _ = write!(text, "#{version}");
    }
    text
}

fn answer(result: Option<impl Display>) -> String {
    result.map_or(String::new(), |it| format!("={it}"))
}

fn set(elements: &Elements) -> String {
    let elements: Vec<_> = elements.iter().map(ToString::to_string).collect();
    format!("{{{}}}", elements.join(","))
}

struct Drawn {
    line: usize,
    begin: usize,
    end: usize,
    completion: Event,
}

/// A problem and the column where it is.
type Problem = (usize, String);

fn parse_line(number: usize, line: &str, drawn: &mut Vec<Drawn>) -> Result<(), Problem> {
    if line.trim().is_empty() {
        return Ok(());
    }
    let expected_name = || (0, format!("expected a process like `p0:`, found `{}`", line.trim()));
    let (name, _) = line.split_once(':').ok_or_else(expected_name)?;
    let process = name
        .trim()
        .strip_prefix('p')
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .map(Process)
        .ok_or_else(expected_name)?;
    let mut cursor = Cursor { text: line.as_bytes(), at: name.len() + 1 };
    while cursor.skip_spaces() {
        drawn.push(parse_operation(&mut cursor, number, process)?);
    }
    Ok(())
}

fn parse_operation(
    cursor: &mut Cursor<'_>,
    line: usize,
    process: Process,
) -> Result<Drawn, Problem> {
    let begin = cursor.at;
    let mut micro_ops = vec![parse_micro_op(cursor)?];
    while cursor.take(b';') {
        micro_ops.push(parse_micro_op(cursor)?);
    }
    let node = match cursor.take(b'@') {
        true => Some(cursor.word()?.parse().map_err(|problem| (begin, problem))?),
        false => None,
    };
    let version = match cursor.take(b'#') {
        true => {
            let epoch = cursor.unsigned()?;
            cursor.expect(b'.')?;
            Some(Version { epoch, position: cursor.unsigned()? })
        }
        false => None,
    };
    while cursor.take(b'-') {}
    let kind = match cursor.peek() {
        Some(b'!') => EventKind::Fail,
        Some(b'?') => EventKind::Info,
        _ => EventKind::Ok,
    };
    if kind != EventKind::Ok {
        cursor.at += 1;
    }
    let completion = Event { time_ns: 0, process, kind, micro_ops, node, version, error: None };
    Ok(Drawn { line, begin, end: cursor.at - 1, completion })
}

fn parse_micro_op(cursor: &mut Cursor<'_>) -> Result<MicroOp, Problem> {
    let begin = cursor.at;
    let function = cursor.word()?;
    cursor.expect(b'(')?;
    let key = cursor.key()?;
    Ok(match function {
        "r" => MicroOp::Read { key, result: cursor.answer(Cursor::reading)? },
        "w" => MicroOp::Write { key, value: cursor.last_argument()? },
        "cas" => {
            let old = cursor.argument()?;
            MicroOp::Cas { key, old, new: cursor.last_argument()? }
        }
        "i" => MicroOp::Inspect { key, result: cursor.answer(Cursor::reading)? },
        "add" => MicroOp::Add { key, value: cursor.last_argument()? },
        "rs" => MicroOp::ReadSet { key, result: cursor.answer(Cursor::elements)? },
        "is" => MicroOp::InspectSet { key, result: cursor.answer(Cursor::elements)? },
        "inc" => MicroOp::Increment { key, delta: cursor.last_argument()? },
        "rc" => MicroOp::ReadCounter { key, result: cursor.answer(Cursor::number)? },
        "ic" => MicroOp::InspectCounter { key, result: cursor.answer(Cursor::number)? },
        "acq" => MicroOp::Acquire { key, token: cursor.answer(Cursor::number)? },
        "rel" => MicroOp::Release { key, token: cursor.last_argument()? },
        "app" => MicroOp::Append { key, value: cursor.last_argument()? },
        "rl" => MicroOp::ReadList { key, result: cursor.answer(Cursor::elements)? },
        "enq" => MicroOp::Enqueue { key, value: cursor.last_argument()? },
        "deq" => MicroOp::Dequeue { key, result: cursor.answer(Cursor::reading)? },
        "push" => MicroOp::Push { key, value: cursor.last_argument()? },
        "pop" => MicroOp::Pop { key, result: cursor.answer(Cursor::reading)? },
        "lock" => {
            cursor.expect(b')')?;
            MicroOp::Lock { key }
        }
        "unlock" => {
            cursor.expect(b')')?;
            MicroOp::Unlock { key }
        }
        "gen" => MicroOp::Generate { key, result: cursor.answer(Cursor::number)? },
        "move" => {
            cursor.expect(b',')?;
            MicroOp::Transfer { from: key, to: cursor.key()?, amount: cursor.last_argument()? }
        }
        other => {
            let known = "r w cas i add rs is inc rc ic acq rel app rl enq deq push pop lock \
                         unlock gen move";
            return Err((begin, format!("expected one of `{known}`, found `{other}`")));
        }
    })
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Moves to the next operation; false at the end of the line.
    fn skip_spaces(&mut self) -> bool {
        while self.take(b' ') {}
        self.at < self.text.len()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Problem> {
        match self.take(byte) {
            true => Ok(()),
            false => Err((self.at, format!("expected `{}`, found {}", byte as char, self.found()))),
        }
    }

    fn word(&mut self) -> Result<&'a str, Problem> {
        let begin = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            self.at += 1;
        }
        let word = std::str::from_utf8(&self.text[begin..self.at]).expect("it is ASCII");
        match word.is_empty() {
            true => Err((begin, format!("expected a word, found {}", self.found()))),
            false => Ok(word),
        }
    }

    fn key(&mut self) -> Result<Key, Problem> {
        match self.peek() {
            Some(letter @ b'a'..=b'z') => {
                self.at += 1;
                Ok(Key::from(letter - b'a'))
            }
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Result<Value, Problem> {
        let begin = self.at;
        self.take(b'-');
        self.digits(begin)
    }

    fn unsigned(&mut self) -> Result<u64, Problem> {
        self.digits(self.at)
    }

    /// What stands from `begin` to the end of the digits here.
    fn digits<T: FromStr>(&mut self, begin: usize) -> Result<T, Problem> {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        let digits = std::str::from_utf8(&self.text[begin..self.at]).expect("it is ASCII");
        digits.parse().map_err(|_| (begin, format!("expected a number, found `{digits}`")))
    }

    /// `,5`
    fn argument(&mut self) -> Result<Value, Problem> {
        self.expect(b',')?;
        self.number()
    }

    /// `,5)`
    fn last_argument(&mut self) -> Result<Value, Problem> {
        let argument = self.argument()?;
        self.expect(b')')?;
        Ok(argument)
    }

    /// `)=5`, or `)` alone for a question that was not answered.
    fn answer<T>(
        &mut self,
        read: fn(&mut Self) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        self.expect(b')')?;
        self.take(b'=').then(|| read(self)).transpose()
    }

    /// `{1,2}`
    fn elements(&mut self) -> Result<Elements, Problem> {
        self.expect(b'{')?;
        let mut elements = Vec::new();
        if self.take(b'}') {
            return Ok(elements.into());
        }
        loop {
            elements.push(self.number()?);
            if !self.take(b',') {
                self.expect(b'}')?;
                return Ok(elements.into());
            }
        }
    }

    fn reading(&mut self) -> Result<Reading, Problem> {
        if self.text[self.at..].starts_with(b"nil") {
            self.at += 3;
            return Ok(Reading::Nil);
        }
        self.number().map(Reading::Value)
    }

    fn found(&self) -> String {
        let rest = String::from_utf8_lossy(&self.text[self.at..]);
        rest.chars().next().map_or("the end of the line".into(), |letter| format!("`{letter}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NodeId, OperationId};

    #[test]
    fn reads_every_part() {
        let history = History::parse_notation(
            "
            p0: w(x,1)-----      r(x)=1--
            p1:        r(7)=nil--!
            p2:   cas(x,1,-2)--?           i(x)=1@n3#2.57
            ",
        )
        .expect("a good drawing");
        let shown: Vec<_> = history
            .iter()
            .map(|it| format!("{} {} {:?}", it.process, it.micro_ops[0], it.outcome))
            .collect();
        assert_eq!(
            shown,
            [
                "p0 write 23 1 Ok",
                "p2 cas 23 1 -2 Info",
                "p1 read 7 Fail",
                "p0 read 23 -> 1 Ok",
                "p2 inspect 23 -> 1 Ok",
            ]
        );
        let inspect = history.get(OperationId(4));
        assert_eq!(inspect.served_by, Some(NodeId(2)));
        assert_eq!(inspect.version, Some(Version { epoch: 2, position: 57 }));
    }

    #[test]
    fn touching_operations_overlap_and_later_ones_do_not() {
        let precedes = |drawing: &str| {
            let history = History::parse_notation(drawing).expect("a good drawing");
            history.get(OperationId(0)).precedes(&history.get(OperationId(1)))
        };
        assert!(!precedes("p0: w(x,1)-\np1:       r(x)=1"));
        assert!(precedes("p0: w(x,1)-\np1:        r(x)=1"));
        assert!(!precedes("p0: w(x,1)?\np1:        r(x)=1"), "an unknown one never ends");
    }

    #[test]
    fn says_what_it_cannot_read() {
        let problem =
            |drawing: &str| History::parse_notation(drawing).expect_err("malformed").to_string();
        assert_eq!(
            problem("x: r(x)"),
            "line 1, column 1: expected a process like `p0:`, found `x: r(x)`"
        );
        assert_eq!(problem("\np0: w(x)"), "line 2, column 8: expected `,`, found `)`");
        assert_eq!(
            problem("p0: q(x)"),
            "line 1, column 5: expected one of `r w cas i add rs is inc rc ic acq rel app rl enq deq push pop lock unlock gen move`, found `q`"
        );
        assert_eq!(problem("p0: r(x)=y"), "line 1, column 10: expected a number, found ``");
        assert_eq!(problem("p0: rs(x)={1;"), "line 1, column 13: expected `}`, found `;`");
    }

    #[test]
    fn says_which_line_cannot_have_happened() {
        // The drawing's second and third line are one process.
        let problem =
            History::parse_notation("p0: r(x)\np1: r(x)----\np1:   r(x)").expect_err("two");
        assert_eq!((problem.line, problem.column), (3, 7), "{problem}");
    }

    /// What a drawing keeps of a history.
    fn essence(history: &History) -> Vec<String> {
        history
            .iter()
            .map(|it| {
                let Operation { id, process, outcome, invoked, completed, .. } = it;
                let (ops, served_by, version) = (it.micro_ops, it.served_by, it.version);
                format!(
                    "{id} {process} {outcome:?} {invoked} {completed:?} {ops:?} {served_by:?} \
                     {version:?}"
                )
            })
            .collect()
    }

    #[test]
    fn long_process_names_do_not_shift_the_drawing() {
        let drawing = "p4294967295: w(x,1)\np0:                 r(x)=1";
        let history = History::parse_notation(drawing).expect("a good drawing");
        let redrawn = History::parse_notation(&history.to_notation()).expect("our own drawing");
        assert_eq!(essence(&redrawn), essence(&history), "{}", history.to_notation());
    }

    #[test]
    fn drawing_and_reading_back_keeps_order_and_outcomes() {
        let drawing = "
            p0: w(x,1)-----     r(x)=1@n2--   i(x)=nil
            p1:        r(7)--!     w(x,2);r(y)=-3;i(x)=nil@n1#1.18446744073709551615-------?
            p2:   cas(x,1,2)--?
            p3: add(s,1)-  rs(s)={}@n1--   is(s)={1,-2,1}----    rs(s)!
            p4:   inc(c,-5)---?  rc(c)=0   ic(c)=-5@n3    rc(c)?
            p5:     acq(l)=7@n1#1.4--      rel(l,7)---  acq(l)!   rel(l,7)?
            p6: app(l,-1)  rl(l)={2,1,2}  enq(q,1)-  deq(q)=nil  deq(q)=1   lock(m)--   unlock(m)?
            p7:   push(s,4)    pop(s)=4-  pop(s)=nil   gen(g)=7   gen(g)?
            p8:     move(x,y,5)--  move(x,7,-5)!
        ";
        let history = History::parse_notation(drawing).expect("a good drawing");
        assert_eq!(history.len(), 32);
        let redrawn = History::parse_notation(&history.to_notation()).expect("our own drawing");
        assert_eq!(essence(&redrawn), essence(&history), "{}", history.to_notation());
    }
    proptest::proptest! {
        #[test]
        fn every_drawing_can_be_read_back(
            steps in proptest::collection::vec((0..4_u32, 0..4_i64, -2..3_i64, 0..9_u8), 0..40)
        ) {
            let mut builder = HistoryBuilder::new();
            let mut open = std::collections::BTreeMap::new();
            for (process, key, value, choice) in steps {
                let asked = match choice {
                    0 => vec![MicroOp::Write { key, value }],
                    1 => vec![MicroOp::read(key)],
                    2 => vec![MicroOp::Add { key, value }, MicroOp::read_set(key)],
                    3 => vec![MicroOp::Increment { key, delta: value }, MicroOp::inspect_counter(key)],
                    4 => vec![MicroOp::acquire(key), MicroOp::Release { key, token: value }],
                    5 => vec![MicroOp::Enqueue { key, value }, MicroOp::Lock { key }],
                    6 => vec![MicroOp::Push { key, value }, MicroOp::generate(key)],
                    7 => vec![MicroOp::Transfer { from: key, to: key * 40, amount: value }],
                    _ => vec![MicroOp::Cas { key, old: 0, new: value }, MicroOp::inspect(key * 40)],
                };
                let process = Process(process * 1_000);
                let (kind, micro_ops) = match open.remove(&process) {
                    Some(asked) => {
                        ([EventKind::Ok, EventKind::Fail, EventKind::Info][usize::from(choice % 3)], asked)
                    }
                    None => {
                        open.insert(process, asked.clone());
                        (EventKind::Invoke, asked)
                    }
                };
                let event =
                    Event { time_ns: 0, process, kind, micro_ops, node: None, version: None, error: None };
                builder.push(Entry::Operation(event)).expect("well formed");
            }
            // An operation that is open at the end would be drawn as one of unknown outcome.
            for (process, micro_ops) in open {
                let kind = EventKind::Info;
                let event =
                    Event { time_ns: 0, process, kind, micro_ops, node: None, version: None, error: None };
                builder.push(Entry::Operation(event)).expect("well formed");
            }
            let history = builder.finish();
            let drawing = history.to_notation();
            let redrawn = History::parse_notation(&drawing).expect("our own drawing");
            proptest::prop_assert_eq!(essence(&redrawn), essence(&history), "{}", drawing);
        }
    }
}
