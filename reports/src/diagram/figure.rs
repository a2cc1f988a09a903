//! The SVG of a layout: lanes, names, axis and operations.

use perjury_checkers::Anomaly;
use perjury_history::{NodeId, Outcome};

use super::layout::{
    AXIS, BAR, Drawn, HEADER_ROW, HeaderKind, LEFT, Lane, LaneName, Layout, RIGHT, WIDTH,
};
use crate::escape::html;
use crate::svg::{SMALL_CHARACTER_PX, Svg};
use crate::{format, operation_text};

impl Layout<'_> {
    /// The whole figure. `number` tells it from others on the page.
    pub(super) fn draw(&self, anomaly: &Anomaly, number: usize) -> String {
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
        svg.open_group(&format!("op {} {outcome}", operation_text::hue(operation)), &title);
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
            html(&drawn.label),
            html(&drawn.beside)
        ));
        svg.text("role", (drawn.text_x, y + BAR + 12.0), &drawn.shown_role);
        svg.close_group();
    }
}
