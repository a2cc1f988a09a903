//! One test, as a campaign file states it.

use perjury_checkers::{AnomalyKind, Model};
use perjury_nemesis::{FaultSpec, Pace, Schedule, ScriptedFault};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Duration, LabSettings};

/// A name, or a table with the name as `kind` and settings beside it: how a store or a workload is
/// chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Named {
    /// The name.
    pub kind: String,
    /// The rest, for whoever knows that name.
    #[serde(flatten)]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

impl Named {
    /// Just a name.
    pub fn plain(kind: &str) -> Self {
        Self { kind: kind.to_owned(), settings: serde_json::Map::new() }
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(kind) => Ok(Named::plain(&kind)),
            serde_json::Value::Object(mut settings) => match settings.remove("kind") {
                Some(serde_json::Value::String(kind)) => Ok(Named { kind, settings }),
                _ => Err(serde::de::Error::custom("expected a `kind` in the table, found none")),
            },
            other => Err(serde::de::Error::custom(format!(
                "expected a name or a table with a `kind`, found {other}"
            ))),
        }
    }
}

/// How faults follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaceSettings {
    /// In turn, one at a time.
    Interval,
    /// At random, several at once.
    #[default]
    Mix,
}

/// A fault at a fixed time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scripted {
    /// When it begins, since the load's start.
    pub at: Duration,
    /// What it is.
    pub fault: FaultSpec,
    /// How long it lasts.
    pub lasts: Duration,
}

/// What a test is expected to show. Violations that are in neither list are unexpected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Expectations {
    /// Models that must hold.
    pub models: Vec<Model>,
    /// Violations that must be found: an anomaly's name, or a model that is violated.
    pub violations: Vec<Violation>,
    /// Violations that may be found or not.
    pub known: Vec<Violation>,
    /// How many acknowledged writes may be lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lost_writes: Option<u64>,
}

/// A violation by name: of an anomaly, or of the model that it rules out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Violation(String);

impl Violation {
    /// Of a model.
    pub fn of(model: Model) -> Self {
        Violation(model.name().to_owned())
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether an anomaly of this kind is meant.
    pub fn covers(&self, kind: AnomalyKind) -> bool {
        self.0 == kind.name() || self.covers_model(kind.rules_out())
    }

    /// Whether a violated level of isolation is meant, or one that it includes; of other models only
    /// the model itself.
    pub fn covers_model(&self, model: Model) -> bool {
        let includes = || model.all_implied().iter().any(|it| it.name() == self.0);
        self.0 == model.name() || matches!(model, Model::Isolation(..)) && includes()
    }

    /// Whether it names an anomaly whose model is this one, or one that it includes.
    pub fn shows(&self, model: Model) -> bool {
        let named = AnomalyKind::ALL.into_iter().find(|kind| kind.name() == self.0);
        named.is_some_and(|kind| model.all_implied().contains(&kind.rules_out()))
    }
}

impl<'de> Deserialize<'de> for Violation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let violation = Violation(name);
        if AnomalyKind::ALL.into_iter().any(|kind| violation.covers(kind)) {
            return Ok(violation);
        }
        let anomalies = AnomalyKind::ALL.map(AnomalyKind::name);
        let models = Model::ALL.map(Model::name);
        let message = format!(
            "expected an anomaly ({}) or a model ({}), found `{}`",
            anomalies.join(", "),
            models.join(", "),
            violation.0
        );
        let near = super::nearest(&violation.0, anomalies.into_iter().chain(models));
        let hint = near.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        Err(serde::de::Error::custom(message + &hint))
    }
}

/// Everything that can be set about a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TestSettings {
    /// Names the test in tables, and its folder.
    pub name: String,
    /// What is tested, for people.
    #[serde(default)]
    pub about: String,
    /// The system under test.
    pub store: Named,
    /// What clients do.
    #[serde(default = "register", deserialize_with = "workload")]
    pub workload: Named,
    /// Where the nodes live.
    #[serde(default)]
    pub lab: LabSettings,
    /// Faults to choose from.
    #[serde(default)]
    pub nemesis: Vec<FaultSpec>,
    /// How they follow each other.
    #[serde(default)]
    pub nemesis_pace: PaceSettings,
    /// Between the beginnings of two faults.
    #[serde(default = "ten_seconds")]
    pub nemesis_interval: Duration,
    /// How long a fault lasts.
    #[serde(default = "five_seconds")]
    pub nemesis_duration: Duration,
    /// Faults at fixed times, in place of `nemesis`.
    #[serde(default)]
    pub script: Vec<Scripted>,
    /// Number of nodes.
    #[serde(default = "five")]
    pub nodes: u32,
    /// Number of client threads.
    #[serde(default = "ten")]
    pub concurrency: u32,
    /// Operations per second, all clients together.
    #[serde(default = "hundred")]
    pub rate: f64,
    /// How long the load lasts.
    #[serde(default = "sixty_seconds")]
    pub time_limit: Duration,
    /// How many operations the load has at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_limit: Option<u64>,
    /// How long a client waits for an answer.
    #[serde(default = "one_second")]
    pub operation_timeout: Duration,
    /// How long the store has to serve again once everything is healed.
    #[serde(default = "thirty_seconds")]
    pub recovery_limit: Duration,
    /// How long replicas have to catch up before they are compared.
    #[serde(default = "two_seconds")]
    pub quiet_period: Duration,
    /// One run for each.
    #[serde(default = "first_seed")]
    pub seeds: Vec<u64>,
    /// What it is expected to show.
    #[serde(default)]
    pub expect: Expectations,
}

impl TestSettings {
    /// The test as a campaign file of its own, every setting spelt out.
    pub fn campaign_text(&self) -> String {
        let test = toml::Value::try_from(self).map(|test| toml::Value::Array(vec![test]));
        let file = test.map(|tests| toml::Table::from_iter([("test".to_owned(), tests)]));
        // Everything in it came from such a file or can stand in one.
        file.map_or_else(|error| error.to_string(), |file| file.to_string())
    }

    /// When which faults happen.
    pub fn schedule(&self) -> Schedule {
        if !self.script.is_empty() {
            let scripted = self.script.iter().map(|it| ScriptedFault {
                at_ns: it.at.ns,
                lasts_ns: it.lasts.ns,
                fault: it.fault.clone(),
            });
            return Schedule::Script(scripted.collect());
        }
        let pace = match self.nemesis_pace {
            PaceSettings::Interval => Pace::Interval,
            PaceSettings::Mix => Pace::Mix,
        };
        Schedule::Paced {
            pace,
            faults: self.nemesis.clone(),
            interval_ns: self.nemesis_interval.ns,
            duration_ns: self.nemesis_duration.ns,
        }
    }
}

/// A table without a `kind` is of the default one: there is no need to name it.
fn workload<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Named, D::Error> {
    let mut value = serde_json::Value::deserialize(deserializer)?;
    if let Some(table) = value.as_object_mut() {
        table.entry("kind").or_insert_with(|| "register".into());
    }
    Named::deserialize(value).map_err(serde::de::Error::custom)
}

fn register() -> Named {
    Named::plain("register")
}

fn five() -> u32 {
    5
}

fn ten() -> u32 {
    10
}

fn hundred() -> f64 {
    100.0
}

fn one_second() -> Duration {
    Duration::seconds(1)
}

fn two_seconds() -> Duration {
    Duration::seconds(2)
}

fn five_seconds() -> Duration {
    Duration::seconds(5)
}

fn ten_seconds() -> Duration {
    Duration::seconds(10)
}

fn thirty_seconds() -> Duration {
    Duration::seconds(30)
}

fn sixty_seconds() -> Duration {
    Duration::seconds(60)
}

fn first_seed() -> Vec<u64> {
    vec![1]
}

#[cfg(test)]
mod tests {
    use crate::campaign::{FIRST_LOOK, Overrides, load};

    #[test]
    fn a_test_s_settings_are_a_campaign_that_runs_it_again() {
        let campaign = load("first-look.toml", FIRST_LOOK, &Overrides::default());
        for plan in campaign.expect("a good campaign").plans {
            let text = plan.settings.campaign_text();
            let again = load("again.toml", &text, &Overrides::default());
            let again = again.unwrap_or_else(|error| panic!("{error} in\n{text}"));
            let [same] = again.plans.as_slice() else { panic!("one test in\n{text}") };
            assert_eq!(same.settings, plan.settings, "{text}");
            assert_eq!(same.seed, plan.seed);
        }
    }
}
