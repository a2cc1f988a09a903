//! The two configuration files of a node. Redis and Sentinel rewrite them: after a failover they
//! hold who follows whom, so a server that is started again comes back in the role it had.

use std::net::IpAddr;

use super::settings::{AppendFsync, RedisSettings};

/// How Sentinels call the master and its replicas.
pub(super) const MASTER_NAME: &str = "perjury";

/// What differs between the nodes.
pub(super) struct Place<'a> {
    /// The node's own address.
    pub(super) address: IpAddr,
    /// Where the first master listens; `None` if that is this node.
    pub(super) follows: Option<(IpAddr, u16)>,
    /// The port of the server.
    pub(super) port: u16,
    /// The folder of its data.
    pub(super) folder: &'a str,
}

/// The server's. What it says goes to standard output, which is the daemon's log. Replicas and
/// masters give each other up after five seconds of silence, so that a partition is noticed within
/// a test.
pub(super) fn server(settings: &RedisSettings, place: &Place<'_>) -> String {
    let Place { address, follows, port, folder } = place;
    let appendfsync = match settings.appendfsync {
        AppendFsync::Always => "always",
        AppendFsync::Everysec => "everysec",
        AppendFsync::No => "no",
    };
    let follows = follows.map_or(String::new(), |(ip, port)| format!("replicaof {ip} {port}\n"));
    let (replicas, lag) = (settings.min_replicas_to_write, settings.min_replicas_max_lag_s);
    format!(
        "bind * -::*
protected-mode no
port {port}
daemonize no
logfile \"\"
dir {folder}
save \"\"
appendonly yes
appendfsync {appendfsync}
repl-diskless-sync yes
repl-diskless-sync-delay 0
repl-timeout 5
repl-ping-replica-period 1
replica-announce-ip {address}
min-replicas-to-write {replicas}
min-replicas-max-lag {lag}
{follows}"
    )
}

/// The Sentinel's, which listens on `port` and watches the master at `master`.
pub(super) fn sentinel(
    settings: &RedisSettings,
    nodes: u32,
    address: IpAddr,
    port: u16,
    master: (IpAddr, u16),
    folder: &str,
) -> String {
    let ((ip, master_port), quorum) = (master, settings.quorum(nodes));
    let (down_after, timeout) = (settings.down_after_ms, settings.failover_timeout_ms);
    format!(
        "bind * -::*
protected-mode no
port {port}
daemonize no
logfile \"\"
dir {folder}
sentinel announce-ip {address}
sentinel monitor {MASTER_NAME} {ip} {master_port} {quorum}
sentinel down-after-milliseconds {MASTER_NAME} {down_after}
sentinel failover-timeout {MASTER_NAME} {timeout}
sentinel parallel-syncs {MASTER_NAME} {nodes}
"
    )
}
