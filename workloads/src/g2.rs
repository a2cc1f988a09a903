//! The g2 workload: pairs of transactions of which only one may do what both would.
//!
//! Each transaction of a pair looks whether two groups are empty, and adds a row to one of them, the
//! other to the other one. One after the other, the second would see the first one's row. If both see
//! nothing, each missed what the other wrote, of a predicate: there was no row yet that could have
//! been locked. That is write skew, and what tells snapshot isolation from serializability (Berenson
//! et al. 1995, Adya 1999: G2).

use std::collections::BTreeSet;

use perjury_checkers::Checker;
use perjury_history::{History, Key, MicroOp, Value};
use rand_pcg::Pcg64;
use serde::Deserialize;

use crate::generator::{nothing, rng};
use crate::transactions::{checkers, paced};
use crate::{Context, Generator, Next, RunPlan, Workload, WorkloadError};

pub(crate) const NAME: &str = "g2";

/// There is nothing to be set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct G2Options {}

/// The workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct G2;

impl G2 {
    /// With these options.
    ///
    /// # Errors
    /// Never.
    pub fn new(_options: &G2Options) -> Result<Self, WorkloadError> {
        Ok(Self)
    }
}

impl Workload for G2 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> &'static str {
        "pairs of transactions that each add a row if two groups are empty: write skew by predicates"
    }

    fn needs(&self) -> BTreeSet<&'static str> {
        ["add", "read-set", MicroOp::TRANSACTION].into()
    }

    fn generator(&self, run: &RunPlan) -> Box<dyn Generator> {
        paced(Load { rng: rng(run.seed, NAME), added: 0 }, run)
    }

    fn final_generator(&self, _run: &RunPlan, _history: &History) -> Box<dyn Generator> {
        nothing().boxed()
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        checkers()
    }
}

/// The endless stream of transactions: the first of a pair, then the second.
#[derive(Debug)]
struct Load {
    rng: Pcg64,
    added: Value,
}

impl Generator for Load {
    fn next(&mut self, context: &Context<'_>) -> Next {
        let Some(free) = context.pick(&mut self.rng) else { return Next::WAIT };
        let first: Key = self.added / 2 * 2;
        let groups = [first, first + 1];
        let add = MicroOp::Add { key: self.added, value: self.added };
        self.added += 1;
        context.invoke(free, [groups.map(MicroOp::read_set).to_vec(), vec![add]].concat())
    }
}
