//! The wr workload: transactions that write registers and read them.
//!
//! Registers are what most applications have, and show least: a read names one write, and nothing
//! says in which order the others came. What follows all the same is inferred.
//!
//! - **Every value is written once per key**, so that each read names the transaction it saw.
//! - **Keys retire** after some writes and fresh ones take their place.

use std::collections::BTreeSet;

use perjury_checkers::Checker;
use perjury_history::{History, MicroOp};

use crate::transactions::{TransactionOptions, Words, checkers, load, read_all};
use crate::{Generator, RunPlan, Workload, WorkloadError};

pub(crate) const NAME: &str = "wr";

const WORDS: Words =
    Words { read: MicroOp::read, write: |key, value| MicroOp::Write { key, value } };

/// The workload, with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteRead {
    options: TransactionOptions,
}

impl WriteRead {
    /// With these options.
    ///
    /// # Errors
    /// If an option is out of range.
    pub fn new(options: TransactionOptions) -> Result<Self, WorkloadError> {
        options.validate(NAME)?;
        Ok(Self { options })
    }
}

impl Workload for WriteRead {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> &'static str {
        "transactions that write registers and read them: every level of isolation, as far as reads \
         tell the order of writes"
    }

    fn needs(&self) -> BTreeSet<&'static str> {
        ["read", "write", MicroOp::TRANSACTION].into()
    }

    fn generator(&self, run: &RunPlan) -> Box<dyn Generator> {
        load(NAME, &self.options, WORDS, run)
    }

    fn final_generator(&self, _run: &RunPlan, history: &History) -> Box<dyn Generator> {
        read_all(&self.options, WORDS.read, history)
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        checkers()
    }
}
