//! Which of our processes a foreign one is.
//!
//! Here a process whose operation has an unknown outcome is retired, for that operation may still
//! take effect while its successor does other things. Foreign histories often go on with the same
//! number; the successor then gets a fresh one. So do numbers that are none of ours.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::Process;

/// Where fresh numbers begin: above those that histories count with.
const FRESH: u32 = 1_000_000;

#[derive(Debug, Default)]
pub(super) struct Processes {
    clients: FxHashMap<i64, Client>,
    used: FxHashSet<u32>,
    fresh: u32,
    /// Whether numbers are ours already.
    keep: bool,
    pub(super) successors: usize,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) process: Process,
    /// When it last said something, if it told.
    pub(super) last_ns: Option<u64>,
    retired: bool,
}

impl Processes {
    /// `keep`: numbers are ours already.
    pub(super) fn new(keep: bool) -> Self {
        Self { keep, ..Self::default() }
    }

    /// The process that a client is now. `invokes`: it asks something new.
    pub(super) fn client(&mut self, number: i64, invokes: bool) -> &mut Client {
        let known = self.clients.get(&number).map(|client| client.retired);
        if known.is_none() || known == Some(true) && invokes {
            let process = self.number(number);
            self.successors += usize::from(known.is_some());
            let last_ns = self.clients.get(&number).and_then(|client| client.last_ns);
            self.clients.insert(number, Client { process, last_ns, retired: false });
        }
        self.clients.get_mut(&number).expect("it has just been put there if it was not")
    }

    /// The client's last operation may take effect at any time from now on.
    pub(super) fn retire(&mut self, number: i64) {
        if !self.keep
            && let Some(client) = self.clients.get_mut(&number)
        {
            client.retired = true;
        }
    }

    fn number(&mut self, wanted: i64) -> Process {
        let wanted = u32::try_from(wanted).ok().filter(|number| !self.used.contains(number));
        let number = wanted.unwrap_or_else(|| {
            while self.used.contains(&(FRESH + self.fresh)) {
                self.fresh += 1;
            }
            FRESH + self.fresh
        });
        self.used.insert(number);
        Process(number)
    }
}
