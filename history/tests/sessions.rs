//! Histories that are lists of sessions: Cobra's, dbcop's, Plume's and AWDIT's.

use std::fs;

use perjury_history::foreign::{self, Foreign, ForeignError, Format, Object, Options};
use perjury_history::{Outcome, Process};

fn read_bytes(bytes: &[u8]) -> Result<Foreign, ForeignError> {
    foreign::read_bytes(bytes, "here", &Options::default())
}

/// Each transaction, by round: process, steps, and a mark if it did not succeed.
fn lines(foreign: &Foreign) -> Vec<String> {
    assert_eq!(foreign.object, Object::MultiRegister);
    assert!(!foreign.timed && !foreign.history.real_time());
    let line = |it: perjury_history::Operation<'_>| {
        let steps: Vec<_> = it.micro_ops.iter().map(ToString::to_string).collect();
        let mark = match it.outcome {
            Outcome::Ok => "",
            Outcome::Fail => " failed",
            Outcome::Info => " unknown",
        };
        format!("{} {}{mark}", it.process, steps.join("; "))
    };
    foreign.history.iter().map(line).collect()
}

#[track_caller]
fn check(bytes: &[u8], format: Format, expected: &[&str]) -> Foreign {
    let foreign = read_bytes(bytes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(foreign.format, format);
    assert_eq!(lines(&foreign), expected);
    foreign
}

#[track_caller]
fn refused(bytes: &[u8], expected: &str) {
    let error = read_bytes(bytes).expect_err("it is malformed").to_string();
    assert!(error.contains(expected), "expected `{expected}` in `{error}`");
}

const AWDIT: &str =
    "w 5 1\n-----\nr 5 1\nr 6 0\n=====\nw 6 -2\n=====\nr 6 -2\n-----\n-----\nw 5 7\n";

#[test]
fn awdit_has_lines_between_transactions_and_sessions() {
    let expected = [
        "p0 write 5 1",
        "p1 write 6 -2",
        "p2 read 6 -> -2",
        "p0 read 5 -> 1; read 6 -> nil",
        // The empty transaction before it is left out.
        "p2 write 5 7",
    ];
    check(AWDIT.as_bytes(), Format::Awdit, &expected);
    check(AWDIT.replace('\n', "\r\n").as_bytes(), Format::Awdit, &expected);
    check(AWDIT.trim_end().as_bytes(), Format::Awdit, &expected);
}

#[test]
fn plume_says_session_and_transaction_on_every_line() {
    let text = "w(5,1,7,1)\nr(5,1,9,2)\nw(6,3,7,1)\nr(6,0,9,2)\nw(6,4,7,30)\n";
    let expected = ["p0 write 5 1; write 6 3", "p1 read 5 -> 1; read 6 -> nil", "p0 write 6 4"];
    check(text.as_bytes(), Format::Plume, &expected);
}

#[test]
fn what_is_read_as_zero_is_nil_unless_somebody_wrote_it() {
    let text = "w 1 0\n=====\nr 1 0\nr 2 0\n-----\nw 2 3\n";
    let expected = ["p0 write 1 0", "p1 read 1 -> 0; read 2 -> nil", "p1 write 2 3"];
    check(text.as_bytes(), Format::Awdit, &expected);
    let options = Options { initial: Some(0), ..Options::default() };
    let known = foreign::read_bytes(text.as_bytes(), "here", &options).expect("as before");
    assert_eq!(lines(&known)[1], "p1 read 1 -> 0; read 2");
}

/// The transactions of a round overlap, and one session's never do.
#[test]
fn only_one_sessions_transactions_precede_each_other() {
    let foreign = read_bytes(AWDIT.as_bytes()).expect("well formed");
    let all: Vec<_> = foreign.history.iter().collect();
    for one in &all {
        for other in &all {
            let earlier = one.process == other.process && one.id < other.id;
            assert_eq!(one.precedes(other), earlier, "{} and {}", one.id, other.id);
        }
    }
    let first: Vec<_> = all.iter().filter(|it| it.invoked < 3).map(|it| it.process).collect();
    assert_eq!(first, [Process(0), Process(1), Process(2)]);
}

struct Dbcop(Vec<u8>);

impl Dbcop {
    fn new(sessions: u64) -> Self {
        let mut dbcop = Dbcop(Vec::new());
        (0..5).for_each(|number| dbcop.number(number));
        for text in ["Some store", "then", "now"] {
            dbcop.number(text.len() as u64);
            dbcop.0.extend(text.bytes());
        }
        dbcop.number(sessions);
        dbcop
    }

    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    /// Each event: whether it writes, variable, value, whether it succeeded.
    fn transaction(&mut self, events: &[(bool, u64, u64, bool)], succeeded: bool) {
        self.number(events.len() as u64);
        for &(is_write, variable, value, happened) in events {
            self.0.push(u8::from(is_write));
            self.number(variable);
            self.number(value);
            self.0.push(u8::from(happened));
        }
        self.0.push(u8::from(succeeded));
    }
}

fn dbcop() -> Vec<u8> {
    let mut dbcop = Dbcop::new(2);
    dbcop.number(2);
    dbcop.transaction(&[(true, 1, 2, true), (false, 3, 0, true), (true, 4, 9, false)], true);
    dbcop.transaction(&[(true, 1, 5, true), (false, 1, 5, true)], false);
    dbcop.number(1);
    dbcop.transaction(&[(false, 1, u64::MAX, true)], true);
    dbcop.0
}

#[test]
fn dbcop_keeps_what_failed_and_leaves_out_what_did_not_happen() {
    let foreign = read_bytes(&dbcop()).expect("well formed");
    assert_eq!(foreign.format, Format::Dbcop);
    let name = foreign.history.names().find("18446744073709551615").expect("a number too large");
    let last = format!("p1 read 1 -> {name}");
    let expected = ["p0 write 1 2; read 3 -> nil", &last, "p0 write 1 5; read 1 failed"];
    assert_eq!(lines(&foreign), expected);
}

/// Names of records with their numbers.
fn log(records: &[(u8, &[u64])]) -> Vec<u8> {
    let mut log = Vec::new();
    for (name, numbers) in records {
        log.push(*name);
        numbers.iter().for_each(|number| log.extend(number.to_be_bytes()));
    }
    log
}

const INITIAL: u64 = 0xbebe_ebee;

#[test]
fn a_folder_of_cobra_has_a_log_of_each_session() {
    let folder = tempfile::tempdir().expect("a place");
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, records: &[(u8, &[u64])]| {
        fs::write(path(name), log(records)).expect("a file");
    };
    write(
        "T2.log",
        &[
            (b'S', &[8]),
            (b'R', &[INITIAL, INITIAL, 1, 77]),
            (b'R', &[0xdead_beef, 0xdead_beef, 2, 0]),
            (b'W', &[501, 1, 33]),
            (b'C', &[8]),
            (b'S', &[9]),
            (b'W', &[502, 1, 33]),
        ],
    );
    write("T10.log", &[(b'S', &[5]), (b'R', &[8, 501, 1, 33]), (b'C', &[5])]);
    fs::write(path("notes.txt"), "not a log").expect("a file");
    assert!(foreign::is_history_folder(folder.path()));
    let read = || foreign::read(folder.path(), &Options::default());
    let foreign = read().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(foreign.format, Format::Cobra);
    let expected = [
        "p0 read 1 -> nil; read 2 -> nil; write 1 501",
        "p1 read 1 -> 501",
        "p0 write 1 502 unknown",
    ];
    assert_eq!(lines(&foreign), expected);
    // A problem is told with the log that has it.
    write("T10.log", &[(b'S', &[5]), (b'C', &[6])]);
    let error = read().expect_err("another transaction's commit").to_string();
    let expected = "T10.log: byte 9: expected the commit of transaction 5, found that of 6";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn other_folders_are_no_history() {
    let folder = tempfile::tempdir().expect("a place");
    fs::write(folder.path().join("T0.log"), "INFO jepsen.util").expect("a file");
    assert!(!foreign::is_history_folder(folder.path()));
    let empty = tempfile::tempdir().expect("a place");
    let error = foreign::read(empty.path(), &Options::default()).expect_err("nothing in it");
    assert!(error.to_string().contains("expected a file, or a folder with logs of Cobra"));
}

#[test]
fn what_is_malformed_is_refused_with_its_place() {
    refused(b"w 1 2\nr 1\n", "line 2, byte 6: expected a step like `r 1 2`");
    refused(b"w 1 2\nr 1 9223372036854775808\n", "line 2, byte 6: expected a step");
    refused(b"w 1 2\n---x\nw 1 3\n", "line 2, byte 6: expected a step");
    refused(b"-----\n=====\n", "expected at least one transaction of a read or write");
    refused(b"w(1,2,3,4)\nr(1,2,3)\n", "line 2, byte 11: expected a step like `r(1,2,3,4)`");
    let whole = dbcop();
    for end in 0..whole.len() {
        let error = read_bytes(&whole[..end]).expect_err("it was cut").to_string();
        assert!(error.contains("expected"), "{end}: {error}");
    }
    let longer = [&whole[..], b"x"].concat();
    refused(&longer, "expected the end of the file, found 1 more bytes");
    let mut many = Dbcop::new(1);
    many.number(1 << 40);
    refused(&many.0, "byte 89: expected the number of transactions, at most 0 in the 0 bytes");
    let mut flag = whole.clone();
    *flag.last_mut().expect("bytes") = 7;
    refused(&flag, "expected whether the transaction succeeded, a byte of 0 or 1, found 7");
    let cut = log(&[(b'S', &[1]), (b'W', &[1, 2])]);
    refused(&cut, "byte 26: expected the hash of what was written, found the end of the file");
    let other = log(&[(b'S', &[1]), (b'C', &[1]), (b'X', &[])]);
    refused(&other, "byte 18: expected a record of a transaction, `S`, the beginning");
}
