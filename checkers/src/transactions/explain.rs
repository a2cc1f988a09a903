//! Anomalies in words.

use perjury_history::{Found, History, MicroOp, Operation, OperationId, Value};

use super::cycles::Link;
use super::graph::kind;
use super::levels::Proof;
use super::observations::{INITIAL, ItemKind, Observations};
use super::oddity::Oddity;
use super::phenomenon::{classify, item_of};
use super::weak::Forced;
use crate::wording::{count, duration, list, seconds};
use crate::{Anomaly, AnomalyKind, Edge, Isolation, Order, Phenomenon, Witness, WitnessOperation};

/// Tells of what was found in one history.
#[derive(Clone, Copy)]
pub(crate) struct Teller<'a> {
    pub(crate) history: &'a History,
    pub(crate) observations: &'a Observations,
}

/// Transactions with the names that a story gives them.
struct Cast {
    operations: Vec<OperationId>,
}

impl Cast {
    fn of(mut operations: Vec<OperationId>) -> Self {
        operations.sort_unstable();
        operations.dedup();
        Self { operations }
    }

    fn name(&self, operation: OperationId) -> String {
        let place = self.operations.binary_search(&operation).unwrap_or(self.operations.len());
        format!("T{}", place + 1)
    }
}

impl Teller<'_> {
    /// A cycle of what is known.
    pub(crate) fn cycle(&self, cycle: &[Link]) -> Anomaly {
        let (phenomenon, order) = classify(self.observations, cycle);
        let kind = AnomalyKind::Isolation(phenomenon, order);
        let all = cycle.iter().flat_map(|link| [link.from, link.to]);
        let cast = Cast::of(all.map(|it| self.operation(it)).collect());
        let edges: Vec<Edge> = cycle.iter().map(|link| self.edge(*link, &cast)).collect();
        let told: Vec<String> = edges.iter().map(|edge| edge.reason.clone()).collect();
        let explanation = format!(
            "{}: {}. {}",
            self.introduce(&cast),
            told.join("; "),
            conclusion(phenomenon, cycle.len())
        );
        Anomaly {
            kind,
            key: self.key(cycle),
            explanation,
            witness: self.witness(&cast, edges, Vec::new()),
        }
    }

    /// Why a level is violated.
    pub(crate) fn proof(&self, proof: &Proof) -> Anomaly {
        let kind = AnomalyKind::Isolation(self.named(proof), proof.order);
        let cases = proof.cases.iter().flat_map(|case| &case.cycle);
        let links = proof.cycle.iter().chain(cases).flat_map(|link| [link.from, link.to]);
        let readers = proof.forced.iter().map(|forced| forced.reader);
        let all = links.chain(readers).map(|it| self.operation(it));
        let cast = Cast::of(all.collect());
        // What was there at first nothing comes before; then the edge is that to the reader.
        let is_of = |link: &Link, forced: &Forced| {
            let to = if forced.to == INITIAL { forced.reader } else { forced.to };
            link.kind == kind::FORCED && (link.from, link.to) == (forced.from, to)
        };
        let edge = |link: &Link| match proof.forced.iter().find(|it| is_of(link, it)) {
            Some(forced) => self.forced_edge(*link, forced, &cast),
            None => self.edge(*link, &cast),
        };
        let edges: Vec<Edge> = proof.cycle.iter().map(edge).collect();
        let told: Vec<String> = edges.iter().map(|edge| edge.reason.clone()).collect();
        let cases = proof.cases.iter().map(|case| {
            let Some(first) = case.cycle.first() else { return String::new() };
            let told = case.cycle[1..].iter().map(|link| self.edge(*link, &cast).reason);
            let told: Vec<String> = told.collect();
            let [from, to] = [first.from, first.to].map(|it| cast.name(self.operation(it)));
            format!(
                "if {}, there is a circle from {from} to {to} and back: {}",
                self.edge(*first, &cast).reason,
                list(&told, "and")
            )
        });
        let possibilities: Vec<String> = cases.collect();
        let explanation = match possibilities.is_empty() {
            _ if proof.cycle.is_empty() => format!(
                "No order of all transactions is {}: every order that their writes might have had \
                 was tried.",
                named(proof.level, proof.order)
            ),
            true => format!(
                "{}: {}. No order of them is {}.",
                self.introduce(&cast),
                told.join("; "),
                named(proof.level, proof.order)
            ),
            false => format!(
                "{}: whichever order their writes had, it is not {}.",
                self.introduce(&cast),
                named(proof.level, proof.order)
            ),
        };
        let witness = self.witness(&cast, edges, possibilities);
        Anomaly { kind, key: self.key(&proof.cycle), explanation, witness }
    }

    /// The name of what violates a level: that of the cycle if it rules out the level and no less.
    fn named(&self, proof: &Proof) -> Phenomenon {
        let is_known =
            !proof.cycle.is_empty() && proof.cycle.iter().all(|link| link.kind != kind::FORCED);
        if is_known {
            let (phenomenon, order) = classify(self.observations, &proof.cycle);
            if phenomenon.rules_out() == proof.level && order == proof.order {
                return phenomenon;
            }
        }
        match proof.level {
            Isolation::ReadUncommitted => Phenomenon::G0,
            Isolation::ReadCommitted => Phenomenon::G1c,
            Isolation::MonotonicAtomicView => Phenomenon::ObservedTransactionVanishes,
            Isolation::ReadAtomic => Phenomenon::FracturedRead,
            Isolation::Causal => Phenomenon::CausalityViolation,
            Isolation::Prefix => Phenomenon::LongFork,
            Isolation::ParallelSnapshotIsolation => Phenomenon::GSingleItem,
            Isolation::SnapshotIsolation => Phenomenon::GNonadjacentItem,
            Isolation::RepeatableRead => Phenomenon::G2Item,
            Isolation::Serializable => Phenomenon::G2,
        }
    }

    /// What no order could explain.
    pub(crate) fn oddity(&self, oddity: &Oddity) -> Anomaly {
        let operation = self.history.get(oddity.operation);
        let micro_op = &operation.micro_ops[oddity.micro_op as usize];
        let names = self.history.names();
        let key = format!("key {}", names.show(micro_op.key()));
        let value =
            oddity.value.map_or_else(|| "nothing".to_owned(), |it| names.show(it).to_string());
        let who = self.who(&operation);
        let other = oddity.other.map(|it| self.who(&self.history.get(it)));
        let other = other.as_deref().unwrap_or("another");
        let explanation = match oddity.phenomenon {
            Phenomenon::GarbageRead => {
                format!("{who} read {value} from {key}, which nobody wrote.")
            }
            Phenomenon::DuplicateElements => {
                format!("{who} found {value} twice in {key}.")
            }
            Phenomenon::G1a => {
                format!(
                    "{who} read {value} from {key}, which {other} had written. That had failed."
                )
            }
            Phenomenon::G1b => format!(
                "{who} read {value} from {key}, which {other} had written, but overwrote itself \
                 before it ended."
            ),
            Phenomenon::FutureRead => {
                format!("{who} read {value} from {key}, which it only wrote later itself.")
            }
            Phenomenon::DirtyUpdate => format!(
                "{who} found {value} in {key} on top of what {other} had written. That had failed."
            ),
            Phenomenon::IncompatibleOrder => format!(
                "{who} found {} in {key}; another read of it, as long or longer, does not begin so.",
                match micro_op.answer() {
                    Some(Found::List(held)) => crate::wording::elements(names, held, ["[", "]"]),
                    _ => value,
                }
            ),
            Phenomenon::NonRepeatableRead => {
                format!(
                    "{who} read {key} twice and found something else, {value}, the second time."
                )
            }
            _ => format!(
                "{who} had written to {key} and then found {value}, which is not what it wrote."
            ),
        };
        let cast = Cast::of([Some(oddity.operation), oddity.other].into_iter().flatten().collect());
        Anomaly {
            kind: AnomalyKind::Isolation(oddity.phenomenon, Order::Free),
            key: Some(micro_op.key()),
            explanation,
            witness: self.witness(&cast, Vec::new(), Vec::new()),
        }
    }

    fn operation(&self, transaction: u32) -> OperationId {
        self.observations.operations[transaction as usize]
    }

    /// `p3's transaction at 0.012 s`.
    fn who(&self, operation: &Operation<'_>) -> String {
        format!("{}'s transaction at {}", operation.process, seconds(operation.invoked_ns))
    }

    /// `T1 is p3's transaction at 0.012 s, T2 ...`.
    fn introduce(&self, cast: &Cast) -> String {
        let each = cast.operations.iter().map(|id| {
            let operation = self.history.get(*id);
            format!(
                "{} of {} at {}",
                cast.name(*id),
                operation.process,
                seconds(operation.invoked_ns)
            )
        });
        list(&each.collect::<Vec<_>>(), "and")
    }

    fn witness(&self, cast: &Cast, edges: Vec<Edge>, possibilities: Vec<String>) -> Witness {
        let operations = cast
            .operations
            .iter()
            .map(|id| WitnessOperation { operation: *id, role: cast.name(*id) });
        Witness { operations: operations.collect(), edges, possibilities }
    }

    /// The key that a cycle is about, if it is one.
    fn key(&self, cycle: &[Link]) -> Option<perjury_history::Key> {
        let items = cycle.iter().filter_map(|link| item_of(self.observations, *link));
        let mut keys = items.map(|item| self.observations.items[item as usize].key);
        let first = keys.next()?;
        keys.all(|key| key == first).then_some(first)
    }

    fn forced_edge(&self, link: Link, forced: &Forced, cast: &Cast) -> Edge {
        let names = self.history.names();
        let key = format!("key {}", names.show(self.observations.items[forced.item as usize].key));
        let [from, reader] = [forced.from, forced.reader].map(|it| cast.name(self.operation(it)));
        let reason = match forced.to {
            INITIAL => format!(
                "{reader} found nothing in {key}, though {from}, which wrote it, is visible to it"
            ),
            to => {
                let to = cast.name(self.operation(to));
                format!(
                    "{reader} read {key} from {to}, though {from}, which wrote it too, is visible to \
                     it, so that {from} must come before {to}"
                )
            }
        };
        Edge { from: self.operation(link.from), to: self.operation(link.to), reason }
    }

    /// An edge with what shows it.
    fn edge(&self, link: Link, cast: &Cast) -> Edge {
        let [from, to] = [link.from, link.to].map(|it| self.operation(it));
        let (first, second) = (cast.name(from), cast.name(to));
        let [earlier, later] = [from, to].map(|it| self.history.get(it));
        let reason = match link.kind {
            kind::SESSION => {
                format!("{second} came after {first} in the session of {}", earlier.process)
            }
            kind::REAL_TIME => {
                let ended = earlier.completed_ns.unwrap_or(earlier.invoked_ns);
                let before = duration(later.invoked_ns.saturating_sub(ended));
                format!("{first} had ended {before} before {second} began")
            }
            _ => self.dependency(link, &first, &second),
        };
        Edge { from, to, reason }
    }

    fn dependency(&self, link: Link, first: &str, second: &str) -> String {
        let Some(item) = item_of(self.observations, link) else {
            return format!("{first} comes before {second}");
        };
        let names = self.history.names();
        let it = self.observations.items[item as usize];
        let key = format!("key {}", names.show(it.key));
        let written = |transaction: u32| {
            let wrote = self.written(transaction, item);
            wrote.map_or_else(|| "something".to_owned(), |value| names.show(value).to_string())
        };
        match (link.kind, it.kind) {
            (kind::WR | kind::WR_PREDICATE, ItemKind::Element(value)) => {
                format!("{second} saw {} in {key}, which {first} added", names.show(value))
            }
            (kind::WR, ItemKind::List) => {
                format!(
                    "{second} saw {} at the end of {key}, which {first} appended",
                    written(link.from)
                )
            }
            (kind::WR, _) => {
                format!("{second} read {} from {key}, which {first} wrote", written(link.from))
            }
            (kind::RW | kind::RW_PREDICATE, ItemKind::Element(value)) => {
                format!("{first} did not see {} in {key}, which {second} added", names.show(value))
            }
            (kind::RW, ItemKind::List) => format!(
                "{first} saw {key} {}, before {second} appended {}",
                self.found(link.from, item),
                written(link.to)
            ),
            (kind::RW, _) => format!(
                "{first} {}, before {second} wrote {}",
                self.read_register(link.from, item, &key),
                written(link.to)
            ),
            (_, ItemKind::List) => {
                let [one, other] = [written(link.from), written(link.to)];
                format!("{second} appended {other} to {key} after {first} had appended {one}")
            }
            _ => {
                let [one, other] = [written(link.from), written(link.to)];
                format!("{second} wrote {other} to {key} after {first} had written {one}")
            }
        }
    }

    /// What a transaction wrote last to an item.
    fn written(&self, transaction: u32, item: u32) -> Option<Value> {
        let it = self.observations.items[item as usize];
        let operation = self.history.get(self.operation(transaction));
        operation.micro_ops.iter().rev().find_map(|micro_op| match (micro_op, it.kind) {
            (MicroOp::Write { key, value }, ItemKind::Register)
            | (MicroOp::Append { key, value }, ItemKind::List)
                if *key == it.key =>
            {
                Some(*value)
            }
            _ => None,
        })
    }

    fn read_register(&self, reader: u32, item: u32, key: &str) -> String {
        let reads = self.observations.reads.of(reader).iter();
        let writer = reads.filter(|read| read.item == item).map(|read| read.writer).next();
        let value = writer.filter(|it| *it != INITIAL).and_then(|it| self.written(it, item));
        match value {
            Some(value) => format!("read {} from {key}", self.history.names().show(value)),
            None => format!("found nothing in {key}"),
        }
    }

    /// `up to 3`, or `empty`.
    fn found(&self, reader: u32, item: u32) -> String {
        let reads = self.observations.reads.of(reader).iter();
        let writer = reads.filter(|read| read.item == item).map(|read| read.writer).next();
        let value = writer.filter(|it| *it != INITIAL).and_then(|it| self.written(it, item));
        value.map_or_else(
            || "empty".to_owned(),
            |value| format!("up to {}", self.history.names().show(value)),
        )
    }
}

fn named(level: Isolation, order: Order) -> &'static str {
    crate::Model::Isolation(level, order).name()
}

fn conclusion(phenomenon: Phenomenon, length: usize) -> String {
    match phenomenon {
        Phenomenon::LostUpdate => "One of the two updates is lost.".into(),
        Phenomenon::WriteSkew => "Each overwrote what the other relied on.".into(),
        Phenomenon::ReadSkew | Phenomenon::ObservedTransactionVanishes => {
            "So one saw a part of the other.".into()
        }
        Phenomenon::LongFork => "So two saw two writes in different orders.".into(),
        _ => format!("So each of the {} comes before itself.", count(length as u64, "transaction")),
    }
}
