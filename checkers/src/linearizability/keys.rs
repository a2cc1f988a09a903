//! The parts of a history that can be decided one by one, and how each is.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use perjury_history::{History, Key, OperationId};

use super::object::{Call, Decision, SequentialObject, call, cut, only};
use super::search::{self, Budget, Limit};
use super::shrink::shrink;
use super::verify;
use crate::Context;

/// Steps for making one witness smaller, beside some for each operation.
const SHRINK_STEPS: u64 = 1_000_000;
const SHRINK_STEPS_PER_OPERATION: u64 = 16;

/// Histories of fewer operations are not worth a thread.
const OPERATIONS_PER_THREAD: usize = 5_000;

/// The operations on one object.
#[derive(Clone, Debug)]
pub(super) struct Part {
    key: Option<Key>,
    operations: Vec<OperationId>,
}

impl Part {
    /// All parts of a history: a key each, or the whole.
    pub(super) fn all<M: SequentialObject>(object: &M, history: &History) -> Vec<Self> {
        if object.spans_keys() {
            let operations = history.iter().map(|it| it.id).collect();
            return vec![Self { key: None, operations }];
        }
        let keys = history.by_key().into_iter();
        keys.map(|(key, operations)| Self { key: Some(key), operations }).collect()
    }

    pub(super) fn key(&self) -> Option<Key> {
        self.key
    }

    pub(super) fn operations(&self) -> &[OperationId] {
        &self.operations
    }

    pub(super) fn name(&self, history: &History) -> String {
        match self.key {
            Some(key) => format!("key {}", history.names().show(key)),
            None => "all keys together".to_owned(),
        }
    }
}

/// What was found of one part.
#[derive(Clone, Debug)]
pub(super) struct Finding<M: SequentialObject> {
    pub(super) answer: Answer<M>,
    /// Operations that took effect or may have, and those of them that returned.
    pub(super) operations: usize,
    pub(super) returned: usize,
    pub(super) search_steps: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Answer<M: SequentialObject> {
    /// No operation tells anything.
    Nothing,
    /// Some operation is none of the object's.
    Unfit(String),
    /// The operations in an order that shows it.
    Linearizable(Vec<OperationId>),
    Contradiction {
        position: u32,
        /// What the object may have held just before; empty if that is not known.
        states: Vec<M::State>,
        /// Calls that contradict each other, as they stood at `position`.
        evidence: Vec<Call<M::Operation>>,
    },
    Exhausted {
        limit: Limit,
        proved: usize,
        unknown: usize,
    },
    /// The verifier refused what was found, which is a defect of ours.
    Refused(String),
}

/// Decides every part, several at a time, those last that look hardest.
pub(super) fn decide<M: SequentialObject>(
    object: &M,
    history: &History,
    parts: &[Part],
    context: &Context<'_>,
) -> Vec<Finding<M>> {
    let threads = context.threads.min(parts.len()).min(history.len() / OPERATIONS_PER_THREAD + 1);
    let context =
        Context { memory_limit_bytes: context.memory_limit_bytes / threads.max(1), ..*context };
    let mut queue: Vec<usize> = (0..parts.len()).collect();
    queue.sort_by_key(|index| parts[*index].operations.len());
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<Option<Finding<M>>>> = Mutex::new(parts.iter().map(|_| None).collect());
    let work = || {
        while let Some(&index) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            let finding = decide_one(object, history, &parts[index], &context);
            found.lock().expect("no holder panics")[index] = Some(finding);
        }
    };
    if threads <= 1 {
        work();
    } else {
        std::thread::scope(|scope| {
            (0..threads).for_each(|_| {
                scope.spawn(work);
            });
        });
    }
    let found = found.into_inner().expect("no holder panics");
    found.into_iter().map(|it| it.expect("every part was decided")).collect()
}

/// The bounds of one search.
fn budget<'a>(context: &'a Context<'_>, steps_left: u64) -> Budget<'a> {
    Budget {
        steps_left,
        memory_limit_bytes: context.memory_limit_bytes,
        out_of_time: context.out_of_time,
    }
}

type Calls<M> = Vec<Call<<M as SequentialObject>::Operation>>;

/// The calls of a part, by order of invocation.
///
/// # Errors
/// If an operation is none of the object's.
pub(super) fn calls<M: SequentialObject>(
    object: &M,
    history: &History,
    part: &Part,
) -> Result<Calls<M>, String> {
    let mut calls = Vec::with_capacity(part.operations.len());
    for id in &part.operations {
        let operation = history.get(*id);
        match call(object, &operation) {
            Ok(call) => calls.extend(call),
            Err(_) if operation.single().is_none() => {
                return Err("transactions of several micro-operations touch it, and they are not \
                            judged here"
                    .to_owned());
            }
            Err(_) => {
                let function = operation.micro_ops[0].function();
                return Err(format!("`{function}` is nothing that a {} is asked", object.name()));
            }
        }
    }
    Ok(calls)
}

fn decide_one<M: SequentialObject>(
    object: &M,
    history: &History,
    part: &Part,
    context: &Context<'_>,
) -> Finding<M> {
    let mut finding =
        Finding { answer: Answer::Nothing, operations: 0, returned: 0, search_steps: 0 };
    let all = match calls(object, history, part) {
        Ok(calls) => calls,
        Err(reason) => return Finding { answer: Answer::Unfit(reason), ..finding },
    };
    if all.is_empty() {
        return finding;
    }
    finding.operations = all.len();
    finding.returned = all.iter().filter(|call| call.returned.is_some()).count();
    if (context.out_of_time)() {
        finding.answer = Answer::Exhausted { limit: Limit::Time, proved: 0, unknown: 0 };
        return finding;
    }
    let reduced = object.reduce(all);
    let again = || calls(object, history, part).expect("they fitted before");
    finding.answer = match object.decide(&reduced) {
        Decision::Linearizable(order) => verified(object, &reduced, &order),
        Decision::Contradiction(core) => {
            let core: Calls<M> = core.into_iter().map(|at| reduced[at as usize].clone()).collect();
            // The violation is known; the search only tells where it shows, whatever the hour.
            let within = budget(context, context.step_limit);
            let answer =
                search::find(object, &core, &mut Budget { out_of_time: &|| false, ..within });
            let evidence = only(&again(), &core);
            match answer {
                search::Answer::Exhausted { .. } => untold(&evidence),
                other => contradicted(object, other, || evidence),
            }
        }
        Decision::Inapplicable => {
            let mut budget = budget(context, context.step_limit);
            let answer = search::find(object, &reduced, &mut budget);
            finding.search_steps = (context.step_limit - budget.steps_left).max(1);
            match answer {
                search::Answer::Linearizable(order) => verified(object, &reduced, &order),
                other => contradicted(object, other, again),
            }
        }
    };
    finding
}

/// The fewest calls that contradict each other as `evidence` does at `position`.
pub(super) fn core<M: SequentialObject>(
    object: &M,
    context: &Context<'_>,
    evidence: Calls<M>,
    position: u32,
    steps_left: &mut u64,
) -> Calls<M> {
    let steps = SHRINK_STEPS + SHRINK_STEPS_PER_OPERATION * evidence.len() as u64;
    let steps = steps.min(*steps_left);
    let mut budget = budget(context, steps);
    let core = shrink(object, evidence, position, &mut budget);
    *steps_left -= steps - budget.steps_left;
    core
}

fn verified<M: SequentialObject>(
    object: &M,
    calls: &[Call<M::Operation>],
    order: &[u32],
) -> Answer<M> {
    match verify::order(object, calls, order) {
        Ok(()) => Answer::Linearizable(order.iter().map(|at| calls[*at as usize].id).collect()),
        Err(problem) => Answer::Refused(problem),
    }
}

/// A contradiction of which no search can tell where it shows first: with its last return, it does.
fn untold<M: SequentialObject>(evidence: &[Call<M::Operation>]) -> Answer<M> {
    match evidence.iter().filter_map(|call| call.returned).max() {
        Some(position) => {
            let evidence = cut(evidence, position);
            Answer::Contradiction { position, states: Vec::new(), evidence }
        }
        None => Answer::Refused("a contradiction of what may not have happened".to_owned()),
    }
}

/// What a search says that should find a contradiction, with the calls that it is of.
fn contradicted<M: SequentialObject>(
    object: &M,
    answer: search::Answer<M::State>,
    evidence: impl FnOnce() -> Calls<M>,
) -> Answer<M> {
    match answer {
        search::Answer::Contradiction { position, states } => {
            let mut evidence = cut(&evidence(), position);
            // Where a decider can tell, it leaves little to shrink.
            let reduced = object.reduce(evidence.clone());
            if let Decision::Contradiction(core) = object.decide(&reduced) {
                let core: Calls<M> =
                    core.into_iter().map(|at| reduced[at as usize].clone()).collect();
                let fewer = only(&evidence, &core);
                if fewer.iter().any(|call| call.returned == Some(position)) {
                    evidence = fewer;
                }
            }
            Answer::Contradiction { position, states, evidence }
        }
        search::Answer::Exhausted { limit, proved, unknown } => {
            Answer::Exhausted { limit, proved, unknown }
        }
        search::Answer::Linearizable(_) => {
            Answer::Refused("a contradiction that the search does not see".to_owned())
        }
    }
}
