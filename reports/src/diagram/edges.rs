//! The arrows of a diagram and the numbers on them, placed where they cover no text.

use std::collections::BTreeMap;

use perjury_checkers::Anomaly;
use perjury_history::OperationId;

use super::layout::{BAR, Drawn, Layout, label_width, role_width};
use crate::svg::Svg;

impl Layout<'_> {
    /// An arrow per edge whose operations are both drawn.
    pub(super) fn draw_edges(&self, svg: &mut Svg, anomaly: &Anomaly, number: usize) {
        let at: BTreeMap<OperationId, &Drawn<'_>> =
            self.drawn.iter().map(|drawn| (drawn.operation.id, drawn)).collect();
        let mut taken: Vec<Area> = self.drawn.iter().flat_map(|it| self.boxes(it)).collect();
        for (index, edge) in anomaly.witness.edges.iter().enumerate() {
            let (Some(from), Some(to)) = (at.get(&edge.from), at.get(&edge.to)) else { continue };
            let curve = self.curve(from, to);
            svg.open_group("edge", &edge.reason);
            svg.raw(format_args!(
                r#"<path class="arrow" marker-end="url(#arrow-{number})" d="M{:.1} {:.1}C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}"/>"#,
                curve[0].0, curve[0].1, curve[1].0, curve[1].1, curve[2].0, curve[2].1, curve[3].0, curve[3].1
            ));
            let badge = badge_place(&curve, &taken);
            taken.push(Area::around(badge, 9.0));
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
    fn boxes(&self, drawn: &Drawn<'_>) -> [Area; 3] {
        let y = self.bar_y(drawn);
        let text = |top: f64, width: f64| Area {
            left: drawn.text_x,
            right: drawn.text_x + width,
            top,
            bottom: top + 12.0,
        };
        [
            Area { left: drawn.x.0, right: drawn.x.1, top: y, bottom: y + BAR },
            text(y - 15.0, label_width(drawn)),
            text(y + BAR + 2.0, role_width(drawn)),
        ]
    }
}

struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    fn around((x, y): (f64, f64), radius: f64) -> Self {
        Self { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius }
    }

    fn touches(&self, other: &Area) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }
}

fn badge_place(curve: &[(f64, f64); 4], taken: &[Area]) -> (f64, f64) {
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
        let badge = Area::around(*place, 8.0);
        taken.iter().all(|other| !badge.touches(other))
    };
    let candidates = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82].map(at);
    candidates.iter().copied().find(free).unwrap_or(candidates[0])
}
