//! The same settings make the same history, and every setting acts.

use std::collections::{BTreeMap, BTreeSet};

use perjury_history::{History, HistoryBuilder, MicroOp, Outcome};
use perjury_simulator::{Distribution, Level, Settings, Workload, simulate};

fn history(settings: &Settings) -> History {
    simulate(settings).unwrap_or_else(|error| panic!("{error}"))
}

fn share(history: &History, which: impl Fn(&MicroOp) -> bool) -> f64 {
    let all: Vec<_> = history.iter().flat_map(|it| it.micro_ops).collect();
    all.iter().filter(|it| which(it)).count() as f64 / all.len() as f64
}

#[test]
fn a_seed_makes_one_history() {
    for level in Level::ALL {
        for workload in Workload::ALL {
            let settings = Settings { level, workload, unknown_share: 0.1, ..Settings::default() };
            let one = history(&settings);
            assert_eq!(one, history(&settings), "{level}, {workload}");
            let other = history(&Settings { seed: 2, ..settings });
            assert_ne!(one, other, "{level}, {workload}");
        }
    }
}

/// Figures that change only if what is simulated changes; whoever compares benchmarks wants to know.
#[test]
fn a_history_stays_what_it_is() {
    let history = history(&Settings { level: Level::Causal, ..Settings::default() });
    let reads = history.iter().flat_map(|it| it.micro_ops).filter_map(|it| match it {
        MicroOp::ReadList { result, .. } => result.as_ref().map(|it| it.len()),
        _ => None,
    });
    assert_eq!(
        (history.len(), history.end_ns(), reads.sum::<usize>()),
        (1_000, 200_080_747, 16_509)
    );
}

#[test]
fn the_record_is_well_formed_and_can_be_built_again() {
    let settings = Settings { unknown_share: 0.2, abort_share: 0.2, ..Settings::default() };
    let history = history(&settings);
    let mut builder = HistoryBuilder::new();
    for entry in history.to_entries() {
        builder.push(entry).expect("well formed");
    }
    assert_eq!(builder.finish(), history);
}

#[test]
fn shares_are_what_was_asked_for() {
    let settings = Settings {
        transactions: 10_000,
        read_share: 0.8,
        unknown_share: 0.1,
        abort_share: 0.3,
        ..Settings::default()
    };
    let simulated = history(&settings);
    let outcome = |outcome| {
        simulated.iter().filter(|it| it.outcome == outcome).count() as f64 / simulated.len() as f64
    };
    let near = |found: f64, asked: f64| assert!((found - asked).abs() < 0.03, "{found}, {asked}");
    near(outcome(Outcome::Info), 0.1);
    near(outcome(Outcome::Fail), 0.3);
    near(share(&simulated, |it| !it.is_mutation()), 0.8);
    let none = history(&Settings { read_share: 0.0, ..settings.clone() });
    assert!(share(&none, |it| !it.is_mutation()) == 0.0);
    // Half of what is unknown happened: somebody read it.
    let read: BTreeSet<_> = simulated
        .iter()
        .flat_map(|it| it.micro_ops)
        .filter_map(|it| match it {
            MicroOp::ReadList { key, result } => Some((*key, result.clone()?)),
            _ => None,
        })
        .flat_map(|(key, elements)| elements.iter().map(|it| (key, *it)).collect::<Vec<_>>())
        .collect();
    let unknown = simulated.iter().filter(|it| it.outcome == Outcome::Info);
    let appends = unknown.flat_map(|it| it.micro_ops).filter(|it| it.is_mutation());
    let (seen, all) = appends.fold((0, 0), |(seen, all), it| {
        let value = it.argument().expect("an append");
        (seen + usize::from(read.contains(&(it.key(), value))), all + 1)
    });
    assert!(seen > all / 3 && seen < all * 2 / 3, "{seen} of {all}");
}

#[test]
fn sizes_are_what_was_asked_for() {
    let settings = Settings {
        processes: 7,
        transactions: 500,
        keys: 3,
        operations_max: 6,
        writes_per_key: 5,
        ..Settings::default()
    };
    let history = history(&settings);
    assert_eq!((history.len(), history.by_process().len()), (500, 7));
    assert_eq!(history.iter().map(|it| it.micro_ops.len()).max(), Some(6));
    assert_eq!(history.iter().map(|it| it.micro_ops.len()).min(), Some(1));
    let mut writes: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for micro_op in history.iter().flat_map(|it| it.micro_ops) {
        if let Some(value) = micro_op.argument() {
            writes.entry(micro_op.key()).or_default().push(value);
        }
    }
    let retired = writes.values().filter(|values| **values == [1, 2, 3, 4, 5]).count();
    assert!(retired + 3 >= writes.len() && retired > 50, "{retired} of {}", writes.len());
    // Transactions of different clients overlap.
    let overlaps = |it: &perjury_history::Operation<'_>| it.completed.unwrap_or(0) > it.invoked + 1;
    assert!(history.iter().filter(overlaps).count() > 400);
}

#[test]
fn keys_are_chosen_by_their_distribution() {
    let counts = |distribution| {
        let settings = Settings {
            distribution,
            transactions: 5_000,
            keys: 4,
            writes_per_key: u32::MAX,
            ..Settings::default()
        };
        let history = history(&settings);
        [0, 1, 2, 3].map(|key| (share(&history, |it| it.key() == key) * 100.0).round() as i64)
    };
    let near = |found: [i64; 4], expected: [i64; 4]| {
        let pairs = found.iter().zip(expected);
        assert!(pairs.into_iter().all(|(it, other)| (it - other).abs() <= 2), "{found:?}");
    };
    near(counts(Distribution::Uniform), [25, 25, 25, 25]);
    near(counts(Distribution::Zipf), [48, 24, 16, 12]);
    near(counts(Distribution::Exponential), [50, 25, 12, 12]);
}

#[test]
fn registers_repeat_values_only_when_asked() {
    let written = |values| {
        let workload = Workload::Register;
        let history = history(&Settings { workload, values, ..Settings::default() });
        let all = history.iter().flat_map(|it| it.micro_ops);
        let written: Vec<_> = all.filter_map(|it| Some((it.key(), it.written()?))).collect();
        let distinct: BTreeSet<_> = written.iter().copied().collect();
        let largest = written.iter().map(|it| it.1).max();
        (written.len() == distinct.len(), largest)
    };
    assert_eq!(written(None), (true, Some(32)));
    assert_eq!(written(Some(3)), (false, Some(3)));
}

#[test]
fn a_site_knows_less_where_there_are_more() {
    let stale = |sites| {
        let level = Level::Causal;
        let history =
            history(&Settings { level, sites, transactions: 3_000, ..Settings::default() });
        // What each client was served by.
        let nodes: BTreeSet<_> = history.iter().filter_map(|it| it.node).collect();
        assert_eq!(nodes.len(), sites as usize);
        let lists = history.iter().flat_map(|it| it.micro_ops).filter_map(|it| match it {
            MicroOp::ReadList { result, .. } => result.as_ref().map(|it| it.len()),
            _ => None,
        });
        lists.sum::<usize>()
    };
    assert!(stale(1) > stale(5));
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let sound = Settings::default;
    for (settings, complaint) in [
        (Settings { processes: 0, ..sound() }, "`processes` from 1 to 1000000, found 0"),
        (Settings { operations_max: 0, ..sound() }, "`operations` from 1 to 1000000, found 0"),
        (Settings { read_share: 1.5, ..sound() }, "`read-share` from 0 to 1, found 1.5"),
        (Settings { abort_share: f64::NAN, ..sound() }, "`abort-share` from 0 to 1, found NaN"),
        (
            Settings { abort_share: 0.6, unknown_share: 0.6, ..sound() },
            "`unknown-share and abort-share together` from 0 to 1, found 1.2",
        ),
        (
            Settings { transactions: 1 << 30, ..sound() },
            "`transactions` times `operations` to be below 4294967295, found 4294967296",
        ),
        (Settings { values: Some(3), ..sound() }, "`values` with registers only"),
    ] {
        let error = simulate(&settings).expect_err(complaint).to_string();
        assert!(error.contains(complaint), "{error}");
    }
    let error = "serialisable".parse::<Level>().expect_err("a typing error");
    assert!(error.starts_with("expected one of strict-serializable, strong-session"), "{error}");
}
