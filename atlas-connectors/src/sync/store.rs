//! What the engine needs from a store.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::connection::ConnectionRef;
use crate::error::Result;
use crate::ids::{ConnectionId, Epoch, HolderId, LabelId, MessageId, TenantId};
use crate::mail::MessageRef;
use crate::sync::{FaultState, KnownMessage, MessageFault, StoredMessage, SyncState};

/// Which mailbox. There is no look-up by connection alone: a key without its tenant does not compile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MailboxKey {
    /// The tenant that owns the connection.
    pub tenant: TenantId,
    /// The connection.
    pub connection: ConnectionId,
}

impl From<&ConnectionRef> for MailboxKey {
    fn from(reference: &ConnectionRef) -> Self {
        Self {
            tenant: reference.tenant.clone(),
            connection: reference.connection.clone(),
        }
    }
}

/// Proof that this holder alone syncs the mailbox, under this epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncLease {
    /// What is leased.
    pub key: MailboxKey,
    /// The epoch it was taken under; commits are refused once the store knows a newer one.
    pub epoch: Epoch,
    /// Who holds it.
    pub holder: HolderId,
    /// Rises with each lease of the mailbox; a commit with an older number is refused.
    pub fence: u64,
}

/// The whole label set of a message whose bytes are unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relabel {
    /// The message.
    pub message: MessageId,
    /// All labels on it now.
    pub labels: Vec<LabelId>,
}

/// One step of a run: data and the position after it, applied whole or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncCommit {
    /// The position after this step; `None` when the page it belongs to goes on.
    pub state: Option<SyncState>,
    /// Marks the rows that this step inserts, replaces or has seen.
    pub generation: u64,
    /// Messages a sink is about to be given: inserted under generation 0 and without labels unless they are stored already, so that
    /// none can vanish unnoticed if the run is killed before the sink's answer is stored.
    pub announced: Vec<MessageRef>,
    /// Messages to insert or to replace whole: what a new row does not hold is gone.
    pub upserts: Vec<StoredMessage>,
    /// New label sets; a message that is not stored is passed over. They do not mark the row: a change proves nothing about what
    /// happened before it, within a gap.
    pub relabels: Vec<Relabel>,
    /// Messages found where they should be: only marked.
    pub seen: Vec<MessageId>,
    /// Messages to remove; those not stored are passed over.
    pub removals: Vec<MessageId>,
    /// Failures to write down, replacing what was known of the same message.
    pub faults: Vec<MessageFault>,
    /// Messages whose failures are over.
    pub cured: Vec<MessageId>,
}

impl SyncCommit {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.state.is_none()
            && self.announced.is_empty()
            && self.upserts.is_empty()
            && self.relabels.is_empty()
            && self.seen.is_empty()
            && self.removals.is_empty()
            && self.faults.is_empty()
            && self.cured.is_empty()
    }
}

/// Keeps positions, the index of known messages, failures and leases. All methods are atomic over tasks and processes.
///
/// A store that is also the [`ConnectionStore`](crate::connection::ConnectionStore) of its connections, as those of this library are, holds
/// [`SyncStore::lease`], [`SyncStore::renew`] and [`SyncStore::commit`] against the connection's own epoch too, in the same transaction:
/// a disconnect or reconnect then stops a sync at its next step by itself. Where connections are kept elsewhere, the host calls
/// [`SyncStore::raise_epoch`] after a disconnect.
///
/// ```
/// use std::time::Duration;
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::sync::{MailboxKey, SyncCommit, SyncState, SyncStore};
/// use atlas_connectors::{ConnectionId, ConnectionRef, Epoch, ErrorKind, HolderId};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// let connection = ConnectionRef {
///     tenant: "acme".into(), connection: ConnectionId::random(), epoch: Epoch::FIRST, provider: "gmail".into(),
/// };
/// let key = MailboxKey::from(&connection);
/// let lease = store.lease(&connection, &HolderId::random(), Duration::from_secs(60)).await?;
///
/// // Somebody disconnects: the late commit is refused and nothing is written.
/// store.raise_epoch(&key, Epoch::FIRST.next()).await?;
/// let late = SyncCommit { state: Some(SyncState::default()), ..SyncCommit::default() };
/// assert_eq!(store.commit(&lease, late).await.unwrap_err().kind(), &ErrorKind::Cancelled);
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[async_trait]
pub trait SyncStore: fmt::Debug + Send + Sync + 'static {
    /// Takes the lease if nobody else holds it or the holder's time is over. The same holder takes its own lease anew
    /// with a higher fence, so that a dropped run does not lock itself out. Raises the stored epoch to the connection's; a holder
    /// under an older one is no obstacle.
    ///
    /// # Errors
    /// `StorageFault::Locked` while somebody else holds it; `ErrorKind::Cancelled` if a newer epoch is stored;
    /// `ErrorKind::Paused` after [`SyncStore::set_paused`].
    async fn lease(&self, connection: &ConnectionRef, holder: &HolderId, ttl: Duration) -> Result<SyncLease>;

    /// Prolongs the lease to `ttl` from now.
    ///
    /// # Errors
    /// As [`SyncStore::commit`]; `ErrorKind::Paused` after [`SyncStore::set_paused`], so that a run in another process stops too.
    async fn renew(&self, lease: &SyncLease, ttl: Duration) -> Result<()>;

    /// Gives the lease back; a lease that is lost already is no error.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn release(&self, lease: &SyncLease) -> Result<()>;

    /// The position; the default value for a mailbox that has never been read.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn state(&self, key: &MailboxKey) -> Result<SyncState>;

    /// What is known of these messages. **Shape**: one entry for each id, in their order.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn known(&self, key: &MailboxKey, ids: Vec<MessageId>) -> Result<Vec<KnownMessage>>;

    /// Stored messages last touched under a generation before this one, in order of id, after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn unseen(
        &self,
        key: &MailboxKey,
        generation: u64,
        after: Option<&MessageId>,
        limit: usize,
    ) -> Result<Vec<MessageRef>>;

    /// Applies one step in one transaction.
    ///
    /// # Errors
    /// `ErrorKind::Cancelled` for a newer epoch, `StorageFault::Fenced` for a lease taken over by somebody else; nothing was
    /// written then. Other [`crate::error::StorageFault`]s.
    async fn commit(&self, lease: &SyncLease, commit: SyncCommit) -> Result<()>;

    /// Failed messages in one state, in order of id, after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn faults(
        &self,
        key: &MailboxKey,
        state: FaultState,
        after: Option<&MessageId>,
        limit: usize,
    ) -> Result<Vec<MessageFault>>;

    /// How many messages are pending and how many are quarantined.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn fault_counts(&self, key: &MailboxKey) -> Result<(u64, u64)>;

    /// Moves a quarantined message (`None`: all of them) back to pending with no failures counted. Gives how many were moved.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn requeue(&self, key: &MailboxKey, message: Option<&MessageId>) -> Result<u64>;

    /// Raises the epoch, as a disconnect or reconnect does; an older one than stored changes nothing. A run under an older epoch
    /// is refused from now on, and its lease keeps nobody out. Needed only where connections are kept in another store.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn raise_epoch(&self, key: &MailboxKey, epoch: Epoch) -> Result<()>;

    /// Pauses or resumes syncing for all processes.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn set_paused(&self, key: &MailboxKey, paused: bool) -> Result<()>;

    /// Erases messages, position and failures of a mailbox, and ends the run under way: its next step must not write into the
    /// emptied mailbox. The epoch and the pause stay.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn erase(&self, key: &MailboxKey) -> Result<()>;
}
