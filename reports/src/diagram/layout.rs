//! Where everything of a diagram stands.

use std::fmt;

use perjury_checkers::{Anomaly, AnomalyKind, Leadership};
use perjury_history::{NodeId, Operation, Outcome, Process};

use super::{DRAWN_MAX, Scene};
use crate::anomalies::most_telling;
use crate::faults::FaultSpan;
use crate::scale::Scale;
use crate::svg::{LABEL_CHARACTER_PX, Rows, SMALL_CHARACTER_PX};
use crate::{format, operation_text};

pub(super) const WIDTH: f64 = 1000.0;
pub(super) const LEFT: f64 = 58.0;
pub(super) const RIGHT: f64 = WIDTH - 14.0;
pub(super) const HEADER_ROW: f64 = 19.0;
const HEADERS_MAX: usize = 8;
/// An operation's label, bar and role.
const ROW: f64 = 46.0;
const LANE_PADDING: f64 = 8.0;
const BAR_BELOW_ROW_TOP: f64 = 17.0;
pub(super) const BAR: f64 = 13.0;
pub(super) const AXIS: f64 = 30.0;
const SHORTEST_BAR: f64 = 8.0;
/// How much of the axis lies before the first and after the last moment.
const MARGIN: f64 = 0.04;

/// An operation and where it stands.
pub(super) struct Drawn<'a> {
    pub(super) operation: Operation<'a>,
    pub(super) label: String,
    pub(super) beside: String,
    pub(super) shown_role: String,
    /// Of the bar.
    pub(super) x: (f64, f64),
    pub(super) text_x: f64,
    pub(super) lane: usize,
    pub(super) row: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LaneName {
    Node(NodeId),
    Process(Process),
}

impl fmt::Display for LaneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LaneName::Node(node) => node.fmt(f),
            LaneName::Process(process) => process.fmt(f),
        }
    }
}

pub(super) struct Lane {
    pub(super) name: LaneName,
    pub(super) top: f64,
    pub(super) height: f64,
}

/// A fault or a change of leader that is named above the lanes.
pub(super) struct Header<'a> {
    pub(super) label: String,
    pub(super) text_x: f64,
    pub(super) row: usize,
    pub(super) kind: HeaderKind<'a>,
}

pub(super) enum HeaderKind<'a> {
    Fault { span: &'a FaultSpan<'a>, x: (f64, f64) },
    Leader { leadership: &'a Leadership, x: f64 },
}

pub(super) struct Layout<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) scale: Scale,
    pub(super) drawn: Vec<Drawn<'a>>,
    pub(super) lanes: Vec<Lane>,
    pub(super) headers: Vec<Header<'a>>,
    pub(super) lanes_top: f64,
    pub(super) lanes_bottom: f64,
}

pub(super) fn witnesses<'a>(
    scene: &Scene<'a>,
    anomaly: &'a Anomaly,
) -> Vec<(Operation<'a>, &'a str)> {
    let each = most_telling(&anomaly.witness, DRAWN_MAX).into_iter();
    each.map(|it| (scene.history.get(it.operation), it.role.as_str())).collect()
}

fn node(operation: &Operation<'_>) -> Option<NodeId> {
    operation.served_by.or(operation.node)
}

/// Anomalies of nodes are drawn by node, if every operation names one.
fn by_node(kind: AnomalyKind, operations: &[(Operation<'_>, &str)]) -> bool {
    let about_nodes =
        [AnomalyKind::TwoLeaders, AnomalyKind::LostWrite, AnomalyKind::Divergence].contains(&kind);
    about_nodes && operations.iter().all(|(operation, _)| node(operation).is_some())
}

fn scale_for(scene: &Scene<'_>, operations: &[(Operation<'_>, &str)]) -> Scale {
    let mut moments: Vec<u64> = Vec::new();
    let mut shortest_ns = u64::MAX;
    for (operation, _) in operations {
        moments.push(operation.invoked_ns);
        if let Some(completed_ns) = operation.completed_ns {
            moments.push(completed_ns);
            shortest_ns = shortest_ns.min(completed_ns - operation.invoked_ns);
        }
    }
    let first = moments.iter().copied().min().unwrap_or(0);
    let last = moments.iter().copied().max().unwrap_or(0);
    // A margin, so that what was there before and after can be seen; at least a tenth of the
    // shortest operation, else a witness of one instant had no width.
    let margin_ns = ((last - first) as f64 * MARGIN) as u64 + 1_000;
    let (begin, end) = (first.saturating_sub(margin_ns), last + margin_ns);
    let inside = |moment: &u64| (begin..=end).contains(moment);
    let run_end_ns = scene.history.end_ns();
    let faults = scene.faults.iter().flat_map(|it| [it.begin_ns(), it.end_ns(run_end_ns)]);
    moments.extend(faults.filter(inside).take(2 * HEADERS_MAX));
    moments.extend(
        scene.leaderships.iter().map(|it| it.first_ns).filter(inside).take(2 * HEADERS_MAX),
    );
    moments.extend([begin, end]);
    Scale::through(moments, (LEFT, RIGHT), shortest_ns, 14.0)
}

impl<'a> Layout<'a> {
    pub(super) fn of(
        scene: &'a Scene<'a>,
        anomaly: &Anomaly,
        operations: Vec<(Operation<'a>, &'a str)>,
    ) -> Self {
        let scale = scale_for(scene, &operations);
        let by_node = by_node(anomaly.kind, &operations);
        let mut drawn: Vec<_> = operations
            .into_iter()
            .map(|(operation, role)| place(scene, &scale, operation, role, by_node))
            .collect();
        drawn.sort_by(|one, other| extent(one).0.total_cmp(&extent(other).0));
        let headers = headers(scene, &scale);
        let header_rows = headers.iter().map(|header| header.row + 1).max().unwrap_or(0);
        let lanes_top = 6.0 + HEADER_ROW * header_rows as f64;
        let lanes = put_into_lanes(&mut drawn, by_node, lanes_top);
        let lanes_bottom = lanes.last().map_or(lanes_top, |lane| lane.top + lane.height);
        Self { scene, scale, drawn, lanes, headers, lanes_top, lanes_bottom }
    }

    pub(super) fn bar_y(&self, drawn: &Drawn<'_>) -> f64 {
        self.lanes[drawn.lane].top + LANE_PADDING + drawn.row as f64 * ROW + BAR_BELOW_ROW_TOP
    }
}

pub(super) fn label_width(drawn: &Drawn<'_>) -> f64 {
    let characters = drawn.label.chars().count() + drawn.beside.chars().count();
    characters as f64 * LABEL_CHARACTER_PX + 6.0
}

pub(super) fn role_width(drawn: &Drawn<'_>) -> f64 {
    drawn.shown_role.chars().count() as f64 * SMALL_CHARACTER_PX
}

pub(super) fn text_width(drawn: &Drawn<'_>) -> f64 {
    label_width(drawn).max(role_width(drawn))
}

/// Everything of an operation but its vertical place.
pub(super) fn extent(drawn: &Drawn<'_>) -> (f64, f64) {
    (drawn.x.0.min(drawn.text_x), drawn.x.1.max(drawn.text_x + text_width(drawn)) + 12.0)
}

fn place<'a>(
    scene: &Scene<'_>,
    scale: &Scale,
    operation: Operation<'a>,
    role: &str,
    by_node: bool,
) -> Drawn<'a> {
    let x1 = scale.x(operation.invoked_ns);
    let x2 = operation.completed_ns.map_or(RIGHT, |completed_ns| scale.x(completed_ns));
    let beside = match (by_node, node(&operation)) {
        (false, Some(node)) => node.to_string(),
        (false, None) => String::new(),
        (true, _) => operation.process.to_string(),
    };
    let mut drawn = Drawn {
        label: operation_text::label(scene.history.names(), &operation),
        beside,
        shown_role: format::shortened(role, 64),
        operation,
        x: (x1.min(RIGHT - SHORTEST_BAR), x2.max(x1.min(RIGHT - SHORTEST_BAR) + SHORTEST_BAR)),
        text_x: x1,
        lane: 0,
        row: 0,
    };
    drawn.text_x = x1.min(RIGHT - text_width(&drawn)).max(LEFT);
    drawn
}

fn put_into_lanes(drawn: &mut [Drawn<'_>], by_node: bool, top: f64) -> Vec<Lane> {
    let name = |operation: &Operation<'_>| match node(operation) {
        Some(node) if by_node => LaneName::Node(node),
        _ => LaneName::Process(operation.process),
    };
    let mut names: Vec<_> = drawn.iter().map(|it| name(&it.operation)).collect();
    names.sort_unstable();
    names.dedup();
    let mut lanes = Vec::new();
    let mut lane_top = top;
    for (index, lane_name) in names.into_iter().enumerate() {
        let mut rows = Rows::default();
        for it in drawn.iter_mut().filter(|it| name(&it.operation) == lane_name) {
            let (begin, end) = extent(it);
            // An unknown operation's dotted line runs to the end of the diagram.
            let end = if it.operation.outcome == Outcome::Info { f64::INFINITY } else { end };
            (it.lane, it.row) = (index, rows.place(begin, end));
        }
        let height = rows.count() as f64 * ROW + 2.0 * LANE_PADDING;
        lanes.push(Lane { name: lane_name, top: lane_top, height });
        lane_top += height;
    }
    lanes
}

fn headers<'a>(scene: &'a Scene<'a>, scale: &Scale) -> Vec<Header<'a>> {
    let (begin, end, run_end) = (scale.begin_ns(), scale.end_ns(), scene.history.end_ns());
    let mut headers: Vec<Header<'a>> = Vec::new();
    for span in scene.faults {
        let (from, to) = (span.begin_ns(), span.end_ns(run_end));
        if from > end || to < begin {
            continue;
        }
        let x = (scale.x(from), scale.x(to));
        let label = match span.failed() {
            true => format!("{} (failed)", span.label()),
            false => span.label(),
        };
        headers.push(Header {
            label,
            text_x: x.0 + 5.0,
            row: 0,
            kind: HeaderKind::Fault { span, x },
        });
    }
    for leadership in scene.leaderships {
        if (begin..=end).contains(&leadership.first_ns) {
            let x = scale.x(leadership.first_ns);
            let label = format!("{} leads, epoch {}", leadership.node, leadership.epoch);
            let kind = HeaderKind::Leader { leadership, x };
            headers.push(Header { label, text_x: x + 5.0, row: 0, kind });
        }
    }
    headers.truncate(HEADERS_MAX);
    for header in &mut headers {
        let width = header.label.chars().count() as f64 * SMALL_CHARACTER_PX + 8.0;
        header.text_x = header.text_x.min(RIGHT - width).max(LEFT);
    }
    headers.sort_by(|one, other| one.text_x.total_cmp(&other.text_x));
    let mut rows = Rows::default();
    for header in &mut headers {
        let width = header.label.chars().count() as f64 * SMALL_CHARACTER_PX + 14.0;
        header.row = rows.place(header.text_x - 5.0, header.text_x + width);
    }
    headers
}
