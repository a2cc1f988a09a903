//! The options of `ssh`.

use std::path::Path;

use crate::remote::Endpoint;

/// Options of all uses for a machine: those that safety asks for, and those that the endpoint
/// names. All else is as the user has configured it.
pub(super) fn common(endpoint: &Endpoint, control: &Path) -> Vec<String> {
    let mut settings = vec![
        "BatchMode=yes".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        // The file of known hosts is the user's.
        "UpdateHostKeys=no".to_owned(),
        "LogLevel=ERROR".to_owned(),
        "ServerAliveInterval=15".to_owned(),
        format!("ConnectTimeout={}", endpoint.connect_timeout.as_secs().max(1)),
        format!("ControlPath={}", file(control)),
    ];
    if let Some(known_hosts) = &endpoint.known_hosts {
        settings.push(format!("UserKnownHostsFile={}", file(known_hosts)));
        settings.push("GlobalKnownHostsFile=/dev/null".to_owned());
    }
    if let Some(identity) = &endpoint.identity {
        settings.push(format!("IdentityFile={}", file(identity)));
        settings.push("IdentitiesOnly=yes".to_owned());
    }
    if let Some(agent) = &endpoint.agent {
        settings.push(format!("IdentityAgent={}", file(agent)));
    }
    if let Some(port) = endpoint.port {
        settings.push(format!("Port={port}"));
    }
    let mut options: Vec<_> =
        settings.into_iter().flat_map(|setting| ["-o".to_owned(), setting]).collect();
    if let Some(user) = &endpoint.user {
        options.extend(["-l".to_owned(), user.clone()]);
    }
    options
}

/// A file as `ssh` reads it: in quotes, and a `%` begins a name of something.
fn file(path: &Path) -> String {
    let path = path.display().to_string();
    format!("\"{}\"", path.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%"))
}
