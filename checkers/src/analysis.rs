//! Everything the checkers said about one history: what `results.json` holds.

use std::collections::BTreeMap;

use perjury_history::History;
use serde::{Deserialize, Serialize};

use crate::{
    Anomaly, Checker, Context, Judgement, Leadership, Model, Statistics, Verdict, leaderships,
    statistics,
};

/// The verdicts of several checkers on one history, and what can be counted in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Each checker's verdict, by its name.
    pub verdicts: BTreeMap<String, Verdict>,
    /// Outcomes, latencies, errors.
    pub statistics: Statistics,
    /// Who led when, as the acknowledged writes show it; by the time of the first one.
    pub leaderships: Vec<Leadership>,
    /// Functions that were tried and never succeeded, by name. While there is one, the history
    /// cannot be called valid.
    pub never_succeeded: Vec<String>,
}

impl Analysis {
    /// Runs every checker.
    pub fn of(history: &History, checkers: &[Box<dyn Checker>], context: &Context<'_>) -> Self {
        let verdicts = checkers
            .iter()
            .map(|checker| (checker.name().to_owned(), checker.check(history, context)))
            .collect();
        let statistics = statistics(history);
        let never_succeeded = statistics.never_succeeded();
        Self { verdicts, statistics, leaderships: leaderships(history), never_succeeded }
    }

    /// All judgements merged, and at least unknown if a function never succeeded.
    pub fn judgement(&self) -> Judgement {
        let each = self.verdicts.values().map(Verdict::judgement);
        each.fold(Judgement::Valid, Judgement::merge).merge(self.progress())
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

    fn progress(&self) -> Judgement {
        match self.never_succeeded.join(", ") {
            none if none.is_empty() => Judgement::Valid,
            names => Judgement::Unknown(format!(
                "no {names} ever succeeded: look at the errors, then run longer or with fewer faults"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_never_succeeds_leaves_the_history_unknown() {
        let judge = |drawing: &str| {
            let history = History::parse_notation(drawing).expect("a good drawing");
            Analysis::of(&history, &[], &Context::default()).judgement()
        };
        assert_eq!(judge("p0: w(x,1) r(x)=1"), Judgement::Valid);
        let Judgement::Unknown(reason) = judge("p0: w(x,1) r(x)!") else { panic!("not unknown") };
        assert!(reason.starts_with("no read ever succeeded"), "{reason}");
    }
}
