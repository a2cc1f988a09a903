//! A made-up run that looks like a real one: a leader that is cut off goes on acknowledging writes,
//! its successor does not know of them, and they are lost. For tests and for looking at pages.

use std::collections::BTreeMap;

use perjury_checkers::{
    Analysis, Checker, Context, Convergence, Leaders, Linearizability, LostWrites,
    SessionGuarantees,
};
use perjury_history::{
    Entry, Event, EventKind, FaultEvent, FaultStage, History, HistoryBuilder, MicroOp, NodeId,
    Process, Reading, Version,
};
use perjury_reports::{ExpectationResult, RunFacts};

const SECOND: u64 = 1_000_000_000;
const CONCURRENCY: u32 = 10;
const KEYS: u64 = 40;
const CUT_OFF: (u64, u64) = (12 * SECOND, 22 * SECOND);
const TAKEOVER: u64 = 14 * SECOND;
const LAST_OF_OLD: u64 = 18_200_000_000;

/// Splitmix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Mostly near `typical`, sometimes several times as much.
    fn latency(&mut self, typical: u64) -> u64 {
        let tail = if self.below(40) == 0 { self.below(9 * typical) } else { 0 };
        typical / 2 + self.below(typical) + tail
    }
}

/// Who takes a request that arrives at `node` at `time_ns`: leader and epoch, and which side's data.
fn leader(node: u32, time_ns: u64) -> Option<(u32, u64)> {
    let old_side = node < 2;
    match time_ns {
        0..TAKEOVER if old_side || time_ns < CUT_OFF.0 => Some((0, 1)),
        0..TAKEOVER => None,
        TAKEOVER..LAST_OF_OLD if old_side => Some((0, 1)),
        LAST_OF_OLD..=21_999_999_999 if old_side => None,
        45_000_000_000..47_000_000_000 => None,
        47_000_000_000.. => Some((1, 3)),
        _ => Some((2, 2)),
    }
}

/// A run of about so many operations.
pub(crate) fn history(operations: u64, seed: u64) -> History {
    let duration_ns = 60 * SECOND;
    let mut random = Random(seed);
    let pace = duration_ns * u64::from(CONCURRENCY) * 81 / 100 / operations.max(1);
    let mut entries: Vec<(u64, usize, Entry)> = Vec::new();
    let mut registers: BTreeMap<(u64, i64), (i64, u64)> = BTreeMap::new();
    let mut requests: Vec<(u64, u32)> = Vec::new();
    for worker in 0..CONCURRENCY {
        let mut at = random.below(pace);
        while at < duration_ns {
            requests.push((at, worker));
            at += pace * 3 / 4 + random.below(pace / 2 + 1);
        }
    }
    requests.sort_unstable();
    let mut process: Vec<u32> = (0..CONCURRENCY).collect();
    let mut free_at = vec![0_u64; CONCURRENCY as usize];
    let mut position = 0;
    let mut push = |time_ns: u64, entry: Entry| {
        let order = entries.len();
        entries.push((time_ns, order, entry));
    };
    for (index, (at, worker)) in requests.into_iter().enumerate() {
        let slot = worker as usize;
        if at < free_at[slot] {
            continue;
        }
        let key = random.below(KEYS) as i64;
        let node = worker % 5;
        let led = leader(node, at);
        let side = led.map_or(0, |(leader, _)| u64::from(leader != 0));
        let (current, version) = registers.get(&(side, key)).copied().unwrap_or((0, 0));
        let value = index as i64 + 1;
        let asked = match random.below(20) {
            0..7 => MicroOp::Write { key, value },
            7 | 8 if current != 0 => {
                let old = if random.below(3) == 0 { current + 1 } else { current };
                MicroOp::Cas { key, old, new: value }
            }
            _ => MicroOp::read(key),
        };
        let refused = matches!(asked, MicroOp::Cas { old, .. } if old != current);
        let unlucky = random.below(400) == 0;
        let (kind, took, error) = match led {
            None if random.below(3) == 0 => {
                (EventKind::Fail, random.latency(2_000_000), Some("not leader: no leader known"))
            }
            None => (EventKind::Info, 500_000_000, Some("timed out after 500 ms")),
            Some(_) if unlucky => (EventKind::Info, 500_000_000, Some("connection reset by peer")),
            Some(_) if refused => {
                (EventKind::Fail, random.latency(3_000_000), Some("compare-and-set: another value"))
            }
            Some(_) => (EventKind::Ok, random.latency(3_500_000), None),
        };
        let mut version = Version { epoch: led.map_or(1, |(_, epoch)| epoch), position: version };
        let mut answered = asked.clone();
        if kind == EventKind::Ok {
            if let MicroOp::Read { result, .. } = &mut answered {
                *result = Some(if current == 0 { Reading::Nil } else { Reading::Value(current) });
            } else {
                position += 1;
                version.position = position;
                registers.insert((side, key), (value, position));
                if at < CUT_OFF.0 {
                    registers.insert((1, key), (value, position));
                }
            }
        }
        let event = |time_ns, kind, op, node, version, error: Option<&str>| {
            Entry::Operation(Event {
                time_ns,
                process: Process(process[slot]),
                kind,
                micro_ops: vec![op],
                node,
                version,
                error: error.map(ToOwned::to_owned),
            })
        };
        push(at, event(at, EventKind::Invoke, asked, Some(NodeId(node)), None, None));
        let served = led.filter(|_| kind == EventKind::Ok);
        let end = at + took;
        push(
            end,
            event(
                end,
                kind,
                answered,
                served.map(|(leader, _)| NodeId(leader)),
                served.map(|_| version),
                error,
            ),
        );
        free_at[slot] = end + 1;
        if kind == EventKind::Info {
            process[slot] += CONCURRENCY;
        }
    }
    let mut at = duration_ns + SECOND;
    for key in 0..KEYS as i64 {
        for node in 0..5 {
            let (value, position) = registers.get(&(1, key)).copied().unwrap_or((0, 0));
            let event = |time_ns, kind, result| {
                Entry::Operation(Event {
                    time_ns,
                    process: Process(process[node as usize]),
                    kind,
                    micro_ops: vec![MicroOp::Inspect { key, result }],
                    node: Some(NodeId(node)),
                    version: (kind == EventKind::Ok).then_some(Version { epoch: 3, position }),
                    error: None,
                })
            };
            push(at, event(at, EventKind::Invoke, None));
            at += 600_000;
            push(at, event(at, EventKind::Ok, Some(Reading::Value(value))));
            at += 100_000;
        }
    }
    for fault in faults() {
        push(fault.time_ns, Entry::Fault(fault));
    }
    entries.sort_by_key(|(time_ns, order, _)| (*time_ns, *order));
    let mut builder = HistoryBuilder::new();
    for (_, _, entry) in entries {
        builder.push(entry).expect("the made-up run is well formed");
    }
    builder.finish()
}

fn faults() -> Vec<FaultEvent> {
    let fault = |time_ms: u64, fault, stage, name: &str, nodes: &[u32], detail: &str| FaultEvent {
        time_ns: time_ms * 1_000_000,
        fault,
        stage,
        name: name.into(),
        nodes: nodes.iter().copied().map(NodeId).collect(),
        detail: detail.into(),
    };
    use FaultStage::{Applied, Failed, Observed, Undone};
    vec![
        fault(12_000, 1, Applied, "partition", &[0, 1], "n1, n2 | n3, n4, n5: 12 links blocked"),
        fault(12_050, 1, Observed, "partition", &[0, 1], "n1 cannot reach n3, n4, n5"),
        fault(22_000, 1, Undone, "partition", &[0, 1], "12 links open again"),
        fault(28_000, 2, Applied, "kill", &[3], "process 4711 killed with SIGKILL"),
        fault(28_020, 2, Observed, "kill", &[3], "port 7004 refuses connections"),
        fault(34_000, 2, Undone, "kill", &[3], "started again, ready after 0.4 s"),
        fault(
            38_000,
            3,
            Failed,
            "clock-skew",
            &[1],
            "adjtimex: operation not permitted; nothing was changed",
        ),
        fault(44_800, 4, Applied, "pause", &[2], "SIGSTOP to process 4690"),
        fault(44_810, 4, Observed, "pause", &[2], "state T"),
        fault(50_000, 4, Undone, "pause", &[2], "SIGCONT to process 4690"),
    ]
}

/// What the checkers say of [`history`].
pub(crate) fn analysis(history: &History) -> Analysis {
    let checkers: [Box<dyn Checker>; 5] = [
        Box::new(Leaders),
        Box::new(LostWrites),
        Box::new(Linearizability::of_registers()),
        Box::new(SessionGuarantees),
        Box::new(Convergence),
    ];
    let bounds = Context { step_limit: 100_000, ..Context::default() };
    Analysis::of(history, &checkers, &bounds)
}

/// The circumstances of the made-up run.
pub(crate) fn facts() -> RunFacts {
    let expectation = |text: &str, met, detail: &str| ExpectationResult {
        text: text.into(),
        met,
        detail: detail.into(),
    };
    RunFacts {
        test: "failover-async".into(),
        store: "replica: leader-follower, async, automatic failover".into(),
        workload: "register".into(),
        lab: "simulated".into(),
        nodes: 5,
        concurrency: CONCURRENCY,
        seed: Some(42),
        started_utc: "2026-11-21 07:30:12".into(),
        wall_ms: Some(1_240),
        perjury_version: "0.1.0".into(),
        reproduce: vec![
            "perjury run campaigns/failover.toml --only failover-async --seed 42".into(),
            "perjury replay runs/failover-async/20261121T073012Z".into(),
        ],
        settings: "name = \"failover-async\"\nworkload = \"register\"\nnemesis = [\"partition\", \"kill\", \"pause\", \"clock\"]\n\n[store]\nkind = \"replica\"\nreplication = \"leader-follower\"\nacknowledge = \"async\"\nfailover = \"automatic\"\n\n[expect]\nviolations = [\"lost-write\", \"two-leaders\"]\nmodels = [\"linearizable\"]\n".into(),
        expectations: vec![
            expectation("lost-write is found", true, ""),
            expectation("two-leaders is found", true, ""),
            expectation("linearizable holds", false, "no order explains what clients saw"),
        ],
        notes: vec![],
        ..RunFacts::default()
    }
}
