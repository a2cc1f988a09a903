//! Workloads by name, with options from a file.

use serde::Deserializer;
use serde::de::value::MapDeserializer;
use thiserror::Error;

use crate::Workload;

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
    &["register"]
}

/// The workload of that name. `options` is any map that serde can read: a table of a campaign file,
/// a JSON object, or [`no_options`] for the defaults.
///
/// # Errors
/// If the name or an option is unknown, or an option's value is out of range.
pub fn workload<'de, D: Deserializer<'de>>(
    name: &str,
    _options: D,
) -> Result<Box<dyn Workload>, WorkloadError> {
    let nearest = names().iter().copied().find(|known| strsim::jaro_winkler(known, name) > 0.8);
    Err(WorkloadError::UnknownName { found: name.to_owned(), known: names().to_vec(), nearest })
}

/// No options: every default.
pub fn no_options() -> impl Deserializer<'static, Error = serde::de::value::Error> {
    MapDeserializer::new(std::iter::empty::<(&'static str, &'static str)>())
}
