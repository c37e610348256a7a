//! Where sign-in flows wait for their callback, so that it may reach another process.

use std::fmt;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::{ConnectionId, TenantId};

/// The digest (SHA-256, base64url) of a `state`: whoever reads the store cannot forge a callback from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StateHash(Box<str>);

impl StateHash {
    /// The digest of a state as it came back in the callback.
    pub fn of(state: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(state.as_bytes())).into())
    }

    /// The digest as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A flow that waits, sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredFlow {
    /// Under which it is found.
    pub state: StateHash,
    /// The tenant that signs in.
    pub tenant: TenantId,
    /// The connection that signs in, which may not exist yet.
    pub connection: ConnectionId,
    /// After this moment it is refused and may be swept.
    pub expires: Timestamp,
    /// Verifier, nonce, who began it and what was asked for, sealed.
    pub envelope: Vec<u8>,
}

impl fmt::Debug for StoredFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredFlow")
            .field("tenant", &self.tenant)
            .field("connection", &self.connection)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Keeps sign-in flows that wait for their callback. All methods are atomic over tasks and processes.
///
/// ```
/// use atlas_connectors::oauth::{FlowStore, StateHash, StoredFlow};
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::{ConnectionId, TenantId, Timestamp};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// let state = StateHash::of("what the browser carries");
/// store
///     .put(StoredFlow {
///         state: state.clone(),
///         tenant: TenantId::new("acme"),
///         connection: ConnectionId::random(),
///         expires: Timestamp::from_unix_seconds(600),
///         envelope: vec![1, 2, 3],
///     })
///     .await?;
/// // Of all who ask, one gets it.
/// assert!(store.take(&state).await?.is_some());
/// assert!(store.take(&state).await?.is_none());
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[async_trait]
pub trait FlowStore: fmt::Debug + Send + Sync + 'static {
    /// Adds a flow.
    ///
    /// # Errors
    /// `StorageFault::Conflict` if one with this state waits.
    async fn put(&self, flow: StoredFlow) -> Result<()>;

    /// Takes a flow out; of any number of callers at once, one gets it. Gives expired ones too: the caller tells the person.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn take(&self, state: &StateHash) -> Result<Option<StoredFlow>>;

    /// Removes flows that expired before this moment. Gives how many.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn sweep(&self, expired_before: Timestamp) -> Result<u64>;
}
