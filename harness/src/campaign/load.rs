//! From a file and flags to a [`Campaign`].

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::suggest::with_suggestion;
use super::{Campaign, TestPlan, TestSettings};
use crate::error::Error;

/// The campaign that runs when none is named, so that a first run needs nothing but the command.
pub const FIRST_LOOK: &str = include_str!("../../../campaigns/first-look.toml");

/// Runs of one campaign: all of them are checked before the first one starts.
pub const RUNS_MAX: usize = 100_000;

/// No setting lies deeper.
const PATH_DOTS_MAX: usize = 16;

/// Tests that one matrix may stand for.
const COMBINATIONS_MAX: usize = 10_000;

/// What the command line changes about every test.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Settings by path (`store.acknowledge`), each with its value.
    pub settings: Vec<(String, Value)>,
    /// Only tests with one of these in their name; all if empty.
    pub tests: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    defaults: Table,
    #[serde(default)]
    test: Vec<Table>,
}

/// Reads a campaign. `source` names it in messages.
///
/// # Errors
/// If it is not a campaign, or one of its tests cannot be run.
pub fn load(source: &str, text: &str, overrides: &Overrides) -> Result<Campaign, Error> {
    let file: File = toml::from_str(text).map_err(|error| {
        Error::usage(format!("{source}: {}", with_suggestion(&error.to_string())))
    })?;
    let mut plans = Vec::new();
    let mut names = BTreeSet::new();
    for (index, test) in file.test.into_iter().enumerate() {
        let place = |problem: &str| {
            Error::usage(format!("{source}: test {}: {}", index + 1, with_suggestion(problem)))
        };
        let mut settings = file.defaults.clone();
        let mut test = test;
        let matrix = test.remove("matrix").or_else(|| settings.remove("matrix"));
        settings.extend(test);
        let matrix = matrix.map(|matrix| without(matrix, &overrides.settings));
        for mut table in combinations(settings, matrix).map_err(|problem| place(&problem))? {
            for (path, value) in &overrides.settings {
                if path.matches('.').count() > PATH_DOTS_MAX {
                    return Err(place(&format!(
                        "expected a setting's name, found `{path:.40}...`"
                    )));
                }
                set(&mut table, path, value.clone()).map_err(|problem| place(&problem))?;
            }
            let mut settings: TestSettings =
                table.try_into().map_err(|error: toml::de::Error| place(error.message()))?;
            let wanted = |name: &String| settings.name.contains(name.as_str());
            if !overrides.tests.is_empty() && !overrides.tests.iter().any(wanted) {
                continue;
            }
            let seeds = std::mem::take(&mut settings.seeds);
            if !names.insert(settings.name.clone()) {
                let problem = "expected every test to have a name of its own";
                return Err(place(&format!("{problem}, found `{}` twice", settings.name)));
            }
            if plans.len() + seeds.len() > RUNS_MAX {
                return Err(place(&format!(
                    "expected at most {RUNS_MAX} runs in a campaign, found more; use fewer seeds, \
                     or several campaigns"
                )));
            }
            for &seed in &seeds {
                let plan = TestPlan::new(&settings, seed);
                plans.push(plan.map_err(|mut error| {
                    error.message = format!("{source}: {}", error.message);
                    error
                })?);
            }
            if seeds.is_empty() {
                return Err(place("expected at least one seed in `seeds`, found none"));
            }
        }
    }
    if plans.is_empty() {
        let error = Error::usage(format!("{source}: expected at least one test, found none"));
        return Err(match overrides.tests.is_empty() {
            true => error.hint("a test begins with a line `[[test]]`"),
            false => error.hint("`--test` takes a part of a test's name"),
        });
    }
    let stem = Path::new(source).file_stem().and_then(|stem| stem.to_str());
    let name = stem.unwrap_or("campaign").to_owned();
    Ok(Campaign { name, text: text.to_owned(), plans })
}

/// Sets `path` (keys with dots between) within a table.
fn set(table: &mut Table, path: &str, value: Value) -> Result<(), String> {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
            Ok(())
        }
        Some((first, rest)) => {
            let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
            // A plain name stands for a table with that `kind`.
            if let Value::String(kind) = inner {
                let kind = Value::String(std::mem::take(kind));
                *inner = Value::Table(Table::from_iter([("kind".to_owned(), kind)]));
            }
            match inner {
                Value::Table(inner) => set(inner, rest, value),
                other => Err(format!("expected `{first}` to be a table, found {other}")),
            }
        }
    }
}

/// The matrix without the keys that the command line sets: it has the last word.
fn without(mut matrix: Value, overrides: &[(String, Value)]) -> Value {
    if let Value::Table(matrix) = &mut matrix {
        matrix.retain(|key, _| !overrides.iter().any(|(path, _)| path == key));
    }
    matrix
}

/// The table once for each combination of the matrix's values.
fn combinations(settings: Table, matrix: Option<Value>) -> Result<Vec<Table>, String> {
    let matrix = match matrix {
        None => return Ok(vec![settings]),
        Some(Value::Table(matrix)) => matrix,
        Some(other) => return Err(format!("expected `matrix` to be a table, found {other}")),
    };
    let mut tables = vec![settings];
    for (key, values) in matrix {
        let Value::Array(values) = values else {
            return Err(format!("expected `matrix.{key}` to be a list, found {values}"));
        };
        if values.is_empty() {
            return Err(format!("expected `matrix.{key}` to list at least one value, found none"));
        }
        if tables.len().saturating_mul(values.len()) > COMBINATIONS_MAX {
            return Err(format!(
                "expected a matrix of at most {COMBINATIONS_MAX} combinations, found more; make \
                 its lists shorter"
            ));
        }
        let mut more = Vec::new();
        for table in &tables {
            for (index, value) in values.iter().enumerate() {
                let mut table = table.clone();
                let name = table.get("name").and_then(Value::as_str).unwrap_or_default();
                let name = format!("{name}-{}", label(value, index));
                table.insert("name".to_owned(), Value::String(name));
                table.insert(key.clone(), value.clone());
                more.push(table);
            }
        }
        tables = more;
    }
    Ok(tables)
}

/// What distinguishes one value of a matrix in a test's name.
fn label(value: &Value, index: usize) -> String {
    let text = match value {
        Value::Array(items) if items.iter().all(Value::is_str) => {
            let names: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            if names.is_empty() { "none".to_owned() } else { names.join("-") }
        }
        Value::String(text) => text.clone(),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => value.to_string(),
        _ => (index + 1).to_string(),
    };
    text.replace([':', '@', '+'], "-")
}
