//! When a line of a log was written.
//!
//! Read are the forms that servers write near the beginning of a line: ISO 8601 with `T` or a space
//! (etcd, PostgreSQL), with slashes (Go's standard log) and `24 Nov 2026 21:50:00.123` (Redis). A time
//! without a zone is taken for UTC, which nodes should keep.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// A time stamp begins within so many bytes of its line.
const SEARCHED: usize = 120;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The time of a line in nanoseconds since 1970, if it has one.
pub(super) fn of(line: &[u8]) -> Option<i128> {
    let last = line.len().min(SEARCHED);
    let starts = (0..last)
        .filter(|&at| line[at].is_ascii_digit() && (at == 0 || !line[at - 1].is_ascii_digit()));
    starts.into_iter().find_map(|at| Reader { rest: &line[at..] }.time_stamp())
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn time_stamp(mut self) -> Option<i128> {
        let first = self.number()?;
        let (year, month, day) = match self.take()? {
            separator @ (b'-' | b'/') => {
                let month = self.number()?;
                (self.take()? == separator).then_some(())?;
                (first, month, self.number()?)
            }
            b' ' => {
                let name = self.rest.get(..3)?;
                let month = MONTHS.iter().position(|month| month.as_bytes() == name)?;
                self.rest = &self.rest[3..];
                (self.take()? == b' ').then_some(())?;
                (self.number()?, month as i64 + 1, first)
            }
            _ => return None,
        };
        matches!(self.take()?, b' ' | b'T').then_some(())?;
        let hour = self.number()?;
        (self.take()? == b':').then_some(())?;
        let minute = self.number()?;
        (self.take()? == b':').then_some(())?;
        let second = self.number()?;
        let nanosecond = self.fraction();
        let small = |number: i64| i8::try_from(number).ok();
        // Only these years can be meant; a number of another kind must not be taken for one.
        let year = i16::try_from(year).ok().filter(|year| (2000..2200).contains(year))?;
        date_time(year, [month, day, hour, minute, second].map(small), nanosecond)
            .map(|nanoseconds| nanoseconds - i128::from(self.zone_s()) * 1_000_000_000)
    }

    fn take(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn number(&mut self) -> Option<i64> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(digits);
        self.rest = rest;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// Nanoseconds after a dot or a comma.
    fn fraction(&mut self) -> i32 {
        if !matches!(self.rest.first(), Some(b'.' | b',')) {
            return 0;
        }
        self.rest = &self.rest[1..];
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(digits);
        self.rest = rest;
        let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
        padded.fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'))
    }

    /// Seconds east of Greenwich, after the time.
    fn zone_s(&mut self) -> i64 {
        let sign = match self.rest.first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return 0,
        };
        self.rest = &self.rest[1..];
        let two = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse::<i64>().ok();
        let hours = self.rest.get(..2).and_then(two).unwrap_or(0);
        self.rest = self.rest.get(2..).unwrap_or_default();
        let minutes = self.rest.strip_prefix(b":").unwrap_or(self.rest).get(..2).and_then(two);
        sign * (hours * 3_600 + minutes.unwrap_or(0) * 60)
    }
}

fn date_time(year: i16, parts: [Option<i8>; 5], nanosecond: i32) -> Option<i128> {
    let [month, day, hour, minute, second] = parts;
    let valid = DateTime::new(year, month?, day?, hour?, minute?, second?, nanosecond).ok()?;
    let zoned = valid.to_zoned(TimeZone::fixed(Offset::UTC)).ok()?;
    Some(zoned.timestamp().as_nanosecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same moment as every server of ours writes it.
    const MOMENT_NS: i128 = 1_795_557_000_123_000_000;

    #[test]
    fn the_times_of_servers_are_read() {
        for line in [
            r#"{"level":"info","ts":"2026-11-24T21:50:00.123Z","caller":"raft/raft.go"}"#,
            r#"{"level":"info","ts":"2026-11-24T22:50:00.123+0100","caller":"raft/raft.go"}"#,
            "2026-11-24T22:50:00.123+01:00 INFO started",
            "2026-11-24 21:50:00.123 UTC [77] LOG:  database system is ready",
            "2026-11-24 21:50:00.123 I | raft: n1 became leader",
            "2026/11/24 21:50:00.123 started",
            "1234:M 24 Nov 2026 21:50:00.123 * Ready to accept connections",
            "2026-11-24 21:50:00,123 INFO started",
        ] {
            assert_eq!(of(line.as_bytes()), Some(MOMENT_NS), "{line}");
        }
    }

    #[test]
    fn other_numbers_are_not_times() {
        for line in [
            "",
            "12",
            "1999-01-01 00:00:00",
            "2026-13-24 21:50:00",
            "port 2379 opened",
            "1-2-3 4:5:6",
        ] {
            assert_eq!(of(line.as_bytes()), None, "{line}");
        }
    }
}
