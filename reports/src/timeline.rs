//! All operations as columns of numbers, for the timeline's script.
//!
//! An operation takes some 40 bytes: a history of 60,000 makes a page of 3 MB. Above
//! [`EMBEDDED_MAX`] operations the page holds those of the witnesses, those around witnesses and
//! faults, and an even sample of the others.
//!
//! Keys and values that have names are the numbers that stand for them, and `names` tells those.
//!
//! Times are microseconds. `invoked` holds differences, `took` is -1 for what never completed,
//! nodes and errors are -1 where there is none, so are versions. A value that JavaScript's numbers
//! cannot hold is a string.

use std::collections::BTreeMap;

use perjury_checkers::Analysis;
use perjury_history::{History, Operation, OperationId, Value};
use serde::{Serialize, Serializer};

use crate::anomalies::Jump;
use crate::faults::FaultSpan;
use crate::operation_text::Payload;
use crate::series::Series;
use crate::{escape, format, operation_text};

/// Operations embedded in a page at most (and every witness, should there be more).
pub(crate) const EMBEDDED_MAX: usize = 100_000;
/// Operations on each side of a witness or a fault that a sampled page keeps.
const NEIGHBOURS: usize = 250;
/// The part of a sampled page that neighbours may fill.
const NEIGHBOURS_SHARE: usize = 2;

/// The page's data: the content of `<script id="data">`.
#[derive(Serialize)]
pub(crate) struct Data<'a> {
    /// Of this format.
    version: u32,
    /// Operations of the history; more than are embedded if sampled.
    operations: usize,
    end_us: u64,
    concurrency: u32,
    columns: Columns,
    names: BTreeMap<Value, String>,
    anomalies: &'a [Jump],
    faults: Vec<Fault>,
    leaderships: Vec<(u32, u64, u64, u64)>,
    series: &'a Series,
}

#[derive(Serialize)]
struct Fault {
    number: u32,
    label: String,
    from_us: u64,
    to_us: u64,
    failed: bool,
}

/// The operations, column by column.
#[derive(Default, Serialize)]
struct Columns {
    functions: Vec<&'static str>,
    errors: Vec<String>,
    /// Differences of positions in the history; `null` if all operations are here.
    id: Option<Vec<u32>>,
    process: Vec<u32>,
    invoked: Vec<u64>,
    took: Vec<i64>,
    /// 0 ok, 1 fail, 2 info.
    outcome: Vec<u8>,
    node: Vec<i64>,
    served: Vec<i64>,
    epoch: Vec<Number>,
    position: Vec<Number>,
    error: Vec<i64>,
    /// How many micro-operations each operation has; `null` if one each.
    size: Option<Vec<u32>>,
    /// These four are by micro-operation.
    function: Vec<usize>,
    key: Vec<Number>,
    value: Vec<Option<Number>>,
    /// What a compare-and-set compared with, for those that are one, in order.
    old: Vec<Number>,
}

#[derive(Clone, Copy)]
struct Number(i128);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: i128 = 1 << 53;
        match i64::try_from(self.0) {
            Ok(number) if (-EXACT..=EXACT).contains(&self.0) => serializer.serialize_i64(number),
            _ => serializer.collect_str(&self.0),
        }
    }
}

/// What the page says above the timeline if it does not hold all operations.
pub(crate) fn sampling_note(history: &History) -> Option<String> {
    (history.len() > EMBEDDED_MAX).then(|| {
        format!(
            "The history has {} operations. Drawn are those of the anomalies, those just before and \
             after anomalies and faults, and an even sample of the rest, about {} in all.",
            format::count(history.len() as u64),
            format::count(EMBEDDED_MAX as u64)
        )
    })
}

pub(crate) fn data<'a>(
    history: &History,
    analysis: &Analysis,
    faults: &[FaultSpan<'_>],
    anomalies: &'a [Jump],
    series: &'a Series,
    concurrency: u32,
) -> Data<'a> {
    let us = |ns: u64| ns / 1_000;
    let end_ns = history.end_ns();
    let chosen = chosen(history, faults, anomalies);
    Data {
        version: 1,
        operations: history.len(),
        end_us: us(end_ns),
        concurrency,
        columns: columns(history, &chosen),
        names: names(history, &chosen),
        anomalies,
        faults: faults
            .iter()
            .map(|it| Fault {
                number: it.number,
                label: escape::visible(&it.label()),
                from_us: us(it.begin_ns()),
                to_us: us(it.end_ns(end_ns)),
                failed: it.failed(),
            })
            .collect(),
        leaderships: analysis
            .leaderships
            .iter()
            .map(|it| (it.node.0, it.epoch, us(it.first_ns), us(it.last_ns)))
            .collect(),
        series,
    }
}

/// The operations that the page holds.
fn chosen(history: &History, faults: &[FaultSpan<'_>], anomalies: &[Jump]) -> Vec<OperationId> {
    let all = history.len();
    let ids = |keep: Vec<bool>| {
        let kept = keep.into_iter().enumerate().filter(|(_, keep)| *keep);
        kept.map(|(index, _)| OperationId(index as u32)).collect()
    };
    if all <= EMBEDDED_MAX {
        return ids(vec![true; all]);
    }
    let mut keep = vec![false; all];
    for &witness in anomalies.iter().flat_map(|jump| &jump.operations) {
        keep[witness as usize] = true;
    }
    let witnesses = anomalies.iter().flat_map(|jump| &jump.operations).map(|&id| id as usize);
    let invoked_before = |time_ns: u64| {
        let (mut low, mut high) = (0, all);
        while low < high {
            let middle = usize::midpoint(low, high);
            match history.get(OperationId(middle as u32)).invoked_ns < time_ns {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    };
    let at_faults =
        faults.iter().flat_map(|span| &span.events).map(|event| invoked_before(event.time_ns));
    let mut room = EMBEDDED_MAX / NEIGHBOURS_SHARE;
    for centre in witnesses.chain(at_faults) {
        let around = centre.saturating_sub(NEIGHBOURS)..(centre + NEIGHBOURS).min(all);
        for kept in keep[around].iter_mut().filter(|kept| !**kept).take(room) {
            *kept = true;
            room -= 1;
        }
    }
    let kept = keep.iter().filter(|kept| **kept).count();
    let left = all - kept;
    let wanted = EMBEDDED_MAX.saturating_sub(kept).min(left);
    // Spread as Bresenham does: the n-th of those left is kept when the line crosses a whole number.
    let mut crossed = 0;
    for slot in keep.iter_mut().filter(|kept| !**kept) {
        crossed += wanted;
        if crossed >= left {
            crossed -= left;
            *slot = true;
        }
    }
    ids(keep)
}

/// The names of what the chosen operations mention, as they are shown.
fn names(history: &History, chosen: &[OperationId]) -> BTreeMap<Value, String> {
    let names = history.names();
    let mut told = BTreeMap::new();
    for operation in chosen.iter().map(|&id| history.get(id)) {
        for micro_op in operation.micro_ops {
            let Payload { value, old } = operation_text::payload(micro_op);
            for number in [Some(micro_op.key()), value, old].into_iter().flatten() {
                if names.text(number).is_some() && !told.contains_key(&number) {
                    told.insert(number, escape::visible(&operation_text::shown(names, number)));
                }
            }
        }
    }
    told
}

fn columns(history: &History, chosen: &[OperationId]) -> Columns {
    let mut columns = Columns::default();
    let (mut function_index, mut error_index) = (BTreeMap::new(), BTreeMap::new());
    let mut last_invoked_us = 0;
    let mut sizes = Vec::with_capacity(chosen.len());
    for &id in chosen {
        let operation = history.get(id);
        let invoked_us = operation.invoked_ns / 1_000;
        columns.process.push(operation.process.0);
        columns.invoked.push(invoked_us - last_invoked_us);
        last_invoked_us = invoked_us;
        let took = operation.completed_ns.map(|at| (at / 1_000 - invoked_us) as i64);
        columns.took.push(took.unwrap_or(-1));
        columns.outcome.push(operation_text::outcome_number(operation.outcome));
        let node = |node: Option<perjury_history::NodeId>| node.map_or(-1, |it| i64::from(it.0));
        columns.node.push(node(operation.node));
        columns.served.push(node(operation.served_by));
        let version = |part: fn(&perjury_history::Version) -> u64| {
            Number(operation.version.as_ref().map_or(-1, |it| i128::from(part(it))))
        };
        columns.epoch.push(version(|it| it.epoch));
        columns.position.push(version(|it| it.position));
        columns.error.push(operation.error.map_or(-1, |error| {
            intern(error, &mut error_index, &mut columns.errors, escape::visible) as i64
        }));
        sizes.push(operation.micro_ops.len() as u32);
        push_micro_ops(&operation, &mut function_index, &mut columns);
    }
    let single = sizes.iter().all(|&size| size == 1);
    columns.size = (!single).then_some(sizes);
    columns.id = (chosen.len() < history.len()).then(|| {
        let before = std::iter::once(0).chain(chosen.iter().map(|id| id.0));
        chosen.iter().zip(before).map(|(id, before)| id.0 - before).collect()
    });
    columns
}

fn push_micro_ops<'a>(
    operation: &Operation<'a>,
    function_index: &mut BTreeMap<&'a str, usize>,
    columns: &mut Columns,
) {
    for micro_op in operation.micro_ops {
        let payload = operation_text::payload(micro_op);
        let function = micro_op.function();
        let index = intern(function, function_index, &mut columns.functions, |_| function);
        columns.function.push(index);
        columns.key.push(Number(micro_op.key().into()));
        columns.value.push(payload.value.map(|value| Number(value.into())));
        columns.old.extend(payload.old.map(|old| Number(old.into())));
    }
}

/// The index of a text in its table, where it is put if it is new.
fn intern<'a, T>(
    text: &'a str,
    index: &mut BTreeMap<&'a str, usize>,
    table: &mut Vec<T>,
    shown: impl Fn(&str) -> T,
) -> usize {
    if let Some(&found) = index.get(text) {
        return found;
    }
    table.push(shown(text));
    index.insert(text, table.len() - 1);
    table.len() - 1
}

#[cfg(test)]
mod tests {
    use perjury_history::{Entry, Event, EventKind, HistoryBuilder, MicroOp, Process};

    use super::*;

    fn long_history(operations: u64) -> History {
        let mut builder = HistoryBuilder::new();
        for index in 0..operations {
            for kind in [EventKind::Invoke, EventKind::Ok] {
                let event = Event {
                    time_ns: index * 1_000,
                    process: Process(0),
                    kind,
                    micro_ops: vec![MicroOp::Write { key: 0, value: index as i64 }],
                    node: None,
                    version: None,
                    error: None,
                };
                builder.push(Entry::Operation(event)).expect("well formed");
            }
        }
        builder.finish()
    }

    #[test]
    fn a_long_history_is_sampled_evenly_and_keeps_its_witnesses() {
        let history = long_history(250_001);
        let witness = 123_457;
        let jump = Jump {
            number: 1,
            kind: "lost-write",
            operations: vec![witness, 250_000],
            from_us: 0,
            to_us: 0,
        };
        let ids: Vec<u32> = chosen(&history, &[], &[jump]).into_iter().map(|id| id.0).collect();
        assert_eq!(ids.len(), EMBEDDED_MAX);
        for near in [witness - NEIGHBOURS as u32, witness, witness + 200, 250_000] {
            assert!(ids.binary_search(&near).is_ok(), "{near} is kept");
        }
        let largest_hole = ids.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(largest_hole <= Some(3), "{largest_hole:?}");
        assert!(sampling_note(&history).is_some_and(|note| note.contains("250,001 operations")));
    }

    #[test]
    fn numbers_that_javascript_cannot_hold_are_strings() {
        let numbers = [Number(1 << 53), Number(i64::MAX.into()), Number(i64::MIN.into())];
        assert_eq!(
            serde_json::to_string(&numbers).expect("they are JSON"),
            "[9007199254740992,\"9223372036854775807\",\"-9223372036854775808\"]"
        );
    }
}
