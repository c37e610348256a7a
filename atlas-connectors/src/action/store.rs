//! Where intents live.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::action::{AuditEvent, AuditLog, Digest, IntentRow, IntentState, Nonce};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::{ConnectionId, IntentId, TenantId, Version};

/// Stores intents, decisions and the audit. Every method is atomic over tasks and processes, and what it has answered
/// survives a crash.
///
/// A store keeps a high-water mark of time: the latest moment that was ever written. A wall clock that is set back does
/// not make an expired approval valid again.
///
/// A store of the host's own is checked by `testkit::suites::outbox_store`.
///
/// ```
/// use atlas_connectors::Timestamp;
/// use atlas_connectors::action::OutboxStore;
/// use atlas_connectors::store::MemoryStore;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// assert!(store.due_intents(Timestamp::UNIX_EPOCH, 10).await?.is_empty());
/// assert_eq!(store.raise_generation().await?, store.generation().await?);
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[async_trait]
pub trait OutboxStore: AuditLog + fmt::Debug + Send + Sync + 'static {
    /// Inserts a new row and its audit events, unless one is there already: of the same key on this connection, or, for
    /// rows marked unique, of the same content on this connection in any state but not-sent and cancelled. Sets `sequence`,
    /// `version` and `generation`.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`]; nothing was written then.
    async fn insert_intent(&self, row: &IntentRow, audit: &[AuditEvent]) -> Result<Inserted>;

    /// The row of this intent of this tenant.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn load_intent(&self, tenant: &TenantId, intent: &IntentId) -> Result<Option<IntentRow>>;

    /// Replaces the row and appends the audit events, if the stored row still has the expected state and version, and the
    /// nonce, where one is to be spent, was not spent by another intent. Gives the new version.
    ///
    /// # Errors
    /// [`crate::error::StorageFault::Conflict`] if the row has moved on or is gone; [`crate::error::NotApproved::Used`] for a
    /// nonce that another intent has spent. Nothing was written then.
    async fn update_intent(&self, change: IntentChange<'_>) -> Result<Version>;

    /// Rows that a worker may have to look at, oldest first, at most `limit`: drafts; rows awaiting approval that have
    /// expired; ready, claimed, handle and sending rows whose pause and lease are over; settled rows to be swept. Of this
    /// tenant only, if one is given.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn due_intents(&self, now: Timestamp, limit: usize) -> Result<Vec<(TenantId, IntentId)>>;

    /// Rows of a tenant in one of these states (all states, if none is given), oldest first, after this sequence number,
    /// at most `limit`.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn list_intents(
        &self,
        tenant: &TenantId,
        states: &[IntentState],
        after: u64,
        limit: usize,
    ) -> Result<Vec<IntentRow>>;

    /// How many rows of this kind on this connection, proposed at or after `since` and earlier in sequence than `before`, policy
    /// let out or may yet let out: drafts, and rows marked automatic that are neither not-sent nor cancelled.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn count_automatic(&self, of: &AutomaticCount<'_>) -> Result<u64>;

    /// Settled rows that the host has not acknowledged, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn unannounced_intents(&self, limit: usize) -> Result<Vec<IntentRow>>;

    /// The latest moment ever written.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn latest_time(&self) -> Result<Timestamp>;

    /// Number of the store's life: raised when it was restored from a backup. Rows of an older generation may have been sent
    /// after the backup was made, and are looked up before they are sent.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn generation(&self) -> Result<u64>;

    /// Raises the generation by one and gives the new one.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn raise_generation(&self) -> Result<u64>;
}

/// What became of an insert.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Inserted {
    /// The row is new; this is it, with what the store has set.
    New(Box<IntentRow>),
    /// This row was there already; nothing was written.
    Known(Box<IntentRow>),
}

/// One step of a row.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct IntentChange<'a> {
    /// The row as it shall be; its `version` and `sequence` are ignored.
    pub row: &'a IntentRow,
    /// The state it must still have.
    pub from: IntentState,
    /// The version it must still have.
    pub version: Version,
    /// A nonce to be spent for this intent in the same transaction. Spending it again for the same intent is allowed: a
    /// claim that was interrupted is taken up under the same approval.
    pub spend: Option<&'a Nonce>,
    /// What to append to the audit in the same transaction.
    pub audit: &'a [AuditEvent],
}

impl<'a> IntentChange<'a> {
    /// A step from the row as it was read.
    pub fn new(before: &IntentRow, after: &'a IntentRow) -> Self {
        Self {
            row: after,
            from: before.state,
            version: before.version,
            spend: None,
            audit: &[],
        }
    }

    /// Spends a nonce.
    #[must_use]
    pub fn spending(mut self, nonce: Option<&'a Nonce>) -> Self {
        self.spend = nonce;
        self
    }

    /// Appends to the audit.
    #[must_use]
    pub fn recording(mut self, audit: &'a [AuditEvent]) -> Self {
        self.audit = audit;
        self
    }
}

/// What to count.
#[derive(Clone, Copy, Debug)]
pub struct AutomaticCount<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The connection.
    pub connection: &'a ConnectionId,
    /// The kind of action.
    pub kind: &'a str,
    /// Proposed at or after this moment.
    pub since: Timestamp,
    /// Proposed before the row with this sequence number.
    pub before: u64,
}

/// Settings of gate and outbox. All times have the documented default; change what the host needs otherwise.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutboxSettings {
    /// How long a proposal and its approval hold. Default: 24 hours, which is also the most.
    pub approval_ttl: Duration,
    /// Whether the author of an action may approve it. Default: no.
    pub author_may_approve: bool,
    /// How long a worker holds a row without a word; longer than the longest time-out of a provider's call.
    /// Default: 5 minutes.
    pub lease: Duration,
    /// How long to wait after an unclear send before looking it up. Default: 60 seconds.
    pub quiet_period: Duration,
    /// How often a look-up may be unable to tell before the intent ends as uncertain. Default: 3.
    pub lookups: u32,
    /// First pause after a passing failure; doubled with each, up to an hour. Default: 5 seconds.
    pub backoff: Duration,
    /// How long the policy may think. Default: 5 seconds.
    pub policy_timeout: Duration,
    /// How long one step at the provider may take. Default: 2 minutes.
    pub step_timeout: Duration,
    /// How many due rows a worker takes at once. Default: 32.
    pub batch: usize,
}

impl Default for OutboxSettings {
    fn default() -> Self {
        Self {
            approval_ttl: Duration::from_secs(24 * 3600),
            author_may_approve: false,
            lease: Duration::from_secs(300),
            quiet_period: Duration::from_secs(60),
            lookups: 3,
            backoff: Duration::from_secs(5),
            policy_timeout: Duration::from_secs(5),
            step_timeout: Duration::from_secs(120),
            batch: 32,
        }
    }
}

/// Two digests of one thing, so that they are not swapped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digests {
    pub(super) bound: Digest,
    pub(super) content: Digest,
}
