//! The bank workload: money goes from account to account, and none is made or lost.
//!
//! What everybody understands at once. A read of all accounts sees the same total whatever was
//! transferred, if it sees one moment; and a store that lets two transfers overwrite each other changes
//! the total for ever. One transaction opens all accounts before anything else is done.

use std::collections::BTreeSet;

use perjury_checkers::{Bank as BankChecker, Checker, Leaders, Progress};
use perjury_history::{Event, EventKind, History, Key, MicroOp, Process, Value};
use rand::RngExt as _;
use rand_pcg::Pcg64;
use serde::Deserialize;

use crate::generator::{each_node, rng};
use crate::options::{FINAL_PATIENCE_NS, check_read_share, out_of_range};
use crate::transactions::paced;
use crate::{Context, Generator, Next, RunPlan, Workload, WorkloadError};

pub(crate) const NAME: &str = "bank";

/// All are read in one transaction.
const ACCOUNTS_MAX: u32 = 100;

/// What can be set in a campaign file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct BankOptions {
    /// How many accounts there are.
    pub accounts: u32,
    /// How much money there is. The first account has it all in the beginning.
    pub total: Value,
    /// How much is transferred at most.
    pub transfer_max: Value,
    /// The part of operations that are reads of all accounts, below 1; the others are transfers.
    pub read_share: f64,
    /// Whether an account may hold less than nothing.
    pub negative_balances: bool,
}

impl Default for BankOptions {
    fn default() -> Self {
        Self { accounts: 8, total: 100, transfer_max: 5, read_share: 0.5, negative_balances: false }
    }
}

/// The workload, with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Bank {
    options: BankOptions,
}

impl Bank {
    /// With these options.
    ///
    /// # Errors
    /// If an option is out of range.
    pub fn new(options: BankOptions) -> Result<Self, WorkloadError> {
        if !(2..=ACCOUNTS_MAX).contains(&options.accounts) {
            let advice = "money goes from one account to another, and all are read at once";
            let expected = format!("from 2 to {ACCOUNTS_MAX}");
            return out_of_range(NAME, "accounts", expected, &options.accounts, advice);
        }
        let amounts = [("total", options.total), ("transfer-max", options.transfer_max)];
        for (option, amount) in amounts {
            if amount < 1 {
                let advice = "without money there is nothing to transfer";
                return out_of_range(NAME, option, "positive", &amount, advice);
            }
        }
        check_read_share(NAME, options.read_share)?;
        Ok(Self { options })
    }

    fn accounts(&self) -> impl Iterator<Item = Key> + use<> {
        0..Key::from(self.options.accounts)
    }

    fn read(&self) -> Vec<MicroOp> {
        self.accounts().map(MicroOp::read).collect()
    }
}

impl Workload for Bank {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> &'static str {
        "transfers between accounts and reads of all of them: whether money is made or lost"
    }

    fn needs(&self) -> BTreeSet<&'static str> {
        ["read", "write", "transfer", MicroOp::TRANSACTION].into()
    }

    fn generator(&self, run: &RunPlan) -> Box<dyn Generator> {
        let total = self.options.total;
        let open = |key| MicroOp::Write { key, value: if key == 0 { total } else { 0 } };
        let load = Load {
            rng: rng(run.seed, NAME),
            options: self.options.clone(),
            opening: self.accounts().map(open).collect(),
            reading: self.read(),
            opener: None,
            opened: false,
        };
        paced(load, run)
    }

    fn final_generator(&self, run: &RunPlan, _history: &History) -> Box<dyn Generator> {
        each_node(run.nodes, &[self.read()], FINAL_PATIENCE_NS).boxed()
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        let BankOptions { total, negative_balances, .. } = self.options;
        let bank = BankChecker { accounts: self.accounts().collect(), total, negative_balances };
        // Nobody wrote the balances that are read: other checkers of transactions could not judge it.
        vec![Box::new(bank), Box::new(Leaders), Box::new(Progress)]
    }
}

/// The opening of all accounts, then the endless stream of operations.
#[derive(Debug)]
struct Load {
    rng: Pcg64,
    options: BankOptions,
    opening: Vec<MicroOp>,
    reading: Vec<MicroOp>,
    /// Who is opening the accounts.
    opener: Option<Process>,
    opened: bool,
}

impl Load {
    fn transfer(&mut self) -> MicroOp {
        let BankOptions { accounts, transfer_max, .. } = self.options;
        let from = self.rng.random_range(0..accounts);
        let other = self.rng.random_range(0..accounts - 1);
        let to = other + u32::from(other >= from);
        let amount = self.rng.random_range(1..=transfer_max);
        MicroOp::Transfer { from: from.into(), to: to.into(), amount }
    }
}

impl Generator for Load {
    fn next(&mut self, context: &Context<'_>) -> Next {
        let Some(free) = context.pick(&mut self.rng) else { return Next::WAIT };
        if !self.opened {
            if self.opener.is_some() {
                return Next::WAIT;
            }
            self.opener = Some(free.process);
            return context.invoke(free, self.opening.clone());
        }
        let micro_ops = match self.rng.random_bool(self.options.read_share) {
            true => self.reading.clone(),
            false => vec![self.transfer()],
        };
        context.invoke(free, micro_ops)
    }

    /// An opening that may have failed is tried again: nobody has transferred anything yet.
    fn observe(&mut self, event: &Event) {
        if event.kind != EventKind::Invoke && self.opener == Some(event.process) {
            self.opener = None;
            self.opened |= event.kind == EventKind::Ok;
        }
    }
}
