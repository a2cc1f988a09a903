//! etcd's JSON gateway over one HTTP connection.
//!
//! Every request of the gRPC interface is also a POST of JSON. A connection carries one request at
//! a time. Nothing is repeated: a connection that breaks takes its request with it, and the next
//! call opens a new one.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// What an answer may have at most: a set of a million elements has less.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Why a call brought no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum CallError {
    /// The request never left.
    #[error("{0}")]
    Unsent(&'static str),
    /// The request left, and no answer came.
    #[error("{0}")]
    Unanswered(&'static str),
    /// etcd answered with an error.
    #[error("{message}")]
    Answered {
        /// The status code of gRPC.
        code: u32,
        /// etcd's words.
        message: String,
    },
    /// Something answered that cannot be read as etcd's answer.
    #[error("an answer that is not etcd's")]
    Unreadable,
}

/// An error as the gateway writes it.
#[derive(Deserialize)]
struct ErrorAnswer {
    code: u32,
    message: String,
}

/// A way to one node's gateway.
#[derive(Debug)]
pub(super) struct Gateway {
    address: SocketAddr,
    /// None before the first call, and after a call that brought no answer.
    connection: Option<Connection>,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Gateway {
    /// To the node that listens at `address`; connects at the first call.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// Posts `request` to `path` and waits for the answer until `deadline`.
    pub(super) async fn call<A: DeserializeOwned>(
        &mut self,
        path: &str,
        request: &impl Serialize,
        deadline: Instant,
    ) -> Result<A, CallError> {
        let request = self.request(path, request)?;
        let connected = timeout_at(deadline, self.connected()).await;
        let mut connection =
            connected.unwrap_or(Err(CallError::Unsent("no connection in time")))?;
        // The connection is put back only when it has answered: what is late is never heard.
        let answered = timeout_at(deadline, connection.exchange(request)).await;
        let (is_ok, body) = answered.unwrap_or(Err(CallError::Unanswered("no answer in time")))?;
        self.connection = Some(connection);
        match is_ok {
            true => serde_json::from_slice(&body).map_err(|_| CallError::Unreadable),
            false => Err(match serde_json::from_slice(&body) {
                Ok(ErrorAnswer { code, message }) => CallError::Answered { code, message },
                Err(_) => CallError::Unreadable,
            }),
        }
    }

    fn request(
        &self,
        path: &str,
        request: &impl Serialize,
    ) -> Result<Request<Full<Bytes>>, CallError> {
        let unsent = || CallError::Unsent("a request that cannot be written");
        let body = serde_json::to_vec(request).map_err(|_| unsent())?;
        Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .map_err(|_| unsent())
    }

    /// The connection, if it still stands; otherwise a new one.
    async fn connected(&mut self) -> Result<Connection, CallError> {
        if let Some(mut connection) = self.connection.take()
            && connection.sender.ready().await.is_ok()
        {
            return Ok(connection);
        }
        let stream = TcpStream::connect(self.address).await.map_err(|error| {
            CallError::Unsent(match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "connection refused",
                _ => "no connection",
            })
        })?;
        // Without it requests could wait for each other's acknowledgements; it is no condition.
        let _ = stream.set_nodelay(true);
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| CallError::Unsent("no connection"))?;
        let driver = tokio::spawn(async move {
            // Its error is also that of the request under way.
            let _ = connection.await;
        });
        Ok(Connection { sender, driver })
    }
}

impl Connection {
    /// Whether the answer is a result rather than an error, and its body.
    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(bool, Bytes), CallError> {
        let sent = self.sender.try_send_request(request).await;
        let response: Response<_> = sent.map_err(|error| match error.message() {
            // It comes back if not a byte of it was written.
            Some(_) => CallError::Unsent("connection lost before the request"),
            None => CallError::Unanswered("connection lost"),
        })?;
        let is_ok = response.status().is_success();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|_| CallError::Unanswered("connection lost"))?;
        Ok((is_ok, body.to_bytes()))
    }
}

#[cfg(test)]
mod tests;
