//! What is done to packets.

use serde::{Deserialize, Serialize};

/// What is done to the packets of a link, by one fault or by several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Impairment {
    /// How much later each arrives, in microseconds.
    pub(crate) delay_us: u64,
    /// And up to how much later still.
    pub(crate) jitter_us: u64,
    /// Lost, in parts per million.
    pub(crate) loss_ppm: u32,
    /// Doubled, in parts per million.
    pub(crate) duplicate_ppm: u32,
    /// Held back so that others overtake them, in parts per million.
    pub(crate) reorder_ppm: u32,
    /// Sent with a wrong bit, in parts per million.
    pub(crate) corrupt_ppm: u32,
    /// What passes, in thousands of bits per second; as much as there is if it is nothing.
    pub(crate) rate_kbit: Option<u32>,
}

const MILLION: u64 = 1_000_000;

impl Impairment {
    /// Both.
    pub(super) fn and(self, other: Self) -> Self {
        // A packet is spared only if both spare it.
        let either = |one: u32, other: u32| {
            let spared = |ppm: u32| MILLION - u64::from(ppm).min(MILLION);
            (MILLION - spared(one) * spared(other) / MILLION) as u32
        };
        let rates = [self.rate_kbit, other.rate_kbit].into_iter().flatten();
        Self {
            delay_us: self.delay_us.saturating_add(other.delay_us),
            jitter_us: self.jitter_us.saturating_add(other.jitter_us),
            loss_ppm: either(self.loss_ppm, other.loss_ppm),
            duplicate_ppm: either(self.duplicate_ppm, other.duplicate_ppm),
            reorder_ppm: either(self.reorder_ppm, other.reorder_ppm),
            corrupt_ppm: either(self.corrupt_ppm, other.corrupt_ppm),
            rate_kbit: rates.min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_impairments_add_up() {
        let one = Impairment {
            delay_us: 5,
            loss_ppm: 500_000,
            rate_kbit: Some(9),
            ..Impairment::default()
        };
        let two = Impairment {
            delay_us: 7,
            loss_ppm: 200_000,
            rate_kbit: Some(4),
            ..Impairment::default()
        };
        let both = Impairment {
            delay_us: 12,
            loss_ppm: 600_000,
            rate_kbit: Some(4),
            ..Impairment::default()
        };
        assert_eq!((one.and(two), two.and(one)), (both, both));
        assert_eq!(one.and(Impairment::default()), one);
    }
}
