//! Lines of a log that tell of a defect of the store itself.

/// What such lines contain, and what that tells of. No ordinary complaint is in here: refused
/// connections and lost leaders are what the nemesis is for.
const SIGNS: [(&str, &str); 16] = [
    ("panic:", "panic"),
    ("PANIC:", "panic"),
    ("panicked at", "panic"),
    ("fatal error:", "panic"),
    ("goroutine 1 [", "stack trace"),
    ("FailedAssertion", "failed assertion"),
    ("ASSERTION FAILED", "failed assertion"),
    ("Assertion failed", "failed assertion"),
    ("assertion failed", "failed assertion"),
    ("BUG REPORT START", "crash"),
    ("was terminated by signal 11", "crash"),
    ("was terminated by signal 6", "crash"),
    ("SIGSEGV", "crash"),
    ("segmentation fault", "crash"),
    ("invalid page in block", "corrupt data"),
    ("data corruption", "corrupt data"),
];

/// What a line tells of, if it is suspicious.
pub(super) fn of(line: &str) -> Option<&'static str> {
    SIGNS.iter().find(|(sign, _)| line.contains(sign)).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crashes_are_suspicious_and_complaints_are_not() {
        for (line, what) in [
            ("panic: freepages: failed to get all reachable pages", Some("panic")),
            ("2026-11-24 21:50:00 UTC [9] PANIC:  could not fsync file", Some("panic")),
            ("TRAP: FailedAssertion(\"state != 3\", File: \"x.c\")", Some("failed assertion")),
            ("=== REDIS BUG REPORT START: Cut & paste starting from here ===", Some("crash")),
            (
                "server process (PID 7) was terminated by signal 11: Segmentation fault",
                Some("crash"),
            ),
            ("FATAL:  the database system is starting up", None),
            ("lost leader n1 at term 3", None),
            ("health check for peer n2 could not connect: connection refused", None),
        ] {
            assert_eq!(of(line), what, "{line}");
        }
    }
}
