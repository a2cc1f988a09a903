//! Whether a machine is the one that we know.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use ssh2::{CheckResult, HashType, KnownHostFileKind, KnownHosts, MethodType, Session};

use super::login::home;
use crate::remote::{Endpoint, RemoteError, quote};

/// Kinds of host keys in the order in which `ssh` asks for them, each with the kind of the key
/// itself.
const KINDS: [(&str, &str); 6] = [
    ("ssh-ed25519", "ssh-ed25519"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"),
    ("rsa-sha2-512", "ssh-rsa"),
    ("rsa-sha2-256", "ssh-rsa"),
];

fn file(endpoint: &Endpoint) -> PathBuf {
    endpoint.known_hosts.clone().unwrap_or_else(|| home().join(".ssh/known_hosts"))
}

/// How a machine is called in a file of known hosts.
fn called(endpoint: &Endpoint) -> String {
    match endpoint.port() {
        22 => endpoint.host.clone(),
        port => format!("[{}]:{port}", endpoint.host),
    }
}

/// The known hosts. Lines that we do not understand (certificates, revoked keys) vouch for nobody.
fn read(session: &Session, file: &Path) -> Result<KnownHosts, String> {
    let mut hosts = session.known_hosts().map_err(|error| error.to_string())?;
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error.to_string()),
    };
    for line in text.lines().filter(|line| !line.starts_with('@')) {
        let _ = hosts.read_str(line, KnownHostFileKind::OpenSSH);
    }
    Ok(hosts)
}

/// Asks the machine for a key of a kind that we know of it: it may have several, and another one
/// would look like a changed key.
pub(super) fn prefer_known(session: &Session, endpoint: &Endpoint) {
    let hosts = read(session, &file(endpoint))
        .and_then(|hosts| hosts.hosts().map_err(|error| error.to_string()));
    let name = called(endpoint);
    let known: Vec<_> = hosts
        .unwrap_or_default()
        .iter()
        .filter(|host| host.name() == Some(&name))
        .filter_map(|host| kind(host.key()))
        .collect();
    let mut kinds = KINDS;
    kinds.sort_by_key(|(_, kind)| !known.iter().any(|it| it == kind));
    let kinds: Vec<_> = kinds.iter().map(|(asked, _)| *asked).collect();
    // If the library has none of them, the handshake says so.
    let _ = session.method_pref(MethodType::HostKey, &kinds.join(","));
}

/// The kind of a key: the first string in it, after four bytes with its length.
fn kind(key: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(key).ok()?;
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    String::from_utf8(bytes.get(4..4 + length)?.to_vec()).ok()
}

/// Compares the machine's key with the known one.
///
/// # Errors
/// If it is unknown, or another.
pub(super) fn check(session: &Session, node: &str, endpoint: &Endpoint) -> Result<(), RemoteError> {
    let file = file(endpoint);
    let path = file.display().to_string();
    let wrong = |problem: &str, remedy: String| {
        let (node, problem) = (node.to_owned(), problem.to_owned());
        Err(RemoteError::HostKey { node, problem, file: path.clone(), remedy })
    };
    let hosts = match read(session, &file) {
        Ok(hosts) => hosts,
        Err(problem) => {
            return wrong("cannot be looked up", format!("make the file readable: {problem}"));
        }
    };
    let Some((key, _)) = session.host_key() else {
        return wrong("does not exist", "set up its SSH server".to_owned());
    };
    let (host, name, quoted) = (quote(&endpoint.host), called(endpoint), quote(&path));
    let print = session.host_key_hash(HashType::Sha256).unwrap_or_default();
    let print = BASE64_STANDARD_NO_PAD.encode(print);
    let scan = format!("ssh-keyscan -p {} {host} >>{quoted}", endpoint.port());
    match hosts.check(&name, key) {
        CheckResult::Match => Ok(()),
        CheckResult::NotFound => {
            wrong("is unknown", format!("if SHA256:{print} is really its key, add it by `{scan}`"))
        }
        CheckResult::Mismatch => wrong(
            "is not the known one",
            format!(
                "if it was set up anew and SHA256:{print} is really its key, replace the known one by \
                 `ssh-keygen -f {quoted} -R {}` and `{scan}`; if not, somebody is between here and there",
                quote(&name)
            ),
        ),
        CheckResult::Failure => {
            wrong("cannot be compared", "is the file of known hosts in order?".to_owned())
        }
    }
}
