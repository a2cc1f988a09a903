//! Takes back what a controller that died had left.

use std::path::Path;

use crate::journal::{Journal, JournalEntry, JournalError, JournalStage};
use crate::{Fault, Injector};

/// What came of healing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealReport {
    /// Faults that are undone now, by number, the newest first. Processes that they ended are not
    /// started: that is the store's business, and the store of a run that died is of no use.
    pub undone: Vec<(u32, Fault)>,
    /// Those that are not, each with the reason.
    pub failed: Vec<(u32, Fault, String)>,
}

/// Undoes, the newest first, every fault of a journal that is not undone, and adds to the journal
/// that it is. What fails stays in the journal; to be called again is harmless.
///
/// # Errors
/// If the journal cannot be read or written, or its run goes on.
pub async fn heal_left_behind(
    journal: &Path,
    injector: &dyn Injector,
) -> Result<HealReport, JournalError> {
    let left = Journal::left_behind(journal)?;
    let mut report = HealReport::default();
    if left.faults.is_empty() {
        return Ok(report);
    }
    let mut journal = Journal::reopen(journal)?;
    for (number, fault) in left.faults.into_iter().rev() {
        match injector.undo(number, &fault).await {
            Ok(()) => {
                let stage = JournalStage::Undone;
                journal.append(&JournalEntry { number, time_ns: left.time_ns, stage })?;
                report.undone.push((number, fault));
            }
            Err(problem) => report.failed.push((number, fault, problem)),
        }
    }
    Ok(report)
}
