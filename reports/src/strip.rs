//! Who accepted writes when: a strip with a lane per node over the whole run.

use std::collections::BTreeSet;

use perjury_checkers::Leadership;
use perjury_history::NodeId;

use crate::faults::FaultSpan;
use crate::format;
use crate::leadership::{Failover, Overlap};
use crate::scale::Scale;
use crate::svg::{LABEL_CHARACTER_PX, Rows, SMALL_CHARACTER_PX, Svg};

const WIDTH: f64 = 1060.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = WIDTH - 16.0;
const LANE: f64 = 34.0;
const BAR: f64 = 20.0;
const HEADER_ROW: f64 = 18.0;
/// Rows of fault names above the lanes; faults that find no room there go unnamed.
const HEADER_ROWS_MAX: usize = 4;
const AXIS: f64 = 28.0;

/// What the strip shows.
pub(crate) struct Strip<'a> {
    pub(crate) end_ns: u64,
    pub(crate) leaderships: &'a [&'a Leadership],
    pub(crate) overlaps: &'a [Overlap<'a>],
    pub(crate) failovers: &'a [Failover<'a>],
    pub(crate) faults: &'a [FaultSpan<'a>],
}

impl Strip<'_> {
    /// The figure; empty if nobody led.
    pub(crate) fn draw(&self) -> String {
        let nodes: BTreeSet<NodeId> = self.leaderships.iter().map(|it| it.node).collect();
        if nodes.is_empty() {
            return String::new();
        }
        let nodes: Vec<NodeId> = nodes.into_iter().collect();
        let scale = Scale::linear(0, self.end_ns, LEFT, RIGHT);
        let mut svg = Svg::default();
        svg.raw(format_args!(
            r#"<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground" width="7" height="7"/><rect class="hatch-line" width="3" height="7"/></pattern></defs>"#
        ));
        let (names, rows) = self.place_fault_names(&scale);
        let top = 8.0 + HEADER_ROW * rows as f64;
        let bottom = top + LANE * nodes.len() as f64;
        for (index, node) in nodes.iter().enumerate() {
            let y = top + LANE * index as f64;
            svg.rect(if index % 2 == 0 { "lane" } else { "lane odd" }, (0.0, y), (WIDTH, LANE));
            svg.text("lane-name", (14.0, y + LANE / 2.0 + 4.0), &node.to_string());
        }
        self.draw_faults(&mut svg, &scale, &names, bottom);
        let bar_y = |node: NodeId| {
            let index = nodes.iter().position(|&it| it == node).unwrap_or(0);
            top + LANE * index as f64 + (LANE - BAR) / 2.0
        };
        for leadership in self.leaderships {
            draw_leadership(&mut svg, &scale, leadership, self.overlaps, bar_y(leadership.node));
        }
        for overlap in self.overlaps {
            draw_overlap(
                &mut svg,
                &scale,
                overlap,
                [bar_y(overlap.earlier.node), bar_y(overlap.later.node)],
            );
        }
        self.draw_failovers(&mut svg, &scale, (top, bottom), bar_y);
        svg.line("frame", (0.0, bottom), (WIDTH, bottom));
        for tick in scale.round_ticks(9) {
            svg.line("tick", (tick.x, bottom), (tick.x, bottom + 5.0));
            svg.text("tick-label", (tick.x.min(RIGHT - 6.0), bottom + 18.0), &tick.label);
        }
        svg.finish("strip", "Which node accepted writes when", WIDTH, bottom + AXIS)
    }

    /// For each fault the row and the text of its name; and how many rows there are.
    fn place_fault_names(&self, scale: &Scale) -> (Vec<Option<(usize, String)>>, usize) {
        let mut rows = Rows::default();
        let mut names = Vec::new();
        for span in self.faults {
            let failed = if span.failed() { " ✕ failed" } else { "" };
            let label = format!("{} {}{failed}", span.number, span.label());
            let x = scale.x(span.begin_ns());
            let width = label.chars().count() as f64 * SMALL_CHARACTER_PX + 16.0;
            let begin = x.min(RIGHT - width);
            let mut tried = rows.clone();
            let row = tried.place(begin, begin + width);
            match row < HEADER_ROWS_MAX {
                true => {
                    rows = tried;
                    names.push(Some((row, label)));
                }
                false => names.push(None),
            }
        }
        (names, rows.count())
    }

    fn draw_faults(
        &self,
        svg: &mut Svg,
        scale: &Scale,
        names: &[Option<(usize, String)>],
        bottom: f64,
    ) {
        for (span, name) in self.faults.iter().zip(names) {
            let (x1, x2) = (scale.x(span.begin_ns()), scale.x(span.end_ns(self.end_ns)));
            let row = name.as_ref().map_or(0, |(row, _)| *row);
            let y = 8.0 + HEADER_ROW * row as f64;
            let class = if span.failed() { "fault failed" } else { "fault" };
            svg.open_group(class, &format!("fault {}: {}", span.number, span.label()));
            svg.rect("fault-band", (x1, y), (x2 - x1, bottom - y));
            svg.rect("fault-edge", (x1, y), (x2 - x1, 2.0));
            if let Some((_, label)) = name {
                let width = label.chars().count() as f64 * SMALL_CHARACTER_PX + 8.0;
                svg.text("fault-name", ((x1 + 4.0).min(RIGHT - width), y + 13.0), label);
            }
            svg.close_group();
        }
    }

    fn draw_failovers(
        &self,
        svg: &mut Svg,
        scale: &Scale,
        (top, bottom): (f64, f64),
        bar_y: impl Fn(NodeId) -> f64,
    ) {
        for (index, failover) in self.failovers.iter().enumerate() {
            let x = scale.x(failover.to.first_ns);
            let y = bar_y(failover.to.node) + BAR / 2.0;
            svg.open_group("change", &failover.sentence());
            svg.line("change-line", (x, top), (x, bottom));
            svg.raw(format_args!(r#"<circle class="badge" cx="{x:.1}" cy="{y:.1}" r="9"/>"#));
            svg.text("badge-text", (x, y + 3.8), &(index + 1).to_string());
            svg.close_group();
        }
    }
}

fn draw_leadership(
    svg: &mut Svg,
    scale: &Scale,
    leadership: &Leadership,
    overlaps: &[Overlap<'_>],
    y: f64,
) {
    let (x1, x2) = (scale.x(leadership.first_ns), scale.x(leadership.last_ns));
    let width = (x2 - x1).max(3.0);
    let writes = format::counted(leadership.writes, "write", "writes");
    let long = format!("epoch {} · {writes}", leadership.epoch);
    svg.open_group(
        "leadership",
        &format!(
            "{} acknowledged {writes} in epoch {}, from {} to {}",
            leadership.node,
            leadership.epoch,
            format::moment(leadership.first_ns),
            format::moment(leadership.last_ns)
        ),
    );
    svg.raw(format_args!(
        r#"<rect class="term" x="{x1:.1}" y="{y:.1}" width="{width:.1}" height="{BAR}" rx="3"/>"#
    ));
    let (begin, end) = free_part(scale, leadership, overlaps, (x1 + 14.0, x2));
    let candidates = [long, format!("epoch {}", leadership.epoch), leadership.epoch.to_string()];
    let fits =
        |text: &&String| text.chars().count() as f64 * LABEL_CHARACTER_PX < end - begin - 8.0;
    if let Some(text) = candidates.iter().find(fits) {
        svg.text("term-name", (begin + 2.0, y + BAR / 2.0 + 4.0), text);
    }
    svg.close_group();
}

/// The longest part of a bar that no hatching covers.
fn free_part(
    scale: &Scale,
    leadership: &Leadership,
    overlaps: &[Overlap<'_>],
    (begin, end): (f64, f64),
) -> (f64, f64) {
    let same = |it: &Leadership| it.node == leadership.node && it.epoch == leadership.epoch;
    let mut covered: Vec<_> = overlaps
        .iter()
        .filter(|it| same(it.earlier) || same(it.later))
        .map(|it| (scale.x(it.begin_ns), scale.x(it.end_ns) + 6.0))
        .collect();
    covered.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut longest, mut at) = ((begin, begin), begin);
    for (from, to) in covered.into_iter().chain([(end, end)]) {
        let free = (at, from.min(end));
        if free.1 - free.0 > longest.1 - longest.0 {
            longest = free;
        }
        at = at.max(to);
    }
    longest
}

fn draw_overlap(svg: &mut Svg, scale: &Scale, overlap: &Overlap<'_>, ys: [f64; 2]) {
    let (x1, x2) = (scale.x(overlap.begin_ns), scale.x(overlap.end_ns));
    let (one, other) = (overlap.earlier.node, overlap.later.node);
    svg.open_group(
        "overlap",
        &format!(
            "{one} and {other} both accepted writes for {}",
            format::duration(overlap.duration_ns())
        ),
    );
    for y in ys {
        svg.raw(format_args!(
            r#"<rect class="both" x="{x1:.1}" y="{y:.1}" width="{:.1}" height="{BAR}" rx="3" fill="url(#hatch)"/>"#,
            (x2 - x1).max(4.0)
        ));
    }
    svg.close_group();
}
