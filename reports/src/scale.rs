//! From moments to pixels, in two ways.
//!
//! A run's strip has a linear axis. A witness often needs another: a write of 2 ms at the start of
//! a minute, read at its end. There the stretches between the moments that matter are compressed,
//! each to something between its share and an equal one, and the cut ones are marked.

use crate::format;

/// Shortest stretch between two moments of a compressed axis.
const SHORTEST_PX: f64 = 9.0;
/// How much of its share a compressed stretch keeps: 1 is linear, 0 is equal distances.
const COMPRESSION: f64 = 0.3;
/// A stretch in which a pixel stands for this many times the time that it does in the finest one is
/// marked as cut.
const CUT_RATIO: f64 = 50.0;

/// A piecewise linear axis.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    times_ns: Vec<u64>,
    xs: Vec<f64>,
    cut: Vec<bool>,
}

/// A number on the axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) x: f64,
    pub(crate) label: String,
}

/// A stretch that is drawn much shorter than its neighbours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cut {
    pub(crate) x: f64,
    pub(crate) width: f64,
    pub(crate) duration_ns: u64,
}

impl Scale {
    pub(crate) fn linear(begin_ns: u64, end_ns: u64, left: f64, right: f64) -> Self {
        let end_ns = end_ns.max(begin_ns + 1);
        Self { times_ns: vec![begin_ns, end_ns], xs: vec![left, right], cut: vec![false] }
    }

    /// An axis through `moments` (in any order) on which stretches are compressed, unless a linear
    /// one shows `shortest_ns` at least `legible_px` wide.
    pub(crate) fn through(
        mut moments: Vec<u64>,
        (left, right): (f64, f64),
        shortest_ns: u64,
        legible_px: f64,
    ) -> Self {
        moments.sort_unstable();
        moments.dedup();
        let (Some(&begin), Some(&end)) = (moments.first(), moments.last()) else {
            return Self::linear(0, 1, left, right);
        };
        let (width, span) = (right - left, (end - begin).max(1) as f64);
        if moments.len() < 3 || shortest_ns as f64 / span * width >= legible_px {
            return Self::linear(begin, end, left, right);
        }
        let gaps: Vec<f64> = moments.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let weight = |gap: f64| gap.powf(COMPRESSION);
        let weights: f64 = gaps.iter().copied().map(weight).sum();
        let shortest = SHORTEST_PX.min(width / gaps.len() as f64 / 2.0);
        let shared = width - shortest * gaps.len() as f64;
        let stretches: Vec<f64> =
            gaps.iter().map(|&gap| shortest + shared * weight(gap) / weights).collect();
        let per_px: Vec<f64> = gaps.iter().zip(&stretches).map(|(gap, px)| gap / px).collect();
        let finest = per_px.iter().copied().fold(f64::INFINITY, f64::min);
        let cut = per_px.iter().map(|&it| it > finest * CUT_RATIO).collect();
        let mut xs = vec![left];
        for stretch in stretches {
            xs.push(xs[xs.len() - 1] + stretch);
        }
        Self { times_ns: moments, xs, cut }
    }

    pub(crate) fn begin_ns(&self) -> u64 {
        self.times_ns[0]
    }

    pub(crate) fn end_ns(&self) -> u64 {
        self.times_ns[self.times_ns.len() - 1]
    }

    /// Where a moment is; moments outside are at the ends.
    pub(crate) fn x(&self, time_ns: u64) -> f64 {
        let after = self.times_ns.partition_point(|&it| it <= time_ns);
        if after == 0 {
            return self.xs[0];
        }
        if after == self.times_ns.len() {
            return self.xs[after - 1];
        }
        let (from, to) = (self.times_ns[after - 1], self.times_ns[after]);
        let share = (time_ns - from) as f64 / (to - from) as f64;
        self.xs[after - 1] + share * (self.xs[after] - self.xs[after - 1])
    }

    /// The cut stretches; neighbours are one.
    pub(crate) fn cuts(&self) -> Vec<Cut> {
        let mut cuts: Vec<Cut> = Vec::new();
        for (index, _) in self.cut.iter().enumerate().filter(|(_, cut)| **cut) {
            let (x, width) = (self.xs[index], self.xs[index + 1] - self.xs[index]);
            let duration_ns = self.times_ns[index + 1] - self.times_ns[index];
            match cuts.last_mut() {
                Some(before) if index > 0 && self.cut[index - 1] => {
                    before.width += width;
                    before.duration_ns += duration_ns;
                }
                _ => cuts.push(Cut { x, width, duration_ns }),
            }
        }
        cuts
    }

    /// Labels at as many of `moments` (the first ones win) as fit side by side.
    pub(crate) fn ticks_at(&self, moments: &[u64], character_px: f64) -> Vec<Tick> {
        let span = self.end_ns() - self.begin_ns();
        let decimals = if span < 20_000_000 { 6 } else { 3 };
        let mut ticks: Vec<(Tick, f64)> = Vec::new();
        for &moment in moments {
            let label = format::moment_to(moment, decimals);
            let half = label.chars().count() as f64 * character_px / 2.0 + 5.0;
            let x = self.x(moment);
            if ticks.iter().all(|(other, other_half)| (other.x - x).abs() > half + other_half) {
                ticks.push((Tick { x, label }, half));
            }
        }
        let mut ticks: Vec<_> = ticks.into_iter().map(|(tick, _)| tick).collect();
        ticks.sort_by(|one, other| one.x.total_cmp(&other.x));
        ticks
    }

    /// Round numbers of a linear axis, about `wanted` of them.
    pub(crate) fn round_ticks(&self, wanted: u64) -> Vec<Tick> {
        let span = (self.end_ns() - self.begin_ns()).max(1);
        let step = round_step(span / wanted.max(1));
        let decimals = match step {
            1_000_000_000.. => 0,
            100_000_000.. => 1,
            1_000_000.. => 3,
            1_000.. => 6,
            _ => 9,
        };
        let first = self.begin_ns().div_ceil(step) * step;
        (0..)
            .map(|index| first + index * step)
            .take_while(|&moment| moment <= self.end_ns())
            .map(|moment| Tick { x: self.x(moment), label: format::moment_to(moment, decimals) })
            .collect()
    }
}

/// The smallest of 1, 2, 5, 10, 20, 50, ... that is at least `least`.
pub(crate) fn round_step(least: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if step >= least {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_is_proportional_and_clamps() {
        let scale = Scale::linear(100, 200, 0.0, 50.0);
        let xs = [50, 100, 150, 200, 300].map(|time| scale.x(time));
        assert_eq!(xs, [0.0, 0.0, 25.0, 50.0, 50.0]);
    }

    #[test]
    fn a_compressed_axis_keeps_order_and_shows_the_short() {
        let second = 1_000_000_000;
        let moments = vec![0, 2_000_000, 60 * second, 60 * second + 1_000_000];
        let scale = Scale::through(moments.clone(), (0.0, 800.0), 1_000_000, 10.0);
        let xs: Vec<_> = moments.iter().map(|&time| scale.x(time)).collect();
        assert!(xs.windows(2).all(|pair| pair[1] - pair[0] >= SHORTEST_PX), "{xs:?}");
        assert!((xs[3] - 800.0).abs() < 1e-6, "{xs:?}");
        assert_eq!(scale.cuts().len(), 1, "a pixel of the long stretch stands for far more");
    }

    #[test]
    fn the_long_one_among_many_short_ones_is_cut() {
        let mut moments: Vec<u64> = (0..20).map(|index| index * 1_000_000).collect();
        moments.push(60_000_000_000);
        let scale = Scale::through(moments, (0.0, 800.0), 1_000_000, 10.0);
        assert_eq!(scale.cuts().len(), 1);
    }

    #[test]
    fn ticks_are_round_and_do_not_touch() {
        let labels: Vec<_> = Scale::linear(0, 60_000_000_000, 0.0, 900.0)
            .round_ticks(7)
            .into_iter()
            .map(|tick| tick.label)
            .collect();
        assert_eq!(labels, ["0 s", "10 s", "20 s", "30 s", "40 s", "50 s", "60 s"]);
        let scale = Scale::linear(0, 1_000_000_000, 0.0, 100.0);
        assert_eq!(scale.ticks_at(&[0, 10_000_000, 1_000_000_000], 6.0).len(), 2);
    }
}
