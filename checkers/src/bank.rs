//! Banks: is there ever more or less money than there is?
//!
//! ```text
//! p0: w(a,5);w(b,5)-  move(a,b,3)------
//! p1:                     r(a)=2;r(b)=5--      together 7: the transfer is seen half
//! p2:                                     r(a)=2;r(b)=8--
//! ```
//!
//! Transfers make and lose nothing, so all accounts together hold the same at every moment
//! (Berenson et al. 1995 tell read skew and lost updates by it; Jepsen's `bank`).
//!
//! **Integrity.** Each transaction that reads all accounts finds the total; no balance is below 0,
//! unless that is allowed; and all accounts are there, or none yet.
//!
//! Cost: O(n).
//!
//! Incomplete: only sums are looked at. A read that is old, or transfers that are seen in another
//! order than they were made in, have the right total. Reads of some accounts only show negative
//! balances.
//!
//! A pass does not prove that an acknowledged transfer was made.

use std::collections::{BTreeMap, BTreeSet};

use perjury_history::{History, Key, MicroOp, Operation, Outcome, Reading, Value};

use crate::wording::{by, end_ns, list, seconds};
use crate::{
    Anomaly, AnomalyKind, Checker, Context, Judgement, Model, Verdict, Witness, WitnessOperation,
};

/// Anomalies of a kind listed at most; the measures have the full count.
const LISTED_MAX: usize = 100;

/// Accounts that a sentence names at most.
const NAMED_MAX: usize = 12;

/// Decides [`Model::Integrity`] of accounts; see the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bank {
    /// The accounts, which are registers.
    pub accounts: BTreeSet<Key>,
    /// What they hold together.
    pub total: Value,
    /// Whether one may hold less than nothing.
    pub negative_balances: bool,
}

impl Bank {
    /// The bank that the first transaction shows that wrote or read several balances, none of them
    /// missing; `None` if none did.
    pub fn seen_in(history: &History, negative_balances: bool) -> Option<Self> {
        let balance = |micro_op: &MicroOp| match *micro_op {
            MicroOp::Write { key, value }
            | MicroOp::Read { key, result: Some(Reading::Value(value)) } => Some((key, value)),
            _ => None,
        };
        let happened = history.iter().filter(|it| it.outcome == Outcome::Ok);
        let mut balances = happened.filter(|it| it.micro_ops.len() > 1).filter_map(|operation| {
            operation.micro_ops.iter().map(balance).collect::<Option<BTreeMap<Key, Value>>>()
        });
        let balances = balances.next()?;
        let total = balances.values().try_fold(0, |sum: Value, held| sum.checked_add(*held))?;
        Some(Self { accounts: balances.into_keys().collect(), total, negative_balances })
    }
}

impl Checker for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn models(&self) -> &'static [Model] {
        &[Model::Integrity]
    }

    fn check(&self, history: &History, _: &Context<'_>) -> Verdict {
        let mut found = Found::new(self, history);
        for operation in history.iter().filter(|it| it.outcome == Outcome::Ok) {
            found.look(&operation);
        }
        found.verdict()
    }
}

/// What a transaction that only reads found.
type Balances = BTreeMap<Key, Reading>;

fn balances(operation: &Operation<'_>) -> Option<Balances> {
    let balance = |micro_op: &MicroOp| match *micro_op {
        MicroOp::Read { key, result: Some(result) } => Some((key, result)),
        _ => None,
    };
    operation.micro_ops.iter().map(balance).collect()
}

struct Found<'a> {
    bank: &'a Bank,
    history: &'a History,
    anomalies: BTreeMap<AnomalyKind, Vec<Anomaly>>,
    counts: BTreeMap<AnomalyKind, u64>,
    complete_reads: u64,
    largest_difference: u64,
    /// The last read that had the total.
    right: Option<Operation<'a>>,
}

impl<'a> Found<'a> {
    fn new(bank: &'a Bank, history: &'a History) -> Self {
        Self {
            bank,
            history,
            anomalies: BTreeMap::new(),
            counts: BTreeMap::new(),
            complete_reads: 0,
            largest_difference: 0,
            right: None,
        }
    }

    fn look(&mut self, operation: &Operation<'a>) {
        let Some(balances) = balances(operation) else { return };
        let held: Vec<(Key, Value)> =
            balances.iter().filter_map(|(key, held)| Some((*key, held.value()?))).collect();
        let strange: Vec<Key> = held
            .iter()
            .map(|(key, _)| *key)
            .filter(|key| !self.bank.accounts.contains(key))
            .collect();
        if !strange.is_empty() {
            let found = self.named(&strange);
            self.list(AnomalyKind::WrongAccounts, operation, None, || {
                format!("found {found}, which nobody opened.")
            });
            return;
        }
        let below: Vec<Key> =
            held.iter().filter(|(_, held)| *held < 0).map(|(key, _)| *key).collect();
        if !below.is_empty() && !self.bank.negative_balances {
            let found = self.holding(held.iter().filter(|(_, held)| *held < 0));
            self.list(AnomalyKind::NegativeBalance, operation, Some(below[0]), || {
                format!("found {found}, which is less than nothing.")
            });
        }
        let is_complete = self.bank.accounts.iter().all(|key| balances.contains_key(key));
        if !is_complete || held.is_empty() {
            // All accounts together, or before any was opened.
            return;
        }
        self.complete_reads += 1;
        let missing: Vec<Key> = balances
            .iter()
            .filter(|(_, held)| held.value().is_none())
            .map(|(key, _)| *key)
            .collect();
        if !missing.is_empty() {
            let found = self.named(&missing);
            let others = self.holding(held.iter());
            self.list(AnomalyKind::WrongAccounts, operation, Some(missing[0]), || {
                format!("did not find {found}, but found {others}.")
            });
            return;
        }
        let sum: i128 = held.iter().map(|(_, held)| i128::from(*held)).sum();
        let total = i128::from(self.bank.total);
        if sum == total {
            self.right = Some(*operation);
            return;
        }
        let difference = (sum - total).unsigned_abs();
        self.largest_difference =
            self.largest_difference.max(u64::try_from(difference).unwrap_or(u64::MAX));
        let (found, than) = (self.holding(held.iter()), if sum < total { "less" } else { "more" });
        self.list(AnomalyKind::WrongTotal, operation, None, || {
            format!("found {found}: together {sum}, which is {difference} {than} than the {total} that there are.")
        });
    }

    /// `account 1 and account 2`; of many the first.
    fn named(&self, accounts: &[Key]) -> String {
        let names = self.history.names();
        let named = accounts.iter().take(NAMED_MAX);
        let mut parts: Vec<String> =
            named.map(|key| format!("account {}", names.show(*key))).collect();
        if accounts.len() > NAMED_MAX {
            parts.push(format!("{} more", accounts.len() - NAMED_MAX));
        }
        list(&parts, "and")
    }

    /// `5 in account 1 and 7 in account 2`; of many the first.
    fn holding<'b>(&self, held: impl Iterator<Item = &'b (Key, Value)>) -> String {
        let names = self.history.names();
        let mut parts: Vec<String> =
            held.map(|(key, held)| format!("{held} in account {}", names.show(*key))).collect();
        if parts.len() > NAMED_MAX {
            let more = parts.len() - NAMED_MAX;
            parts.truncate(NAMED_MAX);
            parts.push(format!("what {more} others hold"));
        }
        list(&parts, "and")
    }

    fn list(
        &mut self,
        kind: AnomalyKind,
        operation: &Operation<'a>,
        key: Option<Key>,
        what: impl FnOnce() -> String,
    ) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count > LISTED_MAX as u64 {
            return;
        }
        let Operation { process, served_by, .. } = *operation;
        let time = seconds(end_ns(operation));
        let explanation = format!("At {time} {process}{} {}", by(served_by), what());
        let right = self.right.filter(|_| kind == AnomalyKind::WrongTotal);
        let right = right.map(|it| (it.id, "found the right total before"));
        let parts = right.into_iter().chain([(operation.id, "found this")]);
        let operations =
            parts.map(|(operation, role)| WitnessOperation { operation, role: role.to_owned() });
        let witness = Witness::of(operations.collect(), Vec::new());
        let anomaly = Anomaly { kind, key, explanation, witness };
        self.anomalies.entry(kind).or_default().push(anomaly);
    }

    fn verdict(mut self) -> Verdict {
        let order =
            [AnomalyKind::WrongTotal, AnomalyKind::WrongAccounts, AnomalyKind::NegativeBalance];
        let count = |kind: &AnomalyKind| self.counts.get(kind).copied().unwrap_or(0);
        let judgement = match order.iter().map(count).sum::<u64>() {
            0 if self.complete_reads == 0 => {
                Judgement::Unknown("no transaction read all accounts".into())
            }
            0 => Judgement::Valid,
            _ => Judgement::Invalid,
        };
        let measures = BTreeMap::from([
            ("reads_of_all_accounts".to_owned(), self.complete_reads),
            ("wrong_totals".to_owned(), count(&order[0])),
            ("wrong_accounts".to_owned(), count(&order[1])),
            ("negative_balances".to_owned(), count(&order[2])),
            ("largest_difference".to_owned(), self.largest_difference),
        ]);
        let models = BTreeMap::from([(Model::Integrity, judgement)]);
        let anomalies =
            order.iter().flat_map(|kind| self.anomalies.remove(kind).unwrap_or_default()).collect();
        Verdict { models, anomalies, measures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bank(negative_balances: bool) -> Bank {
        Bank { accounts: [0, 1].into(), total: 10, negative_balances }
    }

    fn check(bank: &Bank, drawing: &str) -> Verdict {
        let history = History::parse_notation(drawing).expect("a good drawing");
        bank.check(&history, &Context::default())
    }

    #[test]
    fn the_right_total_is_right_whoever_has_it() {
        let drawing = "
            p0: r(a)=nil;r(b)=nil  w(a,10);w(b,0)-  move(a,b,3)-   r(a)=7;r(b)=3
            p1: r(a)=10;r(b)=0     r(a)=99!   r(b)=3   r(a)=0;r(b)=10
        ";
        let verdict = check(&bank(false), drawing);
        assert_eq!(verdict.models[&Model::Integrity], Judgement::Valid, "{verdict:?}");
        assert_eq!(verdict.measures["reads_of_all_accounts"], 3);
        assert!(verdict.anomalies.is_empty());
    }

    #[test]
    fn every_wrong_read_is_told() {
        let drawing = "
            p0: r(a)=10;r(b)=0@n1   r(a)=7;r(b)=0@n2   r(a)=-1;r(b)=11   r(a)=5;r(b)=nil   r(c)=4
            p1:                     r(a)=-3
        ";
        let verdict = check(&bank(false), drawing);
        assert_eq!(verdict.models[&Model::Integrity], Judgement::Invalid);
        let told: Vec<_> = verdict
            .anomalies
            .iter()
            .map(|it| {
                let ids = it.witness.operations.iter().map(|it| it.operation.0);
                (it.kind.name(), it.key, ids.collect::<Vec<_>>(), it.explanation.as_str())
            })
            .collect();
        let expected = [
            (
                "wrong-total",
                None,
                vec![0, 1],
                "At 0.051 s p0 by n2 found 7 in account 0 and 0 in account 1: together 7, which is \
                 3 less than the 10 that there are.",
            ),
            (
                "wrong-accounts",
                Some(1),
                vec![4],
                "At 0.087 s p0 did not find account 1, but found 5 in account 0.",
            ),
            (
                "wrong-accounts",
                None,
                vec![5],
                "At 0.096 s p0 found account 2, which nobody opened.",
            ),
            (
                "negative-balance",
                Some(0),
                vec![2],
                "At 0.042 s p1 found -3 in account 0, which is less than nothing.",
            ),
            (
                "negative-balance",
                Some(0),
                vec![3],
                "At 0.069 s p0 found -1 in account 0, which is less than nothing.",
            ),
        ];
        assert_eq!(told, expected);
        let names = ["wrong_totals", "wrong_accounts", "negative_balances", "largest_difference"];
        assert_eq!(names.map(|name| verdict.measures[name]), [1, 2, 2, 3]);
        let verdict = check(&bank(true), "p0: r(a)=-1;r(b)=11   r(a)=-3");
        assert_eq!(verdict.models[&Model::Integrity], Judgement::Valid);
    }

    #[test]
    fn reads_of_some_accounts_decide_nothing() {
        let verdict = check(&bank(false), "p0: r(a)=7   move(a,b,3)   r(a)=nil;r(b)=nil  r(b)=1?");
        let expected = Judgement::Unknown("no transaction read all accounts".into());
        assert_eq!(verdict.models[&Model::Integrity], expected);
    }

    #[test]
    fn a_bank_is_known_by_its_first_transaction() {
        let seen = |drawing: &str| {
            Bank::seen_in(&History::parse_notation(drawing).expect("a good drawing"), false)
        };
        let drawing = "p0: r(a)=nil;r(b)=nil  w(a,4);w(b,9)!  w(a,10);w(b,0)  r(a)=7;r(b)=0";
        assert_eq!(seen(drawing), Some(bank(false)));
        assert_eq!(seen("p0: r(a)=7;r(b)=3  move(a,b,1)"), Some(bank(false)));
        assert_eq!(seen("p0: r(a)=7  move(a,b,1)"), None);
    }
}
