//! A sign of life for what must not outlive its controller.
//!
//! A command that is given a pulse to read gets a byte now and then, and the end of file when the
//! pulse ends, the controller dies or the connection breaks. If the machine with the controller loses
//! its power nothing tells the command's machine so: then it hears nothing for a long time. What a
//! command makes of it is its own business; see `lock.sh` of the machines.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between two beats.
const EVERY: Duration = Duration::from_secs(10);

/// After a silence of this length nobody is there any more.
pub const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Beats until it is ended. Clones are handles to the same one.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    ended: Arc<AtomicBool>,
}

impl Pulse {
    /// Ends it.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    /// Whether it was ended.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// What a command reads.
    pub(crate) fn beats(self) -> Beats {
        Beats { pulse: self, next: Instant::now() }
    }
}

/// A pulse as one command reads it.
pub(crate) struct Beats {
    pulse: Pulse,
    next: Instant,
}

impl Read for Beats {
    /// Would block between two beats.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.pulse.has_ended() {
            return Ok(0);
        }
        if buffer.is_empty() || Instant::now() < self.next {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.next = Instant::now() + EVERY;
        buffer[0] = b'.';
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_beats_at_once_then_rests_and_has_an_end() {
        let pulse = Pulse::default();
        let mut beats = pulse.clone().beats();
        let mut buffer = [0; 8];
        assert_eq!(beats.read(&mut buffer).expect("a beat"), 1);
        let rest = beats.read(&mut buffer).expect_err("nothing yet");
        assert_eq!(rest.kind(), ErrorKind::WouldBlock);
        pulse.end();
        assert_eq!(beats.read(&mut buffer).expect("the end"), 0);
    }
}
