//! Stores by name, with settings from a file.

use serde::Deserializer;
use serde::de::Deserialize;

use crate::etcd::{EtcdSettings, EtcdStore};
use crate::postgres::{PostgresSettings, PostgresStore};
use crate::redis::{RedisSettings, RedisStore};
use crate::replica::ReplicaStore;
use crate::{Store, StoreError};

/// The names of all stores, each with what it is.
pub fn names() -> &'static [(&'static str, &'static str)] {
    &[
        ("etcd", "etcd 3.4: Raft, with linearizable or serializable reads"),
        ("postgres", "PostgreSQL with streaming replication and failover by an operator's hand"),
        ("redis", "Redis 7 with Sentinel: asynchronous replication, automatic failover"),
        ("replica", "the embedded replicated store: every textbook mode and mistake is a setting"),
    ]
}

/// The store of that name. `settings` is any map that serde can read.
///
/// # Errors
/// If the name or a setting is unknown, or the settings contradict each other or the number of
/// nodes.
pub fn store<'de, D: Deserializer<'de>>(
    name: &str,
    settings: D,
    nodes: u32,
) -> Result<Box<dyn Store>, StoreError> {
    let unreadable = |error: D::Error| StoreError::Settings(format!("store `{name}`: {error}"));
    match name {
        "etcd" => {
            let settings = EtcdSettings::deserialize(settings).map_err(unreadable)?;
            Ok(Box::new(EtcdStore::new(settings, nodes)?))
        }
        "postgres" => {
            let settings = PostgresSettings::deserialize(settings).map_err(unreadable)?;
            Ok(Box::new(PostgresStore::new(settings, nodes)?))
        }
        "redis" => {
            let settings = RedisSettings::deserialize(settings).map_err(unreadable)?;
            Ok(Box::new(RedisStore::new(settings, nodes)?))
        }
        "replica" => {
            let settings = perjury_replica::Settings::deserialize(settings).map_err(unreadable)?;
            Ok(Box::new(ReplicaStore::new(settings, nodes)?))
        }
        _ => {
            let known: Vec<_> = names().iter().map(|(name, _)| *name).collect();
            let known = known.join(", ");
            Err(StoreError::Settings(format!("expected a store ({known}), found `{name}`")))
        }
    }
}
