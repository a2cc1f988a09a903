//! How long a check may take, and how much memory.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use perjury_checkers::Context;

/// The bounds of one check. What reaches one is judged `unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// By the wall clock.
    pub time: Duration,
    /// Beside the history.
    pub memory: Bytes,
    /// Of one search. The same on any machine, as the others are not.
    pub steps: u64,
}

impl Bounds {
    /// Has something checked within these bounds; the time runs from now.
    pub fn within<T>(&self, check: impl FnOnce(&Context<'_>) -> T) -> T {
        let deadline = Instant::now() + self.time;
        check(&Context {
            out_of_time: &|| Instant::now() >= deadline,
            memory_limit_bytes: self.memory.0,
            step_limit: self.steps,
            ..Context::default()
        })
    }
}

impl Default for Bounds {
    /// Five minutes, a quarter of the machine's memory, and the checkers' own limit of steps.
    fn default() -> Self {
        let steps = Context::default().step_limit;
        Self { time: Duration::from_secs(300), memory: Bytes::quarter(), steps }
    }
}

/// An amount of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub usize);

const UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl Bytes {
    /// A quarter of this machine's memory; 1 GiB where it cannot be told.
    fn quarter() -> Self {
        let told = std::fs::read_to_string("/proc/meminfo").ok();
        let total = told.as_deref().and_then(|told| {
            let line = told.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
            line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()
        });
        Bytes(total.map_or(1 << 30, |kib| kib * 1024 / 4))
    }
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = UNITS.iter().find_map(|(unit, bytes)| {
            let number: usize = text.strip_suffix(unit)?.trim_end().parse().ok()?;
            number.checked_mul(*bytes)
        });
        parsed.filter(|bytes| *bytes > 0).map(Bytes).ok_or_else(|| {
            format!("expected an amount of memory like `512MiB` or `4GiB`, found `{text}`")
        })
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, bytes)| self.0.is_multiple_of(*bytes) && self.0 > 0);
        match unit {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => write!(f, "{}MiB", self.0 >> 20),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_memory_are_read_and_written_again() {
        for text in ["512MiB", "4GiB", "1KiB"] {
            assert_eq!(text.parse::<Bytes>().expect("an amount").to_string(), text);
        }
        assert_eq!("2048 MiB".parse::<Bytes>().expect("an amount").to_string(), "2GiB");
        for other in ["", "4", "4GB", "-1GiB", "0MiB", "99999999999999GiB"] {
            assert!(other.parse::<Bytes>().is_err(), "{other}");
        }
    }
}
