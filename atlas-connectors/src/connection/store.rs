//! Where connections live.

use std::fmt;

use async_trait::async_trait;

use crate::connection::{Connection, GrantOwner};
use crate::credential::Versioned;
use crate::error::Result;
use crate::ids::{ConnectionId, TenantId, Version};

/// Stores connections with compare-and-set. All methods are atomic over tasks and processes.
///
/// ```
/// use atlas_connectors::connection::{Connection, ConnectionStore};
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::{ConnectionId, ConnectionRef, Epoch, ProviderId, TenantId, Timestamp};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// let reference = ConnectionRef {
///     tenant: TenantId::new("acme"),
///     connection: ConnectionId::random(),
///     epoch: Epoch::FIRST,
///     provider: ProviderId::new("gmail"),
/// };
/// let mut row = Connection::new(reference, Timestamp::from_unix_seconds(1_000));
/// let version = store.insert(&row).await?;
///
/// row.last_sync = Some(Timestamp::from_unix_seconds(2_000));
/// store.update(&row, version).await?;
/// // Whoever still holds the first version is refused.
/// assert!(store.update(&row, version).await.is_err());
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[async_trait]
pub trait ConnectionStore: fmt::Debug + Send + Sync + 'static {
    /// One connection with the version of its row.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn get(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<Option<Versioned<Connection>>>;

    /// All connections of a tenant, oldest first, then by id.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn list(&self, tenant: &TenantId) -> Result<Vec<Versioned<Connection>>>;

    /// Adds a connection.
    ///
    /// # Errors
    /// `StorageFault::Conflict` if the tenant has one with this id.
    async fn insert(&self, row: &Connection) -> Result<Version>;

    /// Replaces a connection if the row still has the expected version. Gives the new version.
    ///
    /// # Errors
    /// `StorageFault::Conflict` for the version or if there is no row; [`crate::ErrorKind::Cancelled`] if the row is of a newer
    /// epoch. Nothing was written then.
    async fn update(&self, row: &Connection, expected: Version) -> Result<Version>;

    /// Removes a connection; one that is not there is no error.
    ///
    /// # Errors
    /// `StorageFault::Conflict` for the version.
    async fn remove(&self, tenant: &TenantId, connection: &ConnectionId, expected: Version) -> Result<()>;

    /// The connections of *any* tenant whose credential is part of this grant ([`Connection::grant`]). Asked before a
    /// revocation, which at some providers ends all of them.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn sharing_grant(&self, grant: &GrantOwner) -> Result<Vec<(TenantId, ConnectionId)>>;
}
