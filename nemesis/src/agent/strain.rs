//! Wants more of the machine than a limit allows, to show that there is one.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What to want.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Strain {
    /// All of a processor for so long, in milliseconds.
    Cpu {
        /// How long.
        for_ms: u64,
    },
    /// So much memory, at once. Where it is short, this process is the one to be killed for it.
    Memory {
        /// In bytes.
        bytes: usize,
    },
}

/// What was had.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Strained {
    /// Processor time, in parts per thousand of the time that it took.
    pub(crate) cpu_permille: u64,
}

/// Wants it.
pub(super) fn strain(order: &Strain) -> Result<Strained, String> {
    let (began, had) = (Instant::now(), processor_time()?);
    match *order {
        Strain::Cpu { for_ms } => {
            while began.elapsed() < Duration::from_millis(for_ms) {
                black_box(began.elapsed());
            }
        }
        Strain::Memory { bytes } => {
            let file = "/proc/self/oom_score_adj";
            fs::write(file, "1000").map_err(|error| format!("{file}: {error}"))?;
            black_box(vec![1_u8; bytes]);
        }
    }
    let had = processor_time()?.saturating_sub(had);
    let cpu_permille = had.as_micros() * 1_000 / began.elapsed().as_micros().max(1);
    Ok(Strained { cpu_permille: cpu_permille as u64 })
}

/// What this process has had so far.
fn processor_time() -> Result<Duration, String> {
    let had = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    had.map(Duration::from).map_err(|error| format!("no processor time: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_wants_a_processor_gets_some_of_it() {
        let had = strain(&Strain::Cpu { for_ms: 20 }).expect("there is a clock");
        assert!((1..=1_050).contains(&had.cpu_permille), "{had:?}");
    }
}
