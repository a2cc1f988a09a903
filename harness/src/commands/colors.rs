//! Colours for the words that tell a verdict, on terminals only.

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colors {
    On,
    Off,
}

impl Colors {
    /// On if standard output is a terminal and the user has not said no (<https://no-color.org>).
    pub(super) fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|it| it == "dumb");
        match std::io::stdout().is_terminal() && !refused && !dumb {
            true => Colors::On,
            false => Colors::Off,
        }
    }

    /// The text as it is, coloured if it is a verdict.
    pub(super) fn paint(self, text: &str) -> String {
        let style = match (self, text) {
            (Colors::On, "valid" | "yes" | "as expected") => AnsiColor::Green.on_default(),
            (Colors::On, "invalid") => AnsiColor::Red.on_default(),
            (Colors::On, "NO" | "NOT as expected") => AnsiColor::Red.on_default().bold(),
            (Colors::On, "unknown" | "failed" | "inconclusive") => AnsiColor::Yellow.on_default(),
            _ => Style::new(),
        };
        format!("{style}{text}{style:#}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_verdicts_are_coloured() {
        assert_eq!(Colors::On.paint("valid"), "\u{1b}[32mvalid\u{1b}[0m");
        assert_eq!(Colors::On.paint("consensus"), "consensus");
        assert_eq!(Colors::Off.paint("NO"), "NO");
    }
}
