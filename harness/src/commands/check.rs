//! `perjury check`: judges saved histories again, and those of others.

use std::collections::BTreeSet;
use std::fmt;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use perjury_checkers::linearizability::{ObjectKind, ObjectSettings};
use perjury_checkers::transactions::Transactions;
use perjury_checkers::{AnomalyKind, Checker, Isolation, Judgement, Model, Order};
use perjury_history::foreign::{Format, Object, Options, is_history_folder};
use perjury_history::{History, Value, arrow};
use perjury_lab::remote::quote_all;
use perjury_workloads::{Workload, no_options, workload};
use serde::Serialize;

use super::colors::Colors;
use super::history_page::Judged as HistoryJudged;
use super::{complain, new_file, print_verdict, table};
use crate::analysis::{Circumstances, Results, analyse, save};
use crate::any_history::AnyHistory;
use crate::bounds::{Bounds, Bytes};
use crate::campaign::{Duration, Expectations, TestPlan, Violation};
use crate::certificate_file::CertificateFile;
use crate::error::Error;
use crate::exit_code;
use crate::expectation;
use crate::panics::caught;
use crate::progress::say;
use crate::run_folder::{RunFolder, TEST_FILE, read_json};

/// Judge saved histories again: run folders, `history.arrow` files, or histories of other tools
///
/// A run folder is judged against its test's expectations, and its results and report are written
/// anew. Of any other history no violation is expected, and nothing is written but the page that
/// `--report` asks for. Histories of Jepsen, Knossos, Elle, Porcupine and LiMo are judged for linearizability of the object that they are
/// about, which they tell themselves or `--model` names. A folder that is no run stands for all
/// histories in it.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Run folders, history files, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Judge only this model, or linearizability of this kind of object (may be repeated; see
    /// `perjury list models`)
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<Judged>,
    /// Workload whose checkers judge bare `history.arrow` files and, if it is given, histories of
    /// other tools
    #[arg(long, value_name = "WORKLOAD")]
    workload: Option<String>,
    /// How histories of other tools are written: `edn`, `json`, `porcupine-log`, `limo`, `dbcop`,
    /// `cobra` (a folder), `plume` or `awdit`; told by what is in them if it is left out
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// What registers hold at first; nothing if it is left out
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    initial: Option<Value>,
    /// Permits of a semaphore, or how often a re-entrant mutex can be taken at once
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    permits: Option<u32>,
    /// Decide all keys together and not one by one, which only takes longer
    #[arg(long)]
    together: bool,
    #[command(flatten)]
    bounds: BoundsFlags,
    /// Write what proves the verdict, for `perjury verify`; of one history that is judged as an
    /// object
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Write the page of a history that is no run; the file must not exist yet
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print a summary for machines to standard output
    #[arg(long)]
    json: bool,
}

/// Bounds of a check.
#[derive(Debug, Args)]
struct BoundsFlags {
    /// How long the check of one history may take; what is not decided then is unknown [default:
    /// 5m]
    #[arg(long, value_name = "DURATION")]
    time_limit: Option<Duration>,
    /// Memory that it may take beside the history [default: a quarter of the machine's]
    #[arg(long, value_name = "SIZE")]
    memory_limit: Option<Bytes>,
    /// Steps that one search may take; the same on every machine
    #[arg(long, value_name = "NUMBER")]
    step_limit: Option<u64>,
}

impl BoundsFlags {
    fn bounds(&self) -> Bounds {
        let usual = Bounds::default();
        Bounds {
            time: self.time_limit.map_or(usual.time, |it| std::time::Duration::from_nanos(it.ns)),
            memory: self.memory_limit.unwrap_or(usual.memory),
            steps: self.step_limit.unwrap_or(usual.steps),
        }
    }
}

/// What `--model` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    Model(Model),
    Object(ObjectKind),
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Judged::Model(model) => model.name(),
            Judged::Object(kind) => kind.name(),
        })
    }
}

impl FromStr for Judged {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let model = name.parse().map(Judged::Model);
        model.or_else(|_| name.parse().map(Judged::Object)).map_err(|_: String| {
            let models = Model::ALL.into_iter().filter(|it| !matches!(it, Model::Isolation(..)));
            let models = models.map(Model::name).collect::<Vec<_>>().join(", ");
            let objects = ObjectKind::ALL.map(ObjectKind::name).join(", ");
            format!(
                "expected a model ({models}; or a level of isolation such as `snapshot-isolation`) \
                 or a kind of object ({objects}), found `{name}`"
            )
        })
    }
}

#[derive(Serialize)]
struct Checked {
    path: PathBuf,
    /// Of what kind of object linearizability was judged, if of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'static str>,
    exit_code: u8,
    verdict: String,
    violations: Vec<&'static str>,
    unmet: Vec<String>,
    sentence: String,
    /// Of the most telling anomaly: what happened, and what else might have been.
    explanation: Vec<String>,
    operations: usize,
}

impl Check {
    pub(super) fn execute(self) -> Result<u8, Error> {
        let mut code = exit_code::EXPECTED;
        let mut checked = Vec::new();
        let histories = self.histories()?;
        if self.certificate.is_some() && histories.len() > 1 {
            let told = format!("expected one history for a certificate, found {}", histories.len());
            return Err(Error::usage(told).hint("write one for each"));
        }
        if let Some(file) = &self.certificate {
            if let Some(run) = histories.iter().find(|it| is_run(it)) {
                let told = format!("expected a history that is no run, found {}", run.display());
                return Err(Error::usage(told).hint("`perjury export` makes one of it"));
            }
            new_file::refuse_existing(file)?;
        }
        if self.objects().count() > 1 {
            return Err(Error::usage("expected one kind of object with `--model`, found several")
                .hint("judge the history once for each"));
        }
        if let Some(file) = &self.report {
            may_report(file, &histories)?;
        }
        for path in histories {
            match caught("checking", || self.check(&path)).flatten() {
                Ok(one) => {
                    code = exit_code::merge(code, one.exit_code);
                    if !self.json {
                        code = print_verdict(&one.text(), code);
                    }
                    checked.push(one);
                }
                // One bad file does not keep the others from being judged.
                Err(error) => {
                    complain(&error);
                    code = exit_code::merge(code, error.exit_code());
                }
            }
        }
        let text = match self.json {
            true => serde_json::to_string_pretty(&checked).map_err(Error::failure)? + "\n",
            false if checked.is_empty() => String::new(),
            false => format!("\n{}", summary(&checked)),
        };
        Ok(print_verdict(&text, code))
    }

    /// What is to be judged: folders that are no runs stand for what is in them.
    fn histories(&self) -> Result<Vec<PathBuf>, Error> {
        let mut found = Vec::new();
        for path in &self.paths {
            let is_logs = self.format == Some(Format::Cobra) || is_history_folder(path);
            if !path.is_dir() || path.join(TEST_FILE).is_file() || is_logs {
                found.push(path.clone());
                continue;
            }
            let before = found.len();
            collect(path, &mut found)?;
            if found.len() == before {
                let told = format!(
                    "expected a run or a folder of histories, found neither in {}",
                    path.display()
                );
                let known = HISTORIES.join(", ");
                return Err(Error::usage(told).hint(format!(
                    "files that end in {known} are taken for histories; name others one by one"
                )));
            }
        }
        Ok(found)
    }

    fn check(&self, path: &Path) -> Result<Checked, Error> {
        let mut object = None;
        let is_run = is_run(path) && self.format != Some(Format::Cobra);
        let (history, results) = match is_run {
            true => self.again(path)?,
            false => {
                let mut judged = self.bare(path)?;
                if let Some(file) = &self.report {
                    let saved = judged.save_page(path, file, self.command(path));
                    let failed = saved.err().map(|error| error.to_string());
                    judged.results.add_failures(failed.into_iter().collect());
                }
                object = judged.object;
                (judged.history, judged.results)
            }
        };
        let judgement = match object {
            Some(_) => {
                let of_object = results.analysis.model(Model::Linearizable);
                of_object.unwrap_or_else(|| results.analysis.judgement())
            }
            None => results.analysis.judgement(),
        };
        // That it is not linearizable is all that could be unexpected of it, and is told already.
        let unmet = match object.is_some() && judgement == Judgement::Invalid {
            true => results.failures().cloned().collect(),
            false => results.unmet(),
        };
        let first = results.analysis.anomalies().next();
        let explanation = first.map_or(Vec::new(), |it| {
            let told = it.witness.possibilities.iter().cloned();
            std::iter::once(it.explanation.clone()).chain(told).collect()
        });
        Ok(Checked {
            path: path.to_owned(),
            object: object.map(ObjectKind::name),
            exit_code: results.outcome.exit_code,
            verdict: judgement.name().to_owned(),
            violations: expectation::kinds(&results.analysis)
                .into_iter()
                .map(AnomalyKind::name)
                .collect(),
            unmet,
            sentence: results.sentence,
            explanation,
            operations: history.len(),
        })
    }

    /// The kinds of objects that `--model` names.
    fn objects(&self) -> impl Iterator<Item = ObjectKind> {
        self.models.iter().filter_map(|it| match it {
            Judged::Object(kind) => Some(*kind),
            Judged::Model(_) => None,
        })
    }

    fn object(&self) -> Option<ObjectKind> {
        self.objects().next()
    }

    /// The levels of isolation to judge, if the history is one of transactions: those that `--model`
    /// names, or else the strongest that the history can tell of.
    fn levels(&self, object: Option<Object>, history: &History) -> Option<BTreeSet<Model>> {
        let named = self.models.iter().filter_map(|it| match it {
            Judged::Model(model @ Model::Isolation(..)) => Some(*model),
            Judged::Model(_) | Judged::Object(_) => None,
        });
        let named: BTreeSet<Model> = named.collect();
        if self.workload.is_some() || named.is_empty() && !self.models.is_empty() {
            return None;
        }
        let is_one = object == Some(Object::ListAppend) || !history.real_time();
        let strongest = match history.real_time() {
            true => Model::Isolation(Isolation::Serializable, Order::RealTime),
            false => Model::Isolation(Isolation::Serializable, Order::Session),
        };
        match named.is_empty() {
            true => is_one.then(|| BTreeSet::from([strongest])),
            false => Some(named),
        }
    }

    /// Refuses options that this kind of object has no use for, or that need one.
    fn refuse_idle(&self, path: &Path, kind: Option<ObjectKind>) -> Result<(), Error> {
        use ObjectKind::{CasRegister, MultiRegister, ReentrantMutex, Register, Semaphore};
        let has_initial = matches!(kind, Some(Register | CasRegister | MultiRegister));
        let has_permits = matches!(kind, Some(Semaphore | ReentrantMutex));
        let idle = [
            ("--initial", self.initial.is_some() && !has_initial),
            ("--permits", self.permits.is_some() && !has_permits),
            ("--together", self.together && kind.is_none()),
        ];
        let Some((option, _)) = idle.into_iter().find(|(_, is_idle)| *is_idle) else {
            return Ok(());
        };
        let judged = kind.map_or("no kind of object".to_owned(), |kind| format!("a {kind}"));
        Err(Error::usage(format!(
            "{}: expected a kind of object that `{option}` means something to, found {judged}",
            path.display()
        ))
        .hint("leave the option out, or name another kind with `--model`"))
    }

    fn bare(&self, path: &Path) -> Result<HistoryJudged, Error> {
        let named = self.object();
        let options = Options {
            format: self.format,
            object: named.and_then(read_as),
            initial: self.initial,
            ..Options::default()
        };
        let AnyHistory { history, foreign, timed, warnings } = AnyHistory::open(path, &options)?;
        warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
        let levels = self.levels(foreign.map(|(_, object)| object), &history);
        let kind = match (named, &self.workload, foreign) {
            (Some(kind), ..) => Some(kind),
            (None, None, Some((_, object))) if levels.is_none() => Some(decided(path, object)?),
            (None, ..) => None,
        };
        self.refuse_idle(path, kind)?;
        // Only isolation can be judged without real time.
        if !history.real_time() && (kind.is_some() || self.workload.is_some()) {
            let told = format!(
                "{}: expected a history that tells which operations ended before others began, \
                 found one of sessions that do not",
                path.display()
            );
            return Err(
                Error::usage(told).hint("without that nothing can be said about linearizability")
            );
        }
        let (checkers, workload): (Vec<Box<dyn Checker>>, _) = match (kind, levels) {
            (Some(kind), _) => (vec![kind.checker(&self.settings(), history.names())], ""),
            (None, Some(levels)) => (vec![Box::new(Transactions::of(levels))], "transactions"),
            (None, None) => {
                let name = self.workload.as_deref().unwrap_or("register");
                (workload(name, no_options()).map_err(Error::usage)?.checkers(), name)
            }
        };
        let of_object = || only(vec![Model::Linearizable]);
        let expect = match (self.wanted(), kind) {
            (Some(expect), _) => expect,
            (None, Some(_)) => of_object(),
            (None, None) => Expectations::default(),
        };
        let circumstances = Circumstances::default();
        let bounds = self.bounds.bounds();
        let mut results = analyse(&history, checkers, &expect, circumstances, bounds)?;
        let uncertified = self.certify(kind, &history).err();
        results.add_failures(uncertified.iter().map(ToString::to_string).collect());
        Ok(HistoryJudged {
            history,
            results,
            format: foreign.map(|(format, _)| format),
            object: kind,
            workload: workload.to_owned(),
            bounds,
            timed,
            notes: warnings,
        })
    }

    /// The command that judges this history again, in the same way.
    fn command(&self, path: &Path) -> String {
        let mut words = vec!["perjury".to_owned(), "check".to_owned(), path.display().to_string()];
        let mut flag = |name: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [format!("--{name}"), value]));
        };
        for model in &self.models {
            flag("model", Some(model.to_string()));
        }
        flag("workload", self.workload.clone());
        flag("format", self.format.map(|it| it.to_string()));
        flag("initial", self.initial.map(|it| it.to_string()));
        flag("permits", self.permits.map(|it| it.to_string()));
        flag("time-limit", self.bounds.time_limit.map(|it| it.to_string().replace(' ', "")));
        flag("memory-limit", self.bounds.memory_limit.map(|it| it.to_string()));
        flag("step-limit", self.bounds.step_limit.map(|it| it.to_string()));
        if self.together {
            words.push("--together".to_owned());
        }
        quote_all(&words)
    }

    /// Writes what proves the verdict, if that was asked for.
    fn certify(&self, kind: Option<ObjectKind>, history: &History) -> Result<(), Error> {
        let Some(path) = &self.certificate else { return Ok(()) };
        let kind = kind.ok_or_else(|| {
            Error::usage("expected a kind of object to prove something of, found a workload")
                .hint("name one with `--model`")
        })?;
        let (settings, bounds) = (self.settings(), self.bounds.bounds());
        let judge = kind.judge(&settings, history.names());
        let certificates = bounds.within(|context| judge.certify(history, context));
        let mut out = BufWriter::new(new_file::create(path)?);
        let written = CertificateFile::new(kind, settings, certificates).write(&mut out);
        written.map_err(|error| new_file::unwritable(path, &error))
    }

    fn settings(&self) -> ObjectSettings {
        let Self { initial, permits, together, .. } = *self;
        ObjectSettings { initial, permits, together }
    }

    /// What `--model` asks for, if anything.
    fn wanted(&self) -> Option<Expectations> {
        let models = self.models.iter().map(|it| match it {
            Judged::Model(model) => *model,
            Judged::Object(_) => Model::Linearizable,
        });
        let models: Vec<Model> = models.collect();
        (!models.is_empty()).then(|| only(models))
    }

    /// Judges a run again and writes its results and report anew. What only the run itself could know
    /// is kept.
    fn again(&self, path: &Path) -> Result<(History, Results), Error> {
        self.refuse_idle(path, self.object())?;
        let folder = RunFolder::open(path)?;
        let test = folder.read_test()?;
        let plan = TestPlan::new(&test.test, test.seed)?;
        let workload = plan.workload.as_ref();
        let recording = arrow::read(folder.history())?;
        warn_if_cut(&folder.history(), &recording);
        let bounds = self.bounds.bounds();
        // Of a killed run, or where they are damaged, there are none.
        let before: Option<Results> = read_json(&folder.results()).ok();
        let mut circumstances = before.map(|it| it.circumstances).unwrap_or_default();
        circumstances.interrupted |= !recording.complete;
        if let Some(expect) = self.wanted() {
            let results = analyse(
                &recording.history,
                self.checkers(workload, &recording.history),
                &expect,
                circumstances,
                bounds,
            )?;
            return Ok((recording.history, results));
        }
        let mut results = analyse(
            &recording.history,
            workload.checkers(),
            &test.test.expect,
            circumstances,
            bounds,
        )?;
        results.add_failures(save(&folder, &test, &plan, &recording.history, &results));
        Ok((recording.history, results))
    }

    /// The workload's checkers, or that of the kind of object that `--model` names.
    fn checkers(&self, workload: &dyn Workload, history: &History) -> Vec<Box<dyn Checker>> {
        match self.object() {
            Some(kind) => vec![kind.checker(&self.settings(), history.names())],
            None => workload.checkers(),
        }
    }
}

/// One page is of one history, and a run has its own.
fn may_report(file: &Path, histories: &[PathBuf]) -> Result<(), Error> {
    match histories {
        [one] if is_run(one) => {
            let found = one.display();
            Err(Error::usage(format!("expected a history that is no run, found the run {found}"))
                .hint("a run has a page of its own: `perjury report RUN` writes it anew"))
        }
        [_] => new_file::refuse_existing(file),
        several => {
            let found = several.len();
            Err(Error::usage(format!("expected one history with `--report`, found {found}"))
                .hint("judge them one by one, each with a page of its own"))
        }
    }
}

/// Only these models count.
fn only(models: Vec<Model>) -> Expectations {
    let others = Model::ALL.into_iter().filter(|model| !models.contains(model));
    let known = others.map(Violation::of).collect();
    Expectations { models, known, ..Expectations::default() }
}

/// How the words of a foreign history must be understood for it to be about this kind of object.
pub(super) fn read_as(kind: ObjectKind) -> Option<Object> {
    Some(match kind {
        ObjectKind::Register => Object::Register,
        ObjectKind::CasRegister => Object::CasRegister,
        ObjectKind::MultiRegister => Object::MultiRegister,
        ObjectKind::KeyValue => Object::KeyValue,
        ObjectKind::Queue => Object::Queue,
        ObjectKind::Bag => Object::Bag,
        ObjectKind::Stack => Object::Stack,
        ObjectKind::Mutex | ObjectKind::ReentrantMutex | ObjectKind::Semaphore => Object::Mutex,
        ObjectKind::FencedLock => Object::FencedLock,
        ObjectKind::Set => Object::Set,
        ObjectKind::Counter => Object::Counter,
        ObjectKind::IdGenerator => Object::Ids,
    })
}

/// The kind of object that decides a foreign history of which nothing was said.
fn decided(path: &Path, object: Object) -> Result<ObjectKind, Error> {
    Ok(match object {
        Object::Register => ObjectKind::Register,
        Object::CasRegister => ObjectKind::CasRegister,
        Object::MultiRegister => ObjectKind::MultiRegister,
        Object::KeyValue => ObjectKind::KeyValue,
        Object::Queue => ObjectKind::Queue,
        Object::Bag => ObjectKind::Bag,
        Object::Stack => ObjectKind::Stack,
        Object::Mutex => ObjectKind::Mutex,
        Object::FencedLock => ObjectKind::FencedLock,
        Object::Set => ObjectKind::Set,
        Object::Counter => ObjectKind::Counter,
        Object::Ids => ObjectKind::IdGenerator,
        Object::ListAppend | Object::Accounts | Object::Mixed => {
            let objects = ObjectKind::ALL.map(ObjectKind::name).join(", ");
            return Err(Error::usage(format!(
                "{}: expected a history of one kind of object that can be decided ({objects}), \
                 found one of {object}",
                path.display()
            ))
            .hint("name a kind with `--model`, or a workload with `--workload`"));
        }
    })
}

/// Endings of files that are taken for histories where a folder is given.
const HISTORIES: [&str; 9] =
    [".arrow", ".edn", ".json", ".jsonl", ".ndjson", ".log", ".txt", ".hist", ".bincode"];

/// Adds the runs and the histories in a folder, by name.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let unreadable = |error| Error::usage(format!("failed to read {}: {error}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|it| it.path()))
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() && (path.join(TEST_FILE).is_file() || is_history_folder(&path)) {
            found.push(path);
        } else if path.is_dir() {
            collect(&path, found)?;
        } else if HISTORIES.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    Ok(())
}

/// A folder must be a run, and so must a file of a run. Any other file is a bare history, wherever
/// it lies.
fn is_run(path: &Path) -> bool {
    let other_history = path.extension().is_some_and(|it| it == "arrow")
        && path.file_name().is_some_and(|name| name != "history.arrow");
    path.is_dir() && !is_history_folder(path)
        || !other_history && path.with_file_name(TEST_FILE).is_file()
}

fn warn_if_cut(path: &Path, recording: &arrow::Recording) {
    if !recording.complete {
        say(&format!(
            "warning: {} ends before its time (the run was killed, or the file was cut): judging \
             the {} operations that it holds",
            path.display(),
            recording.history.len()
        ));
    }
}

impl Checked {
    /// A line, and below it what is not as it should be.
    fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.path.display(), self.sentence);
        for line in &self.explanation {
            text += &format!("    {line}\n");
        }
        for unmet in &self.unmet {
            text += &format!("    unexpected: {unmet}\n");
        }
        text
    }
}

fn summary(checked: &[Checked]) -> String {
    let header = ["history", "object", "operations", "verdict", "violations"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for one in checked {
        let violations = match one.violations.as_slice() {
            [] => "none".to_owned(),
            violations => violations.join(", "),
        };
        let (path, object) = (one.path.display().to_string(), one.object.unwrap_or("").to_owned());
        rows.push(vec![path, object, one.operations.to_string(), one.verdict.clone(), violations]);
    }
    table::render(&rows, Colors::of_stdout())
}
