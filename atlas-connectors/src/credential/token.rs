//! Access tokens and where they come from.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::connection::ConnectionRef;
use crate::error::Result;
use crate::oauth::ScopeSet;

/// A bearer token with the scopes it carries. Cheap to clone; `Debug` shows no secret.
#[derive(Clone)]
pub struct AccessToken(Arc<Inner>);

struct Inner {
    secret: SecretString,
    scopes: ScopeSet,
    generation: u64,
}

impl AccessToken {
    /// A token as the provider gave it. The generation tells two tokens of one source apart without comparing secrets.
    pub fn new(secret: SecretString, scopes: ScopeSet, generation: u64) -> Self {
        Self(Arc::new(Inner {
            secret,
            scopes,
            generation,
        }))
    }

    /// The secret, for the authorization header of one request.
    pub fn secret(&self) -> &SecretString {
        &self.0.secret
    }

    /// The scopes that were granted.
    pub fn scopes(&self) -> &ScopeSet {
        &self.0.scopes
    }

    /// Rises with each token of the same source.
    pub fn generation(&self) -> u64 {
        self.0.generation
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("generation", &self.0.generation)
            .field("scopes", &self.0.scopes)
            .finish_non_exhaustive()
    }
}

/// Gives the valid token of one connection, refreshing it when needed.
///
/// ```
/// use atlas_connectors::credential::{AccessToken, TokenSource};
/// use atlas_connectors::{ConnectionRef, Result};
///
/// /// A token that somebody else renews.
/// #[derive(Debug)]
/// struct Fixed(ConnectionRef, AccessToken);
///
/// #[async_trait::async_trait]
/// impl TokenSource for Fixed {
///     fn connection(&self) -> &ConnectionRef {
///         &self.0
///     }
///     async fn token(&self) -> Result<AccessToken> {
///         Ok(self.1.clone())
///     }
///     async fn reject(&self, _rejected: &AccessToken) {}
/// }
/// ```
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// The connection whose token this is.
    fn connection(&self) -> &ConnectionRef;

    /// A token that is valid now.
    ///
    /// # Errors
    /// The grant has ended ([`crate::OAuthError::InvalidGrant`]), the authorization server cannot answer and the
    /// old token is over ([`crate::OAuthError::Transient`]), the connection was disconnected or reconnected
    /// ([`crate::ErrorKind::Cancelled`]), or the store failed.
    async fn token(&self) -> Result<AccessToken>;

    /// Says that the provider answered 401 to this token, so that the next [`TokenSource::token`] gives another one.
    async fn reject(&self, rejected: &AccessToken);
}
