//! This machine, by the same interface as any other.

use async_trait::async_trait;
use tokio::process::Command as Process;

use super::call::{Deadline, Input, timed_out};
use super::endpoint::current_user;
use super::guard::{Elevation, Guarded};
use super::process::{Problem, carry};
use super::transfer::Carrier;
use super::{Command, Output, RemoteError};

/// Runs commands on this machine. The user is whoever runs Perjury; it does not become another.
#[derive(Clone, Debug, Default)]
pub struct LocalRemote;

const NAME: &str = "this machine";

#[async_trait]
impl Carrier for LocalRemote {
    fn node(&self) -> &str {
        NAME
    }

    fn elevation(&self) -> Elevation {
        Elevation::None
    }

    async fn carry(
        &self,
        command: &Command,
        input: Input<'_>,
        sink: &mut (dyn for<'a> FnMut(&'a [u8]) + Send),
    ) -> Result<Output, RemoteError> {
        let deadline = Deadline::new(command.timeout);
        let guarded = Guarded::new(NAME, command, self.elevation())?;
        let line = guarded.line(deadline.left());
        let mut process = Process::new("sh");
        process.arg("-c").arg(line);
        let heard = carry(&mut process, guarded.mark(), input.reader(None), deadline, sink).await;
        match heard {
            Ok(hearing) => hearing.conclude(NAME, &current_user(), command, deadline),
            Err(Problem::Late) => Err(timed_out(NAME, command)),
            Err(Problem::Start(error)) => Err(RemoteError::Missing {
                node: NAME.to_owned(),
                what: format!("`sh` that runs ({error})"),
                remedy: "install it".to_owned(),
            }),
        }
    }
}
