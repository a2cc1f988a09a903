//! To be written.

use perjury_history::History;

use crate::{Checker, Context, Judgement, Model, Verdict};

/// Not written yet: always unknown.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionGuarantees;

impl Checker for SessionGuarantees {
    fn name(&self) -> &'static str {
        "session-guarantees"
    }

    fn models(&self) -> &'static [Model] {
        &[
            Model::ReadYourWrites,
            Model::MonotonicReads,
            Model::MonotonicWrites,
            Model::WritesFollowReads,
        ]
    }

    fn check(&self, _: &History, _: &Context<'_>) -> Verdict {
        let unknown = |model: &Model| (*model, Judgement::Unknown("not written yet".into()));
        Verdict { models: self.models().iter().map(unknown).collect(), ..Verdict::default() }
    }
}
