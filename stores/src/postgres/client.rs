//! A client of PostgreSQL: one process that talks to one node.
//!
//! It has up to two connections: to the primary, for what must go there, and to its own node. Which
//! node is the primary it asks as a proxy would: every node, once for each connection, and of
//! several that take themselves for it the one with the latest timeline. From then on it stays with
//! that node until the connection ends or the node turns out to be a standby. Nothing is retried: an
//! operation is sent to one node, once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{FuturesUnordered, StreamExt};
use perjury_history::{MicroOp, NodeId, Value};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::Row;

use super::classify::Problem;
use super::connection::{Connection, Endpoint};
use super::files::CLIENT;
use super::request::{
    LEADS, LOG_END, Purpose, REPEATABLE_READ, Request, SERIALIZABLE, answered, column, log_end,
    request,
};
use super::settings::{AtTimeOut, Isolation, PostgresSettings, Reads, Writes};
use crate::{Answer, Client, Session};

/// Between two looks at how far a standby has come.
const REPLAY_POLL: Duration = Duration::from_millis(5);

/// What a session has seen is not known: only the primary is sure to have it.
const UNKNOWN: i64 = i64::MAX;

pub(super) struct PostgresClient {
    pub(super) settings: Arc<PostgresSettings>,
    /// Of every node.
    endpoints: Arc<[Endpoint]>,
    node: NodeId,
    timeout: Duration,
    primary: Option<(NodeId, Connection)>,
    own: Option<Connection>,
    /// How much of the log holds all that the session has seen.
    seen: i64,
}

/// Which connection a statement takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Primary,
    Own,
}

impl PostgresClient {
    /// A client of `node`, one of those that `endpoints` lead to. It connects when it is first asked.
    pub(super) fn new(
        settings: Arc<PostgresSettings>,
        endpoints: Arc<[Endpoint]>,
        node: NodeId,
        session: Session,
    ) -> Self {
        let timeout = Duration::from_nanos(session.timeout_ns);
        Self { settings, endpoints, node, timeout, primary: None, own: None, seen: 0 }
    }

    async fn execute(&mut self, micro_op: &MicroOp, deadline: Instant) -> Result<Answer, Problem> {
        let Request { purpose, statement, parameters } = request(micro_op)?;
        let route = match (purpose, self.settings.writes) {
            (Purpose::Inspect, _) | (Purpose::Mutate, Writes::Node) => Route::Own,
            (Purpose::Mutate, Writes::Primary) => Route::Primary,
            (Purpose::Read, _) => self.read_route(deadline).await?,
        };
        let (node, rows) = self.run(route, statement, &parameters, deadline).await?;
        let (micro_op, version) = answered(micro_op, &rows)?;
        match purpose {
            Purpose::Read => self.note_read(&rows)?,
            Purpose::Mutate => self.note_write(route, deadline).await,
            Purpose::Inspect => {}
        }
        let version = version.filter(|_| self.settings.positions_are_lasting());
        Ok(Answer::Ok { micro_ops: vec![micro_op], node: Some(node), version })
    }

    /// Runs a statement; also says which node did. A connection that has ended is replaced first.
    pub(super) async fn run(
        &mut self,
        route: Route,
        statement: &str,
        parameters: &[Value],
        deadline: Instant,
    ) -> Result<(NodeId, Vec<Row>), Problem> {
        self.ensure_connection(route, deadline).await?;
        self.run_here(route, statement, parameters, deadline).await
    }

    /// Runs a statement on the connection that there is. One that is of no more use is given up.
    pub(super) async fn run_here(
        &mut self,
        route: Route,
        statement: &str,
        parameters: &[Value],
        deadline: Instant,
    ) -> Result<(NodeId, Vec<Row>), Problem> {
        let (node, connection) = match (route, &self.primary, &self.own) {
            (Route::Primary, Some((node, connection)), _) => (*node, connection),
            (Route::Own, _, Some(connection)) => (self.node, connection),
            _ => return Err(Problem::NotConnected("no connection".to_owned())),
        };
        let outcome = connection.run(statement, parameters, deadline).await;
        if let Err(problem) = &outcome {
            let not_primary = route == Route::Primary && problem.is_read_only();
            if problem.spoils_connection() || not_primary {
                self.give_up(route, *problem == Problem::TimedOut);
            }
        }
        outcome.map(|rows| (node, rows))
    }

    pub(super) fn give_up(&mut self, route: Route, timed_out: bool) {
        let connection = match route {
            Route::Primary => self.primary.take().map(|(_, connection)| connection),
            Route::Own => self.own.take(),
        };
        if let Some(connection) = connection
            && timed_out
            && self.settings.at_time_out == AtTimeOut::Cancel
        {
            connection.cancel();
        }
    }

    /// A connection that has ended is replaced by a new one; nothing was asked on either.
    async fn ensure_connection(&mut self, route: Route, deadline: Instant) -> Result<(), Problem> {
        match route {
            Route::Own if self.own.as_ref().is_none_or(Connection::is_closed) => {
                let endpoint = &self.endpoints[self.node.0 as usize];
                self.own = Some(Connection::open(endpoint, CLIENT, deadline).await?);
            }
            Route::Primary if self.primary.as_ref().is_none_or(|(_, it)| it.is_closed()) => {
                self.primary = None;
                let (node, connection) = self.find_primary(deadline).await?;
                self.set_isolation(&connection, deadline).await?;
                self.primary = Some((node, connection));
            }
            _ => {}
        }
        Ok(())
    }

    /// Asks every node at once. When one says that it is the primary, the others have until a third
    /// of the time-out has passed to say the same, so that there is time left to ask it something.
    async fn find_primary(&self, deadline: Instant) -> Result<(NodeId, Connection), Problem> {
        let enough = deadline.min(Instant::now() + self.timeout / 3);
        let ask = async |node: u32| {
            let endpoint = &self.endpoints[node as usize];
            let connection = Connection::open(endpoint, CLIENT, deadline).await.ok()?;
            let rows = connection.run(LEADS, &[], deadline).await.ok()?;
            let timeline: Option<i64> = column(rows.first()?, 0).ok()?;
            Some((timeline?, NodeId(node), connection))
        };
        let nodes = 0..self.endpoints.len() as u32;
        let mut asked: FuturesUnordered<_> = nodes.map(ask).collect();
        let mut latest: Option<(i64, NodeId, Connection)> = None;
        loop {
            let until = if latest.is_some() { enough } else { deadline };
            match timeout_at(until, asked.next()).await {
                Ok(Some(Some(found))) => {
                    if latest.as_ref().is_none_or(|it| it.0 < found.0) {
                        latest = Some(found);
                    }
                }
                Ok(Some(None)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        let latest = latest.map(|(_, node, connection)| (node, connection));
        latest.ok_or_else(|| Problem::NotConnected("no node says that it is the primary".into()))
    }

    async fn set_isolation(
        &self,
        connection: &Connection,
        deadline: Instant,
    ) -> Result<(), Problem> {
        let statement = match self.settings.isolation {
            Isolation::ReadCommitted => return Ok(()),
            Isolation::RepeatableRead => REPEATABLE_READ,
            Isolation::Serializable => SERIALIZABLE,
        };
        let set = connection.run(statement, &[], deadline).await;
        // Nothing was asked yet, whatever the problem.
        let unset = |_| Problem::NotConnected("isolation could not be set".to_owned());
        set.map(|_| ()).map_err(unset)
    }

    pub(super) async fn read_route(&mut self, deadline: Instant) -> Result<Route, Problem> {
        match self.settings.reads {
            Reads::Primary => Ok(Route::Primary),
            Reads::Standby => Ok(Route::Own),
            Reads::Session => self.session_route(deadline).await,
        }
    }

    /// The client's own node, if it comes to have all that the session has seen before patience ends;
    /// else the primary. It must have it before the read begins: a statement sees what was there when
    /// it began.
    async fn session_route(&mut self, deadline: Instant) -> Result<Route, Problem> {
        let patience = Duration::from_millis(self.settings.session_wait_ms);
        let until = deadline.min(Instant::now() + patience);
        while self.seen != UNKNOWN {
            let (_, rows) = self.run(Route::Own, LOG_END, &[], deadline).await?;
            if log_end(&rows)? >= self.seen {
                return Ok(Route::Own);
            }
            if Instant::now() >= until {
                break;
            }
            sleep(REPLAY_POLL).await;
        }
        Ok(Route::Primary)
    }

    /// All that was seen lies before the place that was read with it.
    pub(super) fn note_read(&mut self, rows: &[Row]) -> Result<(), Problem> {
        self.seen = self.seen.max(log_end(rows)?);
        Ok(())
    }

    /// The commit is in the log before the place where the log ends now.
    pub(super) async fn note_write(&mut self, route: Route, deadline: Instant) {
        if self.settings.reads != Reads::Session {
            return;
        }
        let rows = self.run(route, LOG_END, &[], deadline).await;
        let end = rows.and_then(|(_, rows)| log_end(&rows));
        // The write itself is done, whatever came of this question.
        self.seen = self.seen.max(end.unwrap_or(UNKNOWN));
    }
}

#[async_trait]
impl Client for PostgresClient {
    async fn invoke(&mut self, operation: &[MicroOp]) -> Answer {
        let deadline = Instant::now() + self.timeout;
        let mutates = operation.iter().any(MicroOp::is_mutation);
        let outcome = match operation {
            [] => Err(Problem::NotOffered),
            [only] if !matches!(only, MicroOp::Transfer { .. }) => {
                self.execute(only, deadline).await
            }
            several => Ok(self.transact(several, deadline).await),
        };
        outcome.unwrap_or_else(|problem| problem.answer(mutates))
    }
}
