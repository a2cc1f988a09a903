//! Writing SVG: elements whose text is escaped, numbers with one decimal.
//!
//! Colours are the style sheet's: elements carry classes, so that figures follow light, dark and
//! print. Text widths are estimates (no font is at hand), a little on the wide side.

use std::fmt::{self, Write as _};

use crate::escape::html;

/// Width of one character of the monospaced labels (12 px).
pub(crate) const LABEL_CHARACTER_PX: f64 = 7.25;
/// Width of one character of the small proportional text (11 px), on average.
pub(crate) const SMALL_CHARACTER_PX: f64 = 6.1;

/// An SVG under construction.
#[derive(Default)]
pub(crate) struct Svg {
    body: String,
}

impl Svg {
    /// Appends markup that is all ours: no foreign text may be in it.
    pub(crate) fn raw(&mut self, markup: fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = self.body.write_fmt(markup);
    }

    pub(crate) fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        self.raw(format_args!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}"/>"#,
            width.max(0.5),
            height
        ));
    }

    pub(crate) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.raw(format_args!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    pub(crate) fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        self.raw(format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#,
            html(text)
        ));
    }

    /// Opens a group that tells `title` when hovered.
    pub(crate) fn open_group(&mut self, class: &str, title: &str) {
        self.raw(format_args!(r#"<g class="{class}"><title>{}</title>"#, html(title)));
    }

    pub(crate) fn close_group(&mut self) {
        self.raw(format_args!("</g>"));
    }

    /// The finished element, read out as `description`.
    pub(crate) fn finish(self, class: &str, description: &str, width: f64, height: f64) -> String {
        format!(
            r#"<svg class="{class}" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img" aria-label="{}">{}</svg>"#,
            html(description),
            self.body
        )
    }
}

/// Puts intervals into rows so that none touches another: the first row with room takes each.
#[derive(Clone, Default)]
pub(crate) struct Rows {
    ends: Vec<f64>,
}

impl Rows {
    /// The row of the next interval; intervals come by where they begin.
    pub(crate) fn place(&mut self, begin: f64, end: f64) -> usize {
        let row = self.ends.iter().position(|&taken| taken <= begin).unwrap_or(self.ends.len());
        match self.ends.get_mut(row) {
            Some(taken) => *taken = end,
            None => self.ends.push(end),
        }
        row
    }

    pub(crate) fn count(&self) -> usize {
        self.ends.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_titles_are_escaped() {
        let mut svg = Svg::default();
        svg.open_group("a", "<script>");
        svg.text("b", (1.0, 2.0), "</svg>");
        svg.close_group();
        let whole = svg.finish("c", "\"", 10.0, 20.0);
        assert_eq!(
            whole,
            "<svg class=\"c\" viewBox=\"0 0 10 20\" width=\"10\" height=\"20\" role=\"img\" \
             aria-label=\"&quot;\"><g class=\"a\"><title>&lt;script&gt;</title><text class=\"b\" \
             x=\"1.0\" y=\"2.0\">&lt;/svg&gt;</text></g></svg>"
        );
    }

    #[test]
    fn rows_do_not_overlap() {
        let mut rows = Rows::default();
        let placed = [(0.0, 5.0), (3.0, 9.0), (5.0, 6.0), (6.0, 7.0), (6.5, 8.0)]
            .map(|(begin, end)| rows.place(begin, end));
        assert_eq!(placed, [0, 1, 0, 0, 2]);
    }
}
