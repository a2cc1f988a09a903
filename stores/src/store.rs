//! What every system under test is to the harness.

use std::collections::BTreeSet;

use async_trait::async_trait;
use perjury_history::{MicroOp, NodeId, Process, Version};
use perjury_lab::Lab;
use perjury_lab::machines::Footprint;
use perjury_lab::remote::RemoteError;
use thiserror::Error;

/// What came of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It happened.
    Ok {
        /// The operation with its answers filled in.
        micro_ops: Vec<MicroOp>,
        /// The node that executed it, where the store tells.
        node: Option<NodeId>,
        /// The version written or read, where the store tells.
        version: Option<Version>,
    },
    /// It certainly did not happen, and why: the same words for the same cause.
    Fail(String),
    /// It may have happened, and why that is not known.
    Info(String),
}

/// One connection, used by one process. Never retried behind the harness's back.
#[async_trait]
pub trait Client: Send {
    /// Executes one operation and waits for its outcome, for no longer than the session's time-out.
    async fn invoke(&mut self, operation: &[MicroOp]) -> Answer;
}

/// Who a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The process that will use it.
    pub process: Process,
    /// How long it waits for an answer.
    pub timeout_ns: u64,
}

/// What a store can do; checked against the workload and the nemesis before anything starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The functions that its clients offer, by [`MicroOp::function`], and
    /// [`MicroOp::TRANSACTION`] if an operation may be several of them.
    pub functions: BTreeSet<&'static str>,
    /// Whether it has leaders, so that faults can be aimed at `primaries`.
    pub primaries: bool,
    /// Whether an operator can have a node take over as leader.
    pub promotion: bool,
    /// Whether an operator can take nodes out of the cluster and add them again.
    pub membership: bool,
}

/// A store could not be put on its lab, or did not come up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The settings contradict each other or the lab.
    #[error("{0}")]
    Settings(String),
    /// It cannot be put on this kind of lab.
    #[error("expected one of the labs {expected} for the store {store}, found {found}")]
    Lab {
        /// The store's name.
        store: String,
        /// Labs that would do.
        expected: String,
        /// The lab that was given.
        found: String,
    },
    /// A machine failed.
    #[error(transparent)]
    Machine(#[from] RemoteError),
    /// A node does not do what it was told.
    #[error("{node} cannot be told to {what}: {problem}")]
    Unreachable {
        /// The node.
        node: NodeId,
        /// What it was to do.
        what: &'static str,
        /// Why it cannot.
        problem: String,
    },
    /// It did not serve within the time allowed.
    #[error("the store did not serve on every node within {waited_ms} ms: {problem}")]
    NotReady {
        /// Milliseconds waited.
        waited_ms: u64,
        /// What was missing at the end.
        problem: String,
    },
}

/// Between two looks at whether a store serves.
const READY_POLL_NS: u64 = 100_000_000;

/// A system under test. Says what it can do; knows how to put itself on a lab.
#[async_trait]
pub trait Store: Send + Sync {
    /// The name in campaign files and reports.
    fn name(&self) -> &'static str;

    /// The settings that matter, in one line for people.
    fn describe(&self) -> String;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// The kinds of labs that it can be put on, by name.
    fn labs(&self) -> &'static [&'static str] {
        &["namespaces", "ssh"]
    }

    /// What it has on a machine: processes, ports, files. Nothing where it needs none.
    fn footprint(&self) -> Footprint {
        Footprint::default()
    }

    /// Puts it on a node; it does not run yet. What an earlier run left of it is erased.
    ///
    /// # Errors
    /// If the settings or the lab do not allow it.
    async fn install(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError>;

    /// Starts it on a node: after installation, and again after a kill or a crash.
    ///
    /// # Errors
    /// If it cannot be started.
    async fn start(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError>;

    /// What keeps it from serving now, if anything does.
    ///
    /// # Errors
    /// If it is not on a lab of its kind.
    async fn trouble(&self, lab: &Lab) -> Result<Option<String>, StoreError>;

    /// Waits until it serves: after the start, and after every fault is healed.
    ///
    /// # Errors
    /// If it does not within `patience_ns`.
    async fn await_ready(&self, lab: &Lab, patience_ns: u64) -> Result<(), StoreError> {
        let clock = lab.clock();
        let began_ns = clock.now_ns();
        while let Some(problem) = self.trouble(lab).await? {
            let waited_ns = clock.now_ns() - began_ns;
            if waited_ns >= patience_ns {
                return Err(StoreError::NotReady { waited_ms: waited_ns / 1_000_000, problem });
            }
            clock.sleep_until(clock.now_ns() + READY_POLL_NS).await;
        }
        Ok(())
    }

    /// The nodes that take themselves for a leader now; those that do not answer are left out.
    async fn primaries(&self, lab: &Lab) -> Vec<NodeId>;

    /// Has a node take over as leader, as an operator would.
    ///
    /// # Errors
    /// If the node cannot be told to; that it does not come to lead is for others to see.
    async fn promote(&self, lab: &Lab, node: NodeId) -> Result<(), StoreError>;

    /// The nodes that belong to the cluster now; `None` where the store cannot tell.
    async fn members(&self, _lab: &Lab) -> Option<Vec<NodeId>> {
        None
    }

    /// Takes a node out of the cluster's membership, as an operator would: it is stopped, and its
    /// data is erased if it can be reached.
    ///
    /// # Errors
    /// If the cluster does not agree.
    async fn remove_member(&self, _lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        Err(fixed_membership(node, "leave the cluster"))
    }

    /// Makes a node that was taken out a member again, with nothing of its earlier data, and starts
    /// it.
    ///
    /// # Errors
    /// If the cluster does not agree, or the node cannot be started.
    async fn add_member(&self, _lab: &Lab, node: NodeId) -> Result<(), StoreError> {
        Err(fixed_membership(node, "join the cluster"))
    }

    /// Does what an operator must when every fault is healed, for stores that cannot help
    /// themselves (manual failover, say).
    ///
    /// # Errors
    /// If it cannot be done.
    async fn recover(&self, _lab: &Lab) -> Result<(), StoreError> {
        Ok(())
    }

    /// Opens a connection to a node.
    async fn connect(&self, lab: &Lab, node: NodeId, session: Session) -> Box<dyn Client>;
}

fn fixed_membership(node: NodeId, what: &'static str) -> StoreError {
    let problem = "the store's membership cannot be changed".to_owned();
    StoreError::Unreachable { node, what, problem }
}
