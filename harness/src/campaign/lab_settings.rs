//! Where the nodes of a test live.

use perjury_lab::namespaces::NamespaceSettings;
use perjury_lab::simulated;
use perjury_lab::ssh::SshSettings;
use serde::{Deserialize, Deserializer, Serialize};

/// A kind of lab with its settings. In files a name, or a table with the name as `kind`; a table
/// without one is of the simulated kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum LabSettings {
    /// In this process, in virtual time.
    Simulated(simulated::Settings),
    /// Machines made of namespaces on this one.
    Namespaces(NamespaceSettings),
    /// Machines of a cluster, over SSH.
    Ssh(SshSettings),
}

impl LabSettings {
    /// The names of all kinds, each with what it is.
    pub const KINDS: [(&str, &str); 3] = [
        (
            "simulated",
            "in this process, in virtual time: needs nothing, the same seed gives the same history",
        ),
        (
            "namespaces",
            "machines made of namespaces on this one (root, Linux): real servers, real faults",
        ),
        ("ssh", "machines of a cluster, over SSH"),
    ];

    /// The name in files and reports.
    pub fn name(&self) -> &'static str {
        match self {
            LabSettings::Simulated(_) => "simulated",
            LabSettings::Namespaces(_) => "namespaces",
            LabSettings::Ssh(_) => "ssh",
        }
    }

    /// Whether time is virtual there, so that runs cannot disturb each other and can be repeated.
    pub fn is_simulated(&self) -> bool {
        matches!(self, LabSettings::Simulated(_))
    }
}

impl Default for LabSettings {
    fn default() -> Self {
        LabSettings::Simulated(simulated::Settings::default())
    }
}

impl<'de> Deserialize<'de> for LabSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        use serde_json::Value;

        let (kind, settings) = match Value::deserialize(deserializer)? {
            Value::String(kind) => (kind, Value::Object(serde_json::Map::new())),
            Value::Object(mut settings) => match settings.remove("kind") {
                None => ("simulated".to_owned(), Value::Object(settings)),
                Some(Value::String(kind)) => (kind, Value::Object(settings)),
                Some(other) => {
                    return Err(Error::custom(format!("expected a lab's name, found {other}")));
                }
            },
            other => {
                let message = format!("expected a lab's name or a table with it, found {other}");
                return Err(Error::custom(message));
            }
        };
        let wrong = |error: serde_json::Error| Error::custom(format!("lab `{kind}`: {error}"));
        match kind.as_str() {
            "simulated" => serde_json::from_value(settings).map(LabSettings::Simulated),
            "namespaces" => serde_json::from_value(settings).map(LabSettings::Namespaces),
            "ssh" => serde_json::from_value(settings).map(LabSettings::Ssh),
            _ => {
                let kinds = LabSettings::KINDS.map(|(name, _)| name);
                let near = super::nearest(&kind, kinds);
                let hint = near.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
                let kinds = kinds.join(", ");
                let message = format!("expected a lab ({kinds}), found `{kind}`{hint}");
                return Err(Error::custom(message));
            }
        }
        .map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> Result<LabSettings, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_lab_is_a_name_or_a_table() {
        for value in [json!("namespaces"), json!({ "kind": "namespaces" })] {
            let lab = read(value).expect("a lab");
            assert_eq!(lab, LabSettings::Namespaces(NamespaceSettings::default()));
            let written = serde_json::to_value(&lab).expect("it can be written");
            assert_eq!(read(written), Ok(lab));
        }
        let simulated = read(json!({ "network": {} })).expect("a lab");
        assert!(simulated.is_simulated());
    }

    #[test]
    fn what_is_no_lab_is_told() {
        let refused = |value| read(value).expect_err("it is none");
        assert!(refused(json!("namespace")).contains("did you mean `namespaces`?"));
        assert!(refused(json!(7)).contains("found 7"));
        let unknown = refused(json!({ "kind": "ssh", "knots": ["db1"] }));
        assert!(
            unknown.starts_with("lab `ssh`: unknown field `knots`, expected one of"),
            "{unknown}"
        );
    }
}
