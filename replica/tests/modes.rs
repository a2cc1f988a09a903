//! Every mode does what it says, mistakes included.

mod cluster;

use cluster::{Cluster, MS};
use perjury_replica::{
    Acknowledge, Command, Failover, Fencing, Fsync, Input, LeaderReads, Outcome, Promote,
    ReadRoute, Refusal, Rejoin, Role, SessionToken, Settings,
};

const SECOND: u64 = 1_000 * MS;
const WRITTEN: Option<Outcome> = Some(Outcome::Written);

fn value(value: i64) -> Option<Outcome> {
    Some(Outcome::Read(Some(value)))
}

/// A cluster that has elected nobody yet but is ready.
fn cluster(nodes: u32, settings: Settings) -> Cluster {
    let mut cluster = Cluster::new(nodes, settings, 1);
    cluster.run_for(100 * MS);
    cluster
}

fn with(acknowledge: Acknowledge) -> Settings {
    Settings { acknowledge, ..Settings::default() }
}

#[test]
fn every_node_takes_every_request() {
    for acknowledge in
        [Acknowledge::Async, Acknowledge::SemiSync(1), Acknowledge::Sync, Acknowledge::Quorum]
    {
        for nodes in [1, 2, 5] {
            if acknowledge == Acknowledge::SemiSync(1) && nodes == 1 {
                continue;
            }
            let mut cluster = cluster(nodes, with(acknowledge));
            for id in 0..nodes {
                assert_eq!(cluster.write(id, 7, i64::from(id)), WRITTEN);
                let cas = Command::Cas { key: 7, old: i64::from(id), new: 100 };
                assert_eq!(cluster.call(id, cas.clone()).map(|reply| reply.outcome), WRITTEN);
                let reply = cluster.call(id, cas).expect("an answer");
                assert_eq!(reply.outcome, Outcome::Mismatch);
                assert_eq!((reply.served_by, reply.epoch), (0, 1));
                assert_eq!(cluster.read(id, 7), value(100));
                assert_eq!(cluster.read(id, 8), Some(Outcome::Read(None)));
            }
            cluster.run_for(200 * MS);
            assert_eq!(cluster.inspect(7), vec![Some(100); nodes as usize]);
        }
    }
}

#[test]
fn acknowledgement_waits_for_whom_it_says() {
    // How many followers must be reachable for a write to be acknowledged.
    for (acknowledge, needed) in [
        (Acknowledge::Async, 0),
        (Acknowledge::SemiSync(1), 1),
        (Acknowledge::Quorum, 2),
        (Acknowledge::SemiSync(3), 3),
        (Acknowledge::Sync, 4),
    ] {
        for reachable in 0..=4 {
            let settings = Settings { failover: Failover::None, ..with(acknowledge) };
            let mut cluster = cluster(5, settings);
            let group: Vec<_> = (0..=reachable).collect();
            cluster.partition(&[&group]);
            let acknowledged = cluster.write(0, 1, 1) == WRITTEN;
            assert_eq!(acknowledged, reachable >= needed, "{acknowledge:?} with {reachable}");
        }
    }
}

/// Cuts the leader off with a client, lets the others elect, and heals.
fn cut_off_leader(settings: Settings) -> (Cluster, Option<Outcome>) {
    let mut cluster = cluster(5, settings);
    assert_eq!(cluster.write(0, 1, 1), WRITTEN);
    cluster.run_for(100 * MS);
    cluster.isolate(0);
    let cut_off = cluster.write(0, 1, 2);
    cluster.run_for(3 * SECOND);
    assert_ne!(cluster.leader(), 0);
    (cluster, cut_off)
}

#[test]
fn asynchronous_replication_loses_acknowledged_writes_in_a_failover() {
    let (mut cluster, cut_off) = cut_off_leader(with(Acknowledge::Async));
    assert_eq!(cut_off, WRITTEN);
    cluster.heal();
    cluster.run_for(SECOND);
    assert_eq!(cluster.leaders().len(), 1);
    assert_eq!(cluster.inspect(1), vec![Some(1); 5]);
}

#[test]
fn a_quorum_acknowledges_nothing_it_may_lose() {
    let (mut cluster, cut_off) = cut_off_leader(Settings::default());
    assert_eq!(cut_off, None);
    assert_eq!(cluster.write(1, 1, 3), WRITTEN);
    cluster.heal();
    cluster.run_for(SECOND);
    assert_eq!(cluster.leaders().len(), 1);
    assert_eq!(cluster.inspect(1), vec![Some(3); 5]);
    // The client of the write that was dropped is told only that nobody knows.
    let unknown = cluster.replies.values().any(|r| matches!(r.outcome, Outcome::Unknown(_)));
    assert!(unknown);
}

#[test]
fn without_fencing_two_leaders_acknowledge_for_ever() {
    for fencing in [Fencing::None, Fencing::Epoch] {
        let settings = Settings { fencing, ..with(Acknowledge::Async) };
        let (mut cluster, _) = cut_off_leader(settings);
        cluster.heal();
        cluster.run_for(3 * SECOND);
        let new = cluster.leader();
        let leaders = if fencing == Fencing::None { 2 } else { 1 };
        assert_eq!(cluster.leaders().len(), leaders);
        assert_eq!(cluster.write(0, 5, 10), WRITTEN);
        assert_eq!(cluster.write(new, 5, 20), WRITTEN);
        let split = cluster.read(0, 5) == value(10) && cluster.read(new, 5) == value(20);
        assert_eq!(split, fencing == Fencing::None);
        if split {
            // Until its process restarts.
            cluster.crash(0);
            cluster.start(0);
            cluster.run_for(SECOND);
            assert_eq!(cluster.leaders(), [new]);
            assert_eq!(cluster.inspect(5), vec![Some(20); 5]);
        }
    }
}

#[test]
fn keeping_a_diverged_log_makes_replicas_differ_for_ever() {
    let settings = Settings { rejoin: Rejoin::Keep, ..with(Acknowledge::Async) };
    let (mut cluster, cut_off) = cut_off_leader(settings);
    assert_eq!(cut_off, WRITTEN);
    cluster.heal();
    cluster.run_for(SECOND);
    let new = cluster.leader();
    assert_eq!(cluster.write(new, 9, 9), WRITTEN);
    cluster.run_for(SECOND);
    assert_eq!(cluster.inspect(1), [Some(2), Some(1), Some(1), Some(1), Some(1)]);
    assert_eq!(cluster.inspect(9), vec![Some(9); 5]);
}

#[test]
fn a_diverged_node_may_refuse_to_come_back() {
    let settings = Settings { rejoin: Rejoin::Refuse, ..with(Acknowledge::Async) };
    let (mut cluster, _) = cut_off_leader(settings);
    cluster.heal();
    cluster.run_for(SECOND);
    let out = Some(Outcome::Refused(Refusal::Out));
    for restart in [false, true] {
        if restart {
            cluster.run_for(SECOND);
            cluster.crash(0);
            cluster.start(0);
            cluster.run_for(3 * SECOND);
        }
        assert_eq!(cluster.status(0).role, Role::Out);
        assert_eq!(cluster.write(0, 1, 5), out);
        assert_eq!(cluster.read(0, 1), out);
        assert_eq!(cluster.inspect(1)[0], Some(2));
    }
    cluster.crash(0);
    cluster.wipe(0);
    cluster.start(0);
    cluster.run_for(SECOND);
    assert_eq!(cluster.status(0).role, Role::Follower);
    assert_eq!(cluster.inspect(1), vec![Some(1); 5]);
}

/// What a cut-off leader's client reads after another leader has acknowledged a write of 2.
fn stale_read(leader_reads: LeaderReads, wall_offset_ms: i64) -> Option<Outcome> {
    let settings = Settings { leader_reads: Some(leader_reads), ..Settings::default() };
    let mut cluster = cluster(5, settings);
    assert_eq!(cluster.write(0, 1, 1), WRITTEN);
    cluster.run_for(200 * MS);
    assert_eq!(cluster.read(0, 1), value(1));
    cluster.isolate(0);
    cluster.hosts[0].wall_offset_ns = wall_offset_ms * MS as i64;
    cluster.run_for(2 * SECOND);
    assert_eq!(cluster.write(1, 1, 2), WRITTEN);
    cluster.read(0, 1)
}

#[test]
fn only_unconfirmed_reads_of_a_cut_off_leader_are_stale() {
    assert_eq!(stale_read(LeaderReads::Local, 0), value(1));
    assert_eq!(stale_read(LeaderReads::Confirmed, -60_000), None);
}

#[test]
fn leases_break_when_the_wall_clock_is_set_back() {
    assert_eq!(stale_read(LeaderReads::Lease, 0), None);
    assert_eq!(stale_read(LeaderReads::Lease, -60_000), value(1));
}

#[test]
fn a_lease_spares_the_confirmation() {
    let count = |leader_reads| {
        let settings = Settings { leader_reads: Some(leader_reads), ..Settings::default() };
        let mut cluster = cluster(5, settings);
        let before = cluster.now_ns;
        for _ in 0..20 {
            assert_eq!(cluster.read(0, 1), Some(Outcome::Read(None)));
        }
        cluster.now_ns - before
    };
    assert_eq!(count(LeaderReads::Lease), 0);
    assert!(count(LeaderReads::Confirmed) > 20 * MS);
}

#[test]
fn promoting_any_node_loses_what_a_quorum_acknowledged() {
    for (promote, survives) in [(Promote::Any, None), (Promote::MostUpToDate, Some(1))] {
        let mut cluster = cluster(3, Settings { promote, ..Settings::default() });
        cluster.isolate(2);
        assert_eq!(cluster.write(0, 1, 1), WRITTEN);
        cluster.run_for(SECOND);
        cluster.crash(0);
        cluster.heal();
        // The straggler stands first.
        cluster.step(2, Input::Promote);
        cluster.run_for(SECOND);
        cluster.start(0);
        cluster.run_for(3 * SECOND);
        assert_eq!(cluster.inspect(1), [survives; 3], "{promote:?}");
    }
}

#[test]
fn periodic_fsync_loses_acknowledged_writes_in_a_crash() {
    for (fsync, survives) in [(Fsync::Always, Some(1)), (Fsync::Periodic, None)] {
        let mut cluster = cluster(3, Settings { fsync, ..Settings::default() });
        cluster.run_for(2 * SECOND);
        assert_eq!(cluster.write(0, 1, 1), WRITTEN);
        for id in 0..3 {
            cluster.power_off(id);
        }
        for id in 0..3 {
            cluster.start(id);
        }
        cluster.run_for(3 * SECOND);
        assert_eq!(cluster.inspect(1), [survives; 3], "{fsync:?}");
    }
}

#[test]
fn a_periodic_sync_comes_in_its_interval() {
    for (fsync_interval_ms, survives) in [(100, Some(1)), (100_000, None)] {
        let settings =
            Settings { fsync: Fsync::Periodic, fsync_interval_ms, ..with(Acknowledge::Async) };
        let mut cluster = cluster(1, settings);
        cluster.run_for(SECOND);
        assert_eq!(cluster.write(0, 1, 1), WRITTEN);
        cluster.run_for(SECOND);
        cluster.power_off(0);
        cluster.start(0);
        cluster.run_for(SECOND);
        assert_eq!(cluster.inspect(1), [survives]);
    }
}

#[test]
fn nobody_takes_over_without_failover() {
    let settings = Settings { failover: Failover::None, ..Settings::default() };
    let mut cluster = cluster(3, settings);
    assert_eq!(cluster.write(1, 1, 1), WRITTEN);
    cluster.crash(0);
    cluster.run_for(5 * SECOND);
    assert_eq!(cluster.leaders(), []);
    cluster.step(1, Input::Promote);
    cluster.run_for(SECOND);
    assert_eq!(cluster.leaders(), []);
    assert_eq!(cluster.write(1, 1, 2), Some(Outcome::Refused(Refusal::NoLeader)));
    cluster.start(0);
    cluster.run_for(SECOND);
    assert_eq!(cluster.leaders(), [0]);
    assert_eq!(cluster.read(2, 1), value(1));
    assert_eq!(cluster.write(1, 1, 3), WRITTEN);
}

#[test]
fn an_operator_promotes_by_hand() {
    let settings = Settings { failover: Failover::Manual, ..with(Acknowledge::Async) };
    let mut cluster = cluster(3, settings);
    assert_eq!(cluster.write(1, 1, 1), WRITTEN);
    cluster.run_for(100 * MS);
    cluster.crash(0);
    cluster.run_for(5 * SECOND);
    assert_eq!(cluster.leaders(), []);
    cluster.step(2, Input::Promote);
    cluster.run_for(100 * MS);
    assert_eq!(cluster.leaders(), [2]);
    assert_eq!(cluster.write(1, 1, 2), WRITTEN);
    cluster.start(0);
    cluster.run_for(SECOND);
    assert_eq!(cluster.leaders(), [2]);
    assert_eq!(cluster.inspect(1), [Some(2); 3]);
}

#[test]
fn promoting_by_hand_beside_a_living_leader_splits_the_brain() {
    let settings = Settings { failover: Failover::Manual, ..with(Acknowledge::Async) };
    let mut cluster = cluster(4, settings);
    cluster.partition(&[&[0], &[1], &[2, 3]]);
    cluster.step(1, Input::Promote);
    cluster.step(2, Input::Promote);
    cluster.run_for(100 * MS);
    assert_eq!(cluster.leaders(), [0, 1, 2]);
    for id in 0..3 {
        assert_eq!(cluster.write(id, 1, i64::from(id)), WRITTEN);
    }
    // They never take the same epoch, so the newest can be told when they meet.
    cluster.heal();
    cluster.run_for(SECOND);
    let leader = cluster.leader();
    assert_eq!(cluster.leaders(), [leader]);
    assert_eq!(cluster.inspect(1), vec![Some(i64::from(leader)); 4]);
}

#[test]
fn an_operator_may_move_an_automatic_leader() {
    let mut cluster = cluster(3, Settings::default());
    assert_eq!(cluster.write(0, 1, 1), WRITTEN);
    cluster.step(2, Input::Promote);
    cluster.run_for(200 * MS);
    assert_eq!(cluster.leaders(), [2]);
    assert_eq!(cluster.read(0, 1), value(1));
}

#[test]
fn automatic_failover_takes_about_an_election_timeout() {
    for election_timeout_ms in [200, 2_000] {
        let settings = Settings { election_timeout_ms, ..Settings::default() };
        let mut cluster = cluster(5, settings);
        cluster.crash(0);
        let crashed_ns = cluster.now_ns;
        while cluster.leaders().is_empty() {
            cluster.run_for(10 * MS);
        }
        let took_ms = (cluster.now_ns - crashed_ns) / MS;
        let expected = election_timeout_ms / 2..4 * election_timeout_ms;
        assert!(expected.contains(&took_ms), "{took_ms} ms");
    }
}

#[test]
fn a_rejoining_node_does_not_disturb_the_leader() {
    let mut cluster = cluster(5, Settings::default());
    cluster.isolate(4);
    cluster.run_for(10 * SECOND);
    cluster.heal();
    cluster.run_for(SECOND);
    assert_eq!(cluster.leaders(), [0]);
    assert_eq!(cluster.status(0).epoch, 1);
}

#[test]
fn a_leader_that_hears_but_is_not_heard_is_replaced() {
    let mut cluster = cluster(3, Settings::default());
    cluster.cut.extend([(0, 1), (0, 2)]);
    cluster.run_for(3 * SECOND);
    assert_eq!(cluster.status(0).role, Role::Follower);
    assert_eq!(cluster.write(2, 1, 1), WRITTEN);
}

#[test]
fn followers_lag_by_the_replication_interval() {
    for (replication_interval_ms, seen) in [(0, Some(1)), (10_000, None)] {
        let settings = Settings { replication_interval_ms, ..with(Acknowledge::Async) };
        let mut cluster = cluster(3, settings);
        assert_eq!(cluster.write(0, 1, 1), WRITTEN);
        cluster.run_for(500 * MS);
        assert_eq!(cluster.inspect(1), [Some(1), seen, seen]);
        cluster.run_for(10 * SECOND);
        assert_eq!(cluster.inspect(1), [Some(1); 3]);
    }
}

#[test]
fn heartbeats_come_as_often_as_set() {
    let sent = |heartbeat_ms| {
        let settings = Settings { heartbeat_ms, ..Settings::default() };
        let mut cluster = cluster(3, settings);
        let before = cluster.sent;
        cluster.run_for(10 * SECOND);
        cluster.sent - before
    };
    assert!((399..=401).contains(&sent(100)), "{}", sent(100));
    assert!((1599..=1601).contains(&sent(25)), "{}", sent(25));
}

/// A cluster whose followers lag far behind, with 1 in the register everywhere and 2 only on the
/// leader.
fn lagging(reads: ReadRoute) -> Cluster {
    let settings = Settings { reads, replication_interval_ms: 60_000, ..with(Acknowledge::Async) };
    let mut cluster = cluster(3, settings);
    assert_eq!(cluster.write(0, 1, 1), WRITTEN);
    cluster.run_for(61 * SECOND);
    assert_eq!(cluster.inspect(1), [Some(1); 3]);
    assert_eq!(cluster.write(1, 1, 2), WRITTEN);
    cluster
}

#[test]
fn reads_go_where_the_route_says() {
    let mut cluster = lagging(ReadRoute::Leader);
    assert_eq!(cluster.read(1, 1), value(2));

    for reads in [ReadRoute::AnyFollower, ReadRoute::StickyFollower] {
        let mut cluster = lagging(reads);
        let mut servers = Vec::new();
        for _ in 0..30 {
            let command = Command::Read { key: 1 };
            let reply = cluster.call_as(0, 5, command, SessionToken::default());
            let reply = reply.expect("an answer");
            assert_eq!(reply.outcome, Outcome::Read(Some(1)));
            servers.push(reply.served_by);
        }
        servers.sort_unstable();
        servers.dedup();
        if reads == ReadRoute::AnyFollower {
            assert_eq!(servers, [1, 2]);
        } else {
            assert_eq!(servers.len(), 1);
            assert_ne!(servers, [0]);
        }
    }
}

#[test]
fn sticky_readers_are_spread() {
    let mut cluster =
        cluster(5, Settings { reads: ReadRoute::StickyFollower, ..Settings::default() });
    let servers: std::collections::BTreeSet<_> = (0..50)
        .map(|client| {
            let command = Command::Read { key: 1 };
            cluster.call_as(0, client, command, SessionToken::default()).expect("one").served_by
        })
        .collect();
    assert_eq!(servers.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn recent_writers_read_from_the_leader() {
    let mut cluster = lagging(ReadRoute::LeaderAfterWrite { window_ms: 1_000 });
    for (since_write_ns, expected) in [(Some(999 * MS), 2), (Some(SECOND), 1), (None, 1)] {
        let session = SessionToken { since_write_ns, ..SessionToken::default() };
        let reply = cluster.call_as(1, 1, Command::Read { key: 1 }, session).expect("one");
        assert_eq!(reply.outcome, Outcome::Read(Some(expected)));
    }
}

#[test]
fn a_session_token_is_never_answered_with_less() {
    let mut cluster = lagging(ReadRoute::SessionToken);
    let mut session = SessionToken::default();
    let read = Command::Read { key: 1 };
    for _ in 0..10 {
        let reply = cluster.call_as(2, 9, read.clone(), session).expect("one");
        assert_eq!(reply.outcome, Outcome::Read(Some(1)));
        assert_ne!(reply.served_by, 0);
    }
    let written = cluster.replies.values().rfind(|reply| reply.client.0 == 1);
    session.observe(written.expect("the write"));
    for _ in 0..10 {
        let reply = cluster.call_as(2, 9, read.clone(), session).expect("one");
        assert_eq!((reply.outcome, reply.served_by), (Outcome::Read(Some(2)), 0));
    }
    cluster.run_for(61 * SECOND);
    let reply = cluster.call_as(2, 9, read.clone(), session).expect("one");
    assert_eq!(reply.outcome, Outcome::Read(Some(2)));
    assert_ne!(reply.served_by, 0);
}

#[test]
fn a_session_token_of_a_lost_lineage_is_not_trusted_to_followers() {
    let settings = Settings { reads: ReadRoute::SessionToken, ..with(Acknowledge::Async) };
    let mut cluster = cluster(3, settings);
    cluster.isolate(0);
    let write = Command::Write { key: 1, value: 2 };
    let mut session = SessionToken::default();
    session.observe(&cluster.call_as(0, 5, write, session).expect("one"));
    cluster.run_for(3 * SECOND);
    for key in 10..20 {
        assert_eq!(cluster.write(1, key, 0), WRITTEN);
    }
    cluster.heal();
    cluster.run_for(SECOND);
    // The followers are far past the position, in another history: the leader must answer.
    let leader = cluster.leader();
    for id in 0..3 {
        let reply = cluster.call_as(id, 5, Command::Read { key: 1 }, session).expect("one");
        assert_eq!(reply.served_by, leader);
    }
}

#[test]
fn a_cache_answers_until_its_time_is_up() {
    let mut cluster = lagging(ReadRoute::Cache { ttl_ms: 1_000 });
    // Node 1 passed the write on, so its cache has it; node 2 asks a follower, and keeps that.
    let write = Command::Write { key: 1, value: 3 };
    for (id, expected) in [(1, 2), (2, 1)] {
        let reply = cluster.call(id, Command::Read { key: 1 }).expect("one");
        assert_eq!(reply.outcome, Outcome::Read(Some(expected)));
        let before_ns = cluster.now_ns;
        let reply = cluster.call(id, Command::Read { key: 1 }).expect("one");
        assert_eq!((reply.outcome, reply.served_by), (Outcome::Read(Some(expected)), id));
        assert_eq!(cluster.now_ns, before_ns, "a hit costs nothing");
    }
    assert_eq!(cluster.call(2, write).map(|reply| reply.outcome), WRITTEN);
    assert_eq!(cluster.read(1, 1), value(2), "another node's cache is not told");
    assert_eq!(cluster.read(2, 1), value(3));
    cluster.run_for(SECOND);
    assert_eq!(cluster.read(2, 1), value(1), "followers lag behind what the cache had");
}

#[test]
fn a_wiped_follower_gets_a_snapshot_and_the_rest() {
    for acknowledge in [Acknowledge::Async, Acknowledge::Sync, Acknowledge::Quorum] {
        let settings = Settings { snapshot_after: 20, ..with(acknowledge) };
        let mut cluster = cluster(3, settings);
        for i in 0..105 {
            assert_eq!(cluster.write(0, i % 7, i), WRITTEN);
        }
        cluster.crash(2);
        cluster.wipe(2);
        cluster.start(2);
        cluster.run_for(SECOND);
        assert_eq!(cluster.status(2).last, cluster.status(0).last);
        assert_eq!(cluster.inspect(6), [Some(104); 3]);
        // Its new disk holds, too.
        cluster.crash(2);
        cluster.start(2);
        cluster.run_for(SECOND);
        assert_eq!(cluster.inspect(6), [Some(104); 3]);
        assert_eq!(cluster.leaders(), [0]);
    }
}

#[test]
fn a_wiped_first_leader_does_not_begin_a_second_history() {
    for settings in [Settings::default(), with(Acknowledge::Async)] {
        let mut cluster = cluster(3, settings);
        for i in 0..10 {
            assert_eq!(cluster.write(1, 1, i), WRITTEN);
        }
        cluster.run_for(100 * MS);
        cluster.crash(0);
        cluster.wipe(0);
        cluster.start(0);
        cluster.run_for(3 * SECOND);
        assert_eq!(cluster.leaders().len(), 1);
        assert_eq!(cluster.inspect(1), [Some(9); 3]);
    }
}

#[test]
fn the_disk_is_compacted() {
    let mut cluster = cluster(3, Settings { snapshot_after: 100, ..Settings::default() });
    for i in 0..500 {
        assert_eq!(cluster.write(0, i % 3, i), WRITTEN);
    }
    cluster.run_for(SECOND);
    for id in 0..3 {
        cluster.power_off(id);
    }
    for id in 0..3 {
        cluster.start(id);
    }
    cluster.run_for(3 * SECOND);
    assert_eq!(cluster.inspect(1), [Some(499); 3]);
}

#[test]
fn a_history_compacted_while_cut_off_is_replaced_by_a_snapshot() {
    for rejoin in [Rejoin::Truncate, Rejoin::Refuse] {
        let settings = Settings { snapshot_after: 10, rejoin, ..with(Acknowledge::Async) };
        let mut cluster = cluster(3, settings);
        cluster.isolate(0);
        for i in 0..100 {
            assert_eq!(cluster.write(0, 1, i), WRITTEN);
        }
        cluster.run_for(3 * SECOND);
        assert_eq!(cluster.write(1, 2, 2), WRITTEN);
        cluster.heal();
        cluster.run_for(SECOND);
        if rejoin == Rejoin::Refuse {
            assert_eq!(cluster.status(0).role, Role::Out);
        } else {
            assert_eq!(cluster.inspect(1), [None; 3]);
            assert_eq!(cluster.inspect(2), [Some(2); 3]);
        }
    }
}

#[test]
fn busy_times_make_bigger_batches_not_more_messages() {
    let mut cluster = cluster(5, Settings::default());
    let before = cluster.sent;
    for i in 0..2_000 {
        let key = i64::from(i) % 100;
        let command = match i % 2 {
            0 => Command::Read { key },
            _ => Command::Write { key, value: i64::from(i) },
        };
        cluster.ask(i % 5, u64::from(i), command, SessionToken::default());
        cluster.run_for(MS / 10);
    }
    cluster.run_for(100 * MS);
    assert_eq!(cluster.replies.len(), 2_000);
    // Most requests cross the network twice, to the leader and back.
    let per_request = (cluster.sent - before) as f64 / 2_000.0;
    assert!(per_request < 3.0, "{per_request} messages per request");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut cluster = Cluster::new(5, Settings::default(), seed);
        cluster.loss = 10;
        cluster.duplication = 10;
        cluster.run_for(SECOND);
        for i in 0..50 {
            cluster.write((i % 5) as u32, i % 3, i);
        }
        (cluster.now_ns, cluster.sent, cluster.replies)
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).0, run(4).0);
}
