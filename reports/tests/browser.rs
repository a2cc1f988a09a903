//! Opens pages from `file://` in a headless Chromium, if there is one: no error on the console, and
//! the canvases are drawn.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use perjury_checkers::Analysis;
use perjury_history::foreign;
use perjury_reports::{CampaignFacts, CampaignRow, RunFacts, RunReport, campaign_page, run_page};

#[path = "../examples/synthetic/mod.rs"]
mod synthetic;

const PATIENCE: Duration = Duration::from_secs(90);

fn chromium() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let named = |name: &str| {
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
    };
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(named)
}

/// The page's elements after its scripts have run; `None` without a browser.
fn open(name: &str, page: &str) -> Option<String> {
    let Some(chromium) = chromium() else {
        println!("skipped: no chromium");
        return None;
    };
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    let file = folder.join("page.html");
    fs::write(&file, page).expect("the page can be written");
    let output = |name: &str| File::create(folder.join(name)).expect("a file can be made");
    let mut browser = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", "--window-size=1280,900", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()))
        .stdin(Stdio::null())
        .stdout(output("dom"))
        .stderr(output("log"))
        .spawn()
        .expect("the browser starts");
    let begin = Instant::now();
    while browser.try_wait().expect("the browser can be waited for").is_none() {
        if begin.elapsed() > PATIENCE {
            browser.kill().expect("the browser can be ended");
            panic!("the browser did not end within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let read = |name: &str| {
        String::from_utf8_lossy(&fs::read(folder.join(name)).expect("the browser wrote it"))
            .into_owned()
    };
    let (elements, log) = (read("dom"), read("log"));
    fs::remove_dir_all(&folder).expect("the folder can be removed");
    let complaints: Vec<_> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    Some(elements)
}

/// The value of `data-NAME` on the page's root.
fn fact<'a>(elements: &'a str, name: &str) -> Option<&'a str> {
    let root = &elements[..elements.find("<head")?];
    let (_, rest) = root.split_once(&format!("data-{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

#[test]
fn a_run_page_draws_itself() {
    let history = synthetic::history(20_000, 5);
    let analysis = synthetic::analysis(&history);
    let facts = synthetic::facts();
    let report =
        RunReport { title: "drawn", history: &history, analysis: &analysis, facts: &facts };
    let page = run_page(&report).expect("the page is made");
    let Some(elements) = open("run", &page) else { return };
    assert_eq!(fact(&elements, "ready"), Some("true"));
    let operations = history.len().to_string();
    assert_eq!(fact(&elements, "operations"), Some(operations.as_str()));
    assert_eq!(fact(&elements, "drawn"), Some(operations.as_str()), "the whole run is in view");
    assert_eq!(fact(&elements, "lanes"), Some("10"), "successors share a lane");
    assert_eq!(fact(&elements, "plots"), Some("2"));
    assert_ne!(fact(&elements, "points"), Some("0"));
}

#[test]
fn a_page_of_named_keys_without_times_draws_itself() {
    let text = r#"
        {:process 0, :type :invoke, :f :write, :value [left "</script>"]}
        {:process 0, :type :ok, :f :write, :value [left "</script>"]}"#;
    let read = foreign::read_bytes(text.as_bytes(), "named.edn", &foreign::Options::default());
    let history = read.expect("a history").history;
    let (analysis, facts) =
        (Analysis::default(), RunFacts { untimed: true, ..RunFacts::default() });
    let report =
        RunReport { title: "named", history: &history, analysis: &analysis, facts: &facts };
    let page = run_page(&report).expect("the page is made");
    let Some(elements) = open("named", &page) else { return };
    assert_eq!(fact(&elements, "ready"), Some("true"));
    assert_eq!(fact(&elements, "drawn"), Some("1"));
    assert_eq!(fact(&elements, "plots"), None, "there are no times to plot");
    let filter = &elements[elements.find("id=\"filter-key\"").expect("the filter")..];
    assert!(filter[..filter.find('>').expect("its end")].contains("inputmode=\"text\""));
}

#[test]
fn a_page_of_hostile_text_runs_nothing() {
    const ATTACK: &str = "</script><script>document.documentElement.dataset.hacked=1</script><img src=x onerror=\"document.documentElement.dataset.hacked=2\">";
    let history = synthetic::history(300, 5);
    let analysis = synthetic::analysis(&history);
    let mut facts = synthetic::facts();
    facts.settings = ATTACK.into();
    facts.notes = vec![ATTACK.into()];
    let report = RunReport { title: ATTACK, history: &history, analysis: &analysis, facts: &facts };
    let page = run_page(&report).expect("the page is made");
    let Some(elements) = open("hostile", &page) else { return };
    assert_eq!(fact(&elements, "ready"), Some("true"));
    assert_eq!(fact(&elements, "hacked"), None);
}

#[test]
fn a_campaign_page_runs() {
    let rows = [CampaignRow {
        test: "one".into(),
        href: "one/report.html".into(),
        ..CampaignRow::default()
    }];
    let page =
        campaign_page("campaign", &rows, &CampaignFacts::default()).expect("the page is made");
    let Some(elements) = open("campaign", &page) else { return };
    assert_eq!(fact(&elements, "ready"), Some("true"));
    assert_eq!(fact(&elements, "runs"), Some("1"));
    assert!(elements.contains("href=\"./one/report.html\""));
}
