//! Asking the provider for the next access token.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::grant::{OAuthGrant, RefreshedGrant};
use crate::error::Result;

/// One call to the token endpoint. The OAuth module implements it for each provider; [`RefreshingToken`](super::RefreshingToken)
/// decides when it is called, and sees to it that it is called once.
///
/// ```
/// use std::time::Duration;
/// use atlas_connectors::credential::{OAuthGrant, Refresh, RefreshedGrant};
/// use atlas_connectors::Result;
///
/// /// A token endpoint that always agrees.
/// #[derive(Debug)]
/// struct Agrees;
///
/// #[async_trait::async_trait]
/// impl Refresh for Agrees {
///     async fn refresh(&self, grant: &OAuthGrant) -> Result<RefreshedGrant> {
///         let next = format!("token-{}", grant.generation + 1);
///         Ok(RefreshedGrant::new(next.into()).with_expires_in(Duration::from_secs(3600)))
///     }
/// }
/// ```
#[async_trait]
pub trait Refresh: fmt::Debug + Send + Sync + 'static {
    /// Makes exactly one token call and classifies its answer. Does not repeat it: a rotating refresh token may be spent
    /// even if no answer came.
    ///
    /// # Errors
    /// [`crate::OAuthError::InvalidGrant`] only for the provider's own well-formed answer that the grant is over. What
    /// cannot be reached, is throttled, broken or misconfigured is any other kind: it leaves the grant alone.
    async fn refresh(&self, grant: &OAuthGrant) -> Result<RefreshedGrant>;

    /// Whether a new access token can be had without a refresh token, as a client that signs in as itself can.
    fn needs_refresh_token(&self) -> bool {
        true
    }
}

/// How a [`RefreshingToken`](super::RefreshingToken) behaves. Every span is a setting with the default named at it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RefreshSettings {
    /// How long before its end a token is renewed (5 minutes; at most a fifth of its life).
    pub margin: Duration,
    /// Up to how much earlier still, by chance, so that processes do not all wake at once (1 minute; at most a fifth of
    /// the token's life).
    pub jitter: Duration,
    /// How long one token call may take (30 seconds).
    pub call_timeout: Duration,
    /// How long the right to refresh is held without a sign of life (60 seconds; never less than twice the time of a
    /// call, so that two calls cannot be under way at once).
    pub lease: Duration,
    /// How often those who wait for another process look (100 milliseconds, up to twice that by chance).
    pub poll: Duration,
    /// How long they wait in all (2 minutes).
    pub wait: Duration,
    /// Pause after a first failed token call (1 second); doubles with each further one.
    pub pause: Duration,
    /// Longest such pause (1 minute), unless the provider names a later time.
    pub longest_pause: Duration,
}

impl Default for RefreshSettings {
    fn default() -> Self {
        Self {
            margin: Duration::from_secs(300),
            jitter: Duration::from_secs(60),
            call_timeout: Duration::from_secs(30),
            lease: Duration::from_secs(60),
            poll: Duration::from_millis(100),
            wait: Duration::from_secs(120),
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
        }
    }
}

impl RefreshSettings {
    /// Sets how long before its end a token is renewed.
    #[must_use]
    pub fn with_margin(mut self, margin: Duration) -> Self {
        self.margin = margin;
        self
    }

    /// Sets up to how much earlier still, by chance.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sets how long one token call may take.
    #[must_use]
    pub fn with_call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Sets how long the right to refresh is held without a sign of life.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how often those who wait for another process look, and how long in all.
    #[must_use]
    pub fn with_wait(mut self, poll: Duration, wait: Duration) -> Self {
        (self.poll, self.wait) = (poll, wait);
        self
    }

    /// Sets the first and the longest pause after failed token calls.
    #[must_use]
    pub fn with_pauses(mut self, first: Duration, longest: Duration) -> Self {
        (self.pause, self.longest_pause) = (first, longest);
        self
    }
}
