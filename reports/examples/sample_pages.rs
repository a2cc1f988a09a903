//! Writes a run's page and a campaign's page to look at: `cargo run --example sample_pages -- FOLDER
//! [OPERATIONS]`.

use std::path::PathBuf;
use std::time::Instant;

use perjury_checkers::{Analysis, Checker, Context, Linearizability, SessionGuarantees};
use perjury_history::History;
use perjury_reports::{
    CampaignFacts, CampaignRow, RunFacts, RunReport, campaign_page, run_page, summary_sentence,
};

mod synthetic;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("expected a folder to write to")?);
    let operations = arguments.next().map_or(Ok(60_000), |text| text.parse())?;
    std::fs::create_dir_all(&folder)?;
    let history = synthetic::history(operations, 42);
    let analysis = synthetic::analysis(&history);
    let facts = synthetic::facts();
    let report = RunReport {
        title: "failover-async",
        history: &history,
        analysis: &analysis,
        facts: &facts,
    };
    run_page(&report)?;
    let begin = Instant::now();
    let page = run_page(&report)?;
    eprintln!("{} operations: {} bytes in {:?}", history.len(), page.len(), begin.elapsed());
    std::fs::write(folder.join("run.html"), page)?;
    std::fs::write(folder.join("small.html"), small()?)?;
    std::fs::write(folder.join("campaign.html"), campaign(&facts, &analysis)?)?;
    Ok(())
}

/// A run of a few operations in which nothing went wrong.
fn small() -> Result<String, Box<dyn std::error::Error>> {
    let history = History::parse_notation(
        "
        p0: w(x,1)@n1-----      r(x)=1@n2--     w(y,7)@n1-------?
        p1:        r(x)=1@n3--        cas(x,1,2)@n1#1.2---!   r(y)=3@n2--
        p2:     r(x)=nil@n2--    w(y,3)@n1#1.3--      r(y)=3@n3-
        ",
    )?;
    let checkers: [Box<dyn Checker>; 2] =
        [Box::new(Linearizability::of_registers()), Box::new(SessionGuarantees)];
    let analysis = Analysis::of(&history, &checkers, &Context::default());
    let facts = RunFacts { test: "small".into(), ..RunFacts::default() };
    let (title, history, analysis, facts) = ("small", &history, &analysis, &facts);
    Ok(run_page(&RunReport { title, history, analysis, facts })?)
}

fn campaign(facts: &RunFacts, analysis: &Analysis) -> Result<String, Box<dyn std::error::Error>> {
    let models = |judged: &str| {
        let names = ["linearizable", "durable", "single-leader", "monotonic-reads"];
        names
            .into_iter()
            .map(|name| Ok((name.parse()?, judged.to_owned())))
            .collect::<Result<_, String>>()
    };
    let row =
        |test: &str, seed, judgement: &str, sentence: String, expected, violations: &[&str]| {
            Ok::<_, String>(CampaignRow {
                test: test.into(),
                seed,
                href: "run.html".into(),
                sentence,
                judgement: judgement.into(),
                models: if judgement == "failed" { models("")? } else { models(judgement)? },
                expected,
                violations: violations.iter().map(ToString::to_string).collect(),
                operations: 59_120,
                wall_ms: 1_240,
            })
        };
    let held = "No violation was found: everything that was judged held.";
    let told = summary_sentence(analysis);
    let mut rows = vec![
        row("failover-async", 1, "invalid", told.clone(), true, &["lost-write", "two-leaders"])?,
        row("failover-async", 2, "invalid", told, false, &["lost-write", "two-leaders", "nonlinearizable"])?,
        row("failover-quorum", 1, "valid", held.into(), true, &[])?,
        row("failover-quorum", 2, "valid", held.into(), true, &[])?,
        row("failover-sync", 1, "unknown", "No violation was found, but linearizable was not decided (10,000,000 steps were not enough).".into(), true, &[])?,
        row("etcd / partition, kill", 1, "failed", "The lab failed: node n3 did not start within 60 s.".into(), false, &[])?,
    ];
    rows[5].href.clear();
    rows[5].models.clear();
    let facts = CampaignFacts {
        started_utc: facts.started_utc.clone(),
        wall_ms: Some(8_430),
        perjury_version: facts.perjury_version.clone(),
        reproduce: vec!["perjury run campaigns/failover.toml".into()],
        settings: facts.settings.clone(),
        notes: vec![],
    };
    Ok(campaign_page("failover", &rows, &facts)?)
}
