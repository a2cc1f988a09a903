//! From a history to [`Observations`].

use perjury_history::{History, MicroOp, OperationId, Outcome, Process};
use rustc_hash::FxHashMap;

use super::items::{ItemKind, Items};
use super::reads::Reader;
use super::writes::{Writes, written};
use super::{Choice, INITIAL, Lists, NEVER, Observations, may_have_happened};

const NOT_COMMITTED: u32 = u32::MAX;

pub(super) fn gather(history: &History) -> Observations {
    let items = Items::of(history);
    let writes = Writes::of(history, &items);
    let mut reader = Reader::new(history, &items, &writes);
    for operation in history.iter().filter(|it| it.outcome == Outcome::Ok) {
        reader.read(&operation);
    }
    let mut numbers = vec![NOT_COMMITTED; history.len()];
    let mut found = Observations {
        operations: Vec::new(),
        sessions: Vec::new(),
        invoked: Vec::new(),
        completed: Vec::new(),
        real_time: history.real_time(),
        reads: Lists::new(),
        writes: Lists::new(),
        items: Vec::new(),
        chains: Lists::new(),
        tails: Lists::new(),
        choices: Vec::new(),
        ambiguous: reader.ambiguous,
        oddities: std::mem::take(&mut reader.oddities),
    };
    let mut sessions: FxHashMap<Process, u32> = FxHashMap::default();
    for operation in history.iter() {
        let is_ok = operation.outcome == Outcome::Ok;
        let happened = is_ok || reader.observed[operation.id.0 as usize];
        if !happened || !operation.micro_ops.iter().any(is_of_transactions) {
            continue;
        }
        numbers[operation.id.0 as usize] = found.operations.len() as u32;
        found.operations.push(operation.id);
        let next = sessions.len() as u32;
        found.sessions.push(*sessions.entry(operation.process).or_insert(next));
        found.invoked.push(operation.invoked);
        found.completed.push(operation.completed.filter(|_| is_ok).unwrap_or(NEVER));
        let mine = operation.micro_ops.iter().filter_map(|it| written(&items, it));
        let begin = found.writes.all.len();
        found.writes.all.extend(mine.map(|(item, _)| item));
        sort_and_deduplicate(&mut found.writes.all, begin);
        found.writes.close();
        found.reads.all.extend_from_slice(reader.reads_of(operation.id));
        found.reads.close();
    }
    for read in &mut found.reads.all {
        if read.writer != INITIAL {
            read.writer = numbers[read.writer as usize];
        }
    }
    let number = |operation: OperationId| {
        Some(numbers[operation.0 as usize]).filter(|it| *it != NOT_COMMITTED)
    };
    for choice in &reader.choices {
        let writers =
            choice.writers.iter().filter(|it| may_have_happened(history.get(**it).outcome));
        // One of unknown outcome may have happened because of this read alone; then it is committed
        // if it is chosen, and has a number already, since the reader marked it.
        let writers: Vec<u32> = writers.filter_map(|it| number(*it)).collect();
        let reader = number(choice.reader).expect("what reads succeeded");
        found.choices.push(Choice { reader, item: choice.item, writers });
    }
    for item in 0..items.all.len() as u32 {
        let (chain, tail) = versions(&items, &writes, &reader, item, &number);
        found.chains.all.extend(chain);
        found.chains.close();
        found.tails.all.extend(tail);
        found.tails.close();
    }
    drop(reader);
    drop(writes);
    found.items = items.all;
    found
}

/// The writers of an item in the order that is known, and the others.
fn versions(
    items: &Items,
    writes: &Writes,
    reader: &Reader<'_>,
    item: u32,
    number: &impl Fn(OperationId) -> Option<u32>,
) -> (Vec<u32>, Vec<u32>) {
    let chain: Vec<u32> = reader.chain(item).iter().filter_map(|it| number(*it)).collect();
    let all = writes.of_item(item).iter();
    let rest = all.filter(|write| !reader.is_placed(item, write));
    let mut rest: Vec<u32> = rest.filter_map(|write| number(write.operation)).collect();
    rest.sort_unstable();
    rest.dedup();
    match items.all[item as usize].kind {
        // The only one who added an element made its only version.
        ItemKind::Element(_) if rest.len() == 1 => (rest, Vec::new()),
        _ => (chain, rest),
    }
}

fn is_of_transactions(micro_op: &MicroOp) -> bool {
    matches!(
        micro_op,
        MicroOp::Read { .. }
            | MicroOp::Write { .. }
            | MicroOp::ReadList { .. }
            | MicroOp::Append { .. }
            | MicroOp::ReadSet { .. }
            | MicroOp::Add { .. }
    )
}

fn sort_and_deduplicate(all: &mut Vec<u32>, begin: usize) {
    all[begin..].sort_unstable();
    let mut end = begin;
    for index in begin..all.len() {
        if end == begin || all[end - 1] != all[index] {
            all[end] = all[index];
            end += 1;
        }
    }
    all.truncate(end);
}
