//! What the command's exit codes mean. A violation wins over all else.

/// Everything as expected.
pub const EXPECTED: u8 = 0;

/// A violation that was not expected, or an expectation that was not met.
pub const VIOLATION: u8 = 1;

/// The verdict is not known: a bound was reached, the run was cut short, or there was nothing to
/// judge.
pub const INCONCLUSIVE: u8 = 2;

/// The harness or the lab failed.
pub const FAILURE: u8 = 3;

/// Bad arguments, configuration or input files.
pub const USAGE: u8 = 64;

/// The stronger of two outcomes: a violation is never masked by another failure, nor a failure by
/// an unknown verdict.
pub fn merge(one: u8, other: u8) -> u8 {
    let strength = |code| match code {
        VIOLATION => 4,
        FAILURE => 3,
        INCONCLUSIVE => 2,
        EXPECTED => 0,
        _ => 1,
    };
    if strength(one) >= strength(other) { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_is_never_masked() {
        for other in [EXPECTED, INCONCLUSIVE, FAILURE, USAGE] {
            assert_eq!(merge(VIOLATION, other), VIOLATION);
            assert_eq!(merge(other, VIOLATION), VIOLATION);
        }
        assert_eq!(merge(INCONCLUSIVE, FAILURE), FAILURE);
        assert_eq!(merge(EXPECTED, INCONCLUSIVE), INCONCLUSIVE);
    }
}
