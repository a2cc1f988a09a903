//! Where a machine is and how one gets in.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::guard::Elevation;

/// A machine's SSH server, and what to show it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name or address, as it stands in the file of known hosts.
    pub host: String,
    /// Its port; 22 if none is given, or what the system's `ssh` has been configured for.
    pub port: Option<u16>,
    /// Whom to log in as; if nobody is given, the user that runs Perjury, or whom the system's
    /// `ssh` has been configured for.
    pub user: Option<String>,
    /// Whether to use `sudo` for what must run as root.
    pub sudo: bool,
    /// The file of the private key; if none is given, the agent's keys and those in `~/.ssh`.
    pub identity: Option<PathBuf>,
    /// The agent's socket, as in `SSH_AUTH_SOCK`.
    pub agent: Option<PathBuf>,
    /// The file of known hosts; `~/.ssh/known_hosts` if none is given.
    pub known_hosts: Option<PathBuf>,
    /// How long connecting may take, with the login.
    pub connect_timeout: Duration,
    /// What nobody else must know.
    pub secrets: Secrets,
}

impl Endpoint {
    /// A machine with all else as usual: 10 seconds to connect, agent and secrets from the
    /// environment.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: None,
            user: None,
            sudo: false,
            identity: None,
            agent: std::env::var_os("SSH_AUTH_SOCK").filter(|it| !it.is_empty()).map(PathBuf::from),
            known_hosts: None,
            connect_timeout: Duration::from_secs(10),
            secrets: Secrets::from_environment(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(22)
    }

    pub(crate) fn user(&self) -> String {
        self.user.clone().unwrap_or_else(current_user)
    }

    /// Host and port, as one writes them.
    pub(crate) fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port()),
            false => format!("{}:{}", self.host, self.port()),
        }
    }

    pub(crate) fn elevation(&self) -> Elevation {
        match (self.sudo, &self.secrets.sudo_password) {
            (false, _) => Elevation::None,
            (true, None) => Elevation::Sudo,
            (true, Some(_)) => Elevation::Password,
        }
    }
}

/// The user that runs Perjury.
pub(crate) fn current_user() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid());
    user.ok().flatten().map_or_else(|| "root".to_owned(), |user| user.name)
}

/// Passwords. They are given to the machine that asks for them, and stand nowhere else.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The user's password on the machine.
    pub password: Option<String>,
    /// What the private key is locked with.
    pub passphrase: Option<String>,
    /// What `sudo` asks for.
    pub sudo_password: Option<String>,
}

impl Secrets {
    /// `PERJURY_SSH_PASSWORD`, `PERJURY_SSH_PASSPHRASE` and `PERJURY_SUDO_PASSWORD`.
    pub fn from_environment() -> Self {
        let read = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            password: read("PERJURY_SSH_PASSWORD"),
            passphrase: read("PERJURY_SSH_PASSPHRASE"),
            sudo_password: read("PERJURY_SUDO_PASSWORD"),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}
