//! Each isolation level shows its anomalies and never those that it forbids, also while leaders
//! come and go.

mod cluster;

use std::collections::{BTreeMap, BTreeSet};

use cluster::{Cluster, MS};
use perjury_replica::{
    Acknowledge, Command, Found, Isolation, Outcome, ReadRoute, Refusal, SessionToken, Settings,
    Step,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

const LEVELS: [Isolation; 4] = [
    Isolation::ReadUncommitted,
    Isolation::ReadCommitted,
    Isolation::SnapshotIsolation,
    Isolation::Serializable,
];

const CLIENTS: u64 = 6;

/// What was asked, and what came of it.
struct Done {
    steps: Vec<Step>,
    outcome: Option<Outcome>,
}

impl Done {
    /// What its steps found, if it was committed.
    fn found(&self) -> Option<&[Found]> {
        match &self.outcome {
            Some(Outcome::Committed(found)) => Some(found),
            _ => None,
        }
    }

    fn certainly_failed(&self) -> bool {
        let outcome = self.outcome.as_ref();
        outcome.is_some_and(|it| {
            matches!(it, Outcome::Refused(_) | Outcome::Mismatch | Outcome::Conflict)
        })
    }
}

/// Clients that ask one transaction after the other for a second, of any node; the leader is cut off
/// twice. At the end one more transaction reads.
fn run(
    settings: Settings,
    seed: u64,
    first: Vec<Step>,
    mut next: impl FnMut(&mut Pcg64, u64) -> Vec<Step>,
    last: Vec<Step>,
) -> Vec<Done> {
    let mut random = Pcg64::seed_from_u64(seed);
    let mut cluster = Cluster::new(3, settings, seed);
    cluster.run_for(100 * MS);
    let mut done = Vec::new();
    let reply = cluster.call(0, Command::Transaction(first.as_slice().into()));
    done.push(Done { steps: first, outcome: reply.map(|reply| reply.outcome) });
    let mut waiting = vec![None; CLIENTS as usize];
    for ms in 0..1_000_u64 {
        cluster.run_for(MS);
        match ms {
            300 | 600 => {
                let leader = cluster.leaders().first().copied().unwrap_or(0);
                cluster.isolate(leader);
            }
            500 | 800 => cluster.heal(),
            _ => {}
        }
        for (slot, id) in waiting.iter_mut().zip(0..) {
            if let Some((pending, number, since)) = *slot {
                let reply = cluster.replies.get(&pending);
                if reply.is_none() && ms < since + 400 {
                    continue;
                }
                let done: &mut Done = &mut done[number];
                done.outcome = reply.map(|reply| reply.outcome.clone());
                *slot = None;
            }
            if random.random_bool(0.3) {
                let steps = next(&mut random, done.len() as u64);
                let command = Command::Transaction(steps.as_slice().into());
                let node = random.random_range(0..3);
                // A client that never got an answer is replaced.
                let client = id + CLIENTS * done.len() as u64;
                let pending = cluster.ask(node, client, command, SessionToken::default());
                *slot = Some((pending, done.len(), ms));
                done.push(Done { steps, outcome: None });
            }
        }
    }
    cluster.heal();
    cluster.run_for(4_000 * MS);
    for slot in waiting.into_iter().flatten() {
        let (pending, number, _) = slot;
        done[number].outcome = cluster.replies.get(&pending).map(|reply| reply.outcome.clone());
    }
    let leader = cluster.leader();
    let reply = cluster.call(leader, Command::Transaction(last.as_slice().into()));
    done.push(Done { steps: last, outcome: reply.map(|reply| reply.outcome) });
    done
}

/// In which levels an anomaly shows, over some seeds.
fn levels_with(anomaly: impl Fn(Settings, u64) -> bool) -> Vec<Isolation> {
    let shows = |isolation| {
        (0..12).any(|seed| anomaly(Settings { isolation, ..Settings::default() }, seed))
    };
    LEVELS.into_iter().filter(|isolation| shows(*isolation)).collect()
}

fn register(found: &Found) -> Option<i64> {
    match found {
        Found::Register(value) => *value,
        other => panic!("expected a register, found {other:?}"),
    }
}

/// One transaction writes the same to both registers, another reads both.
fn pairs(random: &mut Pcg64, number: u64) -> Vec<Step> {
    let value = number as i64;
    match random.random_bool(0.5) {
        true => vec![Step::Write { key: 1, value }, Step::Write { key: 2, value }],
        false => vec![Step::Read { key: 1 }, Step::Read { key: 2 }],
    }
}

const BOTH: [Step; 2] = [Step::Read { key: 1 }, Step::Read { key: 2 }];

#[test]
fn reads_are_skewed_below_snapshot_isolation() {
    let levels = levels_with(|settings, seed| {
        let done = run(settings, seed, vec![Step::Write { key: 3, value: 0 }], pairs, BOTH.into());
        let reads = done.iter().filter(|done| done.steps == BOTH).filter_map(Done::found);
        let skewed = |found: &[Found]| register(&found[0]) != register(&found[1]);
        let last = done.last().and_then(Done::found).expect("all is well at the end");
        assert!(!skewed(last), "seed {seed}: nobody's writes are mixed with others'");
        reads.into_iter().any(skewed)
    });
    assert_eq!(levels, [Isolation::ReadUncommitted, Isolation::ReadCommitted]);
}

#[test]
fn failed_writes_are_read_below_read_committed() {
    let levels = levels_with(|settings, seed| {
        // Each locks what the other wants.
        let crossed = |random: &mut Pcg64, number: u64| {
            let (value, order) = (number as i64, random.random_range(0..3));
            let write = |key| Step::Write { key, value };
            match order {
                0 => vec![write(1), write(2)],
                1 => vec![write(2), write(1)],
                _ => BOTH.into(),
            }
        };
        let done =
            run(settings, seed, vec![Step::Write { key: 3, value: 0 }], crossed, BOTH.into());
        let failed: BTreeSet<i64> = done
            .iter()
            .filter(|done| done.certainly_failed())
            .flat_map(|done| &done.steps)
            .filter_map(|step| match step {
                Step::Write { value, .. } => Some(*value),
                _ => None,
            })
            .collect();
        let reads = done.iter().filter_map(Done::found).flatten();
        let mut read = reads.filter_map(|found| match found {
            Found::Register(value) => *value,
            _ => None,
        });
        read.any(|value| failed.contains(&value))
    });
    assert_eq!(levels, [Isolation::ReadUncommitted]);
}

#[test]
fn updates_are_lost_below_snapshot_isolation() {
    let levels = levels_with(|settings, seed| {
        let increment = |_: &mut Pcg64, _| vec![Step::Increment { key: 1, delta: 1 }];
        let first = vec![Step::Write { key: 1, value: 0 }];
        let done = run(settings, seed, first, increment, vec![Step::Read { key: 1 }]);
        let (last, counted) = done.split_last().expect("there are some");
        let total = register(&last.found().expect("all is well at the end")[0]).expect("a number");
        let certain = counted[1..].iter().filter(|done| done.found().is_some()).count() as i64;
        let open = counted.iter().filter(|it| it.found().is_none() && !it.certainly_failed());
        assert!(total <= certain + open.count() as i64, "seed {seed}: {total}");
        total < certain
    });
    assert_eq!(levels, [Isolation::ReadUncommitted, Isolation::ReadCommitted]);
}

#[test]
fn writes_are_skewed_below_serializable() {
    let levels = levels_with(|settings, seed| {
        // Of each pair of transactions that look at both sets at most one should find both empty.
        let skew = |random: &mut Pcg64, number: u64| {
            let pair = number as i64 / 2;
            let groups = [2 * pair, 2 * pair + 1];
            let key = groups[random.random_range(0..2)];
            vec![
                Step::ReadSet { key: groups[0] },
                Step::ReadSet { key: groups[1] },
                Step::Add { key, element: number as i64 },
            ]
        };
        let first = vec![Step::Write { key: 3, value: 0 }];
        let done = run(settings, seed, first, skew, vec![Step::Read { key: 3 }]);
        let mut alone = BTreeMap::<_, u32>::new();
        for done in done.iter().filter(|done| done.steps.len() == 3) {
            let empty = Found::Set([].into());
            if done.found().is_some_and(|found| found[..2] == [empty.clone(), empty]) {
                let Step::ReadSet { key } = done.steps[0] else { panic!("the first step reads") };
                *alone.entry(key).or_default() += 1;
            }
        }
        alone.values().any(|count| *count > 1)
    });
    assert_eq!(levels, LEVELS[..3]);
}

#[test]
fn lists_are_prefixes_of_each_other_at_every_level() {
    for isolation in LEVELS {
        let mut longest_seen = 0;
        for seed in 0..6 {
            let append = |random: &mut Pcg64, number: u64| {
                let key = random.random_range(0..2);
                let element = number as i64;
                vec![Step::ReadList { key }, Step::Append { key, element }, Step::ReadList { key }]
            };
            let last = vec![Step::ReadList { key: 0 }, Step::ReadList { key: 1 }];
            let settings = Settings { isolation, ..Settings::default() };
            let done = run(settings, seed, vec![Step::Write { key: 3, value: 0 }], append, last);
            let end = done.last().and_then(Done::found).expect("all is well at the end").to_vec();
            for done in &done {
                for (step, found) in done.steps.iter().zip(done.found().unwrap_or_default()) {
                    let (Step::ReadList { key }, Found::List(list)) = (step, found) else {
                        continue;
                    };
                    let Found::List(longest) = &end[*key as usize] else { panic!("a list") };
                    // What was read of failed transactions is not there at the end.
                    let dirty = isolation == Isolation::ReadUncommitted;
                    assert!(dirty || longest.starts_with(list), "{isolation:?}, seed {seed}");
                    longest_seen = longest_seen.max(list.len());
                }
            }
        }
        assert!(longest_seen > 10, "{isolation:?} has lists of at most {longest_seen} elements");
    }
}

#[test]
fn a_transfer_that_is_not_covered_changes_nothing() {
    for isolation in LEVELS {
        let settings = Settings { isolation, ..Settings::default() };
        let mut cluster = Cluster::new(3, settings, 1);
        cluster.run_for(100 * MS);
        let mut call = |steps: &[Step]| {
            let reply = cluster.call(1, Command::Transaction(steps.into()));
            reply.expect("an answer").outcome
        };
        let (one, two) = (Step::Write { key: 1, value: 5 }, Step::Write { key: 2, value: 0 });
        assert!(matches!(call(&[one, two]), Outcome::Committed(_)));
        let transfer = |amount| Step::Transfer { from: 1, to: 2, amount };
        assert!(matches!(call(&[transfer(3)]), Outcome::Committed(_)));
        let add = Step::Add { key: 1, element: 1 };
        assert_eq!(call(&[add, transfer(3)]), Outcome::Mismatch, "{isolation:?}");
        let reads = [BOTH[0], BOTH[1], Step::ReadSet { key: 1 }];
        let expected: [Found; 3] =
            [Found::Register(Some(2)), Found::Register(Some(3)), Found::Set([].into())];
        assert_eq!(call(&reads), Outcome::Committed(expected.into()), "{isolation:?}");
    }
}

#[test]
fn deadlocks_end() {
    let settings = Settings { isolation: Isolation::ReadCommitted, ..Settings::default() };
    let mut cluster = Cluster::new(3, settings, 1);
    cluster.run_for(100 * MS);
    let write = |key| Step::Write { key, value: 7 };
    let mut ask = |client, steps: [Step; 2]| {
        cluster.ask(0, client, Command::Transaction(steps.into()), SessionToken::default())
    };
    let asked = [ask(1, [write(1), write(2)]), ask(2, [write(2), write(1)])];
    cluster.run_for(500 * MS);
    let locked = Outcome::Refused(Refusal::Locked);
    let ended = asked.map(|asked| cluster.replies[&asked].outcome == locked);
    assert!(ended.contains(&true), "neither gave up");
}

#[test]
fn reads_of_followers_are_one_snapshot_and_may_be_old() {
    let settings = Settings {
        acknowledge: Acknowledge::Async,
        replication_interval_ms: 60_000,
        reads: ReadRoute::AnyFollower,
        ..Settings::default()
    };
    let mut cluster = Cluster::new(3, settings, 1);
    cluster.run_for(100 * MS);
    let mut call = |steps: &[Step]| {
        let reply = cluster.call(0, Command::Transaction(steps.into())).expect("an answer");
        (reply.outcome, reply.served_by)
    };
    let written = call(&[Step::Append { key: 1, element: 1 }, Step::ReadList { key: 1 }]);
    let seen = Outcome::Committed([Found::Nothing, Found::List([1].into())].into());
    assert_eq!(written, (seen, 0));
    let (old, follower) = call(&[Step::ReadList { key: 1 }]);
    assert_eq!(old, Outcome::Committed([Found::List([].into())].into()));
    assert_ne!(follower, 0);
}
