//! What stores on real machines have in common.

use std::time::Duration;

use perjury_lab::remote::{Command, RemoteError};
use perjury_lab::{Lab, MachineLab, machines::Machine};

use crate::StoreError;

const INSTALL: &str = include_str!("install_packages.sh");

/// The status with which the script says that it knows no way to install anything.
const NO_WAY: i32 = 69;

/// Packages come from far away.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(600);

/// The machines of a lab that has some.
///
/// # Errors
/// If it has none.
pub(crate) fn machines<'a>(store: &str, lab: &'a Lab) -> Result<&'a MachineLab, StoreError> {
    match lab {
        Lab::Machines(lab) => Ok(lab),
        other => Err(StoreError::Lab {
            store: store.to_owned(),
            expected: "namespaces, ssh".to_owned(),
            found: other.name().to_owned(),
        }),
    }
}

/// Sees to it that a machine has a program (by its full path, or on the path of root): where it is
/// missing, Debian's packages are installed, and none of their services is started.
///
/// # Errors
/// If it is missing and cannot be installed.
pub(crate) async fn ensure_program(
    machine: &Machine,
    program: &str,
    packages: &[&str],
) -> Result<(), RemoteError> {
    let command = Command::script(INSTALL)
        .as_root()
        .argument(program)
        .arguments(packages.iter().copied())
        .timeout(INSTALL_TIMEOUT);
    let output = machine.output(&command).await?;
    match output.status {
        0 => Ok(()),
        NO_WAY => Err(RemoteError::Missing {
            node: machine.to_string(),
            what: format!("`{program}`"),
            remedy: format!("install what stands for Debian's {}", packages.join(", ")),
        }),
        status => Err(RemoteError::Failed {
            node: machine.to_string(),
            command: format!("apt-get install {}", packages.join(" ")),
            status,
            problem: String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use perjury_history::NodeId;
    use perjury_lab::remote::LocalRemote;

    use super::*;

    #[tokio::test]
    async fn a_program_that_is_there_needs_no_package() {
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        let machine = Machine::new(NodeId(0), vec![address], Arc::new(LocalRemote));
        ensure_program(&machine, "sh", &["no-such-package"]).await.expect("it is there");
        ensure_program(&machine, "/bin/sh", &["no-such-package"]).await.expect("it is there");
    }
}
