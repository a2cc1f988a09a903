//! One connection to a server or a Sentinel, without retries, reconnects or a pool.

use std::net::SocketAddr;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, RedisError, Value};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::failure::Failure;

/// An open connection, for one request at a time.
pub(super) struct Connection {
    requests: MultiplexedConnection,
    /// Carries them; ends when the connection does.
    driver: JoinHandle<()>,
}

impl Connection {
    /// Connects. Nothing is asked, so whatever goes wrong is [`Failure::Unasked`].
    pub(super) async fn open(address: SocketAddr, deadline: Instant) -> Result<Self, Failure> {
        let quiet = RedisConnectionInfo::default().set_skip_set_lib_name();
        let connect = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            // Time-outs are ours to keep: a request's deadline covers all that it takes.
            let config = AsyncConnectionConfig::new().set_response_timeout(None);
            let (requests, driver) =
                MultiplexedConnection::new_with_config(&quiet, stream, config).await?;
            Ok::<_, RedisError>(Self { requests, driver: tokio::spawn(driver) })
        };
        match timeout_at(deadline, connect).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => {
                let refused = error.is_connection_refusal();
                let reason = if refused { "connection refused" } else { "cannot connect" };
                Err(Failure::Unasked(reason.to_owned()))
            }
            Err(_) => Err(Failure::Unasked("time-out while connecting".to_owned())),
        }
    }

    /// The connection that was kept, or a new one if there is none or it was lost since.
    pub(super) async fn kept_or_open(
        kept: Option<Self>,
        address: SocketAddr,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        match kept.filter(Self::is_open) {
            Some(connection) => Ok(connection),
            None => Self::open(address, deadline).await,
        }
    }

    /// Whether the server has not closed it, as far as is known here.
    pub(super) fn is_open(&self) -> bool {
        !self.driver.is_finished()
    }

    /// Asks, and waits for the answer. After anything but an answer or a refusal the connection is
    /// of no use: a late answer would be taken for that to another question.
    pub(super) async fn ask(&mut self, command: &Cmd, deadline: Instant) -> Result<Value, Failure> {
        match timeout_at(deadline, self.requests.send_packed_command(command)).await {
            Ok(answer) => answer.and_then(Value::extract_error).map_err(Failure::from),
            Err(_) => Err(Failure::Unanswered("time-out".to_owned())),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
