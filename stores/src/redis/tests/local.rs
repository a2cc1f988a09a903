//! Servers and Sentinels as plain processes on 127.0.0.1, for tests of the client that need neither
//! root nor a lab.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use perjury_history::{NodeId, Process};
use tokio::time::{Instant, sleep};

use super::super::PROGRAM;
use super::super::client::RedisClient;
use super::super::cluster::{Cluster, Endpoints};
use super::super::configuration::{self, Place};
use super::super::lineage::Lineage;
use super::super::settings::RedisSettings;
use crate::Session;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A cluster that ends with the test.
pub(super) struct LocalCluster {
    folder: tempfile::TempDir,
    pub(super) settings: RedisSettings,
    pub(super) cluster: Arc<Cluster>,
    lineage: Arc<Mutex<Lineage>>,
    servers: Vec<Child>,
    sentinels: Vec<Child>,
}

impl LocalCluster {
    /// Starts a cluster and waits until it serves. `None` if there is no Redis here; then it says
    /// so.
    pub(super) async fn start(nodes: usize, settings: RedisSettings) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            println!("skipped: no {PROGRAM}; scripts/install-stores redis installs it");
            return None;
        }
        // They are held until all are known, so that no two are the same.
        let held: Vec<_> = (0..2 * nodes)
            .map(|_| TcpListener::bind((LOCALHOST, 0)).expect("a free port"))
            .collect();
        let address = |index: usize| held[index].local_addr().expect("it is bound");
        let endpoints = (0..nodes)
            .map(|node| Endpoints { server: address(2 * node), sentinel: address(2 * node + 1) });
        let cluster = Arc::new(Cluster { nodes: endpoints.collect() });
        drop(held);
        let folder = tempfile::tempdir().expect("a folder");
        let (servers, sentinels) = (Vec::new(), Vec::new());
        let lineage = Arc::default();
        let mut local = Self { folder, settings, cluster, lineage, servers, sentinels };
        for node in 0..nodes {
            let (server, sentinel) = local.configure(node);
            let (server, sentinel) = (run(&[&server]), run(&[&sentinel, "--sentinel"]));
            local.servers.push(server);
            local.sentinels.push(sentinel);
        }
        local.ready().await;
        Some(local)
    }

    fn configure(&self, node: usize) -> (String, String) {
        let folder = self.folder.path().join(format!("n{}", node + 1));
        std::fs::create_dir(&folder).expect("a folder");
        let path = |name: &str| folder.join(name).display().to_string();
        let Endpoints { server, sentinel } = self.cluster.nodes[node];
        let first = self.cluster.nodes[0].server;
        let first = (first.ip(), first.port());
        let follows = (node > 0).then_some(first);
        let home = folder.display().to_string();
        let place = Place { address: LOCALHOST, follows, port: server.port(), folder: &home };
        let nodes = self.cluster.nodes.len() as u32;
        let text = configuration::server(&self.settings, &place);
        std::fs::write(path("redis.conf"), text).expect("written");
        let port = sentinel.port();
        let text = configuration::sentinel(&self.settings, nodes, LOCALHOST, port, first, &home);
        std::fs::write(path("sentinel.conf"), text).expect("written");
        (path("redis.conf"), path("sentinel.conf"))
    }

    /// Waits until it serves on every node.
    pub(super) async fn ready(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        while let Some(trouble) = self.cluster.trouble().await {
            assert!(Instant::now() < until, "{trouble}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// A client beside a node.
    pub(super) fn client(&self, node: u32, timeout_ms: u64) -> RedisClient {
        let session = Session { process: Process(node), timeout_ns: timeout_ms * 1_000_000 };
        let (settings, cluster) = (self.settings.clone(), self.cluster.clone());
        RedisClient::new(settings, cluster, self.lineage.clone(), NodeId(node), session)
    }

    /// Sends a signal to the server of a node.
    pub(super) fn signal(&mut self, node: usize, signal: Signal) {
        let pid = i32::try_from(self.servers[node].id()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("it is our child");
        if signal == Signal::SIGKILL {
            self.servers[node].wait().expect("it is our child");
        }
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        for child in self.servers.iter_mut().chain(&mut self.sentinels) {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn run(arguments: &[&str]) -> Child {
    let mut command = Command::new(PROGRAM);
    let command = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().expect("it starts")
}
