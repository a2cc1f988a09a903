//! Rates and latencies over time, in equal slices of the run.

use std::collections::BTreeMap;

use perjury_checkers::Quantiles;
use perjury_history::{History, Outcome};
use serde::Serialize;

use crate::operation_text;
use crate::scale::round_step;

/// Slices at most.
const SLICES_MAX: u64 = 240;
/// The shortest slice.
const SLICE_MIN_NS: u64 = 10_000_000;

/// Everything the plots draw, by slice; slice `i` begins at `i * slice_us`.
#[derive(Serialize, Default, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) slice_us: u64,
    pub(crate) slices: usize,
    /// Completions per second.
    pub(crate) rates: Rates,
    /// Latencies of `ok` operations by function.
    pub(crate) latencies: BTreeMap<&'static str, Latencies>,
}

/// `None` where a slice is too short to have a rate.
#[derive(Serialize, Default, Debug, PartialEq)]
pub(crate) struct Rates {
    pub(crate) ok: Vec<Option<f64>>,
    pub(crate) fail: Vec<Option<f64>>,
    pub(crate) info: Vec<Option<f64>>,
}

/// Milliseconds; `None` where nothing completed.
#[derive(Serialize, Default, Debug, PartialEq)]
pub(crate) struct Latencies {
    pub(crate) p50: Vec<Option<f64>>,
    pub(crate) p95: Vec<Option<f64>>,
    pub(crate) p99: Vec<Option<f64>>,
}

/// Slices a history. An operation counts in the slice in which it completed.
pub(crate) fn of(history: &History) -> Series {
    let slice_ns = round_step(history.end_ns() / SLICES_MAX).max(SLICE_MIN_NS);
    let slices = (history.end_ns() / slice_ns) as usize + 1;
    let mut counts = [vec![0_u32; slices], vec![0; slices], vec![0; slices]];
    let mut latencies_ns: BTreeMap<&'static str, Vec<Vec<u64>>> = BTreeMap::new();
    for operation in history.iter() {
        let Some(completed_ns) = operation.completed_ns else { continue };
        let slice = (completed_ns / slice_ns) as usize;
        counts[usize::from(operation_text::outcome_number(operation.outcome))][slice] += 1;
        if operation.outcome == Outcome::Ok {
            let of_function = latencies_ns
                .entry(operation_text::function(&operation))
                .or_insert_with(|| vec![Vec::new(); slices]);
            of_function[slice].push(completed_ns - operation.invoked_ns);
        }
    }
    // The last slice is cut off by the run's end; a small rest of one says nothing about a rate.
    let seconds = |slice: usize| {
        let length_ns = (history.end_ns() - slice as u64 * slice_ns).min(slice_ns);
        (slice == 0 || length_ns * 2 >= slice_ns).then_some(length_ns.max(1) as f64 / 1e9)
    };
    let rates = |counts: Vec<u32>| -> Vec<Option<f64>> {
        let each = counts.into_iter().enumerate();
        each.map(|(slice, count)| Some(rounded(f64::from(count) / seconds(slice)?))).collect()
    };
    let [ok, fail, info] = counts.map(rates);
    let latencies = latencies_ns.into_iter().map(|(name, slices)| (name, quantiles(slices)));
    Series {
        slice_us: slice_ns / 1_000,
        slices,
        rates: Rates { ok, fail, info },
        latencies: latencies.collect(),
    }
}

fn quantiles(slices: Vec<Vec<u64>>) -> Latencies {
    let mut latencies = Latencies::default();
    for slice in slices {
        let found = Quantiles::of(slice);
        let of = |quantile: fn(&Quantiles) -> u64| {
            found.as_ref().map(|it| rounded(quantile(it) as f64 / 1e6))
        };
        latencies.p50.push(of(|it| it.p50_ns));
        latencies.p95.push(of(|it| it.p95_ns));
        latencies.p99.push(of(|it| it.p99_ns));
    }
    latencies
}

/// To three decimals: nobody reads more, and they take room.
fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_count_where_they_complete() {
        // A column is a millisecond, the shortest slice ten of them.
        let history = History::parse_notation(
            "
            p0: w(x,1)-                r(x)=1-
            p1: w(x,2)-----!
            ",
        )
        .expect("a good drawing");
        let series = of(&history);
        let first = &series.latencies["write"];
        assert_eq!(series.slice_us, 10_000);
        assert_eq!(series.rates.ok, [0.0, 0.0, 100.0, 0.0, 200.0].map(Some));
        assert_eq!(series.rates.fail, [0.0, 0.0, 100.0, 0.0, 0.0].map(Some));
        let p50: Vec<_> = first.p50.iter().flatten().collect();
        assert_eq!(p50, [&6.0]);
        assert_eq!(series.slices, series.rates.info.len());
    }

    #[test]
    fn a_long_run_has_a_bounded_number_of_slices() {
        let slice = round_step(3_600_000_000_000 / SLICES_MAX);
        assert!(3_600_000_000_000 / slice <= SLICES_MAX);
    }
}
