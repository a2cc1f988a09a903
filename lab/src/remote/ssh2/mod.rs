//! Machines over SSH, by libssh2.
//!
//! ```text
//!   task --call--> queue --> worker: a thread with one connection, one command at a time
//!        <--what it says, how it ended--
//! ```
//!
//! libssh2 blocks, and locks a connection for as long: so each connection belongs to one thread,
//! [`pool`], which does one command after the other. A machine has as many of them as there are
//! commands at the same time, up to a limit, and those that have nothing to do go after a while.
//! [`connection`] opens one: it checks the host's key, [`host_key`], and logs in, [`login`].
//! [`exchange`] carries one command over it.
//!
//! Invariants
//! - A command is sent at most once. A connection that turns out to be lost before the command was
//!   sent is replaced; after that the loss is an error.
//! - A machine that does not answer costs its own callers their time-outs, and others nothing.

mod connection;
mod exchange;
mod host_key;
mod login;
mod pool;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::call::{Deadline, Input, timed_out};
use super::guard::{Elevation, Guarded};
use super::transfer::Carrier;
use super::{Command, Endpoint, Output, RemoteError};
use pool::{Event, Job, Pool};

/// How many pieces of output may wait for the task that reads them.
const PIECES: usize = 16;

/// A machine over SSH. It connects when there is something to do.
pub struct Ssh2Remote {
    pool: Arc<Pool>,
}

impl Ssh2Remote {
    /// A machine at this endpoint; `name` is for messages.
    pub fn new(name: impl Into<String>, endpoint: Endpoint) -> Self {
        Self { pool: Arc::new(Pool::new(name.into(), endpoint)) }
    }
}

impl Drop for Ssh2Remote {
    fn drop(&mut self) {
        self.pool.close();
    }
}

#[async_trait]
impl Carrier for Ssh2Remote {
    fn node(&self) -> &str {
        &self.pool.node
    }

    fn elevation(&self) -> Elevation {
        self.pool.endpoint.elevation()
    }

    async fn carry(
        &self,
        command: &Command,
        input: Input<'_>,
        sink: &mut (dyn for<'a> FnMut(&'a [u8]) + Send),
    ) -> Result<Output, RemoteError> {
        let Pool { node, endpoint, .. } = &*self.pool;
        let deadline = Deadline::new(command.timeout);
        let guarded = Guarded::new(node, command, endpoint.elevation())?;
        let password = endpoint.secrets.sudo_password.as_deref();
        let input = input.reader(password.filter(|_| guarded.wants_password()));
        let (events, mut heard) = mpsc::channel(PIECES);
        let late = timed_out(node, command);
        self.pool.submit(Job { guarded, input, deadline, late, events })?;
        let work = async {
            while let Some(event) = heard.recv().await {
                match event {
                    Event::Said(piece) => sink(&piece),
                    Event::Done(result) => return *result,
                }
            }
            let problem = "its worker ended".to_owned();
            Err(RemoteError::Lost { node: node.clone(), problem })
        };
        let hearing = match timeout(deadline.patience(), work).await {
            Ok(result) => result?,
            Err(_) => return Err(timed_out(node, command)),
        };
        hearing.conclude(node, &endpoint.user(), command, deadline)
    }
}
