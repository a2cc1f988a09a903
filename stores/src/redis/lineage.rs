//! Which replication streams make one log: what turns their offsets into versions.
//!
//! ```text
//! epoch 1, n1   ------------------x-----   what n2 did not get is gone when n1 follows n2
//! epoch 2, n2                     `-------------
//!               offset            q
//! ```
//!
//! A promoted replica begins a stream that continues the one it followed, from the offset that it
//! had reached. So (epoch, offset) orders writes as a log does whose end was cut at every failover.
//! The epoch is Sentinel's, which gives each failover one of its own.
//!
//! That is certain only while each new stream continues the newest one that is known. A master that
//! was started again begins at zero; a replica that followed some older master may be promoted; two
//! operators may give one epoch to two masters. From then on nothing is said: no version is better
//! than a wrong one.

use std::collections::BTreeMap;

use perjury_history::Version;

/// Where a write stands in a replication stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The stream's id: a new one begins with every promotion and with every start of a master.
    pub(super) stream: String,
    /// The stream that it goes on from, if it goes on from one.
    pub(super) continues: Option<String>,
    /// Bytes in it, those that it goes on from included, before this write.
    pub(super) offset: u64,
}

/// The streams that were written to, by epoch, as long as they make one log.
#[derive(Clone, Debug, Default)]
pub(super) struct Lineage {
    streams: BTreeMap<u64, String>,
    broken: bool,
}

impl Lineage {
    /// The version of a write to the master that Sentinel named in `epoch`, if it is certain.
    pub(super) fn version(&mut self, epoch: u64, position: &Position) -> Option<Version> {
        self.broken |= !self.fits(epoch, position);
        if self.broken {
            return None;
        }
        self.streams.insert(epoch, position.stream.clone());
        // Sentinel counts failovers from 0, which elsewhere says that a store has no epochs.
        Some(Version { epoch: epoch + 1, position: position.offset })
    }

    fn fits(&self, epoch: u64, position: &Position) -> bool {
        match (self.streams.get(&epoch), self.streams.last_key_value()) {
            (Some(known), _) => *known == position.stream,
            (None, None) => true,
            (None, Some((newest, stream))) => {
                *newest < epoch && position.continues.as_ref() == Some(stream)
            }
        }
    }
}

impl Position {
    /// What `INFO replication` tells; nothing if the server does not count yet.
    pub(super) fn told(replication: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut lines = replication.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        if field("repl_backlog_active")? != "1" {
            return None;
        }
        let begun = |id: &&str| id.bytes().any(|digit| digit != b'0');
        Some(Self {
            stream: field("master_replid")?.to_owned(),
            continues: field("master_replid2").filter(begun).map(str::to_owned),
            offset: field("master_repl_offset")?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(stream: &str, continues: Option<&str>, offset: u64) -> Position {
        Position { stream: stream.into(), continues: continues.map(str::to_owned), offset }
    }

    fn version(epoch: u64, position: u64) -> Option<Version> {
        Some(Version { epoch, position })
    }

    #[test]
    fn a_chain_of_streams_is_one_log_with_the_old_master_still_writing() {
        let mut lineage = Lineage::default();
        assert_eq!(lineage.version(0, &at("a", None, 100)), version(1, 100));
        assert_eq!(lineage.version(1, &at("b", Some("a"), 90)), version(2, 90));
        assert_eq!(lineage.version(0, &at("a", None, 120)), version(1, 120));
        assert_eq!(lineage.version(3, &at("c", Some("b"), 95)), version(4, 95));
    }

    #[test]
    fn nothing_is_said_once_the_chain_is_broken() {
        let breaks = [
            ("a master was started again", (1, at("x", None, 0))),
            ("another master in the same epoch", (1, at("x", Some("a"), 95))),
            ("a replica of an older master took over", (2, at("x", Some("a"), 95))),
            ("a master of no known descent", (2, at("x", Some("y"), 95))),
            ("a stream under the name of another epoch", (2, at("b", Some("a"), 95))),
        ];
        for (what, (epoch, position)) in breaks {
            let mut lineage = Lineage::default();
            assert_eq!(lineage.version(0, &at("a", None, 100)), version(1, 100));
            assert_eq!(lineage.version(1, &at("b", Some("a"), 90)), version(2, 90));
            assert_eq!(lineage.version(epoch, &position), None, "{what}");
            assert_eq!(lineage.version(1, &at("b", Some("a"), 96)), None, "after {what}");
        }
    }

    #[test]
    fn a_server_that_does_not_count_yet_tells_no_position() {
        let text = |active| {
            format!(
                "# Replication\r\nrole:master\r\nmaster_replid:{a}\r\nmaster_replid2:{zeros}\r\n\
                 master_repl_offset:14\r\nrepl_backlog_active:{active}\r\n",
                a = "a".repeat(40),
                zeros = "0".repeat(40),
            )
        };
        assert_eq!(Position::told(&text(0)), None);
        assert_eq!(Position::told(&text(1)), Some(at(&"a".repeat(40), None, 14)));
        assert_eq!(Position::told(""), None);
    }
}
