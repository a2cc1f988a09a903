//! Logging in: by key file, by the agent's keys, by password.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ssh2::{Error, ErrorCode, KeyboardInteractivePrompt, Prompt, Session};

use super::connection::Connection;
use crate::remote::{Endpoint, RemoteError};

/// Keys that are tried where none is named.
const USUAL: [&str; 3] = [".ssh/id_ed25519", ".ssh/id_ecdsa", ".ssh/id_rsa"];

/// How many of an agent's keys are tried: a server ends the connection after some failures
/// (`MaxAuthTries`, 6), and there must be tries left for what comes after.
const AGENT_KEYS_MAX: usize = 4;

/// libssh2's codes for a connection that broke or fell silent (`LIBSSH2_ERROR_*`): sending failed,
/// time-out, disconnected, receiving failed.
const BROKEN: [i32; 4] = [-7, -9, -13, -43];

/// The home of the user that runs Perjury.
pub(super) fn home() -> PathBuf {
    std::env::home_dir().unwrap_or_else(|| PathBuf::from("/root"))
}

/// Logs in by the first way that the machine accepts.
///
/// # Errors
/// If it accepts none, with all that was tried; or if it falls silent.
pub(super) fn log_in(
    connection: &Connection,
    node: &str,
    endpoint: &Endpoint,
    until: Instant,
) -> Result<(), RemoteError> {
    let (session, user) = (connection.session(), endpoint.user());
    let mut tried = Vec::new();
    for way in ways(endpoint) {
        connection.within(until);
        match way.attempt(session, &user, endpoint) {
            Ok(()) if session.authenticated() => return Ok(()),
            Ok(()) => tried.push(format!("{}: more is asked for", way.name())),
            Err(error) if BROKEN.map(ErrorCode::Session).contains(&error.code()) => {
                return Err(RemoteError::Unreachable {
                    node: node.to_owned(),
                    address: endpoint.address(),
                    problem: format!("it broke off the login ({})", error.message()),
                });
            }
            Err(error) => tried.push(format!("{}: {}", way.name(), error.message())),
        }
    }
    let problem = match tried.is_empty() {
        true => "there is neither a key nor an agent nor a password".to_owned(),
        false => tried.join("; "),
    };
    let remedy = "add the public key to ~/.ssh/authorized_keys there, or name another `identity`, \
                  or set PERJURY_SSH_PASSWORD (PERJURY_SSH_PASSPHRASE for a locked key)";
    let (node, remedy) = (node.to_owned(), remedy.to_owned());
    Err(RemoteError::Login { node, user, problem, remedy })
}

/// A way to log in.
enum Way {
    Key(PathBuf),
    Agent(PathBuf),
    Password(String),
}

/// The ways that there are, in order.
fn ways(endpoint: &Endpoint) -> Vec<Way> {
    let mut ways = Vec::new();
    match &endpoint.identity {
        Some(file) => ways.push(Way::Key(file.clone())),
        None => {
            ways.extend(endpoint.agent.clone().map(Way::Agent));
            let usual = USUAL.map(|file| home().join(file));
            ways.extend(usual.into_iter().filter(|file| file.exists()).map(Way::Key));
        }
    }
    ways.extend(endpoint.secrets.password.clone().map(Way::Password));
    ways
}

impl Way {
    fn name(&self) -> String {
        match self {
            Way::Key(file) => format!("the key {}", file.display()),
            Way::Agent(_) => "the agent".to_owned(),
            Way::Password(_) => "the password".to_owned(),
        }
    }

    fn attempt(&self, session: &Session, user: &str, endpoint: &Endpoint) -> Result<(), Error> {
        match self {
            Way::Key(file) => {
                let passphrase = endpoint.secrets.passphrase.as_deref();
                session.userauth_pubkey_file(user, None, file, passphrase)
            }
            Way::Agent(socket) => by_agent(session, user, socket),
            Way::Password(password) => {
                // Servers with PAM often take a password only as the answer to a question.
                let asked = session.userauth_password(user, password);
                asked.or_else(|first| {
                    let mut answer = Answer(password);
                    session.userauth_keyboard_interactive(user, &mut answer).map_err(|_| first)
                })
            }
        }
    }
}

fn by_agent(session: &Session, user: &str, socket: &Path) -> Result<(), Error> {
    let mut agent = session.agent()?;
    agent.set_identity_path(socket)?;
    agent.connect()?;
    agent.list_identities()?;
    let mut result = Err(Error::new(ErrorCode::Session(-18), "it has no keys"));
    for key in agent.identities()?.iter().take(AGENT_KEYS_MAX) {
        result = agent.userauth(user, key);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Answers what is asked without an echo.
struct Answer<'a>(&'a str);

impl KeyboardInteractivePrompt for Answer<'_> {
    fn prompt<'p>(&mut self, _: &str, _: &str, prompts: &[Prompt<'p>]) -> Vec<String> {
        let answer = |prompt: &Prompt<'_>| match prompt.echo {
            true => String::new(),
            false => self.0.to_owned(),
        };
        prompts.iter().map(answer).collect()
    }
}
