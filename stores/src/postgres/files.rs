//! Where PostgreSQL's files are on a machine, and what its configuration says.

use perjury_history::NodeId;
use perjury_lab::machines::layout;

use super::settings::{PostgresSettings, Replication, plain};

/// The daemon, and whom it runs as.
pub(super) const DAEMON: &str = "postgres";

/// The operator's role.
pub(super) const OPERATOR: &str = "postgres";

/// The clients' role. Another one than the operator's, who then still gets in when clients have
/// taken all other connections.
pub(super) const CLIENT: &str = "perjury";

/// The data, on the volume that faults of the disk are made on.
pub(super) fn data() -> String {
    format!("{}/postgres", layout::DATA)
}

/// The folder of everything else.
pub(super) fn folder() -> String {
    format!("{}/postgres", layout::RUN)
}

pub(super) fn configuration() -> String {
    format!("{}/postgresql.conf", folder())
}

/// Whom to follow. It alone changes while a node runs.
pub(super) fn upstream() -> String {
    format!("{}/upstream.conf", folder())
}

/// Who may connect.
pub(super) fn access() -> String {
    format!("{}/pg_hba.conf", folder())
}

/// The password, for the server's own programs.
pub(super) fn password() -> String {
    format!("{}/passfile", folder())
}

/// A new operator's password comes from here.
pub(super) fn new_password() -> String {
    format!("{}/pwfile", folder())
}

/// Everybody who knows the password: machines may stand in a network with others.
pub(super) const ACCESS: &str = "\
host all all all scram-sha-256
host replication postgres all scram-sha-256
";

/// What clients use. Each row knows where in the log the write stands that made it: its timeline,
/// and a position between the commits that it follows and its own. It is taken while the row is
/// locked, so that the positions of a row's writes grow in the order of the writes.
///
/// The single-user server that runs it ends a command at a semicolon before an empty line.
pub(super) const SCHEMA: &str = "\
create function log_epoch() returns bigint volatile language sql as $$
    select ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint
$$;

create function log_position() returns bigint volatile language sql as $$
    select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint
$$;

create table registers (
    key bigint primary key, value bigint not null,
    epoch bigint not null default log_epoch(), position bigint not null default log_position()
);

create table elements (
    key bigint, value bigint,
    epoch bigint not null default log_epoch(), position bigint not null default log_position(),
    primary key (key, value)
);

create table counters (
    key bigint primary key, value bigint not null,
    epoch bigint not null default log_epoch(), position bigint not null default log_position()
);

create table lists (
    key bigint primary key, value bigint[] not null,
    epoch bigint not null default log_epoch(), position bigint not null default log_position()
);

grant select, insert, update on registers, elements, counters, lists to perjury;

";

/// The configuration of a node, one of `nodes`.
pub(super) fn postgresql_conf(settings: &PostgresSettings, node: NodeId, nodes: u32) -> String {
    let others: Vec<_> = (0..nodes).map(NodeId).filter(|it| *it != node).collect();
    let others: Vec<_> = others.iter().map(NodeId::to_string).collect();
    let (awaited, others) = (settings.awaited_standbys(nodes), others.join(", "));
    let awaited = match settings.replication {
        Replication::Asynchronous => String::new(),
        Replication::Synchronous => format!("FIRST {awaited} ({others})"),
        Replication::Quorum => format!("ANY {awaited} ({others})"),
    };
    format!(
        "\
cluster_name = '{node}'
data_directory = '{data}'
hba_file = '{access}'
include = '{upstream}'
listen_addresses = '*'
port = {port}
unix_socket_directories = ''
max_connections = {connections}

synchronous_commit = {commit}
synchronous_standby_names = '{awaited}'
hot_standby = on
max_wal_senders = {senders}

# What pg_rewind needs; the volume may be small.
wal_log_hints = on
wal_keep_size = 96MB
max_wal_size = 128MB
shared_buffers = 32MB

# A lost connection is noticed in seconds rather than minutes.
wal_sender_timeout = 3s
wal_receiver_timeout = 3s
wal_retrieve_retry_interval = 200ms
client_connection_check_interval = 500ms

lc_messages = C
log_timezone = UTC
log_line_prefix = '%m [%p] '
",
        data = data(),
        access = access(),
        upstream = upstream(),
        port = settings.port,
        connections = settings.max_connections,
        commit = plain(&settings.synchronous_commit).replace('-', "_"),
        senders = nodes + 10,
    )
}

/// How a node's programs reach another node.
pub(super) fn connection_string(address: std::net::IpAddr, port: u16) -> String {
    format!(
        "host={address} port={port} user={OPERATOR} dbname=postgres passfile={} connect_timeout=2",
        password()
    )
}
