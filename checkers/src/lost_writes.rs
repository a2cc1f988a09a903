//! To be written.

use perjury_history::History;

use crate::{Checker, Context, Judgement, Model, Verdict};

/// Not written yet: always unknown.
#[derive(Clone, Copy, Debug, Default)]
pub struct LostWrites;

impl Checker for LostWrites {
    fn name(&self) -> &'static str {
        "lost-writes"
    }

    fn models(&self) -> &'static [Model] {
        &[Model::Durable]
    }

    fn check(&self, _: &History, _: &Context<'_>) -> Verdict {
        let unknown = |model: &Model| (*model, Judgement::Unknown("not written yet".into()));
        Verdict { models: self.models().iter().map(unknown).collect(), ..Verdict::default() }
    }
}
