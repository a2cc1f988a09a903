//! This machine, by the same interface as any other.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Command, Output, Remote, RemoteError};

/// Runs commands on this machine. The user is whoever runs Perjury; it does not become another.
#[derive(Clone, Debug, Default)]
pub struct LocalRemote;

const NAME: &str = "this machine";

impl LocalRemote {
    fn file(path: &Path, error: &std::io::Error) -> RemoteError {
        let path = path.display().to_string();
        RemoteError::File { node: NAME.to_owned(), path, problem: error.to_string() }
    }
}

#[async_trait]
impl Remote for LocalRemote {
    fn name(&self) -> &str {
        NAME
    }

    async fn output(&self, command: &Command) -> Result<Output, RemoteError> {
        self.stream(command, &mut |_| {}).await
    }

    async fn upload(&self, from: &Path, to: &str, mode: u32) -> Result<(), RemoteError> {
        use std::os::unix::fs::PermissionsExt;
        let partial = format!("{to}.partial");
        tokio::fs::copy(from, &partial).await.map_err(|error| Self::file(from, &error))?;
        let permissions = std::fs::Permissions::from_mode(mode);
        let set = tokio::fs::set_permissions(&partial, permissions).await;
        set.map_err(|error| Self::file(Path::new(&partial), &error))?;
        let renamed = tokio::fs::rename(&partial, to).await;
        renamed.map_err(|error| Self::file(Path::new(to), &error))
    }

    async fn download(&self, from: &str, to: &Path) -> Result<u64, RemoteError> {
        let copied = tokio::fs::copy(from, to).await;
        copied.map_err(|error| Self::file(Path::new(from), &error))
    }

    async fn stream(
        &self,
        command: &Command,
        sink: &mut (dyn for<'a> FnMut(&'a [u8]) + Send),
    ) -> Result<Output, RemoteError> {
        let program = &command.arguments[0];
        let could_not = |error: &std::io::Error| RemoteError::Missing {
            node: NAME.to_owned(),
            what: format!("`{program}` that runs ({error})"),
            remedy: "install it".to_owned(),
        };
        let mut child = tokio::process::Command::new(program)
            .args(&command.arguments[1..])
            .envs(&command.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| could_not(&error))?;
        let group = child.id();
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let work = async {
            let feed = async {
                if let Some(mut stdin) = stdin {
                    // A command need not read what it is given.
                    let _ = stdin.write_all(&command.input).await;
                }
            };
            let mut output = Output::default();
            let read = async {
                let mut buffer = vec![0; 16 * 1024];
                let Some(mut stdout) = stdout else { return Ok(()) };
                loop {
                    match stdout.read(&mut buffer).await? {
                        0 => return Ok(()),
                        length => {
                            sink(&buffer[..length]);
                            output.stdout.extend_from_slice(&buffer[..length]);
                        }
                    }
                }
            };
            let complain = async {
                match stderr {
                    Some(mut stderr) => stderr.read_to_end(&mut output.stderr).await.map(|_| ()),
                    None => Ok(()),
                }
            };
            let ((), read, complained) = tokio::join!(feed, read, complain);
            let status = read.and(complained).and(child.wait().await);
            status.map(|status| {
                let signal = status.signal().unwrap_or(0);
                output.status = status.code().unwrap_or(128 + signal);
                output
            })
        };
        match timeout(command.timeout, work).await {
            Ok(output) => output.map_err(|error| could_not(&error)),
            Err(_) => {
                // Its children too: they are in its process group.
                let group = group.and_then(|it| i32::try_from(it).ok());
                if let Some(group) = group {
                    let group = nix::unistd::Pid::from_raw(group);
                    // It may have ended just now.
                    let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
                }
                Err(RemoteError::TimedOut {
                    node: NAME.to_owned(),
                    command: command.to_string(),
                    timeout: command.timeout,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn what_a_command_says_comes_back() {
        let command = Command::script("cat; echo \"$1\" >&2; exit 3").argument("it's").input("in");
        let output = LocalRemote.output(&command).await.expect("it runs");
        assert_eq!((output.status, output.text().as_str()), (3, "in"));
        assert_eq!(output.stderr, b"it's\n");
        let failed = LocalRemote.run(&command).await.expect_err("status 3").to_string();
        assert!(failed.contains("ended with status 3: it's"), "{failed}");
        assert!(!failed.contains("in\n"), "what it read is not shown: {failed}");
    }

    #[tokio::test]
    async fn a_command_that_outlives_its_time_out_is_ended_with_its_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let mark = folder.path().join("mark").display().to_string();
        let command = Command::script("(sleep 2; echo > \"$1\") & wait").argument(mark.clone());
        let began = Instant::now();
        let command = command.timeout(Duration::from_millis(100));
        let error = LocalRemote.run(&command).await.expect_err("it is too slow");
        assert!(matches!(error, RemoteError::TimedOut { .. }), "{error}");
        assert!(began.elapsed() < Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert!(!Path::new(&mark).exists(), "its child went on");
    }
}
