//! What a checker answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Anomaly, Model};

/// Whether a history satisfies a model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// It does.
    Valid,
    /// Not decided within the bounds, or nothing was there to decide on: why, and what to change.
    Unknown(String),
    /// It does not.
    Invalid,
}

impl Judgement {
    /// The stronger of two: `Invalid > Unknown > Valid`. The first of two unknowns stays.
    #[must_use]
    pub fn merge(self, other: Judgement) -> Judgement {
        match (&self, &other) {
            (Judgement::Invalid, _) | (_, Judgement::Valid) => self,
            (_, Judgement::Invalid) | (Judgement::Valid, _) => other,
            (Judgement::Unknown(_), Judgement::Unknown(_)) => self,
        }
    }

    /// `valid`, `unknown` or `invalid`.
    pub fn name(&self) -> &'static str {
        match self {
            Judgement::Valid => "valid",
            Judgement::Unknown(_) => "unknown",
            Judgement::Invalid => "invalid",
        }
    }
}

/// A checker's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// A judgement for every model that the checker decides.
    pub models: BTreeMap<Model, Judgement>,
    /// The violations, the most telling first. A checker may stop listing after some hundred of a
    /// kind; `measures` then has the full count.
    pub anomalies: Vec<Anomaly>,
    /// Numbers that the checker found on its way, by name with the unit last: `lost_writes`,
    /// `longest_stale_ms`, `keys_decided`.
    pub measures: BTreeMap<String, u64>,
}

impl Verdict {
    /// All of the checker's judgements merged; valid if it decides nothing.
    pub fn judgement(&self) -> Judgement {
        self.models.values().cloned().fold(Judgement::Valid, Judgement::merge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_outweighs_unknown_outweighs_valid() {
        let unknown = || Judgement::Unknown("too long".into());
        let all = [Judgement::Valid, unknown(), Judgement::Invalid];
        for (strength, one) in all.iter().enumerate() {
            for (other_strength, other) in all.iter().enumerate() {
                let expected = &all[strength.max(other_strength)];
                assert_eq!(&one.clone().merge(other.clone()), expected);
            }
        }
    }
}
