//! The store as the nemesis sees it.

use async_trait::async_trait;
use perjury_history::NodeId;

/// What a nemesis must know of the store, and do to it.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// The nodes that take themselves for a leader now.
    async fn primaries(&self) -> Vec<NodeId>;

    /// Starts the store on a node again; harmless if it runs.
    ///
    /// # Errors
    /// With what went wrong.
    async fn restart(&self, node: NodeId) -> Result<(), String>;

    /// Has a node take over as leader, as an operator would.
    ///
    /// # Errors
    /// With what went wrong.
    async fn promote(&self, node: NodeId) -> Result<(), String>;

    /// The nodes that are members of the cluster as most of it sees it now; `None` if the store
    /// cannot tell.
    async fn members(&self) -> Option<Vec<NodeId>> {
        None
    }

    /// Removes a node from the cluster, as an operator would.
    ///
    /// # Errors
    /// With what went wrong, or that the store has no such thing.
    async fn remove_member(&self, node: NodeId) -> Result<(), String> {
        Err(format!("{node} cannot be removed: this store's members are fixed"))
    }

    /// Adds a node that was removed, without what it held, and starts it; harmless if it is a
    /// member.
    ///
    /// # Errors
    /// With what went wrong, or that the store has no such thing.
    async fn add_member(&self, node: NodeId) -> Result<(), String> {
        Err(format!("{node} cannot be added: this store's members are fixed"))
    }
}
