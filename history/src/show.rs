//! Entries as lines for people.
//!
//! ```text
//!     1.234567 s  p7    invoke  write 3 17                n2
//!     1.236010 s  p7    ok      write 3 17                n1    version 2.57
//!     1.500000 s  *** partition #3 applied on n1, n2: cut off from n3, n4, n5
//!     2.236010 s  p8    info    read 3                          timeout
//! ```
//!
//! An entry is always one line, whatever text an error brings. Fields line up as long as they are
//! of common length; longer ones push the rest to the right rather than being cut. Which entries
//! are shown, and in which colours, is the caller's business.
//!
//! ```
//! use perjury_history::{Entry, Event, EventKind, MicroOp, Process, show};
//!
//! let entry = Entry::Operation(Event {
//!     time_ns: 1_234_567_890,
//!     process: Process(7),
//!     kind: EventKind::Invoke,
//!     micro_ops: vec![MicroOp::Write { key: 3, value: 17 }],
//!     node: None,
//!     version: None,
//!     error: None,
//! });
//! assert_eq!(show::line(&entry).to_string(), "    1.234567 s  p7    invoke  write 3 17");
//! ```

use std::fmt::{self, Write as _};

use crate::{Entry, Event, FaultEvent, MicroOp};

/// What a fault's line begins with, after the time.
pub const FAULT_MARK: &str = "***";

/// The entry as one line, without a line break at its end.
pub fn line(entry: &Entry) -> Line<'_> {
    Line(entry)
}

/// Displays an entry; see [`line()`].
#[derive(Clone, Copy, Debug)]
pub struct Line<'a>(&'a Entry);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(96);
        time(&mut text, self.0.time_ns())?;
        match self.0 {
            Entry::Operation(event) => operation(&mut text, event)?,
            Entry::Fault(event) => fault(&mut text, event)?,
        }
        f.write_str(text.trim_end())
    }
}

/// The time as seconds with microseconds: `    1.234567 s`.
fn time(text: &mut String, time_ns: u64) -> fmt::Result {
    let micros = time_ns / 1_000;
    write!(text, "{:>5}.{:06} s  ", micros / 1_000_000, micros % 1_000_000)
}

fn operation(text: &mut String, event: &Event) -> fmt::Result {
    let process = event.process.to_string();
    let node = event.node.map_or(String::new(), |node| node.to_string());
    let micro_ops = micro_ops(&event.micro_ops);
    write!(text, "{process:<5} {:<6}  {micro_ops:<24}  {node:<4}", event.kind.name())?;
    if let Some(version) = event.version {
        write!(text, "  version {version}")?;
    }
    if let Some(error) = &event.error {
        text.push_str("  ");
        one_line(text, error);
    }
    Ok(())
}

fn fault(text: &mut String, event: &FaultEvent) -> fmt::Result {
    write!(text, "{FAULT_MARK} ")?;
    one_line(text, &event.name);
    write!(text, " #{} {}", event.fault, event.stage.name())?;
    for (index, node) in event.nodes.iter().enumerate() {
        write!(text, "{}{node}", if index == 0 { " on " } else { ", " })?;
    }
    if !event.detail.is_empty() {
        text.push_str(": ");
        one_line(text, &event.detail);
    }
    Ok(())
}

fn micro_ops(micro_ops: &[MicroOp]) -> String {
    micro_ops.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Text from outside, with line breaks, terminal controls and the like written out.
fn one_line(text: &mut String, outside: &str) {
    for letter in outside.chars() {
        match letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') {
            true => text.extend(letter.escape_default()),
            false => text.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventKind, FaultStage, NodeId, Process, Reading, Version};

    fn check(entry: &Entry, expected: &str) {
        assert_eq!(line(entry).to_string(), expected);
    }

    fn event(kind: EventKind, micro_ops: Vec<MicroOp>) -> Event {
        Event {
            time_ns: 1_234_567_890,
            process: Process(7),
            kind,
            micro_ops,
            node: None,
            version: None,
            error: None,
        }
    }

    #[test]
    fn operations_line_up() {
        let write = MicroOp::Write { key: 3, value: 17 };
        let read = MicroOp::Read { key: 4, result: Some(Reading::Nil) };
        let asked =
            Event { node: Some(NodeId(1)), ..event(EventKind::Invoke, vec![write.clone(), read]) };
        let done = Event {
            time_ns: 3_600_000_000_000,
            node: Some(NodeId(0)),
            version: Some(Version { epoch: 2, position: 57 }),
            ..event(EventKind::Ok, vec![write.clone()])
        };
        let lost = Event { error: Some("timeout".into()), ..event(EventKind::Info, vec![write]) };
        check(
            &Entry::Operation(asked),
            "    1.234567 s  p7    invoke  write 3 17, read 4 -> nil  n2",
        );
        check(
            &Entry::Operation(done),
            " 3600.000000 s  p7    ok      write 3 17                n1    version 2.57",
        );
        check(
            &Entry::Operation(lost),
            "    1.234567 s  p7    info    write 3 17                      timeout",
        );
    }

    #[test]
    fn faults_stand_out() {
        let fault = FaultEvent {
            time_ns: 1_500_000_999,
            fault: 3,
            stage: FaultStage::Applied,
            name: "partition".into(),
            nodes: vec![NodeId(0), NodeId(1)],
            detail: "cut off from n3".into(),
        };
        let bare = FaultEvent { nodes: Vec::new(), detail: String::new(), ..fault.clone() };
        check(
            &Entry::Fault(fault),
            "    1.500000 s  *** partition #3 applied on n1, n2: cut off from n3",
        );
        check(&Entry::Fault(bare), "    1.500000 s  *** partition #3 applied");
    }

    #[test]
    fn an_error_cannot_break_the_line_or_paint_the_screen() {
        let error = Some("refused\n\u{1b}[31mred\u{2028}é".into());
        let entry = Entry::Operation(Event { error, ..event(EventKind::Fail, Vec::new()) });
        let text = line(&entry).to_string();
        assert!(text.ends_with(r"refused\n\u{1b}[31mred\u{2028}é"), "{text}");
    }
}
