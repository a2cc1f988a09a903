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
//! Layout goes by estimates of text widths: within a lane, operations whose texts or bars would touch
//! go to rows of their own, so no label covers another.

use std::collections::BTreeMap;
use std::fmt;

use perjury_checkers::{Anomaly, AnomalyKind, Leadership};
use perjury_history::{History, NodeId, Operation, OperationId, Outcome, Process};

use crate::faults::FaultSpan;
use crate::scale::Scale;
use crate::svg::{LABEL_CHARACTER_PX, Rows, SMALL_CHARACTER_PX, Svg};
use crate::{format, operation_text};

/// Operations drawn at most; the table beside the diagram has them all.
pub(crate) const DRAWN_MAX: usize = 24;

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = WIDTH - 14.0;
const HEADER_ROW: f64 = 19.0;
const HEADERS_MAX: usize = 8;
/// An operation's label, bar and role.
const ROW: f64 = 46.0;
const LANE_PADDING: f64 = 8.0;
const BAR_BELOW_ROW_TOP: f64 = 17.0;
const BAR: f64 = 13.0;
const AXIS: f64 = 30.0;
const SHORTEST_BAR: f64 = 8.0;
/// How much of the axis lies before the first and after the last moment.
const MARGIN: f64 = 0.04;

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

struct Drawn<'a> {
    operation: Operation<'a>,
    label: String,
    beside: String,
    shown_role: String,
    /// Of the bar.
    x: (f64, f64),
    text_x: f64,
    lane: usize,
    row: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum LaneName {
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

struct Lane {
    name: LaneName,
    top: f64,
    height: f64,
}

/// A fault or a change of leader that is named above the lanes.
struct Header<'a> {
    label: String,
    text_x: f64,
    row: usize,
    kind: HeaderKind<'a>,
}

enum HeaderKind<'a> {
    Fault { span: &'a FaultSpan<'a>, x: (f64, f64) },
    Leader { leadership: &'a Leadership, x: f64 },
}

struct Layout<'a> {
    scene: &'a Scene<'a>,
    scale: Scale,
    drawn: Vec<Drawn<'a>>,
    lanes: Vec<Lane>,
    headers: Vec<Header<'a>>,
    lanes_top: f64,
    lanes_bottom: f64,
}

fn witnesses<'a>(scene: &Scene<'a>, anomaly: &'a Anomaly) -> Vec<(Operation<'a>, &'a str)> {
    let each = anomaly.witness.operations.iter().take(DRAWN_MAX);
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
    fn of(
        scene: &'a Scene<'a>,
        anomaly: &Anomaly,
        operations: Vec<(Operation<'a>, &'a str)>,
    ) -> Self {
        let scale = scale_for(scene, &operations);
        let by_node = by_node(anomaly.kind, &operations);
        let mut drawn: Vec<_> = operations
            .into_iter()
            .map(|(operation, role)| place(&scale, operation, role, by_node))
            .collect();
        drawn.sort_by(|one, other| extent(one).0.total_cmp(&extent(other).0));
        let headers = headers(scene, &scale);
        let header_rows = headers.iter().map(|header| header.row + 1).max().unwrap_or(0);
        let lanes_top = 6.0 + HEADER_ROW * header_rows as f64;
        let lanes = put_into_lanes(&mut drawn, by_node, lanes_top);
        let lanes_bottom = lanes.last().map_or(lanes_top, |lane| lane.top + lane.height);
        Self { scene, scale, drawn, lanes, headers, lanes_top, lanes_bottom }
    }

    fn draw(&self, anomaly: &Anomaly, number: usize) -> String {
        let mut svg = Svg::default();
        svg.raw(format_args!(
            r#"<defs><marker id="arrow-{number}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="arrowhead" d="M0 0.5 8 4 0 7.5Z"/></marker></defs>"#
        ));
        self.draw_lanes(&mut svg);
        self.draw_headers(&mut svg);
        self.draw_axis(&mut svg);
        for drawn in &self.drawn {
            self.draw_operation(&mut svg, drawn);
        }
        self.draw_edges(&mut svg, anomaly, number);
        svg.finish("diagram", &anomaly.explanation, WIDTH, self.lanes_bottom + AXIS)
    }

    fn draw_lanes(&self, svg: &mut Svg) {
        for (index, lane) in self.lanes.iter().enumerate() {
            let class = if index % 2 == 0 { "lane" } else { "lane odd" };
            svg.rect(class, (0.0, lane.top), (WIDTH, lane.height));
            if let LaneName::Node(node) = lane.name {
                self.draw_leaderships(svg, lane, node);
            }
            let middle = lane.top + lane.height / 2.0 + 4.0;
            svg.text("lane-name", (14.0, middle), &lane.name.to_string());
        }
        let bottom = self.lanes_bottom;
        svg.line("frame", (LEFT - 8.0, self.lanes_top), (LEFT - 8.0, bottom));
        svg.line("frame", (0.0, bottom), (WIDTH, bottom));
    }

    /// A rail along the top of a node's lane while it led.
    fn draw_leaderships(&self, svg: &mut Svg, lane: &Lane, node: NodeId) {
        let (begin, end) = (self.scale.begin_ns(), self.scale.end_ns());
        let of_node = self.scene.leaderships.iter().filter(|it| it.node == node);
        for leadership in of_node.filter(|it| it.first_ns <= end && it.last_ns >= begin) {
            let (x1, x2) = (self.scale.x(leadership.first_ns), self.scale.x(leadership.last_ns));
            svg.open_group(
                "rail",
                &format!("{node} accepted writes in epoch {}", leadership.epoch),
            );
            svg.rect("leading", (x1, lane.top), (x2 - x1, lane.height));
            svg.rect("leading-rail", (x1, lane.top), (x2 - x1, 3.0));
            svg.close_group();
        }
    }

    fn draw_headers(&self, svg: &mut Svg) {
        for header in &self.headers {
            let y = 6.0 + HEADER_ROW * header.row as f64;
            match &header.kind {
                HeaderKind::Fault { span, x } => {
                    svg.open_group("fault", &format!("fault {}: {}", span.number, header.label));
                    svg.rect("fault-band", (x.0, y), (x.1 - x.0, self.lanes_bottom - y));
                    svg.rect("fault-edge", (x.0, y), (x.1 - x.0, 2.0));
                    svg.text("fault-name", (header.text_x, y + 14.0), &header.label);
                }
                HeaderKind::Leader { leadership, x } => {
                    svg.open_group("change", &format::moment(leadership.first_ns));
                    svg.line("change-line", (*x, y + 2.0), (*x, self.lanes_bottom));
                    svg.text("change-name", (header.text_x, y + 14.0), &header.label);
                }
            }
            svg.close_group();
        }
    }

    fn draw_axis(&self, svg: &mut Svg) {
        // Beginnings first: where there is no room for all, those count.
        let mut moments: Vec<_> = self.drawn.iter().map(|it| it.operation.invoked_ns).collect();
        moments.extend(self.drawn.iter().filter_map(|it| it.operation.completed_ns));
        let y = self.lanes_bottom;
        let mut taken: Vec<(f64, f64)> = Vec::new();
        for tick in self.scale.ticks_at(&moments, SMALL_CHARACTER_PX) {
            svg.line("tick", (tick.x, y), (tick.x, y + 5.0));
            let half = tick.label.chars().count() as f64 * SMALL_CHARACTER_PX / 2.0;
            let x = tick.x.clamp(half + 2.0, WIDTH - half - 2.0);
            svg.text("tick-label", (x, y + 18.0), &tick.label);
            taken.push((x - half, x + half));
        }
        for cut in self.scale.cuts() {
            let middle = cut.x + cut.width / 2.0;
            let label = format::duration(cut.duration_ns);
            svg.open_group("cut", &format!("{label}, drawn shorter"));
            svg.raw(format_args!(
                r#"<path class="cut-mark" d="M{:.1} {:.1}l4 -10m1 10l4 -10"/>"#,
                middle - 5.0,
                y + 5.0
            ));
            let half = label.chars().count() as f64 * SMALL_CHARACTER_PX / 2.0 + 4.0;
            let free = |&(from, to): &(f64, f64)| middle + half < from || middle - half > to;
            let inside = middle - half > 0.0 && middle + half < WIDTH;
            if inside && taken.iter().all(free) {
                svg.text("tick-label cut-label", (middle, y + 18.0), &label);
                taken.push((middle - half, middle + half));
            }
            svg.close_group();
        }
    }

    fn bar_y(&self, drawn: &Drawn<'_>) -> f64 {
        self.lanes[drawn.lane].top + LANE_PADDING + drawn.row as f64 * ROW + BAR_BELOW_ROW_TOP
    }

    fn draw_operation(&self, svg: &mut Svg, drawn: &Drawn<'_>) {
        let Drawn { operation, x: (x1, x2), .. } = drawn;
        let y = self.bar_y(drawn);
        let outcome = operation_text::outcome(operation.outcome);
        let title = format!(
            "{} by {}, {outcome}, from {}{}",
            drawn.label,
            operation.process,
            format::moment(operation.invoked_ns),
            operation.completed_ns.map_or(", never completed".into(), |at| format!(
                " to {} ({})",
                format::moment(at),
                format::duration(at - operation.invoked_ns)
            ))
        );
        svg.open_group(&format!("op {} {outcome}", operation_text::function(operation)), &title);
        svg.raw(format_args!(
            r#"<rect class="bar" x="{x1:.1}" y="{y:.1}" width="{:.1}" height="{BAR}" rx="3"/>"#,
            x2 - x1
        ));
        let middle = y + BAR / 2.0;
        match operation.outcome {
            Outcome::Ok => {}
            Outcome::Fail => svg.raw(format_args!(
                r#"<path class="mark" d="M{:.1} {:.1}l8 8m0 -8l-8 8"/>"#,
                x2 - 4.0,
                middle - 4.0
            )),
            Outcome::Info => {
                svg.line("unknown", (*x2, middle), (RIGHT, middle));
                svg.text("mark-text", (x2 - 4.0, middle + 4.0), "?");
            }
        }
        svg.raw(format_args!(
            r#"<text class="label" x="{:.1}" y="{:.1}">{}<tspan class="beside" dx="6">{}</tspan></text>"#,
            drawn.text_x,
            y - 5.0,
            crate::escape::html(&drawn.label),
            crate::escape::html(&drawn.beside)
        ));
        svg.text("role", (drawn.text_x, y + BAR + 12.0), &drawn.shown_role);
        svg.close_group();
    }

    fn draw_edges(&self, svg: &mut Svg, anomaly: &Anomaly, number: usize) {
        let at: BTreeMap<OperationId, &Drawn<'_>> =
            self.drawn.iter().map(|drawn| (drawn.operation.id, drawn)).collect();
        let mut taken: Vec<Box2> = self.drawn.iter().flat_map(|it| self.boxes(it)).collect();
        for (index, edge) in anomaly.witness.edges.iter().enumerate() {
            let (Some(from), Some(to)) = (at.get(&edge.from), at.get(&edge.to)) else { continue };
            let curve = self.curve(from, to);
            svg.open_group("edge", &edge.reason);
            svg.raw(format_args!(
                r#"<path class="arrow" marker-end="url(#arrow-{number})" d="M{:.1} {:.1}C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}"/>"#,
                curve[0].0, curve[0].1, curve[1].0, curve[1].1, curve[2].0, curve[2].1, curve[3].0, curve[3].1
            ));
            let badge = badge_place(&curve, &taken);
            taken.push(Box2::around(badge, 9.0));
            svg.raw(format_args!(
                r#"<circle class="badge" cx="{:.1}" cy="{:.1}" r="8"/>"#,
                badge.0, badge.1
            ));
            svg.text("badge-text", (badge.0, badge.1 + 3.8), &(index + 1).to_string());
            svg.close_group();
        }
    }

    /// From the end of one bar to the beginning of the other; from middle to middle if they overlap
    /// in time.
    fn curve(&self, from: &Drawn<'_>, to: &Drawn<'_>) -> [(f64, f64); 4] {
        let (from_y, to_y) = (self.bar_y(from) + BAR / 2.0, self.bar_y(to) + BAR / 2.0);
        if to.x.0 >= from.x.1 {
            let bend = ((to.x.0 - from.x.1) / 2.0).clamp(10.0, 80.0);
            let (start, end) = ((from.x.1, from_y), (to.x.0 - 1.0, to_y));
            return [start, (start.0 + bend, start.1), (end.0 - bend, end.1), end];
        }
        let middle = |drawn: &Drawn<'_>| f64::midpoint(drawn.x.0, drawn.x.1);
        let (down, half) = (to_y > from_y, BAR / 2.0);
        let (start_y, end_y) = match down {
            true => (from_y + half, to_y - half),
            false => (from_y - half, to_y + half),
        };
        let (start, end) = ((middle(from), start_y), (middle(to), end_y));
        let bend = ((end.1 - start.1).abs() / 2.0).clamp(10.0, 60.0);
        let toward = if down { bend } else { -bend };
        [start, (start.0, start.1 + toward), (end.0, end.1 - toward), end]
    }

    /// What a badge should not cover.
    fn boxes(&self, drawn: &Drawn<'_>) -> [Box2; 3] {
        let y = self.bar_y(drawn);
        let text = |top: f64, width: f64| Box2 {
            left: drawn.text_x,
            right: drawn.text_x + width,
            top,
            bottom: top + 12.0,
        };
        [
            Box2 { left: drawn.x.0, right: drawn.x.1, top: y, bottom: y + BAR },
            text(y - 15.0, label_width(drawn)),
            text(y + BAR + 2.0, role_width(drawn)),
        ]
    }
}

struct Box2 {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Box2 {
    fn around((x, y): (f64, f64), radius: f64) -> Self {
        Self { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius }
    }

    fn touches(&self, other: &Box2) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }
}

fn badge_place(curve: &[(f64, f64); 4], taken: &[Box2]) -> (f64, f64) {
    let at = |share: f64| {
        let rest = 1.0 - share;
        let weights =
            [rest.powi(3), 3.0 * rest.powi(2) * share, 3.0 * rest * share.powi(2), share.powi(3)];
        let sum = |of: fn(&(f64, f64)) -> f64| -> f64 {
            curve.iter().zip(weights).map(|(point, weight)| of(point) * weight).sum()
        };
        (sum(|point| point.0), sum(|point| point.1))
    };
    let free = |place: &(f64, f64)| {
        let badge = Box2::around(*place, 8.0);
        taken.iter().all(|other| !badge.touches(other))
    };
    let candidates = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82].map(at);
    candidates.iter().copied().find(free).unwrap_or(candidates[0])
}

fn label_width(drawn: &Drawn<'_>) -> f64 {
    let characters = drawn.label.chars().count() + drawn.beside.chars().count();
    characters as f64 * LABEL_CHARACTER_PX + 6.0
}

fn role_width(drawn: &Drawn<'_>) -> f64 {
    drawn.shown_role.chars().count() as f64 * SMALL_CHARACTER_PX
}

fn text_width(drawn: &Drawn<'_>) -> f64 {
    label_width(drawn).max(role_width(drawn))
}

/// Everything of an operation but its vertical place.
fn extent(drawn: &Drawn<'_>) -> (f64, f64) {
    (drawn.x.0.min(drawn.text_x), drawn.x.1.max(drawn.text_x + text_width(drawn)) + 12.0)
}

fn place<'a>(scale: &Scale, operation: Operation<'a>, role: &str, by_node: bool) -> Drawn<'a> {
    let x1 = scale.x(operation.invoked_ns);
    let x2 = operation.completed_ns.map_or(RIGHT, |completed_ns| scale.x(completed_ns));
    let beside = match (by_node, node(&operation)) {
        (false, Some(node)) => node.to_string(),
        (false, None) => String::new(),
        (true, _) => operation.process.to_string(),
    };
    let mut drawn = Drawn {
        label: format::shortened(&operation_text::operation(&operation), 60),
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

#[cfg(test)]
mod tests {
    use perjury_checkers::{Edge, Witness, WitnessOperation};
    use perjury_history::{FaultEvent, FaultStage};

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
        let witness = Witness { operations, edges };
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
