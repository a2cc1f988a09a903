//! One connection to one node.
//!
//! It is opened once and never mended. The server's warnings are kept beside its answers, because a
//! commit that was not replicated is reported as a success with a warning.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::error::Severity;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Config, NoTls, Row, Socket, tls::NoTlsStream};

use super::classify::Problem;

/// How long a request to cancel a statement may take.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(1);

/// How a node is reached.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) password: String,
}

pub(super) struct Connection {
    client: tokio_postgres::Client,
    driver: JoinHandle<()>,
    warning: Arc<Mutex<Option<String>>>,
}

impl Connection {
    /// Connects to `endpoint` as `user` by `deadline`.
    pub(super) async fn open(
        endpoint: &Endpoint,
        user: &str,
        deadline: Instant,
    ) -> Result<Self, Problem> {
        let mut config = Config::new();
        config
            .host(endpoint.address.to_string())
            .port(endpoint.port)
            .user(user)
            .dbname("postgres")
            .password(&endpoint.password);
        let opened = timeout_at(deadline, config.connect(NoTls)).await;
        let opened = opened.map_err(|_| Problem::NotConnected("connecting timed out".into()))?;
        let (client, connection) = opened.map_err(|error| not_connected(&error))?;
        let warning = Arc::new(Mutex::new(None));
        let driver = tokio::spawn(drive(connection, warning.clone()));
        Ok(Self { client, driver, warning })
    }

    /// Whether it is known to have ended.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs a statement as a transaction of its own.
    pub(super) async fn run(
        &self,
        statement: &str,
        parameters: &[i64],
        deadline: Instant,
    ) -> Result<Vec<Row>, Problem> {
        self.take_warning();
        let parameter = |value| (value as &(dyn ToSql + Sync), Type::INT8);
        let parameters: Vec<_> = parameters.iter().map(parameter).collect();
        let rows = timeout_at(deadline, self.client.query_typed(statement, &parameters)).await;
        let rows = rows.map_err(|_| Problem::TimedOut)?.map_err(|error| Problem::of(&error))?;
        match self.take_warning() {
            Some(warning) => Err(Problem::Warned(warning)),
            None => Ok(rows),
        }
    }

    /// Has the server give up what it still does for this connection, and closes it then. Returns at
    /// once; nobody waits for what comes of it.
    pub(super) fn cancel(self) {
        tokio::spawn(async move {
            // A server that cannot be reached has nothing to give up for us.
            let _ = timeout(CANCEL_TIMEOUT, self.client.cancel_token().cancel_query(NoTls)).await;
        });
    }

    fn take_warning(&self) -> Option<String> {
        self.warning.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Connection {
    /// The socket is the driver's: it is closed now, and not when the server has answered.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn not_connected(error: &tokio_postgres::Error) -> Problem {
    let source = std::error::Error::source(error);
    let problem = match (error.as_db_error(), source.and_then(|it| it.downcast_ref())) {
        (Some(error), _) => format!("connection rejected ({})", error.code().code()),
        (None, Some::<&std::io::Error>(error)) => error.kind().to_string(),
        (None, None) => "no connection".to_owned(),
    };
    Problem::NotConnected(problem)
}

/// Carries messages until the connection ends. A warning is noted before the answer that it belongs
/// to is handed on: they come in this order.
async fn drive(
    mut connection: tokio_postgres::Connection<Socket, NoTlsStream>,
    warning: Arc<Mutex<Option<String>>>,
) {
    let next = |context: &mut std::task::Context<'_>| connection.poll_message(context);
    let mut next = next;
    while let Some(Ok(message)) = std::future::poll_fn(&mut next).await {
        if let AsyncMessage::Notice(notice) = message
            && notice.parsed_severity() == Some(Severity::Warning)
        {
            let text = notice.message().to_owned();
            warning.lock().unwrap_or_else(PoisonError::into_inner).replace(text);
        }
    }
}
