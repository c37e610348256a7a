//! Where sealed credentials live.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::connection::ConnectionRef;
use crate::error::Result;
use crate::ids::{ConnectionId, Epoch, HolderId, TenantId, Version};

/// Which secret of which connection. There is no look-up by connection alone: a key without its tenant does not compile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CredentialKey {
    /// The tenant that owns the connection.
    pub tenant: TenantId,
    /// The connection.
    pub connection: ConnectionId,
    /// Which of the connection's secrets: `oauth`, `api_key`, `client_certificate`.
    pub field: Box<str>,
}

impl CredentialKey {
    /// The key of a connection's OAuth grant.
    pub fn oauth(connection: &ConnectionRef) -> Self {
        Self::of(connection, "oauth")
    }

    /// The key of another of its secrets.
    pub fn of(connection: &ConnectionRef, field: &str) -> Self {
        Self {
            tenant: connection.tenant.clone(),
            connection: connection.connection.clone(),
            field: field.into(),
        }
    }
}

/// A sealed envelope and the epoch it belongs to. The store sees no clear text.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedCredential {
    /// The epoch under which it was made; a commit under an older epoch than the row's is refused.
    pub epoch: Epoch,
    /// Id of the key that sealed it, so that a rotation can find what is left.
    pub key_id: Box<str>,
    /// The envelope: version, key id, nonce, cipher text with tag.
    pub envelope: Vec<u8>,
}

impl fmt::Debug for SealedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedCredential")
            .field("epoch", &self.epoch)
            .field("key_id", &self.key_id)
            .field("bytes", &self.envelope.len())
            .finish()
    }
}

/// A value with the version of its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// The row's version, base of the next compare-and-set.
    pub version: Version,
}

/// Proof of a lease, with a number that rises with each lease of the same key. A commit with an older number than the
/// newest lease is refused, however late it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// What is leased.
    pub key: CredentialKey,
    /// Who holds it.
    pub holder: HolderId,
    /// The fencing number.
    pub number: u64,
}

/// Stores sealed credentials with compare-and-set, lease and fence. All methods are atomic over tasks and processes.
///
/// ```
/// use atlas_connectors::credential::{CredentialKey, CredentialStore, SealedCredential};
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::{ConnectionId, Epoch, TenantId, Version};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// let key = CredentialKey { tenant: TenantId::new("acme"), connection: ConnectionId::random(), field: "oauth".into() };
/// let sealed = SealedCredential { epoch: Epoch::FIRST, key_id: "k1".into(), envelope: vec![1, 2, 3] };
///
/// let version = store.commit(&key, sealed.clone(), Version::NONE, None).await?;
/// // Whoever still believes that there is no row is refused, and nothing is overwritten.
/// assert!(store.commit(&key, sealed, Version::NONE, None).await.is_err());
/// assert_eq!(store.load(&key).await?.unwrap().version, version);
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[async_trait]
pub trait CredentialStore: fmt::Debug + Send + Sync + 'static {
    /// The newest row, or `None` if there never was one or it was erased.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn load(&self, key: &CredentialKey) -> Result<Option<Versioned<SealedCredential>>>;

    /// Writes if the row still has the expected version ([`Version::NONE`]: does not exist), the epoch is not older
    /// than the row's or its tombstone's, and the fence, where given, is the newest and has not been released. Gives the
    /// new version, which is always `expected.next()`: the envelope is bound to it. No pair of epoch and version is ever
    /// used twice for the same key.
    ///
    /// # Errors
    /// `StorageFault::Conflict` for the version, `ErrorKind::Cancelled` for the epoch, `StorageFault::Fenced` for the
    /// fence; nothing was written then.
    async fn commit(
        &self,
        key: &CredentialKey,
        new: SealedCredential,
        expected: Version,
        fence: Option<&Fence>,
    ) -> Result<Version>;

    /// Erases the secret, ends its lease and leaves a tombstone with this epoch: later commits need this epoch or a newer
    /// one, and in any case one newer than that of the erased row. Erasing what is not there is no error.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`]; `ErrorKind::Cancelled` if the row is of a newer epoch already.
    async fn erase(&self, key: &CredentialKey, epoch: Epoch) -> Result<()>;

    /// Takes the lease on a key, whether or not it has a row, if nobody holds it or the holder's time is over. `None`:
    /// somebody holds it, be it the same holder in another task. Numbers rise for ever, over erasures too.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn lease(&self, key: &CredentialKey, holder: &HolderId, ttl: Duration) -> Result<Option<Fence>>;

    /// Gives the lease back; a lease that is lost already is no error.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn release(&self, fence: Fence) -> Result<()>;

    /// Keys of rows whose envelope was sealed with another key than `key_id`, in a stable order, at most `limit`,
    /// beginning after `after`: the work list of a key rotation.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn sealed_with_other_key(
        &self,
        key_id: &str,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<CredentialKey>>;
}
