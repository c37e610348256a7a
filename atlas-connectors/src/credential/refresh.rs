//! Asking the provider for the next access token.

use std::fmt;

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
