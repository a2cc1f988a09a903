//! What can be chosen about PostgreSQL in a campaign file.

use serde::{Deserialize, Serialize};

use crate::StoreError;

/// The store's settings. The defaults are PostgreSQL's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct PostgresSettings {
    /// How many standbys a commit waits for, and which.
    pub(crate) replication: Replication,
    /// How many standbys must acknowledge. By default one, with [`Replication::Quorum`] as many as
    /// make a majority together with the primary.
    pub(crate) synchronous_standbys: Option<u32>,
    /// What a commit waits for: PostgreSQL's `synchronous_commit`.
    pub(crate) synchronous_commit: SynchronousCommit,
    /// The isolation level of transactions on the primary. Standbys know no `serializable`.
    pub(crate) isolation: Isolation,
    /// Where a client reads.
    pub(crate) reads: Reads,
    /// Where a client writes.
    pub(crate) writes: Writes,
    /// How long a session waits for its node to reach what it has seen before it turns to the
    /// primary, in milliseconds. For [`Reads::Session`].
    pub(crate) session_wait_ms: u64,
    /// What a client does about a statement that has taken too long.
    pub(crate) at_time_out: AtTimeOut,
    /// Whether the old primary is stopped, if it can be reached, before another is promoted, and
    /// a primary that was replaced while it was down comes back as a standby.
    pub(crate) fencing: bool,
    /// What an operator has a standby do before it is promoted.
    pub(crate) promotion: Promotion,
    /// Whether pages carry checksums.
    pub(crate) checksums: bool,
    /// How many connections a node takes.
    pub(crate) max_connections: u32,
    /// The port of every node.
    pub(crate) port: u16,
    /// Where the server's programs are.
    pub(crate) programs: String,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            replication: Replication::Asynchronous,
            synchronous_standbys: None,
            synchronous_commit: SynchronousCommit::On,
            isolation: Isolation::ReadCommitted,
            reads: Reads::Primary,
            writes: Writes::Primary,
            session_wait_ms: 100,
            at_time_out: AtTimeOut::Cancel,
            fencing: false,
            promotion: Promotion::AtOnce,
            checksums: false,
            max_connections: 500,
            port: 5432,
            programs: "/usr/lib/postgresql/15/bin".to_owned(),
        }
    }
}

/// Which standbys a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Replication {
    /// None.
    Asynchronous,
    /// The first of the list that are connected: `FIRST k (...)`.
    Synchronous,
    /// Any of them: `ANY k (...)`.
    Quorum,
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SynchronousCommit {
    /// Nothing: a crash loses acknowledged commits.
    Off,
    /// The primary's own disk.
    Local,
    /// The standbys' operating systems.
    RemoteWrite,
    /// The standbys' disks.
    On,
    /// That standbys show it to readers.
    RemoteApply,
}

/// How far transactions are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Isolation {
    /// Every statement sees what was committed before it.
    ReadCommitted,
    /// Every transaction does: snapshot isolation.
    RepeatableRead,
    /// Serializable snapshot isolation.
    Serializable,
}

/// Where a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reads {
    /// From the primary.
    Primary,
    /// From the node it talks to, whatever that has.
    Standby,
    /// From the node it talks to once that has replayed all that the session has seen, by log
    /// sequence numbers; else from the primary.
    Session,
}

/// Where a client writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Writes {
    /// To the primary, which is looked up once for each connection.
    Primary,
    /// To the node it talks to. A standby refuses.
    Node,
}

/// What a client does about a statement that has taken too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AtTimeOut {
    /// It asks the server to cancel it, as drivers with a query time-out do. A commit that waits for
    /// standbys then becomes visible without them.
    Cancel,
    /// It only closes the connection.
    Disconnect,
}

/// What an operator has a standby do before it is promoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Promotion {
    /// Nothing.
    AtOnce,
    /// It gets what the most advanced standby has. Refused if so few standbys answer that an
    /// acknowledged commit could be missed.
    CaughtUp,
}

impl PostgresSettings {
    /// Whether the settings fit each other and the number of nodes.
    ///
    /// # Errors
    /// If they do not; the message says what would.
    pub(crate) fn check(&self, nodes: u32) -> Result<(), StoreError> {
        let refused = |text: String| Err(StoreError::Settings(format!("store `postgres`: {text}")));
        let waits = self.replication != Replication::Asynchronous;
        let commit = self.synchronous_commit;
        let needs_standbys =
            matches!(commit, SynchronousCommit::RemoteWrite | SynchronousCommit::RemoteApply);
        if needs_standbys && !waits {
            return refused(format!(
                "synchronous-commit = {} waits for nobody with replication = \"asynchronous\"; \
                 expected replication = \"synchronous\" or \"quorum\"",
                word(&commit)
            ));
        }
        if waits && matches!(commit, SynchronousCommit::Off | SynchronousCommit::Local) {
            return refused(format!(
                "synchronous-commit = {} does not wait for standbys; expected \"remote-write\", \
                 \"on\" or \"remote-apply\" with replication = {}",
                word(&commit),
                word(&self.replication)
            ));
        }
        if waits && !(1..nodes).contains(&self.awaited_standbys(nodes)) {
            return refused(format!(
                "expected synchronous-standbys from 1 to {}, one less than there are nodes, found \
                 {}",
                nodes.saturating_sub(1),
                self.awaited_standbys(nodes)
            ));
        }
        if !waits && self.synchronous_standbys.is_some() {
            return refused(
                "synchronous-standbys means nothing with replication = \"asynchronous\"; leave it \
                 out"
                .to_owned(),
            );
        }
        if self.port == 0 {
            return refused("expected a port from 1, found 0".to_owned());
        }
        if !(20..=100_000).contains(&self.max_connections) {
            return refused(format!(
                "expected max-connections from 20 to 100000, found {}",
                self.max_connections
            ));
        }
        if self.session_wait_ms > 60_000 {
            return refused(format!(
                "expected session-wait-ms up to 60000, found {}",
                self.session_wait_ms
            ));
        }
        if !self.programs.starts_with('/') {
            return refused(format!(
                "expected programs to be a full path, found {}",
                self.programs
            ));
        }
        Ok(())
    }

    /// How many standbys a commit waits for.
    pub(super) fn awaited_standbys(&self, nodes: u32) -> u32 {
        match (self.replication, self.synchronous_standbys) {
            (Replication::Asynchronous, _) => 0,
            (_, Some(number)) => number,
            (Replication::Synchronous, None) => 1,
            (Replication::Quorum, None) => nodes / 2,
        }
    }

    /// Whether a log sequence number is never given to two acknowledged commits of a timeline: what
    /// was acknowledged outlives a crash of the primary.
    pub(super) fn positions_are_lasting(&self) -> bool {
        self.synchronous_commit != SynchronousCommit::Off
    }

    /// The settings that matter, in one line for people.
    pub(super) fn describe(&self, nodes: u32) -> String {
        let awaited = match self.awaited_standbys(nodes) {
            0 => String::new(),
            number => format!(" ({number})"),
        };
        let mut text = format!(
            "{}{awaited}, synchronous commit {}, {}, reads {}, writes {}, at time-out {}, \
             promotion {}, {}, {nodes} nodes",
            plain(&self.replication),
            plain(&self.synchronous_commit),
            plain(&self.isolation),
            plain(&self.reads),
            plain(&self.writes),
            plain(&self.at_time_out),
            plain(&self.promotion),
            if self.fencing { "fencing" } else { "no fencing" },
        );
        if self.checksums {
            text += ", checksums";
        }
        text
    }
}

/// A setting as a campaign file writes it.
fn word(setting: &impl Serialize) -> String {
    serde_json::to_string(setting).unwrap_or_else(|error| error.to_string())
}

/// The same without quotation marks.
pub(super) fn plain(setting: &impl Serialize) -> String {
    word(setting).replace('"', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> PostgresSettings {
        serde_json::from_str(json).expect("settings")
    }

    #[test]
    fn contradictions_are_refused_with_what_would_do() {
        let table = [
            (r#"{"synchronous-commit": "remote-apply"}"#, "expected replication"),
            (r#"{"replication": "quorum", "synchronous-commit": "local"}"#, "expected \"remote"),
            (r#"{"replication": "quorum", "synchronous-standbys": 3}"#, "from 1 to 2"),
            (r#"{"replication": "synchronous", "synchronous-standbys": 0}"#, "from 1 to 2"),
            (r#"{"synchronous-standbys": 1}"#, "leave it out"),
            (r#"{"port": 0}"#, "a port from 1"),
            (r#"{"max-connections": 3}"#, "max-connections from 20"),
            (r#"{"session-wait-ms": 60001}"#, "up to 60000"),
            (r#"{"programs": "bin"}"#, "full path"),
        ];
        for (json, expected) in table {
            let error = settings(json).check(3).expect_err(json).to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
        for json in ["{}", r#"{"replication": "quorum", "synchronous-commit": "remote-apply"}"#] {
            settings(json).check(3).expect("they fit");
        }
        assert!(settings(r#"{"replication": "synchronous"}"#).check(1).is_err(), "no standby");
    }

    #[test]
    fn a_quorum_is_a_majority_with_the_primary() {
        let quorum = settings(r#"{"replication": "quorum"}"#);
        let awaited = [2, 3, 4, 5].map(|nodes| quorum.awaited_standbys(nodes));
        assert_eq!(awaited, [1, 1, 2, 2]);
    }
}
