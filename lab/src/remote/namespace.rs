//! A node of a lab of namespaces, without SSH.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Command, LocalRemote, Output, Remote, RemoteError};

/// Enters the namespaces of a process of this machine.
#[derive(Clone, Debug)]
pub struct NamespaceRemote {
    name: String,
    process: i32,
}

impl NamespaceRemote {
    /// A remote into the namespaces of a process.
    pub fn new(name: &str, process: i32) -> Self {
        Self { name: name.to_owned(), process }
    }

    fn inside(&self, command: &Command) -> Command {
        let process = self.process.to_string();
        let enter =
            ["nsenter", "--target", &process, "--mount", "--uts", "--ipc", "--net", "--pid"];
        let enter = enter.into_iter().chain(["--root", "--wd=/root", "--"]);
        let mut inside = command.clone();
        inside.arguments = enter.map(str::to_owned).chain(command.arguments.clone()).collect();
        inside.variable("HOME", "/root")
    }

    fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.process))
    }
}

#[async_trait]
impl Remote for NamespaceRemote {
    fn name(&self) -> &str {
        &self.name
    }

    async fn output(&self, command: &Command) -> Result<Output, RemoteError> {
        LocalRemote.output(&self.inside(command)).await
    }

    async fn upload(&self, from: &Path, to: &str, mode: u32) -> Result<(), RemoteError> {
        LocalRemote.upload(from, &self.path(to).display().to_string(), mode).await
    }

    async fn download(&self, from: &str, to: &Path) -> Result<u64, RemoteError> {
        LocalRemote.download(&self.path(from).display().to_string(), to).await
    }

    async fn stream(
        &self,
        command: &Command,
        sink: &mut (dyn for<'a> FnMut(&'a [u8]) + Send),
    ) -> Result<Output, RemoteError> {
        LocalRemote.stream(&self.inside(command), sink).await
    }
}
