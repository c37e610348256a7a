//! Credentials in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::credential::{CredentialKey, CredentialStore, Fence, SealedCredential, Versioned};
use crate::error::{Error, ErrorKind, Result, StorageFault};
use crate::ids::{Epoch, HolderId, Version};

/// The rows, shared by all clones of a store.
#[derive(Clone, Default)]
pub(super) struct Credentials(Arc<Mutex<BTreeMap<CredentialKey, Row>>>);

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("rows", &self.rows().len()).finish()
    }
}

#[derive(Default)]
struct Row {
    /// The oldest epoch that may still write.
    epoch: Epoch,
    sealed: Option<Versioned<SealedCredential>>,
    fence: u64,
    lease: Option<Lease>,
}

struct Lease {
    holder: HolderId,
    /// On the monotonic clock: all holders live in this process.
    until: Duration,
}

impl Credentials {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<CredentialKey, Row>> {
        // No step below leaves a row half written, so a panic elsewhere does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CredentialStore for MemoryStore {
    async fn load(&self, key: &CredentialKey) -> Result<Option<Versioned<SealedCredential>>> {
        Ok(self.credentials.rows().get(key).and_then(|row| row.sealed.clone()))
    }

    async fn commit(
        &self,
        key: &CredentialKey,
        new: SealedCredential,
        expected: Version,
        fence: Option<&Fence>,
    ) -> Result<Version> {
        let mut rows = self.credentials.rows();
        let empty = Row::default();
        let row = rows.get(key).unwrap_or(&empty);
        if new.epoch < row.epoch {
            return Err(Error::new(ErrorKind::Cancelled, "credential.commit"));
        }
        if let Some(fence) = fence {
            let holder = row.lease.as_ref().map(|lease| &lease.holder);
            if fence.key != *key || fence.number != row.fence || holder != Some(&fence.holder) {
                return Err(Error::new(StorageFault::Fenced, "credential.commit"));
            }
        }
        if row.sealed.as_ref().map_or(Version::NONE, |sealed| sealed.version) != expected {
            return Err(Error::new(StorageFault::Conflict, "credential.commit"));
        }
        let version = expected.next();
        let row = rows.entry(key.clone()).or_default();
        row.epoch = new.epoch;
        row.sealed = Some(Versioned { value: new, version });
        Ok(version)
    }

    async fn erase(&self, key: &CredentialKey, epoch: Epoch) -> Result<()> {
        let mut rows = self.credentials.rows();
        let row = rows.entry(key.clone()).or_default();
        if row.sealed.is_some() {
            if row.epoch > epoch {
                return Err(Error::new(ErrorKind::Cancelled, "credential.erase"));
            }
            row.epoch = row.epoch.next();
        }
        row.epoch = row.epoch.max(epoch);
        row.sealed = None;
        row.lease = None;
        Ok(())
    }

    async fn lease(&self, key: &CredentialKey, holder: &HolderId, ttl: Duration) -> Result<Option<Fence>> {
        let mut rows = self.credentials.rows();
        let now = self.clock.monotonic();
        let row = rows.entry(key.clone()).or_default();
        if row.lease.as_ref().is_some_and(|lease| now < lease.until) {
            return Ok(None);
        }
        row.fence = row.fence.saturating_add(1);
        row.lease = Some(Lease {
            holder: holder.clone(),
            until: now.saturating_add(ttl),
        });
        Ok(Some(Fence {
            key: key.clone(),
            holder: holder.clone(),
            number: row.fence,
        }))
    }

    async fn release(&self, fence: Fence) -> Result<()> {
        let mut rows = self.credentials.rows();
        if let Some(row) = rows.get_mut(&fence.key)
            && row.fence == fence.number
            && row.lease.as_ref().is_some_and(|lease| lease.holder == fence.holder)
        {
            row.lease = None;
        }
        Ok(())
    }

    async fn sealed_with_other_key(
        &self,
        key_id: &str,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<CredentialKey>> {
        let rows = self.credentials.rows();
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(rows
            .range((begin, Bound::Unbounded))
            .filter(|(_, row)| {
                row.sealed
                    .as_ref()
                    .is_some_and(|sealed| &*sealed.value.key_id != key_id)
            })
            .map(|(key, _)| key.clone())
            .take(limit)
            .collect())
    }
}
