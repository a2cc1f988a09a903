//! A real store on machines made of namespaces, for the tests of one store each.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use perjury_history::{MicroOp, NodeId, Process};
use perjury_lab::Lab;
use perjury_lab::machines::{Machine, Signal};
use perjury_lab::namespaces::{self, NamespaceSettings};
use perjury_lab::remote::Command;
use perjury_stores::{Answer, Client, Session, Store};

/// How long anything may take that must come about; nothing waits so long unless it fails.
const LIMIT: Duration = Duration::from_secs(60);

/// One lab at a time: their servers would only be in each other's way.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A store that runs.
pub(crate) struct Setup {
    pub(crate) lab: Lab,
    pub(crate) store: Box<dyn Store>,
}

/// Takes the lab away, whatever became of the test.
struct Up(NamespaceSettings);

impl Drop for Up {
    fn drop(&mut self) {
        if let Err(error) = namespaces::down(&self.0.name) {
            eprintln!("the lab {} could not be taken away: {error}", self.0.name);
        }
    }
}

/// Runs a scenario on a store on `nodes` machines of a lab of that name, or says why it cannot.
pub(crate) fn with(
    name: &str,
    store: &str,
    binary: &str,
    settings: serde_json::Value,
    nodes: u32,
    scenario: impl AsyncFnOnce(&Setup),
) {
    let reason = namespaces::possible().err();
    let missing = || format!("there is no {binary}; scripts/install-stores {store}");
    let reason = reason.or_else(|| (!Path::new(binary).exists()).then(missing));
    if let Some(reason) = reason {
        eprintln!("skipped: {reason}");
        return;
    }
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let name = format!("{name}-{}", std::process::id());
    let up = Up(NamespaceSettings { name, ..NamespaceSettings::default() });
    namespaces::up(&up.0, nodes).expect("the lab comes up");
    let lab = namespaces::open(&up.0, nodes).expect("it is up");
    let store = perjury_stores::store(store, settings, nodes).expect("good settings");
    let setup = Setup { lab: Lab::Machines(lab), store };
    let main = async {
        setup.install_and_start().await;
        scenario(&setup).await;
    };
    setup.lab.run(main).expect("real time does not stall");
}

impl Setup {
    fn machine(&self, node: NodeId) -> &Machine {
        match &self.lab {
            Lab::Machines(lab) => lab.machine(node),
            _ => unreachable!("it was made of namespaces"),
        }
    }

    /// Puts the store on every node anew, and waits until it serves.
    pub(crate) async fn install_and_start(&self) {
        for node in self.lab.nodes() {
            self.store.install(&self.lab, node).await.expect("it is installed");
        }
        for node in self.lab.nodes() {
            self.store.start(&self.lab, node).await.expect("it starts");
        }
        self.ready().await;
    }

    /// Waits until the store serves.
    pub(crate) async fn ready(&self) {
        let patience_ns = LIMIT.as_nanos() as u64;
        self.store.await_ready(&self.lab, patience_ns).await.expect("it serves");
    }

    pub(crate) async fn client(
        &self,
        process: u32,
        node: NodeId,
        timeout: Duration,
    ) -> Box<dyn Client> {
        self.client_of(self.store.as_ref(), process, node, timeout).await
    }

    /// A client that reads and writes as another choice of settings says.
    pub(crate) async fn client_of(
        &self,
        store: &dyn Store,
        process: u32,
        node: NodeId,
        timeout: Duration,
    ) -> Box<dyn Client> {
        let session = Session { process: Process(process), timeout_ns: timeout.as_nanos() as u64 };
        store.connect(&self.lab, node, session).await
    }

    /// Has a client of little patience do something that must succeed, however busy the host is.
    pub(crate) async fn done(&self, client: &mut Box<dyn Client>, operation: MicroOp) -> Answer {
        let operation = [operation];
        let mut answer = client.invoke(&operation).await;
        let began = Instant::now();
        while !matches!(answer, Answer::Ok { .. }) {
            assert!(began.elapsed() < LIMIT, "{operation:?}: {answer:?}");
            answer = client.invoke(&operation).await;
        }
        answer
    }

    /// The same store with other settings.
    pub(crate) fn variant(&self, settings: serde_json::Value) -> Box<dyn Store> {
        let nodes = self.lab.nodes().len() as u32;
        perjury_stores::store(self.store.name(), settings, nodes).expect("good settings")
    }

    /// Waits until something holds.
    pub(crate) async fn eventually(&self, mut holds: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !holds().await {
            assert!(began.elapsed() < LIMIT, "it did not come about");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends a signal to all that the store runs on a node.
    pub(crate) async fn signal(&self, node: NodeId, signal: Signal) {
        for daemon in self.store.footprint().daemons {
            self.machine(node).signal_daemon(daemon, signal).await.expect("it obeys");
        }
    }

    /// What a script said on a node.
    pub(crate) async fn said(&self, node: NodeId, script: &'static str) -> String {
        self.machine(node).run(&Command::script(script).as_root()).await.expect("it succeeds")
    }

    /// Drops all that comes to a node from the others, and from it to them.
    pub(crate) async fn cut_off(&self, node: NodeId) {
        const CUT: &str = "table inet perjury_test {
            set others { type ipv4_addr; }
            chain input {
                type filter hook input priority -200;
                ip saddr @others drop
            }
            chain output {
                type filter hook output priority -200;
                ip daddr @others drop
            }
        }";
        let others = self.lab.nodes().into_iter().filter(|it| *it != node);
        let others = others.map(|it| {
            let address = self.machine(it).address();
            format!("add element inet perjury_test others {{ {address} }}")
        });
        let rules = [CUT.to_owned()].into_iter().chain(others).collect::<Vec<_>>().join("\n");
        let command = Command::new("nft").arguments(["-f", "-"]).input(rules).as_root();
        self.machine(node).run(&command).await.expect("nft is there");
    }

    /// Undoes [`Setup::cut_off`].
    pub(crate) async fn join_again(&self, node: NodeId) {
        self.said(node, "nft delete table inet perjury_test").await;
    }
}
