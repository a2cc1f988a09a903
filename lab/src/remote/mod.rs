//! Reaching one machine: run, upload, download, stream.
//!
//! ```text
//!   Command  --guarded, quoted in one place-->  Remote  -->  ssh2 | the system's ssh | this one
//! ```
//!
//! Everything that is done to a real node is done through a [`Remote`]. A [`Command`] is a list of
//! arguments, never a line of text: [`quote`] is the only place where arguments become a line, and
//! values reach a script as its positional parameters. What is secret goes by standard input, so it
//! stands in no argument, log or file.
//!
//! The ways differ in how they carry a line to the machine (`Carrier` in `transfer.rs`). All else
//! is the same for each: the guard round a command (`guard.rs`), which ends it there in time; the
//! marks by which its end is known (`marks.rs`); files, which go by commands too (`transfer.rs`).
//!
//! Invariants
//! - A command ends within its time-out, here and on the node, whether or not somebody waits.
//! - A command is sent at most once.
//! - Every error names the node and what to do about it.

mod absent;
mod call;
mod command;
mod endpoint;
mod error;
mod guard;
mod local;
mod marks;
mod openssh;
mod process;
mod pulse;
mod quote;
mod ssh2;
mod transfer;

use std::path::Path;

use async_trait::async_trait;

use call::Input;
use transfer::Carrier;

pub(crate) use absent::AbsentRemote;
pub use command::{Command, Output};
pub(crate) use endpoint::current_user;
pub use endpoint::{Endpoint, Secrets};
pub use error::RemoteError;
pub use local::LocalRemote;
pub use openssh::OpenSshRemote;
pub use pulse::{Pulse, SILENCE_MAX};
pub use quote::{quote, quote_all};
pub use ssh2::Ssh2Remote;

/// A way to one machine. Calls may be made from several tasks at once.
#[async_trait]
pub trait Remote: Send + Sync {
    /// The machine's name, for messages.
    fn name(&self) -> &str;

    /// Runs a command to its end, whatever its exit status.
    ///
    /// # Errors
    /// If the machine cannot be reached, or the command could not be started or outlived its
    /// time-out (then it has been ended on the machine too).
    async fn output(&self, command: &Command) -> Result<Output, RemoteError>;

    /// Copies a file of this machine to `to`, whole or not at all, with these permission bits.
    ///
    /// # Errors
    /// If either file or the machine fails.
    async fn upload(&self, from: &Path, to: &str, mode: u32) -> Result<(), RemoteError>;

    /// Copies the machine's file `from` to a file here; its length in bytes.
    ///
    /// # Errors
    /// If either file or the machine fails.
    async fn download(&self, from: &str, to: &Path) -> Result<u64, RemoteError>;

    /// Runs a command and hands on what it writes to standard output as it comes; that is not in
    /// the [`Output`] once more.
    ///
    /// # Errors
    /// As [`Remote::output`].
    async fn stream(
        &self,
        command: &Command,
        sink: &mut (dyn for<'a> FnMut(&'a [u8]) + Send),
    ) -> Result<Output, RemoteError>;

    /// As [`Remote::stream`], of a command that reads a pulse in place of its input. It goes on for as
    /// long as somebody waits for it.
    ///
    /// # Errors
    /// As [`Remote::output`].
    async fn attend(
        &self,
        command: &Command,
        pulse: &Pulse,
        sink: &mut (dyn for<'a> FnMut(&'a [u8]) + Send),
    ) -> Result<Output, RemoteError>;

    /// Runs a command that must succeed; what it wrote to standard output, without white space at
    /// its end.
    ///
    /// # Errors
    /// As [`Remote::output`], and if it ends with another status than 0.
    async fn run(&self, command: &Command) -> Result<String, RemoteError> {
        let output = self.output(command).await?;
        if output.status != 0 {
            return Err(RemoteError::failed(self.name(), command, &output));
        }
        Ok(output.text().trim_end().to_owned())
    }
}

#[async_trait]
impl<C: Carrier> Remote for C {
    fn name(&self) -> &str {
        self.node()
    }

    async fn output(&self, command: &Command) -> Result<Output, RemoteError> {
        let mut stdout = Vec::new();
        let output = self.stream(command, &mut |said| stdout.extend_from_slice(said)).await?;
        Ok(Output { stdout, ..output })
    }

    async fn upload(&self, from: &Path, to: &str, mode: u32) -> Result<(), RemoteError> {
        transfer::upload(self, from, to, mode).await
    }

    async fn download(&self, from: &str, to: &Path) -> Result<u64, RemoteError> {
        transfer::download(self, from, to).await
    }

    async fn stream(
        &self,
        command: &Command,
        sink: &mut (dyn for<'a> FnMut(&'a [u8]) + Send),
    ) -> Result<Output, RemoteError> {
        self.carry(command, Input::Bytes(&command.input), sink).await
    }

    async fn attend(
        &self,
        command: &Command,
        pulse: &Pulse,
        sink: &mut (dyn for<'a> FnMut(&'a [u8]) + Send),
    ) -> Result<Output, RemoteError> {
        self.carry(command, Input::Pulse(pulse.clone()), sink).await
    }
}
