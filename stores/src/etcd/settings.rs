//! The settings of etcd in campaign files.

use serde::Deserialize;

use crate::StoreError;

/// How clients read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EtcdReads {
    /// The asked node first has a majority confirm that it has everything (etcd's default).
    #[default]
    Linearizable,
    /// The asked node answers with what it has.
    Serializable,
}

/// What can be set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct EtcdSettings {
    /// How clients read.
    pub(super) reads: EtcdReads,
    /// How often a leader says that it is alive.
    pub(super) heartbeat_ms: u64,
    /// How long a follower waits for the leader before it stands for election; each wait is drawn
    /// between this and twice this.
    pub(super) election_timeout_ms: u64,
    /// Whether a node asks whether it would win before it stands for election, so that one that
    /// comes back from isolation does not depose the leader.
    pub(super) pre_vote: bool,
    /// Entries in the log between two snapshots.
    pub(super) snapshot_count: u64,
    /// How long a lock is held at most: its lease ends then, whether it was released or not.
    pub(super) lease_seconds: u64,
    /// The server, by its full path. Only the default is installed where it is missing.
    pub(super) binary: String,
}

impl EtcdSettings {
    /// Where Debian's package has it.
    pub(super) const BINARY: &'static str = "/usr/bin/etcd";

    /// # Errors
    /// If etcd would not start with them, or would do something else than they say.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let refused =
            |problem: String| Err(StoreError::Settings(format!("store `etcd`: {problem}")));
        let Self { heartbeat_ms, election_timeout_ms, snapshot_count, lease_seconds, .. } = *self;
        if heartbeat_ms == 0 {
            return refused("expected `heartbeat-ms` of at least 1, found 0".to_owned());
        }
        // etcd's own limits.
        if heartbeat_ms.checked_mul(5).is_none_or(|least| election_timeout_ms < least) {
            return refused(format!(
                "expected `election-timeout-ms` of at least five times `heartbeat-ms` \
                 ({heartbeat_ms}), found {election_timeout_ms}"
            ));
        }
        if election_timeout_ms > 50_000 {
            return refused(format!(
                "expected `election-timeout-ms` of at most 50000, found {election_timeout_ms}"
            ));
        }
        if snapshot_count == 0 {
            return refused("expected `snapshot-count` of at least 1, found 0".to_owned());
        }
        // etcd quietly makes shorter leases longer.
        let least = (election_timeout_ms * 3 / 2).div_ceil(1000);
        if !(least..=3_600).contains(&lease_seconds) {
            return refused(format!(
                "expected `lease-seconds` from {least} (one and a half election time-outs) to \
                 3600, found {lease_seconds}"
            ));
        }
        if !self.binary.starts_with('/') {
            return refused(format!("expected a full path as `binary`, found `{}`", self.binary));
        }
        Ok(())
    }

    /// In one line for people.
    pub(super) fn describe(&self, nodes: u32) -> String {
        let reads = match self.reads {
            EtcdReads::Linearizable => "linearizable",
            EtcdReads::Serializable => "serializable",
        };
        let mut text = format!(
            "{reads} reads, heartbeat {} ms, election time-out {} ms, {nodes} nodes",
            self.heartbeat_ms, self.election_timeout_ms
        );
        let usual = Self::default();
        if self.pre_vote {
            text += ", pre-vote";
        }
        if self.snapshot_count != usual.snapshot_count {
            text += &format!(", a snapshot every {} entries", self.snapshot_count);
        }
        if self.lease_seconds != usual.lease_seconds {
            text += &format!(", leases of {} s", self.lease_seconds);
        }
        if self.binary != usual.binary {
            text += &format!(", {}", self.binary);
        }
        text
    }
}

impl Default for EtcdSettings {
    fn default() -> Self {
        Self {
            reads: EtcdReads::Linearizable,
            heartbeat_ms: 100,
            election_timeout_ms: 1_000,
            pre_vote: false,
            snapshot_count: 100_000,
            lease_seconds: 10,
            binary: Self::BINARY.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refusal(settings: Value) -> String {
        let settings: EtcdSettings = serde_json::from_value(settings).expect("they are read");
        settings.check().expect_err("refused").to_string()
    }

    #[test]
    fn settings_that_etcd_would_not_take_are_refused() {
        let cases = [
            (json!({ "heartbeat-ms": 0 }), "`heartbeat-ms` of at least 1, found 0"),
            (json!({ "heartbeat-ms": 300 }), "five times `heartbeat-ms` (300), found 1000"),
            (json!({ "election-timeout-ms": 60_000 }), "at most 50000, found 60000"),
            (json!({ "snapshot-count": 0 }), "`snapshot-count` of at least 1"),
            (json!({ "lease-seconds": 1 }), "`lease-seconds` from 2"),
            (json!({ "binary": "etcd" }), "a full path as `binary`, found `etcd`"),
        ];
        for (settings, problem) in cases {
            let refusal = refusal(settings);
            assert!(refusal.contains(problem), "{refusal}");
        }
        EtcdSettings::default().check().expect("the default is good");
    }

    #[test]
    fn what_is_not_the_default_is_described() {
        let settings = json!({ "reads": "serializable", "pre-vote": true, "snapshot-count": 10 });
        let settings: EtcdSettings = serde_json::from_value(settings).expect("they are read");
        assert_eq!(
            settings.describe(3),
            "serializable reads, heartbeat 100 ms, election time-out 1000 ms, 3 nodes, pre-vote, \
             a snapshot every 10 entries"
        );
    }
}
