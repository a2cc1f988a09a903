//! What can be set in a campaign file.

use serde::{Deserialize, Serialize};

use crate::StoreError;

/// No duration may be longer, in milliseconds.
const LONGEST_MS: u64 = 86_400_000;

/// Redis and its Sentinels, and how clients use them. The default is what most people run: a write
/// is acknowledged by the master alone, and Sentinel replaces a master that does not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RedisSettings {
    /// Replicas that must have a write before the client takes it for done (`WAIT`); 0 for none.
    /// With fewer its outcome is unknown.
    pub(crate) wait: u32,
    /// How long `WAIT` waits for them.
    pub(crate) wait_timeout_ms: u64,
    /// When the server syncs its log of writes to disk.
    pub(crate) appendfsync: AppendFsync,
    /// A Sentinel takes a server for down that has not answered for so long.
    pub(crate) down_after_ms: u64,
    /// How long a failover may take before another Sentinel tries.
    pub(crate) failover_timeout_ms: u64,
    /// Sentinels that must take the master for down before one of them asks for votes; a majority
    /// of the nodes unless given. The votes themselves always take a majority.
    pub(crate) quorum: Option<u32>,
    /// Replicas that a master must have heard from lately to accept writes; 0 for none.
    pub(crate) min_replicas_to_write: u32,
    /// What lately means, in seconds.
    pub(crate) min_replicas_max_lag_s: u64,
    /// Where clients write.
    pub(crate) writes: Writes,
    /// When clients ask the Sentinel for the master.
    pub(crate) master_lookup: MasterLookup,
    /// Where clients read.
    pub(crate) reads: Reads,
    /// How long a lock is held unless it is released.
    pub(crate) lease_ms: u64,
}

/// When the server syncs its log of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AppendFsync {
    /// Before it answers.
    Always,
    /// Every second.
    Everysec,
    /// When the operating system likes to.
    No,
}

/// Where clients write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Writes {
    /// To the master that the Sentinel of the asked node names.
    Sentinel,
    /// To the asked node itself: a replica refuses.
    Node,
}

/// When clients ask the Sentinel for the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MasterLookup {
    /// When they connect. They stay with what they found until the connection is lost.
    Connection,
    /// Before every operation, as clients do that listen to what Sentinels announce.
    Operation,
}

/// Where clients read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reads {
    /// Where they write.
    Master,
    /// From the asked node itself, which for most clients is a replica.
    Replica,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            wait: 0,
            wait_timeout_ms: 500,
            appendfsync: AppendFsync::Everysec,
            down_after_ms: 1_000,
            failover_timeout_ms: 5_000,
            quorum: None,
            min_replicas_to_write: 0,
            min_replicas_max_lag_s: 10,
            writes: Writes::Sentinel,
            master_lookup: MasterLookup::Connection,
            reads: Reads::Master,
            lease_ms: 10_000,
        }
    }
}

impl RedisSettings {
    /// Sentinels that must agree that the master is down.
    pub(crate) fn quorum(&self, nodes: u32) -> u32 {
        self.quorum.unwrap_or(nodes / 2 + 1)
    }

    /// Whether they can hold on so many nodes.
    ///
    /// # Errors
    /// If one is out of range.
    pub(crate) fn check(&self, nodes: u32) -> Result<(), StoreError> {
        let replicas = u64::from(nodes.saturating_sub(1));
        let ranges = [
            ("wait", 0, u64::from(self.wait), replicas),
            ("wait-timeout-ms", 1, self.wait_timeout_ms, LONGEST_MS),
            ("down-after-ms", 1, self.down_after_ms, LONGEST_MS),
            ("failover-timeout-ms", 1, self.failover_timeout_ms, LONGEST_MS),
            ("quorum", 1, u64::from(self.quorum(nodes)), u64::from(nodes)),
            ("min-replicas-to-write", 0, u64::from(self.min_replicas_to_write), replicas),
            ("min-replicas-max-lag-s", 1, self.min_replicas_max_lag_s, LONGEST_MS / 1_000),
            ("lease-ms", 1, self.lease_ms, LONGEST_MS),
        ];
        for (name, least, found, most) in ranges {
            if !(least..=most).contains(&found) {
                return Err(StoreError::Settings(format!(
                    "store `redis` on {nodes} nodes: expected `{name}` from {least} to {most}, \
                     found {found}"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_hold_on_so_many_nodes_is_refused() {
        assert_eq!(RedisSettings::default().check(1), Ok(()));
        assert_eq!(
            (RedisSettings::default().quorum(3), RedisSettings::default().quorum(4)),
            (2, 3)
        );
        let refused = [
            (RedisSettings { wait: 3, ..RedisSettings::default() }, "`wait` from 0 to 2, found 3"),
            (
                RedisSettings { quorum: Some(0), ..RedisSettings::default() },
                "`quorum` from 1 to 3, found 0",
            ),
            (
                RedisSettings { lease_ms: 0, ..RedisSettings::default() },
                "`lease-ms` from 1 to 86400000",
            ),
        ];
        for (settings, reason) in refused {
            let error = settings.check(3).expect_err("out of range").to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn settings_are_written_with_hyphens_and_unknown_ones_are_refused() {
        let read = |json| serde_json::from_value::<RedisSettings>(json);
        let given = serde_json::json!({ "wait": 1, "appendfsync": "always", "reads": "replica" });
        let read_settings = read(given).expect("known settings");
        let (appendfsync, reads) = (AppendFsync::Always, Reads::Replica);
        let expected = RedisSettings { wait: 1, appendfsync, reads, ..RedisSettings::default() };
        assert_eq!(read_settings, expected);
        let error = read(serde_json::json!({ "waits": 1 })).expect_err("unknown").to_string();
        assert!(error.contains("unknown field `waits`"), "{error}");
    }
}
