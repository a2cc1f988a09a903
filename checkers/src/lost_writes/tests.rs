//! Against a simulated store whose truth is known.

use perjury_history::{Entry, Event, EventKind, HistoryBuilder, Process};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::*;

/// A leader that acknowledges before it replicates, and fail-overs to nodes that lack the end of its
/// log. A deposed leader may go on acknowledging for a while; what it says is lost.
struct Store {
    random: Pcg64Mcg,
    builder: HistoryBuilder,
    time_ns: u64,
    /// The log that counts: value, key and epoch of each entry, from position 1.
    log: Vec<(Value, Key, u64)>,
    /// The leader that was replaced last, with its epoch and the length of its log.
    deposed: Option<(u64, u64)>,
    epoch: u64,
    next: Value,
}

impl Store {
    fn event(
        &mut self,
        process: u32,
        kind: EventKind,
        micro_op: MicroOp,
        node: u64,
        at: Option<Version>,
    ) {
        self.time_ns += 1_000_000;
        let event = Event {
            time_ns: self.time_ns,
            process: Process(process),
            kind,
            micro_ops: vec![micro_op],
            node: Some(NodeId(node as u32 % 3)),
            version: at,
            error: None,
        };
        self.builder.push(Entry::Operation(event)).expect("well formed");
    }

    /// One write, alone or within another one's time.
    fn write(&mut self, process: u32) {
        let key = self.random.random_range(0..3);
        let value = self.next;
        self.next += 1;
        let micro_op = MicroOp::Write { key, value };
        self.event(process, EventKind::Invoke, micro_op.clone(), 0, None);
        if process < 3 && self.random.random_bool(0.3) {
            self.write(process + 1);
        }
        let deposed = self.deposed.filter(|_| self.random.random_bool(0.2));
        let (epoch, position) = match deposed {
            Some((epoch, length)) => {
                self.deposed = Some((epoch, length + 1));
                (epoch, length + 1)
            }
            None => {
                self.log.push((value, key, self.epoch));
                (self.epoch, self.log.len() as u64)
            }
        };
        let kind = if self.random.random_bool(0.9) { EventKind::Ok } else { EventKind::Fail };
        // An answer that never arrives.
        let kind = if kind == EventKind::Ok { kind } else { EventKind::Info };
        let version = (kind == EventKind::Ok).then_some(Version { epoch, position });
        self.event(process, kind, micro_op, epoch, version);
    }

    fn fail_over(&mut self) {
        self.deposed = Some((self.epoch, self.log.len() as u64));
        let lag = self.random.random_range(0..4);
        self.log.truncate(self.log.len().saturating_sub(lag));
        self.epoch += 1;
    }

    fn inspect(&mut self) {
        for (key, node) in (0..3).flat_map(|key| (0..3).map(move |node| (key, node))) {
            let last = self.log.iter().rev().find(|entry| entry.1 == key);
            let result = Some(last.map(|entry| entry.0).into());
            self.event(9, EventKind::Invoke, MicroOp::inspect(key), node, None);
            self.event(9, EventKind::Ok, MicroOp::Inspect { key, result }, node, None);
        }
    }
}

/// The history, and the values that the log holds in the end.
fn run(seed: u64, fail_overs: bool, inspects: bool) -> (History, Vec<Value>) {
    let mut store = Store {
        random: Pcg64Mcg::new(u128::from(seed) << 1 | 1),
        builder: HistoryBuilder::new(),
        time_ns: 0,
        log: Vec::new(),
        deposed: None,
        epoch: 1,
        next: 1,
    };
    for _ in 0..store.random.random_range(1..25) {
        store.write(0);
        if fail_overs && store.random.random_bool(0.2) {
            store.fail_over();
        }
    }
    if inspects {
        store.inspect();
    }
    let held = store.log.iter().map(|entry| entry.0).collect();
    (store.builder.finish(), held)
}

fn lost_values(history: &History) -> (Vec<Value>, Verdict) {
    let verdict = LostWrites.check(history, &Context::default());
    let lost = verdict.anomalies.iter().map(|it| {
        let write = it.witness.operations.iter().find(|it| it.role == "the acknowledged write");
        let write = history.get(write.expect("it is in the witness").operation);
        write.micro_ops[0].written().expect("it is a write")
    });
    (lost.collect(), verdict)
}

#[test]
fn what_it_calls_lost_is_lost() {
    let (mut found, mut missed) = (0, 0);
    for seed in 0..5_000 {
        for inspects in [true, false] {
            let (history, held) = run(seed, true, inspects);
            let (lost, _) = lost_values(&history);
            for value in &lost {
                let drawing = history.to_notation();
                assert!(!held.contains(value), "seed {seed}: {value} is not lost\n{drawing}");
            }
            let acknowledged = history.iter().filter(is_acknowledged_write);
            let gone = |it: &Operation<'_>| !held.contains(&it.micro_ops[0].written().unwrap());
            let truly_lost = acknowledged.filter(gone).count();
            found += lost.len();
            missed += truly_lost - lost.len();
        }
    }
    assert!(found > 10 * missed, "found {found}, missed {missed}");
}

#[test]
fn without_fail_overs_nothing_is_lost() {
    for seed in 0..2_000 {
        let (history, _) = run(seed, false, true);
        let (lost, verdict) = lost_values(&history);
        assert_eq!(lost, [0; 0], "seed {seed}:\n{}", history.to_notation());
        assert!(!matches!(verdict.judgement(), Judgement::Invalid));
    }
}
