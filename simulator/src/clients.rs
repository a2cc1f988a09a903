//! Clients and their clock: each begins a transaction, is told what became of it, thinks, and begins
//! the next. Times are virtual, and transactions of different clients overlap at random.
//!
//! ```text
//! invocation    look, or the first step ... the last step    commit    completion
//!     |--------------|-----------------------------|-----------|----------|
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use perjury_history::{EventKind, EventRef, History, HistoryBuilder, MicroOp, NodeId, Process};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use crate::database::{Database, LooksAt, Transaction};
use crate::keys::Keys;
use crate::{Settings, SettingsError, Workload};

/// How long anything takes at most: to get to the database, from step to step, to get back, to think.
const PAUSE_NS_MAX: u64 = 1_000_000;

/// How much later than usual a transaction may happen whose outcome is unknown.
const LATE_NS_MAX: u64 = 50 * PAUSE_NS_MAX;

/// What becomes of a transaction, as far as the database lets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Commit,
    Abort,
    /// It commits, and its client never learns.
    Unknown,
}

/// What happens when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    /// A client begins a transaction.
    Begin {
        client: u32,
    },
    /// A transaction, by its place, looks at the database.
    Look {
        place: u32,
    },
    Step {
        place: u32,
        step: u32,
    },
    End {
        place: u32,
    },
    /// The client learns the outcome.
    Learn {
        place: u32,
        committed: bool,
    },
    /// The client gives up.
    GiveUp {
        client: u32,
    },
}

#[derive(Debug)]
struct Running {
    transaction: Transaction,
    fate: Fate,
}

struct Simulation<'a> {
    settings: &'a Settings,
    random: Pcg64,
    keys: Keys,
    database: Database,
    builder: HistoryBuilder,
    /// By time, then by the order in which they were planned.
    agenda: BinaryHeap<Reverse<(u64, u64, Action)>>,
    planned: u64,
    now_ns: u64,
    /// Transactions that are not over, in places that are used again.
    running: Vec<Option<Running>>,
    free: Vec<u32>,
    begun: u32,
    /// Who each client is now: after an unknown outcome it has a successor.
    processes: Vec<Process>,
}

/// Simulates a database and its clients.
///
/// # Errors
/// If the settings make no sense.
pub fn simulate(settings: &Settings) -> Result<History, SettingsError> {
    settings.check()?;
    let mut simulation = Simulation {
        settings,
        random: Pcg64::seed_from_u64(settings.seed),
        keys: Keys::new(settings),
        database: Database::new(settings),
        builder: HistoryBuilder::new(),
        agenda: BinaryHeap::new(),
        planned: 0,
        now_ns: 0,
        running: Vec::new(),
        free: Vec::new(),
        begun: 0,
        processes: (0..settings.processes).map(Process).collect(),
    };
    for client in 0..settings.processes {
        simulation.plan_soon(Action::Begin { client });
    }
    while let Some(Reverse((time_ns, _, action))) = simulation.agenda.pop() {
        simulation.now_ns = time_ns;
        simulation.act(action);
    }
    Ok(simulation.builder.finish())
}

impl Simulation<'_> {
    fn plan(&mut self, at_ns: u64, action: Action) {
        self.planned += 1;
        self.agenda.push(Reverse((at_ns, self.planned, action)));
    }

    fn plan_soon(&mut self, action: Action) {
        let at_ns = self.now_ns + self.pause_ns();
        self.plan(at_ns, action);
    }

    fn pause_ns(&mut self) -> u64 {
        self.random.random_range(1..=PAUSE_NS_MAX)
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Begin { client } if self.begun < self.settings.transactions => {
                self.begin(client);
            }
            Action::Begin { .. } => {}
            Action::Look { place } => {
                if let Some(running) = &mut self.running[place as usize] {
                    self.database.look(&mut running.transaction, &mut self.random);
                }
                self.plan_soon(Action::End { place });
            }
            Action::Step { place, step } => self.step(place, step),
            Action::End { place } => self.end(place),
            Action::Learn { place, committed } => self.learn(place, committed),
            Action::GiveUp { client } => {
                self.record(client, EventKind::Info, &[], Some("timeout"));
                let process = &mut self.processes[client as usize];
                process.0 += self.settings.processes;
                self.plan_soon(Action::Begin { client });
            }
        }
    }

    fn begin(&mut self, client: u32) {
        let micro_ops = self.micro_ops();
        self.record(client, EventKind::Invoke, &micro_ops, None);
        let transaction = self.database.begin(self.begun, client, micro_ops);
        self.begun += 1;
        let lot: f64 = self.random.random();
        let Settings { unknown_share, abort_share, .. } = *self.settings;
        let fate = match lot {
            _ if lot < unknown_share => Fate::Unknown,
            _ if lot < unknown_share + abort_share => Fate::Abort,
            _ => Fate::Commit,
        };
        let mut at_ns = self.now_ns + self.pause_ns();
        if fate == Fate::Unknown {
            self.plan(at_ns, Action::GiveUp { client });
            if self.random.random() {
                return;
            }
            at_ns += self.random.random_range(0..=LATE_NS_MAX);
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.running.push(None);
            self.running.len() as u32 - 1
        });
        self.running[place as usize] = Some(Running { transaction, fate });
        let action = match self.database.looks() {
            LooksAt::Begin => Action::Look { place },
            LooksAt::EveryStep => Action::Step { place, step: 0 },
            LooksAt::Commit => Action::End { place },
        };
        self.plan(at_ns, action);
    }

    /// What a transaction asks.
    fn micro_ops(&mut self) -> Vec<MicroOp> {
        let Settings { workload, operations_max, read_share, .. } = *self.settings;
        let count = self.random.random_range(1..=operations_max);
        let mut micro_ops: Vec<MicroOp> = Vec::with_capacity(count as usize);
        for _ in 0..count {
            if self.random.random_bool(read_share) {
                let key = self.keys.for_read(&mut self.random);
                let written = || micro_ops.iter().any(|it| it.key() == key && it.is_mutation());
                if self.database.rereads() || !written() {
                    micro_ops.push(match workload {
                        Workload::Append => MicroOp::read_list(key),
                        Workload::Register => MicroOp::read(key),
                    });
                    continue;
                }
            }
            let (key, value) = self.keys.for_write(&mut self.random);
            micro_ops.push(match workload {
                Workload::Append => MicroOp::Append { key, value },
                Workload::Register => MicroOp::Write { key, value },
            });
        }
        micro_ops
    }

    fn step(&mut self, place: u32, step: u32) {
        let Some(running) = &mut self.running[place as usize] else { return };
        self.database.step(&mut running.transaction, step as usize);
        let next = step + 1;
        let over = next as usize == running.transaction.micro_ops.len();
        self.plan_soon(match over {
            true => Action::End { place },
            false => Action::Step { place, step: next },
        });
    }

    fn end(&mut self, place: u32) {
        let Some(Running { transaction, fate }) = &mut self.running[place as usize] else { return };
        let committed = match fate {
            Fate::Commit | Fate::Unknown => self.database.commit(transaction, &mut self.random),
            Fate::Abort => {
                self.database.abort(transaction);
                false
            }
        };
        match fate {
            Fate::Unknown => self.forget(place),
            Fate::Commit | Fate::Abort => self.plan_soon(Action::Learn { place, committed }),
        }
    }

    fn learn(&mut self, place: u32, committed: bool) {
        let Some(Running { transaction, fate }) = self.running[place as usize].take() else {
            return;
        };
        let client = transaction.client;
        match (committed, fate) {
            (true, _) => self.record(client, EventKind::Ok, &transaction.micro_ops, None),
            (false, Fate::Abort) => self.record(client, EventKind::Fail, &[], Some("aborted")),
            (false, _) => self.record(client, EventKind::Fail, &[], Some("conflict")),
        }
        self.forget(place);
        self.plan_soon(Action::Begin { client });
    }

    fn forget(&mut self, place: u32) {
        self.running[place as usize] = None;
        self.free.push(place);
    }

    fn record(&mut self, client: u32, kind: EventKind, micro_ops: &[MicroOp], error: Option<&str>) {
        let event = EventRef {
            time_ns: self.now_ns,
            process: self.processes[client as usize],
            kind,
            micro_ops,
            node: self.database.site(client).map(NodeId),
            version: None,
            error,
        };
        self.builder
            .push_event(&event)
            .expect("clients do one thing at a time, in the clock's order");
    }
}
