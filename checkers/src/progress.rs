//! To be written.

use perjury_history::History;

use crate::{Checker, Context, Judgement, Model, Verdict};

/// Not written yet: always unknown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress;

impl Checker for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn models(&self) -> &'static [Model] {
        &[]
    }

    fn check(&self, _: &History, _: &Context<'_>) -> Verdict {
        let unknown = |model: &Model| (*model, Judgement::Unknown("not written yet".into()));
        Verdict { models: self.models().iter().map(unknown).collect(), ..Verdict::default() }
    }
}
