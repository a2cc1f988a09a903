//! The page's chips, key numbers and tables.

use perjury_checkers::{Analysis, AnomalyKind, Counts, Judgement};
use perjury_history::FaultStage;
use serde::Serialize;

use crate::faults::FaultSpan;
use crate::leadership::Failover;
use crate::{ExpectationResult, RunFacts, RunReport, format, sentence};

/// Faults shown before the rest is folded away.
const FAULTS_OPEN: usize = 30;
/// Errors listed.
const ERRORS_MAX: usize = 50;

/// A model and its judgement.
#[derive(Serialize)]
pub(crate) struct Chip {
    model: &'static str,
    judgement: &'static str,
    /// Why it is unknown.
    reason: String,
    /// `expected`, `not expected`, or nothing if no expectation speaks of it.
    expected: &'static str,
}

pub(crate) fn chips(analysis: &Analysis, facts: &RunFacts) -> Vec<Chip> {
    let judged = sentence::models(analysis).into_iter();
    judged
        .map(|(model, judgement)| {
            let names = AnomalyKind::ALL.into_iter().filter(|kind| kind.rules_out() == model);
            let names: Vec<_> = names.map(AnomalyKind::name).chain([model.name()]).collect();
            Chip {
                model: model.name(),
                judgement: judgement.name(),
                expected: expected(&facts.expectations, &names),
                reason: match judgement {
                    Judgement::Unknown(reason) => reason,
                    Judgement::Valid | Judgement::Invalid => String::new(),
                },
            }
        })
        .collect()
}

/// Whether what came was expected, going by the expectations that name any of these words.
fn expected(expectations: &[ExpectationResult], names: &[&str]) -> &'static str {
    let speaks = |it: &&ExpectationResult| {
        let mut words = it.text.split(|letter: char| !letter.is_alphanumeric() && letter != '-');
        words.any(|word| names.contains(&word))
    };
    let met = expectations.iter().filter(speaks).map(|it| it.met).reduce(|all, met| all && met);
    match met {
        None => "",
        Some(true) => "expected",
        Some(false) => "not expected",
    }
}

/// A number with its name.
#[derive(Serialize)]
pub(crate) struct Figure {
    name: &'static str,
    value: String,
    /// Small print below.
    detail: String,
}

pub(crate) fn figures(
    report: &RunReport<'_>,
    faults: &[FaultSpan<'_>],
    failovers: &[Failover<'_>],
) -> Vec<Figure> {
    let RunReport { history, analysis, facts, .. } = report;
    let statistics = &analysis.statistics;
    let figure = |name, value: String, detail: String| Figure { name, value, detail };
    let mut total = Counts::default();
    for function in statistics.functions.values() {
        total.ok += function.counts.ok;
        total.fail += function.counts.fail;
        total.info += function.counts.info;
    }
    let outcomes = format!(
        "{} ok · {} fail · {} info",
        format::count(total.ok),
        format::count(total.fail),
        format::count(total.info)
    );
    let failed = faults.iter().filter(|it| it.failed()).count() as u64;
    let failed = if failed == 0 { String::new() } else { format!("{failed} failed") };
    let mut figures = vec![figure("operations", format::count(history.len() as u64), outcomes)];
    if !facts.untimed {
        figures.push(figure(
            "duration",
            format::duration(history.end_ns()),
            facts.wall_ms.map_or(String::new(), |ms| {
                format!("{} on the wall clock", format::duration(ms.saturating_mul(1_000_000)))
            }),
        ));
    }
    figures.extend(facts.seed.map(|seed| figure("seed", seed.to_string(), String::new())));
    // That there were none is known of runs only.
    if facts.seed.is_some() || !faults.is_empty() {
        figures.push(figure("faults", format::count(faults.len() as u64), failed));
    }
    let changes = sentence::measure(analysis, "leader_changes").unwrap_or(failovers.len() as u64);
    if !analysis.leaderships.is_empty() || changes > 0 {
        let gaps = failovers.iter().filter_map(|it| it.to.first_ns.checked_sub(it.from.last_ns));
        let longest = gaps.max().map_or(String::new(), |gap_ns| {
            format!("longest without writes {}", format::duration(gap_ns))
        });
        figures.push(figure("leader changes", format::count(changes), longest));
    }
    let listed = analysis.anomalies().filter(|it| it.kind == AnomalyKind::LostWrite).count();
    let durability_judged =
        sentence::models(analysis).contains_key(&AnomalyKind::LostWrite.rules_out());
    if listed > 0 || durability_judged {
        let lost = sentence::full_count(analysis, AnomalyKind::LostWrite, listed);
        let oldest = sentence::measure(analysis, "oldest_lost_ms").filter(|ms| *ms > 0);
        let oldest = oldest.map_or(String::new(), |ms| {
            format!("up to {} before the failover", format::duration(ms * 1_000_000))
        });
        figures.push(figure("lost writes", format::count(lost), oldest));
    }
    figures
}

/// One fault.
#[derive(Serialize)]
pub(crate) struct FaultRow {
    number: u32,
    name: String,
    nodes: String,
    applied: String,
    observed: String,
    undone: String,
    lasted: String,
    failed: bool,
    /// What each stage reported: its name and the text.
    details: Vec<(&'static str, String)>,
}

/// The faults of a run.
#[derive(Serialize)]
pub(crate) struct Faults {
    shown: Vec<FaultRow>,
    folded: Vec<FaultRow>,
}

pub(crate) fn faults(spans: &[FaultSpan<'_>], run_end_ns: u64) -> Faults {
    let mut shown: Vec<_> = spans.iter().map(|span| fault_row(span, run_end_ns)).collect();
    let folded = shown.split_off(shown.len().min(FAULTS_OPEN));
    Faults { shown, folded }
}

fn fault_row(span: &FaultSpan<'_>, run_end_ns: u64) -> FaultRow {
    let at = |stage| span.at_ns(stage).map_or(String::new(), format::moment);
    let told = span.events.iter().filter(|event| !event.detail.is_empty());
    let applied_ns = span.at_ns(FaultStage::Applied);
    FaultRow {
        number: span.number,
        name: span.name.to_owned(),
        nodes: format::list(span.nodes),
        applied: at(FaultStage::Applied),
        observed: at(FaultStage::Observed),
        undone: match (span.at_ns(FaultStage::Undone), applied_ns) {
            (None, Some(_)) => "never".into(),
            (undone, _) => undone.map_or(String::new(), format::moment),
        },
        lasted: applied_ns.map_or(String::new(), |from| {
            format::duration(span.end_ns(run_end_ns).saturating_sub(from))
        }),
        failed: span.failed(),
        details: told.map(|event| (event.stage.name(), event.detail.clone())).collect(),
    }
}

/// Counts and latencies.
#[derive(Serialize)]
pub(crate) struct CountRow {
    name: String,
    ok: String,
    fail: String,
    info: String,
    /// Share of `ok` in percent, for a bar.
    ok_percent: u64,
    fail_percent: u64,
    /// p50, p95, p99, slowest; empty if nothing succeeded.
    latency: Vec<String>,
}

fn count_row(name: String, counts: Counts, latency: Vec<String>) -> CountRow {
    let percent = |part: u64| (part * 100).checked_div(counts.total()).unwrap_or(0);
    CountRow {
        name,
        ok: format::count(counts.ok),
        fail: format::count(counts.fail),
        info: format::count(counts.info),
        ok_percent: percent(counts.ok),
        fail_percent: percent(counts.fail),
        latency,
    }
}

/// The tables of the statistics section.
#[derive(Serialize)]
pub(crate) struct StatisticsTables {
    functions: Vec<CountRow>,
    nodes: Vec<CountRow>,
    /// Text and count, the most frequent first.
    errors: Vec<(String, String)>,
    /// How many kinds of errors are not listed, if any.
    more_errors: Option<String>,
    /// Checker, measure and number.
    measures: Vec<(String, String, String)>,
}

pub(crate) fn statistics(analysis: &Analysis) -> StatisticsTables {
    let statistics = &analysis.statistics;
    let functions = statistics.functions.iter().map(|(name, it)| {
        let latency = it.latency.map_or(Vec::new(), |latency| {
            [latency.p50_ns, latency.p95_ns, latency.p99_ns, latency.max_ns]
                .map(format::duration)
                .to_vec()
        });
        count_row(name.clone(), it.counts, latency)
    });
    let nodes = statistics.nodes.iter();
    let mut errors: Vec<_> = statistics.errors.iter().collect();
    errors.sort_by_key(|(text, count)| (std::cmp::Reverse(**count), *text));
    let more = errors.len().saturating_sub(ERRORS_MAX);
    errors.truncate(ERRORS_MAX);
    let measures = analysis.verdicts.iter().flat_map(|(checker, verdict)| {
        let each = verdict.measures.iter();
        each.map(|(name, &value)| (checker.clone(), name.replace('_', " "), format::count(value)))
    });
    StatisticsTables {
        functions: functions.collect(),
        nodes: nodes.map(|(node, &counts)| count_row(node.to_string(), counts, vec![])).collect(),
        errors: errors
            .into_iter()
            .map(|(text, &count)| (format::shortened(text, 500), format::count(count)))
            .collect(),
        more_errors: (more > 0).then(|| format::count(more as u64)),
        measures: measures.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_speaks_of_the_models_it_names() {
        let expectation =
            |text: &str, met| ExpectationResult { text: text.into(), met, detail: String::new() };
        let expectations =
            [expectation("linearizable holds", false), expectation("`two-leaders` is found", true)];
        assert_eq!(expected(&expectations, &["linearizable", "nonlinearizable"]), "not expected");
        assert_eq!(expected(&expectations, &["single-leader", "two-leaders"]), "expected");
        assert_eq!(expected(&expectations, &["durable", "lost-write"]), "");
    }
}
