//! Histories of a model of a database.

use perjury_history::foreign::{self, Format, Options};
use perjury_history::{History, arrow};
use perjury_simulator::{Distribution, Level, Settings, Workload, simulate};

use crate::support::Place;

fn read(place: &Place, file: &str) -> foreign::Foreign {
    foreign::read(place.path(file), &Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_option_acts_and_every_format_tells_the_same() {
    let place = Place::new();
    let options = [
        "--level=causal",
        "--workload=register",
        "--seed=7",
        "--transactions=300",
        "--processes=5",
        "--keys=20",
        "--distribution=zipf",
        "--operations=6",
        "--read-share=0.6",
        "--writes-per-key=9",
        "--values=3",
        "--unknown-share=0.1",
        "--abort-share=0.2",
        "--sites=2",
    ];
    let expected = simulate(&Settings {
        level: Level::Causal,
        seed: 7,
        workload: Workload::Register,
        processes: 5,
        transactions: 300,
        keys: 20,
        distribution: Distribution::Zipf,
        operations_max: 6,
        read_share: 0.6,
        writes_per_key: 9,
        values: Some(3),
        unknown_share: 0.1,
        abort_share: 0.2,
        sites: 2,
    })
    .expect("sound settings");
    let made = |format: &str| -> String {
        let file = format!("history.{format}");
        let arguments = [&["simulate", "--format", format, "-o", &file], &options[..]].concat();
        let called = place.perjury(&arguments);
        assert_eq!(called.code, 0, "{}", called.stderr);
        assert!(called.stderr.contains(&format!("300 transactions are in {file}")));
        file
    };
    for format in ["edn", "json"] {
        assert_eq!(read(&place, &made(format)).history, expected, "{format}");
    }
    let recorded = arrow::read(place.path(&made("arrow"))).expect("a recording");
    assert!(recorded.complete && recorded.history == expected);
    let plume = read(&place, &made("plume"));
    assert_eq!(plume.format, Format::Plume);
    let committed = |history: &History| {
        history.iter().filter(|it| it.outcome == perjury_history::Outcome::Ok).count()
    };
    let left_out = expected.len() - plume.history.len();
    assert!(committed(&plume.history) >= committed(&expected) && left_out > 30, "{left_out}");
    // Nothing is overwritten.
    place.refuses(&["simulate", "-o", "history.edn"], 64, "expected no file at history.edn");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Place::new();
    place.refuses(&["simulate", "--level", "acid"], 64, "expected one of strict-serializable");
    place.refuses(&["simulate", "--format", "arrow"], 64, "expected a file to write to");
    place.refuses(&["simulate", "--keys", "0"], 64, "expected `keys` from 1 to 100000000");
    let lists = ["simulate", "--format", "plume", "-o", "lists.txt"];
    place.refuses(&lists, 64, "failed to write plume: expected transactions that read and write");
    assert!(!place.path("lists.txt").exists());
}
