//! All lines of all nodes in the order of the run's time.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use perjury_history::NodeId;

use super::{NodeLog, SuspiciousLine, suspicion, time_stamp};

/// Suspicious lines that are told of each log; all are counted.
const TOLD: usize = 20;

/// How much of a line is told.
const TEXT_CHARS: usize = 300;

/// How much of a log is merged; the file itself is kept whole.
const MERGED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One log as it came from its node.
pub(super) struct Fetched {
    pub(super) node: NodeId,
    pub(super) name: String,
    /// Relative to the run's folder.
    pub(super) path: String,
    pub(super) content: Vec<u8>,
    /// By how much the node's clock is ahead of the controller's.
    pub(super) ahead_ns: i128,
}

/// Writes `merged` and says what each log holds. `started_ns` is when the run began, since 1970.
pub(super) fn merge(logs: &[Fetched], started_ns: i128, merged: &Path) -> io::Result<Vec<NodeLog>> {
    let mut summaries = Vec::new();
    // Time, log, line: what has no time follows what it stands below.
    let mut order: Vec<(i64, usize, &[u8])> = Vec::new();
    for (index, log) in logs.iter().enumerate() {
        let mut summary = NodeLog {
            node: log.node,
            name: log.name.clone(),
            path: log.path.clone(),
            lines: 0,
            suspicious: Vec::new(),
            suspicions: 0,
        };
        let mut last_ns = i64::MIN;
        let mut bytes = 0;
        let content = log.content.strip_suffix(b"\n").unwrap_or(&log.content);
        for line in content.split(|&byte| byte == b'\n').filter(|_| !content.is_empty()) {
            summary.lines += 1;
            let time_ns = time_stamp::of(line)
                .and_then(|time_ns| i64::try_from(time_ns - log.ahead_ns - started_ns).ok());
            last_ns = time_ns.unwrap_or(last_ns);
            let text = String::from_utf8_lossy(line);
            if let Some(what) = suspicion::of(&text) {
                summary.suspicions += 1;
                if summary.suspicious.len() < TOLD {
                    summary.suspicious.push(SuspiciousLine {
                        line: summary.lines,
                        time_ns,
                        what: what.to_owned(),
                        text: text.chars().take(TEXT_CHARS).collect(),
                    });
                }
            }
            bytes += line.len();
            if bytes <= MERGED_BYTES_MAX {
                order.push((last_ns, index, line));
            }
        }
        summaries.push(summary);
    }
    // Stable: lines of one log that bear one time stay in order.
    order.sort_by_key(|&(time_ns, _, _)| time_ns);
    let mut out = BufWriter::new(File::create(merged)?);
    for (time_ns, index, line) in order {
        let log = &logs[index];
        match time_ns {
            i64::MIN => write!(out, "{:>14}", "")?,
            _ => write!(out, "{:>12.6} s", time_ns as f64 / 1e9)?,
        }
        write!(out, "  {:<4} {:<16} ", log.node.to_string(), log.name)?;
        out.write_all(line)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(summaries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(node: u32, content: &str, ahead_ns: i128) -> Fetched {
        let (name, path) = ("db.log".to_owned(), format!("logs/n{}/db.log", node + 1));
        Fetched { node: NodeId(node), name, path, content: content.into(), ahead_ns }
    }

    #[test]
    fn lines_of_all_nodes_stand_in_the_order_of_the_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let merged = folder.path().join("merged.log");
        let start = time_stamp::of(b"2026-11-24 10:00:00").expect("a time");
        // The second node's clock is an hour ahead.
        let logs = [
            fetched(
                0,
                "banner\n2026-11-24 10:00:01 one\n  more\n2026-11-24 10:00:05 panic: x\n",
                0,
            ),
            fetched(1, "2026-11-24 11:00:03 three\n", 3_600_000_000_000),
            fetched(2, "", 0),
        ];
        let summaries = merge(&logs, start, &merged).expect("it can be written");
        let text = std::fs::read_to_string(&merged).expect("it was written");
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "n1   db.log           banner",
                "1.000000 s  n1   db.log           2026-11-24 10:00:01 one",
                "1.000000 s  n1   db.log             more",
                "3.000000 s  n2   db.log           2026-11-24 11:00:03 three",
                "5.000000 s  n1   db.log           2026-11-24 10:00:05 panic: x",
            ]
        );
        let counts: Vec<_> = summaries.iter().map(|it| (it.lines, it.suspicions)).collect();
        assert_eq!(counts, [(4, 1), (1, 0), (0, 0)]);
        let found = &summaries[0].suspicious[0];
        assert_eq!((found.line, found.time_ns), (4, Some(5_000_000_000)));
    }
}
