//! Recordings on disk: what is written is what is read, whatever happens in between.
#![cfg(feature = "arrow")]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use perjury_history::arrow::{
    self, BATCH_NS, BATCH_ROWS, LostTail, RecordError, Recorder, Recording,
};
use perjury_history::{
    Elements, Entry, Event, EventKind, FaultEvent, FaultStage, History, HistoryBuilder, MicroOp,
    NodeId, Process, Reading, Version,
};
use proptest::prelude::*;

fn event(time_ns: u64, process: u32, kind: EventKind, micro_op: MicroOp) -> Event {
    let micro_ops = vec![micro_op];
    let process = Process(process);
    Event { time_ns, process, kind, micro_ops, node: None, version: None, error: None }
}

/// A bit of everything, in four batches.
fn small() -> Vec<Entry> {
    let write = MicroOp::Write { key: 1, value: 17 };
    let read = MicroOp::read(1);
    let cas = MicroOp::Cas { key: 2, old: -1, new: i64::MAX };
    let fault = |time_ns, stage, detail: &str| {
        Entry::Fault(FaultEvent {
            time_ns,
            fault: 3,
            stage,
            name: "partition".into(),
            nodes: vec![NodeId(0), NodeId(2)],
            detail: detail.into(),
        })
    };
    let nil = MicroOp::Read { key: 1, result: Some(Reading::Nil) };
    let seventeen = MicroOp::Inspect { key: 1, result: Some(Reading::Value(17)) };
    let version = Some(Version { epoch: 2, position: 57 });
    vec![
        Entry::Operation(Event {
            node: Some(NodeId(1)),
            ..event(5, 0, EventKind::Invoke, write.clone())
        }),
        Entry::Operation(event(7, 1, EventKind::Invoke, read)),
        fault(9, FaultStage::Applied, "cut n1 and n3 off"),
        Entry::Operation(Event { version, ..event(BATCH_NS, 0, EventKind::Ok, write) }),
        Entry::Operation(event(BATCH_NS + 1, 1, EventKind::Ok, nil)),
        Entry::Operation(event(BATCH_NS * 7, 2, EventKind::Invoke, cas.clone())),
        fault(BATCH_NS * 7, FaultStage::Undone, ""),
        Entry::Operation(Event {
            error: Some("timeout — no answer".into()),
            ..event(BATCH_NS * 9, 2, EventKind::Info, cas)
        }),
        Entry::Operation(event(BATCH_NS * 9, 4, EventKind::Invoke, MicroOp::inspect(1))),
        Entry::Operation(event(BATCH_NS * 9, 4, EventKind::Ok, seventeen)),
    ]
}

/// Every function that version 1 did not have, asked and answered.
fn other_functions() -> Vec<Entry> {
    let set = |elements: &[i64]| Some(elements.into());
    let answers = [
        MicroOp::Add { key: 1, value: -17 },
        MicroOp::ReadSet { key: 1, result: set(&[-17, 4, -17]) },
        MicroOp::InspectSet { key: 1, result: set(&[]) },
        MicroOp::Increment { key: 2, delta: i64::MIN },
        MicroOp::ReadCounter { key: 2, result: Some(i64::MIN) },
        MicroOp::InspectCounter { key: 2, result: Some(0) },
        MicroOp::Acquire { key: 3, token: Some(33) },
        MicroOp::Release { key: 3, token: 33 },
        MicroOp::Append { key: 4, value: 9 },
        MicroOp::ReadList { key: 4, result: set(&[9, 8]) },
        MicroOp::Enqueue { key: 5, value: 1 },
        MicroOp::Dequeue { key: 5, result: Some(Reading::Value(1)) },
        MicroOp::Dequeue { key: 5, result: Some(Reading::Nil) },
        MicroOp::Push { key: 6, value: 1 },
        MicroOp::Pop { key: 6, result: Some(Reading::Value(1)) },
        MicroOp::Pop { key: 6, result: Some(Reading::Nil) },
        MicroOp::Lock { key: 7 },
        MicroOp::Unlock { key: 7 },
        MicroOp::Generate { key: 8, result: Some(77) },
        MicroOp::Transfer { from: 9, to: 10, amount: -3 },
    ];
    let steps = answers.into_iter().zip(1..).flat_map(|(answer, step)| {
        let time_ns = step * BATCH_NS / 3;
        let question = event(time_ns, 1, EventKind::Invoke, answer.without_result());
        [question, event(time_ns + 1, 1, EventKind::Ok, answer)]
    });
    steps.map(Entry::Operation).collect()
}

fn recorded(entries: &[Entry]) -> Vec<u8> {
    let mut recorder = Recorder::new(Vec::new(), "memory").expect("a buffer");
    for entry in entries {
        recorder.push(entry).expect("a buffer");
    }
    recorder.finish().expect("a buffer")
}

fn history(entries: &[Entry]) -> History {
    let mut builder = HistoryBuilder::new();
    for entry in entries {
        builder.push(entry.clone()).expect("well formed");
    }
    builder.finish()
}

fn read_back(bytes: &[u8]) -> (Vec<Entry>, Option<RecordError>, bool) {
    let mut reader = match arrow::entries_from(bytes, "memory") {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error), false),
    };
    let mut entries = Vec::new();
    for entry in &mut reader {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(error) => return (entries, Some(error), false),
        }
    }
    let complete = reader.complete();
    (entries, None, complete)
}

fn any_micro_op() -> impl Strategy<Value = MicroOp> {
    let number = || prop_oneof![any::<i64>(), -3..3_i64];
    let result = || {
        prop_oneof![
            Just(None),
            Just(Some(Reading::Nil)),
            any::<i64>().prop_map(|value| Some(Reading::Value(value))),
        ]
    };
    let set = || prop::option::of(prop::collection::vec(number(), 0..5).prop_map(Elements::from));
    let maybe = || prop::option::of(number());
    prop_oneof![
        (number(), result()).prop_map(|(key, result)| MicroOp::Read { key, result }),
        (number(), result()).prop_map(|(key, result)| MicroOp::Inspect { key, result }),
        (number(), number()).prop_map(|(key, value)| MicroOp::Write { key, value }),
        (number(), number(), number()).prop_map(|(key, old, new)| MicroOp::Cas { key, old, new }),
        (number(), number()).prop_map(|(key, value)| MicroOp::Add { key, value }),
        (number(), set()).prop_map(|(key, result)| MicroOp::ReadSet { key, result }),
        (number(), set()).prop_map(|(key, result)| MicroOp::InspectSet { key, result }),
        (number(), number()).prop_map(|(key, delta)| MicroOp::Increment { key, delta }),
        (number(), maybe()).prop_map(|(key, result)| MicroOp::ReadCounter { key, result }),
        (number(), maybe()).prop_map(|(key, result)| MicroOp::InspectCounter { key, result }),
        (number(), maybe()).prop_map(|(key, token)| MicroOp::Acquire { key, token }),
        (number(), number()).prop_map(|(key, token)| MicroOp::Release { key, token }),
        (number(), number()).prop_map(|(key, value)| MicroOp::Append { key, value }),
        (number(), set()).prop_map(|(key, result)| MicroOp::ReadList { key, result }),
        (number(), number()).prop_map(|(key, value)| MicroOp::Enqueue { key, value }),
        (number(), result()).prop_map(|(key, result)| MicroOp::Dequeue { key, result }),
        (number(), number()).prop_map(|(key, value)| MicroOp::Push { key, value }),
        (number(), result()).prop_map(|(key, result)| MicroOp::Pop { key, result }),
        number().prop_map(|key| MicroOp::Lock { key }),
        number().prop_map(|key| MicroOp::Unlock { key }),
        (number(), maybe()).prop_map(|(key, result)| MicroOp::Generate { key, result }),
        (number(), number(), number()).prop_map(|(from, to, amount)| MicroOp::Transfer {
            from,
            to,
            amount
        }),
    ]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let time_ns = || prop_oneof![any::<u64>(), 0..BATCH_NS * 3];
    let node = || prop_oneof![any::<u32>(), 0..5_u32, Just(u32::MAX)].prop_map(NodeId);
    let text = || prop_oneof!["[a-z ]{0,12}", any::<String>()];
    let kind = prop_oneof![
        Just(EventKind::Invoke),
        Just(EventKind::Ok),
        Just(EventKind::Fail),
        Just(EventKind::Info)
    ];
    let stage = prop_oneof![
        Just(FaultStage::Applied),
        Just(FaultStage::Observed),
        Just(FaultStage::Failed),
        Just(FaultStage::Undone)
    ];
    let version = prop::option::of((any::<u64>(), any::<u64>()))
        .prop_map(|both| both.map(|(epoch, position)| Version { epoch, position }));
    let event = (
        (time_ns(), any::<u32>(), kind),
        prop::collection::vec(any_micro_op(), 0..4),
        (prop::option::of(node()), version, prop::option::of(text())),
    )
        .prop_map(|((time_ns, process, kind), micro_ops, (node, version, error))| {
            let process = Process(process);
            Entry::Operation(Event { time_ns, process, kind, micro_ops, node, version, error })
        });
    let fault =
        ((time_ns(), any::<u32>(), stage), (text(), prop::collection::vec(node(), 0..4), text()))
            .prop_map(|((time_ns, fault, stage), (name, nodes, detail))| {
                Entry::Fault(FaultEvent { time_ns, fault, stage, name, nodes, detail })
            });
    prop_oneof![4 => event, 1 => fault]
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(entries in prop::collection::vec(any_entry(), 0..60)) {
        let bytes = recorded(&entries);
        let (read, error, complete) = read_back(&bytes);
        prop_assert!(error.is_none(), "{error:?}");
        prop_assert!(complete);
        prop_assert_eq!(&read, &entries);
        prop_assert_eq!(recorded(&entries), bytes, "the same entries, other bytes");
    }

    /// Cuts and several changed bytes at once: fewer entries or an error, never other entries. The
    /// header is left alone: whatever is changed in it ends the reading at once.
    #[test]
    fn damage_never_makes_another_history(
        cut in prop::option::of(any::<prop::sample::Index>()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let entries = small();
        let mut bytes = recorded(&entries);
        let header = recorded(&[]).len() - 8;
        for (place, byte) in changes {
            let place = header + place.index(bytes.len() - header);
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(header + cut.index(bytes.len() - header));
        }
        let (read, _, _) = read_back(&bytes);
        prop_assert!(entries.starts_with(&read));
    }
}

#[test]
fn a_file_cut_anywhere_gives_its_whole_batches() {
    let entries = small();
    let bytes = recorded(&entries);
    let mut seen = Vec::new();
    for length in 1..bytes.len() {
        let (read, error, complete) = read_back(&bytes[..length]);
        assert!(error.is_none(), "cut at {length}: {error:?}");
        assert!(!complete, "cut at {length}");
        assert!(entries.starts_with(&read), "cut at {length}");
        if seen.last() != Some(&read.len()) {
            seen.push(read.len());
        }
    }
    assert_eq!(seen, [0, 3, 5, 7, 10]);
    let Recording { lost_tail, .. } =
        arrow::read_from(&bytes[..bytes.len() - 11], "memory").expect("cut");
    let LostTail { offset, bytes: tail } = lost_tail.expect("the last batch is cut");
    assert_eq!(offset + tail, bytes.len() as u64 - 11);
    let whole = arrow::read_from(&bytes[..bytes.len() - 8], "memory").expect("cut");
    assert_eq!((whole.history, whole.lost_tail), (history(&entries), None));
}

#[test]
fn a_changed_byte_gives_an_error_or_changes_nothing() {
    for entries in [small(), other_functions(), Vec::new()] {
        let bytes = recorded(&entries);
        let mut unseen = 0;
        for place in 0..bytes.len() {
            for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                let mut changed = bytes.clone();
                changed[place] ^= mask;
                let (read, error, complete) = read_back(&changed);
                assert!(entries.starts_with(&read), "byte {place} ^ {mask}");
                if error.is_none() {
                    unseen += 1;
                    assert!(complete && read == entries, "byte {place} ^ {mask}");
                }
            }
        }
        // Padding between buffers, and bytes that a decoder may skip.
        println!("{unseen} changes of {} went unseen", bytes.len() * 9);
        assert!(unseen < bytes.len(), "more than padding is unguarded");
    }
}

#[test]
fn missing_and_repeated_batches_are_noticed() {
    let whole = recorded(&small());
    let starts: Vec<usize> = (1..whole.len() - 8)
        .filter(|&at| arrow::read_from(&whole[..at], "m").is_ok_and(|it| it.lost_tail.is_none()))
        .collect();
    let [first, second, ..] = starts[..] else { panic!("several batches, found {starts:?}") };
    let missing = [&whole[..first], &whole[second..]].concat();
    let repeated = [&whole[..second], &whole[first..]].concat();
    for changed in [missing, repeated] {
        let (read, error, _) = read_back(&changed);
        assert!(matches!(error, Some(RecordError::Corrupted { .. })), "{error:?}");
        assert!(small().starts_with(&read));
    }
}

/// Remembers how long each write was.
#[derive(Default)]
struct Writes {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.extend(bytes);
        self.ends.push(self.bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn entries_after_each_write(entries: &[Entry]) -> Vec<usize> {
    let mut recorder = Recorder::new(Writes::default(), "memory").expect("a buffer");
    for entry in entries {
        recorder.push(entry).expect("a buffer");
    }
    let Writes { bytes, ends } = recorder.finish().expect("a buffer");
    ends.iter().map(|&end| read_back(&bytes[..end]).0.len()).collect()
}

#[test]
fn a_batch_ends_with_its_period() {
    let at = |time_ns| Entry::Operation(event(time_ns, 0, EventKind::Invoke, MicroOp::read(1)));
    let times = [0, BATCH_NS - 1, BATCH_NS, BATCH_NS + 50, BATCH_NS * 4, BATCH_NS * 4 + 1];
    let written = entries_after_each_write(&times.map(at));
    // Header, three batches, end marker.
    assert_eq!(written, [0, 2, 4, 6, 6]);
}

#[test]
fn a_batch_ends_with_its_rows_and_bytes() {
    let short = Entry::Operation(event(1, 0, EventKind::Invoke, MicroOp::read(1)));
    let written = entries_after_each_write(&vec![short; BATCH_ROWS + 1]);
    assert_eq!(written, [0, BATCH_ROWS, BATCH_ROWS + 1, BATCH_ROWS + 1]);
    let long = Entry::Operation(Event {
        error: Some("x".repeat(10 << 20)),
        ..event(1, 0, EventKind::Info, MicroOp::read(1))
    });
    assert_eq!(entries_after_each_write(&vec![long; 3]), [0, 1, 2, 3, 3]);
    let result = Some((0..10 << 17).collect());
    let full = event(1, 0, EventKind::Ok, MicroOp::ReadSet { key: 1, result });
    assert_eq!(entries_after_each_write(&vec![Entry::Operation(full); 3]), [0, 1, 2, 3, 3]);
}

#[test]
fn an_entry_too_large_to_read_is_refused_and_left_out() {
    let mut recorder = Recorder::new(Vec::new(), "memory").expect("a buffer");
    let entries = small();
    recorder.push(&entries[0]).expect("a buffer");
    let huge = Event {
        error: Some("x".repeat(65 << 20)),
        ..event(6, 0, EventKind::Info, MicroOp::read(1))
    };
    let refused = recorder.push(&Entry::Operation(huge)).expect_err("too large").to_string();
    assert!(refused.contains("row 1: expected at most"), "{refused}");
    recorder.push(&entries[1]).expect("a buffer");
    let bytes = recorder.finish().expect("a buffer");
    assert_eq!(read_back(&bytes).0, entries[..2]);
}

#[test]
fn a_dropped_recorder_writes_what_it_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history.arrow");
    let mut recorder = Recorder::create(&path).expect("a new file");
    for entry in &small() {
        recorder.push(entry).expect("it can be written");
    }
    drop(recorder);
    let recording = arrow::read(&path).expect("a recording");
    assert_eq!((recording.history, recording.complete), (history(&small()), false));
}

/// Takes so many bytes and no more.
struct FullDisk(Vec<u8>, usize);

impl Write for &mut FullDisk {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(self.1 - self.0.len());
        if taken == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0.extend(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_and_keeps_the_batches_before() {
    let entries = small();
    let whole = recorded(&entries);
    let mut disk = FullDisk(Vec::new(), whole.len() - 100);
    let mut recorder = Recorder::new(&mut disk, "memory").expect("room for the header");
    for entry in &entries {
        recorder.push(entry).expect("room for all batches but the last");
    }
    let error = recorder.flush().expect_err("no room").to_string();
    assert!(error.contains("space left"), "{error}");
    assert!(recorder.push(&entries[9]).and_then(|()| recorder.flush()).is_err(), "and ever after");
    drop(recorder);
    let (read, error, complete) = read_back(&disk.0);
    assert!(error.is_none() && !complete);
    assert_eq!(read, entries[..7]);
}

#[test]
fn refuses_what_is_no_recording_and_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("it can be written");
        path
    };
    let whole = recorded(&small());
    let mut newer = whole.clone();
    let version = b"perjury.history.version";
    let key = newer.windows(version.len()).position(|it| it == version).expect("the key");
    let value = (0..newer.len())
        .filter(|&at| newer[at] == b'2' && newer[at - 4..at] == [1, 0, 0, 0])
        .min_by_key(|at| at.abs_diff(key))
        .expect("the version");
    newer[value] = b'3';
    let cases = [
        (folder.path().join("missing.arrow"), "found: No such file"),
        (folder.path().to_path_buf(), "found: Is a directory"),
        (file("empty", b""), "found an empty file"),
        (file("history.edn", b"{:type :invoke, :f :read}"), "begins with `{:type :`"),
        (file("binary", &[1, 2, 3]), "begins with 01 02 03"),
        (file("random.arrow", b"ARROW1\0\0"), "found an Arrow file in the random-access format"),
        (file("marker", &[0xff; 9]), "found an Arrow stream without a readable header"),
        (file("newer", &newer), "expected format version 2 or older, found version `3`"),
        (file("longer", &[&whole[..], b"x"].concat()), "found more bytes after the end marker"),
    ];
    for (path, expected) in cases {
        let error = arrow::read(&path).expect_err("no recording");
        assert_eq!(error.path(), path);
        let text = error.to_string();
        assert!(text.contains(expected), "expected `{expected}` in `{text}`");
        assert!(text.contains(&path.display().to_string()) && text.contains("; "), "{text}");
    }
}

#[test]
fn a_recorder_can_be_handed_to_another_thread() {
    fn check<T: Send + std::fmt::Debug>() {}
    check::<Recorder>();
    check::<arrow::Entries>();
}

#[test]
fn a_file_is_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history.arrow");
    Recorder::create(&path).expect("a new file").finish().expect("it can be written");
    assert!(matches!(Recorder::create(&path), Err(RecordError::Exists { .. })));
    assert!(arrow::read(&path).expect("untouched").complete);
    let nowhere = folder.path().join("missing").join("history.arrow");
    assert!(matches!(Recorder::create(&nowhere), Err(RecordError::Io { .. })));
}

#[test]
fn a_sound_file_with_an_impossible_history_names_the_row() {
    let invoke = |process| Entry::Operation(event(1, process, EventKind::Invoke, MicroOp::read(1)));
    let bytes = recorded(&[invoke(1), invoke(2), invoke(1)]);
    let error = arrow::read_from(&bytes[..], "memory").expect_err("two at once");
    assert!(
        matches!(&error, RecordError::Malformed { error, .. } if error.index == 2),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(text.contains("row 2: expected a completion of p1's operation 0"), "{text}");
}

/// Lengths that a reader must not believe: it would run out of memory.
#[test]
fn hostile_lengths_take_no_memory() {
    let whole = recorded(&small());
    for place in 0..whole.len() - 8 {
        for value in [i64::MAX, 1 << 40, -2, i64::from(u32::MAX)] {
            let mut changed = whole.clone();
            changed[place..place + 8].copy_from_slice(&value.to_le_bytes());
            assert!(small().starts_with(&read_back(&changed).0), "{value} at {place}");
        }
    }
}

/// The first recordings ever made with each version. If this fails, files of users do; a new version
/// of `arrow-ipc` that encodes the header otherwise would be such a case.
#[test]
fn every_version_stays_readable() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for (name, expected) in [("version-1.arrow", small()), ("version-2.arrow", other_functions())] {
        let path = folder.join(name);
        if std::env::var_os("PERJURY_WRITE_TEST_DATA").is_some() && !path.exists() {
            std::fs::write(&path, recorded(&expected)).expect("it can be written");
        }
        let entries: Vec<Entry> =
            arrow::entries(&path).and_then(Iterator::collect).expect("it is readable");
        assert_eq!(entries, expected, "{name}");
        assert!(arrow::read(&path).expect("it is readable").complete, "{name}");
    }
}

#[test]
fn pyarrow_reads_it_too() {
    const SCRIPT: &str = "
import sys, pyarrow.ipc
rows = pyarrow.ipc.open_stream(sys.argv[1]).read_all().to_pylist()
print(len(rows), rows[3]['type'], rows[3]['position'], rows[4]['micro_ops'][0]['result'],
      rows[5]['micro_ops'][0]['expected'], rows[2]['fault_nodes'], rows[7]['error'])
";
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let run = |arguments: &[&str]| Command::new(&python).args(arguments).output();
    if !run(&["-c", "import pyarrow"]).is_ok_and(|output| output.status.success()) {
        println!("skipped: no pyarrow");
        return;
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/version-1.arrow");
    let output = run(&["-c", SCRIPT, path]).expect("it ran before");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "10 ok 57 [] -1 ['n1', 'n3'] timeout — no answer",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

const CHILD: &str = "PERJURY_TEST_RECORD_TO";

/// What `a_killed_process_loses_only_what_it_had_not_flushed` runs and kills; else it does nothing.
#[test]
fn child_that_records() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let mut recorder = Recorder::create(path).expect("a new file");
    for step in 0..2_000_000_u32 {
        let time_ns = u64::from(step) * 1_000_000;
        for kind in [EventKind::Invoke, EventKind::Ok] {
            let write = MicroOp::Write { key: 1, value: step.into() };
            recorder.push(&Entry::Operation(event(time_ns, 0, kind, write))).expect("written");
        }
        if step % 1000 == 0 {
            recorder.flush().expect("written");
            println!("\nrecorded {}", recorder.entries());
        }
    }
}

#[test]
fn a_killed_process_loses_only_what_it_had_not_flushed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history.arrow");
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child_that_records", "--nocapture"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be run");
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let flushed: usize = output
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("recorded ")?.parse().ok())
        .nth(20)
        .expect("it records");
    child.kill().expect("it runs");
    child.wait().expect("it was killed");
    let recording = arrow::read(&path).expect("a recording");
    assert!(!recording.complete);
    let entries = recording.history.entries();
    assert!(entries >= flushed, "{flushed} were flushed, {entries} are there");
}
