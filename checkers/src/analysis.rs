//! Everything the checkers said about one history: what `results.json` holds.

use std::collections::BTreeMap;

use perjury_history::History;
use serde::{Deserialize, Serialize};

use crate::{Anomaly, Checker, Context, Judgement, Model, Verdict};

/// The verdicts of several checkers on one history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Each checker's verdict, by its name.
    pub verdicts: BTreeMap<String, Verdict>,
}

impl Analysis {
    /// Runs every checker. A function that never succeeded is for the checkers to notice.
    pub fn of(history: &History, checkers: &[Box<dyn Checker>], context: &Context<'_>) -> Self {
        let verdicts = checkers
            .iter()
            .map(|checker| (checker.name().to_owned(), checker.check(history, context)))
            .collect();
        Self { verdicts }
    }

    /// All judgements merged.
    pub fn judgement(&self) -> Judgement {
        let each = self.verdicts.values().map(Verdict::judgement);
        each.fold(Judgement::Valid, Judgement::merge)
    }

    /// The judgement on one model; `None` if no checker decides it.
    pub fn model(&self, model: Model) -> Option<Judgement> {
        let each = self.verdicts.values().filter_map(|verdict| verdict.models.get(&model));
        each.cloned().reduce(Judgement::merge)
    }

    /// All anomalies, each checker's most telling first.
    pub fn anomalies(&self) -> impl Iterator<Item = &Anomaly> {
        self.verdicts.values().flat_map(|verdict| &verdict.anomalies)
    }
}
