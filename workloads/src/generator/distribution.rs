//! How often each of several things is chosen.

use rand::RngExt as _;
use rand_pcg::Pcg64;
use serde::Deserialize;

/// How often each key in use is chosen. The weights are fractions, so that draws are the same on every
/// machine; a fresh key has the place of the one that retired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyDistribution {
    /// Each as often as any other.
    #[default]
    Uniform,
    /// The second half as often as the first, the third a third as often, and so on (Zipf 1935).
    Zipf,
    /// Each half as often as the one before.
    Exponential,
}

/// Draws positions.
#[derive(Clone, Debug)]
pub(crate) enum Positions {
    Uniform(u32),
    /// The sums of the weights up to each position.
    Weighted(Vec<f64>),
}

impl Positions {
    /// Of `count` positions, at least one.
    pub(crate) fn new(distribution: KeyDistribution, count: u32) -> Self {
        let weights: Box<dyn Iterator<Item = f64>> = match distribution {
            KeyDistribution::Uniform => return Positions::Uniform(count.max(1)),
            KeyDistribution::Zipf => Box::new((1..).map(|rank| 1.0 / f64::from(rank))),
            KeyDistribution::Exponential => {
                Box::new(std::iter::successors(Some(1.0), |weight| Some(weight / 2.0)))
            }
        };
        let add = |sum: &mut f64, weight| {
            *sum += weight;
            Some(*sum)
        };
        Positions::Weighted(weights.take(count.max(1) as usize).scan(0.0, add).collect())
    }

    pub(crate) fn draw(&self, rng: &mut Pcg64) -> usize {
        match self {
            Positions::Uniform(count) => rng.random_range(0..*count) as usize,
            Positions::Weighted(sums) => {
                let total = sums.last().copied().unwrap_or_default();
                let drawn = rng.random::<f64>() * total;
                sums.partition_point(|sum| *sum <= drawn).min(sums.len() - 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::rng;

    #[test]
    fn positions_are_drawn_as_often_as_their_weights_say() {
        let mut rng = rng(1, "positions");
        for (distribution, expected) in [
            (KeyDistribution::Uniform, [25.0, 25.0, 25.0, 25.0]),
            (KeyDistribution::Zipf, [48.0, 24.0, 16.0, 12.0]),
            (KeyDistribution::Exponential, [53.33, 26.67, 13.33, 6.67]),
        ] {
            let positions = Positions::new(distribution, 4);
            let mut counts = [0_u32; 4];
            for _ in 0..100_000 {
                counts[positions.draw(&mut rng)] += 1;
            }
            for (count, percent) in counts.iter().zip(expected) {
                let found = f64::from(*count) / 1_000.0;
                assert!((found - percent).abs() < 0.7, "{distribution:?}: {counts:?}");
            }
        }
    }

    #[test]
    fn there_is_always_a_position() {
        for distribution in
            [KeyDistribution::Uniform, KeyDistribution::Zipf, KeyDistribution::Exponential]
        {
            let mut rng = rng(1, "positions");
            assert_eq!(Positions::new(distribution, 0).draw(&mut rng), 0);
            // The last weights are too small to tell from none.
            let many = Positions::new(distribution, 5_000);
            assert!((0..1_000).all(|_| many.draw(&mut rng) < 5_000));
        }
    }
}
