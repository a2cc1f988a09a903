//! Every level is kept, and no more than it: dependencies between transactions are read off the lists
//! that they saw, and cycles are looked for by their definitions.
//!
//! Edges, as Adya has them: `ww` from a version's writer to the next one's, `wr` from a writer to whom
//! read it, `rw` from whom read a version to the next one's writer; beside them the order of sessions
//! and real time.

use std::collections::{BTreeMap, BTreeSet};

use perjury_history::{History, MicroOp, Operation, Outcome};
use perjury_simulator::{Level, Settings, Workload, simulate};

const SEEDS: u64 = 25;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Flaw {
    /// An element was read whose transaction failed.
    AbortedRead,
    /// A cycle of `ww` and `wr`.
    Circular,
    /// A transaction saw one write of another and missed one.
    Fractured,
    /// A cycle of `wr` and sessions, or of one `rw` and these.
    NotCausal,
    /// A cycle of one `rw` and `ww`, `wr` and sessions.
    NotParallelSnapshot,
    /// Two transactions read the same version of a key and both wrote it.
    LostUpdate,
    /// A cycle of no two `rw` in a row, and sessions.
    NotSnapshot,
    /// A cycle of `ww`, `wr` and `rw`.
    NotSerializable,
    /// The same with sessions.
    NotStrongSession,
    /// The same with real time.
    NotStrict,
}

#[derive(Default)]
struct Graph {
    ww: BTreeSet<(usize, usize)>,
    wr: BTreeSet<(usize, usize)>,
    rw: BTreeSet<(usize, usize)>,
    session: BTreeSet<(usize, usize)>,
    real_time: BTreeSet<(usize, usize)>,
}

fn cyclic(edges: &BTreeSet<(usize, usize)>, count: usize) -> bool {
    let mut entering = vec![0; count];
    edges.iter().for_each(|edge| entering[edge.1] += 1);
    let mut ready: Vec<_> = (0..count).filter(|node| entering[*node] == 0).collect();
    let mut done = 0;
    while let Some(node) = ready.pop() {
        done += 1;
        for &(_, to) in edges.range((node, 0)..(node + 1, 0)) {
            entering[to] -= 1;
            if entering[to] == 0 {
                ready.push(to);
            }
        }
    }
    done < count
}

fn reaches(edges: &BTreeSet<(usize, usize)>, from: usize, to: usize) -> bool {
    let (mut seen, mut open) = (BTreeSet::from([from]), vec![from]);
    while let Some(node) = open.pop() {
        if node == to {
            return true;
        }
        for &(_, next) in edges.range((node, 0)..(node + 1, 0)) {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    false
}

fn union(sets: &[&BTreeSet<(usize, usize)>]) -> BTreeSet<(usize, usize)> {
    sets.iter().flat_map(|set| set.iter().copied()).collect()
}

/// The lists that a transaction read, without what it appended itself.
fn reads<'a>(operation: &Operation<'a>) -> Vec<(i64, &'a [i64])> {
    let mut reads = Vec::new();
    for (index, micro_op) in operation.micro_ops.iter().enumerate() {
        let own = operation.micro_ops[..index].iter();
        let own = own.filter(|it| it.is_mutation() && it.key() == micro_op.key());
        let own: Vec<i64> = own.filter_map(MicroOp::argument).collect();
        if let MicroOp::ReadList { key, result: Some(elements) } = micro_op
            // Without isolation others may have appended in between.
            && let Some(others) = elements.strip_suffix(own.as_slice())
        {
            reads.push((*key, others));
        }
    }
    reads
}

fn appends<'a>(operation: &Operation<'a>) -> impl Iterator<Item = (i64, i64)> + use<'a> {
    let appends = operation.micro_ops.iter().filter(|it| it.is_mutation());
    appends.filter_map(|it| Some((it.key(), it.argument()?)))
}

/// What is wrong with a history.
fn flaws(history: &History) -> BTreeSet<Flaw> {
    let mut flaws = BTreeSet::new();
    let mut writers = BTreeMap::new();
    let mut orders: BTreeMap<i64, &[i64]> = BTreeMap::new();
    for operation in history.iter() {
        writers.extend(appends(&operation).map(|append| (append, operation)));
    }
    let failed = |key, element| writers[&(key, element)].outcome == Outcome::Fail;
    for operation in history.iter() {
        for (key, elements) in reads(&operation) {
            if elements.iter().any(|element| failed(key, *element)) {
                flaws.insert(Flaw::AbortedRead);
                continue;
            }
            let order = orders.entry(key).or_insert(elements);
            if elements.len() > order.len() {
                *order = elements;
            }
        }
    }
    let mut graph = Graph::default();
    let mut bases: BTreeMap<(i64, usize), usize> = BTreeMap::new();
    let mut last: BTreeMap<u32, usize> = BTreeMap::new();
    for (key, order) in &orders {
        for pair in order.windows(2) {
            let [one, other] = [pair[0], pair[1]].map(|it| writers[&(*key, it)].id.0 as usize);
            if one != other {
                graph.ww.insert((one, other));
            }
        }
    }
    for operation in history.iter().filter(|it| it.outcome != Outcome::Fail) {
        let reader = operation.id.0 as usize;
        if let Some(before) = last.insert(operation.process.0, reader) {
            graph.session.insert((before, reader));
        }
        let real_time = history.iter().filter(|it| it.precedes(&operation));
        graph.real_time.extend(real_time.map(|it| (it.id.0 as usize, reader)));
        let mut seen: BTreeMap<usize, BTreeSet<(i64, i64)>> = BTreeMap::new();
        for (key, elements) in reads(&operation) {
            if elements.iter().any(|element| failed(key, *element)) {
                continue;
            }
            assert!(orders[&key].starts_with(elements), "{elements:?} of {:?}", orders[&key]);
            if let Some(element) = elements.last() {
                graph.wr.insert((writers[&(key, *element)].id.0 as usize, reader));
            }
            for element in elements {
                let writer = writers[&(key, *element)].id.0 as usize;
                seen.entry(writer).or_default().insert((key, *element));
            }
            if let Some(next) = orders[&key].get(elements.len()) {
                graph.rw.insert((reader, writers[&(key, *next)].id.0 as usize));
            }
            let writes = appends(&operation).any(|it| it.0 == key);
            if operation.outcome == Outcome::Ok
                && writes
                && *bases.entry((key, elements.len())).or_insert(reader) != reader
            {
                flaws.insert(Flaw::LostUpdate);
            }
        }
        for (writer, seen) in seen {
            let writer = history.get(perjury_history::OperationId(writer as u32));
            let missed = reads(&operation).iter().any(|(key, elements)| {
                appends(&writer).any(|(of, element)| of == *key && !elements.contains(&element))
            });
            if missed && !seen.is_empty() && writer.id != operation.id {
                flaws.insert(Flaw::Fractured);
            }
        }
    }
    for set in [&mut graph.wr, &mut graph.rw] {
        set.retain(|(one, other)| one != other);
    }
    let Graph { ww, wr, rw, session, real_time } = &graph;
    let count = history.len();
    let causal = union(&[wr, session]);
    let dependencies = union(&[ww, wr, session]);
    // Each step is a dependency, perhaps with an `rw` after it.
    let followed = |edge: &(usize, usize)| {
        let (from, over) = *edge;
        rw.range((over, 0)..(over + 1, 0)).map(move |(_, to)| (from, *to)).collect::<Vec<_>>()
    };
    let mut stepped: BTreeSet<_> = dependencies.iter().flat_map(followed).collect();
    stepped.extend(dependencies.iter().copied());
    let all = union(&[ww, wr, rw]);
    let one_rw = |edges: &BTreeSet<_>| rw.iter().any(|&(from, to)| reaches(edges, to, from));
    for (flaw, holds) in [
        (Flaw::Circular, cyclic(&union(&[ww, wr]), count)),
        (Flaw::NotCausal, cyclic(&causal, count) || one_rw(&causal)),
        (Flaw::NotParallelSnapshot, cyclic(&dependencies, count) || one_rw(&dependencies)),
        (Flaw::NotSnapshot, stepped.iter().any(|edge| edge.0 == edge.1) || cyclic(&stepped, count)),
        (Flaw::NotSerializable, cyclic(&all, count)),
        (Flaw::NotStrongSession, cyclic(&union(&[&all, session]), count)),
        (Flaw::NotStrict, cyclic(&union(&[&all, session, real_time]), count)),
    ] {
        if holds {
            flaws.insert(flaw);
        }
    }
    flaws
}

#[test]
fn each_level_has_all_the_flaws_that_it_allows_and_no_other() {
    use Flaw::*;
    let table: [(Level, &[Flaw]); 11] = [
        (Level::StrictSerializable, &[]),
        (Level::StrongSessionSerializable, &[NotStrict]),
        (
            Level::Serializable,
            &[NotCausal, NotParallelSnapshot, NotSnapshot, NotStrongSession, NotStrict],
        ),
        (Level::SnapshotIsolation, &[NotSerializable, NotStrongSession, NotStrict]),
        (
            Level::ParallelSnapshotIsolation,
            &[NotSnapshot, NotSerializable, NotStrongSession, NotStrict],
        ),
        (
            Level::Prefix,
            &[
                NotParallelSnapshot,
                LostUpdate,
                NotSnapshot,
                NotSerializable,
                NotStrongSession,
                NotStrict,
            ],
        ),
        (
            Level::Causal,
            &[
                NotParallelSnapshot,
                LostUpdate,
                NotSnapshot,
                NotSerializable,
                NotStrongSession,
                NotStrict,
            ],
        ),
        (
            Level::ReadAtomic,
            &[
                NotCausal,
                NotParallelSnapshot,
                LostUpdate,
                NotSnapshot,
                NotSerializable,
                NotStrongSession,
                NotStrict,
            ],
        ),
        (
            Level::ReadCommitted,
            &[
                Fractured,
                NotCausal,
                NotParallelSnapshot,
                LostUpdate,
                NotSnapshot,
                NotSerializable,
                NotStrongSession,
                NotStrict,
            ],
        ),
        (
            Level::ReadUncommitted,
            &[
                AbortedRead,
                Circular,
                Fractured,
                NotCausal,
                NotParallelSnapshot,
                LostUpdate,
                NotSnapshot,
                NotSerializable,
                NotStrongSession,
                NotStrict,
            ],
        ),
        (
            Level::NoIsolation,
            &[
                AbortedRead,
                Circular,
                Fractured,
                NotCausal,
                NotParallelSnapshot,
                LostUpdate,
                NotSnapshot,
                NotSerializable,
                NotStrongSession,
                NotStrict,
            ],
        ),
    ];
    for (level, allowed) in table {
        let allowed: BTreeSet<Flaw> = allowed.iter().copied().collect();
        let mut found = BTreeSet::new();
        for seed in 0..SEEDS {
            let settings = Settings {
                level,
                seed,
                transactions: 200,
                keys: 6,
                // Nobody could say of an element that was read and is gone that its transaction
                // failed.
                unknown_share: match level {
                    Level::ReadUncommitted => 0.0,
                    _ => 0.05 * (seed % 2) as f64,
                },
                abort_share: if seed % 4 < 2 { 0.05 } else { 0.0 },
                ..Settings::default()
            };
            let flaws = flaws(&simulate(&settings).expect("sound settings"));
            let more: Vec<_> = flaws.difference(&allowed).collect();
            assert!(more.is_empty(), "{level}, seed {seed}: {more:?}");
            found.extend(flaws);
        }
        assert_eq!(found, allowed, "{level}");
    }
}

/// The same for registers, as far as it can be seen without an order of versions.
#[test]
fn registers_hold_what_was_written() {
    for level in Level::ALL {
        let mut aborted = 0;
        for seed in 0..SEEDS {
            let workload = Workload::Register;
            let settings =
                Settings { level, seed, workload, abort_share: 0.1, ..Settings::default() };
            let history = simulate(&settings).expect("sound settings");
            let writes = |it: Operation<'_>| {
                let written = it.micro_ops.iter().filter(|it| it.is_mutation());
                let written: Vec<_> = written.map(|step| (step.key(), step.written())).collect();
                written.into_iter().map(move |write| (write, it.outcome))
            };
            let written: BTreeMap<_, _> = history.iter().flat_map(writes).collect();
            for micro_op in history.iter().flat_map(|it| it.micro_ops) {
                if let MicroOp::Read { key, result: Some(reading) } = micro_op
                    && let Some(value) = reading.value()
                {
                    let outcome = written.get(&(*key, Some(value)));
                    assert!(
                        outcome.is_some(),
                        "{level}, seed {seed}: {micro_op} was never written"
                    );
                    aborted += usize::from(outcome == Some(&Outcome::Fail));
                }
            }
        }
        let dirty = matches!(level, Level::ReadUncommitted | Level::NoIsolation);
        assert_eq!(aborted > 0, dirty, "{level}: {aborted} aborted reads");
    }
}
