//! Progress: did anything succeed at all?
//!
//! A run in which no read succeeded has no stale reads either. So a function that was tried and
//! never succeeded makes the whole [`Analysis`](crate::Analysis) unknown, whatever the other
//! checkers say. This checker decides no model; it counts.

use std::collections::BTreeMap;

use perjury_history::History;

use crate::{Checker, Context, Counts, Model, Verdict, statistics};

/// Counts outcomes; see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress;

impl Checker for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn models(&self) -> &'static [Model] {
        &[]
    }

    fn check(&self, history: &History, _: &Context<'_>) -> Verdict {
        let statistics = statistics(history);
        let counts = statistics.functions.values().map(|it| it.counts);
        let sum = |part: fn(&Counts) -> u64| counts.clone().map(|it| part(&it)).sum::<u64>();
        let measures = BTreeMap::from([
            ("ok_operations".into(), sum(|it| it.ok)),
            ("fail_operations".into(), sum(|it| it.fail)),
            ("info_operations".into(), sum(|it| it.info)),
            ("functions_never_succeeded".into(), statistics.never_succeeded().len() as u64),
        ]);
        Verdict { measures, ..Verdict::default() }
    }
}
