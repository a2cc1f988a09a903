//! Where clients come in. Any node takes any request and sees that the right node executes it.

use std::collections::{BTreeMap, VecDeque};

use rand::RngExt;

use super::{NS_PER_MS, Part, Replica};
use crate::{
    Addressee, ClientId, Command, Doubt, Effect, Forward, Message, NodeId, Outcome, ReadRoute,
    Refusal, Reply, Request, Step, Version,
};

/// After this the gateway forgets a request; its client has long given up.
const FORGET_S: u64 = 5;

const SECOND_NS: u64 = 1_000 * NS_PER_MS;

/// The most clients whose decided requests are remembered, and the most cached registers.
const REMEMBERED_MAX: usize = 65_536;

/// What a gateway, and a node that executes forwarded requests, remembers.
#[derive(Clone, Debug)]
pub(super) struct Gateway {
    /// Requests of its own clients that are being executed.
    pending: BTreeMap<(ClientId, u64), Command>,
    /// When to forget them, in order; some are answered by then.
    expiries: VecDeque<(u64, (ClientId, u64))>,
    /// The `cache` read route.
    cache: BTreeMap<i64, Cached>,
    /// For each client the newest forwarded write that this node accepted or refused: what is not
    /// newer is a duplicate that the network made.
    decided: BTreeMap<ClientId, u64>,
    /// Before a restart it may have led up to this epoch, and have accepted anything.
    forgotten_epoch: u64,
}

#[derive(Clone, Copy, Debug)]
struct Cached {
    value: Option<i64>,
    version: Option<Version>,
    expires_ns: u64,
}

impl Gateway {
    pub(super) fn new(forgotten_epoch: u64) -> Self {
        Self {
            pending: BTreeMap::new(),
            expiries: VecDeque::new(),
            cache: BTreeMap::new(),
            decided: BTreeMap::new(),
            forgotten_epoch,
        }
    }

    pub(super) fn deadline_ns(&self) -> u64 {
        self.expiries.front().map_or(u64::MAX, |expiry| expiry.0)
    }

    /// Notes that a forwarded write is being decided; false if it was before.
    fn decide(&mut self, request: &Request) -> bool {
        if self.decided.get(&request.client).is_some_and(|newest| *newest >= request.number) {
            return false;
        }
        if self.decided.len() >= REMEMBERED_MAX {
            // A duplicate that is overtaken by so many clients would be executed again.
            self.decided.clear();
        }
        self.decided.insert(request.client, request.number);
        true
    }

    fn fill(&mut self, key: i64, new: Cached, now_ns: u64) {
        if self
            .cache
            .get(&key)
            .is_some_and(|old| old.expires_ns > now_ns && old.version > new.version)
        {
            return;
        }
        if self.cache.len() >= REMEMBERED_MAX {
            self.cache.retain(|_, cached| cached.expires_ns > now_ns);
        }
        if self.cache.len() < REMEMBERED_MAX {
            self.cache.insert(key, new);
        }
    }
}

impl Replica {
    /// A client of this node asks something.
    pub(super) fn on_request(&mut self, request: Request) {
        if request.command.is_inspection() {
            let reply = self.local_read(&request);
            self.effects.push(Effect::Reply(reply));
        } else if matches!(self.part, Part::Out) {
            self.refuse(&request, Refusal::Out);
        } else if request.command.is_mutation() {
            self.ask_leader(request);
        } else {
            self.route_read(request);
        }
    }

    fn route_read(&mut self, request: Request) {
        match self.settings.reads {
            ReadRoute::Leader => self.ask_leader(request),
            ReadRoute::AnyFollower => self.ask_any_follower(request, Addressee::Replica),
            ReadRoute::StickyFollower => {
                let to = self.follower_of(request.client);
                self.dispatch(to, Addressee::Replica, request);
            }
            ReadRoute::LeaderAfterWrite { window_ms } => {
                let age_ns = request.session.since_write_ns;
                if age_ns.is_some_and(|age| age < window_ms * NS_PER_MS) {
                    self.ask_leader(request);
                } else {
                    self.ask_any_follower(request, Addressee::Replica);
                }
            }
            ReadRoute::SessionToken => self.ask_any_follower(request, Addressee::FreshReplica),
            ReadRoute::Cache { .. } => match self.cached(&request.command) {
                Some(cached) => {
                    let outcome = Outcome::Read(cached.value);
                    let version = cached.version;
                    let applied = version.unwrap_or_default();
                    let reply = Reply { applied, version, ..self.reply(&request, outcome) };
                    self.effects.push(Effect::Reply(reply));
                }
                None => self.ask_any_follower(request, Addressee::Replica),
            },
        }
    }

    /// Only registers are cached.
    fn cached(&self, command: &Command) -> Option<Cached> {
        let Command::Read { key } = command else { return None };
        let cached = self.gateway.cache.get(key).copied();
        cached.filter(|cached| cached.expires_ns > self.now.monotonic_ns)
    }

    fn ask_leader(&mut self, request: Request) {
        let epoch = self.epoch;
        match self.leader {
            Some(leader) => self.dispatch(leader, Addressee::Leader { epoch }, request),
            None => self.refuse(&request, Refusal::NoLeader),
        }
    }

    fn ask_any_follower(&mut self, request: Request, addressee: Addressee) {
        let to = match self.leader {
            Some(leader) if self.nodes > 1 => {
                let other = self.random.random_range(0..self.nodes - 1);
                other + u32::from(other >= leader)
            }
            _ => self.random.random_range(0..self.nodes),
        };
        self.dispatch(to, addressee, request);
    }

    /// The same for a client as long as the leader does not change.
    fn follower_of(&self, client: ClientId) -> NodeId {
        // Fibonacci hashing: neighbouring clients go to different nodes.
        let hash = client.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let node = u32::try_from(hash % u64::from(self.nodes)).unwrap_or(0);
        if self.leader == Some(node) { (node + 1) % self.nodes } else { node }
    }

    fn dispatch(&mut self, to: NodeId, addressee: Addressee, request: Request) {
        let key = (request.client, request.number);
        // In whole seconds, so that one tick forgets many.
        let expires_ns = (self.now.monotonic_ns / SECOND_NS + 1 + FORGET_S) * SECOND_NS;
        self.gateway.pending.insert(key, request.command.clone());
        self.gateway.expiries.push_back((expires_ns, key));
        let forward = Forward { gateway: self.id, addressee, request };
        if to == self.id {
            self.execute(forward);
        } else {
            self.send(to, Message::Forward(forward));
        }
    }

    /// A request that came over the network: perhaps twice, perhaps late.
    pub(super) fn on_forward(&mut self, forward: Forward) {
        let request = &forward.request;
        if forward.gateway >= self.nodes {
            return;
        }
        if let (Addressee::Leader { epoch }, true) =
            (forward.addressee, request.command.is_mutation())
        {
            if !self.gateway.decide(request) {
                return;
            }
            if epoch <= self.gateway.forgotten_epoch {
                let reply = self.reply(request, Outcome::Unknown(Doubt::Restarted));
                self.answer(forward.gateway, reply);
                return;
            }
        }
        self.execute(forward);
    }

    fn execute(&mut self, forward: Forward) {
        let Forward { gateway, addressee, request } = forward;
        if matches!(self.part, Part::Out) {
            let reply = self.reply(&request, Outcome::Refused(Refusal::Out));
            self.answer(gateway, reply);
            return;
        }
        match addressee {
            _ if request.command.is_inspection() => self.read_here(gateway, request),
            Addressee::Leader { epoch } if request.command.is_mutation() => {
                self.execute_write(gateway, epoch, request);
            }
            // Nobody sends writes to replicas.
            _ if request.command.is_mutation() => {}
            Addressee::Leader { .. } => self.read_as_leader(gateway, request),
            Addressee::FreshReplica if !self.has_seen(request.session.seen) => {
                self.pass_to_leader(gateway, request);
            }
            _ => self.read_here(gateway, request),
        }
    }

    fn execute_write(&mut self, gateway: NodeId, epoch: u64, request: Request) {
        match &self.part {
            Part::Leader(leadership) if epoch == self.epoch && leadership.ready(self.commit) => {
                if !self.takes_steps(&request.command) {
                    self.accept(gateway, request);
                } else if self.applied >= leadership.start {
                    self.begin_transaction(gateway, request);
                } else {
                    // It does not see yet all that was committed under others.
                    let reply = self.reply(&request, Outcome::Refused(Refusal::NotLeader));
                    self.answer(gateway, reply);
                }
            }
            _ => {
                let reply = self.reply(&request, Outcome::Refused(Refusal::NotLeader));
                self.answer(gateway, reply);
            }
        }
    }

    /// A replica that has not yet what the client has seen.
    fn pass_to_leader(&mut self, gateway: NodeId, request: Request) {
        let addressee = Addressee::Leader { epoch: self.epoch };
        match self.leader {
            Some(leader) if leader == self.id => self.read_as_leader(gateway, request),
            Some(leader) => {
                let forward = Forward { gateway, addressee, request };
                self.send(leader, Message::Forward(forward));
            }
            None => {
                let reply = self.reply(&request, Outcome::Refused(Refusal::NoLeader));
                self.answer(gateway, reply);
            }
        }
    }

    fn refuse(&mut self, request: &Request, refusal: Refusal) {
        let reply = self.reply(request, Outcome::Refused(refusal));
        self.effects.push(Effect::Reply(reply));
    }

    /// Sends a reply to the client's gateway.
    pub(super) fn answer(&mut self, gateway: NodeId, reply: Reply) {
        if gateway == self.id {
            self.deliver(reply);
        } else {
            self.send(gateway, Message::Answer(reply));
        }
    }

    /// Gives a client of this node its reply, once.
    pub(super) fn deliver(&mut self, reply: Reply) {
        let Some(command) = self.gateway.pending.remove(&(reply.client, reply.number)) else {
            return;
        };
        if let ReadRoute::Cache { ttl_ms } = self.settings.reads {
            let expires_ns = self.in_ms(ttl_ms);
            let filled = match (&command, &reply.outcome) {
                (&Command::Read { key }, Outcome::Read(value)) => Some((key, *value)),
                (&Command::Write { key, value }, Outcome::Written) => Some((key, Some(value))),
                (&Command::Cas { key, new, .. }, Outcome::Written) => Some((key, Some(new))),
                _ => None,
            };
            // What it comes to is not known here.
            match &command {
                Command::Increment { key, .. } => drop(self.gateway.cache.remove(key)),
                Command::Transaction(steps) => {
                    for key in steps.iter().flat_map(Step::registers_written) {
                        self.gateway.cache.remove(&key);
                    }
                }
                _ => {}
            }
            if let Some((key, value)) = filled {
                let cached = Cached { value, version: reply.version, expires_ns };
                self.gateway.fill(key, cached, self.now.monotonic_ns);
            }
        }
        self.effects.push(Effect::Reply(reply));
    }

    pub(super) fn tick_gateway(&mut self) {
        let now_ns = self.now.monotonic_ns;
        while let Some((_, key)) =
            self.gateway.expiries.pop_front_if(|(expires_ns, _)| *expires_ns <= now_ns)
        {
            self.gateway.pending.remove(&key);
        }
    }
}
