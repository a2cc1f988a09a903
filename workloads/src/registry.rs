//! Workloads by name, with options from a file.

use serde::de::value::MapDeserializer;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::append::{self, Append};
use crate::bank::{self, Bank, BankOptions};
use crate::causal_reverse::{self, CausalReverse, CausalReverseOptions};
use crate::counter::{self, Counter, CounterOptions};
use crate::g2::{self, G2, G2Options};
use crate::lock::{self, Lock, LockOptions};
use crate::long_fork::{self, LongFork, LongForkOptions};
use crate::monotonic::{self, Monotonic, MonotonicOptions};
use crate::register::{self, Register, RegisterOptions};
use crate::set::{self, Set, SetOptions};
use crate::wr::{self, WriteRead};
use crate::{TransactionOptions, Workload};

/// Why there is no such workload.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WorkloadError {
    /// No workload has this name.
    #[error("expected a workload ({}), found `{found}`{}", known.join(", "), hint(*nearest))]
    UnknownName {
        /// The name that was asked for.
        found: String,
        /// The names that there are.
        known: Vec<&'static str>,
        /// The known name that is most like it, if one is.
        nearest: Option<&'static str>,
    },
    /// An option is unknown or has the wrong type.
    #[error("workload `{workload}`: {problem}")]
    Options {
        /// The workload.
        workload: &'static str,
        /// What was expected and what was found.
        problem: String,
    },
    /// An option's value makes no sense.
    #[error("workload `{workload}`: expected `{option}` to be {expected}, found {found}; {advice}")]
    OutOfRange {
        /// The workload.
        workload: &'static str,
        /// The option's name.
        option: &'static str,
        /// Which values it may have.
        expected: String,
        /// The value that it had.
        found: String,
        /// What to do about it.
        advice: &'static str,
    },
}

fn hint(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// The names of all workloads.
pub fn names() -> &'static [&'static str] {
    &[
        register::NAME,
        set::NAME,
        counter::NAME,
        lock::NAME,
        append::NAME,
        wr::NAME,
        bank::NAME,
        long_fork::NAME,
        g2::NAME,
        monotonic::NAME,
        causal_reverse::NAME,
    ]
}

/// The workload of that name. `options` is any map that serde can read: a table of a campaign file,
/// a JSON object, or [`no_options`] for the defaults.
///
/// # Errors
/// If the name or an option is unknown, or an option's value is out of range.
pub fn workload<'de, D: Deserializer<'de>>(
    name: &str,
    options: D,
) -> Result<Box<dyn Workload>, WorkloadError> {
    match name {
        register::NAME => {
            let options: RegisterOptions = read_options(register::NAME, options)?;
            Ok(Box::new(Register::new(options)?))
        }
        set::NAME => {
            let options: SetOptions = read_options(set::NAME, options)?;
            Ok(Box::new(Set::new(options)?))
        }
        counter::NAME => {
            let options: CounterOptions = read_options(counter::NAME, options)?;
            Ok(Box::new(Counter::new(options)?))
        }
        lock::NAME => {
            let options: LockOptions = read_options(lock::NAME, options)?;
            Ok(Box::new(Lock::new(options)?))
        }
        append::NAME => {
            let options: TransactionOptions = read_options(append::NAME, options)?;
            Ok(Box::new(Append::new(options)?))
        }
        wr::NAME => {
            let options: TransactionOptions = read_options(wr::NAME, options)?;
            Ok(Box::new(WriteRead::new(options)?))
        }
        bank::NAME => {
            let options: BankOptions = read_options(bank::NAME, options)?;
            Ok(Box::new(Bank::new(options)?))
        }
        long_fork::NAME => {
            let options: LongForkOptions = read_options(long_fork::NAME, options)?;
            Ok(Box::new(LongFork::new(options)?))
        }
        g2::NAME => {
            let options: G2Options = read_options(g2::NAME, options)?;
            Ok(Box::new(G2::new(&options)?))
        }
        monotonic::NAME => {
            let options: MonotonicOptions = read_options(monotonic::NAME, options)?;
            Ok(Box::new(Monotonic::new(options)?))
        }
        causal_reverse::NAME => {
            let options: CausalReverseOptions = read_options(causal_reverse::NAME, options)?;
            Ok(Box::new(CausalReverse::new(options)?))
        }
        _ => Err(unknown_name(name)),
    }
}

fn read_options<'de, O: Deserialize<'de>, D: Deserializer<'de>>(
    workload: &'static str,
    options: D,
) -> Result<O, WorkloadError> {
    O::deserialize(options)
        .map_err(|error| WorkloadError::Options { workload, problem: error.to_string() })
}

fn unknown_name(found: &str) -> WorkloadError {
    let likeness = |known: &&str| strsim::jaro_winkler(known, found);
    let nearest = names().iter().copied().filter(|known| likeness(known) > 0.8);
    let nearest = nearest.max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    WorkloadError::UnknownName { found: found.to_owned(), known: names().to_vec(), nearest }
}

/// No options: every default.
pub fn no_options() -> impl Deserializer<'static, Error = serde::de::value::Error> {
    MapDeserializer::new(std::iter::empty::<(&'static str, &'static str)>())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refused(name: &str, options: Value, expected: &str) {
        let error = workload(name, options).err().expect("it is refused").to_string();
        assert_eq!(error, expected);
    }

    #[test]
    fn every_name_has_its_workload() {
        for &name in names() {
            assert_eq!(workload(name, no_options()).expect("it exists").name(), name);
            assert_eq!(workload(name, json!({})).expect("it exists").name(), name);
        }
    }

    #[test]
    fn unknown_names_are_refused_with_a_hint() {
        let known = "expected a workload (register, set, counter, lock, append, wr, bank, \
                     long-fork, g2, monotonic, causal-reverse), found";
        refused("registers", json!({}), &format!("{known} `registers`; did you mean `register`?"));
        refused("queue", json!({}), &format!("{known} `queue`"));
    }

    #[test]
    fn options_are_checked() {
        let unknown = workload("register", json!({ "key": 3 })).err().expect("it is refused");
        assert!(unknown.to_string().starts_with(
            "workload `register`: unknown field `key`, expected one of `keys`, `operations-per-key`"
        ));
        refused(
            "register",
            json!({ "keys": 0 }),
            "workload `register`: expected `keys` to be at least 1, found 0; \
             leave it out for the default",
        );
        refused(
            "register",
            json!({ "cas-share": -1.0 }),
            "workload `register`: expected `cas-share` to be 0 or a positive number up to 1e9, found -1; \
             shares are relative to each other, such as 0.5, 0.25 and 0.25",
        );
        refused(
            "register",
            json!({ "write-share": 0 }),
            "workload `register`: expected `write-share` to be positive, found 0; \
             without writes there is nothing to read; compare-and-sets need a value",
        );
        refused(
            "set",
            json!({ "keys-max": 2_000_000 }),
            "workload `set`: expected `keys-max` to be at most 1000000, found 2000000; \
             leave it out for the default",
        );
        refused(
            "counter",
            json!({ "read-share": 1.0 }),
            "workload `counter`: expected `read-share` to be from 0 and below 1, found 1; \
             without a mutation there is nothing to read",
        );
        refused(
            "append",
            json!({ "length-min": 5 }),
            "workload `append`: expected `length-max` to be from `length-min` (5) to 100, found 4; \
             a transaction has as many micro-operations at most",
        );
        refused(
            "bank",
            json!({ "accounts": 1 }),
            "workload `bank`: expected `accounts` to be from 2 to 100, found 1; \
             money goes from one account to another, and all are read at once",
        );
        refused(
            "bank",
            json!({ "total": -1 }),
            "workload `bank`: expected `total` to be positive, found -1; \
             without money there is nothing to transfer",
        );
        refused(
            "lock",
            json!({ "hold-ms": 3_600_001 }),
            "workload `lock`: expected `hold-ms` to be at most 3600000 (an hour), found 3600001; \
             nobody else gets a lock that is held all the time",
        );
    }
}
