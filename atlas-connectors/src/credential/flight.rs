//! One refresh, from the first look into the store to the stored token.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use tokio::sync::OwnedMutexGuard;

use super::events::GrantEvents;
use super::grant::OAuthGrant;
use super::kind::Credential;
use super::refresh::{Refresh, RefreshSettings};
use super::store::{CredentialKey, Fence};
use super::token::AccessToken;
use super::token_cache::{Found, Margin, TokenCache, random_up_to};
use super::vault::Vault;
use crate::clock::{Clock, Timestamp};
use crate::connection::ConnectionRef;
use crate::error::{Error, ErrorKind, GrantEnd, OAuthError, OperationClass, Result, Retry, StorageFault, Unreachable};
use crate::ids::{HolderId, Version};

/// How often a write meets a row that was only sealed again meanwhile.
const ATTEMPTS: usize = 4;
/// Longest time a provider's word keeps us from asking again.
const LONGEST_COOL_DOWN: Duration = Duration::from_secs(3_600);

/// What all clones of a source share and nobody locks.
pub(super) struct Shared {
    pub(super) connection: ConnectionRef,
    pub(super) key: CredentialKey,
    pub(super) vault: Vault,
    pub(super) refresh: Arc<dyn Refresh>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) events: Option<Arc<dyn GrantEvents>>,
    pub(super) settings: RefreshSettings,
    pub(super) holder: HolderId,
    pub(super) cache: TokenCache,
}

/// What the one task that refreshes knows of earlier attempts.
#[derive(Default)]
pub(super) struct Flight {
    /// The last failed call, and until when (monotonic) it stands for the next one.
    failure: Option<(Failure, Duration)>,
    failures: u32,
    /// A token that the provider gave and the store did not take; it is stored before another one is asked for.
    unsaved: Option<Unsaved>,
    /// The grant that is known to be over.
    over: Option<Identified>,
}

/// A failure, to be told again without asking again.
struct Failure {
    kind: ErrorKind,
    status: Option<u16>,
    code: Option<String>,
    retry: Retry,
}

struct Unsaved {
    base: Identified,
    next: OAuthGrant,
    asked: Duration,
}

/// Tells two stored grants apart without comparing secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identified {
    generation: u64,
    obtained_at: Timestamp,
}

struct Stored {
    grant: OAuthGrant,
    version: Version,
}

/// What came of one attempt under the lease.
enum Attempt {
    Token(AccessToken),
    /// Somebody else has written meanwhile: look again.
    Again,
}

impl Shared {
    /// Gives a valid token, asking the provider if need be. The guard makes this the only task of the process doing so.
    pub(super) async fn renew(&self, mut flight: OwnedMutexGuard<Flight>) -> Result<AccessToken> {
        if let Found::Fresh(token) = self.look() {
            return Ok(token);
        }
        let error = match self.obtain(&mut flight).await {
            Ok(token) => return Ok(token),
            Err(error) => error.with_class(OperationClass::SignIn),
        };
        let is_final =
            error.oauth().is_some_and(OAuthError::ends_grant) || matches!(error.kind(), ErrorKind::Cancelled);
        if is_final {
            self.cache.clear();
            return Err(error);
        }
        match self.look() {
            Found::Fresh(token) | Found::Aging(token) => {
                tracing::warn!(code = error.code(), "early refresh failed, the token is still valid");
                let pause = self.settings.pause.max(Duration::from_millis(1));
                let until = flight.failure.as_ref().map(|(_, until)| *until);
                self.cache
                    .quiet_until(until.unwrap_or_else(|| self.clock.monotonic().saturating_add(pause)));
                Ok(token)
            }
            Found::Spent => Err(error),
        }
    }

    async fn obtain(&self, flight: &mut Flight) -> Result<AccessToken> {
        let give_up = self.clock.monotonic().saturating_add(self.settings.wait);
        loop {
            let stored = self.read(flight).await?;
            if let Found::Fresh(token) = self.look() {
                return Ok(token);
            }
            self.may_ask(&stored.grant, flight)?;
            let leased_at = self.clock.monotonic();
            let lease = self.settings.lease.max(self.settings.call_timeout.saturating_mul(2));
            let store = self.vault.store();
            if let Some(fence) = store.lease(&self.key, &self.holder, lease).await? {
                let outcome = self.ask(flight, &fence, leased_at.saturating_add(lease)).await;
                if let Err(error) = store.release(fence).await {
                    tracing::debug!(code = error.code(), "lease not given back, it ends by itself");
                }
                match outcome {
                    Ok(Attempt::Token(token)) => return Ok(token),
                    Ok(Attempt::Again) => {}
                    Err(error) => return Err(error),
                }
            } else if let Found::Aging(token) = self.look() {
                // Another process is at it; try again a little later.
                self.cache
                    .quiet_until(self.clock.monotonic().saturating_add(self.settings.pause));
                return Ok(token);
            }
            if self.clock.monotonic() >= give_up {
                return Err(Error::new(OAuthError::Transient, TOKEN).with_context("waited_for", "another process"));
            }
            let poll = self.settings.poll;
            self.clock.sleep(poll.saturating_add(random_up_to(poll))).await;
        }
    }

    /// One attempt under the lease: read again, ask, store.
    async fn ask(&self, flight: &mut Flight, fence: &Fence, lease_end: Duration) -> Result<Attempt> {
        let stored = self.read(flight).await?;
        if let Found::Fresh(token) = self.look() {
            return Ok(Attempt::Token(token));
        }
        let base = Identified::of(&stored.grant);
        if let Some(unsaved) = flight.unsaved.take_if(|unsaved| unsaved.base == base) {
            let saved = self.save(flight, stored, unsaved, fence).await?;
            // It may have aged while it could not be stored.
            return Ok(match self.look() {
                Found::Spent => Attempt::Again,
                Found::Fresh(_) | Found::Aging(_) => saved,
            });
        }
        flight.unsaved = None;
        let (asked, asked_at) = (self.clock.monotonic(), self.clock.now());
        if asked.saturating_add(self.settings.call_timeout) >= lease_end {
            // The store was so slow that the lease might end during the call.
            return Ok(Attempt::Again);
        }
        // The host's code may be in there: its panic must not take the lease with it.
        let call = AssertUnwindSafe(self.refresh.refresh(&stored.grant)).catch_unwind();
        let answer = match self.within_time(call).await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) => Err(Error::new(OAuthError::Transient, TOKEN).with_context("refresh", "panicked")),
            None => Err(Error::new(Unreachable::Timeout, TOKEN)),
        };
        match answer {
            Ok(answer) => {
                (flight.failure, flight.failures) = (None, 0);
                let next = stored.grant.renewed(answer, asked_at);
                self.save(flight, stored, Unsaved { base, next, asked }, fence).await
            }
            Err(error) => match error.oauth() {
                Some(OAuthError::InvalidGrant { cause }) => {
                    let cause = *cause;
                    self.end(flight, stored, cause, error, fence).await
                }
                _ => Err(self.cool_down(flight, error)),
            },
        }
    }

    /// Stores the new grant, and only then gives its token.
    async fn save(&self, flight: &mut Flight, mut stored: Stored, new: Unsaved, fence: &Fence) -> Result<Attempt> {
        let credential = Credential::OAuth(new.next.clone());
        let mut attempt = 1;
        loop {
            let error = match self.commit(&credential, stored.version, fence).await {
                Ok(()) => break,
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::Cancelled => return Err(error),
                ErrorKind::StorageFailed(StorageFault::Conflict) if attempt < ATTEMPTS => {
                    attempt += 1;
                    stored = self.read(flight).await?;
                    if Identified::of(&stored.grant) != new.base {
                        return Ok(Attempt::Again);
                    }
                    // The same grant, sealed again under another key.
                }
                ErrorKind::StorageFailed(StorageFault::Fenced | StorageFault::Conflict) => {
                    flight.unsaved = Some(new);
                    return Ok(Attempt::Again);
                }
                _ => {
                    flight.unsaved = Some(new);
                    return Err(error);
                }
            }
        }
        self.adopt(&new.next, Some(new.asked));
        if let Some(events) = &self.events {
            self.within_time(events.renewed(&self.connection, new.next.obtained_at))
                .await;
        }
        match self.look() {
            Found::Fresh(token) | Found::Aging(token) => Ok(Attempt::Token(token)),
            // A token that was over before it was stored, or was rejected by its number.
            Found::Spent => Ok(Attempt::Token(AccessToken::new(
                new.next.access_token,
                new.next.scopes,
                new.next.generation,
            ))),
        }
    }

    /// The provider says that the grant is over. Believes it only if the stored grant is still the one that was asked with.
    async fn end(
        &self,
        flight: &mut Flight,
        asked_with: Stored,
        cause: GrantEnd,
        answer: Error,
        fence: &Fence,
    ) -> Result<Attempt> {
        let base = Identified::of(&asked_with.grant);
        let mut attempt = 1;
        loop {
            let stored = self.read(flight).await?;
            if Identified::of(&stored.grant) != base {
                return Ok(Attempt::Again);
            }
            let mut over = stored.grant.ended(cause, self.clock.now());
            over.claims_challenge = answer.claims_challenge().cloned();
            let over = Credential::OAuth(over);
            let Err(error) = self.commit(&over, stored.version, fence).await else {
                break;
            };
            match error.kind() {
                ErrorKind::Cancelled => return Err(error),
                // Another holder has asked as well, and decides.
                ErrorKind::StorageFailed(StorageFault::Fenced) => return Ok(Attempt::Again),
                ErrorKind::StorageFailed(StorageFault::Conflict) if attempt < ATTEMPTS => attempt += 1,
                _ => {
                    // The provider has spoken; that the mark could not be stored costs other processes one call each.
                    tracing::warn!(code = error.code(), "the end of the grant could not be stored");
                    break;
                }
            }
        }
        self.declare_over(flight, base, cause).await;
        Err(answer)
    }

    /// Reads the stored grant and takes over its token.
    async fn read(&self, flight: &mut Flight) -> Result<Stored> {
        let cancelled = || Error::new(ErrorKind::Cancelled, TOKEN);
        let stored = self.vault.load(&self.key).await?.ok_or_else(cancelled)?;
        if stored.epoch != self.connection.epoch {
            return Err(cancelled());
        }
        let Credential::OAuth(grant) = stored.credential else {
            let why = "the stored credential is no OAuth grant";
            return Err(Error::new(
                ErrorKind::Invalid {
                    what: "credential",
                    why,
                },
                TOKEN,
            ));
        };
        let identified = Identified::of(&grant);
        if let Some(end) = grant.ended {
            self.declare_over(flight, identified, end.cause).await;
            let error = over(end.cause);
            return Err(match grant.claims_challenge {
                Some(challenge) => error.with_claims_challenge(challenge),
                None => error,
            });
        }
        if flight.over == Some(identified) {
            return Err(over(GrantEnd::RevokedOrExpired));
        }
        self.adopt(&grant, None);
        Ok(Stored {
            grant,
            version: stored.version,
        })
    }

    /// Whether the provider may be asked now.
    fn may_ask(&self, grant: &OAuthGrant, flight: &Flight) -> Result<()> {
        if !self.is_renewable(grant) {
            return Err(Error::new(OAuthError::NoOfflineAccess, TOKEN));
        }
        let now = self.clock.monotonic();
        match &flight.failure {
            Some((failure, until)) if now < *until => {
                Err(failure.again(self.clock.now().after(until.saturating_sub(now))))
            }
            _ => Ok(()),
        }
    }

    /// Remembers a failed call, so that nobody asks again at once.
    fn cool_down(&self, flight: &mut Flight, error: Error) -> Error {
        let doubled = self
            .settings
            .pause
            .saturating_mul(1u32.checked_shl(flight.failures.min(16)).unwrap_or(u32::MAX));
        let mut pause = doubled.min(self.settings.longest_pause);
        if let Retry::At(until) = error.retry() {
            pause = pause.max(until.since(self.clock.now()).min(LONGEST_COOL_DOWN));
        }
        flight.failures = flight.failures.saturating_add(1);
        flight.failure = Some((Failure::of(&error), self.clock.monotonic().saturating_add(pause)));
        error
    }

    /// Ends the use of the grant in this process and says so, once.
    async fn declare_over(&self, flight: &mut Flight, grant: Identified, cause: GrantEnd) {
        self.cache.clear();
        if flight.over.replace(grant) == Some(grant) {
            return;
        }
        if let Some(events) = &self.events {
            let why = OAuthError::InvalidGrant { cause };
            self.within_time(events.ended(&self.connection, &why)).await;
        }
    }

    async fn commit(&self, credential: &Credential, expected: Version, fence: &Fence) -> Result<()> {
        self.vault
            .commit(&self.key, self.connection.epoch, credential, expected, Some(fence))
            .await
            .map(drop)
    }

    fn look(&self) -> Found {
        self.cache.look(&*self.clock)
    }

    fn adopt(&self, grant: &OAuthGrant, asked: Option<Duration>) {
        let margin = Margin {
            early: self.settings.margin,
            jitter: self.settings.jitter,
        };
        self.cache
            .adopt(grant, asked, self.is_renewable(grant), margin, &*self.clock);
    }

    fn is_renewable(&self, grant: &OAuthGrant) -> bool {
        grant.refresh_token.is_some() || !self.refresh.needs_refresh_token()
    }

    /// `None`: it took longer than a call may take.
    async fn within_time<T>(&self, work: impl Future<Output = T> + Send) -> Option<T> {
        let sleep = self.clock.sleep(self.settings.call_timeout);
        match select(pin!(work), sleep).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshingToken")
            .field("connection", &self.connection)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

impl Identified {
    fn of(grant: &OAuthGrant) -> Self {
        Self {
            generation: grant.generation,
            obtained_at: grant.obtained_at,
        }
    }
}

impl Failure {
    fn of(error: &Error) -> Self {
        Self {
            kind: error.kind().clone(),
            status: error.status(),
            code: error.provider_code().map(|code| code.as_str().to_owned()),
            retry: error.retry(),
        }
    }

    fn again(&self, at: Timestamp) -> Error {
        let retry = match self.retry {
            Retry::Never => Retry::Never,
            _ => Retry::At(at),
        };
        let mut error = Error::new(self.kind.clone(), TOKEN).with_retry(retry);
        if let Some(status) = self.status {
            error = error.with_status(status);
        }
        if let Some(code) = &self.code {
            error = error.with_provider_code(code);
        }
        error
    }
}

const TOKEN: &str = "credential.token";

fn over(cause: GrantEnd) -> Error {
    Error::new(OAuthError::InvalidGrant { cause }, TOKEN)
}
