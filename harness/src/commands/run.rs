//! `perjury run`: runs a campaign.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use perjury_checkers::{AnomalyKind, Judgement, Model};
use perjury_reports::{CampaignFacts, CampaignRow, campaign_page};
use serde::Serialize;

use super::colors::Colors;
use super::lab_flags::LabFlags;
use super::{complain, print_verdict, table};
use crate::campaign::{Campaign, FIRST_LOOK, Overrides, RUNS_MAX, TestPlan, load};
use crate::controller;
use crate::error::Error;
use crate::exit_code;
use crate::expectation;
use crate::interrupt::Interrupt;
use crate::panics::caught;
use crate::progress::Progress;
use crate::run_folder::{CAMPAIGN_PAGES, write_whole};

/// Run a campaign: every test of it, with every seed
///
/// Without a campaign and without `--store`, the built-in first look runs.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// Campaign file (TOML)
    campaign: Option<PathBuf>,
    /// Run only tests with this in their name (may be repeated)
    #[arg(long, value_name = "NAME")]
    test: Vec<String>,
    /// Store to test: a single test is made of the flags, in place of a campaign
    #[arg(long, value_name = "STORE", conflicts_with = "campaign")]
    store: Option<String>,
    /// Workload (see `perjury list workloads`)
    #[arg(long, value_name = "WORKLOAD")]
    workload: Option<String>,
    /// Faults, with commas: `partition:ring,kill@primaries` (see `perjury list faults`)
    #[arg(long, value_name = "FAULTS", value_delimiter = ',')]
    nemesis: Vec<String>,
    /// Number of nodes
    #[arg(long, value_name = "N")]
    nodes: Option<u32>,
    #[command(flatten)]
    lab: LabFlags,
    /// Number of client threads
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// Operations per second, all clients together
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
    /// How long the load lasts: `60s`, `2m`
    #[arg(long, value_name = "DURATION")]
    time_limit: Option<String>,
    /// Seeds: `7`, or `1..100` (the last one included)
    #[arg(long, value_name = "SEEDS", visible_alias = "seeds")]
    seed: Option<String>,
    /// Any other setting of the tests, as in a campaign file: `store.acknowledge="quorum"`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder for runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Runs at a time [default: as many as there are processors]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print a summary for machines to standard output
    #[arg(long)]
    json: bool,
}

/// More threads than this would only wait for each other.
const JOBS_MAX: usize = 256;

/// How a run of the campaign ended.
#[derive(Serialize)]
struct Row {
    test: String,
    seed: u64,
    exit_code: u8,
    verdict: String,
    models: BTreeMap<Model, String>,
    violations: Vec<&'static str>,
    unmet: Vec<String>,
    sentence: String,
    operations: usize,
    wall_ms: u64,
    folder: Option<PathBuf>,
}

#[derive(Serialize)]
struct Summary<'a> {
    campaign: &'a str,
    exit_code: u8,
    report: Option<&'a Path>,
    /// Runs that an interrupt kept from beginning.
    not_begun: usize,
    runs: &'a [Row],
}

impl Run {
    pub(super) fn execute(self) -> Result<u8, Error> {
        let (started, began) = (Timestamp::now(), Instant::now());
        let campaign = self.load()?;
        let interrupt = Interrupt::from_signals();
        let rows = self.run_all(&campaign.plans, &interrupt);
        let mut code =
            rows.iter().map(|row| row.exit_code).fold(exit_code::EXPECTED, exit_code::merge);
        let not_begun = campaign.plans.len() - rows.len();
        if not_begun > 0 {
            // Nobody knows what they would have shown.
            code = exit_code::merge(code, exit_code::INCONCLUSIVE);
        }
        let seconds = began.elapsed().as_secs_f64();
        // A page that cannot be written must not cost the verdicts that it would have shown.
        let page = self.save_index(&campaign, &rows, &started, seconds).unwrap_or_else(|error| {
            complain(&error);
            code = exit_code::merge(code, error.exit_code());
            None
        });
        // A single run's own report says it all.
        let report = match rows.as_slice() {
            [Row { folder: Some(folder), .. }] => Some(folder.join("report.html")),
            _ => page,
        };
        let text = if self.json {
            let (campaign, report, runs) = (&campaign.name, report.as_deref(), &rows);
            let summary = Summary { campaign, exit_code: code, report, not_begun, runs };
            serde_json::to_string_pretty(&summary).map_err(Error::failure)? + "\n"
        } else {
            let report = report.map_or(String::new(), |it| format!("{}\n", it.display()));
            summary_text(&rows, not_begun, code, seconds) + &report
        };
        Ok(print_verdict(&text, code))
    }

    fn load(&self) -> Result<Campaign, Error> {
        let overrides = Overrides { settings: self.overrides()?, tests: self.test.clone() };
        match (&self.campaign, &self.store) {
            (Some(path), _) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Error::usage(format!("failed to read the campaign {}: {error}", path.display()))
                        .hint("a campaign is a TOML file; `perjury run` without one needs none")
                })?;
                load(&path.display().to_string(), &text, &overrides)
            }
            (None, Some(store)) => {
                let store = toml::Value::from(store.as_str());
                let single = format!("[[test]]\nname = {store}\nstore = {store}\n");
                load("command-line", &single, &overrides)
            }
            (None, None) => load("first-look.toml", FIRST_LOOK, &overrides),
        }
    }

    fn overrides(&self) -> Result<Vec<(String, toml::Value)>, Error> {
        let mut settings: Vec<(String, toml::Value)> = Vec::new();
        let mut add = |key: &str, value: toml::Value| settings.push((key.to_owned(), value));
        if let Some(workload) = &self.workload {
            add("workload", workload.as_str().into());
        }
        if !self.nemesis.is_empty() {
            add("nemesis", self.nemesis.clone().into());
            add("script", toml::Value::Array(Vec::new()));
        }
        if let Some(nodes) = self.nodes {
            add("nodes", nodes.into());
        }
        if let Some(lab) = self.lab.setting()? {
            add("lab", lab);
        }
        if let Some(concurrency) = self.concurrency {
            add("concurrency", concurrency.into());
        }
        if let Some(rate) = self.rate {
            add("rate", rate.into());
        }
        if let Some(limit) = &self.time_limit {
            add("time-limit", limit.as_str().into());
        }
        if let Some(seeds) = &self.seed {
            add("seeds", seed_list(seeds)?.into());
        }
        for setting in &self.set {
            let (key, value) = setting.split_once('=').ok_or_else(|| {
                Error::usage(format!("--set: expected KEY=VALUE, found `{setting}`"))
            })?;
            // A bare word is a string: quotes inside a shell's quotes are a nuisance.
            let parsed = value.trim().parse().unwrap_or_else(|_| value.trim().into());
            add(key.trim(), parsed);
        }
        Ok(settings)
    }

    /// Runs several at a time; each simulated run is a world of its own.
    fn run_all(&self, plans: &[TestPlan], interrupt: &Interrupt) -> Vec<Row> {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let jobs = self.jobs.map_or(processors, NonZeroUsize::get).min(plans.len()).min(JOBS_MAX);
        // Real machines are one lab, and their load must not slow each other.
        let real = plans.iter().any(|plan| !plan.settings.lab.is_simulated());
        let jobs = if real { 1 } else { jobs };
        let progress = Progress::new(plans.len(), self.json);
        let next = AtomicUsize::new(0);
        let rows: Mutex<Vec<(usize, Row)>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(plan) = plans.get(index).filter(|_| !interrupt.raised()) else {
                            return;
                        };
                        progress.began(&plan.settings.name, plan.seed);
                        let row = row(plan, &self.runs, interrupt);
                        rows.lock().expect("no thread panicked").push((index, row));
                        progress.ended();
                    }
                });
            }
        });
        progress.finish();
        let mut rows = rows.into_inner().expect("no thread panicked");
        rows.sort_by_key(|(index, _)| *index);
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Writes the campaign's page and returns where it is; none of a campaign that never began.
    fn save_index(
        &self,
        campaign: &Campaign,
        rows: &[Row],
        started: &Timestamp,
        seconds: f64,
    ) -> Result<Option<PathBuf>, Error> {
        if rows.is_empty() {
            return Ok(None);
        }
        let folder = self.runs.join(CAMPAIGN_PAGES);
        std::fs::create_dir_all(&folder).map_err(|error| Error::write(&folder, &error))?;
        let stamp = started.strftime("%Y%m%dT%H%M%S%3fZ");
        let name = &campaign.name;
        let path = folder.join(format!("{name}-{stamp}.html"));
        let rows: Vec<CampaignRow> = rows.iter().map(|row| self.campaign_row(row)).collect();
        let not_begun = campaign.plans.len() - rows.len();
        let interrupted = format!("interrupted: {not_begun} more runs were not begun");
        let facts = CampaignFacts {
            started_utc: started.to_string(),
            wall_ms: Some((seconds * 1_000.0) as u64),
            perjury_version: env!("CARGO_PKG_VERSION").to_owned(),
            reproduce: vec![command_line()],
            settings: campaign.text.clone(),
            notes: (not_begun > 0).then_some(interrupted).into_iter().collect(),
        };
        let page = caught("the campaign's page", || campaign_page(name, &rows, &facts))?
            .map_err(|error| Error::failure(format!("the campaign's page: {error}")))?;
        write_whole(&path, page.as_bytes())?;
        Ok(Some(path))
    }

    fn campaign_row(&self, row: &Row) -> CampaignRow {
        let folder = row.folder.as_deref().and_then(|folder| folder.strip_prefix(&self.runs).ok());
        CampaignRow {
            test: row.test.clone(),
            seed: row.seed,
            href: folder.map_or(String::new(), |it| format!("../{}/report.html", it.display())),
            sentence: row.sentence.clone(),
            judgement: row.verdict.clone(),
            models: row.models.clone(),
            expected: row.exit_code == exit_code::EXPECTED,
            violations: row.violations.iter().map(|&kind| kind.to_owned()).collect(),
            operations: row.operations as u64,
            wall_ms: row.wall_ms,
        }
    }
}

/// The command as it was called, for a shell.
fn command_line() -> String {
    let quoted = |argument: std::ffi::OsString| {
        let argument = argument.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=@+".contains(c);
        match !argument.is_empty() && argument.chars().all(plain) {
            true => argument.into_owned(),
            false => format!("'{}'", argument.replace('\'', r"'\''")),
        }
    };
    std::env::args_os().map(quoted).collect::<Vec<_>>().join(" ")
}

fn seed_list(text: &str) -> Result<Vec<toml::Value>, Error> {
    let parse = |part: &str| part.trim().parse::<i64>().ok().filter(|&seed| seed >= 0);
    let range = match text.split_once("..") {
        Some((first, last)) => parse(first).zip(parse(last.trim_start_matches('='))),
        None => parse(text).map(|seed| (seed, seed)),
    };
    let range = range.filter(|(first, last)| first <= last);
    let (first, last) = range.ok_or_else(|| {
        Error::usage(format!(
            "--seed: expected a number from 0 to {} or a range like `1..100`, found `{text}`",
            i64::MAX
        ))
    })?;
    if last - first >= RUNS_MAX as i64 {
        return Err(Error::usage(format!("--seed: expected at most {RUNS_MAX}, found `{text}`")));
    }
    Ok((first..=last).map(toml::Value::Integer).collect())
}

fn row(plan: &TestPlan, runs: &Path, interrupt: &Interrupt) -> Row {
    let (test, seed) = (plan.settings.name.clone(), plan.seed);
    match caught("the run", || controller::run(plan, runs, interrupt)).flatten() {
        Ok(run) => Row {
            test,
            seed,
            exit_code: run.results.outcome.exit_code,
            verdict: run.results.analysis.judgement().name().to_owned(),
            models: Model::ALL
                .into_iter()
                .filter_map(|model| Some((model, run.results.analysis.model(model)?)))
                .map(|(model, judgement)| (model, Judgement::name(&judgement).to_owned()))
                .collect(),
            violations: expectation::kinds(&run.results.analysis)
                .into_iter()
                .map(AnomalyKind::name)
                .collect(),
            unmet: run.results.unmet(),
            sentence: run.results.sentence,
            operations: run.operations,
            wall_ms: run.wall_ms,
            folder: Some(run.folder.path().to_owned()),
        },
        Err(error) => Row {
            test,
            seed,
            exit_code: error.exit_code(),
            verdict: "failed".to_owned(),
            models: BTreeMap::new(),
            violations: Vec::new(),
            unmet: vec![error.to_string()],
            sentence: format!("The run failed: {}", error.message),
            operations: 0,
            wall_ms: 0,
            folder: None,
        },
    }
}

/// Above this many runs, those that went as expected are only counted.
const ROWS_SHOWN: usize = 30;

fn summary_text(rows: &[Row], not_begun: usize, code: u8, seconds: f64) -> String {
    let colors = Colors::of_stdout();
    let mut cells = vec![
        ["test", "seed", "operations", "verdict", "violations", "as expected"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let brief = rows.len() > ROWS_SHOWN;
    for row in rows {
        if brief && row.exit_code == exit_code::EXPECTED {
            continue;
        }
        let violations = match row.violations.as_slice() {
            [] => "none".to_owned(),
            violations => violations.join(", "),
        };
        let expected = if row.exit_code == exit_code::EXPECTED { "yes" } else { "NO" };
        cells.push(vec![
            row.test.clone(),
            row.seed.to_string(),
            row.operations.to_string(),
            row.verdict.clone(),
            violations,
            expected.to_owned(),
        ]);
    }
    let mut text =
        if cells.len() > 1 { table::render(&cells, colors) + "\n" } else { String::new() };
    let tests: BTreeSet<&str> = rows.iter().map(|row| row.test.as_str()).collect();
    for row in rows.iter().filter(|row| !brief || row.exit_code != exit_code::EXPECTED) {
        let name = if tests.len() == rows.len() {
            row.test.clone()
        } else {
            format!("{} (seed {})", row.test, row.seed)
        };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name}: {}", row.sentence);
        for unmet in &row.unmet {
            let _ = writeln!(text, "    unexpected: {unmet}");
        }
    }
    let expected = rows.iter().filter(|row| row.exit_code == exit_code::EXPECTED).count();
    let said = match code {
        exit_code::EXPECTED => "as expected",
        exit_code::VIOLATION => "NOT as expected",
        exit_code::INCONCLUSIVE => "inconclusive",
        _ => "failed",
    };
    let said = colors.paint(said);
    let total = rows.len() + not_begun;
    let _ = write!(text, "\n{said}: {expected} of {total} runs as expected, in {seconds:.1} s");
    if not_begun > 0 {
        let _ = write!(text, "; interrupted, {not_begun} were not begun");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_numbers_or_ranges() {
        let seeds = |text: &str| seed_list(text).map(|list| list.len()).ok();
        assert_eq!(seeds("7"), Some(1));
        assert_eq!(seeds("1..100"), Some(100));
        assert_eq!(seeds("1..=100"), Some(100));
        for text in ["", "x", "5..1", "-3", "1..", "1..1000000000000", "18446744073709551615"] {
            assert_eq!(seeds(text), None, "{text}");
        }
    }
}
