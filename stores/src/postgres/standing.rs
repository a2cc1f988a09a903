//! What nodes say of themselves when an operator asks.

use std::time::Duration;

use futures::future::join_all;
use perjury_history::NodeId;
use tokio::time::{Instant, timeout};
use tokio_postgres::Row;

use super::classify::Problem;
use super::connection::{Connection, Endpoint};
use super::files::OPERATOR;

/// How long an operator waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long of nodes that may well be down.
const GLANCE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a node may take for what needs its disk.
const SLOW_TIMEOUT: Duration = Duration::from_secs(30);

/// `receive` is behind `replay` after a restart, and null before a standby was ever connected.
const STANDING: &str = "\
select case when not pg_is_in_recovery() then log_epoch() end,
    (case when pg_is_in_recovery()
        then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
        else pg_current_wal_insert_lsn() end - '0/0'::pg_lsn)::bigint";

const CHECKPOINTED_TIMELINE: &str = "select timeline_id::bigint from pg_control_checkpoint()";

const STREAMS_TO: &str =
    "select application_name::text from pg_stat_replication where state = 'streaming'";

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) node: NodeId,
    /// The timeline that it writes, if it takes itself for the primary.
    pub(super) leads: Option<u64>,
    /// How much of the log it has.
    pub(super) position: u64,
}

/// An operator's connection.
pub(super) struct Console {
    connection: Connection,
}

impl Console {
    /// Connects to a node.
    pub(super) async fn open(endpoint: &Endpoint) -> Result<Self, Problem> {
        let connection = Connection::open(endpoint, OPERATOR, Instant::now() + TIMEOUT).await?;
        Ok(Self { connection })
    }

    async fn ask(&self, statement: &str) -> Result<Vec<Row>, Problem> {
        self.connection.run(statement, &[], Instant::now() + TIMEOUT).await
    }

    async fn order(&self, statement: &str) -> Result<Vec<Row>, Problem> {
        self.connection.run(statement, &[], Instant::now() + SLOW_TIMEOUT).await
    }

    pub(super) async fn standing(&self, node: NodeId) -> Result<Standing, Problem> {
        let rows = self.ask(STANDING).await?;
        let leads = number(&rows, 0)?;
        let position = number(&rows, 1)?.ok_or(Problem::Unintelligible)?;
        Ok(Standing { node, leads, position })
    }

    /// The names of the nodes that this one streams its log to.
    pub(super) async fn streams_to(&self) -> Result<Vec<String>, Problem> {
        let rows = self.ask(STREAMS_TO).await?;
        rows.iter().map(|row| row.try_get(0).map_err(|_| Problem::Unintelligible)).collect()
    }

    /// Has it make a checkpoint. A new primary is not known as one to `pg_rewind` before its first.
    pub(super) async fn checkpoint(&self) -> Result<(), Problem> {
        self.order("checkpoint").await.map(|_| ())
    }

    /// The timeline that a standby has followed so far. It says so only of its last checkpoint; a
    /// primary makes one when it begins a timeline, and a standby repeats it when asked.
    pub(super) async fn followed_timeline(&self) -> Result<u64, Problem> {
        self.checkpoint().await?;
        let rows = self.ask(CHECKPOINTED_TIMELINE).await?;
        number(&rows, 0)?.ok_or(Problem::Unintelligible)
    }

    /// Has it read its configuration again.
    pub(super) async fn reload(&self) -> Result<(), Problem> {
        self.ask("select pg_reload_conf()").await.map(|_| ())
    }

    /// Has a standby become a primary; whether it did within the time it has.
    pub(super) async fn promote(&self) -> Result<bool, Problem> {
        let rows = self.order("select pg_promote(true, 20)").await?;
        let row = rows.first().ok_or(Problem::Unintelligible)?;
        row.try_get(0).map_err(|_| Problem::Unintelligible)
    }
}

/// What each node says of itself, all asked at once; nothing of those that do not answer.
pub(super) async fn standings(endpoints: &[Endpoint]) -> Vec<Standing> {
    let ask = async |node: u32| {
        let console = Console::open(&endpoints[node as usize]).await.ok()?;
        console.standing(NodeId(node)).await.ok()
    };
    let glances = (0..endpoints.len() as u32).map(|node| timeout(GLANCE_TIMEOUT, ask(node)));
    join_all(glances).await.into_iter().filter_map(|it| it.ok().flatten()).collect()
}

/// The primary; of several, the one of the latest timeline.
pub(super) fn primary(standings: &[Standing]) -> Option<Standing> {
    let leaders = standings.iter().filter(|it| it.leads.is_some());
    leaders.max_by_key(|it| (it.leads, it.position)).copied()
}

fn number(rows: &[Row], index: usize) -> Result<Option<u64>, Problem> {
    let row = rows.first().ok_or(Problem::Unintelligible)?;
    let number: Option<i64> = row.try_get(index).map_err(|_| Problem::Unintelligible)?;
    number.map(u64::try_from).transpose().map_err(|_| Problem::Unintelligible)
}
