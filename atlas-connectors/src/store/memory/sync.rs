//! Positions, known messages, failures and leases of mailboxes in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::clock::Timestamp;
use crate::connection::ConnectionRef;
use crate::error::{Error, ErrorKind, Result, StorageFault};
use crate::ids::{Epoch, HolderId, MessageId};
use crate::mail::MessageRef;
use crate::sync::{
    FaultState, KnownMessage, MailboxKey, MessageFault, StoredMessage, SyncCommit, SyncLease, SyncState, SyncStore,
};

/// The mailboxes, shared by all clones of a store.
#[derive(Clone, Default)]
pub(super) struct Mailboxes(Arc<Mutex<BTreeMap<MailboxKey, MailboxRows>>>);

#[derive(Default)]
pub(super) struct MailboxRows {
    epoch: Epoch,
    paused: bool,
    fence: u64,
    lease: Option<Lease>,
    state: SyncState,
    pub(super) messages: BTreeMap<MessageId, MessageRow>,
    faults: BTreeMap<MessageId, MessageFault>,
}

pub(super) struct MessageRow {
    pub(super) message: StoredMessage,
    generation: u64,
}

struct Lease {
    holder: HolderId,
    /// On the monotonic clock: all holders live in this process.
    until: Duration,
}

impl Mailboxes {
    pub(super) fn rows(&self) -> MutexGuard<'_, BTreeMap<MailboxKey, MailboxRows>> {
        // No step below leaves a mailbox half written, so a panic elsewhere does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Mailboxes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailboxes").field("rows", &self.rows().len()).finish()
    }
}

impl MailboxRows {
    /// Whether this lease may still write. `connected`: the epoch of the connection itself, where this store keeps it too.
    fn admit(&self, lease: &SyncLease, connected: Option<Epoch>, operation: &'static str) -> Result<()> {
        if Some(lease.epoch) < connected.max(Some(self.epoch)) {
            return Err(Error::new(ErrorKind::Cancelled, operation));
        }
        let holder = self.lease.as_ref().map(|lease| &lease.holder);
        if lease.fence != self.fence || holder != Some(&lease.holder) {
            return Err(Error::new(StorageFault::Fenced, operation));
        }
        Ok(())
    }

    /// No run under an older epoch writes from now on, nor keeps newer ones out.
    pub(super) fn raise(&mut self, epoch: Epoch) {
        if self.epoch < epoch {
            self.epoch = epoch;
            self.lease = None;
        }
    }

    fn apply(&mut self, commit: SyncCommit) {
        let generation = commit.generation;
        for message in commit.announced {
            self.messages.entry(message.id.clone()).or_insert_with(|| MessageRow {
                message: StoredMessage {
                    message,
                    labels: Vec::new(),
                    received: Timestamp::UNIX_EPOCH,
                    headers: None,
                    sealed: None,
                },
                generation: 0,
            });
        }
        for message in commit.upserts {
            self.messages
                .insert(message.message.id.clone(), MessageRow { message, generation });
        }
        for relabel in commit.relabels {
            if let Some(known) = self.messages.get_mut(&relabel.message) {
                known.message.labels = relabel.labels;
            }
        }
        for id in commit.seen {
            if let Some(known) = self.messages.get_mut(&id) {
                known.generation = generation;
            }
        }
        for id in commit.removals {
            self.messages.remove(&id);
        }
        for id in commit.cured {
            self.faults.remove(&id);
        }
        for fault in commit.faults {
            self.faults.insert(fault.message.id.clone(), fault);
        }
        if let Some(state) = commit.state {
            self.state = state;
        }
    }
}

impl MemoryStore {
    fn with_connected_epoch<T>(&self, key: &MailboxKey, work: impl FnOnce(Option<Epoch>) -> T) -> T {
        self.connections.with_epoch(&key.tenant, &key.connection, work)
    }
}

#[async_trait]
impl SyncStore for MemoryStore {
    async fn lease(&self, connection: &ConnectionRef, holder: &HolderId, ttl: Duration) -> Result<SyncLease> {
        const OPERATION: &str = "sync.lease";
        let mut rows = self.mailboxes.rows();
        let now = self.clock.monotonic();
        let key = MailboxKey::from(connection);
        let row = rows.entry(key.clone()).or_default();
        let oldest = self.with_connected_epoch(&key, |connected| connected.unwrap_or_default().max(row.epoch));
        if connection.epoch < oldest {
            return Err(Error::new(ErrorKind::Cancelled, OPERATION));
        }
        if row.paused {
            return Err(Error::new(ErrorKind::Paused { why: "by_host" }, OPERATION));
        }
        // A newer epoch takes over at once: the run of the older one is void.
        if let Some(lease) = &row.lease
            && now < lease.until
            && lease.holder != *holder
            && connection.epoch == row.epoch
        {
            return Err(Error::new(StorageFault::Locked, OPERATION));
        }
        row.epoch = connection.epoch;
        row.fence = row.fence.saturating_add(1);
        row.lease = Some(Lease {
            holder: holder.clone(),
            until: now.saturating_add(ttl),
        });
        Ok(SyncLease {
            key,
            epoch: connection.epoch,
            holder: holder.clone(),
            fence: row.fence,
        })
    }

    async fn renew(&self, lease: &SyncLease, ttl: Duration) -> Result<()> {
        let mut rows = self.mailboxes.rows();
        let until = self.clock.monotonic().saturating_add(ttl);
        let row = rows.entry(lease.key.clone()).or_default();
        self.with_connected_epoch(&lease.key, |connected| row.admit(lease, connected, "sync.renew"))?;
        if row.paused {
            return Err(Error::new(ErrorKind::Paused { why: "by_host" }, "sync.renew"));
        }
        if let Some(lease) = &mut row.lease {
            lease.until = until;
        }
        Ok(())
    }

    async fn release(&self, lease: &SyncLease) -> Result<()> {
        let mut rows = self.mailboxes.rows();
        if let Some(row) = rows.get_mut(&lease.key)
            && row.fence == lease.fence
        {
            row.lease = None;
        }
        Ok(())
    }

    async fn state(&self, key: &MailboxKey) -> Result<SyncState> {
        let rows = self.mailboxes.rows();
        Ok(rows.get(key).map(|row| row.state.clone()).unwrap_or_default())
    }

    async fn known(&self, key: &MailboxKey, ids: Vec<MessageId>) -> Result<Vec<KnownMessage>> {
        let rows = self.mailboxes.rows();
        let Some(row) = rows.get(key) else {
            return Ok(vec![KnownMessage::default(); ids.len()]);
        };
        let known = ids.iter().map(|id| {
            let message = row.messages.get(id);
            KnownMessage {
                labels: message.map(|row| row.message.labels.clone()),
                generation: message.map_or(0, |row| row.generation),
                fault: row.faults.get(id).cloned(),
            }
        });
        Ok(known.collect())
    }

    async fn unseen(
        &self,
        key: &MailboxKey,
        generation: u64,
        after: Option<&MessageId>,
        limit: usize,
    ) -> Result<Vec<MessageRef>> {
        let rows = self.mailboxes.rows();
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let unseen = rows.get(key).into_iter().flat_map(|row| {
            row.messages
                .range((begin, Bound::Unbounded))
                .filter(|(_, row)| row.generation < generation)
                .map(|(_, row)| row.message.message.clone())
        });
        Ok(unseen.take(limit).collect())
    }

    async fn commit(&self, lease: &SyncLease, commit: SyncCommit) -> Result<()> {
        let mut rows = self.mailboxes.rows();
        let row = rows.entry(lease.key.clone()).or_default();
        self.with_connected_epoch(&lease.key, |connected| {
            row.admit(lease, connected, "sync.commit")?;
            row.apply(commit);
            Ok(())
        })
    }

    async fn faults(
        &self,
        key: &MailboxKey,
        state: FaultState,
        after: Option<&MessageId>,
        limit: usize,
    ) -> Result<Vec<MessageFault>> {
        let rows = self.mailboxes.rows();
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let faults = rows.get(key).into_iter().flat_map(|row| {
            row.faults
                .range((begin, Bound::Unbounded))
                .map(|(_, fault)| fault)
                .filter(|fault| fault.state == state)
        });
        Ok(faults.take(limit).cloned().collect())
    }

    async fn fault_counts(&self, key: &MailboxKey) -> Result<(u64, u64)> {
        let rows = self.mailboxes.rows();
        let count = |state| {
            let faults = rows.get(key).into_iter().flat_map(|row| row.faults.values());
            faults.filter(|fault| fault.state == state).count() as u64
        };
        Ok((count(FaultState::Pending), count(FaultState::Quarantined)))
    }

    async fn requeue(&self, key: &MailboxKey, message: Option<&MessageId>) -> Result<u64> {
        let mut rows = self.mailboxes.rows();
        let faults = rows.get_mut(key).into_iter().flat_map(|row| row.faults.values_mut());
        let mut moved = 0;
        for fault in faults {
            let meant = message.is_none_or(|id| fault.message.id == *id);
            if meant && fault.state == FaultState::Quarantined {
                fault.state = FaultState::Pending;
                fault.attempts = 0;
                moved += 1;
            }
        }
        Ok(moved)
    }

    async fn raise_epoch(&self, key: &MailboxKey, epoch: Epoch) -> Result<()> {
        let mut rows = self.mailboxes.rows();
        rows.entry(key.clone()).or_default().raise(epoch);
        Ok(())
    }

    async fn set_paused(&self, key: &MailboxKey, paused: bool) -> Result<()> {
        self.mailboxes.rows().entry(key.clone()).or_default().paused = paused;
        Ok(())
    }

    async fn erase(&self, key: &MailboxKey) -> Result<()> {
        let mut rows = self.mailboxes.rows();
        if let Some(row) = rows.get_mut(key) {
            row.messages.clear();
            row.faults.clear();
            row.state = SyncState::default();
            // A run under way must not write its next step into the emptied mailbox.
            row.lease = None;
        }
        Ok(())
    }
}
