//! The index page of a campaign: a row per run, each linking to its own page.

use std::collections::BTreeMap;

use perjury_checkers::Model;
use serde::{Deserialize, Serialize};

use crate::{ReportError, escape, format, templates};

/// One run in a campaign's table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CampaignRow {
    /// The test's name.
    pub test: String,
    /// Its seed.
    pub seed: u64,
    /// Relative address of the run's page; empty if there is none.
    pub href: String,
    /// The verdict as a sentence; see [`summary_sentence`](crate::summary_sentence).
    pub sentence: String,
    /// `valid`, `invalid` or `unknown`; anything else (`failed`) is a run without a verdict.
    pub judgement: String,
    /// Every model that was judged, with `valid`, `invalid` or `unknown`.
    pub models: BTreeMap<Model, String>,
    /// Whether all expectations were met.
    pub expected: bool,
    /// Kinds of anomalies that were found.
    pub violations: Vec<String>,
    /// Number of operations.
    pub operations: u64,
    /// How long the run took by the clock on the wall, in milliseconds.
    pub wall_ms: u64,
}

/// The circumstances of a campaign. What is left at its default is left out of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CampaignFacts {
    /// When it began, for people.
    pub started_utc: String,
    /// How long it took by the clock on the wall, in milliseconds.
    pub wall_ms: Option<u64>,
    /// The version of Perjury that ran it.
    pub perjury_version: String,
    /// Shell commands that run it again.
    pub reproduce: Vec<String>,
    /// The campaign file.
    pub settings: String,
    /// What a reader must know before believing the rest: interrupted, a lab failure.
    pub notes: Vec<String>,
}

#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    facts: &'a CampaignFacts,
    sentence: String,
    /// As a run's judgement: what the page's colour says.
    judgement: &'static str,
    figures: Vec<(&'static str, String)>,
    rows: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    row: &'a CampaignRow,
    link: String,
    verdict: &'static str,
    chips: Vec<(&'static str, &'a str)>,
    operations_shown: String,
    took: String,
}

/// The page of a campaign: one HTML file that links to those of its runs.
///
/// # Errors
/// If (a bug) a template fails.
pub fn campaign_page(
    title: &str,
    rows: &[CampaignRow],
    facts: &CampaignFacts,
) -> Result<String, ReportError> {
    let operations = rows.iter().map(|row| row.operations).sum();
    let with_violations = rows.iter().filter(|row| !row.violations.is_empty()).count();
    let unexpected = rows.iter().filter(|row| !row.expected).count();
    let undecided = rows.iter().filter(|row| verdict(row) == "unknown").count();
    let mut figures = vec![
        ("runs", format::count(rows.len() as u64)),
        ("not as expected", format::count(unexpected as u64)),
        ("with violations", format::count(with_violations as u64)),
        ("undecided", format::count(undecided as u64)),
        ("operations", format::count(operations)),
    ];
    if let Some(wall_ms) = facts.wall_ms {
        figures.push(("wall clock", took(wall_ms)));
    }
    let page = Page {
        title,
        facts,
        sentence: summary(rows.len(), unexpected, with_violations),
        judgement: match (rows.len(), unexpected) {
            (0, _) => "unknown",
            (_, 0) => "valid",
            _ => "invalid",
        },
        figures,
        rows: rows.iter().map(shown).collect(),
    };
    templates::campaign(&page)
}

fn summary(runs: usize, unexpected: usize, with_violations: usize) -> String {
    let counted = |number: usize| format::counted(number as u64, "run", "runs");
    let found = match with_violations {
        0 => String::new(),
        number => format!("; {} showed violations that were expected", counted(number)),
    };
    match (runs, unexpected) {
        (0, _) => "Nothing was run.".into(),
        (1, 0) => format!("The run came as expected{found}."),
        (_, 0) => format!("All {} came as expected{found}.", counted(runs)),
        _ => {
            let of = counted(runs);
            format!("{} of {of} did not come as expected.", format::count(unexpected as u64))
        }
    }
}

fn shown(row: &CampaignRow) -> Row<'_> {
    Row {
        row,
        link: escape::relative(&row.href),
        verdict: verdict(row),
        chips: row.models.iter().map(|(model, judged)| (model.name(), known(judged))).collect(),
        operations_shown: format::count(row.operations),
        took: took(row.wall_ms),
    }
}

fn verdict(row: &CampaignRow) -> &'static str {
    known(&row.judgement)
}

/// The names that the style sheet knows.
fn known(judgement: &str) -> &'static str {
    match judgement {
        "valid" => "valid",
        "invalid" => "invalid",
        "unknown" => "unknown",
        _ => "failed",
    }
}

fn took(wall_ms: u64) -> String {
    format::duration(wall_ms.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_campaign_in_a_sentence() {
        assert_eq!(summary(0, 0, 0), "Nothing was run.");
        assert_eq!(summary(12, 0, 0), "All 12 runs came as expected.");
        assert_eq!(
            summary(12, 0, 3),
            "All 12 runs came as expected; 3 runs showed violations that were expected."
        );
        assert_eq!(summary(12, 2, 3), "2 of 12 runs did not come as expected.");
    }
}
