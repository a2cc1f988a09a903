//! Plain aligned tables for terminals.

use std::fmt::Write;

use super::colors::Colors;

/// Rows of cells, the first the header; the last column is as wide as it likes.
pub(super) fn render(rows: &[Vec<String>], colors: Colors) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let padding = width - cell.chars().count();
            let cell = if index == 0 { cell.clone() } else { colors.paint(cell) };
            // Writing into a string cannot fail.
            let _ = write!(line, "{cell}{:padding$}  ", "");
        }
        text.push_str(line.trim_end());
        text.push('\n');
        if index == 0 {
            let rule: Vec<_> = widths.iter().map(|&width| "─".repeat(width)).collect();
            text.push_str(&rule.join("  "));
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let table = render(&[row(["test", "verdict"]), row(["a-long-name", "fine"])], Colors::Off);
        assert_eq!(table, "test         verdict\n───────────  ───────\na-long-name  fine\n");
    }

    #[test]
    fn colours_do_not_shift_columns() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let table = render(&[row(["verdict", "runs"]), row(["valid", "3"])], Colors::On);
        assert!(table.ends_with("valid\u{1b}[0m    3\n"), "{table:?}");
    }
}
