//! Locks: a key that is made only if it is not there, and that ends with a lease.
//!
//! The fencing token is the revision that made the key: revisions are never given twice and only
//! grow. The lease is not kept alive: a lock is held until it is given back, and no longer than
//! `lease-seconds`, whatever its holder believes. So mutual exclusion rests on how long holders
//! hold, and on clocks; what the tokens protect rests on neither (Kleppmann, *How to do distributed
//! locking*, 2016).
//!
//! An acquisition is two requests. Only the second one takes the lock; a lease without a lock ends
//! by itself.

use perjury_history::{Key, Value};
use tokio::time::Instant;

use super::classify::Effect;
use super::client::EtcdClient;
use super::messages::{self, Lease};
use crate::Answer;

impl EtcdClient {
    /// The fencing token, if the lock was free.
    pub(super) async fn acquire(&mut self, key: Key, deadline: Instant) -> Result<Value, Answer> {
        let grant = messages::grant(self.settings.lease_seconds);
        // A lease that nobody knows of changes nothing that anybody sees.
        let lease: Lease = self.ask(messages::LEASE_GRANT, &grant, Effect::Reads, deadline).await?;
        let create = messages::create(&messages::lock(key), lease.id);
        let made = self.change(messages::TXN, &create, deadline).await?;
        if !made.succeeded {
            return Err(Answer::Fail("held by another".to_owned()));
        }
        let token = Value::try_from(made.header.revision);
        token.map_err(|_| Answer::Info("a revision that is no token".to_owned()))
    }

    /// Gives the lock back, if it is still the one that was acquired.
    pub(super) async fn release(
        &mut self,
        key: Key,
        token: Value,
        deadline: Instant,
    ) -> Result<(), Answer> {
        let delete = messages::delete(&messages::lock(key), token);
        let deleted = self.change(messages::TXN, &delete, deadline).await?;
        match deleted.succeeded {
            true => Ok(()),
            false => Err(Answer::Fail("not held with this token".to_owned())),
        }
    }
}
