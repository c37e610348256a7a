//! The rules of refreshing, each with the fault it survives. Numbers F… are those of `security-reliability.md`, section 3.

mod ends;
mod faults;
mod once;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::{
    AccessToken, Credential, CredentialKey, CredentialStore, Fence, GrantEvents, KeyRing, OAuthGrant, Refresh,
    RefreshSettings, RefreshedGrant, RefreshingToken, SealedCredential, Sealer, TokenSource, Vault, Versioned,
};
use crate::clock::{Clock, Timestamp};
use crate::connection::ConnectionRef;
use crate::error::{Error, ErrorKind, GrantEnd, OAuthError, Result, StorageFault};
use crate::ids::{ConnectionId, Epoch, HolderId, ProviderId, TenantId, Version};
use crate::oauth::ScopeSet;
use crate::store::MemoryStore;
use crate::testkit::ManualClock;

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

/// One connection whose store, token endpoint and time are under control.
struct World {
    clock: ManualClock,
    store: Arc<WatchedStore>,
    vault: Vault,
    connection: ConnectionRef,
    key: CredentialKey,
    endpoint: Arc<Endpoint>,
    events: Arc<Events>,
}

impl World {
    /// With a grant whose token has an hour to live, stored.
    async fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000));
        let store = Arc::new(WatchedStore::new(MemoryStore::with_clock(Arc::new(clock.clone()))));
        let sealer = Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap();
        let connection = connection();
        let world = Self {
            vault: Vault::new(Arc::clone(&store) as Arc<dyn CredentialStore>, sealer),
            key: CredentialKey::oauth(&connection),
            clock,
            store,
            connection,
            endpoint: Arc::default(),
            events: Arc::default(),
        };
        world.put(Epoch::FIRST, world.grant()).await;
        world
    }

    /// The same, after the token is over.
    async fn expired() -> Self {
        let world = Self::new().await;
        world.clock.advance(HOUR);
        world
    }

    fn grant(&self) -> OAuthGrant {
        OAuthGrant::new("access-1".into(), ScopeSet::parse("email"), self.clock.now())
            .with_refresh_token("refresh-1".into())
            .with_expires_in(HOUR)
    }

    /// A source, as each process has one.
    fn source(&self) -> RefreshingToken {
        self.source_with(RefreshSettings::default().with_jitter(Duration::ZERO), &self.clock)
    }

    fn source_with(&self, settings: RefreshSettings, clock: &ManualClock) -> RefreshingToken {
        RefreshingToken::builder(
            self.connection.clone(),
            self.vault.clone(),
            Arc::clone(&self.endpoint) as Arc<dyn Refresh>,
        )
        .clock(Arc::new(clock.clone()))
        .events(Arc::clone(&self.events) as Arc<dyn GrantEvents>)
        .settings(settings)
        .build()
    }

    async fn put(&self, epoch: Epoch, grant: OAuthGrant) {
        self.vault.put(&self.key, epoch, &grant.into()).await.unwrap();
    }

    async fn stored(&self) -> OAuthGrant {
        match self.vault.load(&self.key).await.unwrap().unwrap().credential {
            Credential::OAuth(grant) => grant,
            other => panic!("{other:?}"),
        }
    }

    /// Runs to the end, moving the clock only when somebody polls for another process.
    async fn drive<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let task = tokio::spawn(work);
        while !task.is_finished() {
            settle().await;
            if let Some(wake) = self.clock.next_wake()
                && wake < Duration::from_secs(1)
            {
                self.clock.advance(wake);
            }
        }
        task.await.unwrap()
    }
}

fn connection() -> ConnectionRef {
    ConnectionRef {
        tenant: TenantId::new("acme"),
        connection: ConnectionId::random(),
        epoch: Epoch::FIRST,
        provider: ProviderId::new("gmail"),
    }
}

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

fn secret(token: &AccessToken) -> &str {
    token.secret().expose_secret()
}

fn revoked() -> ErrorKind {
    let cause = GrantEnd::RevokedOrExpired;
    OAuthError::InvalidGrant { cause }.into()
}

/// A token endpoint that counts, and answers by script; without a script it gives `access-2`, `access-3`, ….
#[derive(Debug, Default)]
struct Endpoint {
    calls: AtomicUsize,
    script: Mutex<VecDeque<Answer>>,
    gate: Gate,
}

#[derive(Debug)]
struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

#[derive(Clone, Debug)]
enum Answer {
    /// A new access token.
    Token,
    /// A new access token and a new refresh token.
    Rotated,
    Fail(ErrorKind),
    /// The same, once [`Endpoint::open`] lets it through.
    Held(Box<Self>),
    /// No answer.
    Never,
    /// The host's code panics.
    Panic,
}

impl Endpoint {
    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script.lock().unwrap().extend(answers);
    }

    fn open(&self) {
        self.gate.0.add_permits(1);
    }

    /// Until this many calls have arrived.
    async fn arrived(&self, calls: usize) {
        while self.calls() < calls {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Refresh for Endpoint {
    async fn refresh(&self, grant: &OAuthGrant) -> Result<RefreshedGrant> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let number = grant.generation + 1;
        let scripted = self.script.lock().unwrap().pop_front();
        let mut answer = scripted.unwrap_or(Answer::Token);
        tokio::task::yield_now().await;
        if let Answer::Held(inner) = answer {
            self.gate.0.acquire().await.unwrap().forget();
            answer = *inner;
        }
        let token = RefreshedGrant::new(SecretString::from(format!("access-{number}"))).with_expires_in(HOUR);
        match answer {
            Answer::Token => Ok(token),
            Answer::Rotated => Ok(token.with_refresh_token(SecretString::from(format!("refresh-{number}")))),
            Answer::Fail(kind) => Err(Error::new(kind, "test.refresh")),
            Answer::Held(_) | Answer::Never => std::future::pending().await,
            Answer::Panic => panic!("the host's code"),
        }
    }
}

#[derive(Debug, Default)]
struct Events {
    renewed: AtomicUsize,
    ended: AtomicUsize,
}

impl Events {
    fn counts(&self) -> (usize, usize) {
        (self.renewed.load(Ordering::SeqCst), self.ended.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl GrantEvents for Events {
    async fn renewed(&self, _: &ConnectionRef, _: Timestamp) {
        self.renewed.fetch_add(1, Ordering::SeqCst);
    }

    async fn ended(&self, _: &ConnectionRef, why: &OAuthError) {
        assert!(why.ends_grant());
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}

/// A store that counts reads, and whose disk can be full.
#[derive(Debug)]
struct WatchedStore {
    inner: MemoryStore,
    loads: AtomicUsize,
    full: AtomicBool,
}

impl WatchedStore {
    fn new(inner: MemoryStore) -> Self {
        Self {
            inner,
            loads: AtomicUsize::new(0),
            full: AtomicBool::new(false),
        }
    }

    fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }
}

#[async_trait]
impl CredentialStore for WatchedStore {
    async fn load(&self, key: &CredentialKey) -> Result<Option<Versioned<SealedCredential>>> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.inner.load(key).await
    }

    async fn commit(
        &self,
        key: &CredentialKey,
        new: SealedCredential,
        expected: Version,
        fence: Option<&Fence>,
    ) -> Result<Version> {
        if self.full.load(Ordering::SeqCst) {
            return Err(Error::new(StorageFault::Full, "credential.commit"));
        }
        self.inner.commit(key, new, expected, fence).await
    }

    async fn erase(&self, key: &CredentialKey, epoch: Epoch) -> Result<()> {
        self.inner.erase(key, epoch).await
    }

    async fn lease(&self, key: &CredentialKey, holder: &HolderId, ttl: Duration) -> Result<Option<Fence>> {
        self.inner.lease(key, holder, ttl).await
    }

    async fn release(&self, fence: Fence) -> Result<()> {
        self.inner.release(fence).await
    }

    async fn sealed_with_other_key(
        &self,
        key_id: &str,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<CredentialKey>> {
        self.inner.sealed_with_other_key(key_id, after, limit).await
    }
}
