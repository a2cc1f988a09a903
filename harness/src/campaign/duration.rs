//! Durations as people write them: `60s`, `1m30s`, `250ms`.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, not negative and at most [`Duration::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    /// Nanoseconds.
    pub ns: u64,
}

impl Duration {
    /// A year: sums and multiples of it are far from the end of a clock.
    pub const MAX: Duration = Duration::seconds(365 * 86_400);

    /// Whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self { ns: seconds * 1_000_000_000 }
    }

    /// Whole milliseconds.
    pub const fn milliseconds(milliseconds: u64) -> Self {
        Self { ns: milliseconds * 1_000_000 }
    }
}

impl std::str::FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.parse::<SignedDuration>().ok();
        let ns = parsed.and_then(|duration| u64::try_from(duration.as_nanos()).ok());
        let duration = ns.map(|ns| Duration { ns }).ok_or_else(|| {
            format!("expected a duration like `60s`, `1m30s` or `250ms`, found `{text}`")
        })?;
        match duration <= Duration::MAX {
            true => Ok(duration),
            false => Err(format!("expected a duration of at most a year, found `{text}`")),
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", SignedDuration::from_nanos(self.ns as i64))
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_s_durations_are_read_and_written_again() {
        for text in ["60s", "1m30s", "250ms", "2h", "0s"] {
            let duration: Duration = text.parse().expect("a duration");
            assert_eq!(duration.to_string().parse(), Ok(duration));
        }
        assert_eq!("1m".parse(), Ok(Duration::seconds(60)));
        for text in ["60", "-5s", "soon", "", "8761h", "5000000h", "99999999999999999999h"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }
}
