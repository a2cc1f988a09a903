//! How far a campaign has come: a bar on a terminal, a line now and then elsewhere, on stderr.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Prints a line to stderr. Nobody may be there to read it, and that must not stop anything (as
/// `eprintln!` would).
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Shows the progress of several runs.
pub struct Progress {
    bar: Option<ProgressBar>,
    total: usize,
    lines: Mutex<Lines>,
}

struct Lines {
    done: usize,
    last: Instant,
}

impl Progress {
    /// Of `total` runs; shows nothing if `quiet`.
    pub fn new(total: usize, quiet: bool) -> Self {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| {
            let style = "{spinner} {pos}/{len} {bar:30} {elapsed} {msg}";
            let style = ProgressStyle::with_template(style).expect("a good template");
            let bar = ProgressBar::new(total as u64).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        // A quiet one is a line that is never due.
        let last =
            Instant::now() + if quiet { Duration::from_secs(1 << 30) } else { Duration::ZERO };
        Self { bar, total, lines: Mutex::new(Lines { done: 0, last }) }
    }

    /// A run has begun.
    pub fn began(&self, name: &str, seed: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{name} (seed {seed})"));
        }
    }

    /// A run has ended.
    pub fn ended(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
            return;
        }
        let mut lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lines.done += 1;
        if lines.last.elapsed() >= LINE_EVERY {
            say(&format!("{} of {} runs done", lines.done, self.total));
            lines.last = Instant::now();
        }
    }

    /// Everything has ended.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
