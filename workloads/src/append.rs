//! The append workload: transactions that append to lists and read them.
//!
//! A list shows its whole past in each read: which writes came before, and in which order. So
//! nothing shows more about isolation, and no store is asked for more than a text or an array that
//! grows (Kingsbury & Alvaro, *Elle*, 2020).
//!
//! - **Every element is appended once per list**, so that each one found names its transaction.
//! - **Lists retire** after some appends and fresh ones take their place, so that reads stay short.
//! - **Few lists are hot**, so that transactions get into each other's way.

use std::collections::BTreeSet;

use perjury_checkers::Checker;
use perjury_history::{History, MicroOp};

use crate::transactions::{TransactionOptions, Words, checkers, load, read_all};
use crate::{Generator, RunPlan, Workload, WorkloadError};

pub(crate) const NAME: &str = "append";

const WORDS: Words =
    Words { read: MicroOp::read_list, write: |key, value| MicroOp::Append { key, value } };

/// The workload, with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    options: TransactionOptions,
}

impl Append {
    /// With these options.
    ///
    /// # Errors
    /// If an option is out of range.
    pub fn new(options: TransactionOptions) -> Result<Self, WorkloadError> {
        options.validate(NAME)?;
        Ok(Self { options })
    }
}

impl Workload for Append {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> &'static str {
        "transactions that append to lists and read them: every level of isolation, by the order of \
         elements"
    }

    fn needs(&self) -> BTreeSet<&'static str> {
        ["append", "read-list", MicroOp::TRANSACTION].into()
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
