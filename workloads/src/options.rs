//! What the options of several workloads have in common.

use std::fmt::Display;

use crate::WorkloadError;

/// Keys are kept in memory, and asked for one by one in the final phase.
const KEYS_MAX: u64 = 1_000_000;

/// How long the final phase waits for a node that does not answer.
pub(crate) const FINAL_PATIENCE_NS: u64 = 10_000_000_000;

/// An option of `workload` that has an impossible value.
pub(crate) fn out_of_range<T>(
    workload: &'static str,
    option: &'static str,
    expected: impl Into<String>,
    found: &dyn Display,
    advice: &'static str,
) -> Result<T, WorkloadError> {
    let (expected, found) = (expected.into(), found.to_string());
    Err(WorkloadError::OutOfRange { workload, option, expected, found, advice })
}

/// Checks numbers that must be at least 1, and that of all keys (`keys-max`), which is limited.
pub(crate) fn check_counts<const N: usize>(
    workload: &'static str,
    counts: [(&'static str, u64); N],
) -> Result<(), WorkloadError> {
    let advice = "leave it out for the default";
    for (option, count) in counts {
        if count == 0 {
            return out_of_range(workload, option, "at least 1", &count, advice);
        }
        if option == "keys-max" && count > KEYS_MAX {
            return out_of_range(workload, option, format!("at most {KEYS_MAX}"), &count, advice);
        }
    }
    Ok(())
}

/// Checks the part of operations that are reads: from 0, and below 1.
pub(crate) fn check_read_share(workload: &'static str, share: f64) -> Result<(), WorkloadError> {
    match (0.0..1.0).contains(&share) {
        true => Ok(()),
        false => {
            let advice = "without a mutation there is nothing to read";
            out_of_range(workload, "read-share", "from 0 and below 1", &share, advice)
        }
    }
}
