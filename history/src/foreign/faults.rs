//! What a foreign nemesis says, as far as it can be told: which fault began, and which one ended.
//!
//! Words are the history's own. `stop` ends `start`, `resume` ends `pause`, `stop-x` ends
//! `start-x`, `start` ends `kill`, `heal` and `recover` end whatever was last begun. A nemesis says
//! everything twice, when it sets out and when it is done: both are recorded, as the same fault.

use std::collections::BTreeMap;

use crate::FaultStage;

#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Of each name the last fault's number, and whether it is in force.
    last: BTreeMap<String, (u32, bool)>,
    count: u32,
}

impl Faults {
    /// The fault that a function speaks of: its number, name and stage.
    pub(super) fn named(&mut self, function: &str) -> (u32, String, FaultStage) {
        let in_force = |name: &str| self.last.get(name).is_some_and(|(_, in_force)| *in_force);
        let ends = match function {
            "stop" => Some("start".to_owned()),
            "resume" => Some("pause".to_owned()),
            "start" if in_force("kill") => Some("kill".to_owned()),
            "heal" | "recover" => {
                let newest =
                    self.last.iter().max_by_key(|(_, (number, in_force))| (*in_force, *number));
                newest.map(|(name, _)| name.clone())
            }
            _ => function.strip_prefix("stop-").map(|name| format!("start-{name}")),
        };
        if let Some(name) = ends
            && let Some((number, in_force)) = self.last.get_mut(&name)
        {
            *in_force = false;
            return (*number, name, FaultStage::Undone);
        }
        let number = match self.last.get(function) {
            Some(&(number, true)) => number,
            _ => {
                self.count += 1;
                self.count - 1
            }
        };
        self.last.insert(function.to_owned(), (number, true));
        (number, function.to_owned(), FaultStage::Applied)
    }
}
