//! Numbers as people read them.

/// A length of time, rounded to what matters: `4.2 s`, `320 ms`, `12 µs`, `2 min 5 s`.
pub(crate) fn duration(ns: u64) -> String {
    const MICROSECOND: u64 = 1_000;
    const MILLISECOND: u64 = 1_000 * MICROSECOND;
    const SECOND: u64 = 1_000 * MILLISECOND;
    // One digit after the point below ten, none above; rounding may carry into the next unit.
    let decimal = |unit: u64, name: &str| {
        let tenths = (ns + unit / 20) / (unit / 10);
        match tenths {
            0..100 if !tenths.is_multiple_of(10) => {
                format!("{}.{} {name}", tenths / 10, tenths % 10)
            }
            _ => format!("{} {name}", (ns + unit / 2) / unit),
        }
    };
    match ns {
        0 => "0 s".into(),
        1..MICROSECOND => format!("{ns} ns"),
        MICROSECOND..999_500 => decimal(MICROSECOND, "µs"),
        999_500..999_500_000 => decimal(MILLISECOND, "ms"),
        999_500_000..59_950_000_000 => {
            let tenths = (ns + SECOND / 20) / (SECOND / 10);
            match tenths % 10 {
                0 => format!("{} s", tenths / 10),
                rest => format!("{}.{rest} s", tenths / 10),
            }
        }
        _ => {
            let seconds = (ns + SECOND / 2) / SECOND;
            let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            match (hours, minutes, seconds) {
                (0, minutes, 0) => format!("{minutes} min"),
                (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
                (hours, minutes, _) => format!("{hours} h {minutes} min"),
            }
        }
    }
}

/// A moment of the run in seconds, to the millisecond that it lies in: `14.203 s`. Cut, not rounded,
/// as the checkers do, so that the same moment reads the same everywhere.
pub(crate) fn moment(ns: u64) -> String {
    moment_to(ns, 3)
}

/// A moment of the run in seconds, to so many decimals (at most 9).
pub(crate) fn moment_to(ns: u64, decimals: u32) -> String {
    let scale = 10_u64.pow(decimals.min(9));
    let unit = 1_000_000_000 / scale;
    let (seconds, fraction) = (ns / unit / scale, ns / unit % scale);
    match decimals {
        0 => format!("{seconds} s"),
        _ => format!("{seconds}.{fraction:0width$} s", width = decimals.min(9) as usize),
    }
}

/// A count with thousands set apart: `60,000`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count with its noun: `1 write`, `37 writes`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// At most so many characters of a text, with `…` where it was cut.
pub(crate) fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(characters.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

/// At most so many characters of a text: its beginning, ` … ` and its end.
pub(crate) fn elided(text: &str, characters: usize) -> String {
    if text.char_indices().nth(characters).is_none() {
        return text.to_owned();
    }
    let half = characters.saturating_sub(3) / 2;
    let beginning: String = text.chars().take(half).collect();
    let end = text.char_indices().rev().nth(half.saturating_sub(1)).map_or(0, |(at, _)| at);
    format!("{beginning} … {}", &text[end..])
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list<T: ToString>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    match items.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_speech() {
        let table = [
            (0, "0 s"),
            (999, "999 ns"),
            (1_500, "1.5 µs"),
            (12_300, "12 µs"),
            (999_499, "999 µs"),
            (999_500, "1 ms"),
            (2_000_000, "2 ms"),
            (320_400_000, "320 ms"),
            (4_200_000_000, "4.2 s"),
            (12_340_000_000, "12.3 s"),
            (60_000_000_000, "1 min"),
            (125_000_000_000, "2 min 5 s"),
            (7_260_000_000_000, "2 h 1 min"),
        ];
        for (ns, expected) in table {
            assert_eq!(duration(ns), expected, "{ns} ns");
        }
    }

    #[test]
    fn moments_counts_and_lists() {
        assert_eq!(moment(14_203_999_999), "14.203 s");
        assert_eq!(moment_to(14_203_400_000, 0), "14 s");
        assert_eq!([count(7), count(1_000), count(1_234_567)], ["7", "1,000", "1,234,567"]);
        assert_eq!(shortened("größer", 4), "grö…");
        assert_eq!([elided("größer", 6), elided("ähnlichkeiten", 9)], ["größer", "ähn … ten"]);
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
