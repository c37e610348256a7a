//! All connections of a host: what is listed, how events reach them, how they are paused and resumed.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::{Clock, Timestamp};
use crate::connection::{
    Connection, ConnectionEvent, ConnectionRef, ConnectionStore, ConnectionSummary, IllegalTransition, Proof,
    ProofKind, Reason, Status,
};
use crate::credential::{GrantEvents, Vault, Versioned};
use crate::error::{Error, ErrorKind, GrantEnd, OAuthError, Result, StorageFault};
use crate::ids::{ConnectionId, Epoch, TenantId};

/// How often a write meets somebody else's before it gives up.
const ATTEMPTS: usize = 16;

/// The connections of a host. Cheap to clone.
///
/// Every change names the epoch it was begun under and is refused with [`ErrorKind::Cancelled`] once a disconnect or reconnect
/// has raised it.
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::connection::Connections;
/// use atlas_connectors::credential::{KeyRing, Sealer, Vault};
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::{SystemClock, TenantId};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = Arc::new(MemoryStore::new());
/// let vault = Vault::new(store.clone(), Sealer::new(Arc::new(KeyRing::ephemeral()))?);
/// let connections = Connections::new(store, vault, Arc::new(SystemClock));
/// assert!(connections.list(&TenantId::new("acme")).await?.is_empty());
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Connections {
    pub(super) store: Arc<dyn ConnectionStore>,
    pub(super) vault: Vault,
    pub(super) clock: Arc<dyn Clock>,
}

impl Connections {
    /// The connections of this store, with their secrets in this vault.
    pub fn new(store: Arc<dyn ConnectionStore>, vault: Vault, clock: Arc<dyn Clock>) -> Self {
        Self { store, vault, clock }
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn ConnectionStore> {
        &self.store
    }

    /// Where the secrets are.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// What the settings page of a tenant shows, oldest first.
    ///
    /// # Errors
    /// [`StorageFault`].
    pub async fn list(&self, tenant: &TenantId) -> Result<Vec<ConnectionSummary>> {
        let rows = self.store.list(tenant).await?;
        Ok(rows.iter().map(|row| ConnectionSummary::of(&row.value)).collect())
    }

    /// One row of it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`StorageFault`].
    pub async fn summary(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<ConnectionSummary> {
        let row = self.row(tenant, connection).await?;
        Ok(ConnectionSummary::of(&row.value))
    }

    /// Says whether work begun under this reference may take its next step: asked before every page, refresh and send.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`] after a disconnect or reconnect; [`ErrorKind::Paused`] while a person is waited for;
    /// [`OAuthError::InvalidGrant`] once the provider has ended the grant; [`ErrorKind::NotFound`]; [`StorageFault`].
    pub async fn admit(&self, connection: &ConnectionRef) -> Result<()> {
        const OPERATION: &str = "connection.admit";
        let row = self.row(&connection.tenant, &connection.connection).await?.value;
        if row.reference.epoch != connection.epoch {
            return Err(Error::new(ErrorKind::Cancelled, OPERATION));
        }
        match &row.status {
            Status::Disconnected => Err(Error::new(ErrorKind::Cancelled, OPERATION)),
            Status::Paused(pause) => Err(Error::new(ErrorKind::Paused { why: pause.code() }, OPERATION)),
            Status::Revoked { .. } => {
                let cause = GrantEnd::RevokedOrExpired;
                Err(Error::new(OAuthError::InvalidGrant { cause }, OPERATION))
            }
            Status::Verifying { .. } | Status::Connected | Status::Error { .. } => Ok(()),
        }
    }

    /// Tells a connection what has happened to it. `None`: it changed nothing, as with news that are known already.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`] if the event belongs to an older epoch; [`ErrorKind::Invalid`] with an [`IllegalTransition`] as its
    /// source if it makes no sense; [`ErrorKind::NotFound`]; [`StorageFault`].
    pub async fn apply(&self, connection: &ConnectionRef, event: ConnectionEvent) -> Result<Option<Status>> {
        let now = self.clock.now();
        let event = match event {
            // A clock that is ahead must not prove what has not happened yet.
            ConnectionEvent::Proven(proof) => ConnectionEvent::Proven(Proof::new(proof.kind, proof.at.min(now))),
            event => event,
        };
        let mut status = None;
        self.change(connection, |row| {
            let before = row.status.clone();
            let changed = row.apply(&event, now).map_err(illegal)?;
            status = (row.status != before).then(|| row.status.clone());
            Ok(changed)
        })
        .await?;
        Ok(status)
    }

    /// Tells a connection of a failed call. Passing failures change nothing ([`ConnectionEvent::of_error`]).
    ///
    /// # Errors
    /// As [`Connections::apply`].
    pub async fn failed(&self, connection: &ConnectionRef, error: &Error) -> Result<Option<Status>> {
        match ConnectionEvent::of_error(error, self.clock.now()) {
            Some(event) => self.apply(connection, event).await,
            None => Ok(None),
        }
    }

    /// Keeps that a sync ran to its end.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`], [`ErrorKind::NotFound`], [`StorageFault`].
    pub async fn synced(&self, connection: &ConnectionRef, at: Timestamp) -> Result<()> {
        self.change(connection, |row| {
            let newer = row.last_sync.is_none_or(|last| last < at);
            if newer {
                row.last_sync = Some(at);
            }
            Ok(newer)
        })
        .await
    }

    /// Stops the work for now; what is in flight stops at its next step.
    ///
    /// # Errors
    /// As [`Connections::apply`].
    pub async fn pause(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<()> {
        let reference = self.row(tenant, connection).await?.value.reference;
        self.apply(&reference, ConnectionEvent::PausedByHost).await?;
        Ok(())
    }

    /// Lets the work go on. The connection is verifying until the provider has answered again.
    ///
    /// # Errors
    /// As [`Connections::apply`].
    pub async fn resume(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<()> {
        let reference = self.row(tenant, connection).await?.value.reference;
        let at = self.clock.now();
        self.apply(&reference, ConnectionEvent::Resumed { at }).await?;
        Ok(())
    }

    /// Takes a disconnected connection off the list. Its id can be used again only by a new connection.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] while it holds a credential or its disconnect is not complete; [`ErrorKind::NotFound`]; [`StorageFault`].
    pub async fn remove(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<()> {
        let row = self.row(tenant, connection).await?;
        let pending = row.value.disconnect.as_ref().is_some_and(|done| !done.is_complete());
        if row.value.status != Status::Disconnected || pending {
            let kind = ErrorKind::Invalid {
                what: "connection",
                why: "disconnect it first",
            };
            return Err(Error::new(kind, "connection.remove"));
        }
        self.store.remove(tenant, connection, row.version).await
    }

    pub(crate) async fn row(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<Versioned<Connection>> {
        let found = self.store.get(tenant, connection).await?;
        found.ok_or_else(|| Error::new(ErrorKind::NotFound { object: "connection" }, "connection.get"))
    }

    /// Changes a row of this epoch, again if somebody else wrote meanwhile. `work` says whether it changed anything.
    pub(crate) async fn change(
        &self,
        connection: &ConnectionRef,
        mut work: impl FnMut(&mut Connection) -> Result<bool> + Send,
    ) -> Result<()> {
        let epoch = connection.epoch;
        self.change_any(&connection.tenant, &connection.connection, |row| {
            only_epoch(row, epoch)?;
            work(row)
        })
        .await
        .map(|_| ())
    }

    /// Like [`Connections::change`], whatever the epoch. Gives the row as it is now.
    pub(crate) async fn change_any(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        mut work: impl FnMut(&mut Connection) -> Result<bool> + Send,
    ) -> Result<Connection> {
        let mut attempt = 1;
        loop {
            let Versioned { mut value, version } = self.row(tenant, connection).await?;
            if !work(&mut value)? {
                return Ok(value);
            }
            match self.store.update(&value, version).await {
                Ok(_) => return Ok(value),
                Err(error) if is_conflict(&error) && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

#[async_trait]
impl GrantEvents for Connections {
    async fn renewed(&self, connection: &ConnectionRef, at: Timestamp) {
        let event = ConnectionEvent::Proven(Proof::new(ProofKind::Token, at));
        if let Err(error) = self.apply(connection, event).await {
            tracing::debug!(code = error.code(), "a renewed token was not noted");
        }
    }

    async fn ended(&self, connection: &ConnectionRef, why: &OAuthError) {
        let error = Error::new(why.clone(), "oauth.refresh");
        let event = match ConnectionEvent::of_error(&error, self.clock.now()) {
            Some(event) => event,
            None => ConnectionEvent::GrantEnded(Reason::of(&error)),
        };
        if let Err(error) = self.apply(connection, event).await {
            // The next use of the grant says the same again.
            tracing::warn!(code = error.code(), "the end of a grant was not noted");
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

pub(crate) fn only_epoch(row: &Connection, epoch: Epoch) -> Result<()> {
    if row.reference.epoch == epoch {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Cancelled, "connection.change"))
    }
}

pub(crate) fn is_conflict(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFailed(StorageFault::Conflict))
}

fn illegal(error: IllegalTransition) -> Error {
    let kind = ErrorKind::Invalid {
        what: "event",
        why: "not possible in the present state of the connection",
    };
    Error::new(kind, "connection.apply").with_source(error)
}
