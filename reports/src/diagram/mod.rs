//! An anomaly's witness as a small space-time diagram.
//!
//! ```text
//!          partition n1 ────────────────┐        n3 leads, epoch 2
//!  p0  write 3 := 17                    ┊                ┊
//!      ├────────────┤ ok ──(1)──┐       ┊                ┊
//!  p4                           └▶ read 3 → 12
//!                                  ├───────┤ ok
//!      0.120 s      0.180 s     ⫽ 3.2 s ⫽     3.401 s
//! ```
//!
//! One lane per process, or per node where the anomaly is about nodes; a bar per operation from its
//! invocation to its completion; the witness's edges as numbered arrows, whose reasons stand below.
//! [`layout`] goes by estimates of text widths: within a lane, operations whose texts or bars would
//! touch
//! go to rows of their own, so no label covers another.

mod edges;
mod figure;
mod layout;

use perjury_checkers::{Anomaly, Leadership};
use perjury_history::History;

use self::layout::{Layout, witnesses};
use crate::faults::FaultSpan;

/// Operations drawn at most; the table beside the diagram has them all.
pub(crate) const DRAWN_MAX: usize = 24;

/// The run that anomalies happened in.
pub(crate) struct Scene<'a> {
    pub(crate) history: &'a History,
    pub(crate) faults: &'a [FaultSpan<'a>],
    pub(crate) leaderships: &'a [&'a Leadership],
}

/// Draws an anomaly. `number` tells its diagram from others on the page.
pub(crate) fn draw(scene: &Scene<'_>, anomaly: &Anomaly, number: usize) -> String {
    let operations = witnesses(scene, anomaly);
    if operations.is_empty() {
        return String::new();
    }
    let layout = Layout::of(scene, anomaly, operations);
    layout.draw(anomaly, number)
}

#[cfg(test)]
mod tests {
    use perjury_checkers::{AnomalyKind, Edge, Witness, WitnessOperation};
    use perjury_history::{FaultEvent, FaultStage, NodeId, Operation, OperationId};

    use super::layout::{LEFT, WIDTH, extent, text_width};
    use super::*;
    use crate::faults;

    fn whole_history(history: &History, kind: AnomalyKind) -> Anomaly {
        let part = |it: Operation<'_>| WitnessOperation {
            operation: it.id,
            role: format!("the part that operation {} plays in the story", it.id),
        };
        let operations: Vec<_> = history.iter().map(part).collect();
        let pairs = operations.windows(2);
        let edges = pairs
            .map(|pair| Edge {
                from: pair[0].operation,
                to: pair[1].operation,
                reason: "because".into(),
            })
            .collect();
        let witness = Witness { operations, edges, ..Witness::default() };
        Anomaly { kind, key: Some(23), explanation: "It went wrong.".into(), witness }
    }

    /// Draws the history, and checks that nothing covers anything else or leaves the figure.
    fn check(drawing: &str, kind: AnomalyKind) -> String {
        let history = History::parse_notation(drawing).expect("a good drawing");
        let anomaly = whole_history(&history, kind);
        let scene = Scene { history: &history, faults: &[], leaderships: &[] };
        let layout = Layout::of(&scene, &anomaly, witnesses(&scene, &anomaly));
        for (index, one) in layout.drawn.iter().enumerate() {
            let (left, right) = extent(one);
            assert!(left >= LEFT && one.x.1 <= WIDTH && one.x.0 < one.x.1, "{}", one.label);
            assert!(one.text_x + text_width(one) <= WIDTH, "{}", one.label);
            for other in &layout.drawn[index + 1..] {
                let (other_left, other_right) = extent(other);
                let same_row = (one.lane, one.row) == (other.lane, other.row);
                let apart = right <= other_left || other_right <= left;
                assert!(!same_row || apart, "{} touches {}", one.label, other.label);
            }
        }
        draw(&scene, &anomaly, 1)
    }

    #[test]
    fn operations_close_together_get_rows_of_their_own() {
        let drawing = "
            p0: w(x,1)@n1 w(x,2)@n1 w(x,3)@n1 r(x)=3@n1  cas(x,3,4)@n1!    r(x)=3@n2
            p1: w(x,5)@n1-----------------------------?
            p2:    r(x)=5@n3           r(x)=1@n3                            r(x)=5@n3
        ";
        let by_process = check(drawing, AnomalyKind::Nonlinearizable);
        for shown in [">p0<", ">p2<", "write 23 := 5", "read 23 → 3", "cas 23: 3 → 4"] {
            assert!(by_process.contains(shown), "{shown} in {by_process}");
        }
        let by_node = check(drawing, AnomalyKind::LostWrite);
        for shown in [">n1<", ">n2<", ">n3<"] {
            assert!(by_node.contains(shown), "{shown} in {by_node}");
        }
        assert_eq!(by_node.matches("class=\"arrow\"").count(), 9, "an arrow per edge");
        assert_eq!(by_node.matches("class=\"op ").count(), 10, "a bar per operation");
    }

    #[test]
    fn outcomes_have_shapes_of_their_own() {
        let svg = check("p0: w(x,1) w(x,2)! w(x,3)?", AnomalyKind::Nonlinearizable);
        let has = |class: &str| svg.matches(class).count();
        assert_eq!([has("op write ok"), has("op write fail"), has("op write info")], [1, 1, 1]);
        assert_eq!([has("class=\"mark\""), has("class=\"unknown\"")], [1, 1]);
    }

    #[test]
    fn an_hour_between_two_short_operations_leaves_both_visible() {
        let gap = " ".repeat(100_000);
        check(&format!("p0: w(x,1){gap}r(x)=nil"), AnomalyKind::ReadYourWrites);
    }

    #[test]
    fn a_witness_of_nothing_draws_nothing_and_one_operation_draws() {
        let history = History::parse_notation("p0: w(x,1)").expect("a good drawing");
        let scene = Scene { history: &history, faults: &[], leaderships: &[] };
        let mut anomaly = whole_history(&history, AnomalyKind::LostWrite);
        assert!(draw(&scene, &anomaly, 1).contains("write 23 := 1"));
        anomaly.witness = Witness::default();
        assert_eq!(draw(&scene, &anomaly, 1), "");
    }

    #[test]
    fn faults_and_changes_of_leader_stand_behind() {
        let history = History::parse_notation("p0: w(x,1)@n1#1.1     r(x)=nil@n3#2.1")
            .expect("a good drawing");
        let leaderships = [(0, 1, 9_000_000), (2, 2, 15_000_000)].map(|(node, epoch, at)| {
            let node = NodeId(node);
            let (first, last) = (OperationId(0), OperationId(0));
            Leadership { node, epoch, first_ns: at, last_ns: at, first, last, writes: 1 }
        });
        let events = [FaultEvent {
            time_ns: 12_000_000,
            fault: 7,
            stage: FaultStage::Applied,
            name: "partition<b>".into(),
            nodes: vec![NodeId(0)],
            detail: String::new(),
        }];
        let scene = Scene {
            history: &history,
            faults: &faults::spans(&events),
            leaderships: &leaderships.iter().collect::<Vec<_>>(),
        };
        let svg = draw(&scene, &whole_history(&history, AnomalyKind::LostWrite), 1);
        for shown in ["partition&lt;b&gt; n1", "n3 leads, epoch 2", "accepted writes in epoch 1"] {
            assert!(svg.contains(shown), "{shown} in {svg}");
        }
    }
}
