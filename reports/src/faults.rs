//! The nemesis's events, put together fault by fault.

use std::collections::BTreeMap;

use perjury_history::{FaultEvent, FaultStage, NodeId};

use crate::format;

/// One fault from beginning to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FaultSpan<'a> {
    pub(crate) number: u32,
    pub(crate) name: &'a str,
    pub(crate) nodes: &'a [NodeId],
    /// The events, in order; at least one.
    pub(crate) events: Vec<&'a FaultEvent>,
}

impl FaultSpan<'_> {
    /// When the fault reached a stage first.
    pub(crate) fn at_ns(&self, stage: FaultStage) -> Option<u64> {
        self.events.iter().find(|event| event.stage == stage).map(|event| event.time_ns)
    }

    /// When it began.
    pub(crate) fn begin_ns(&self) -> u64 {
        self.events[0].time_ns
    }

    /// When it was over; `run_end_ns` if that was never recorded. A fault that failed without having
    /// been applied was over at once.
    pub(crate) fn end_ns(&self, run_end_ns: u64) -> u64 {
        let never_applied = self.at_ns(FaultStage::Applied).is_none();
        let failed_at = self.at_ns(FaultStage::Failed).filter(|_| never_applied);
        self.at_ns(FaultStage::Undone).or(failed_at).unwrap_or(run_end_ns)
    }

    /// Whether something about it did not go as asked.
    pub(crate) fn failed(&self) -> bool {
        self.at_ns(FaultStage::Failed).is_some()
    }

    /// `partition n1, n3`.
    pub(crate) fn label(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().take(4).map(ToString::to_string).collect();
        let more = if self.nodes.len() > nodes.len() { ", …" } else { "" };
        let label = format!("{} {}{more}", format::shortened(self.name, 24), nodes.join(", "));
        label.trim_end().to_owned()
    }
}

/// The faults of a history, by when they began.
pub(crate) fn spans(events: &[FaultEvent]) -> Vec<FaultSpan<'_>> {
    let mut by_number: BTreeMap<u32, FaultSpan<'_>> = BTreeMap::new();
    for event in events {
        let span = by_number.entry(event.fault).or_insert_with(|| FaultSpan {
            number: event.fault,
            name: &event.name,
            nodes: &event.nodes,
            events: Vec::new(),
        });
        if span.nodes.is_empty() {
            span.nodes = &event.nodes;
        }
        span.events.push(event);
    }
    let mut spans: Vec<_> = by_number.into_values().collect();
    spans.sort_by_key(|span| (span.begin_ns(), span.number));
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(time_ns: u64, fault: u32, stage: FaultStage) -> FaultEvent {
        let (name, nodes) = ("partition".to_owned(), vec![NodeId(0), NodeId(2)]);
        FaultEvent { time_ns, fault, stage, name, nodes, detail: String::new() }
    }

    #[test]
    fn events_are_put_together_by_number() {
        let events = [
            event(10, 1, FaultStage::Applied),
            event(12, 2, FaultStage::Failed),
            event(15, 1, FaultStage::Observed),
            event(20, 1, FaultStage::Undone),
            event(30, 3, FaultStage::Applied),
        ];
        let spans = spans(&events);
        let bounds: Vec<_> =
            spans.iter().map(|it| (it.number, it.begin_ns(), it.end_ns(99), it.failed())).collect();
        assert_eq!(bounds, [(1, 10, 20, false), (2, 12, 12, true), (3, 30, 99, false)]);
        assert_eq!(spans[0].label(), "partition n1, n3");
    }
}
