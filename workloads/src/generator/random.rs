//! Randomness that is the same on every machine: a named generator, and no mathematical library.

use rand::RngExt as _;
use rand_pcg::Pcg64;

/// The random generator for one purpose of a run. Different labels give independent streams, so
/// that one part's draws never shift another's.
pub fn rng(seed: u64, label: &str) -> Pcg64 {
    let stream = label_hash(label);
    let state = u128::from(mix_bits(seed)) << 64 | u128::from(mix_bits(seed ^ stream));
    Pcg64::new(state, u128::from(stream))
}

/// FNV-1a.
fn label_hash(label: &str) -> u64 {
    label.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finisher of SplitMix64: near seeds give far states.
fn mix_bits(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// An exponentially distributed number with mean 1, by von Neumann's method (1951): comparisons
/// only. The usual logarithm differs in its last bit from one system library to the next, and one
/// bit is enough for a replay to go another way.
pub(crate) fn exponential(rng: &mut Pcg64) -> f64 {
    let mut whole = 0.0;
    loop {
        let first: f64 = rng.random();
        let (mut last, mut descending) = (first, 1u32);
        loop {
            let next: f64 = rng.random();
            if next >= last {
                break;
            }
            last = next;
            descending += 1;
        }
        if descending % 2 == 1 {
            return whole + first;
        }
        whole += 1.0;
    }
}

/// The position of one of `weights`, each as likely as its part of the sum; `None` if none is
/// positive.
pub(crate) fn weighted(rng: &mut Pcg64, weights: &[f64]) -> Option<usize> {
    let total: f64 = weights.iter().sum();
    if total.is_nan() || total <= 0.0 {
        return None;
    }
    let mut left = rng.random::<f64>() * total;
    let mut chosen = None;
    for (index, &weight) in weights.iter().enumerate() {
        if weight > 0.0 {
            chosen = Some(index);
            if left < weight {
                break;
            }
            left -= weight;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_fixed_and_independent() {
        // Literal values: a change here would make every recorded seed worthless.
        let draw = |seed, label| rng(seed, label).random::<u64>();
        assert_eq!(draw(1, "register"), 984_770_085_812_229_860);
        assert_ne!(draw(1, "register"), draw(2, "register"));
        assert_ne!(draw(1, "register"), draw(1, "stagger"));
    }

    #[test]
    fn exponential_has_mean_and_variance_one() {
        let mut rng = rng(1, "exponential");
        let draws: Vec<f64> = (0..100_000).map(|_| exponential(&mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        let beyond_two = draws.iter().filter(|&&x| x > 2.0).count() as f64 / draws.len() as f64;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
        assert!((beyond_two - 0.1353).abs() < 0.01, "{beyond_two}");
    }

    #[test]
    fn weights_are_shares() {
        let mut rng = rng(1, "weights");
        let mut counts = [0; 4];
        for _ in 0..10_000 {
            counts[weighted(&mut rng, &[1.0, 0.0, 3.0, 0.0]).expect("positive")] += 1;
        }
        assert_eq!((counts[1], counts[3]), (0, 0));
        assert!((2_300..2_700).contains(&counts[0]), "{counts:?}");
        assert_eq!(weighted(&mut rng, &[0.0, 0.0]), None);
        assert_eq!(weighted(&mut rng, &[]), None);
    }
}
