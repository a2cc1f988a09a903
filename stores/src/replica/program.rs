//! One replica node as a process of a simulated machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use perjury_history::NodeId;
use perjury_lab::simulated::{self, Boot, CallId, NodeTime, Payload, Program};
use perjury_replica::{
    ClientId, Effect, Input, Message, Node, Now, Record, Reply, Request, Settings, Status,
};

/// What a simulated client may ask a node.
pub(super) enum Asked {
    Request(Request),
    Status,
    /// An operator's: take over. Answered with the status before.
    Promote,
}

/// What it is answered.
pub(super) enum Answered {
    Reply(Reply),
    Status(Status),
}

/// A node answers no later than this after it was asked: its gateway forgets sooner.
const ANSWERED_NS: u64 = 60_000_000_000;

/// How many open requests there are at least before old ones are looked for.
const CLEAN_MIN: usize = 1_024;

/// A request that may still be answered, and the call that waits for it.
struct OpenRequest {
    number: u64,
    call: CallId,
    since_ns: u64,
}

pub(super) struct ReplicaProgram {
    node: Node,
    /// The newest request of each client.
    calls: BTreeMap<ClientId, OpenRequest>,
    /// How many of them there are when old ones are looked for.
    clean_at: usize,
    /// Reused between steps.
    effects: Vec<Effect>,
}

impl ReplicaProgram {
    pub(super) fn start(settings: &Settings, nodes: u32, boot: &Boot) -> Box<dyn Program> {
        let disk = boot.disk.iter().map(|record| record.downcast_ref::<Record>().cloned());
        let disk = disk.collect::<Option<Vec<_>>>().expect("only this program writes the disk");
        let node = Node::start(boot.node.0, nodes, settings, boot.seed, disk, now(boot.now));
        Box::new(Self { node, calls: BTreeMap::new(), clean_at: CLEAN_MIN, effects: Vec::new() })
    }

    fn note(&mut self, request: &Request, call: CallId, now_ns: u64) {
        if self.calls.len() >= self.clean_at {
            // Those of clients that gave up and were replaced.
            self.calls.retain(|_, open| now_ns - open.since_ns < ANSWERED_NS);
            self.clean_at = (2 * self.calls.len()).max(CLEAN_MIN);
        }
        let open = OpenRequest { number: request.number, call, since_ns: now_ns };
        self.calls.insert(request.client, open);
    }

    fn perform(&mut self, effect: Effect, effects: &mut Vec<simulated::Effect>) {
        effects.push(match effect {
            Effect::Send { to, message } => {
                simulated::Effect::Send { to: NodeId(to), payload: Arc::new(message) }
            }
            Effect::Reply(reply) => match self.calls.remove(&reply.client) {
                Some(OpenRequest { number, call, .. }) if number == reply.number => {
                    simulated::Effect::Reply { call, payload: Arc::new(Answered::Reply(reply)) }
                }
                // The client has given up on that request and asked another one since.
                Some(newer) => {
                    self.calls.insert(reply.client, newer);
                    return;
                }
                None => return,
            },
            Effect::Write(record) => simulated::Effect::Write(Arc::new(record)),
            Effect::Rewrite(records) => {
                let records = records.into_iter().map(|record| Arc::new(record) as Payload);
                simulated::Effect::Rewrite(records.collect())
            }
            Effect::Sync => simulated::Effect::Sync,
        });
    }
}

impl Program for ReplicaProgram {
    fn step(
        &mut self,
        time: NodeTime,
        input: simulated::Input,
        effects: &mut Vec<simulated::Effect>,
    ) {
        let input = match input {
            simulated::Input::Message { from, payload } => {
                let message = payload.downcast::<Message>().expect("nodes send only messages");
                Input::Message { from: from.0, message: Arc::unwrap_or_clone(message) }
            }
            simulated::Input::Call { call, payload } => match payload.downcast_ref::<Asked>() {
                Some(Asked::Request(request)) => {
                    self.note(request, call, time.monotonic_ns);
                    Input::Request(request.clone())
                }
                asked => {
                    let payload = Arc::new(Answered::Status(self.node.status()));
                    effects.push(simulated::Effect::Reply { call, payload });
                    match asked {
                        Some(Asked::Promote) => Input::Promote,
                        _ => return,
                    }
                }
            },
            simulated::Input::Tick => Input::Tick,
            simulated::Input::Synced => Input::Synced,
        };
        let mut wanted = std::mem::take(&mut self.effects);
        self.node.step(now(time), input, &mut wanted);
        for effect in wanted.drain(..) {
            self.perform(effect, effects);
        }
        self.effects = wanted;
    }

    fn deadline_ns(&self) -> Option<u64> {
        Some(self.node.deadline_ns())
    }
}

fn now(time: NodeTime) -> Now {
    Now { monotonic_ns: time.monotonic_ns, wall_ns: time.wall_ns }
}
