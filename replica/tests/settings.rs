//! Settings as campaign files hold them.

use perjury_replica::{
    Acknowledge, Failover, Fencing, Fsync, Isolation, LeaderReads, Promote, ReadRoute, Rejoin,
    Settings,
};

#[test]
fn a_campaign_table_is_read_as_it_is_written() {
    let settings: Settings = toml::from_str(
        r#"
        replication = "leader-follower"
        acknowledge = { semi-sync = 2 }
        failover = "manual"
        promote = "any"
        fencing = "none"
        rejoin = "keep"
        reads = { leader-after-write = { window-ms = 500 } }
        leader-reads = "lease"
        isolation = "snapshot-isolation"
        step-ms = 3
        fsync = "periodic"
        fsync-interval-ms = 10
        heartbeat-ms = 20
        election-timeout-ms = 200
        replication-interval-ms = 5
        snapshot-after = 100
        "#,
    )
    .expect("the table is right");
    let expected = Settings {
        acknowledge: Acknowledge::SemiSync(2),
        failover: Failover::Manual,
        promote: Promote::Any,
        fencing: Fencing::None,
        rejoin: Rejoin::Keep,
        reads: ReadRoute::LeaderAfterWrite { window_ms: 500 },
        leader_reads: Some(LeaderReads::Lease),
        isolation: Isolation::SnapshotIsolation,
        step_ms: 3,
        fsync: Fsync::Periodic,
        fsync_interval_ms: 10,
        heartbeat_ms: 20,
        election_timeout_ms: 200,
        replication_interval_ms: 5,
        snapshot_after: 100,
        ..Settings::default()
    };
    assert_eq!(settings, expected);
    let text = toml::to_string(&settings).expect("settings can be written");
    assert_eq!(toml::from_str::<Settings>(&text).expect("and read"), settings);
    assert_eq!(settings.check(5), Ok(()));
}

#[test]
fn all_modes_survive_json() {
    for reads in [
        ReadRoute::Leader,
        ReadRoute::AnyFollower,
        ReadRoute::StickyFollower,
        ReadRoute::SessionToken,
        ReadRoute::Cache { ttl_ms: 7 },
    ] {
        for acknowledge in [Acknowledge::Async, Acknowledge::Sync, Acknowledge::Quorum] {
            let settings = Settings { reads, acknowledge, ..Settings::default() };
            let text = serde_json::to_string(&settings).expect("settings can be written");
            assert_eq!(serde_json::from_str::<Settings>(&text).expect("and read"), settings);
        }
    }
}

#[test]
fn an_empty_table_is_raft() {
    let settings: Settings = toml::from_str("").expect("nothing is required");
    assert_eq!(settings, Settings::default());
    assert_eq!(settings.acknowledge, Acknowledge::Quorum);
    assert_eq!(settings.leader_reads(), LeaderReads::Confirmed);
    let weak = Settings { acknowledge: Acknowledge::Async, ..settings };
    assert_eq!(weak.leader_reads(), LeaderReads::Local);
}

#[test]
fn mistakes_are_named() {
    for (table, expected) in [
        ("acknowlege = \"sync\"", "unknown field `acknowlege`"),
        ("acknowledge = \"most\"", "unknown variant `most`"),
        ("reads = { cache = { ttl = 1 } }", "ttl, available keys: ttl-ms"),
        ("isolation = \"none\"", "unknown variant `none`"),
        ("replication = \"leaderless\"", "unknown variant `leaderless`"),
    ] {
        let error = toml::from_str::<Settings>(table).expect_err("a mistake").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn impossible_settings_say_what_to_do() {
    let settings = Settings::default;
    for (settings, nodes, expected) in [
        (settings(), 0, "expected at least 1 node"),
        (
            Settings { acknowledge: Acknowledge::SemiSync(3), ..settings() },
            3,
            "waits for 3 followers, but 3 nodes have 2",
        ),
        (
            Settings { acknowledge: Acknowledge::SemiSync(0), ..settings() },
            3,
            "write \"async\" instead",
        ),
        (Settings { acknowledge: Acknowledge::SemiSync(1), ..settings() }, 1, "more nodes"),
        (Settings { heartbeat_ms: 0, ..settings() }, 3, "heartbeat-ms of at least 1"),
        (Settings { step_ms: 0, ..settings() }, 3, "step-ms of at least 1"),
        (Settings { heartbeat_ms: 200, ..settings() }, 3, "at least twice heartbeat-ms (200)"),
        (
            Settings { reads: ReadRoute::Cache { ttl_ms: u64::MAX }, ..settings() },
            3,
            "ttl-ms of at most a day",
        ),
    ] {
        let error = settings.check(nodes).expect_err("impossible").to_string();
        assert!(error.contains(expected), "{error}");
    }
}
