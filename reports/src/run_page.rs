//! The page of one run, from its parts.

use serde::Serialize;

use crate::anomalies::Group;
use crate::diagram::Scene;
use crate::leadership::{self, Failover};
use crate::strip::Strip;
use crate::tables::{Chip, Faults, Figure, StatisticsTables};
use crate::{
    BoundsFacts, LogFacts, ReportError, RunFacts, RunReport, anomalies, escape, faults, format,
    sentence, series, tables, templates, timeline,
};

/// Failovers told below the strip; it draws all.
const FAILOVERS_TOLD: usize = 30;

#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    facts: &'a RunFacts,
    /// Empty if there is none: 0 is one.
    seed: String,
    bounds: String,
    sentence: String,
    judgement: &'static str,
    /// `expected`, `unexpected`, or nothing if nothing was.
    expected: &'static str,
    chips: Vec<Chip>,
    figures: Vec<Figure>,
    groups: Vec<Group>,
    anomalies: usize,
    strip: String,
    failovers: Vec<String>,
    untold_failovers: usize,
    two_leaders: bool,
    has_operations: bool,
    sampling: Option<String>,
    faults: Faults,
    has_faults: bool,
    statistics: StatisticsTables,
    logs: Vec<Log<'a>>,
    merged_log: String,
    end: String,
}

/// A log with an address that is safe to follow.
#[derive(Serialize)]
struct Log<'a> {
    #[serde(flatten)]
    facts: &'a LogFacts,
    link: String,
}

fn bounds(bounds: BoundsFacts) -> String {
    let BoundsFacts { time_ms, memory_bytes, steps } = bounds;
    format!(
        "{}, {} MiB of memory, {} steps of a search",
        format::duration(time_ms.saturating_mul(1_000_000)),
        format::count(memory_bytes >> 20),
        format::count(steps)
    )
}

/// The page of a run: one HTML file that needs nothing else.
///
/// # Errors
/// If the analysis is of another history, or (a bug) a template fails.
pub fn run_page(report: &RunReport<'_>) -> Result<String, ReportError> {
    let RunReport { title, history, analysis, facts } = *report;
    anomalies::check(history, analysis)?;
    let spans = faults::spans(history.faults());
    let order = leadership::in_order(analysis);
    let overlaps = leadership::overlaps(analysis, &order);
    let failovers = leadership::failovers(&order);
    let end_ns = history.end_ns();
    let scene = Scene { history, faults: &spans, leaderships: &order };
    let found = anomalies::of(&scene, analysis);
    let strip = Strip {
        end_ns,
        leaderships: &order,
        overlaps: &overlaps,
        failovers: &failovers,
        faults: &spans,
    };
    let series = series::of(history);
    let data = timeline::data(history, analysis, &spans, &found.jumps, &series, facts.concurrency);
    let page = Page {
        title,
        facts,
        seed: facts.seed.map_or(String::new(), |seed| seed.to_string()),
        bounds: facts.bounds.map_or(String::new(), bounds),
        sentence: sentence::summary_sentence(analysis),
        judgement: analysis.judgement().name(),
        expected: match facts.as_expected() {
            None => "",
            Some(true) => "expected",
            Some(false) => "unexpected",
        },
        chips: tables::chips(analysis, facts),
        figures: tables::figures(report, &spans, &failovers),
        anomalies: analysis.anomalies().count(),
        groups: found.groups,
        strip: strip.draw(),
        failovers: failovers.iter().take(FAILOVERS_TOLD).map(Failover::sentence).collect(),
        untold_failovers: failovers.len().saturating_sub(FAILOVERS_TOLD),
        two_leaders: !overlaps.is_empty(),
        has_operations: !history.is_empty(),
        sampling: timeline::sampling_note(history),
        faults: tables::faults(&spans, end_ns),
        has_faults: !spans.is_empty(),
        statistics: tables::statistics(analysis),
        logs: facts
            .logs
            .iter()
            .map(|log| Log { facts: log, link: escape::relative(&log.href) })
            .collect(),
        merged_log: escape::relative(&facts.merged_log),
        end: format::moment(end_ns),
    };
    templates::run(&page, &escape::json_script("data", &data)?)
}
