//! What an operator does on the machine of one node: by the server's own programs, as its user.

use std::time::Duration;

use perjury_lab::machines::{Daemon, Machine, Signal};
use perjury_lab::remote::{Command, RemoteError};

use super::files::{self, DAEMON};
use super::settings::PostgresSettings;

const CONTROL: &str = include_str!("control.sh");

/// A whole copy may have to be made and synced.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What a node would be if it were started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It has no data.
    Empty,
    Standby,
    Primary {
        /// That of its last checkpoint; a promotion is followed by one.
        timeline: u64,
    },
}

/// One node's machine in the hands of an operator.
pub(super) struct Operator<'a> {
    pub(super) machine: &'a Machine,
    pub(super) settings: &'a PostgresSettings,
    pub(super) password: &'a str,
    /// How many there are.
    pub(super) nodes: u32,
}

impl Operator<'_> {
    fn control(&self, action: &str) -> Command {
        let place = [action, &self.settings.programs, &files::folder(), &files::data()];
        Command::script(CONTROL).as_root().arguments(place).timeout(TIMEOUT)
    }

    async fn run(&self, command: Command) -> Result<(), RemoteError> {
        self.machine.run(&command).await.map(|_| ())
    }

    /// Ends what runs, removes what is there, and writes a new configuration.
    pub(super) async fn prepare(&self) -> Result<(), RemoteError> {
        self.machine.signal_daemon(DAEMON, Signal::Kill).await?;
        self.run(self.control("erase")).await?;
        let Self { machine, settings, password, nodes } = *self;
        let configuration = files::postgresql_conf(settings, machine.node(), nodes);
        machine.write(&files::configuration(), configuration).await?;
        machine.write(&files::upstream(), "").await?;
        machine.write(&files::access(), files::ACCESS).await?;
        machine.write(&files::password(), format!("*:*:*:*:{password}\n")).await?;
        machine.write(&files::new_password(), format!("{password}\n")).await?;
        self.run(self.control("own")).await
    }

    /// Makes it a primary that holds nothing yet.
    pub(super) async fn create(&self) -> Result<(), RemoteError> {
        let role = format!("create role {} login password '{}';\n\n", files::CLIENT, self.password);
        let checksums = if self.settings.checksums { "yes" } else { "no" };
        let command = self.control("create").argument(checksums);
        self.run(command.input(role + files::SCHEMA)).await
    }

    /// Makes it a standby, by a copy of the running node `source`. It follows it when it is started.
    pub(super) async fn copy(&self, source: &Machine) -> Result<(), RemoteError> {
        self.write_upstream(source).await?;
        self.run(self.control("copy").argument(self.connection_string(source))).await
    }

    /// Makes a stopped node a standby of `source`, undoing in its log what `source` does not have.
    pub(super) async fn rewind(&self, source: &Machine) -> Result<(), RemoteError> {
        self.write_upstream(source).await?;
        self.run(self.control("rewind").argument(self.connection_string(source))).await
    }

    /// Makes a stopped node a standby of `source`, with whatever it has.
    pub(super) async fn demote(&self, source: &Machine) -> Result<(), RemoteError> {
        self.write_upstream(source).await?;
        self.run(self.control("standby")).await
    }

    /// Whom it is to follow; a running node must be told to read it.
    pub(super) async fn write_upstream(&self, source: &Machine) -> Result<(), RemoteError> {
        // The name by which commits wait for it. Copying programs must not have it.
        let name = self.machine.node();
        let source = self.connection_string(source);
        let line = format!("primary_conninfo = '{source} application_name={name}'\n");
        self.machine.write(&files::upstream(), line).await?;
        self.run(self.control("own")).await
    }

    fn connection_string(&self, source: &Machine) -> String {
        files::connection_string(source.address(), self.settings.port)
    }

    /// What it would be.
    pub(super) async fn role(&self) -> Result<Role, RemoteError> {
        let said = self.machine.run(&self.control("role")).await?;
        Ok(match said.parse() {
            Ok(timeline) => Role::Primary { timeline },
            Err(_) if said == "standby" => Role::Standby,
            Err(_) => Role::Empty,
        })
    }

    /// Has it pass over the timelines up to this one when it is promoted.
    pub(super) async fn claim_timelines(&self, newest: u64) -> Result<(), RemoteError> {
        self.run(self.control("claim").argument(newest.to_string())).await
    }

    /// Starts the server, unless it runs.
    pub(super) async fn start(&self) -> Result<(), RemoteError> {
        let program = format!("{}/postgres", self.settings.programs);
        let configuration = format!("config_file={}", files::configuration());
        let arguments =
            vec![program, "-D".to_owned(), files::data(), "-c".to_owned(), configuration];
        let daemon =
            Daemon { name: DAEMON, arguments, user: Some("postgres"), environment: [].into() };
        self.machine.start_daemon(&daemon).await
    }

    /// Stops the server in an orderly way, so that standbys get all it has; by force if it does not
    /// come to an end.
    pub(super) async fn stop(&self) -> Result<(), RemoteError> {
        // It may be paused, or wait for a standby that is cut off, or not run at all.
        let _ = self.machine.output(&self.control("stop")).await?;
        self.machine.signal_daemon(DAEMON, Signal::Kill).await
    }
}
