//! The valid token of one connection, refreshed once for all tasks and processes.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::Instrument as _;

use super::events::GrantEvents;
use super::flight::{Flight, Shared};
use super::refresh::{Refresh, RefreshSettings};
use super::store::CredentialKey;
use super::token::{AccessToken, TokenSource};
use super::token_cache::{Found, TokenCache};
use super::vault::Vault;
use crate::clock::{Clock, SystemClock};
use crate::connection::ConnectionRef;
use crate::error::{Error, OAuthError, OperationClass, Result};
use crate::ids::HolderId;

/// Gives the valid access token of one connection in one epoch. Clones share the token.
///
/// - A valid token costs two readings of the clock and one shared count; no lock.
/// - One token call per expiry: tasks of this process wait for one of them, processes for the holder of the store's lease;
///   whoever waited reads the store again before anything else.
/// - A new token is stored before it is given to anybody. The work goes on if the caller that began it is dropped.
/// - A refresh that fails before the old token is over changes nothing. Only the provider's own answer that the grant is
///   over ends it, after the store has been read once more; then no further token call is made.
/// - A disconnect or reconnect meanwhile wins: the call ends as [`crate::ErrorKind::Cancelled`].
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use atlas_connectors::credential::{
///     CredentialKey, KeyRing, OAuthGrant, Refresh, RefreshedGrant, RefreshingToken, Sealer, TokenSource, Vault,
/// };
/// use atlas_connectors::oauth::ScopeSet;
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::{Clock, ConnectionId, ConnectionRef, Epoch, ProviderId, Result, SystemClock, TenantId};
/// use secrecy::ExposeSecret;
///
/// #[derive(Debug)]
/// struct Endpoint;
/// #[async_trait::async_trait]
/// impl Refresh for Endpoint {
///     async fn refresh(&self, _grant: &OAuthGrant) -> Result<RefreshedGrant> {
///         Ok(RefreshedGrant::new("second".into()).with_expires_in(Duration::from_secs(3600)))
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let vault = Vault::new(Arc::new(MemoryStore::new()), Sealer::new(Arc::new(KeyRing::ephemeral()))?);
/// let connection = ConnectionRef {
///     tenant: TenantId::new("acme"),
///     connection: ConnectionId::random(),
///     epoch: Epoch::FIRST,
///     provider: ProviderId::new("gmail"),
/// };
/// let grant = OAuthGrant::new("first".into(), ScopeSet::parse("email"), SystemClock.now())
///     .with_refresh_token("refresh".into())
///     .with_expires_in(Duration::ZERO);
/// vault.put(&CredentialKey::oauth(&connection), connection.epoch, &grant.into()).await?;
///
/// let tokens = RefreshingToken::new(connection, vault, Arc::new(Endpoint));
/// assert_eq!(tokens.token().await?.secret().expose_secret(), "second");
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct RefreshingToken {
    shared: Arc<Shared>,
    flight: Arc<Mutex<Flight>>,
}

/// Sets up a [`RefreshingToken`].
#[derive(Debug)]
#[must_use]
pub struct RefreshingTokenBuilder(Shared);

impl RefreshingTokenBuilder {
    /// Measures time with this clock; the system's by default.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.0.clock = clock;
        self
    }

    /// Tells these of renewals and of the end of the grant.
    pub fn events(mut self, events: Arc<dyn GrantEvents>) -> Self {
        self.0.events = Some(events);
        self
    }

    /// Behaves by these settings.
    pub fn settings(mut self, settings: RefreshSettings) -> Self {
        self.0.settings = settings;
        self
    }

    /// Uses the grant stored under this key, where a connection has more than one.
    pub fn key(mut self, key: CredentialKey) -> Self {
        self.0.key = key;
        self
    }

    /// The token source.
    pub fn build(self) -> RefreshingToken {
        RefreshingToken {
            shared: Arc::new(self.0),
            flight: Arc::default(),
        }
    }
}

impl RefreshingToken {
    /// The token of this connection in its present epoch, on the system clock and with the default settings.
    pub fn new(connection: ConnectionRef, vault: Vault, refresh: Arc<dyn Refresh>) -> Self {
        Self::builder(connection, vault, refresh).build()
    }

    /// As [`RefreshingToken::new`], with more to say.
    pub fn builder(connection: ConnectionRef, vault: Vault, refresh: Arc<dyn Refresh>) -> RefreshingTokenBuilder {
        RefreshingTokenBuilder(Shared {
            key: CredentialKey::oauth(&connection),
            connection,
            vault,
            refresh,
            clock: Arc::new(SystemClock),
            events: None,
            settings: RefreshSettings::default(),
            holder: HolderId::random(),
            cache: TokenCache::new(),
        })
    }

    /// The token, if it is valid and needs no renewal: the path that almost every request takes.
    pub fn cached(&self) -> Option<AccessToken> {
        match self.shared.cache.look(&*self.shared.clock) {
            Found::Fresh(token) => Some(token),
            Found::Aging(_) | Found::Spent => None,
        }
    }

    /// Forgets the token held in memory: the connection was disconnected. The next call reads the store.
    pub fn forget(&self) {
        self.shared.cache.clear();
    }

    /// Runs on a task of its own: a token that was asked for must reach the store even if the caller gives up.
    async fn renew(&self, flight: OwnedMutexGuard<Flight>) -> Result<AccessToken> {
        let shared = Arc::clone(&self.shared);
        let work = async move { shared.renew(flight).await }.in_current_span();
        match tokio::spawn(work).await {
            Ok(outcome) => outcome,
            // The host's own code panicked in it, or the runtime is shutting down: no word about the grant.
            Err(_) => Err(Error::new(OAuthError::Transient, "credential.token").with_class(OperationClass::SignIn)),
        }
    }
}

#[async_trait]
impl TokenSource for RefreshingToken {
    fn connection(&self) -> &ConnectionRef {
        &self.shared.connection
    }

    async fn token(&self) -> Result<AccessToken> {
        match self.shared.cache.look(&*self.shared.clock) {
            Found::Fresh(token) => Ok(token),
            Found::Aging(token) => match Arc::clone(&self.flight).try_lock_owned() {
                Ok(flight) => self.renew(flight).await,
                // Somebody is at it, and the old token still works.
                Err(_) => Ok(token),
            },
            Found::Spent => {
                let flight = Arc::clone(&self.flight).lock_owned().await;
                if let Some(token) = self.cached() {
                    return Ok(token);
                }
                self.renew(flight).await
            }
        }
    }

    async fn reject(&self, rejected: &AccessToken) {
        self.shared.cache.reject(rejected.generation());
    }
}

impl fmt::Debug for RefreshingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}
